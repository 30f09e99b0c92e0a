"""Why a rating is suspicious: the one thing that is kept about how it was given."""

from __future__ import annotations

from enum import IntEnum

from pipeline.language import Message


class RatingFlag(IntEnum):
    """Suspicion raised in memory where the answer arrived; nothing that led to it (times, addresses, devices) is kept.

    At most one per rating, the first in this order that applies. Four bits on the wire (`RatingRow.flag`)."""

    NONE = 0
    TOO_FAST = 1
    """Answered faster than the questions can be read."""
    STRAIGHT_LINE = 2
    """The same answer to everything on a long form."""
    BURST = 3
    """Many ratings of one place within a few minutes."""
    STAFF_PATTERN = 4
    """Looks as if given by staff: a series of identical top answers from one device or network."""
    DEVICE_LIMIT = 5
    """More from one device than a day allows."""
    DUPLICATE = 6
    """The same sheet came before."""
    INCONSISTENT = 7
    """Second entry or re-check did not agree with the first."""
    WITHDRAWN = 8
    """Set aside by an analyst, with a reason in the transparency log."""
    LATE = 9
    """Came longer after its day than the province allows."""
    CLOSED_PERIOD = 10
    """Its day lies in a period that has been closed."""
    OVER_PLAN = 11
    """More from one source than the planning figures say that it can take."""
    NO_FORM = 12
    """Did not come back with the form that this server shows."""

    @property
    def label(self) -> Message:
        """The reason as shown."""
        return _LABELS[self]


_LABELS: dict[RatingFlag, Message] = {
    RatingFlag.NONE: Message("No suspicion"),
    RatingFlag.TOO_FAST: Message("Answered impossibly fast"),
    RatingFlag.STRAIGHT_LINE: Message("The same answer to everything"),
    RatingFlag.BURST: Message("A burst of ratings"),
    RatingFlag.STAFF_PATTERN: Message("Looks as if given by staff"),
    RatingFlag.DEVICE_LIMIT: Message("Too many from one device"),
    RatingFlag.DUPLICATE: Message("Duplicate form"),
    RatingFlag.INCONSISTENT: Message("Second entry or re-check disagrees"),
    RatingFlag.WITHDRAWN: Message("Set aside after review"),
    RatingFlag.LATE: Message("Came too long after its day"),
    RatingFlag.CLOSED_PERIOD: Message("Its period has been closed"),
    RatingFlag.OVER_PLAN: Message("More than one source can take"),
    RatingFlag.NO_FORM: Message("Not sent from the form that was shown"),
}
