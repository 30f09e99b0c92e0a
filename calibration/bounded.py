"""Bounded influence: ratios learnt from many boxes, of which any one may be invented.

A curve is pooled over the boxes of a group of agencies, so that whoever holds one box could move every other agency's
figure with pairs that never happened. Here a ratio theta = sum of numerators / sum of denominators, over boxes, is
Huber's estimate instead: each box's residual is held within `CLIP` of its own standard deviations,

    sum_b psi(S_b - theta R_b) = 0,   psi(r) = r held to +-CLIP sd_b,
    sd_b^2 = R_b theta (1 - theta) + noise + (spread R_b)^2,

and no box counts for more than `CAP` median boxes. What one box can do to theta is then at most

    CLIP sd_b / sum R     or, with boxes of one size and n of them, about CLIP sd_b / (n R_b),

whatever it sends, because the start is the median of the boxes. Where no box lies that far off, nothing is changed at
all: the sums are the plain ones. Fewer than `MINIMUM_BOXES` boxes have no majority: nothing can be bounded, and an
agency is then given a curve of its own (`calibration.curves`).

Sources: Huber 1964 (location); Hampel et al. 1986, ch. 2 (influence).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
CLIP: Final = 2.0
"""Standard deviations of a box's own residual beyond which it pulls no harder: an honest one in eighty is held."""
CAP: Final = 2.0
"""How many median boxes one box may count for."""
MINIMUM_BOXES: Final = 3
"""Boxes without which no majority tells which of them is wrong."""
FLOOR: Final = 10.0
"""Visits that a box may always bring: a median of nought must not silence it."""
MIN_SPREAD: Final = 0.01
"""How far honest boxes' shapes lie apart at least (share satisfied at a level): no group is all chance."""
_STEPS: Final = 30
_TURNS: Final = 20


def caps(amounts: FloatArray) -> FloatArray:
    """[...] how much of `amounts` [boxes, ...] one box may bring: `CAP` medians over the boxes, `FLOOR` at least."""
    return np.asarray(np.maximum(CAP * np.median(np.maximum(amounts, 0.0), axis=0), FLOOR))


def weighted_median(values: FloatArray, weights: FloatArray) -> FloatArray:
    """[k] lower weighted median of `values` [boxes, k] by `weights` [boxes, k] >= 0; columns of no weight: 0."""
    order = np.argsort(values, axis=0, kind="stable")
    sums = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0)
    place = np.argmax(sums >= 0.5 * sums[-1:], axis=0)
    found = np.take_along_axis(np.take_along_axis(values, order, axis=0), place[None], axis=0)[0]
    return np.where(sums[-1] > 0, found, 0.0)


