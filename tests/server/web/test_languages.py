"""Pages in a language that is one file: of a pseudo-language no plain text is left, of a third one the menu tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipeline.calendar import today
from pipeline.errors import ImportRowError
from pipeline.instruments import load_instrument
from pipeline.language import Text
from pipeline.language.catalogues import forget
from server.catalogue.agencies import read_agencies
from server.catalogue.writing import import_catalogue
from server.channels.online.invitations import issue
from server.core.scope import Scope
from server.feedback.feedback import items, receive
from server.imports.kinds import KINDS
from server.imports.templates import columns_of
from server.rounds.rounds import make_round
from server.store.engine import read, write
from server.store.tables.users import Role
from server.tabular.spec import import_file
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province, offer_updates
from tests.server.pseudo import add_language, names_of, plain_texts, pseudo_language
from tests.server.web.test_isolation import methods, routes

PAGES: list[tuple[Role | None, str]] = [
    (None, "/log-in"),
    (None, "/feedback/p1"),
    (None, "/s/{token}"),
    (None, "/embed/{token}"),
    (None, "/thanks/p1"),
    (None, "/embed/thanks/p1"),
    (None, "/tv/{screen}"),
    (Role.ANALYST, "/?period=2026-Q3"),
    (Role.ANALYST, "/agencies/p1-a?period=2026-Q3"),
    (Role.ANALYST, "/reasons?period=2026-Q3"),
    (Role.ANALYST, "/analysis?period=2026-Q3"),
    (Role.ANALYST, "/survey/index?period=2026-Q3"),
    (Role.ANALYST, "/survey/review"),
    (Role.ANALYST, "/survey/comments"),
    (Role.ANALYST, "/comments"),
    (Role.ANALYST, "/compare?period=2026-Q3&a=p1-a&b=p1-b"),
    (Role.ANALYST, "/heatmap?period=2026-Q3"),
    (Role.ANALYST, "/places/service_group/1?period=2026-Q3"),
    (Role.ANALYST, "/analysis/before-after?period=2026-Q3"),
    (Role.ANALYST, "/alerts"),
    (Role.ANALYST, "/survey/response?period=2026-Q3"),
    (Role.ANALYST, "/survey/questions?period=2026-Q3"),
    (Role.ANALYST, "/survey/raked?period=2026-Q3"),
    (Role.ANALYST, "/survey/bridge?period=2026-Q3"),
    (Role.ANALYST, "/survey/766?period=2026-09"),
    (Role.ANALYST, "/reports"),
    (Role.ANALYST, "/survey/instruments"),
    (Role.ANALYST, "/survey/instruments/compare?old={old}&new={new}"),
    (Role.ANALYST, "/health"),
    (Role.ANALYST, "/account"),
    (Role.ANALYST, "/nowhere"),
    (Role.ADMINISTRATOR, "/catalogue"),
    (Role.ADMINISTRATOR, "/users"),
    (Role.ADMINISTRATOR, "/health/updates"),
    (Role.ADMINISTRATOR, "/settings"),
    (Role.ADMINISTRATOR, "/survey/rounds"),
    (Role.ADMINISTRATOR, "/survey/rounds/{round}"),
    (Role.ADMINISTRATOR, "/survey/rounds/{round}/paper"),
    (Role.ADMINISTRATOR, "/survey/plan"),
    (Role.ADMINISTRATOR, "/survey/plan/households"),
    (Role.ADMINISTRATOR, "/survey/import"),
    (Role.ADMINISTRATOR, "/survey/enumerators"),
    (Role.DATA_ENTRY, "/survey/entry"),
    (Role.DATA_ENTRY, "/survey/hotline"),
    (Role.DATA_ENTRY, "/survey/feedback"),
    (Role.DATA_ENTRY, "/survey/feedback/{case}"),
    (Role.PRIVACY_OFFICER, "/privacy"),
    (Role.PRIVACY_OFFICER, "/privacy/rights"),
]


ELSEWHERE = {
    "/agencies/{code}/screen": "leads to the hall's screen",
    "/log-in/provider": "leads to the provider of log-ins",
    "/log-in/provider/done": "leads back from there",
    "/survey/766/{code}": "a unit's sheet of the measure's page",
    "/survey/entry/forms/{code}": "JSON for the page of entry",
    "/survey/instruments/drafts/{number}": "tests/server/instruments/test_editor.py",
    "/survey/instruments/drafts/{number}/preview": "the citizen's form of a draft",
}
"""Pages that are not in `PAGES`, each with the reason."""
FILE = re.compile(
    r"\.(?:csv|xlsx|docx|pdf|png|svg|toml|json|jsonl|txt|css|js|\{ending\})$|^/api/|^/static|-metadata$|-head$"
)
"""Routes that answer with a file."""


def test_every_page_is_looked_at(store: Engine, tmp_path: Path) -> None:
    fill_province(store, "p1")
    shown = [re.sub(r"\{\w+\}", "1", path.partition("?")[0]) for _, path in PAGES]
    left = []
    for route in routes(application(store, tmp_path)):
        if "GET" in methods(route) and not FILE.search(route.path) and route.path not in ELSEWHERE:
            form = re.compile(re.sub(r"\\\{\w+(?:\\:\w+)?\\\}|\{[^}]*\}", "[^/]+", route.path) + "$")
            if not any(form.match(path) for path in shown):
                left.append(route.path)
    assert not left, "\n".join(left)


@pytest.fixture
def pseudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language that says every sentence between ⟦ and ⟧."""
    with pseudo_language(tmp_path, monkeypatch) as code:
        yield code


