"""Shares of satisfied answers with intervals that know how the answers hang together.

Every figure is a ratio: satisfied answers over valid answers. Answers of one sheet, and sheets of one agency and day,
resemble each other, whatever the counter, so days are taken as clusters: the variance is that of the linearised ratio
between clusters, within agencies (Woodruff 1971; Cochran 1977, ch. 6 and 11; "ultimate clusters", Kalton 1979). Its
quotient by the variance of as many independent answers is the design effect (Kish 1965); the interval is Wilson's at
the effective number of answers, with Student's quantile (Franco et al. 2019).

A variance seen in a few clusters is itself uncertain, none can be seen where all answer alike, and days that hang
together in runs hide part of it. So the design effect of a place is drawn towards what the days of the whole province
let expect (`calibration.days`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.days import DayCorrelation, day_correlation, expected_effect, place_effect
from calibration.design import Design, sums_by
from calibration.design_effect import DesignEffect
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


def _share(estimate: float, valid: float, effect: DesignEffect) -> Share:
    """The share with its interval."""
    low, high = wilson(estimate, valid / effect.value, t_quantile(effect.degrees))
    return Share(float(estimate), float(low), float(high), float(effect.value))


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


def days_of(answers: Answers) -> DayCorrelation:
    """How the answers of all strata hang together by sheet and day."""
    one_answer = answers.valid.sum(axis=0) <= answers.sheets.sum()
    return day_correlation(answers.satisfied, answers.valid, answers.design, one_answer)


def shares(answers: Answers, combine: FloatArray, days: DayCorrelation) -> list[Share]:
    """Shares of `combine` [k, k]: figure j is the mean of base figures weighted by column j (a base figure itself: a
    one). `days`: `days_of` the whole province.

    Without weights each answer counts the same: the SIPAS index, reproducible from the exported sheets by hand. With
    them a figure is the mean of the cells' shares by the cells' transactions; a cell without a valid answer to a
    question takes no part in it: its weight goes to the others (post-stratification; Holt, Smith 1979). Unequal weights
    raise the design effect by Kish's factor."""
    if answers.design.weight is None:
        valid, satisfied = answers.valid.sum(axis=0), answers.satisfied.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(valid > 0, satisfied / valid, np.nan)
            scale = np.where(valid > 0, 1.0 / valid, 0.0)
        residuals = scale * (answers.satisfied - np.nan_to_num(share) * answers.valid)
        return _combined(share, residuals, np.broadcast_to(scale, answers.valid.shape), answers, combine, days)
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
    return _combined(share, residuals, scale[row_cell], answers, combine, days)


def _combined(
    share: FloatArray,
    residuals: FloatArray,
    scale: FloatArray,
    answers: Answers,
    combine: FloatArray,
    days: DayCorrelation,
) -> list[Share]:
    used = combine * ~np.isnan(share)[:, None]
    total = used.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        used = np.where(total > 0, used / total, 0.0)
    estimates = np.nan_to_num(share) @ used
    variance, degrees = answers.design.variance(residuals @ used)
    valid = answers.valid.sum(axis=0) @ (combine > 0)
    simple = estimates * (1 - estimates) / np.maximum(valid, 1e-12)
    expected, without_runs = (
        expected_effect(answers.valid, scale, answers.design, model) for model in (days, days.without_runs())
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(simple > 0, variance / simple, 1.0)
    # where all answer alike no variance can be seen: the place's own days say nothing
    free = np.where(simple > 0, float(degrees), 0.0)
    effect = place_effect(own, expected, without_runs, free, days.degrees)
    return [
        _share(float(estimates[j]), float(valid[j]), effect.at(j)) if total[j] > 0 else NO_SHARE
        for j in range(combine.shape[1])
    ]
