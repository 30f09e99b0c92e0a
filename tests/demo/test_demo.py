"""The demo as a stranger runs it: real processes, real inference, real HTTP, CURVE; then the officer's audits on
what it left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hailong.cli import main
from hailong.demo_media import Film, scripts

pytestmark = [pytest.mark.slow]


def hailong(*words: str, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hailong", *words], capture_output=True, text=True, timeout=timeout_s, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "files"


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    done = hailong("demo", "--once", "--json", "--dir", str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_films_are_made_of_two_people_each() -> None:
    for script in scripts():
        assert len(script.scenes) >= 6
        assert len({scene.leaving for scene in script.scenes}) >= 2
        frames = Film(script).frames()
        first = next(frames)
        assert first.shape == (360, 640, 3)
        assert first.dtype.name == "uint8"


def test_everything_sent_is_stored(result: dict[str, Any]) -> None:
    assert result["sent_is_stored"] is True
    assert result["releases_sent"] == result["releases_stored"] > 4
    assert result["ratings_stored"] == result["ratings_given"] >= 6


def test_visits_went_through_inference(result: dict[str, Any]) -> None:
    assert result["visits"] >= 12


def test_agencies_have_no_figure_of_a_day_that_is_not_over(result: dict[str, Any]) -> None:
    assert len(result["agencies"]) == 2
    for agency in result["agencies"]:
        assert agency["index_fused"] is None, "a demo has too few pairs to calibrate"
        assert 0 <= agency["ci_low"] < agency["ci_high"] <= 100
        assert (agency["n_explicit"], agency["index_explicit"]) == (0, None), "today's answers are nobody's figure yet"


def test_it_says_what_is_simulated(result: dict[str, Any]) -> None:
    assert "simulated" in result["simulated"]


@pytest.mark.parametrize("box", [1, 2])
def test_audit_of_the_wire_holds_on_what_was_sent(result: dict[str, Any], folder: Path, box: int) -> None:
    record = folder / f"box-{box}" / "sent.record"
    assert hailong("audit", "wire", str(record), "--demo").returncode == 0
    spoilt = bytearray(record.read_bytes())
    spoilt[3] ^= 0x55
    bad = record.with_name("spoilt.record")
    bad.write_bytes(spoilt)
    assert hailong("audit", "wire", str(bad), "--demo").returncode == 1


@pytest.mark.parametrize("box", [1, 2])
def test_audits_of_log_and_budget_hold_on_the_demo(result: dict[str, Any], folder: Path, box: int) -> None:
    home = folder / f"box-{box}"
    store, record = str(home / "data/release.sqlite3"), str(home / "sent.record")
    log = hailong("audit", "log", store, "--heads", str(folder / "server/store.sqlite"), "--box", str(box))
    assert log.returncode == 0, log.stdout
    budget = hailong("audit", "budget", store, "--sent", record)
    assert budget.returncode == 0, budget.stdout


def test_nothing_of_a_visit_lies_in_the_logs(result: dict[str, Any], folder: Path) -> None:
    for log in folder.glob("*.log"):
        text = log.read_text(encoding="utf-8").lower()
        assert not any(word in text for word in ("valence", "very_low", "utterance", "transcript")), log.name


def test_a_folder_with_other_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert main(["demo", "--once", "--dir", str(tmp_path)]) == 1
    assert "holds other files" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").exists()


def test_a_missing_film_is_told_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--once", "--video", "nowhere.mp4"]) == 1
    assert "no file nowhere.mp4" in capsys.readouterr().err
