"""What is held of what may be seen is never another province's, another period's, or older than the store."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, event

from pipeline.calendar import Period, month_of_day, parse_period
from pipeline.instruments import RatingFlag, load_instrument
from server.catalogue.succession import Line
from server.core.disclosure import published
from server.core.scope import Scope
from server.ratings.store import set_aside
from server.scores import sheets as sheets_module
from server.scores.sheets import Sheets, held_sheets, read_sheets
from server.scores.shown import QUARTERS_AT_ONCE, shown_of
from server.scores.trends import trend
from server.store.engine import read, write
from server.store.tables.ratings import ratings
from tests.server.province import PERIOD, Province, add_ratings, fill_province

INSTRUMENT = load_instrument("2640")
EARLIER = PERIOD.before()
PERIODS = (
    PERIOD,
    EARLIER,
    PERIOD.year_before(),
    Period("", EARLIER.first_month, PERIOD.last_month),
    Period("", PERIOD.first_month + 1, PERIOD.first_month + 1),
    parse_period("2026"),
    Period("", PERIOD.last_month - 12, PERIOD.last_month),
    Period("", 0, PERIOD.last_month),
)


def _same(one: Sheets, other: Sheets) -> bool:
    return all(np.array_equal(getattr(one, part.name), getattr(other, part.name)) for part in fields(Sheets))


def _look(connection: Connection, made: Province) -> int:
    """Everything that is held against what is read anew; how many sheets were seen."""
    seen = 0
    for period in PERIODS:
        for below in (None, 2):
            shown = shown_of(connection, made.province_id, period, below)
            assert shown == published(connection, made.province_id, period, below=below), period
        shown = shown_of(connection, made.province_id, period)
        for agency in (None, *made.agencies.values()):
            found = held_sheets(connection, made.province_id, INSTRUMENT, period, shown, agency)
            anew = read_sheets(connection, made.province_id, INSTRUMENT, period, shown, agency)
            assert _same(found, anew), (period, agency)
            assert [getattr(found, part.name).dtype.kind for part in fields(Sheets)] == [
                getattr(anew, part.name).dtype.kind for part in fields(Sheets)
            ]
            seen += len(found)
    return seen


def test_what_is_held_is_what_is_read(any_store: Engine) -> None:
    made = [fill_province(any_store, code) for code in ("nho", "vua")]
    day = EARLIER.first_day + 3
    with write(any_store) as connection:
        of = {"day": day, "month": month_of_day(day), "channel": "paper", "reasons": 5, "received_day": day + 40}
        add_ratings(connection, made[1].province_id, made[1].agencies["vua-a"], 70, 30, **of)
    with read(any_store) as connection:
        before = [_look(connection, one) for one in made]
    assert before[0] > 0
    assert before[1] > before[0]
    with write(any_store) as connection:
        add_ratings(connection, made[0].province_id, made[0].agencies["nho-b"], 60, 40)
    with read(any_store) as connection:
        after = [_look(connection, one) for one in made]
    assert after[0] > before[0], "the store is newer than what was held"
    assert after[1] == before[1]
    with write(any_store) as connection:
        scope = Scope(made[0].province_id)
        first = connection.execute(scope.select(ratings, ratings.c.id)).scalars().first()
        set_aside(connection, scope, int(first or 0), RatingFlag.BURST, None)
    with read(any_store) as connection:
        assert _look(connection, made[0]) < after[0]


def test_it_is_read_once(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fill_province(store, "nho")
    asked: list[str] = []
    with read(store) as connection:
        shown = shown_of(connection, made.province_id, PERIOD)
        held_sheets(connection, made.province_id, INSTRUMENT, PERIOD, shown)
        event.listen(store, "before_cursor_execute", lambda *given: asked.append(str(given[2])))
        shown_of(connection, made.province_id, PERIOD)
        held_sheets(connection, made.province_id, INSTRUMENT, PERIOD, shown)
        held_sheets(connection, made.province_id, INSTRUMENT, PERIOD, shown, made.agencies["nho-a"])
        assert not any("FROM ratings" in one for one in asked)
        monkeypatch.setattr(sheets_module, "MAX_HELD_SHEETS", 1)
        monkeypatch.setattr(sheets_module, "_held", type(sheets_module._held)(6))
        for _ in range(2):
            held_sheets(connection, made.province_id, INSTRUMENT, PERIOD, shown)
        assert sum("FROM ratings" in one for one in asked) == 2, "too many to be held"


def test_quarters_beyond_the_bound_are_held_by_nobody(store: Engine) -> None:
    made = fill_province(store, "nho")
    long = Period("", PERIOD.last_month - 3 * QUARTERS_AT_ONCE, PERIOD.last_month)
    with read(store) as connection:
        first, second = (shown_of(connection, made.province_id, long) for _ in range(2))
    assert first == second
    assert first.months is not second.months


def test_a_line_by_month_is_of_one_agency_alone(store: Engine) -> None:
    made = fill_province(store, "nho")
    with write(store) as connection:
        add_ratings(connection, made.province_id, made.agencies["nho-a"], 90, 45)
    with read(store) as connection:
        points = {
            code: {
                point.month: point.rated for point in trend(connection, made.province_id, Line.alone(agency), PERIOD)
            }
            for code, agency in made.agencies.items()
        }
        shown = published(connection, made.province_id, PERIOD)
        for code, agency in made.agencies.items():
            assert points[code][PERIOD.first_month] == shown.months_of([agency]).get(PERIOD.first_month, 0), code
    assert points["nho-a"] != points["nho-b"]
