"""`hailong bench peers`: ours is measured, and whoever cannot be installed is told as missing."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import bench_peers
from benchmarks.bench_peers import Film, MissingError, Peer
from pipeline.errors import ConfigError


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    bench_peers.add_arguments(parser)
    return bench_peers.run(parser.parse_args(words))


@pytest.mark.timeout(240)
def test_ours_is_measured_and_what_is_not_here_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    words = ["--only", "ours", "human", "--pictures", "4", "--rounds", "2", "--size", "640x360", "--json"]
    assert run(*words, "--folder", str(tmp_path)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == {"human": "Node is not on this machine."}
    assert list(found["peers"]) == ["ours"]
    ours = found["peers"]["ours"]
    assert (ours["pictures"], ours["pictures_with_a_face"]) == (4, 4)
    assert ours["cpu_ms"] > 0
    assert ours["ours_to_it"] == {"cpu": 1.0, "memory": 1.0}


def test_packages_that_do_not_install_are_told(tmp_path: Path) -> None:
    failing = [sys.executable, "-c", "raise SystemExit('no such package')"]
    with pytest.raises(MissingError, match="cannot be installed: no such package"):
        bench_peers._made(tmp_path / "peer", ("one==1",), [failing])
    with pytest.raises(MissingError, match="cannot be installed: FileNotFoundError"):
        bench_peers._made(tmp_path / "peer", ("one==1",), [["/no/such/program"]])
    assert bench_peers._made(tmp_path / "peer", ("one==1",), []) == tmp_path / "peer"
    # as it was made of the same pins, nothing is run again; of others it is
    assert bench_peers._made(tmp_path / "peer", ("one==1",), [failing]) == tmp_path / "peer"
    with pytest.raises(MissingError):
        bench_peers._made(tmp_path / "peer", ("one==2",), [failing])


def test_a_peer_that_does_not_start_is_told() -> None:
    with pytest.raises(MissingError, match="does not run: broken"):
        Peer([sys.executable, "-c", "raise SystemExit('broken')"])


def test_the_raw_pictures_are_the_film_s(tmp_path: Path) -> None:
    import av
    import numpy as np

    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=15)
        video.width, video.height, video.pix_fmt = 64, 32, "yuv420p"
        for _ in range(3):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.full((32, 64, 3), 90, np.uint8), format="bgr24")))
        container.mux(video.encode(None))
    assert Film(path, (64, 32)).raw.stat().st_size == 3 * 32 * 64 * 3


def test_an_unknown_peer_is_refused() -> None:
    with pytest.raises(ConfigError, match="There is no peer nobody"):
        run("--only", "nobody")
