"""`hailong replay` and `hailong bench edge` on films made of real faces and voices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hailong.cli import main
from tests.edge.clips import frames, scene, silence, voice, write_film, write_sound

HAPPY = ("astronaut", 150, 60, 100)
CLERK = ("biden", 160, 440, 80)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds: nobody, a citizen who speaks for six seconds, nobody; a clerk on the right all the time."""
    sound = np.concatenate([silence(3.0), voice("voice_ngoc"), silence(4.0)])
    parts = [(2.0, (CLERK,)), (6.0, (HAPPY, CLERK)), (2.0, (CLERK,))]
    pictures = [frame.pixels for seconds, people in parts for frame in frames(scene(*people), seconds)]
    return write_film(tmp_path_factory.mktemp("replay") / "film.mp4", pictures, np.stack([sound]))


REGION = ["--region", "0,0", "0.6,0", "0.6,1", "0,1"]


def test_replay_as_json(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--video", str(film), *REGION, "--short", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert "never leaves this machine" in err
    assert "fer2013-rafdb-research-only" in err
    assert found["frames"] == 100
    (visit,) = found["visits"]
    assert visit["level"] in ("HIGH", "VERY_HIGH")
    assert "FACE" in visit["rests_on"]
    assert visit["start_s"] == pytest.approx(2.6, abs=0.6)
    rows = found["timeline"]
    assert [row["time_s"] for row in rows] == sorted(row["time_s"] for row in rows)
    assert {row["faces"] for row in rows if row["time_s"] < 1.9 or row["time_s"] > 8.6} == {0}
    seen = [row for row in rows if row["face_valence"] is not None]
    assert seen
    assert all(2 < row["time_s"] < 9 and row["face_valence"] > 0.8 for row in seen)
    assert sum(seen[0]["emotions"].values()) == pytest.approx(1, abs=0.01)
    assert any(row["arousal"] is not None for row in rows), "the voice was heard"


def test_replay_for_a_person(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--video", str(film), *REGION, "--short"]) == 0
    assert "visit 1: " in capsys.readouterr().out


def test_the_civil_servant_alone_is_no_visit(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = ["--region", "0.62,0", "1,0", "1,1", "0.62,1"]
    assert main(["replay", "--video", str(film), *right, "--whole", "--every", "2", "--json"]) == 0
    assert {row["faces"] for row in json.loads(capsys.readouterr().out)["timeline"]} == {1}
    assert main(["replay", "--video", str(film), "--region", "0,0", "0.6,0", "0.6,1", "--json"]) == 0


def test_sound_from_another_file(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = np.concatenate([silence(3.0), voice("voice_doan"), silence(1.0)])
    wav = write_sound(tmp_path / "voice.wav", np.stack([np.zeros_like(sound), sound]))
    arguments = ["replay", "--video", str(film), "--audio", str(wav), "--whole", "--json"]
    assert main([*arguments, "--channel", "1"]) == 0
    assert any(row["arousal"] is not None for row in json.loads(capsys.readouterr().out)["timeline"])
    assert main([*arguments, "--channel", "0"]) == 0
    assert all(row["arousal"] is None for row in json.loads(capsys.readouterr().out)["timeline"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--region", "0,0", "1,1"], "three corners"),
        (["--region", "0,0", "1,1", "2,0"], "three corners"),
        (["--region", "0", "1,1", "2,0"], "reads X,Y"),
        (["--every", "0"], "above 0"),
        (["--channel", "-1"], "counted from 0"),
        (["--channel", "5"], "has 1 channel"),
        (["--audio", "nowhere.wav"], "no file"),
        (["--fusion", "nowhere.toml"], "cannot be read"),
    ],
)
def test_wrong_use_is_told(film: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--video", str(film), *arguments]) == 1
    assert says in capsys.readouterr().err


@pytest.mark.slow
def test_bench_edge(film: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--video", str(film), "--frames", "30", "--rounds", "2", "--seconds", "2", "--streams", "2", "--json"]
    assert main(["bench", "edge", *arguments]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["streams"] == 2
    assert found["frames"] == 60
    assert found["fps"] > 0
    # the parts alone cannot take longer than the whole; the margin is the machine's unrest in two short rounds
    assert 0.6 < found["floor_ratio"] < 5
    assert found["live"]["affects"] > 5
    assert 0 < found["live"]["latency_p50_ms"] <= found["live"]["latency_p95_ms"]
    assert found["peak_memory_mib"] > 50
    assert {"commit", "processor", "versions", "format"} <= set(found)


def test_bench_edge_tells_a_film_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.mp4").touch()
    assert main(["bench", "edge", "--video", str(tmp_path / "empty.mp4")]) == 1
    assert "is empty" in capsys.readouterr().err
