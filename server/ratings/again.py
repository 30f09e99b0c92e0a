"""Sheets that an earlier file brought and that stand in a later one again, where no number of their own tells.

A form program that numbers nothing (Google Forms) gives the whole list each time: imported every week, all weeks but
the last would count twice. Sheets of many answers are like fingerprints: where nearly all that earlier files brought
for the same agencies, days and channel are in the new file, it is the same list, grown. Where nearly all of a part of
one file stand in the rest of it, somebody has copied a worksheet, or put a list behind itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from sqlalchemy import Connection

from pipeline.errors import InvalidError
from pipeline.instruments import Instrument
from pipeline.language import Message
from server.core.scope import Scope
from server.ratings.rating import Rating
from server.ratings.source import SourceKind
from server.store.engine import raw_rows
from server.store.tables.ratings import ANSWER_COLUMNS, ratings

MIN_STORED = 5
"""Fewer sheets of earlier files say nothing."""
SHARE = 0.9
MIN_ANSWERS = 5
_PLACE = ("agency_id", "day", "channel")
_CELL = tuple[int, int, str]


class Again:
    """Counts what is there already. `twice`: sheets like one above them in the file. `count`: sheets that
    earlier files brought, and that nearly all are in this one, but have too few answers to tell; 0 where they are
    not."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._mine: Counter[int] = Counter()
        self._cells: set[_CELL] = set()
        self._parts: dict[int, Counter[int]] = {}
        self.count = self.twice = 0

    def note(self, rating: Rating) -> None:
        """A sheet that the store does not hold, and that has no number of its own."""
        cell = _cell_of(rating)
        self._cells.add(cell)
        self._mine[_key(cell, _answers(rating))] += 1

    def note_part(self, rating: Rating, part: int) -> None:
        """A sheet without a number of its own; `part`: of the file, as `TableRow` has it."""
        answers = _answers(rating)
        if _is_rich(answers):
            self._parts.setdefault(part, Counter())[_key(_cell_of(rating), answers)] += 1

    def check_parts(self) -> None:
        """Compare the file with itself. Raises `InvalidError` where nearly all of a part stand elsewhere in it, or
        nearly all sheets twice."""
        whole = Counter[int]()
        for part in self._parts.values():
            whole.update(part)
        self.twice = sum(count - 1 for count in whole.values())
        paired = sum(count - count % 2 for count in whole.values())
        parts = (
            (sum(min(n, whole[key] - n) for key, n in part.items()), part.total()) for part in self._parts.values()
        )
        if whole.total() >= 2 * MIN_STORED and _nearly_all(paired, whole.total()):
            count, size = paired // 2, whole.total()
        else:
            count, size = next(((one, of) for one, of in parts if _nearly_all(one, of)), (0, 0))
        if not count:
            return
        raise InvalidError(
            Message(
                "{count} of {whole} sheets stand in the file a second time, with the same agency, day and answers: a "
                "worksheet or a list is there twice.",
                count=count,
                whole=size,
            ),
            Message(
                "Take one of them out (or name the worksheet as ignored); where they are other sheets, give each its "
                "form code (a column Mã phiếu)."
            ),
        )

    def check(self, connection: Connection, scope: Scope) -> None:
        """Compare with the store. Raises `InvalidError` where the file holds what earlier ones brought."""
        if not self._cells:
            return
        days = [day for _, day, _ in self._cells]
        query = scope.select(ratings, *(ratings.c[name] for name in (*_PLACE, *ANSWER_COLUMNS))).where(
            ratings.c.day.between(min(days), max(days)),
            ratings.c.source.startswith(SourceKind.IMPORT),
            ratings.c.instrument == self._instrument.code,
            ratings.c.instrument_version == self._instrument.version,
        )
        left = Counter(self._mine)
        stored, found = Counter[bool](), Counter[bool]()
        for row in chain.from_iterable(raw_rows(connection, query)):
            cell, answers = tuple(row[: len(_PLACE)]), tuple(row[len(_PLACE) :])
            if cell not in self._cells:
                continue
            is_rich = _is_rich(answers)
            stored[is_rich] += 1
            key = _key((row[0], row[1], row[2]), answers)
            if left[key] > 0:
                left[key] -= 1
                found[is_rich] += 1
        if _nearly_all(found[True], stored[True]):
            raise InvalidError(
                Message(
                    "Of {stored} sheets that earlier files brought for the same agencies, days and channel, {found} "
                    "stand in this one again: they would count twice.",
                    stored=stored[True],
                    found=found[True],
                ),
                Message(
                    "Take out the rows that were imported before; or give every sheet its form code (a column Mã "
                    "phiếu), or name the delivery where they are other sheets (--batch NAME)."
                ),
            )
        if _nearly_all(found.total(), stored.total()):
            self.count = found.total()


def _answers(rating: Rating) -> tuple[int, ...]:
    values = rating.values()
    return tuple(values[name] for name in ANSWER_COLUMNS)


def _cell_of(rating: Rating) -> _CELL:
    return rating.place.agency_id, rating.day, rating.channel.code


def _key(cell: _CELL, answers: Sequence[int]) -> int:
    return hash((cell, tuple(answers)))


def _nearly_all(found: int, stored: int) -> bool:
    return stored >= MIN_STORED and found >= SHARE * stored


def _is_rich(answers: Sequence[int]) -> bool:
    """Whether hardly another sheet is like it: many answers, and not all the same."""
    given = [answer for answer in answers if answer]
    return len(given) >= MIN_ANSWERS and len(set(given)) > 1
