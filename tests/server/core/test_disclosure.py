"""Nobody sees an answer as it is given, and no difference of two views tells fewer than `below` sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from pipeline.calendar import month_of_day, parse_period, quarter_of_month, today
from server.core.disclosure import (
    SETTLED_AFTER_DAYS,
    hidden_cells,
    hidden_counters,
    hidden_figures,
    hidden_places,
    last_shown,
    published,
)
from server.store.engine import write
from server.store.tables.ratings import ratings
from server.store.tables.transactions import transactions
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import PERIOD, Province, add_ratings, application, fill_province
from tests.server.web.test_isolation import methods, permission_of, routes

DAYS = st.dictionaries(st.integers(0, 140), st.integers(1, 40), max_size=60)


@given(DAYS, st.integers(2, 40))
def test_two_days_views_differ_by_nothing_or_by_enough(known: dict[int, int], below: int) -> None:
    """A quarter of 90 days that settles after day 134, seen every day, while late sheets come until day 140."""
    before = None
    for now in range(160):
        last = last_shown(known, below, now, 134)
        seen = sum(count for day, count in known.items() if day <= last)
        assert last < now, "days that are over"
        if before is not None and now != 135:
            assert seen == before or seen - before >= below, (now, seen, before)
        if now == 135 and before:
            assert seen - before >= below, "what was held back comes with a whole block"
        before = seen


@given(st.dictionaries(st.integers(), st.integers(0, 60), max_size=12), st.integers(2, 40))
def test_what_is_hidden_is_hidden_among_enough(sheets: dict[int, int], below: int) -> None:
    hidden = hidden_places(sheets, below)
    assert {place for place, count in sheets.items() if 0 < count < below} <= hidden
    total = sum(sheets[place] for place in hidden)
    assert total == 0 or total >= below or hidden == {place for place, count in sheets.items() if count}


CELLS = st.dictionaries(st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), st.integers(0, 90), max_size=16)


@given(CELLS, st.integers(2, 40))
def test_no_row_and_no_column_tells_a_hidden_cell(sheets: dict[tuple[str, str], int], below: int) -> None:
    """Both ways' totals are known, and every cell that is not hidden."""
    hidden = hidden_cells(sheets, below)
    assert {cell for cell, count in sheets.items() if 0 < count < below} <= hidden
    filled = {cell for cell, count in sheets.items() if count}
    alone = {cell for cell in filled if sum(other[0] == cell[0] for other in filled) == 1}
    for way in (0, 1):
        for line in {cell[way] for cell in filled}:
            cells = {cell for cell in filled if cell[way] == line}
            secret = (cells & hidden) - alone
            total = sum(sheets[cell] for cell in secret)
            assert total == 0 or total >= below or cells - hidden <= alone, (line, sheets, hidden)


@given(
    st.dictionaries(st.integers(1, 6), st.integers(0, 90), max_size=6),
    st.dictionaries(st.integers(1, 6), st.integers(1, 4), max_size=6),
    st.integers(2, 40),
)
def test_no_counter_of_one_clerk_is_shown_nor_told_by_the_others(
    sheets: dict[int, int], clerks: dict[int, int], below: int
) -> None:
    hidden = hidden_counters(sheets, clerks, below)
    filled = {one for one, count in sheets.items() if count}
    for one in filled - hidden:
        assert clerks.get(one, 1) >= 2, "nobody has said that more than one serve there"
        assert sheets[one] >= below
    if hidden and filled - hidden:
        assert sum(sheets[one] for one in hidden) >= below
        assert sum(clerks.get(one, 1) for one in hidden) >= 2


