"""Further answers of sheets (`pipeline.instruments.kinds`): their rows, and their text in chains and paper entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Select, insert

from server.core.scope import Scope
from server.store.tables.sheet_answers import sheet_answers

More = tuple[tuple[int, int], ...]
"""(slot, value), in order of the slots."""
_AT_ONCE = 1_000


def more_text(more: Iterable[tuple[int, int]]) -> str:
    """Further answers as one text, in order of the slots: `34=5,40=3`."""
    return ",".join(f"{slot}={value}" for slot, value in sorted(more))


def read_more(text: str) -> dict[int, int]:
    """What `more_text` wrote."""
    pairs = (part.split("=") for part in text.split(",") if part)
    return {int(slot): int(value) for slot, value in pairs}


def add_answers(connection: Connection, scope: Scope, of: Iterable[tuple[int, More]]) -> None:
    """Store the further answers of ratings (id, answers) that were stored in this transaction."""
    rows = [
        {"province_id": scope.province_id, "rating_id": number, "slot": slot, "value": value}
        for number, more in of
        for slot, value in more
    ]
    if rows:
        connection.execute(insert(sheet_answers), rows)


def answers_of(connection: Connection, scope: Scope, ratings: Sequence[int]) -> dict[int, More]:
    """The further answers of some ratings; one without any is not in it."""
    found: dict[int, list[tuple[int, int]]] = {}
    columns = (sheet_answers.c.rating_id, sheet_answers.c.slot, sheet_answers.c.value)
    for first in range(0, len(ratings), _AT_ONCE):
        part = ratings[first : first + _AT_ONCE]
        query = scope.select(sheet_answers, *columns).where(sheet_answers.c.rating_id.in_(part))
        for number, slot, value in connection.execute(query):
            found.setdefault(number, []).append((slot, value))
    return {number: tuple(sorted(pairs)) for number, pairs in found.items()}


def remove_answers(connection: Connection, scope: Scope, ratings: Select[tuple[int]]) -> None:
    """Remove the further answers of ratings that are about to be taken back."""
    connection.execute(scope.delete(sheet_answers).where(sheet_answers.c.rating_id.in_(ratings)))


def has_answers(connection: Connection, scope: Scope) -> bool:
    """Whether a province has further answers at all."""
    query = scope.select(sheet_answers, sheet_answers.c.id).limit(1)
    return connection.execute(query).first() is not None
