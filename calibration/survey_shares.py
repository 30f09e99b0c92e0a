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
from calibration.design import Design, first_stage_variance, sums_by
from calibration.design_effect import DesignEffect
from calibration.intervals import t_quantile, wilson

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Share:
    """A share in [0, 1] with its 95 % interval; None where there is no valid answer. `design_effect` > 0, at least 1 of
    an unweighted one; `degrees` of freedom behind it, at least 1."""

    estimate: float | None
    low: float | None
    high: float | None
    design_effect: float | None
    degrees: float | None = None


NO_SHARE = Share(None, None, None, None)


def _share(estimate: float, valid: float, effect: DesignEffect) -> Share:
    """The share with its interval."""
    low, high = wilson(estimate, valid / effect.value, t_quantile(effect.degrees))
    return Share(float(estimate), float(low), float(high), float(effect.value), float(effect.degrees))


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
    question takes no part in it: its weight goes to the others (post-stratification; Holt, Smith 1979). What is sought
    is the share of the frame's transactions: those asked are no chance any more (finite population correction), and
    cells that a plan drew stand for size / chance, the draw's variance added (two-stage; Cochran 1977, ch. 11)."""
    if answers.design.weight is None:
        valid, satisfied = answers.valid.sum(axis=0), answers.satisfied.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(valid > 0, satisfied / valid, np.nan)
            scale = np.where(valid > 0, 1.0 / valid, 0.0)
        residuals = scale * (answers.satisfied - np.nan_to_num(share) * answers.valid)
        return _combined(share, residuals, np.broadcast_to(scale, answers.valid.shape), answers, combine, days)
    weights = answers.design.weight
    valid, row_cell = sums_by(answers.valid, weights.cell)
    satisfied, _ = sums_by(answers.satisfied, weights.cell)
    cells = np.unique(weights.cell)
    weight = weights.standing_for()[cells][:, None] * (valid > 0)
    total = weight.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(total > 0, weight / total, 0.0)
        cell_share = np.where(valid > 0, satisfied / valid, 0.0)
        share = np.where(total > 0, (weight * cell_share).sum(axis=0), np.nan)
        scale = np.where(valid > 0, weight / valid, 0.0)
    residuals = scale[row_cell] * (answers.satisfied - cell_share[row_cell] * answers.valid)
    # what is left to chance within the cells: the transactions not asked, and cells that another draw would leave out
    asked = sums_by(answers.sheets[:, None], weights.cell)[0][:, 0] / np.maximum(weights.size[cells], 1e-12)
    chance = np.where(weights.chance[cells] > 0, weights.chance[cells], 1.0)
    left = np.where(asked <= 1.0, 1.0 - asked, 1.0) * chance
    noise = np.square(scale) * valid
    with np.errstate(divide="ignore", invalid="ignore"):
        left_share = np.where(total > 0, (left[:, None] * noise).sum(axis=0) / noise.sum(axis=0), 1.0)
    units, place = np.unique(weights.unit[cells], return_inverse=True)
    unit_totals = np.zeros((len(units), valid.shape[1]))
    np.add.at(unit_totals, place, weight * (cell_share - np.nan_to_num(share)))
    # groups of one agency were drawn with it: the likeliest has about the agency's chance
    unit_chance, unit_stratum = np.zeros(len(units)), np.zeros(len(units), dtype=np.int64)
    np.maximum.at(unit_chance, place, weights.chance[cells])
    unit_chance[unit_chance <= 0] = 1.0
    unit_stratum[place] = weights.unit_stratum[cells]
    draw = _Draw(left_share, unit_totals, unit_chance, unit_stratum)
    return _combined(share, residuals, scale[row_cell], answers, combine, days, draw)


@dataclass(frozen=True, slots=True)
class _Draw:
    """The stages before the answers: share [k] of the answers' variance that stays, and the units' weighted deviations
    [units, k] with their chance and stratum [units]."""

    left: FloatArray
    totals: FloatArray
    chance: FloatArray
    stratum: NDArray[np.int64]


def _combined(
    share: FloatArray,
    residuals: FloatArray,
    scale: FloatArray,
    answers: Answers,
    combine: FloatArray,
    days: DayCorrelation,
    draw: _Draw | None = None,
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
    if draw is not None:
        between, freedom = first_stage_variance(draw.totals @ used, draw.chance, draw.stratum)
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.where((simple > 0) & (len(draw.chance) > 1), between / simple, 0.0)
        second = effect.value * draw.left
        # Satterthwaite: degrees of freedom of a sum of two variances
        degrees_of_both = (first + second) ** 2 / np.maximum(
            first**2 / max(freedom, 1.0) + second**2 / effect.degrees, 1e-12
        )
        effect = replace(effect, value=np.maximum(first + second, 1e-3), degrees=degrees_of_both)
    return [
        _share(float(estimates[j]), float(valid[j]), effect.at(j)) if total[j] > 0 else NO_SHARE
        for j in range(combine.shape[1])
    ]
