"""The figures of a generated province are those of the implementation before arrays (commit 7634441), to the digit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from pipeline.calendar import Period, month_of_day, parse_period
from pipeline.instruments import load_instrument
from server.scores.fused import agency_scores
from server.scores.index import compute_index
from server.scores.tables import TABLES, material
from server.simulation.evidence import simulate_evidence
from server.simulation.province import simulate_province
from server.store.engine import read, write

PERIOD = parse_period("2026-Q3")
FIGURES = ("index", "low", "high", "weighted", "weighted_low", "weighted_high", "adjusted")


def test_figures_intervals_ranks_small_areas_and_drift_have_not_moved(store: Engine) -> None:
    with write(store) as connection:
        made = simulate_province(connection, seed=1, quarters=5, sheets_a_quarter=900, communes=12)
        months = Period("", month_of_day(made.first_day), month_of_day(made.last_day))
        simulate_evidence(connection, made.province_id, months, seed=1, rho=0.4)
    with read(store) as connection:
        result = compute_index(connection, made.province_id, load_instrument("2640"), PERIOD)
        narrow = compute_index(
            connection,
            made.province_id,
            load_instrument("2640"),
            PERIOD,
            dimensions=("province",),
            only=("index", "C1"),
        )
    places = {place.key: place for place in result.places}
    expected: dict[str, Any] = json.loads(Path(__file__).with_name("pinned.json").read_text(encoding="utf-8"))
    for name, figures in expected["index"].items():
        key, item = name.split()
        found = places[key].figure(item)
        assert [getattr(found, one) for one in FIGURES] == pytest.approx(figures, abs=1e-4), name
    effects = [[one.channel, one.effect, one.error] for one in result.effects if one.item == "index"]
    assert [one[0] for one in effects] == [one[0] for one in expected["effects"]]
    assert [one[1:] for one in effects] == [pytest.approx(one[1:], abs=1e-3) for one in expected["effects"]]
    # no figure depends on which others are asked for
    assert [one.item for one in narrow.places[0].figures] == ["C1", "index"]
    assert all(places["mau"].figure(one.item) == one for one in narrow.places[0].figures)

    scores = {one.id: one for one in agency_scores(store, made.province_id, PERIOD) if one.index_explicit is not None}
    assert scores.keys() == expected["fused"].keys()
    for key, (*bounds, verdict) in expected["fused"].items():
        one = scores[key]
        assert one.verdict == verdict, key
        assert [one.explicit_low, one.explicit_high, one.fused_low, one.fused_high] == pytest.approx(bounds, abs=1e-4)
    tables = material(store, made.province_id, PERIOD)
    ranks = {row["agency"]: f"{row['best']}-{row['worst']}" for row in TABLES["ranks"](tables)}
    assert ranks == expected["ranks"]
    small = {row["agency"]: [row["index"], row["low"], row["high"]] for row in TABLES["small-areas"](tables)}
    assert small == {key: pytest.approx(row, abs=1e-4) for key, row in expected["small"].items()}
    drift = TABLES["drift"](tables)
    assert len(drift) == expected["ndrift"]
    first = [[row["agency"], row["kind"]] for row in drift[:6]]
    assert first == [row[:2] for row in expected["drift"]]
    assert [row["statistic"] for row in drift[:6]] == pytest.approx([row[2] for row in expected["drift"]], abs=1e-4)
