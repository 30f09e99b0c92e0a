"""Every interval that is told says how often it may be looked at while answers come in (`server.core.looks`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

import server
from pipeline.language import in_language
from server.core.looks import INTERVALS, ONE_LOOK, Holds
from server.scores.tables import TABLES, material
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import PERIOD, application, fill_province
from tests.server.scores.test_running import still_running

ROOT = Path(server.__file__).parent
TEMPLATES = ROOT / "web" / "templates"
ENDS = re.compile(r"\.(low|high|worst_low)\b|_low\b|\binterval\(")
SAID = re.compile(r"\{(low|least)\}|: \{low\} –")
SPEAK = ("boxes", "home", "reports", "sampling", "scores")
"""Parts of the server whose sentences with two ends tell an interval; elsewhere they are what may be typed."""


def test_every_place_that_tells_an_interval_is_named_with_what_holds(store: Engine) -> None:
    province = fill_province(store, "p1").province_id
    tables = {
        name
        for name, rows in ((name, make(material(store, province, PERIOD))) for name, make in TABLES.items())
        if any(key in ("low", "best") or key.endswith("_low") for row in rows for key in row)
    }
    pages = {path.name for path in TEMPLATES.glob("*.html") if ENDS.search(path.read_text(encoding="utf-8"))}
    said = {
        path.relative_to(ROOT.parent).as_posix()
        for part in SPEAK
        for path in (ROOT / part).rglob("*.py")
        if SAID.search(path.read_text(encoding="utf-8"))
    }
    assert tables | pages | said == set(INTERVALS)


def test_what_is_right_for_one_look_alone_says_so() -> None:
    for name, holds in INTERVALS.items():
        if name.endswith(".html"):
            text = (TEMPLATES / name).read_text(encoding="utf-8")
            assert ("{{ one_look(" in text) == (Holds.ONE_LOOK in holds), name
        elif name.endswith(".py"):
            text = (ROOT.parent / name).read_text(encoding="utf-8")
            assert ("ONE_LOOK" in text) == (Holds.ONE_LOOK in holds), name


def test_tables_of_a_running_period_say_which_intervals_are_for_one_look(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    province = fill_province(store, "p1").province_id
    for looks in (Holds.EVERY_LOOK, Holds.ONE_LOOK):
        m = material(store, province, PERIOD)
        for name, make in TABLES.items():
            rows = make(m)
            assert rows or name not in INTERVALS, name
            expected = str(looks) if Holds.ONE_LOOK in INTERVALS.get(name, ()) else None
            assert all(row.get("looks") == expected for row in rows), name
        still_running(monkeypatch, PERIOD.last_day)


def test_the_analysis_says_it_while_the_period_runs(
    store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    province = fill_province(store, "p1")
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    words, address = in_language(ONE_LOOK, "vi"), f"/analysis?period={PERIOD.name}"
    assert words not in browser.get(address).text
    monkeypatch.setattr("pipeline.calendar.today", lambda: PERIOD.last_day)
    assert words in browser.get(address).text
