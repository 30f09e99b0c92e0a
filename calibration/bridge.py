"""A bridge between two instruments: in one period half of the people are asked each way, by lot, and the difference of
what comes out carries the old line over to the new one.

Within a channel both halves are alike but for chance, so that the difference of their figures is the instrument's own.
Channels are put together by DerSimonian and Laird's random effects (1986): where they differ by more than chance, the
link's error says so. Figures and errors are in points, 0 to 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

from pipeline.errors import StatisticsError
from pipeline.language import Message

_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its standard error, in points."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Link:
    """`shift`: new less old, in points; `error`: its standard error; `between`: standard deviation of the channels'
    own shifts beyond chance; `pairs`: in how many channels both were asked."""

    shift: float
    error: float
    between: float
    pairs: int

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.shift - _Z * self.error

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.shift + _Z * self.error

    @property
    def is_none(self) -> bool:
        """Whether the halves do not differ by more than chance."""
        return self.low <= 0 <= self.high

    def carry(self, old: Estimate) -> Estimate:
        """A figure of the old instrument as the new one would have given it; the errors add up."""
        return Estimate(old.value + self.shift, sqrt(old.error**2 + self.error**2))


def share_estimate(satisfied: float, valid: float, design_effect: float = 1.0) -> Estimate:
    """The estimate of a share. One answer on each side is added (Agresti, Coull 1998), so that no error is zero.

    Raises `StatisticsError` where nobody answered."""
    if valid <= 0 or not 0 <= satisfied <= valid:
        raise StatisticsError(Message("There is no answer to link."))
    smoothed = (satisfied + 1) / (valid + 2)
    error = sqrt(max(1.0, design_effect) * smoothed * (1 - smoothed) / (valid + 2))
    return Estimate(100 * satisfied / valid, 100 * error)


def link(pairs: Sequence[tuple[Estimate, Estimate]]) -> Link:
    """The link of (old, new) pairs, one a channel. Raises `StatisticsError` where there is none, or no error."""
    if not pairs:
        raise StatisticsError(Message("No channel was asked both ways."))
    shifts = [new.value - old.value for old, new in pairs]
    variances = [old.error**2 + new.error**2 for old, new in pairs]
    if not all(isfinite(v) and v > 0 for v in variances) or not all(map(isfinite, shifts)):
        raise StatisticsError(Message("An error of a figure is missing."))
    weights = [1 / variance for variance in variances]
    total = sum(weights)
    mean = sum(w * shift for w, shift in zip(weights, shifts, strict=True)) / total
    q = sum(w * (shift - mean) ** 2 for w, shift in zip(weights, shifts, strict=True))
    spread = total - sum(w * w for w in weights) / total
    tau2 = max(0.0, (q - (len(pairs) - 1)) / spread) if len(pairs) > 1 else 0.0
    weights = [1 / (variance + tau2) for variance in variances]
    total = sum(weights)
    mean = sum(w * shift for w, shift in zip(weights, shifts, strict=True)) / total
    return Link(mean, sqrt(1 / total), sqrt(tau2), len(pairs))
