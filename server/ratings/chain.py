"""Chains over stored ratings: a row that is changed, added or removed behind the application's back is found.

digest_i = SHA-256(digest_{i-1} || row i), digest_0 = a random salt; one chain for each source, channel and day of
receipt, grown in the transaction that stores the rows. When its day is over the digest is sealed: it goes into the log
of changes, and out with that log's head. A row's text holds what the sheet says and how it was admitted; flag and state
that a person changed later are in the log with old and new value (`server.ratings.audit`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.calendar import day_at, now_s, today
from pipeline.instruments import RatingFlag
from server.core.changes import record_change
from server.core.provinces import all_provinces
from server.core.scope import Scope
from server.ratings.sheet_answers import More, more_text
from server.ratings.source import is_live
from server.store.tables.changes import changes
from server.store.tables.rating_chains import rating_chains
from server.store.tables.ratings import ANSWER_COLUMNS, ratings

_FIRST = ("agency_id", "counter_id", "service_id", "service_group", "channel", "day", "month", "instrument")
_LAST = ("instrument_version", "reasons", "origin", "source", "author_id", "received_day")
IMMUTABLE = (*_FIRST, *_LAST)
BODIES = ("handling_id", "deciding_id")
"""Columns that nothing changes after a row was stored, beside the answers."""
BEFORE = ("", 0)
"""Source and day of receipt of the rows from before sources were recorded."""
LATEST_S = 3_600
"""No transaction that stores ratings takes so long."""


def row_text(row: Mapping[str, Any], flag: int, state: int, more: More = ()) -> bytes:
    """What a chain says of a row and its further answers, with the flag and state that it was admitted with."""
    answers = "".join(str(row[name]) for name in ANSWER_COLUMNS)
    parts = [str(row[name]) for name in IMMUTABLE]
    # a row without any has the text that it had before there were any
    further = [more_text(more)] if more else []
    bodies = [row.get(name) for name in BODIES]
    further += ["bodies", *map(str, bodies)] if any(body is not None for body in bodies) else []
    return "\x1f".join([*parts, answers, str(int(flag)), str(int(state)), *further]).encode()


def grow(digest: str, texts: Iterable[bytes]) -> tuple[str, int]:
    """(digest, rows) after some more rows."""
    ((count, after),) = deque(enumerate(grown(digest, texts)), maxlen=1)
    return after, count


def grown(digest: str, texts: Iterable[bytes]) -> Iterator[str]:
    """The digest before some rows, and after each of them."""
    value = bytes.fromhex(digest)
    yield digest
    for text in texts:
        value = hashlib.sha256(value + text).digest()
        yield value.hex()


def _key(source: str, channel: str, received_day: int) -> tuple[Any, ...]:
    columns = rating_chains.c
    return columns.source == source, columns.channel == channel, columns.received_day == received_day


def extend(connection: Connection, scope: Scope, rows: Sequence[Mapping[str, Any]], more: Sequence[More]) -> None:
    """Grow the chain of the rows and their further answers, which are of one source, channel and day, and are stored in
    this transaction.

    Others wait at the chain's row until this transaction ends, so that its order is the table's."""
    source, channel, day = rows[0]["source"], rows[0]["channel"], rows[0]["received_day"]
    query = scope.select(rating_chains).where(*_key(source, channel, day)).with_for_update()
    held = connection.execute(query).first()
    if held is None:
        _begin(connection, scope, source, channel, day)
        held = connection.execute(query).one()
    both = zip(rows, more, strict=True)
    digest, count = grow(held.digest, (row_text(row, row["flag"], row["state"], further) for row, further in both))
    values = {"count": held._mapping["count"] + count, "digest": digest, "sealed": False}
    connection.execute(scope.update(rating_chains).where(rating_chains.c.id == held.id).values(**values))


def _begin(connection: Connection, scope: Scope, source: str, channel: str, day: int) -> None:
    """Make an empty chain, unless somebody else makes it now."""
    salt = secrets.token_hex(32)
    key = {"province_id": scope.province_id, "source": source, "channel": channel, "received_day": day}
    values = {**key, "salt": salt, "count": 0, "digest": salt, "sealed": False}
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(rating_chains).values(**values).on_conflict_do_nothing())


def received(connection: Connection, scope: Scope, source: str, channel: str, day: int) -> tuple[int, int | None]:
    """(ratings of a source and channel stored on a day, the newest day before on which there were any)."""
    mine = scope.select(rating_chains, rating_chains.c.count).where(*_key(source, channel, day)).with_for_update()
    before = scope.select(rating_chains, func.max(rating_chains.c.received_day)).where(
        rating_chains.c.source == source, rating_chains.c.channel == channel, rating_chains.c.received_day < day
    )
    return int(connection.execute(mine).scalar() or 0), connection.execute(before).scalar()


def chains_of(connection: Connection, scope: Scope, source: str) -> list[dict[str, Any]]:
    """The chains of a source as they stand."""
    query = scope.select(rating_chains).where(rating_chains.c.source == source)
    return [dict(row) for row in connection.execute(query).mappings()]


def set_back(connection: Connection, scope: Scope, source: str, chains: Iterable[Mapping[str, Any]]) -> None:
    """Make a source's chains what they were: its rows since then have been taken back."""
    kept = {chain["id"]: chain for chain in chains}
    for now in chains_of(connection, scope, source):
        is_this = rating_chains.c.id == now["id"]
        before = kept.get(now["id"])
        if before is None:
            connection.execute(scope.delete(rating_chains).where(is_this))
        else:
            connection.execute(scope.update(rating_chains).where(is_this).values(**before))


