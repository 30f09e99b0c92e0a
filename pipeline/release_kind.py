"""The kinds of release, each one value: its message, its grid, where a visit falls in it, and its periods.

Ledger, log, sealed month, outbox, audits and the server read it here. On the disk of a box a kind is what it was when
there were two ("is it evidence"), and a number for the third; in a message's tag, an outbox's key and the server's
column it is its name.

A visit falls into one cell of the pulse, and into one cell of either the evidence or, where its citizen did not agree
and the period has such a table, of `NOT_AGREED`. These two are disjoint and have the same epsilon, so a visit costs
what it costs where there is the evidence alone (parallel composition, docs/privacy.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, final

from pipeline.records import ClosedVisit, Level
from pipeline.wire import Evidence, NotAgreed, PeriodKind, Pulse, version_of

Release = Pulse | Evidence | NotAgreed


@final
class ReleaseKind:
    """`PULSE`, `EVIDENCE` or `NOT_AGREED`; there are no others, and they are compared by identity.

    `grid`: shape of the table of counts, row-major. `periods`: those that it may have. `cell_of`: the one
    cell, 0 .. `cells` - 1, to which a visit adds one. `on_disk`: how ledger, log and sealed month write it. `version`:
    of the schema, for a pool's number."""

    __slots__ = ("cell_of", "grid", "message", "name", "on_disk", "periods", "version")

    def __init__(
        self,
        message: type[Pulse] | type[Evidence] | type[NotAgreed],
        grid: tuple[int, ...],
        periods: frozenset[PeriodKind],
        cell_of: Callable[[ClosedVisit], int],
        on_disk: bool | int,
        version: Callable[[int], int] = version_of,
    ) -> None:
        self.name = str(message.__struct_config__.tag)
        """The message's tag, and what the server's store and the audits call it."""
        self.message = message
        self.grid = grid
        self.periods = periods
        self.cell_of = cell_of
        self.on_disk = on_disk
        self.version = version

    @property
    def cells(self) -> int:
        """Counts in one release."""
        return math.prod(self.grid)

    def __repr__(self) -> str:
        return self.name


def _pulse_cell(visit: ClosedVisit) -> int:
    """0 low (levels 0-1), 1 middle (2), 2 high (3-4), 3 abstained, agreed or not."""
    return (0, 0, 1, 2, 2, 3)[Level(visit.level)]


def _evidence_cell(visit: ClosedVisit) -> int:
    """[6 levels][3 outcomes]."""
    return 3 * int(visit.level) + int(visit.outcome)


def _not_agreed_cell(visit: ClosedVisit) -> int:
    """[3 outcomes]."""
    return int(visit.outcome)


_MONTHLY = frozenset({PeriodKind.MONTH, PeriodKind.DEMO_EVIDENCE})
PULSE: Final = ReleaseKind(
    Pulse,
    (4,),
    frozenset({PeriodKind.HOUR, PeriodKind.FOUR_HOURS, PeriodKind.DAY, PeriodKind.DEMO_PULSE}),
    _pulse_cell,
    False,
)
EVIDENCE: Final = ReleaseKind(Evidence, (6, 3), _MONTHLY, _evidence_cell, True)
NOT_AGREED: Final = ReleaseKind(NotAgreed, (3,), _MONTHLY, _not_agreed_cell, 2, lambda _pool: 4)
KINDS: Final = (EVIDENCE, NOT_AGREED, PULSE)
"""Evidence first: its end brings the terms of what follows."""
MONTHLY: Final = (EVIDENCE, NOT_AGREED)
"""In step: they begin and end together, and a visit is in one of them."""


_KIND_OF: Final = {kind.message: kind for kind in KINDS}


def kind_of(release: Release) -> ReleaseKind:
    """The kind of a message."""
    return _KIND_OF[type(release)]


def table_of(visit: ClosedVisit, has_row: bool) -> ReleaseKind:
    """In which monthly table a visit is counted. `has_row`: whether the period has one for those who did not agree."""
    return NOT_AGREED if has_row and not visit.agreed else EVIDENCE


def kind_on_disk(value: bool | int) -> ReleaseKind:
    """The kind that ledger, log or sealed month wrote. Raises `ValueError` for what none of them writes."""
    for kind in KINDS:
        if type(value) is type(kind.on_disk) and value == kind.on_disk:
            return kind
    raise ValueError("a kind of release is a truth value, or 2")


def encode_kind(value: Any) -> Any:
    """`enc_hook` of msgspec for structs that hold a kind."""
    if isinstance(value, ReleaseKind):
        return value.on_disk
    raise NotImplementedError(type(value).__name__)


def decode_kind(wanted: type, value: Any) -> Any:
    """`dec_hook` of msgspec for structs that hold a kind; raises `ValueError` for what is none."""
    if wanted is ReleaseKind:
        return kind_on_disk(value)
    raise ValueError("not a kind of release")
