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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.intervals import t_quantile, wilson

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


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


def clustered_variance(residuals: FloatArray, cluster: IntArray, stratum: IntArray) -> tuple[FloatArray, int]:
    """Variance of sums of `residuals` [rows, k] from the spread of cluster totals within strata, and the degrees of
    freedom (clusters - strata). `cluster`, `stratum`: int [rows]; a cluster lies in one stratum.

    A stratum with one cluster adds its squared total (an upper estimate: it is not centred)."""
    clusters, row_cluster = np.unique(cluster, return_inverse=True)
    totals = np.zeros((len(clusters), residuals.shape[1]))
    np.add.at(totals, row_cluster, residuals)
    stratum_of = np.zeros(len(clusters), dtype=np.int64)
    stratum_of[row_cluster] = stratum
    strata, place = np.unique(stratum_of, return_inverse=True)
    sizes = np.bincount(place).astype(np.float64)
    means = np.zeros((len(strata), residuals.shape[1]))
    np.add.at(means, place, totals)
    means /= sizes[:, None]
    means[sizes == 1] = 0.0
    factor = np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 1.0)
    variance = (factor[place][:, None] * np.square(totals - means[place])).sum(axis=0)
    return variance, len(clusters) - len(strata)


@dataclass(frozen=True, slots=True)
class Answers:
    """Satisfied and valid answers for k figures over rows of sheets.

    `satisfied`, `valid`: float64 [rows, k]. `sheets`: float64 [rows]. `cluster`, `stratum`: int64 [rows]."""

    satisfied: FloatArray
    valid: FloatArray
    sheets: FloatArray
    cluster: IntArray
    stratum: IntArray

    def take(self, rows: NDArray[np.bool_]) -> Answers:
        """The chosen rows (bool [rows])."""
        return Answers(
            self.satisfied[rows], self.valid[rows], self.sheets[rows], self.cluster[rows], self.stratum[rows]
        )


def _totals(values: FloatArray, group: IntArray) -> tuple[FloatArray, IntArray]:
    """Sums of `values` [rows, k] by `group` [rows]: [groups, k], and each row's place among the groups."""
    groups, place = np.unique(group, return_inverse=True)
    sums = np.zeros((len(groups), values.shape[1]))
    np.add.at(sums, place, values)
    return sums, place


def _answers_a_cluster(answers: Answers) -> FloatArray:
    """[k] answers that an answer finds in its own cluster, itself included: sum of squares over sum; at least 1."""
    sizes, _ = _totals(answers.valid, answers.cluster)
    return np.asarray(np.maximum(1.0, np.square(sizes).sum(axis=0) / np.maximum(sizes.sum(axis=0), 1e-12)))


def intraclass(answers: Answers) -> FloatArray:
    """[k] correlation of answers within a cluster, within strata, in [0, 1]; 1 where it cannot be seen."""
    valid, place = _totals(answers.valid, answers.stratum)
    satisfied, _ = _totals(answers.satisfied, answers.stratum)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(valid > 0, satisfied / valid, 0.0)
    variance, degrees = clustered_variance(
        answers.satisfied - share[place] * answers.valid, answers.cluster, answers.stratum
    )
    simple = (share * (1 - share) * valid).sum(axis=0)
    size = _answers_a_cluster(answers)
    seen = (simple > 0) & (size > 1.0) & (degrees > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = (variance / simple - 1.0) / (size - 1.0)
    return np.asarray(np.where(seen, np.clip(rho, 0.0, 1.0), 1.0))


def plain_shares(answers: Answers, combine: FloatArray, rho: FloatArray) -> list[Share]:
    """Shares of `combine` [k, k]: figure j is the mean of base figures weighted by column j (a base figure itself: a
    one). Each answer counts the same: this is the official figure, reproducible from the exported sheets by hand.

    `rho` [k]: `intraclass` of the whole province."""
    valid, satisfied = answers.valid.sum(axis=0), answers.satisfied.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(valid > 0, satisfied / valid, np.nan)
        residuals = np.where(valid > 0, (answers.satisfied - share * answers.valid) / valid, 0.0)
    return _combined(share, residuals, answers, combine, rho, np.ones(len(rho)))


def weighted_shares(
    answers: Answers, combine: FloatArray, rho: FloatArray, cell: IntArray, size: dict[int, float]
) -> list[Share]:
    """Shares weighted to the sampling frame: the mean of the cells' shares by the cells' transactions.

    `cell`: int64 [rows], `size`: transactions of a cell. A cell without a valid answer to a question takes no part in
    that question: its weight goes to the others (post-stratification; Holt, Smith 1979). Unequal weights raise the
    design effect by Kish's factor."""
    valid, row_cell = _totals(answers.valid, cell)
    satisfied, _ = _totals(answers.satisfied, cell)
    weight = np.array([size.get(int(c), 0.0) for c in np.unique(cell)])[:, None] * (valid > 0)
    total = weight.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(total > 0, weight / total, 0.0)
        shares = np.where(valid > 0, satisfied / valid, 0.0)
        share = np.where(total > 0, (weight * shares).sum(axis=0), np.nan)
        scale = np.where(valid > 0, weight / valid, 0.0)
    residuals = scale[row_cell] * (answers.satisfied - shares[row_cell] * answers.valid)
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
    variance, degrees = clustered_variance(residuals @ used, answers.cluster, answers.stratum)
    valid = answers.valid.sum(axis=0) @ (combine > 0)
    expected = (1.0 + (_answers_a_cluster(answers) - 1.0) * rho) * kish
    return [
        _share(float(estimates[j]), float(variance[j]), float(valid[j]), float(expected[j]), degrees)
        if total[j] > 0
        else NO_SHARE
        for j in range(combine.shape[1])
    ]
