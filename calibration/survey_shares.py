"""Shares of satisfied answers with intervals that know how the answers hang together.

Every figure is a ratio: satisfied answers over valid answers. Answers of one sheet, and sheets of one agency, counter
and day, resemble each other, so days are taken as clusters: the variance is that of the linearised ratio between
clusters, within agencies (Woodruff 1971; Cochran 1977, ch. 6 and 11; "ultimate clusters", Kalton 1979). Its quotient by
the variance of as many independent answers is the design effect (Kish 1965); the interval is Wilson's at the effective
number of answers, with Student's quantile at (clusters - agencies) degrees of freedom (Franco et al. 2019).

A variance seen in a few clusters is itself uncertain, and none can be seen where all answer alike. So the design effect
of a place is drawn towards 1 + (b - 1) rho, with b its answers in a cluster and rho the intraclass correlation within
the province's agencies (Kish 1965, ch. 5), with weight 30 / (30 + degrees of freedom).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.design import Design, sums_by
from calibration.intervals import t_quantile, wilson

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Share:
    """A share in [0, 1] with its 95 % interval; None where there is no valid answer. `design_effect` >= 1."""

    estimate: float | None
    low: float | None
    high: float | None
    design_effect: float | None


NO_SHARE = Share(None, None, None, None)


_PRIOR_DEGREES = 30
"""Degrees of freedom at which a place's own design effect and the province's count the same."""


def _share(estimate: float, variance: float, valid: float, expected: float, degrees: int) -> Share:
    """The share with its interval. `expected`: the design effect that the province's correlation lets expect."""
    simple = estimate * (1 - estimate) / valid
    own = max(0, degrees) / (max(0, degrees) + _PRIOR_DEGREES) if simple > 0 else 0.0
    effect = max(1.0, (1 - own) * expected + (own * variance / simple if own else 0.0))
    quantile = t_quantile(degrees) if degrees > 0 else None
    low, high = wilson(estimate, valid / effect, quantile)
    return Share(float(estimate), float(low), float(high), float(effect))


@dataclass(frozen=True, slots=True)
class Answers:
    """Satisfied and valid answers for k figures over rows of sheets, and the design that they came by.

    `satisfied`, `valid`: float64 [rows, k]. `sheets`: float64 [rows]."""

    satisfied: FloatArray
    valid: FloatArray
    sheets: FloatArray
    design: Design

    def take(self, rows: NDArray[np.bool_]) -> Answers:
        """The chosen rows (bool [rows])."""
        return Answers(self.satisfied[rows], self.valid[rows], self.sheets[rows], self.design.take(rows))

    def unweighted(self) -> Answers:
        """The same answers, each counting the same."""
        return replace(self, design=replace(self.design, weight=None))


def _answers_a_cluster(answers: Answers) -> FloatArray:
    """[k] answers that an answer finds in its own cluster, itself included: sum of squares over sum; at least 1."""
    sizes, _ = sums_by(answers.valid, answers.design.cluster)
    return np.asarray(np.maximum(1.0, np.square(sizes).sum(axis=0) / np.maximum(sizes.sum(axis=0), 1e-12)))


def intraclass(answers: Answers) -> FloatArray:
    """[k] correlation of answers within a cluster, within strata, in [0, 1]; 1 where it cannot be seen."""
    valid, place = sums_by(answers.valid, answers.design.stratum)
    satisfied, _ = sums_by(answers.satisfied, answers.design.stratum)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(valid > 0, satisfied / valid, 0.0)
    variance, degrees = answers.design.variance(answers.satisfied - share[place] * answers.valid)
    simple = (share * (1 - share) * valid).sum(axis=0)
    size = _answers_a_cluster(answers)
    seen = (simple > 0) & (size > 1.0) & (degrees > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = (variance / simple - 1.0) / (size - 1.0)
    return np.asarray(np.where(seen, np.clip(rho, 0.0, 1.0), 1.0))


def shares(answers: Answers, combine: FloatArray, rho: FloatArray) -> list[Share]:
    """Shares of `combine` [k, k]: figure j is the mean of base figures weighted by column j (a base figure itself: a
    one). `rho` [k]: `intraclass` of the whole province.

    Without weights each answer counts the same: the SIPAS index, reproducible from the exported sheets by hand. With
    them a figure is the mean of the cells' shares by the cells' transactions; a cell without a valid answer to a
    question takes no part in it: its weight goes to the others (post-stratification; Holt, Smith 1979). Unequal weights
    raise the design effect by Kish's factor."""
    if answers.design.weight is None:
        valid, satisfied = answers.valid.sum(axis=0), answers.satisfied.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(valid > 0, satisfied / valid, np.nan)
            residuals = np.where(valid > 0, (answers.satisfied - share * answers.valid) / valid, 0.0)
        return _combined(share, residuals, answers, combine, rho, np.ones(len(rho)))
    valid, row_cell = sums_by(answers.valid, answers.design.weight.cell)
    satisfied, _ = sums_by(answers.satisfied, answers.design.weight.cell)
    weight = answers.design.weight.size[np.unique(answers.design.weight.cell)][:, None] * (valid > 0)
    total = weight.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(total > 0, weight / total, 0.0)
        cell_share = np.where(valid > 0, satisfied / valid, 0.0)
        share = np.where(total > 0, (weight * cell_share).sum(axis=0), np.nan)
        scale = np.where(valid > 0, weight / valid, 0.0)
    residuals = scale[row_cell] * (answers.satisfied - cell_share[row_cell] * answers.valid)
    kish = np.maximum(1.0, valid.sum(axis=0) * (np.square(scale) * valid).sum(axis=0))
    return _combined(share, residuals, answers, combine, rho, kish)


def _combined(
    share: FloatArray, residuals: FloatArray, answers: Answers, combine: FloatArray, rho: FloatArray, kish: FloatArray
) -> list[Share]:
    used = combine * ~np.isnan(share)[:, None]
    total = used.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        used = np.where(total > 0, used / total, 0.0)
    estimates = np.nan_to_num(share) @ used
    variance, degrees = answers.design.variance(residuals @ used)
    valid = answers.valid.sum(axis=0) @ (combine > 0)
    expected = (1.0 + (_answers_a_cluster(answers) - 1.0) * rho) * kish
    return [
        _share(float(estimates[j]), float(variance[j]), float(valid[j]), float(expected[j]), degrees)
        if total[j] > 0
        else NO_SHARE
        for j in range(combine.shape[1])
    ]
