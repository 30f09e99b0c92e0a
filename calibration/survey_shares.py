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

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.days import DayCorrelation, day_correlation, expected_effects, place_effect
from calibration.design import Design, Nested, distinct, first_stage_variance, sum_rows
from calibration.intervals import t_quantile, wilson
from calibration.raking import Raked
from calibration.sequences import share_sequence, sure

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


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


@dataclass(frozen=True, slots=True)
class ShareArrays:
    """float64 [places, k] each, NaN where there is no valid answer (`Share`). `n_eff`: effective answers.
    `standing_for` [places]: transactions that the weighting cells with an answer stand for; 0 without weights."""

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    design_effect: FloatArray
    degrees: FloatArray
    n_eff: FloatArray
    standing_for: FloatArray

    def of(self, place: int) -> list[Share]:
        """The shares of one place."""
        columns = (a[place].tolist() for a in (self.estimate, self.low, self.high, self.design_effect, self.degrees))
        return [NO_SHARE if math.isnan(row[0]) else Share(*row) for row in zip(*columns, strict=True)]

    def watched(self) -> ShareArrays:
        """The same with intervals that hold however often they are looked at (`calibration.sequences`)."""
        known = ~np.isnan(self.estimate)
        low, high = share_sequence(np.nan_to_num(self.estimate), np.where(known, sure(self.n_eff, self.degrees), 0.0))
        return replace(self, low=np.where(known, low, np.nan), high=np.where(known, high, np.nan))


def shares(answers: Answers, combine: FloatArray, days: DayCorrelation, *, watched: bool = False) -> list[Share]:
    """The shares of all rows as one place (`place_shares`)."""
    whole = np.zeros(len(answers.sheets), dtype=np.int64)
    return place_shares(answers, whole, 1, combine, days, watched=watched).of(0)


def place_shares(
    answers: Answers,
    place: IntArray,
    places: int,
    combine: FloatArray,
    days: DayCorrelation,
    *,
    watched: bool = False,
) -> ShareArrays:
    """Shares of every place, each row belonging to one (`place` [rows] below `places`), of `combine` [k, k]: figure j
    is the mean of base figures weighted by column j (a base figure itself: a one). `days`: `days_of` the whole
    province. Time and memory grow with rows and places, not with their product. `watched`: the period is not over, and
    its figures are looked at day by day; days may then hang together as much as the answers leave open.

    Without weights each answer counts the same: the SIPAS index, reproducible from the exported sheets by hand. With
    them a figure is the mean of the cells' shares by the cells' transactions; a cell without a valid answer to a
    question takes no part in it: its weight goes to the others (post-stratification; Holt, Smith 1979). What is sought
    is the share of the frame's transactions: those asked are no chance any more (finite population correction), and
    cells that a plan drew stand for size / chance, the draw's variance added (two-stage; Cochran 1977, ch. 11)."""
    if watched:
        return place_shares(answers, place, places, combine, days.at_most()).watched()
    if answers.design.weight is None:
        valid, satisfied = (sum_rows(one, place, places) for one in (answers.valid, answers.satisfied))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(valid > 0, satisfied / valid, np.nan)
            scale = np.where(valid > 0, 1.0 / valid, 0.0)
        each = scale[place]
        residuals = _residuals(answers, np.nan_to_num(share)[place], each)
        return _combined(share, residuals, each, answers, place, combine, days, np.zeros(places))
    weights = answers.design.weight
    keys, row_cell = np.unique(place * len(weights.size) + weights.cell, return_inverse=True)
    cells, cell_place = keys % len(weights.size), keys // len(weights.size)
    valid, satisfied = (sum_rows(one, row_cell, len(cells)) for one in (answers.valid, answers.satisfied))
    standing_for = weights.standing_in(cells, cell_place, places)
    weight = standing_for[:, None] * (valid > 0)
    total = sum_rows(weight, cell_place, places)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(total[cell_place] > 0, weight / total[cell_place], 0.0)
        cell_share = np.where(valid > 0, satisfied / valid, 0.0)
        share = np.where(total > 0, sum_rows(weight * cell_share, cell_place, places), np.nan)
        scale = np.where(valid > 0, weight / valid, 0.0)
    each = scale[row_cell]
    residuals = _residuals(answers, cell_share[row_cell], each)
    # what is left to chance within the cells: the transactions not asked, and cells that another draw would leave out
    asked = sum_rows(answers.sheets[:, None], row_cell, len(cells))[:, 0] / np.maximum(weights.size[cells], 1e-12)
    chance = np.where(weights.chance[cells] > 0, weights.chance[cells], 1.0)
    left = np.where(asked <= 1.0, 1.0 - asked, 1.0) * chance
    noise = np.square(scale) * valid
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = sum_rows(left[:, None] * noise, cell_place, places) / sum_rows(noise, cell_place, places)
        left_share = np.where(total > 0, kept, 1.0)
    units, unit, _ = distinct(cell_place, weights.unit[cells])
    deviations = sum_rows(weight * (cell_share - np.nan_to_num(share)[cell_place]), unit, units.shape[1])
    # groups of one agency were drawn with it: the likeliest has about the agency's chance
    unit_chance, unit_stratum = np.zeros(units.shape[1]), np.zeros(units.shape[1], dtype=np.int64)
    np.maximum.at(unit_chance, unit, weights.chance[cells])
    unit_chance[unit_chance <= 0] = 1.0
    unit_stratum[unit] = weights.unit_stratum[cells]
    draw = _Draw(left_share, deviations, unit_chance, unit_stratum, units[0])
    known = sum_rows(standing_for[:, None], cell_place, places)[:, 0]
    return _combined(share, residuals, each, answers, place, combine, days, known, draw)


