"""Checks the stored ratings against their chains and the log of changes: what was changed, added or removed behind the
application's back.

Flag and state may change later, by the application: each change is in the log with old and new value. So a row is
chained with the flag and state that it had before its first entry, and has to have those of its last one.

The log's entries on seals are held against each other, too: whoever writes to the data base can make a chain fit and
take its mark away, and the server itself then seals it anew. A chain is sealed once, when its day is over, before any
later day's.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from pipeline.calendar import today
from pipeline.language import Message, Plural, Sentence
from server.core.changes import verify_changes
from server.core.provinces import province_by_id
from server.core.scope import Scope
from server.ratings.chain import BEFORE, grown, row_text
from server.ratings.origins import BEFORE as SEALED_LATER
from server.ratings.origins import OriginKey
from server.ratings.sheet_answers import answers_of, has_answers
from server.store.tables.changes import changes
from server.store.tables.rating_chains import rating_chains
from server.store.tables.ratings import ratings

_MOVES = ("rating_set_aside", "rating_restored")


_NOT_SEALED = Message("the chain is not the one that was sealed in the log")
_SEALED_LATE = Message("it was sealed after a later day's: it was not there when its day was over")
_TO_COME = Message("its rows were received on a day that is still to come")


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the application did not do. `rating`: the row's id, None where only its chain tells."""

    source: str
    channel: str
    received_day: int
    text: Sentence
    rating: int | None = None


@dataclass(frozen=True, slots=True)
class RatingsAudit:
    """`ratings` rows in `chains` chains were checked, `sealed` of which stand in the log."""

    ratings: int
    chains: int
    sealed: int
    entries: int
    head: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Seal:
    """What the log says of a chain. `digests`: in order, one where all is well; `late`: a later day's was sealed
    before."""

    digests: tuple[str, ...]
    late: bool


@dataclass(slots=True)
class _Move:
    """(flag, state) of a rating before its first and after its last entry in the log."""

    first: tuple[int, int]
    last: tuple[int, int]


def audit_ratings(connection: Connection, scope: Scope, key_of: Callable[[], bytes] | None = None) -> RatingsAudit:
    """Check every rating of a province. Raises `LogError` where the log of changes itself was altered.

    `key_of`: gives the key that origins are sealed under (`server.ratings.origins`); it is asked for where rows from
    before they were sealed are there.

    In a simulated province days are made up at any time: there the order of seals tells nothing."""
    entries, head = verify_changes(connection, scope.province_id)
    made_up = province_by_id(connection, scope.province_id).simulated
    moves, sealed = _log(connection, scope)
    newest = max((day for _, day, _ in sealed), default=-1)
    chains = {_key(row): row for row in _chain_rows(connection, scope)}
    known = set(chains)
    opening = _Opening(scope.province_id, key_of)
    found: list[Difference] = []
    rows = seen = 0
    for key, group in itertools.groupby(_rows(connection, scope), _key):
        texts = []
        for row in group:
            rows += 1
            move = moves.pop(row["id"], None)
            now = (row["flag"], row["state"])
            first = now if move is None else move.first
            if move is not None and move.last != now:
                words = Message("flag and state are {now}, the log says {last}", now=now, last=move.last)
                found.append(Difference(*_place(key), words, row["id"]))
            texts.append(row_text(opening.row(row), first[0], first[1], row["more"]))
        chain = chains.pop(key, None)
        seen += 1
        found += _compare(key, chain, texts, sealed, made_up)
        if chain is not None and not made_up:
            found += _out_of_time(key, sealed.get(key), newest)
    found += [
        Difference(*_place(key), Message("all {count} rows are gone", count=chain["count"]))
        for key, chain in chains.items()
        if chain["count"]
    ]
    gone = set(sealed) - known
    found += [Difference(*_place(key), Message("its chain is gone, the log names it")) for key in sorted(gone)]
    found += [Difference("", "", 0, Message("the row is gone, the log names it"), number) for number in sorted(moves)]
    return RatingsAudit(rows, seen, len(sealed), entries, head, tuple(found))


