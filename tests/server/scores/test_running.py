"""What is said of a period that is not over is looked at daily: intervals, changes and ranks hold at every look."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

import server
from pipeline.calendar import parse_period
from pipeline.instruments import load_instrument
from server.scores import questions
from server.scores.comparing import difference, own_ranks, ranked_by, ranking
from server.scores.figures import Figure
from server.scores.fused import agency_scores
from server.scores.reasons import reasons_of
from server.scores.tables import TABLES, material
from server.store.engine import read, write
from tests.server.province import PERIOD, fill_province
from tests.server.worlds import add_sheets, small_province

LONG = load_instrument("1001")
NUMBER = next(item for item in LONG.items if item.kind == "number")
OVER = Figure("index", "index", 300, 250, 80.0, None, None, 1.5, None, None, None, None, False, 60.0, watched=False)
RUNS = replace(OVER, watched=True)
MAKES_ITS_OWN = {"server/scores/trends.py"}
"""Which knows of each month whether it is over."""


def still_running(monkeypatch: pytest.MonkeyPatch, day: int) -> None:
    """As if today were `day`, to whoever asks whether a period is over."""
    for module in ("pipeline.calendar", "server.scores.fused", "server.scores.held"):
        monkeypatch.setattr(f"{module}.today", lambda: day)


def test_whoever_makes_shares_says_whether_the_period_runs() -> None:
    root = Path(server.__file__).parent
    silent = {
        path.relative_to(root.parent).as_posix()
        for path in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("shares", "place_shares")
        and "watched" not in [keyword.arg for keyword in node.keywords]
    }
    assert silent == MAKES_ITS_OWN


@pytest.mark.parametrize(("now", "before"), [(RUNS, OVER), (OVER, RUNS), (RUNS, RUNS)])
def test_a_change_is_wider_by_each_side_that_runs(now: Figure, before: Figure) -> None:
    plain, found = difference(OVER, OVER), difference(now, before)
    assert plain is not None
    assert found is not None
    both = difference(RUNS, RUNS)
    assert both is not None
    assert both.low <= found.low < plain.low
    assert plain.high < found.high <= both.high


def test_ranks_of_a_running_period_say_less() -> None:
    assert ranked_by(RUNS, 26) < ranked_by(OVER, 26) == 200
    assert ranked_by(RUNS, 1) < ranked_by(RUNS, 26), "many at once leave less to the looks"
    shares = np.linspace(60, 95, 12)
    sets = [
        own_ranks([(str(n), replace(figure, index=float(share))) for n, share in enumerate(shares)], "5")
        for figure in (OVER, RUNS)
    ]
    over, runs = sets
    assert over is not None
    assert runs is not None
    assert runs.worst - runs.best > over.worst - over.best
    assert ranking([]) == []


def test_reasons_of_a_running_quarter_are_wider(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    instrument, period = load_instrument("2640"), parse_period("2026-Q2")
    with write(store) as connection:
        province = small_province(connection)
        for number in range(90):
            bits = 1 << instrument.reasons[0].bit if number % 2 else 0
            day = date(2026, 4 + number % 3, 1 + number % 25)
            add_sheets(connection, province, "so-a", [{"overall": 2, "A1": 3}], day=day, reasons=bits)
    widths = []
    for _ in range(2):
        with read(store) as connection:
            (whole,) = reasons_of(connection, province, instrument, period)
        widths.append(whole.reasons[0].high - whole.reasons[0].low)
        still_running(monkeypatch, period.last_day)
    assert widths[1] > 1.2 * widths[0]


def test_what_the_analysis_says_of_an_agency_is_what_its_page_says(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the page of a running quarter had a sequence, and the analysis and its file an interval for one look."""
    province = fill_province(store, "p1").province_id
    widths = []
    for _ in range(2):
        m = material(store, province, PERIOD)
        rows = {
            row["agency"]: row
            for row in TABLES["estimates"](m)
            if row["method"] == "explicit" and not row["service_group"]
        }
        pages = {one.id: one for one in agency_scores(store, province, PERIOD)}
        assert rows
        for code, row in rows.items():
            assert (row["low"], row["high"]) == pytest.approx((pages[code].explicit_low, pages[code].explicit_high))
        areas = TABLES["small-areas"](m)
        widths.append([rows["p1-a"]["high"] - rows["p1-a"]["low"], areas[0]["high"] - areas[0]["low"]])
        still_running(monkeypatch, PERIOD.last_day)
    assert widths[1][0] > widths[0][0]
    assert widths[1][1] > widths[0][1]


def test_a_mean_of_few_days_lies_within_what_may_be_answered() -> None:
    """Once a mean of one day had an interval without width, and a mean near an end one that went beyond it."""
    (low, high), mean_of = (NUMBER.low, NUMBER.high), questions._mean
    one_day = mean_of(NUMBER, {(1, 100): {3: 40, 5: 40}}, 80, watched=False)
    assert one_day == (4.0, low, high)
    nothing_said = mean_of(NUMBER, {(1, 100): {3: 40, 5: 40}, (1, 101): {-1: 9}}, 80, watched=False)
    assert nothing_said == one_day, "a day on which nobody knew is none"
    near = mean_of(NUMBER, {(1, 100): {low: 40}, (1, 101): {low: 39, high: 1}}, 80, watched=False)
    assert near[1] == low
    assert near[2] <= high
    days = {(1, day): {3: 10 + day % 3, 5: 10} for day in range(30)}
    answered = sum(n for of_day in days.values() for n in of_day.values())
    over, runs = (mean_of(NUMBER, days, answered, watched=watched) for watched in (False, True))
    assert runs[1] < over[1] < over[0] < over[2] < runs[2]
