"""Reasons, drivers, an agency's parts and its months are those of the implementation before sheets were held (commit
495db40), to the digit; two parts that other totals told have none since (ADR 0247), and the
months' intervals know their days (ADR 0254)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from pipeline.calendar import parse_period
from pipeline.instruments import load_instrument
from server.catalogue.succession import Line
from server.scores.drivers import drivers_of
from server.scores.reasons import DIMENSIONS, Part, reasons_of
from server.scores.standings import index_within, standings
from server.scores.trends import trend
from server.scores.within import DIMENSIONS as PARTS
from server.simulation.province import simulate_province
from server.store.engine import read, write

PERIOD = parse_period("2026-Q3")
Lines = dict[str, list[Any]]


def parts(connection: Connection, province_id: int) -> Lines:
    """Name -> figures, of the whole province and of its two agencies with most sheets."""
    instrument = load_instrument("2640")
    found: Lines = {}
    stands = standings(connection, province_id, PERIOD)
    most = sorted(stands.agencies, key=lambda one: (-one.sheets, one.code))[:2]
    for one in stands.agencies:
        changes = [None if of.change is None else of.change.low for of in (one.last, one.year)]
        found[f"standing {one.code}"] = [one.figure.index, one.low, one.falling, *changes]
    drivers = drivers_of(connection, province_id, instrument, PERIOD).agencies
    ids = {str(row.code): int(row.id) for row in connection.exec_driver_sql("SELECT code, id FROM agencies")}
    whole = [(None, dimension) for dimension in DIMENSIONS]
    for agency, dimension in [*whole, *((ids[one.code], dimension) for one in most for dimension in DIMENSIONS)]:
        for place in reasons_of(connection, province_id, instrument, PERIOD, dimension, agency):
            lines = [[one.code, one.sheets, one.share, one.low, one.high] for one in place.reasons[:3]]
            found[f"reasons {agency} {dimension} {place.key}"] = [place.unsatisfied, *lines]
    part = Part("service_group", frozenset({1, 2, 3}), (frozenset({4, 5}), frozenset({6})))
    for place in reasons_of(connection, province_id, instrument, PERIOD, part=part):
        found["reasons of groups"] = [place.unsatisfied, *([one.code, one.low] for one in place.reasons)]
    for one in most:
        agency = ids[one.code]
        found[f"drivers {one.code}"] = [[d.name, d.share, d.low, d.high] for d in drivers[agency].drivers]
        found[f"months {one.code}"] = [
            [point.month, point.rated, point.index, point.low, point.high]
            for point in trend(connection, province_id, Line.alone(agency), PERIOD)
        ]
        for part_of in index_within(connection, province_id, instrument, PERIOD, PARTS, agency).places:
            figure = part_of.figure("index")
            row = [part_of.sheets, figure.index, figure.low, figure.high, figure.suppressed]
            found[f"part {one.code} {part_of.dimension} {part_of.key}"] = row
    return found


def _flat(values: list[Any]) -> list[Any]:
    return [one for value in values for one in (_flat(value) if isinstance(value, list) else [value])]


def test_reasons_drivers_parts_and_months_have_not_moved(store: Engine) -> None:
    with write(store) as connection:
        made = simulate_province(connection, seed=1, quarters=5, sheets_a_quarter=900, communes=2)
    with read(store) as connection:
        found = parts(connection, made.province_id)
    expected: Lines = json.loads(Path(__file__).with_name("pinned_parts.json").read_text(encoding="utf-8"))
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert _flat(found[name]) == pytest.approx(_flat(values), abs=1e-6, nan_ok=True), name
    assert sum(len(_flat(values)) for values in expected.values()) > 500
