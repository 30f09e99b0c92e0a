"""Arrays over all agencies at once give what the formulas give one by one, and grow with the agencies, not squared."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import statistics_scale
from calibration.days import DECAYS, LAGS, _Clusters, _Moments
from calibration.design import Design, Nested, Weights
from calibration.mode_effects import mode_effects
from calibration.ranks import rank_sets
from calibration.small_areas import fay_herriot
from calibration.survey_shares import Answers, days_of, place_shares, shares

FloatArray = NDArray[np.float64]
AGENCIES, DAYS, ROWS = 12, 22, 400
COMBINE = np.array([[1.0, 0, 0, 0.2], [0, 1, 0, 0.3], [0, 0, 1, 0.5], [0, 0, 0, 0]])


def province(seed: int, plan: str) -> tuple[Answers, NDArray[np.str_]]:
    """Rows of 12 agencies; one has one channel, one no answer to a question, one only satisfied ones."""
    rng = np.random.default_rng(seed)
    agency, day, group = rng.integers(0, AGENCIES, ROWS), rng.integers(0, DAYS, ROWS), rng.integers(0, 3, ROWS)
    channel = np.array(["a", "b", "c"])[np.where(agency == 0, 0, rng.integers(0, 3, ROWS))]
    sheets = rng.integers(1, 4, ROWS).astype(np.float64)
    valid = np.minimum(sheets[:, None] * np.array([1, 1, 2, 3]), rng.integers(0, 8, (ROWS, 4))).astype(np.float64)
    valid[agency == 2, 1] = 0
    satisfied = rng.binomial(valid.astype(np.int64), 0.8 + 0.1 * np.sin(agency)[:, None]).astype(np.float64)
    satisfied[agency == 3] = valid[agency == 3]
    cell, size = agency * 3 + group, rng.integers(20, 400, AGENCIES * 3).astype(np.float64)
    weights = None
    if plan == "certain":
        weights = Weights.certain(cell, size)
    elif plan == "drawn":
        chance = np.where(rng.random(AGENCIES * 3) < 0.1, 0.0, rng.uniform(0.2, 1, AGENCIES * 3))
        weights = Weights(cell, size, chance, np.arange(AGENCIES * 3), np.repeat(np.arange(AGENCIES), 3))
    return Answers(satisfied, valid, sheets, Design(day, agency, weights)), channel


@pytest.mark.parametrize("plan", ["none", "certain", "drawn"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_places_at_once_are_each_by_itself(seed: int, plan: str) -> None:
    answers, _ = province(seed, plan)
    days = days_of(answers)
    for place, places in ((answers.design.stratum, AGENCIES), (answers.design.cluster % 4, 5)):
        together = place_shares(answers, place, places, COMBINE, days)
        for number in range(places):
            alone = shares(answers.take(place == number), COMBINE, days)
            for one, other in zip(together.of(number), alone, strict=True):
                for a, b in zip((one.estimate, one.low, one.design_effect), (other.estimate, other.low,
                                other.design_effect), strict=True):  # fmt: skip
                    assert a == b or (a is not None and b is not None and abs(a - b) < 1e-12)


def test_variance_is_that_of_linearised_totals_between_days() -> None:
    """Woodruff's formula by loops."""
    answers, _ = province(4, "none")
    valid, satisfied, design = answers.valid[:, 2], answers.satisfied[:, 2], answers.design
    share = satisfied.sum() / valid.sum()
    variance = 0.0
    for agency in range(AGENCIES):
        rows = design.stratum == agency
        days = np.unique(design.cluster[rows])
        totals = np.array(
            [(satisfied - share * valid)[rows & (design.cluster == day)].sum() / valid.sum() for day in days]
        )
        variance += len(days) / (len(days) - 1) * ((totals - totals.mean()) ** 2).sum()
    residuals = (satisfied - share * valid)[:, None] / valid.sum()
    assert float(design.variance(residuals)[0][0]) == pytest.approx(variance, rel=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_effects_of_channels_are_those_of_the_whole_regression(seed: int) -> None:
    """A column for every agency and channel, and the sandwich over it: the formula before agencies were absorbed."""
    answers, channel = province(seed, "none")
    found = mode_effects(answers, channel)
    assert found is not None
    names, number = np.unique(channel, return_inverse=True)
    agency, cluster = answers.design.stratum, np.unique(answers.design.clusters, return_inverse=True)[1]
    for j in range(4):
        weight, outcome = answers.valid[:, j], answers.satisfied[:, j]
        design = np.concatenate(
            [agency[:, None] == np.unique(agency[weight > 0]), number[:, None] == np.arange(1, len(names))], axis=1
        ).astype(np.float64)
        inverse = np.linalg.inv(design.T @ (design * weight[:, None]))
        beta = inverse @ (design.T @ outcome)
        scores = np.zeros((cluster.max() + 1, len(beta)))
        np.add.at(scores, cluster, design * (outcome - weight * (design @ beta))[:, None])
        mix = np.array([weight[number == c].sum() for c in range(len(names))])
        contrast = np.zeros((len(names), len(beta)))
        contrast[1:, -(len(names) - 1) :] = np.eye(len(names) - 1)
        contrast -= (mix / mix.sum()) @ contrast
        error = np.sqrt(np.diag(contrast @ inverse @ scores.T @ scores @ inverse @ contrast.T))
        np.testing.assert_allclose(found.effects[:, j], contrast @ beta, atol=1e-12)
        np.testing.assert_allclose(found.errors[:, j], error, atol=1e-12)
    place = answers.design.stratum
    moved = found.adjustments(channel, answers.valid, place, AGENCIES)
    for number_of in (1, 7):
        rows = place == number_of
        mix_of = np.stack([answers.valid[rows & (channel == name)].sum(axis=0) for name in found.channels])
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(moved[number_of], -(mix_of / mix_of.sum(axis=0) * found.effects).sum(axis=0))


def test_channels_that_no_agency_links_are_not_compared() -> None:
    answers, _ = province(5, "none")
    apart = np.where(answers.design.stratum < 6, "a", "b")
    found = mode_effects(answers, apart)
    assert found is not None
    assert not found.usable.any()


def _all_pairs(theta: FloatArray, error: FloatArray, draws: int) -> tuple[list[int], list[int]]:
    """Rank sets from a table of all pairs, as they were computed before."""
    p = len(theta)
    scale = np.sqrt(error[:, None] ** 2 + error**2)
    statistic = (theta[:, None] - theta) / scale
    noise = np.random.default_rng(0).standard_normal((draws, p)) * error
    still_open, above = ~np.eye(p, dtype=bool), np.zeros((p, p), dtype=bool)
    while True:
        every = np.where(still_open, (noise[:, :, None] - noise[:, None, :]) / scale, -np.inf)
        decided = still_open & (statistic > np.quantile(every.max(axis=(1, 2)), 0.95))
        if not decided.any():
            return (1 + above.sum(axis=0)).tolist(), (p - above.sum(axis=1)).tolist()
        above |= decided
        still_open &= ~decided


@pytest.mark.parametrize("p", [2, 3, 25, 60])
@pytest.mark.parametrize("spread", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("uneven", [False, True], ids=["errors alike", "errors of all sizes"])
def test_rank_sets_without_a_table_of_pairs_are_the_same(p: int, spread: float, uneven: bool) -> None:
    rng = np.random.default_rng(p)
    theta = 0.85 + spread * rng.normal(size=p)
    error = np.exp(rng.normal(-4, 1.2, p)) if uneven else rng.uniform(0.01, 0.06, p)
    sets = rank_sets(theta, error, [str(i) for i in range(p)], draws=300)
    assert ([s.best for s in sets], [s.worst for s in sets]) == _all_pairs(theta, error, 300)


def test_fay_herriot_scores_zero_with_the_full_projection() -> None:
    """At the estimate the REML score, written with the m x m projection, vanishes."""
    rng = np.random.default_rng(6)
    x = np.stack([np.ones(60), rng.normal(size=60)], axis=1)
    psi = rng.uniform(0.001, 0.02, 60)
    y = x @ [0.8, 0.05] + rng.normal(0, 0.07, 60) + rng.normal(0, np.sqrt(psi))
    fit = fay_herriot(y, psi, x)
    weight = 1 / (fit.model_variance + psi)
    projection = np.diag(weight) - (weight[:, None] * x) @ np.linalg.solve((x * weight[:, None]).T @ x, x.T * weight)
    assert fit.model_variance > 0
    assert abs(float(y @ projection @ projection @ y) - np.trace(projection)) < 1e-6 * np.trace(projection)


def test_the_benchmark_of_scale_names_every_estimator() -> None:
    said: list[str] = []
    rows = statistics_scale.measure((11, 30), at_least=0.001, say=said.append)
    assert len(rows) == len(said) / 2 >= 20
    assert all(row["seconds"][30] > 0 and row["mib"][30] > 0 for row in rows)
    assert "rank sets" in statistics_scale.as_table(rows)


def _dense_sums(n: FloatArray, k: FloatArray, decay: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(observed, apart, shared) [lags + 2] of one figure from tables of strata and days, written out product by product
    over all pairs of days: what `_Moments` computes over the days that have answers."""
    observed, apart, shared = (np.zeros(LAGS + 2) for _ in range(3))
    days = n.shape[1]
    lag = np.abs(np.subtract.outer(np.arange(days), np.arange(days)))
    for asked, good in zip(n, k, strict=True):
        total = asked.sum()
        share = good.sum() / max(total, 1.0)
        spread = share * (1 - share) * total / max(total - 1.0, 1.0)
        if spread <= 0 or (asked > 0).sum() < 2:
            continue
        residual = (good - share * asked) / np.sqrt(spread)
        # what is left of the answers of a day when the mean over all days is taken off
        left = np.eye(days) - np.outer(asked / total, np.ones(days))
        of_apart = left @ np.diag(asked) @ left.T
        of_shared = left @ (np.outer(asked, asked) * decay**lag) @ left.T
        for s, t in itertools.product(range(days), range(days)):
            if 0 <= t - s <= LAGS:
                observed[t - s] += residual[s] * residual[t]
                apart[t - s] += of_apart[s, t]
                shared[t - s] += of_shared[s, t]
        for day in np.flatnonzero(asked):
            observed[-1] += residual[day] ** 2 / asked[day]
            apart[-1] += of_apart[day, day] / asked[day]
            shared[-1] += of_shared[day, day] / asked[day]
    return observed, apart, shared


@pytest.mark.parametrize("seed", range(3))
def test_moments_of_days_are_those_of_the_whole_tables(seed: int) -> None:
    rng = np.random.default_rng(seed)
    strata, days, figures = 7, 15, 3
    n = rng.integers(0, 4, (strata, days, figures)) * (rng.random((strata, days, 1)) < 0.6)
    k = rng.binomial(n, 0.7)
    n[0, 1:] = 0  # one day only
    k[1] = n[1]  # all satisfied
    stratum, day = (place.ravel() for place in np.indices((strata, days)))
    rows = n.reshape(-1, figures).sum(axis=1) > 0
    nested = Nested.of(Design(day[rows], stratum[rows]), np.zeros(int(rows.sum()), dtype=np.int64), 1)
    clusters = _Clusters.of(nested)
    valid, good = (clusters.totals(x.reshape(-1, figures)[rows].astype(np.float64)) for x in (n, k))
    moments = _Moments.of(valid, good, clusters)
    for decay, shared in zip(DECAYS, moments.shared(), strict=True):
        for j in range(figures):
            wanted = _dense_sums(n[..., j].astype(np.float64), k[..., j].astype(np.float64), decay)
            for found, expected in zip((moments.observed, moments.apart, shared), wanted, strict=True):
                np.testing.assert_allclose(found[:, j], expected, atol=1e-9)


def test_scoring_starts_without_the_packages_that_take_longest_to_import() -> None:
    """scipy.stats is a third of what `hailong server score` imports, and nothing that it always runs needs it."""
    code = "import sys; import server.scores.fused, server.scores.index; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"scipy.stats", "ibis", "altair", "openpyxl", "pyarrow"} & set(done.stdout.split())
