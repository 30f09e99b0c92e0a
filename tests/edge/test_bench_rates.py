"""How often a face has to be looked at: visits are made of films alike for every rate, and levels are compared."""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest

from benchmarks import bench_rates
from benchmarks.bench_rates import FLOOR, PIECE_S, VISIT_S, Found, compare, make_visit, rates_of, wilson
from hailong.demo_media import RATE_HZ
from pipeline.errors import ConfigError
from pipeline.records import Level
from tests.edge.clips import frames, scene, write_film


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    bench_rates.add_arguments(parser)
    return bench_rates.run(parser.parse_args(words))


def test_a_visit_of_a_folders_films_is_played_at_each_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_rates, "VISIT_S", (5.0, 6.0))
    write_film(tmp_path / "face.mp4", [each.pixels for each in frames(scene(("astronaut", 150, 60, 100)), 1.5)])
    write_film(tmp_path / "wall.mp4", [scene()] * 15)
    (tmp_path / "torn.mp4").write_bytes(b"no film")
    assert run("--films", str(tmp_path), "--visits", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["films"], found["visits"], found["made_up"]) == (1, 1, False), "a wall shows no face"
    every, now = found["rates"]["every"]["calls"], found["rates"]["now"]["calls"]
    assert every["landmarks"] >= 14
    assert now["landmarks"] < 11
    assert 0 < now["affects"] < every["affects"]
    assert sum(found["levels"].values()) == 1


@pytest.mark.parametrize("words", [["--visits", "0"], ["--affect-every", "0.7"], ["--films", "nowhere"]])
def test_what_cannot_be_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError):
        run(*words)


def test_a_folder_without_films_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no film"):
        run("--films", str(tmp_path))


def test_visits_are_the_same_for_a_seed_and_of_the_length_that_is_told() -> None:
    films = [[np.full((2, 2, 3), 10 * film + at % 10, np.uint8) for at in range(40)] for film in range(3)]
    one, again, other = (make_visit(films, Random(seed)) for seed in (1, 1, 2))
    assert all(a is b for a, b in zip(one, again, strict=True))
    assert len(one) != len(other)
    assert VISIT_S[0] <= len(one) / RATE_HZ <= VISIT_S[1]
    values = [int(picture[0, 0, 0]) for picture in one]
    cuts = sum(a // 10 != b // 10 for a, b in pairwise(values))
    assert cuts <= len(one) / RATE_HZ / PIECE_S[0] + 1


def test_levels_are_compared_with_those_of_every_picture() -> None:
    every = Found([Level.LOW, Level.MIDDLE, Level.ABSTAINED, Level.HIGH], [-0.3, 0.0, 0.0, 0.3], 40.0)
    now = Found([Level.LOW, Level.HIGH, Level.ABSTAINED, Level.VERY_LOW], [-0.3, 0.2, 0.0, -0.9], 40.0)
    figures = compare({"every": every, "now": now})
    assert figures["every"]["same"] == 1.0
    assert figures["now"]["same"] == 0.5
    assert figures["now"]["more_than_one_level"] == 1
    assert figures["now"]["x"]["mean"] == pytest.approx((0.2 + 1.2) / 4)


def test_the_interval_of_a_share_is_wilsons() -> None:
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-3)  # Newcombe 1998, by his formula
    assert wilson(1.0, 100)[0] == pytest.approx(0.963, abs=1e-3)


def test_now_are_the_settings_of_the_box() -> None:
    rates = rates_of([0.3], before=True)
    assert set(rates) == {"every", "now", "before", "affect every 0.3 s"}
    assert rates["every"].tracking.follow_every_s == 0.0
    assert rates["affect every 0.3 s"].tracking.follow_every_s == 0.3


def test_two_readings_of_every_picture_show_what_no_rate_can_be_blamed_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_rates, "VISIT_S", (3.0, 4.0))
    write_film(tmp_path / "face.mp4", [each.pixels for each in frames(scene(("astronaut", 150, 60, 100)), 1.5)])
    assert run("--films", str(tmp_path), "--visits", "1", "--floor", "--json") == 0
    rates = json.loads(capsys.readouterr().out)["rates"]
    assert set(rates) == {"every", "now", "mirrored", "later"}
    for name in ("mirrored", "later"):
        assert rates[name]["calls"]["affects"] == pytest.approx(rates["every"]["calls"]["affects"], rel=0.15)
    assert rates["mirrored"]["x"]["mean"] > 0, "the mirror image was played"


def test_what_is_done_to_a_visit_for_the_floor() -> None:
    visit = [np.full((2, 3, 3), at, np.uint8) + np.arange(3, dtype=np.uint8)[None, :, None] for at in range(9)]
    assert [int(pixels[0, 0, 0]) for pixels in FLOOR["mirrored"](visit)] == [at + 2 for at in range(9)]
    assert FLOOR["later"](visit)[0] is visit[3]
