"""Means, totals and ratios of samples drawn in stages, with the linearised variance of their design.

A sample is drawn in stages: first units (schools, communes) within strata, then units within those, and so on, each
without replacement. A figure is linear in the answers, or is made so (the ratio's residuals), and its variance is
added up stage by stage: with n of N units of a stratum drawn, n / (n - 1) times the squared deviations of the units'
totals times (1 - n / N); what the next stage adds inside a drawn unit counts by n / N only, since the rest of it is
seen between the units already. A stratum of one unit adds its square, an upper estimate; one drawn whole adds nothing.

Weights raked to known margins (`calibration.raking`) take from the residuals what the margins explain.

Sources: Cochran 1977, ch. 11; Särndal, Swensson, Wretman 1992, 4.3; Lumley 2010 (R `survey`, to which estimates and
standard errors are equal).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.design import sum_rows
from calibration.raking import Raked
from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a draw. `unit`, `stratum` int64 [rows]: of what was drawn and among which, numbers that need be
    unique within a unit of the stage before only. `fraction` float64 [rows] in 0..1: share of the stratum's units that
    were drawn; 0: so small, or so unequal in chance, that it is taken as a draw with replacement."""

    unit: IntArray
    stratum: IntArray
    fraction: FloatArray

    @classmethod
    def of(cls, unit: ArrayLike, stratum: ArrayLike | None = None, fraction: ArrayLike = 0.0) -> Stage:
        """From any labels [rows]. Raises `StatisticsError` for a fraction outside 0..1."""
        _, units = np.unique(np.asarray(unit), return_inverse=True)
        strata = np.zeros(len(units), dtype=np.int64)
        if stratum is not None:
            _, strata = np.unique(np.asarray(stratum), return_inverse=True)
        drawn = np.broadcast_to(np.asarray(fraction, dtype=np.float64), units.shape)
        if strata.shape != units.shape or not np.all((drawn >= 0) & (drawn <= 1)):
            raise StatisticsError(Message("A stage has a stratum and a fraction in 0..1 for every row."))
        return cls(units.astype(np.int64), strata.astype(np.int64), drawn)


@dataclass(frozen=True, slots=True)
class SurveyFigures:
    """float64 [k] each. `degrees`: of freedom, units of the first stage less its strata. `design_effect`: the variance
    over that of as many answers drawn one by one without replacement; NaN where the figure is no mean."""

    estimate: FloatArray
    error: FloatArray
    design_effect: FloatArray
    degrees: int


def stage_variance(contributions: FloatArray, stages: Sequence[Stage]) -> FloatArray:
    """Variance [k] of the sums of `contributions` [rows, k] over the draw of `stages`, the first first."""
    rows = len(contributions)
    total = np.zeros(contributions.shape[1])
    parent, counts = np.zeros(rows, dtype=np.int64), np.ones(rows)
    for stage in stages:
        strata, stratum = _numbered(parent, stage.stratum)
        units, unit = _numbered(stratum, stage.unit)
        sums = sum_rows(contributions, unit, units)
        of_unit, left, weight = np.zeros(units, dtype=np.int64), np.zeros(units), np.zeros(units)
        of_unit[unit], left[unit], weight[unit] = stratum, 1.0 - stage.fraction, counts
        size = np.bincount(of_unit, minlength=strata).astype(np.float64)
        mean = sum_rows(sums, of_unit, strata) / size[:, None]
        mean[size == 1] = 0.0
        factor = np.where(size > 1, size / np.maximum(size - 1, 1), 1.0)[of_unit] * left * weight
        total += factor @ np.square(sums - mean[of_unit])
        parent, counts = unit, counts * stage.fraction
        if not counts.any():
            break
    return total


def _numbered(*keys: IntArray) -> tuple[int, IntArray]:
    """(How many distinct tuples, the number of each row's [rows])."""
    first, second = keys
    found, row = np.unique(first * (int(second.max(initial=0)) + 1) + second, return_inverse=True)
    return len(found), row.astype(np.int64)


def _degrees(stages: Sequence[Stage]) -> int:
    first = stages[0]
    strata, stratum = _numbered(np.zeros_like(first.stratum), first.stratum)
    return max(_numbered(stratum, first.unit)[0] - strata, 0)


def _checked(values: ArrayLike, weight: ArrayLike, stages: Sequence[Stage]) -> tuple[FloatArray, FloatArray]:
    found, w = np.asarray(values, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    found = found[:, None] if found.ndim == 1 else found
    if not stages or found.ndim != 2 or not len(found) or w.shape != (len(found),):
        raise StatisticsError(Message("A survey's figures need values, one weight a row, and at least one stage."))
    if any(len(stage.unit) != len(found) for stage in stages) or not np.all(w >= 0) or not w.sum() > 0:
        raise StatisticsError(Message("Weights are not negative and not all zero, and every stage has every row."))
    return found, w


def survey_mean(
    values: ArrayLike, weight: ArrayLike, stages: Sequence[Stage], raked: Raked | None = None
) -> SurveyFigures:
    """Weighted means of `values` [rows] or [rows, k]; `weight` [rows], those of `raked` where it is given.

    Raises `StatisticsError` where shapes do not fit or weights cannot be."""
    y, w = _checked(values, weight if raked is None else raked.weight, stages)
    total = w.sum()
    mean = w @ y / total
    variance = stage_variance(_contributions((y - mean) / total, w, raked), stages)
    n = len(y)
    spread = w @ np.square(y - mean) / total * n / max(n - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = variance / (spread / n * max(1.0 - n / total, 0.0))
    return SurveyFigures(mean, np.sqrt(variance), effect, _degrees(stages))


def survey_total(
    values: ArrayLike, weight: ArrayLike, stages: Sequence[Stage], raked: Raked | None = None
) -> SurveyFigures:
    """Weighted totals, as `survey_mean`."""
    y, w = _checked(values, weight if raked is None else raked.weight, stages)
    variance = stage_variance(_contributions(y, w, raked), stages)
    return SurveyFigures(w @ y, np.sqrt(variance), np.full(y.shape[1], np.nan), _degrees(stages))


def survey_ratio(
    above: ArrayLike, below: ArrayLike, weight: ArrayLike, stages: Sequence[Stage], raked: Raked | None = None
) -> SurveyFigures:
    """Ratios of weighted totals, `above` over `below` [rows] or [rows, k], as `survey_mean`. Satisfied over valid
    answers is one. Raises `StatisticsError` where a total below is zero."""
    y, w = _checked(above, weight if raked is None else raked.weight, stages)
    x, _ = _checked(below, w, stages)
    total = w @ x
    if x.shape != y.shape or np.any(total == 0):
        raise StatisticsError(Message("A ratio has a total below it that is not zero."))
    ratio = w @ y / total
    variance = stage_variance(_contributions((y - ratio * x) / total, w, raked), stages)
    return SurveyFigures(ratio, np.sqrt(variance), np.full(y.shape[1], np.nan), _degrees(stages))


def _contributions(linear: FloatArray, weight: FloatArray, raked: Raked | None) -> FloatArray:
    return weight[:, None] * linear if raked is None else raked.contributions(linear)
