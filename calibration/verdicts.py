"""The words in which a result says what it is: verdicts, estimands, index scopes. Enumerations, never free text."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What became of the implicit signal in one estimate. Arrays hold its `number`."""

    EXPLICIT = "explicit"
    """Overall satisfaction from ratings alone."""
    NOT_CALIBRATED = "not_calibrated"
    """Too few pairs of level and rating yet: nothing is fused."""
    HELPED = "helped"
    """The signal narrowed the interval; `labels_saved` says by how many ratings' worth."""
    NO_GAIN = "no_gain"
    """The signal would not have narrowed the interval: the estimate is the explicit one."""
    MISLEADS = "misleads"
    """This agency's own pairs contradict the group's curve: the estimate is the explicit one."""
    NOT_AT_RANDOM = "not_at_random"
    """Rated visits' levels differ from all visits': the efficiency estimate's assumption fails, the explicit one stands
    and the corrected one is the one to read (or the tablet changes what is measured)."""
    CORRECTED = "corrected"
    """Re-weighted to the levels of all visits, for response that depends on the level."""
    TOO_FEW = "too_few"
    """No or one rating: the interval is (nearly) the whole scale."""
    NO_EVIDENCE = "no_evidence"
    """No usable evidence table: nothing to fuse."""
    NOT_SEPARABLE = "not_separable"
    """Tables are shared by service groups whose response rates differ: fusing would confound them."""
    SUPPRESSED = "suppressed"
    """Not shown: the figures would not be honest (fewer ratings than the threshold, or no known weights)."""

    @property
    def number(self) -> int:
        """Its place in the enumeration, for arrays of verdicts (int64)."""
        return _NUMBERS[self]

    @classmethod
    def of(cls, number: int) -> Verdict:
        """The verdict of an array's element."""
        return _VERDICTS[number]


_VERDICTS: Final = tuple(Verdict)
_NUMBERS: Final = {verdict: number for number, verdict in enumerate(_VERDICTS)}


class Estimand(StrEnum):
    """What an interval claims to cover."""

    SUPERPOPULATION = "superpopulation"
    """The satisfaction that this way of serving produces; this month's visits are a draw from it."""
    FINITE_MONTH = "finite_month"
    """The share satisfied among exactly this month's visits (narrower where many of them rated)."""


class Method(StrEnum):
    """Which estimator made a figure."""

    EXPLICIT = "explicit"
    EFFICIENCY = "efficiency"
    CORRECTION = "correction"
    SMALL_AREA = "small_area"
