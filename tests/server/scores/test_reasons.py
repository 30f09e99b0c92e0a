"""Why people are not satisfied: shares by hand, and under the rule of disclosure."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine, func, select

from pipeline.calendar import parse_period
from pipeline.instruments import load_instrument
from server.scores.reasons import DIMENSIONS, reasons_of
from server.store.engine import read, write
from server.store.tables.ratings import ratings
from tests.server.worlds import add_sheets, agency_id, small_province

PERIOD = parse_period("2026-Q2")
INSTRUMENT = load_instrument("2640")
BIT = {reason.code: reason.bit for reason in INSTRUMENT.reasons}


def _fill(store: Engine, counts: dict[str, int], bit: int) -> int:
    """Unsatisfied sheets of every agency, every second one with the reason; and as many satisfied ones."""
    with write(store) as connection:
        province = small_province(connection)
        for agency, count in counts.items():
            for number in range(count):
                day = date(2026, 4 + number % 3, 1 + number % 25)
                bits = (1 << bit) if number % 2 else 0
                add_sheets(connection, province, agency, [{"overall": 2, "A1": 3}], day=day, reasons=bits)
                add_sheets(connection, province, agency, [{"overall": 5, "A1": 5}], day=day)
    return province


def test_a_share_is_of_those_who_were_not_satisfied(store: Engine) -> None:
    province = _fill(store, {"so-a": 60, "so-b": 40}, BIT["attitude"])
    with read(store) as connection:
        (whole,) = reasons_of(connection, province, INSTRUMENT, PERIOD)
        agencies = reasons_of(connection, province, INSTRUMENT, PERIOD, "agency")
        criteria = reasons_of(connection, province, INSTRUMENT, PERIOD, "criterion")
    assert whole.unsatisfied == 100
    (reason,) = whole.reasons
    assert (reason.code, reason.sheets) == ("attitude", 50)
    assert reason.share == pytest.approx(50.0)
    assert 30 < reason.low < 50 < reason.high < 70
    assert [(str(one.name), one.unsatisfied) for one in agencies] == [("Cơ quan so-a", 60), ("Cơ quan so-b", 40)]
    assert [one.unsatisfied for one in criteria] == [100], "of the criteria that somebody was not satisfied with"


def test_reasons_of_few_are_nobodys_business(store: Engine) -> None:
    """One agency below the floor; and the next smallest, so that the province less the others does not tell it."""
    province = _fill(store, {"so-a": 70, "so-b": 35, "xa-c": 8}, BIT["cost"])
    with read(store) as connection:
        found = {str(one.name): one for one in reasons_of(connection, province, INSTRUMENT, PERIOD, "agency")}
        own = agency_id(connection, province, "xa-c")
        inside = {by: reasons_of(connection, province, INSTRUMENT, PERIOD, by, own) for by in DIMENSIONS}
    assert found["Cơ quan xa-c"].hidden
    assert found["Cơ quan so-b"].hidden
    assert not found["Cơ quan so-a"].hidden
    for places in inside.values():
        for place in places:
            assert place.hidden
            assert not place.reasons


def test_the_months_of_a_quarter_wait_until_it_is_settled(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    province = _fill(store, {"so-a": 300}, BIT["late"])
    with write(store) as connection:
        connection.execute(ratings.update().values(received_day=ratings.c.day))
    monkeypatch.setattr("server.core.disclosure.today", lambda: PERIOD.last_day + 3)
    with read(store) as connection:
        assert connection.execute(select(func.count()).select_from(ratings)).scalar_one() == 600
        for by in ("month", "channel"):
            for place in reasons_of(connection, province, INSTRUMENT, PERIOD, by):
                assert place.hidden, by
        (whole,) = reasons_of(connection, province, INSTRUMENT, PERIOD)
        assert whole.unsatisfied is not None
        assert whole.unsatisfied >= 30
