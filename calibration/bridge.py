"""A bridge between two instruments: in one period half of the people are asked each way, by lot, and the difference of
what comes out carries the old line over to the new one.

Within a channel both halves are alike but for chance, so that the difference of their figures is the instrument's own.
Channels may have shifts of their own: random effects, of a standard deviation that two or three channels hardly show.
So it is not estimated and taken for known (DerSimonian, Laird 1986: of two channels whose shifts lie 5 points apart
intervals held the mean shift in .74 to .87), but averaged over by the restricted likelihood times a half-Cauchy prior
(Gelman 2006; Röver 2020). One channel says nothing of others: its link is that channel's own. Figures and errors are in
points, 0 to 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Final

import numpy as np

from calibration.intervals import mixture_quantile
from pipeline.errors import StatisticsError
from pipeline.language import Message

_Z = 1.959964
SPREADS: Final = (np.arange(80) + 0.5) / 4
"""Standard deviations of channels' own shifts that are averaged over, in points."""
USUAL: Final = 2.0
"""Scale of their half-Cauchy prior: below it as often as above."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its standard error, in points."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Link:
    """`shift`: new less old, in points; `error`: its standard error, by which the 95 % interval is right; `between`:
    standard deviation of the channels' own shifts beyond chance, on average over what is likely; `pairs`: in how many
    channels both were asked."""

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
    if len(pairs) == 1:
        return Link(shifts[0], sqrt(variances[0]), 0.0, 1)
    seen = np.array(shifts)
    whole = np.array(variances) + np.square(SPREADS)[:, None]
    total = (1 / whole).sum(axis=1)
    mean = (seen / whole).sum(axis=1) / total
    rest = (np.square(seen - mean[:, None]) / whole).sum(axis=1)
    likelihood = -0.5 * (np.log(whole).sum(axis=1) + np.log(total) + rest) - np.log1p(np.square(SPREADS / USUAL))
    weight = np.exp(likelihood - likelihood.max())
    weight /= weight.sum()
    low, high = (mixture_quantile(weight, mean, np.sqrt(1 / total), share) for share in (0.025, 0.975))
    return Link(float(weight @ mean), (high - low) / (2 * _Z), float(weight @ SPREADS), len(pairs))