class _Opening:
    """Rows as their chains have them: of those from before origins were sealed, with the clear one."""

    def __init__(self, province_id: int, key_of: Callable[[], bytes] | None) -> None:
        self._province_id, self._key_of = province_id, key_of
        self._key: OriginKey | None = None

    def row(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """What does not open stays sealed, so that its chain does not fit."""
        if self._key_of is None or not (row["origin"] or "").startswith(SEALED_LATER):
            return row
        self._key = self._key or OriginKey(self._key_of(), self._province_id)
        with suppress(ValueError):
            return {**row, "origin": self._key.open(row["origin"])}
        return row


def _chain_rows(connection: Connection, scope: Scope) -> list[Mapping[str, Any]]:
    return [dict(row) for row in connection.execute(scope.select(rating_chains)).mappings()]


def _key(row: Mapping[str, Any]) -> tuple[str, int, str]:
    return row["source"], row["received_day"], row["channel"]


def _place(key: tuple[str, int, str]) -> tuple[str, str, int]:
    source, day, channel = key
    return source, channel, day


def _rows(connection: Connection, scope: Scope) -> Iterator[dict[str, Any]]:
    columns = ratings.c
    order = (columns.source, columns.received_day, columns.channel, columns.id)
    query = scope.select(ratings).order_by(*order).execution_options(yield_per=2_000)
    further = has_answers(connection, scope)
    for part in connection.execute(query).mappings().partitions():
        more = answers_of(connection, scope, [row["id"] for row in part]) if further else {}
        for row in part:
            yield {**row, "more": more.get(row["id"], ())}


def _log(connection: Connection, scope: Scope) -> tuple[dict[int, _Move], dict[tuple[str, int, str], _Seal]]:
    """What the log says: moves of ratings, and the seals of each chain."""
    moves: dict[int, _Move] = {}
    sealed: dict[tuple[str, int, str], _Seal] = {}
    newest = -1
    query = scope.select(changes).where(changes.c.action.in_((*_MOVES, "ratings_sealed"))).order_by(changes.c.position)
    for row in connection.execute(query):
        detail = json.loads(row.detail)
        if row.action == "ratings_sealed":
            for name, digest in detail["digests"].items():
                source, _, channel = name.rpartition(" ")
                before = sealed.get((source, detail["day"], channel), _Seal((), detail["day"] < newest))
                sealed[source, detail["day"], channel] = _Seal((*before.digests, digest), before.late)
            newest = max(newest, detail["day"])
        elif isinstance(detail.get("state"), list):
            old, new = zip(detail["flag"], detail["state"], strict=True)
            move = moves.setdefault(detail["rating"], _Move(old, new))
            move.last = new
    return moves, sealed


def _compare(
    key: tuple[str, int, str],
    chain: Mapping[str, Any] | None,
    texts: list[bytes],
    sealed: Mapping[tuple[str, int, str], _Seal],
    made_up: bool,
) -> list[Difference]:
    place, seals = _place(key), sealed.get(key)
    if chain is None:
        if (key[0], key[1]) == BEFORE and not sealed:
            return []  # chained when the server seals its first day
        words = Plural("{count} row that no chain knows", "{count} rows that no chain knows", count=len(texts))
        return [Difference(*place, words)]
    wanted = set() if seals is None else set(seals.digests)
    at, digest = {}, ""
    for number, digest in enumerate(grown(chain["salt"], texts)):
        if digest in wanted:
            at[digest] = number
    found = []
    if len(texts) != chain["count"]:
        found.append(Difference(*place, _wrong_count(len(texts) - chain["count"])))
    elif digest != chain["digest"]:
        found.append(Difference(*place, Message("a row was changed, or its order")))
    if seals is None:
        if chain["sealed"]:
            found.append(Difference(*place, _NOT_SEALED))
        return found
    if not found and len(at) < len(wanted):
        found.append(Difference(*place, _NOT_SEALED))
    elif not found and seals.digests[0] != digest and not made_up:
        late = len(texts) - at[seals.digests[0]]
        words = Plural("{count} row came after the seal", "{count} rows came after the seal", count=late)
        found.append(Difference(*place, words))
    elif chain["sealed"] and seals.digests[-1] != chain["digest"]:
        found.append(Difference(*place, _NOT_SEALED))
    return found


def _out_of_time(key: tuple[str, int, str], seals: _Seal | None, newest: int) -> list[Difference]:
    """A chain that the application cannot have begun on its day. `newest`: the last day that is sealed. One that waits
    for its seal is judged as well: of a day to come none would ever be made."""
    day = key[1]
    if day > today():
        return [Difference(*_place(key), _TO_COME)]
    late = day < newest if seals is None else seals.late
    return [Difference(*_place(key), _SEALED_LATE)] if late else []


def _wrong_count(more: int) -> Sentence:
    if more > 0:
        return Plural("{count} row too many", "{count} rows too many", count=more)
    return Plural("{count} row too few", "{count} rows too few", count=-more)
