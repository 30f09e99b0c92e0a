"""The one door to the table `ratings`: who adds, sets aside, counts again or takes back goes through here.

Every change is in the log of changes: what the staff enters at once, with its author; a file's sheets with the file;
what is set aside with its reason, of citizens' own sheets when their day is sealed (`server.ratings.chain`). No entry
tells when a citizen answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from pipeline.calendar import today
from pipeline.errors import ForbiddenError, NotFoundError
from pipeline.instruments import RatingFlag
from pipeline.language import Message
from server.core.changes import record_change
from server.core.scope import Scope
from server.ratings.admission import Admitted
from server.ratings.chain import chains_of, extend, set_back
from server.ratings.closing import require_open
from server.ratings.rating import Place, Unfit
from server.ratings.sheet_answers import add_answers, remove_answers
from server.ratings.source import Source, SourceKind, is_live
from server.store.engine import insert_row
from server.store.tables.rating_chains import withdrawals
from server.store.tables.ratings import RatingState, ratings
from server.store.tables.unfit_sheets import unfit_sheets


def row_of(admitted: Admitted, received_day: int) -> dict[str, Any]:
    """The row of `ratings`."""
    return {
        **admitted.rating.values(),
        "state": int(admitted.state),
        "source": str(admitted.source),
        "author_id": admitted.source.author_id,
        "received_day": received_day,
    }


def add(connection: Connection, admitted: Sequence[Admitted], received_day: int | None = None) -> None:
    """Store ratings of one province and one source, and write the log of changes. `received_day`: today unless told."""
    if not admitted:
        return
    day = today() if received_day is None else received_day
    scope = Scope(admitted[0].rating.place.province_id)
    number = None
    by_channel: dict[str, list[Admitted]] = {}
    for one in admitted:
        by_channel.setdefault(one.rating.channel.code, []).append(one)
    for group in by_channel.values():
        rows, more = [row_of(one, day) for one in group], [one.rating.more for one in group]
        extend(connection, scope, rows, more)
        if len(admitted) == 1:
            number = insert_row(connection, ratings, rows[0])
            add_answers(connection, scope, [(number, more[0])])
        elif any(more):
            inserted = insert(ratings).returning(ratings.c.id, sort_by_parameter_order=True)
            add_answers(connection, scope, zip(connection.execute(inserted, rows).scalars(), more, strict=True))
        else:
            connection.execute(insert(ratings), rows)
    _log(connection, admitted, number)


def seal_origin(connection: Connection, scope: Scope, rating_id: int, sealed: str) -> None:
    """Put the sealed form of what a sheet is known again by in the place of the clear one (`server.ratings.origins`).
    Not in the log: no figure is made of it, and the chain has the clear form."""
    connection.execute(scope.update(ratings).where(ratings.c.id == rating_id).values(origin=sealed))


def _log(connection: Connection, admitted: Sequence[Admitted], number: int | None) -> None:
    source, province_id = admitted[0].source, admitted[0].rating.place.province_id
    if source.kind is SourceKind.IMPORT or is_live(str(source)):
        return  # the file's own entry tells how many it added and how many were set aside; the seal of live ones
    named = {"source": str(source)} | ({} if number is None else {"rating": number})
    if source.kind in (SourceKind.STAFF, SourceKind.SIMULATION):
        pairs = Counter((one.rating.channel.code, one.rating.place.agency_id) for one in admitted)
        whole = {"count": len(admitted)}
        what = {"channel": next(iter(pairs))[0], "agency": next(iter(pairs))[1]} if len(pairs) == 1 else {}
        record_change(connection, province_id, source.author_id, "rating_entered", {**named, **whole, **what})
    flags = Counter(int(one.rating.flag) for one in admitted if one.state is RatingState.SET_ASIDE)
    for flag, count in sorted(flags.items()):
        record_change(connection, province_id, source.author_id, "rating_set_aside",
                      {**named, "flag": flag, "count": count})  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnfitSheet:
    """A sheet that is no rating, as it came. `day` may be no day at all."""

    place: Place
    source: Source
    channel: str
    instrument: str
    instrument_version: int
    answers: tuple[int, ...]
    reason: Unfit
    day: int
    reasons: int
    flag: int


def add_unfit(connection: Connection, sheets: Sequence[UnfitSheet], received_day: int) -> None:
    """Keep sheets that do not fit their instrument, apart from all ratings, and tell the log of changes."""
    if not sheets:
        return
    rows = [
        {
            "province_id": one.place.province_id,
            "agency_id": one.place.agency_id,
            "source": str(one.source),
            "channel": one.channel,
            "day": one.day,
            "received_day": received_day,
            "instrument": one.instrument,
            "instrument_version": one.instrument_version,
            "answers": "".join(map(str, one.answers)),
            "reasons": one.reasons,
            "flag": one.flag,
            "reason": one.reason.value,
        }
        for one in sheets
    ]
    connection.execute(insert(unfit_sheets), rows)
    found = Counter((one.place.province_id, str(one.source), one.reason.value) for one in sheets)
    for (province_id, source, reason), count in sorted(found.items()):
        record_change(connection, province_id, None, "sheets_unfit",
                      {"source": source, "reason": reason, "count": count})  # fmt: skip


def set_aside(connection: Connection, scope: Scope, rating_id: int, flag: RatingFlag, user_id: int | None) -> None:
    """Set a rating aside for a reason. Raises `NotFoundError`; `ConflictError` where its period is closed."""
    _change(connection, scope, rating_id, "rating_set_aside", user_id, flag=flag, state=RatingState.SET_ASIDE)


def restore(connection: Connection, scope: Scope, rating_id: int, user_id: int | None) -> None:
    """Count a rating again that was set aside; its flag stays.

    Raises `NotFoundError`, `ConflictError` where its period is closed, `ForbiddenError` for whoever entered it."""
    _change(connection, scope, rating_id, "rating_restored", user_id, flag=None, state=RatingState.RESTORED)


def withdraw(connection: Connection, scope: Scope, rating_id: int, user_id: int | None) -> bool:
    """Ask that a rating be set aside; True where another person has asked before, so that it is done now.

    Raises as `set_aside`; `ForbiddenError` where nobody is logged in."""
    if user_id is None:
        raise ForbiddenError(Message("A withdrawal needs two people."))
    held = _held(connection, scope, rating_id)
    require_open(connection, scope, held.day)
    query = scope.select(withdrawals).where(withdrawals.c.rating_id == rating_id).with_for_update()
    asked = connection.execute(query).first()
    if asked is None:
        scope.insert(connection, withdrawals, {"rating_id": rating_id, "asked_by": user_id, "day": today()})
        record_change(connection, scope.province_id, user_id, "withdrawal_asked", {"rating": rating_id})
        return False
    if asked.asked_by == user_id:
        raise ForbiddenError(Message("Somebody else has to confirm the withdrawal."))
    connection.execute(scope.delete(withdrawals).where(withdrawals.c.rating_id == rating_id))
    set_aside(connection, scope, rating_id, RatingFlag.WITHDRAWN, user_id)
    return True


def _held(connection: Connection, scope: Scope, rating_id: int) -> Row[Any]:
    held = connection.execute(scope.select(ratings).where(ratings.c.id == rating_id).with_for_update()).first()
    if held is None:
        raise NotFoundError(Message("There is no such rating."))
    return held


def _change(
    connection: Connection,
    scope: Scope,
    rating_id: int,
    action: str,
    user_id: int | None,
    *,
    flag: RatingFlag | None,
    state: RatingState,
) -> None:
    """Change flag and state of a rating; the log tells the old and the new ones."""
    held = _held(connection, scope, rating_id)
    require_open(connection, scope, held.day)
    if state is RatingState.RESTORED and held.author_id is not None and held.author_id == user_id:
        raise ForbiddenError(Message("Whoever entered a rating may not count it again."))
    new = int(held.flag if flag is None else flag)
    connection.execute(scope.update(ratings).where(ratings.c.id == rating_id).values(flag=new, state=int(state)))
    detail = {"rating": rating_id, "flag": [held.flag, new], "state": [held.state, int(state)]}
    record_change(connection, scope.province_id, user_id, action, detail)


@dataclass(frozen=True, slots=True)
class SourceState:
    """How far the table was when a source began to write. `newest`: the newest id of all; `chains`: the source's."""

    source: Source
    newest: int
    chains: tuple[dict[str, Any], ...]


def state_of(connection: Connection, scope: Scope, source: Source) -> SourceState:
    """Where a source begins: what it writes from here on can be taken back."""
    newest = int(connection.execute(select(func.coalesce(func.max(ratings.c.id), 0))).scalar_one())
    return SourceState(source, newest, tuple(chains_of(connection, scope, str(source))))


def take_back(connection: Connection, scope: Scope, since: SourceState) -> None:
    """Remove what a source has written since, as after an import that failed."""
    is_newer = (ratings.c.source == str(since.source), ratings.c.id > since.newest)
    remove_answers(connection, scope, scope.select(ratings, ratings.c.id).where(*is_newer))
    connection.execute(scope.delete(ratings).where(*is_newer))
    set_back(connection, scope, str(since.source), since.chains)
