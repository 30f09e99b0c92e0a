"""Why a rating is suspicious: the one thing that is kept about how it was given."""

from __future__ import annotations

from enum import IntEnum


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

    @property
    def label_vi(self) -> str:
        """The reason as shown, Vietnamese."""
        return _LABELS[self][0]

    @property
    def label_en(self) -> str:
        """The reason as shown, English."""
        return _LABELS[self][1]


_LABELS: dict[RatingFlag, tuple[str, str]] = {
    RatingFlag.NONE: ("Không nghi vấn", "No suspicion"),
    RatingFlag.TOO_FAST: ("Trả lời quá nhanh", "Answered impossibly fast"),
    RatingFlag.STRAIGHT_LINE: ("Mọi câu cùng một mức", "The same answer to everything"),
    RatingFlag.BURST: ("Nhiều phiếu dồn dập", "A burst of ratings"),
    RatingFlag.STAFF_PATTERN: ("Giống do cán bộ tự chấm", "Looks as if given by staff"),
    RatingFlag.DEVICE_LIMIT: ("Quá số lượt của một thiết bị", "Too many from one device"),
    RatingFlag.DUPLICATE: ("Phiếu trùng", "Duplicate form"),
    RatingFlag.INCONSISTENT: ("Nhập hai lần hoặc phúc tra không khớp", "Second entry or re-check disagrees"),
    RatingFlag.WITHDRAWN: ("Đã được để riêng sau khi xem xét", "Set aside after review"),
}
