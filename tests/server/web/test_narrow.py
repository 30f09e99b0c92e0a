"""What a telephone, or text at twice its size, shows: nothing is wider than the page, and no page is endless."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select

import server.web
from pipeline.language import Text
from server.catalogue.writing import import_catalogue
from server.imports.kinds import KINDS
from server.rounds.rounds import find_round, make_round
from server.sampling.plan import PlanState, Return
from server.store.engine import write
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes
from server.store.tables.counters import counters
from server.store.tables.letters import alerts
from server.store.tables.users import Role, users
from tests.server.client import Browser
from tests.server.province import application, fill_province

SHEETS = sorted((Path(server.web.__file__).parent / "static").rglob("*.css"))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: str(path.name))
def test_no_column_is_wider_than_the_page(sheet: Path) -> None:
    """A column of so many letters' widths is wider than a telephone as soon as text is large."""
    assert re.findall(r"minmax\(\s*\d{2,}[\d.]*rem", sheet.read_text(encoding="utf-8")) == []


def test_a_plan_is_read_some_rows_at_a_time_and_found_by_name(
    store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    province = fill_province(store, "p1")
    with write(store) as connection:
        make_round(
            connection, province.province_id, code="r", name=Text.named(vi="Đợt"), instrument="2640",
            first_day=20_000, last_day=20_090, user_id=None,
        )  # fmt: skip
        held = find_round(connection, province.province_id, code="r")
    settings = {"frame": "2026-Q3", "seed": 1, "error": 0.05, "scope": "level", "method": "proportional"}
    rows = tuple(_row(number) for number in range(120)) + tuple(_row(number, forms=0) for number in range(500, 507))
    state = PlanState("k", held, settings, rows)
    monkeypatch.setattr("server.sampling.page.plan_codes", lambda *_: ["k"])
    monkeypatch.setattr("server.sampling.page.plan_state", lambda *_: state)
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    page = browser.get("/survey/plan").text
    assert page.count('<th scope="row">Xã ') == 50
    assert 'href="/survey/plan?code=k&amp;page=2#plan"' in page or "page=2" in page
    assert "Xã 119" not in page
    assert "Xã 119" in browser.get("/survey/plan?code=k&q=xa 119").text
    assert "Xã 503" not in browser.get("/survey/plan?code=k&q=xa 503").text  # nothing to do there
    assert "Không nêu trong bảng: 7 lĩnh vực" in page


def _row(number: int, forms: int = 10) -> Return:
    field = Text.named(vi="Hộ tịch")
    back = 4 if forms else 0
    return Return(f"xa-{number}", Text.named(vi=f"Xã {number}"), "xa", 1, field, 900, forms, back, 0.01, ())


def test_what_a_telephone_hides_is_not_spoken_of_there() -> None:
    """A heat map has no heads to click on a telephone; printed, thin heads would stand one word a line."""
    style = (Path(server.web.__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
    heat = (Path(server.web.__file__).parent / "templates" / "heatmap.html").read_text(encoding="utf-8")
    assert '<span class="wide">{{ _("Click a head to sort.") }}</span></caption>' in heat
    assert "caption .wide { display: none; }" in style.partition("@media (max-width: 760px) { /* three lines")[2]
    assert ".estimates thead small { display: none; }" in style.partition("@media print")[2]


def test_every_colour_of_a_plot_has_a_forced_one() -> None:
    """With forced colours a plot's own would stay: dark blue on black."""
    style = (Path(server.web.__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
    forced = style.partition("@media (forced-colors: active)")[2].partition("\n}")[0]
    drawn = ["main", "marked", "other", "hollow", "low", "middle", "high"]
    assert [name for name in drawn if f".{name}" not in forced] == []
    used = set(re.findall(r":is\(\.plot, (?:\.course, )?\.key\) \.(\w+) \{", style))
    assert used <= set(drawn)


def test_a_table_that_cannot_be_pushed_is_cards_until_it_fits() -> None:
    """The agencies' table is 728 px wide: a screen of 683 px (an office screen at 200 %) was pushed sideways."""
    style = (Path(server.web.__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
    (width,) = re.findall(r"@media \(max-width: (\d+)px\) \{ /\* three lines a row: name;", style)
    assert int(width) >= 728
    assert f"@media (min-width: {width}.02px)" in style, "the list of cases goes on where the cards end"


def test_an_import_shows_the_fields_that_its_kind_needs(store: Engine, tmp_path: Path) -> None:
    """By the style sheet alone: a field is shown where its kind is chosen, and where a browser knows no such rule."""
    province = fill_province(store, "p1")
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    page = browser.get("/survey/import").text
    fields = {
        name: set(kinds.split()) for kinds, name in re.findall(r'<p class="only([^"]*)"><label for="(\w+)"', page)
    }
    style = (Path(server.web.__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
    for kind, spec in KINDS.items():
        needed = {name for name in fields if f"for-{kind}" in fields[name]}
        assert needed == set(spec.options) - {"batch"}, kind
        if needed:
            assert f'form:has(option[value="{kind}"]:checked) .for-{kind}' in style, "the rule that shows it"
    assert "@supports selector(:has(a)) { .only { display: none; }" in style


def test_no_page_grows_with_the_province(store: Engine, tmp_path: Path) -> None:
    """3,000 agencies, each with a counter, a user, a box and an alert: 400 kB at most, by name and page by page."""
    made = fill_province(store, "p1")
    many = range(3_000)
    with write(store) as connection:
        rows = [(n, {"code": f"xa-{n}", "name_vi": f"Xã Đường Thượng {n}", "level": "xa"}) for n in many]
        import_catalogue(connection, made.province_id, "agencies", rows)
        ids = {row.code: row.id for row in connection.execute(select(agencies.c.code, agencies.c.id))}
        of = {"province_id": made.province_id}
        who = {"role": Role.AGENCY_READER.value, "password_hash": "x", "must_change_password": False, "created_day": 1}
        at = {"kind": "box_silent", "detail": '{"minutes": 9, "agency_vi": "Xã"}'}
        seen = {"first_s": 1, "seen_s": 1, "opened_s": 1}
        each = [{**of, "agency_id": ids[f"xa-{n}"]} for n in many]
        windows = [{**row, "code": "1", "name": Text.named(vi=f"Quầy {n}")} for n, row in enumerate(each)]
        readers = [{**row, "name": f"nguoi.{n}", **who} for n, row in enumerate(each)]
        machine = {"clerks": 2, "epoch": 1}
        machines = [{**row, "label": f"box {n}", **machine, "public_key": f"{n:x<40}"} for n, row in enumerate(each)]
        for table, new in ((counters, windows), (users, readers), (boxes, machines)):
            connection.execute(insert(table), new)
        connection.execute(insert(alerts), [{**of, **at, **seen, "subject": f"box {n}"} for n in many])
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.ADMINISTRATOR])
    sizes = {path: len(browser.get(path).content) for path in ("/catalogue", "/users", "/alerts", "/health")}
    assert {path: size for path, size in sizes.items() if size > 400_000} == {}
    for path, words in (
        ("/catalogue?q=duong thuong 2999", "xa-2999"),
        ("/users?q=nguoi.2999", "nguoi.2999"),
        ("/health?q=box 2999", "box 2999"),
    ):
        page = browser.get(path).text
        assert words in page.split("<tbody>")[1].split("</tbody>")[0], path
        assert "nguoi.100<" not in page, path
    assert "Trang 2/61" in browser.get("/catalogue?page=2").text
    assert browser.get("/alerts?page=60").status_code == 200