def seal(connection: Connection, scope: Scope, before: int | None = None) -> int:
    """Put the digests of days that are over into the log of changes; how many. Run hourly by the server. `before`: days
    before this one; today unless told.

    No count goes with a digest: how many answered at one counter on one day is nobody's."""
    _adopt(connection, scope)
    end = today() if before is None else before
    query = (
        scope.select(rating_chains)
        .where(rating_chains.c.sealed.is_(False), rating_chains.c.received_day < end)
        .order_by(rating_chains.c.received_day, rating_chains.c.source, rating_chains.c.channel)
    )
    by_day: dict[int, dict[str, str]] = {}
    for row in connection.execute(query.with_for_update()):
        by_day.setdefault(row.received_day, {})[f"{row.source} {row.channel}"] = row.digest
    for day, digests in by_day.items():
        record_change(connection, scope.province_id, None, "ratings_sealed", {"day": day, "digests": digests})
        _tell_aside(connection, scope, day, {name.rpartition(" ")[0] for name in digests})
    if by_day:
        is_sealed_now = (rating_chains.c.sealed.is_(False), rating_chains.c.received_day.in_(by_day))
        connection.execute(scope.update(rating_chains).where(*is_sealed_now).values(sealed=True))
    return sum(map(len, by_day.values()))


def _tell_aside(connection: Connection, scope: Scope, day: int, sources: Collection[str]) -> None:
    """Log what was set aside of a day's sheets that were stored as citizens gave them: at that moment an entry would
    have told it. What a person has done since has an entry of its own."""
    live = [source for source in sources if is_live(source)]
    keys = (ratings.c.source, ratings.c.flag)
    query = scope.select(ratings, *keys, func.count()).where(
        ratings.c.received_day == day,
        ratings.c.source.in_(live),
        ratings.c.flag.not_in((0, int(RatingFlag.WITHDRAWN))),
    )
    for source, flag, count in connection.execute(query.group_by(*keys).order_by(*keys)) if live else ():
        told = {"source": source, "flag": flag, "count": count, "day": day}
        record_change(connection, scope.province_id, None, "rating_set_aside", told)


def seal_all(connection: Connection) -> int:
    """Seal what is to be sealed in every province."""
    return sum(seal_over(connection, province.province_id) for province in all_provinces(connection))


def seal_over(connection: Connection, province_id: int) -> int:
    """Seal what is to be sealed in a province. A day is sealed an hour after its end: what was being stored at midnight
    is in its chain by then, and a row that comes after the seal was not stored by the application."""
    return seal(connection, Scope(province_id), day_at(now_s() - LATEST_S))


def _adopt(connection: Connection, scope: Scope) -> None:
    """Chain the rows from before there were chains, once, before anything is sealed: from here on they are held to what
    they are now. Such rows that come later were not stored by the application; the audit tells of them."""
    source, day = BEFORE
    of_seals = scope.select(changes, changes.c.id).where(changes.c.action == "ratings_sealed").limit(1)
    if connection.execute(of_seals).first():
        return
    is_adopted = (rating_chains.c.source == source, rating_chains.c.received_day == day)
    if connection.execute(scope.select(rating_chains, rating_chains.c.id).where(*is_adopted)).first():
        return
    old = (ratings.c.source == source, ratings.c.received_day == day)
    if connection.execute(scope.select(ratings, ratings.c.id).where(*old).limit(1)).first() is None:
        return
    for channel in connection.execute(scope.select(ratings, ratings.c.channel).where(*old).distinct()).scalars().all():
        query = scope.select(ratings).where(*old, ratings.c.channel == channel).order_by(ratings.c.id)
        rows = connection.execute(query.execution_options(yield_per=2_000)).mappings()
        salt = secrets.token_hex(32)
        digest, count = grow(salt, (row_text(dict(row), row["flag"], row["state"]) for row in rows))
        key = {"source": source, "channel": channel, "received_day": day, "salt": salt, "sealed": False}
        scope.insert(connection, rating_chains, {**key, "count": count, "digest": digest})
