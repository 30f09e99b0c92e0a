"""Fay-Herriot against a published example, closed forms, and simulated mean squared errors."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.reasons import Reason, Why
from calibration.small_areas import fay_herriot, pooled_variances, small_area_estimates
from pipeline.errors import StatisticsError

# Fresh milk expenditure of 43 areas (direct estimate, its standard deviation, major area): Arora and Lahiri 1997,
# Statistica Sinica 7; You and Chapman 2006, Survey Methodology 32.
MILK = """
1.099 .163 1|1.075 .080 1|1.105 .083 1|.628 .109 1|.753 .119 1|.981 .141 1|1.257 .202 1|1.095 .127 2|1.405 .168 2
1.356 .178 2|.615 .100 2|1.460 .201 2|1.338 .148 2|.854 .143 2|1.176 .149 3|1.111 .145 3|1.257 .135 3|1.430 .172 3
1.278 .137 3|1.292 .163 3|1.002 .125 3|1.183 .247 3|1.044 .140 3|1.267 .171 3|1.193 .106 3|.791 .121 4|.795 .121 4
.759 .259 4|.796 .106 4|.565 .089 4|.886 .225 4|.952 .205 4|.807 .119 4|.582 .067 4|.684 .106 4|.787 .126 4
.440 .092 4|.759 .132 4|.770 .100 4|.800 .113 4|.756 .083 4|.865 .121 4|.640 .129 4
"""
# Published fit of that model by REML (R packages sae and saens: eblupFH(yi ~ as.factor(MajorArea), SD^2)).
COEFFICIENTS = (0.9681890, 0.1327801, 0.2269462, -0.2413011)
ERRORS = (0.069362, 0.103001, 0.092330, 0.081617)
LOG_LIKELIHOOD = 12.67748


def milk() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.array([[float(x) for x in item.split()] for item in MILK.replace("\n", "|").split("|") if item.strip()])
    design = np.stack([np.ones(len(rows)), *(rows[:, 2] == area for area in (2, 3, 4))], axis=1).astype(float)
    return rows[:, 0], rows[:, 1] ** 2, design


def test_the_published_milk_example() -> None:
    y, psi, x = milk()
    assert len(y) == 43
    fit = fay_herriot(y, psi, x)
    assert fit.coefficients == pytest.approx(COEFFICIENTS, abs=2e-6)
    assert fit.coefficient_errors == pytest.approx(ERRORS, abs=2e-6)
    assert fit.log_likelihood == pytest.approx(LOG_LIKELIHOOD, abs=2e-5)
    assert (fit.mse < psi).all()
    assert "43 areas" in fit.summary()


def test_reml_is_a_maximum_of_the_restricted_likelihood() -> None:
    y, psi, x = milk()

    def restricted(s2: float) -> float:
        v = s2 + psi
        w = x / v[:, None]
        gram = w.T @ x
        residual = y - x @ np.linalg.solve(gram, w.T @ y)
        return -0.5 * float(np.log(v).sum() + np.linalg.slogdet(gram)[1] + (residual**2 / v).sum())

    best = fay_herriot(y, psi, x).model_variance
    assert restricted(best) >= max(restricted(best * 0.99), restricted(best * 1.01))


def test_the_formula_by_hand() -> None:
    y, psi, x = milk()
    fit = fay_herriot(y, psi, x)
    g = fit.model_variance / (fit.model_variance + psi)
    assert fit.estimate == pytest.approx(g * y + (1 - g) * (x @ fit.coefficients))


def test_no_difference_between_areas_gives_the_common_mean() -> None:
    fit = fay_herriot(np.full(10, 0.8), np.full(10, 0.01))
    assert fit.model_variance == 0.0
    assert fit.estimate == pytest.approx(0.8)
    assert (fit.mse > 0).all()


@pytest.mark.slow
def test_the_mse_is_the_mean_squared_error() -> None:
    rng = np.random.default_rng(1)
    psi = np.linspace(0.0005, 0.006, 30)
    errors, claimed, direct, inside = [], [], [], []
    for _ in range(600):
        theta = 0.82 + rng.normal(0, 0.045, 30)
        y = theta + rng.normal(0, np.sqrt(psi))
        fit = fay_herriot(y, psi)
        errors.append((fit.estimate - theta) ** 2)
        claimed.append(fit.mse)
        direct.append((y - theta) ** 2)
        low, high = fit.interval()
        inside.append((low <= theta) & (theta <= high))
    assert np.mean(claimed) == pytest.approx(np.mean(errors), rel=0.05)
    assert np.mean(errors) < 0.65 * np.mean(direct)
    assert np.mean(inside) >= 0.93


def test_an_area_where_everyone_is_satisfied_keeps_a_variance() -> None:
    share, variance = pooled_variances([10, 8, 9, 160], [10, 10, 12, 200])
    assert share[0] == 1.0
    assert variance[0] > 0.005
    estimates = small_area_estimates([10, 8, 9, 160, 12, 20], [10, 10, 12, 200, 15, 22], list("abcdef"))
    assert estimates[0].estimate is not None
    assert estimates[0].estimate < 1.0
    assert estimates[0].interval.low < estimates[0].estimate


def test_few_areas_lend_nothing() -> None:
    estimates = small_area_estimates([10, 8], [10, 10], ["a", "b"])
    assert [e.estimate for e in estimates] == [1.0, 0.8]
    assert estimates[0].reasons == (Reason(Why.FEW_AREAS),)


@pytest.mark.parametrize(
    ("y", "psi", "x", "message"),
    [
        ([0.8, 0.9], [0.01], None, "one row"),
        ([0.8, np.nan, 0.7], [0.01] * 3, None, "missing"),
        ([0.8, 0.9, 0.7], [0.01, 0.0, 0.01], None, "zero or negative"),
        ([0.8], [0.01], None, "cannot carry"),
        ([0.8, 0.9, 0.7], [0.01] * 3, [[1, 2], [1, 2], [1, 2]], "dependent"),
    ],
)
def test_bad_input_is_refused(y: list[float], psi: list[float], x: list[list[float]] | None, message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        fay_herriot(y, psi, x)


@pytest.mark.parametrize(("k", "n"), [([1], [0]), ([3], [2]), ([-1], [2])])
def test_impossible_counts_are_refused(k: list[int], n: list[int]) -> None:
    with pytest.raises(StatisticsError, match="Every area"):
        pooled_variances(k, n)
