"""How a whole is made of its parts, and which making a published figure implies.

Shares are in per cent, 0 to 100. The instruments of 2023 to 2026 (QĐ 1001/QĐ-BNV) publish a whole, its two blocks and
the five factors of one of them; no text at hand says with what weights. `implied_weight` gives the weights that the
published, rounded figures leave possible.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from pipeline.errors import StatisticsError
from pipeline.language import Message

ROUNDING: Final = 0.005
"""Half a hundredth: how far a figure of two decimals may lie from what was rounded."""
POLICY_WEIGHT_1001: Final = 32 / 51
"""Weight of the block on policy if its indicators count alike: 32 of 51 [inferred from 2023 and 2024, in no text]."""


def pooled_answers(satisfied: Sequence[int], valid: Sequence[int]) -> float:
    """All answers as one: 100 x satisfied / valid."""
    if sum(valid) <= 0:
        raise StatisticsError(Message("There is no answer to pool."))
    return 100 * sum(satisfied) / sum(valid)


def mean_of_indicators(satisfied: Sequence[int], valid: Sequence[int]) -> float:
    """The plain mean of the indicators' shares, over those that have answers."""
    shares = [100 * one / count for one, count in zip(satisfied, valid, strict=True) if count > 0]
    if not shares:
        raise StatisticsError(Message("There is no answer to pool."))
    return sum(shares) / len(shares)


def weighted_parts(shares: Sequence[float], weights: Sequence[float]) -> float:
    """The mean of factors or blocks by their weights, which need not add up to one."""
    if len(shares) != len(weights) or min(weights, default=0.0) < 0 or sum(weights) <= 0:
        raise StatisticsError(Message("Parts need a weight each, none negative and not all zero."))
    return sum(share * weight for share, weight in zip(shares, weights, strict=True)) / sum(weights)


def implied_weight(whole: float, part: float, rest: float, rounding: float = ROUNDING) -> tuple[float, float]:
    """The weights of `part` for which `whole` = weight x part + (1 - weight) x rest, each figure rounded.

    (0, 1) where the figures leave everything open. Raises `StatisticsError` where no weight of 0 to 1 fits."""
    steps = (-rounding, rounding)
    found = []
    for a, b, c in itertools.product(steps, steps, steps):
        distance = (rest + c) - (part + b)
        if abs(distance) <= 1e-12 or distance * (rest - part) < 0:
            return 0.0, 1.0
        found.append(((rest + c) - (whole + a)) / distance)
    low, high = max(0.0, min(found)), min(1.0, max(found))
    if low > high:
        raise StatisticsError(Message("No weight makes the whole of these parts."))
    return low, high
