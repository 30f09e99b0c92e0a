"""One place where an answer sheet becomes a row of `ratings`, whatever channel it came by."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from pipeline.calendar import month_of_day, today
from pipeline.errors import ConfigError
from pipeline.instruments import Instrument, RatingFlag, check_answers, drop_unasked
from pipeline.words import Words, join
from server.core.changes import record_change
from server.store.engine import insert_row
from server.store.tables.comments import comments
from server.store.tables.ratings import RatingState, answer_values, ratings

MAX_COMMENT = 2_000


def store_sheet(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    answers: Sequence[int],
    *,
    agency_id: int,
    channel: str,
    service_group: int = 0,
    service_id: int | None = None,
    day: int | None = None,
    reasons: int = 0,
    flag: RatingFlag = RatingFlag.NONE,
    origin: str | None = None,
    full_form: bool = False,
    user_id: int | None = None,
) -> int:
    """Check and insert a sheet; a flagged one is set aside, and the log of changes says so. Returns its id.

    Raises `ConfigError` with every reason where the sheet is not valid."""
    kept = drop_unasked(instrument, answers)
    problems = check_answers(instrument, kept, full_form=full_form, reasons=reasons)
    if problems:
        raise ConfigError(join(problem.words for problem in problems))
    when = today() if day is None else day
    values = {
        "province_id": province_id,
        "agency_id": agency_id,
        "service_id": service_id,
        "service_group": service_group,
        "channel": channel,
        "day": when,
        "month": month_of_day(when),
        "instrument": instrument.code,
        "instrument_version": instrument.version,
        **answer_values(kept),
        "reasons": reasons,
        "flag": int(flag),
        "state": int(RatingState.SET_ASIDE if flag else RatingState.COUNTED),
        "origin": origin,
    }
    rating = insert_row(connection, ratings, values)
    if flag:
        record_change(connection, province_id, user_id, "rating_set_aside", {"rating": rating, "flag": int(flag)})
    return rating


def set_aside(connection: Connection, province_id: int, rating_id: int, flag: RatingFlag, user_id: int | None) -> None:
    """Set a counted rating aside for a reason. Raises `ConfigError` where there is none."""
    _change(connection, province_id, rating_id, {"flag": int(flag), "state": int(RatingState.SET_ASIDE)})
    record_change(connection, province_id, user_id, "rating_set_aside", {"rating": rating_id, "flag": int(flag)})


def restore(connection: Connection, province_id: int, rating_id: int, user_id: int | None) -> None:
    """Count a rating again that was set aside; its flag stays. Raises `ConfigError` where there is none."""
    row = connection.execute(
        select(ratings.c.flag).where(ratings.c.province_id == province_id, ratings.c.id == rating_id)
    ).first()
    _change(connection, province_id, rating_id, {"state": int(RatingState.RESTORED)})
    flag = row.flag if row else 0
    record_change(connection, province_id, user_id, "rating_restored", {"rating": rating_id, "flag": flag})


def _change(connection: Connection, province_id: int, rating_id: int, values: dict[str, int]) -> None:
    is_this_rating = (ratings.c.province_id == province_id, ratings.c.id == rating_id)
    if connection.execute(update(ratings).where(*is_this_rating).values(**values)).rowcount != 1:
        raise ConfigError(Words("There is no such rating.", "Không có phiếu này."))


def store_comments(
    connection: Connection, province_id: int, agency_id: int, service_group: int, texts: dict[str, str]
) -> None:
    """Keep expectations and suggestions (`kind` -> text), apart from the sheet they came with."""
    month = month_of_day(today())
    for kind, text in texts.items():
        if text.strip():
            connection.execute(
                insert(comments).values(
                    province_id=province_id,
                    agency_id=agency_id,
                    service_group=service_group,
                    month=month,
                    kind=kind,
                    text=text.strip()[:MAX_COMMENT],
                )
            )
