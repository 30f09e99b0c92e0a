"""`hailong bench hall`: a small hall is really played and looked at, and what cannot be measured is told."""

from __future__ import annotations

import argparse
import json

import pytest

from benchmarks import bench_hall
from benchmarks.rtsp import missing
from pipeline.errors import ConfigError


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    bench_hall.add_arguments(parser)
    return bench_hall.run(parser.parse_args(words))


@pytest.mark.timeout(240)
def test_one_counter_with_a_citizen_and_one_without(capsys: pytest.CaptureFixture[str]) -> None:
    if why := missing():
        pytest.skip(f"no network camera on this machine: {why}")
    assert run("--counters", "2", "--occupied", "0.5", "--seconds", "5", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["counters"], found["occupied"], found["open_visits"]) == (2, 1, 1)
    looks = found["looks_hz"]
    assert (looks["occupied"]["asked"], looks["empty"]["asked"]) == (15, 0.5)
    assert 0 < looks["occupied"]["reached"]["min"] < 17
    assert 0 < looks["empty"]["reached"]["min"] < 6
    assert found["affects"] > 0
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p95"] <= found["latency_ms"]["p100"]
    # more than nothing, and no less than what its own calls take on a machine that does other things, too
    assert found["floor_ratio"] > 0.5
    assert 0 < found["box_cores"] <= found["machine_cores"] + 0.2
    assert found["peak_memory_mib"] > 50
    # what a camera's second stream has: the film itself, not what the benchmark asked for
    assert found["most_kbit"] == 512
    assert all(0.5 * 512 < sent < 1.1 * 512 for sent in found["stream_kbit"])


def test_without_gstreamer_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_hall, "missing", lambda: "there is no camera")
    with pytest.raises(ConfigError, match="nothing is measured: there is no camera"):
        run("--counters", "1")


@pytest.mark.parametrize(
    "words", ["--counters 65", "--occupied 1.5", "--size 640", "--size 641x360", "--seconds 0", "--kbit 5"]
)
def test_what_no_hall_can_be_is_refused(words: str) -> None:
    with pytest.raises(ConfigError, match="--"):
        run(*words.split())
