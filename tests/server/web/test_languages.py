"""Pages in a language that is one file: of a pseudo-language no plain text is left, of a third one the menu tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipeline.language.catalogues import forget
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province, offer_updates
from tests.server.pseudo import add_language, names_of, plain_texts, pseudo_language

PAGES: list[tuple[Role | None, str]] = [
    (None, "/log-in"),
    (None, "/feedback/p1"),
    (Role.ANALYST, "/?period=2026-Q3"),
    (Role.ANALYST, "/agencies/p1-a?period=2026-Q3"),
    (Role.ANALYST, "/reasons?period=2026-Q3"),
    (Role.ANALYST, "/analysis?period=2026-Q3"),
    (Role.ANALYST, "/survey/index?period=2026-Q3"),
    (Role.ANALYST, "/survey/review"),
    (Role.ANALYST, "/survey/comments"),
    (Role.ANALYST, "/health"),
    (Role.ANALYST, "/account"),
    (Role.ANALYST, "/nowhere"),
    (Role.ADMINISTRATOR, "/catalogue"),
    (Role.ADMINISTRATOR, "/users"),
    (Role.ADMINISTRATOR, "/health/updates"),
    (Role.ADMINISTRATOR, "/settings"),
    (Role.ADMINISTRATOR, "/survey/rounds"),
    (Role.ADMINISTRATOR, "/survey/plan"),
    (Role.ADMINISTRATOR, "/survey/import"),
    (Role.ADMINISTRATOR, "/survey/enumerators"),
    (Role.DATA_ENTRY, "/survey/entry"),
    (Role.DATA_ENTRY, "/survey/hotline"),
    (Role.DATA_ENTRY, "/survey/feedback"),
    (Role.PRIVACY_OFFICER, "/privacy"),
    (Role.PRIVACY_OFFICER, "/privacy/rights"),
]


@pytest.fixture
def pseudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language that says every sentence between ⟦ and ⟧."""
    with pseudo_language(tmp_path, monkeypatch) as code:
        yield code


def test_no_page_holds_a_plain_text(store: Engine, tmp_path: Path, pseudo: str) -> None:
    province: Province = fill_province(store, "p1")
    offer_updates(store, province)
    app, names, plain = application(store, tmp_path), names_of(store), []
    for role in dict.fromkeys(role for role, _ in PAGES):
        browser = Browser(app)
        if role is not None:
            browser.log_in(province.users[role])
        for path in (path for one, path in PAGES if one == role):
            page = browser.get(f"{path}{'&' if '?' in path else '?'}lang={pseudo}")
            assert page.status_code == (404 if path == "/nowhere" else 200), path
            plain += [f"{path}: {text}" for text in plain_texts(page.text, names)]
    assert not plain, "\n".join(plain)


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
