"""Tables of the bench on the foreign generator: each is drawn, tells its Monte Carlo error, and can fail its claim."""

from __future__ import annotations

import argparse
import copy
import json

import numpy as np
import pytest

from benchmarks import bench_statistics
from benchmarks.statistics_foreign import FEWEST, claims, mean, ratio, tables


def _run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    bench_statistics.add_arguments(parser)
    return bench_statistics.run(parser.parse_args(words))


def test_a_table_has_a_stream_of_its_own() -> None:
    alone = tables(["unmet"], 100, 7, lambda _: None)
    beside = tables(["looks", "unmet"], 100, 7, lambda _: None)
    assert alone["unmet"] == beside["unmet"]
    assert tables(["unmet"], 100, 8, lambda _: None) != alone


def test_a_mean_and_a_ratio_and_their_errors_by_hand() -> None:
    assert mean("a", [1.0, 3.0]) == {"a": 2.0, "a_error": pytest.approx(1.0)}
    assert mean("a", []) == {"a": None, "a_error": None}
    assert mean("a", [1.0]) == {"a": 1.0, "a_error": None}
    assert ratio("r", [1.0, 2.0], [2.0, 4.0]) == {"r": 0.5, "r_error": pytest.approx(0.0)}
    rng = np.random.default_rng(1)
    drawn = [ratio("r", *rng.gamma(4.0, 1.0, (2, 50))) for _ in range(400)]
    assert np.std([one["r"] for one in drawn]) == pytest.approx(np.mean([one["r_error"] for one in drawn]), rel=0.15)


def test_tables_alone_and_claims_that_can_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--tables", "looks,unmet", "--replications", "1000", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["foreign"]["tables"]) == {"looks", "unmet"}
    assert "sections" not in result
    assert {"looks: ever wrong in a quarter", "unmet: coverage"} <= {
        one["claim"] for one in result["foreign"]["claims"]
    }
    for table, figure, by in (("looks", "ever_wrong", 0.5), ("unmet", "coverage", -0.3)):
        broken = copy.deepcopy(result["foreign"]["tables"])
        broken[table][-1][figure] += by
        assert next(one["claim"] for one in claims(broken) if not one["holds"]).startswith(table)
        broken[table][-1]["replications"] = FEWEST - 1
        assert all(one["holds"] for one in claims(broken)), "so few say nothing"


def test_a_table_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _run("--tables", "looks,nothing")
    told = capsys.readouterr().err
    assert "no table 'nothing'" in told
    assert "call_back" in told
