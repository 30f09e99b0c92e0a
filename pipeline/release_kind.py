"""The two kinds of release, each one value: its message, its grid, where a visit falls in it, and its periods.

Ledger, log, sealed month, outbox, audits and the server read it here. On the disk of a box a kind is one truth value
("is it evidence"); in a message's tag, an outbox's key and the server's column it is its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, final

from pipeline.records import ClosedVisit, Level
from pipeline.wire import Evidence, PeriodKind, Pulse

Release = Pulse | Evidence


@final
class ReleaseKind:
    """`PULSE` or `EVIDENCE`; there are no others, and they are compared by identity.

    `grid`: shape of the table of counts, row-major. `periods`: those that it may have. `cell_of`: the one
    cell, 0 .. `cells` - 1, to which a visit adds one."""

    __slots__ = ("cell_of", "grid", "message", "name", "periods")

    def __init__(
        self,
        message: type[Pulse] | type[Evidence],
        grid: tuple[int, ...],
        periods: frozenset[PeriodKind],
        cell_of: Callable[[ClosedVisit], int],
    ) -> None:
        self.name = str(message.__struct_config__.tag)
        """The message's tag, and what the server's store and the audits call it."""
        self.message = message
        self.grid = grid
        self.periods = periods
        self.cell_of = cell_of

    @property
    def cells(self) -> int:
        """Counts in one release."""
        return math.prod(self.grid)

    @property
    def on_disk(self) -> bool:
        """How ledger, log and sealed month write it."""
        return self is EVIDENCE

    def __repr__(self) -> str:
        return self.name


def _pulse_cell(visit: ClosedVisit) -> int:
    """0 low (levels 0-1), 1 middle (2), 2 high (3-4), 3 abstained."""
    return (0, 0, 1, 2, 2, 3)[Level(visit.level)]


def _evidence_cell(visit: ClosedVisit) -> int:
    """[6 levels][3 outcomes]."""
    return 3 * int(visit.level) + int(visit.outcome)


PULSE: Final = ReleaseKind(
    Pulse,
    (4,),
    frozenset({PeriodKind.HOUR, PeriodKind.FOUR_HOURS, PeriodKind.DAY, PeriodKind.DEMO_PULSE}),
    _pulse_cell,
)
EVIDENCE: Final = ReleaseKind(Evidence, (6, 3), frozenset({PeriodKind.MONTH, PeriodKind.DEMO_EVIDENCE}), _evidence_cell)
KINDS: Final = (EVIDENCE, PULSE)
"""Evidence first: its end brings the terms of what follows."""


def kind_of(release: Release) -> ReleaseKind:
    """The kind of a message."""
    return EVIDENCE if isinstance(release, Evidence) else PULSE


def kind_on_disk(value: bool) -> ReleaseKind:
    """The kind that ledger, log or sealed month wrote."""
    return EVIDENCE if value else PULSE


def encode_kind(value: Any) -> Any:
    """`enc_hook` of msgspec for structs that hold a kind."""
    if isinstance(value, ReleaseKind):
        return value.on_disk
    raise NotImplementedError(type(value).__name__)


def decode_kind(wanted: type, value: Any) -> Any:
    """`dec_hook` of msgspec for structs that hold a kind; raises `ValueError` for what is no truth value."""
    if wanted is ReleaseKind and isinstance(value, bool):
        return kind_on_disk(value)
    raise ValueError("a kind of release is a truth value")