FIGURES = (
    "/?period={p}",
    "/agencies/aaa-a?period={p}",
    "/agencies/aaa-a/screen",
    "/scores.csv?period={p}",
    "/survey/index?period={p}",
    "/survey/index?period={p}&by=channel",
    "/survey/index?period={p}&by=month",
    "/reasons?period={p}",
    "/reasons?period={p}&by=agency",
    "/reasons?period={p}&by=month",
    "/reasons.csv?period={p}&by=agency",
    "/comments?period={p}",
    "/compare?period={p}",
    "/compare?period={p}&a=aaa-a",
    "/compare.csv?period={p}&a=aaa-a",
    "/heatmap?period={p}",
    "/heatmap.csv?period={p}",
    "/survey/index.csv?period={p}",
    "/agencies/aaa-a/figures.csv?period={p}",
    "/survey/766.csv?period={p}&origin=own",
    "/places/service_group/1?period={p}",
    "/api/v1/scores?period={p}",
    "/api/v1/index?period={p}",
    "/analysis?period={p}",
    "/analysis/estimates.csv?period={p}",
    "/api/v1/ratings?period={p}",
    "/survey/questions?period={p}",
    "/survey/questions?period={p}&agency=aaa-a",
    "/survey/bridge?old=201&new=301&period={p}",
    "/survey/raked?period={p}",
    "/analysis/before-after?agency=aaa-a",
    "/survey/766?period={p}&origin=own",
    "/survey/766/aaa-a?period={p}&origin=own",
    "/api/v1/indicators766?period={p}&origin=own",
)
"""Every route that shows a figure of sheets."""
NO_FIGURES = (
    "/log-in", "/account", "/health", "/privacy", "/users", "/catalogue", "/settings", "/feedback", "/survey/rounds",
    "/survey/entry", "/survey/enumerators", "/survey/hotline", "/survey/import", "/survey/review", "/survey/comments",
    "/api/v1/alive", "/api/v1/health", "/api/v1/heads.jsonl", "/api/v1/changes-head", "/api/v1/dictionary", "/s/",
    "/embed/", "/survey/feedback", "/survey/plan", "/import", "/survey/index.xlsx",
    "/api/v1/ratings-metadata", "/survey/releases", "/releases", "/unfit", "/survey/response", "/reports",
    "/survey/questions", "/survey/instruments", "/alerts", "/survey/figures-metadata", "/thanks/",
)  # fmt: skip
"""Routes without a figure of answers (a count of forms, a state, one's own sheet to judge); the workbook is a ZIP."""


@pytest.fixture
def province(store: Engine) -> Province:
    """With dossiers of which the late ones are told: then ratings of 1 or 2 count as dislikes (Decision 766)."""
    made = fill_province(store, "aaa", simulated=False)
    months = {*PERIOD.months, month_of_day(today())}
    with write(store) as connection:
        for agency in made.agencies.values():
            for month in months:
                row = {"province_id": made.province_id, "agency_id": agency, "month": month, "service_group": 0}
                connection.execute(
                    transactions.delete().where(transactions.c.agency_id == agency, transactions.c.month == month)
                )
                connection.execute(transactions.insert().values(**row, count=500, late=20))
    return made


def _bodies(browser: Browser, period: str) -> dict[str, str]:
    found = {}
    for route in FIGURES:
        answer = browser.get(route.format(p=period), follow_redirects=route.endswith("/screen"))
        if answer.status_code == 200:
            lines = answer.text.splitlines()
            text = sorted(lines) if "ratings" in route else [line for line in lines if 'name="csrf"' not in line]
            found[route] = "\n".join(text)
    return found


def test_every_route_with_a_figure_is_watched(store: Engine, province: Province, tmp_path: Path) -> None:
    app = application(store, tmp_path)
    watched = {route.partition("?")[0] for route in FIGURES}
    for route in routes(app):
        path = route.path.replace("/places/{dimension}/{code}", "/places/service_group/1")
        path = path.replace("/tv/{token}", "/agencies/aaa-a/screen")  # which leads there
        path = path.replace("{code}", "aaa-a").replace("{table}", "estimates").replace("{ending}", "csv")
        if "GET" in methods(route) and path not in watched:
            assert path.startswith(NO_FIGURES), f"{route.path}: a figure? add it to FIGURES"
    assert permission_of(routes(app)[0]) is None or watched


