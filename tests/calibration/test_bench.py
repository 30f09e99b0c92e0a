"""The coverage benchmark: PPI++ equal to the package, every threat simulated, claims that can fail."""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench_statistics
from benchmarks.statistics_foreign import TABLES
from calibration.coverage import Cell, score_cell
from calibration.simulate import Scenario, Threat, simulate_province, threatened_world
from pipeline.errors import ConfigError


def test_vectorised_ppi_is_the_package() -> None:
    check = bench_statistics.ppi_check(seed=1, months=40)
    assert check["installed"]
    assert check["largest_difference"] < 1e-12


@pytest.mark.parametrize("threat", list(Threat))
def test_every_threat_is_a_proper_world(threat: Threat) -> None:
    for p in (0.72, 0.95):
        world = threatened_world(p, 0.4, threat, 0.1)
        for joint in (world.rated, world.silent, world.past_rated, world.past_silent):
            assert joint.shape == ((7, 2) if threat is Threat.CONSENT_BY_SATISFACTION else (6, 2))
            assert joint.sum() == pytest.approx(1.0)
            assert (joint >= 0).all()
        mixed = 0.1 * world.rated + 0.9 * world.silent
        assert mixed[:, 1].sum() == pytest.approx(world.target, abs=2e-3)


@pytest.mark.parametrize(
    ("threat", "method"),
    [
        (Threat.RESPONSE_BY_LEVEL, "wilson"),
        (Threat.RESPONSE_BY_SATISFACTION, "correction"),
        (Threat.SELECTIVE_PROMPTING, "correction"),
        (Threat.RATING_ALTERS_FACE, "efficiency"),
        (Threat.TRANSFER_CHANNEL, "efficiency"),
        (Threat.TRANSFER_AGENCY, "correction"),
        (Threat.MODE_EFFECT, "wilson"),
        (Threat.CONSENT_BY_SATISFACTION, "wilson"),
    ],
)
def test_threats_break_what_they_are_said_to_break(threat: Threat, method: str) -> None:
    world = threatened_world(0.82, 0.4, threat, 0.02)
    scores = score_cell(np.random.default_rng(1), world, Cell(100, 5000, 1.5), 1500)
    assert abs(scores[method].bias) > 0.01
    assert scores[method].coverage < 0.945


def test_with_many_answers_a_shift_between_rated_and_others_is_seen() -> None:
    for threat in (Threat.TRANSFER_CHANNEL, Threat.RESPONSE_BY_LEVEL):
        world = threatened_world(0.82, 0.4, threat, 0.05)
        scores = score_cell(np.random.default_rng(1), world, Cell(400, 8000, 1.5), 500)
        assert scores["efficiency"].used < 0.3
        assert scores["efficiency"].bias == pytest.approx(scores["wilson"].bias, abs=0.01)


def test_the_same_seed_gives_the_same_province() -> None:
    one, two = (simulate_province(Scenario(agencies=2, months=2, seed=4)) for _ in range(2))
    assert [m.shared_tables[0].counts.tolist() for m in one.months] == [
        m.shared_tables[0].counts.tolist() for m in two.months
    ]
    assert one.truth == two.truth


@pytest.mark.slow
def test_the_command_prints_json_and_its_claims_can_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    bench_statistics.add_arguments(parser)
    target = tmp_path / "statistics.json"
    code = bench_statistics.run(parser.parse_args(["--quick", "--json", "--output", str(target)]))
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads(target.read_text())
    assert result["replications"] == 400
    assert code == (0 if all(c["holds"] for c in (*result["claims"], *result["foreign"]["claims"])) else 1)
    assert {"grid", "finite", "response", "clusters", "threats", "province"} == set(result["sections"])
    assert len(result["claims"]) == 10
    assert set(result["foreign"]["tables"]) == set(TABLES)
    for rows in result["foreign"]["tables"].values():
        assert len(rows) >= 3
        for found in rows:
            errors = [key for key in found if key.endswith("_error")]
            assert found["replications"] >= 2
            assert errors, "every figure has its Monte Carlo error beside it"
            assert all(found[key] is None or found[key] >= 0 for key in errors)
    broken = copy.deepcopy(result["sections"])
    for cell in broken["grid"]:
        cell["efficiency_coverage"] -= 0.1
    assert not bench_statistics.claims(broken, 400)[0]["holds"]


def test_too_few_replications_are_refused() -> None:
    parser = argparse.ArgumentParser()
    bench_statistics.add_arguments(parser)
    with pytest.raises(ConfigError, match="at least 100"):
        bench_statistics.run(parser.parse_args(["--replications", "10"]))