def test_no_page_holds_a_plain_text(store: Engine, tmp_path: Path, pseudo: str) -> None:
    province: Province = fill_province(store, "p1")
    offer_updates(store, province)
    app, places = application(store, tmp_path), _places(store, province)
    head = Browser(app)
    head.log_in(province.users[Role.ANALYST])
    places["screen"] = head.get("/agencies/p1-a/screen").headers["location"].rpartition("/")[2]
    names, plain = names_of(store), []
    for role in dict.fromkeys(role for role, _ in PAGES):
        browser = Browser(app)
        if role is not None:
            browser.log_in(province.users[role])
        for path in (path.format(**places) for one, path in PAGES if one == role):
            page = browser.get(f"{path}{'&' if '?' in path else '?'}lang={pseudo}")
            assert page.status_code == (404 if path == "/nowhere" else 200), path
            plain += [f"{path}: {text}" for text in plain_texts(page.text, names)]
    assert not plain, "\n".join(plain)


def _places(store: Engine, province: Province) -> dict[str, object]:
    """A group of services, a round with a form for one citizen, a case, two instruments."""
    with write(store) as connection:
        days = {"first_day": today() - 9, "last_day": today() + 9}
        made = make_round(
            connection,
            province.province_id,
            code="r1",
            name=Text.named(vi="Đợt một"),
            instrument="2640",
            user_id=None,
            **days,
        )
        token = issue(connection, province.province_id, made.id, province.agencies["p1-a"])[0]
        import_catalogue(connection, province.province_id, "fields", [(2, {"code": "f1", "name_vi": "Tư pháp"})])
        group = {"number": "1", "name_vi": "Hộ tịch", "field": "f1"}
        import_catalogue(connection, province.province_id, "service_groups", [(2, group)])
        receive(connection, province.province_id, province.agencies["p1-a"], category="delay", text="Chờ lâu quá")
        (case,) = items(connection, province.province_id)
    old, new = (load_instrument(code).wire_code for code in ("1383", "2640"))
    return {"round": made.id, "token": token, "case": case.id, "old": old, "new": new}