def _residuals(answers: Answers, share: FloatArray, scale: FloatArray) -> FloatArray:
    """scale (satisfied - share valid) [rows, k], written over `share`: of a large province each array is 30 MB."""
    share *= answers.valid
    np.subtract(answers.satisfied, share, out=share)
    share *= scale
    return share


def raked_shares(answers: Answers, raked: Raked, combine: FloatArray, days: DayCorrelation) -> list[Share]:
    """The shares of all rows as one place, each answer weighing as `raked` (`calibration.raking`).

    What the margins explain is no chance any more; days hang together as without weights. The design effect is that of
    unequal weights and days together, at least 1, drawn to what both let expect (`place_shares`)."""
    weight = raked.weight[:, None]
    valid, satisfied = (weight * answers.valid).sum(axis=0), (weight * answers.satisfied).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(valid > 0, satisfied / valid, np.nan)
        each = np.where(valid > 0, 1.0 / valid, 0.0)
    residuals = raked.contributions(each * (answers.satisfied - np.nan_to_num(share) * answers.valid))
    whole = np.zeros(len(answers.sheets), dtype=np.int64)
    return _combined(share[None], residuals, weight * each, answers, whole, combine, days, np.zeros(1)).of(0)


@dataclass(frozen=True, slots=True)
class _Draw:
    """The stages before the answers: share [places, k] of the answers' variance that stays, and the units' weighted
    deviations [units, k] with their chance, stratum and place [units]."""

    left: FloatArray
    totals: FloatArray
    chance: FloatArray
    stratum: IntArray
    place: IntArray


def _combined(
    share: FloatArray,
    residuals: FloatArray,
    scale: FloatArray,
    answers: Answers,
    place: IntArray,
    combine: FloatArray,
    days: DayCorrelation,
    standing_for: FloatArray,
    draw: _Draw | None = None,
) -> ShareArrays:
    """From the base figures' shares [places, k] and the rows' residuals and scales [rows, k]."""
    places = len(share)
    # base figures without an answer leave a combined figure's mean: their residuals are zero already
    total = ~np.isnan(share) @ combine
    known = total > 0
    total = np.where(known, total, 1.0)
    estimates = np.where(known, np.nan_to_num(share) @ combine / total, np.nan)
    nested = Nested.of(answers.design, place, places)
    variance = nested.variance(nested.totals(residuals) @ combine) / total**2
    degrees = nested.degrees.astype(np.float64)[:, None]
    valid = sum_rows(answers.valid, place, places) @ (combine > 0)
    simple = np.where(known, estimates * (1 - estimates) / np.maximum(valid, 1e-12), 0.0)
    expected, without_runs = expected_effects(answers.valid, scale, nested, days)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(simple > 0, variance / simple, 1.0)
    # where all answer alike no variance can be seen: the place's own days say nothing
    free = np.where(simple > 0, degrees, 0.0)
    effect = place_effect(own, expected, without_runs, free, days.degrees)
    if draw is not None:
        between, freedom = first_stage_variance(draw.totals @ combine, draw.chance, draw.stratum, draw.place, places)
        several = np.bincount(draw.place, minlength=places)[:, None] > 1
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.where((simple > 0) & several, between / total**2 / simple, 0.0)
        second = effect.value * draw.left
        # Satterthwaite: degrees of freedom of a sum of two variances
        degrees_of_both = (first + second) ** 2 / np.maximum(
            first**2 / np.maximum(freedom, 1.0)[:, None] + second**2 / effect.degrees, 1e-12
        )
        effect = replace(effect, value=np.maximum(first + second, 1e-3), degrees=degrees_of_both)
    low, high = wilson(np.nan_to_num(estimates), valid / effect.value, t_quantile(effect.degrees))
    low, high, value, free, n_eff = (
        np.where(known, part, np.nan)
        for part in (low, high, effect.value, np.maximum(effect.degrees, 1.0), valid / effect.value)
    )
    return ShareArrays(estimates, low, high, value, free, n_eff, standing_for)
