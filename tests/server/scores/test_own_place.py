"""One agency's figures by themselves are those of the whole index, to the digit, and what is hidden there is hidden."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from pipeline.calendar import parse_period
from pipeline.instruments import load_instrument
from server.scores import own_place as own
from server.scores.figures import Figure, Place
from server.scores.index import compute_index
from server.scores.own_place import own_place, shared_by_agencies
from server.scores.standings import held_index
from server.simulation.province import simulate_province
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from tests.server.province import add_ratings, fill_province

INSTRUMENT = load_instrument("2640")


def _figures(place: Place) -> list[Figure]:
    return [replace(figure, adjusted=None) for figure in place.figures]


def test_an_agency_by_itself_is_as_among_all(store: Engine) -> None:
    with write(store) as connection:
        made = simulate_province(connection, seed=1, quarters=2, sheets_a_quarter=500, communes=2)
    seen, hidden = 0, 0
    with read(store) as connection:
        ids = {row.code: row.id for row in connection.execute(agencies.select())}
        for chosen in (parse_period("2026-Q3"), parse_period("2026-08")):
            whole = compute_index(connection, made.province_id, INSTRUMENT, chosen, dimensions=("agency",))
            for place in whole.of("agency"):
                alone = own_place(connection, made.province_id, INSTRUMENT, chosen, ids[place.key])
                assert alone is not None
                assert _figures(alone) == _figures(place), place.key
                assert (alone.key, alone.sheets, alone.overall_alone) == (place.key, place.sheets, place.overall_alone)
                assert (alone.transactions, alone.covered) == (place.transactions, place.covered)
                hidden += place.figure("index").suppressed
                seen += place.figure("index").index is not None
    assert seen, "nothing was compared"
    assert hidden, "nothing was hidden"


def test_what_is_held_already_is_used_and_another_version_is_not(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fill_province(store, "xa", simulated=False)
    agency = made.agencies["xa-a"]
    chosen = parse_period("2026-Q3")
    with read(store) as connection:
        first = shared_by_agencies(connection, made.province_id, INSTRUMENT, chosen)
        assert shared_by_agencies(connection, made.province_id, INSTRUMENT, chosen) is first
        before = own_place(connection, made.province_id, INSTRUMENT, chosen, agency)
    with write(store) as connection:
        add_ratings(connection, made.province_id, agency, 200, 10)
    with read(store) as connection:
        now = own_place(connection, made.province_id, INSTRUMENT, chosen, agency)
        assert before is not None
        assert now is not None
        assert now.sheets == before.sheets + 200
        whole = held_index(connection, made.province_id, INSTRUMENT, chosen)
        monkeypatch.setattr(own, "shared_by_agencies", None)  # the whole is there: nothing is made
        held = own_place(connection, made.province_id, INSTRUMENT, chosen, agency)
        assert held in whole.places
        assert _figures(held) == _figures(now)
        assert own_place(connection, made.province_id, INSTRUMENT, chosen, 10**6) is None