def test_a_language_is_one_file(store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_province(store, "p1")
    add_language(tmp_path, "tyz", "Tày", 'msgid "Password"\nmsgstr "Mặt mạ"\n', monkeypatch)
    try:
        browser = Browser(application(store, tmp_path))
        assert ">Tày<" in browser.get("/log-in").text, "the menu names it"
        page = browser.get("/log-in?lang=tyz").text
        assert '<html lang="tyz">' in page
        assert "Mặt mạ" in page
        assert "Tên đăng nhập" in page, "what it lacks is said in Vietnamese"
        assert '<html lang="tyz">' in browser.get("/log-in").text, "a cookie keeps it"
    finally:
        monkeypatch.undo()
        forget()


def test_a_name_of_the_data_is_read_in_a_language_that_was_added(
    store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a file's column to every page: nothing in between knows which languages there are."""
    province = fill_province(store, "p1")
    add_language(tmp_path, "tyz", "Tày", "", monkeypatch)
    path = tmp_path / "names.csv"
    path.write_text("code,name_vi,name_tyz,level\np1-a,Sở p1 a,Cốc nả Một,tinh\np1-b,Sở p1 b,,tinh\n", encoding="utf-8")
    try:
        done = import_file(store, Scope(province.province_id), KINDS["agencies"], path)
        assert (done.changed, done.unchanged, done.balance.cells_ignored) == (1, 1, 0)
        assert "name_tyz" in [column.name for column in columns_of(KINDS["agencies"], None, "vi")]
        browser = Browser(application(store, tmp_path))
        browser.log_in(province.users[Role.ADMINISTRATOR])
        catalogue = browser.get("/catalogue?lang=tyz").text
        assert 'name="name_tyz"' in catalogue, "the form asks for it"
        assert '<span lang="vi">Sở p1 a</span>' in catalogue, "in other languages"
        # a counter by the page's form, and the agency renamed: a translation stays with the name that it translates
        form = {"agency": "p1-a", "code": "q1", "name_vi": "Quầy 1", "name_tyz": "Tối 1"}
        assert browser.post("/catalogue/counters", form, form="/catalogue").status_code == 303
        assert "Tối 1" in browser.get("/catalogue?lang=tyz").text
        browser.log_in(province.users[Role.ANALYST])
        for page in ("/?period=2026-Q3", "/agencies/p1-a?period=2026-Q3", "/survey/index?period=2026-Q3"):
            said = browser.get(f"{page}&lang=tyz").text
            assert "Cốc nả Một" in said, page
            assert "Sở p1 a" not in said, page
            assert "Sở p1 a" in browser.get(f"{page}&lang=en").text, "what has no English is said in Vietnamese"
        assert "Sở p1 b" in browser.get("/?period=2026-Q3&lang=tyz").text
        found = browser.get("/api/v1/scores?period=2026-Q3").json()["agencies"]
        assert {one["id"]: one.get("name_tyz") for one in found}["p1-a"] == "Cốc nả Một", "it answered 500"
    finally:
        monkeypatch.undo()
        forget()


def test_a_translation_goes_with_the_name_that_it_translates(store: Engine) -> None:
    province = fill_province(store, "p1")

    def stored(**cells: str) -> Text:
        with write(store) as connection:
            row = {"code": "p1-a", "level": "tinh", **cells}
            import_catalogue(connection, province.province_id, "agencies", [(2, row)])
        with read(store) as connection:
            return {one.code: one.name for one in read_agencies(connection, province.province_id)}["p1-a"]

    whole = {"vi": "Sở Một", "en": "One", "tyz": "Cốc Một"}
    assert stored(name_vi="Sở Một", name_en="One", name_tyz="Cốc Một") == Text.named(**whole)
    assert stored(name_vi="Sở Một") == Text.named(**whole), "a file without the column changes nothing"
    assert stored(name_vi="Sở Một", name_en="") == Text.named(vi="Sở Một", tyz="Cốc Một"), "an empty cell takes it away"
    assert stored(name_vi="Sở Hai", name_en="Two") == Text.named(vi="Sở Hai", en="Two"), "another name, not that one"
    with pytest.raises(ImportRowError, match="do not fit"):
        stored(name_vi="Sở Hai", name_tyz="ă" * 201)
