"""Drivers of an agency: from whole sheets of the store, under the rule of disclosure, on the agency's page."""

from __future__ import annotations

import random
from datetime import date

from msgspec import structs
from sqlalchemy import Engine

from pipeline.calendar import parse_period
from pipeline.instruments import load_instrument
from server.scores.drivers import _drivers_of, drivers_of
from server.store.engine import read, write
from tests.server.worlds import add_sheets, agency_id, small_province

PERIOD = parse_period("2026-Q2")
INSTRUMENT = load_instrument("2640")


def test_the_factor_that_the_overall_answer_follows_comes_first(store: Engine) -> None:
    """Overall follows B alone; D, which few answer, is left out and named; an agency that is hidden has none."""
    chance = random.Random(1)
    with write(store) as connection:
        province = small_province(connection)
        for agency, count in {"so-a": 150, "so-b": 60, "xa-c": 5}.items():
            for number in range(count):
                level = {code: chance.randint(1, 5) for code in ("A1", "B1", "C1")}
                sheet = {"overall": level["B1"], **level} | ({"D1": 5} if number % 5 == 0 else {})
                add_sheets(connection, province, agency, [sheet], day=date(2026, 4 + number % 3, 1 + number % 25))
    with read(store) as connection:
        found = drivers_of(connection, province, INSTRUMENT, PERIOD)
        ids = {code: agency_id(connection, province, code) for code in ("so-a", "so-b", "xa-c")}
        nothing = _drivers_of(connection, province, structs.replace(INSTRUMENT, factors=()), PERIOD)
    assert not nothing.agencies, "an instrument without factors on the wire"
    assert found.left_out == ("D", "E")
    own = found.agencies[ids["so-a"]]
    assert (own.sheets, own.complete) == (150, 150)
    assert own.drivers[0].name == "B"
    assert own.drivers[0].share > 0.9
    assert own.leads
    assert ids["xa-c"] not in found.agencies