@pytest.mark.parametrize("role", [Role.AGENCY_READER, Role.ANALYST])
def test_the_head_of_an_agency_who_polls_learns_nothing_of_a_new_rating(
    store: Engine, province: Province, tmp_path: Path, role: Role
) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[role])
    agency = province.agencies["aaa-a"]
    now, this = today(), quarter_of_month(month_of_day(today())).name
    for day, period in ((now, this), (PERIOD.last_day, PERIOD.name), (PERIOD.first_day, "2026-07")):
        before = _bodies(browser, period)
        assert before
        with write(store) as connection:
            more = {"day": day, "month": month_of_day(day), "received_day": now}
            add_ratings(connection, province.province_id, agency, 1, 0, **more)
        after = _bodies(browser, period)
        assert after == before, [route for route in before if before[route] != after[route]]


def test_three_sheets_are_no_figure_though_they_have_seventy_answers(
    store: Engine, province: Province, tmp_path: Path
) -> None:
    from server.store.tables.ratings import answer_values

    full = answer_values([4] * 32) | {"a00": 4}
    with write(store) as connection:
        connection.execute(ratings.delete())
        add_ratings(connection, province.province_id, province.agencies["aaa-a"], 3, 3, channel="paper", **full)
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    (agency, *_) = browser.get("/api/v1/scores?period=2026-Q3").json()["agencies"]
    assert agency["index_explicit"] is None
    assert agency["n_explicit"] == 0
    for place in browser.get("/api/v1/index?period=2026-Q3").json()["places"]:
        for figure in place["figures"]:
            assert figure["index"] is None, (place["dimension"], figure)
            assert not figure["valid"], (place["dimension"], figure)
    assert browser.get("/api/v1/ratings?period=2026-Q3").text.count("\n") == 1


def test_months_of_a_quarter_are_shown_only_where_the_rest_is_enough(store: Engine, province: Province) -> None:
    with write(store) as connection:
        day = PERIOD.last_day
        more = {"day": day, "month": PERIOD.last_month}
        add_ratings(connection, province.province_id, province.agencies["aaa-a"], 5, 5, **more)
        found = published(connection, province.province_id, parse_period("2026-07"))
    assert found.settled == (today() > day + SETTLED_AFTER_DAYS)
    agency, other = province.agencies.values()
    assert not found.is_safe(found.months_of([agency])), "September would be the quarter less July"
    assert found.is_safe(found.months_of([other]))
    assert agency in found.hidden_agencies()
    assert np.isfinite(found.below)


@pytest.mark.parametrize("seed", range(200))
def test_no_total_of_a_group_tells_a_hidden_place(seed: int) -> None:
    """An agency of 10 sheets and one of 25 were hidden together, in two levels: the level's figure less the others of
    the level told each."""
    random = np.random.default_rng(seed)
    below = int(random.integers(2, 40))
    sheets = dict(enumerate(random.integers(0, 60, 10).tolist()))
    groups = dict(enumerate(random.integers(0, 3, 10).tolist()))
    hidden = hidden_places(sheets, below, groups)
    assert {place for place, count in sheets.items() if 0 < count < below} <= hidden
    for of in ({0, 1, 2}, {0}, {1}, {2}):
        filled = {place for place, count in sheets.items() if count and groups[place] in of}
        total = sum(sheets[place] for place in filled & hidden)
        assert total == 0 or total >= below or filled <= hidden


@pytest.mark.parametrize("seed", range(200))
def test_no_total_tells_a_hidden_figure(seed: int) -> None:
    """Two questions and their sum at six places of two groups, and the whole's figures."""
    random = np.random.default_rng(seed)
    below = int(random.integers(2, 40))
    behind = random.integers(0, 60, (6, 3)).astype(float)
    behind[:, 2] = behind[:, :2].max(axis=1)
    hidden, groups = random.random(6) < 0.2, [0, 0, 0, 1, 1, None]
    secret = hidden_figures(behind, hidden, groups, {2: [0, 1]}, below)
    assert secret[hidden].all()
    assert secret[(behind > 0) & (behind < below)].all()
    filled = behind > 0
    for rows in ([0, 1, 2, 3, 4, 5], [0, 1, 2], [3, 4]):
        for j in range(3):
            total = behind[rows, j][secret[rows, j]].sum()
            assert total == 0 or total >= below or (secret | ~filled)[rows, j].all()
    for i in range(6):
        total = behind[i, :2][secret[i, :2]].sum()
        assert secret[i, 2] or total == 0 or total >= below or (secret | ~filled)[i, :2].all()