def bounded_ratio(
    numerators: FloatArray, denominators: FloatArray, variance: FloatArray, start: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """(numerators [boxes, k] with every box's residual held, and which were [boxes, k]).

    `variance` [boxes, k] of a numerator about its expectation theta x denominator; `start` [k]: a robust ratio."""
    sd = CLIP * np.sqrt(np.maximum(variance, 0.0))
    total = np.maximum(denominators.sum(axis=0), 1e-9)
    ratio = np.array(start, dtype=np.float64)
    residual = numerators - ratio * denominators
    for _ in range(_STEPS):
        step = np.clip(residual, -sd, sd).sum(axis=0) / total
        ratio = ratio + step
        residual = numerators - ratio * denominators
        if np.all(np.abs(step) < 1e-9):
            break
    held = np.abs(residual) > sd
    return np.where(held, ratio * denominators + np.clip(residual, -sd, sd), numerators), held


def ratios_without_each(
    numerators: FloatArray, denominators: FloatArray, reach: FloatArray, rows: NDArray[np.intp]
) -> FloatArray:
    """[rows] sum of `bounded_ratio`'s numerators [boxes] where each of `rows` is left out in turn, from the weighted
    median of the others' ratios; `reach` [boxes]: how far a residual may go (`CLIP` sd).

    The sum of held residuals at any ratio is read off sums over the boxes in the order in which they come to be held,
    so that all is done in time that grows with boxes, not with their square."""
    ratio = _medians_without(numerators / denominators, denominators, rows)
    low, high = (numerators - reach) / denominators, (numerators + reach) / denominators
    columns = np.stack([reach, numerators, denominators], axis=1)
    starts, ends = np.argsort(low), np.argsort(high)
    begun, ended = (np.concatenate([np.zeros((1, 3)), np.cumsum(columns[order], axis=0)]) for order in (starts, ends))
    low, high = low[starts], high[ends]
    total = np.maximum(denominators.sum() - denominators[rows], 1e-9)

    def residuals(at: FloatArray) -> FloatArray:
        within, above = begun[np.searchsorted(low, at, side="right")], ended[np.searchsorted(high, at, side="left")]
        free = within - above
        every = begun[-1, 0] - within[:, 0] - above[:, 0] + free[:, 1] - at * free[:, 2]
        own = np.clip(numerators[rows] - at * denominators[rows], -reach[rows], reach[rows])
        return np.asarray(every - own)

    moving = np.ones(len(rows), dtype=bool)
    for _ in range(_STEPS):
        step = np.where(moving, residuals(ratio) / total, 0.0)
        ratio = ratio + step
        moving &= np.abs(step) >= 1e-9
        if not moving.any():
            break
    return np.asarray(ratio * (denominators.sum() - denominators[rows]) + residuals(ratio))


def _medians_without(values: FloatArray, weights: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
    """[rows] `weighted_median` of `values` [boxes] where each of `rows` is left out in turn."""
    order = np.argsort(values, kind="stable")
    place = np.argsort(order, kind="stable")[rows]
    sums, own = np.cumsum(weights[order]), weights[rows]
    half = 0.5 * (sums[-1] - own)
    before = np.searchsorted(sums, half)  # first whose sum reaches it, the one left out being further up
    after = np.searchsorted(sums, half + own)
    found = np.where(before < place, before, np.maximum(after, place + 1))
    return np.asarray(values[order][np.minimum(found, len(values) - 1)])


def bounded_shares(
    satisfied: FloatArray, rated: FloatArray, noise: FloatArray, informative: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """(`satisfied` [boxes, levels] of `rated` >= 0 with each box held to the others' shape, boxes that were [boxes]).

    Boxes differ in height (h_b, added to every level) and, by chance and a little beyond, in shape:

        S_bl = R_bl (theta_l + h_b) + e_bl,   Var e_bl = R_bl theta_l (1 - theta_l) + noise_b (...) + (spread R_bl)^2

    fitted in turns from medians on. The spread is the boxes' own, from the median of their squared residuals, so that
    boxes that are alike allow little. `noise` [boxes]: of a cell; `informative` [boxes, levels]: not lost in noise."""
    total = np.maximum(rated.sum(axis=1), 1.0)
    one_each = np.minimum(total, np.median(total))
    height = np.clip(satisfied.sum(axis=1) / total, 0.0, 1.0)
    middle = weighted_median(height[:, None], one_each[:, None])[0]
    height = height - middle
    known = np.where(informative, np.minimum(rated, np.median(rated, axis=0)), 0.0)
    theta = weighted_median(np.clip(satisfied / np.maximum(rated, 1.0), 0.0, 1.0) - height[:, None], known)
    theta = np.where(informative.sum(axis=0) >= MINIMUM_BOXES, theta, middle)
    mean = np.clip(theta, 0.05, 0.95)
    pure = rated * mean * (1.0 - mean) + noise[:, None] * (mean**2 + (1.0 - mean) ** 2)
    residual = satisfied - rated * (theta + height[:, None])
    sd = CLIP * np.sqrt(pure + (_spread(residual, rated, pure, informative) * rated) ** 2)
    for _ in range(_TURNS):
        theta = theta + np.clip(residual, -sd, sd).sum(axis=0) / np.maximum(rated.sum(axis=0), 1.0)
        residual = satisfied - rated * (theta + height[:, None])
        height = height + np.clip(residual, -sd, sd).sum(axis=1) / total
        residual = satisfied - rated * (theta + height[:, None])
    off = np.abs(residual) > 2.0 * sd
    far = CLIP * 1.4826 * np.median(np.abs(height - np.median(height)))
    held_height = np.clip(height, np.median(height) - far, np.median(height) + far)
    kept = rated * (theta + held_height[:, None]) + np.clip(residual, -sd, sd)
    return np.where(rated > 0, kept, satisfied), off.any(axis=1)


def _spread(residual: FloatArray, rated: FloatArray, pure: FloatArray, informative: NDArray[np.bool_]) -> float:
    """How far the boxes' shapes lie apart beyond chance (share of the rated): from the median squared residual."""
    excess = (residual**2 / 0.455 - pure) / np.maximum(rated, 1.0) ** 2
    return float(np.sqrt(max(np.median(excess[informative]), MIN_SPREAD**2))) if informative.any() else MIN_SPREAD
