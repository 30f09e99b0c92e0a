"""Pages in a language that is one file: of a pseudo-language no plain text is left, of a third one the menu tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from pipeline.instruments import load_instrument
from pipeline.language.catalogues import FOLDERS, forget
from pipeline.language.update import extracted
from server.scores.tables import TABLES
from server.store.engine import read
from server.store.metadata import metadata
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province

HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8"\n\n'
PAGES: list[tuple[Role | None, str]] = [
    (None, "/log-in"),
    (None, "/feedback/p1"),
    (Role.ANALYST, "/?period=2026-Q3"),
    (Role.ANALYST, "/agencies/p1-a?period=2026-Q3"),
    (Role.ANALYST, "/analysis?period=2026-Q3"),
    (Role.ANALYST, "/survey/index?period=2026-Q3"),
    (Role.ANALYST, "/survey/review"),
    (Role.ANALYST, "/survey/comments"),
    (Role.ANALYST, "/health"),
    (Role.ANALYST, "/account"),
    (Role.ANALYST, "/nowhere"),
    (Role.ADMINISTRATOR, "/catalogue"),
    (Role.ADMINISTRATOR, "/users"),
    (Role.ADMINISTRATOR, "/settings"),
    (Role.ADMINISTRATOR, "/survey/rounds"),
    (Role.ADMINISTRATOR, "/survey/plan"),
    (Role.ADMINISTRATOR, "/survey/import"),
    (Role.ADMINISTRATOR, "/survey/enumerators"),
    (Role.DATA_ENTRY, "/survey/entry"),
    (Role.DATA_ENTRY, "/survey/hotline"),
    (Role.DATA_ENTRY, "/survey/feedback"),
    (Role.PRIVACY_OFFICER, "/privacy"),
]
NOT_WORDS = re.compile(
    rf"\((?:{'|'.join(TABLES)})\)|/[\w/.-]+|\beff\b|Fay–Herriot|Kappa|Alpha|"
    r"Hài Lòng|SIPAS|CSV|XLSX|Parquet|JSON|PDF|GPU|CPU|SMS|QR|n_eff|rho|lambda|Pearson|Spearman|CCC \(Lin\)|kappa|alpha"
    r"|\b[nexv]\b|\b\d[\w.–-]*|[\w.-]+\.[\w-]+|[a-z]+(?:_[a-z0-9.]+)+|[A-Z]\d+|\bp\b|\d{4}-Q\d",
)
"""Names of programs, files, formats, tables, codes, paths and measures, which no language writes otherwise."""


def _language(folder: Path, code: str, name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{code}.po").write_text(f"# X-Language-Name: {name}\n{HEAD}{body}", encoding="utf-8")
    monkeypatch.setattr("pipeline.language.catalogues.FOLDERS", [*FOLDERS, folder])
    forget()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@pytest.fixture
def pseudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language that says every sentence between ⟦ and ⟧."""
    found = []
    for message in extracted():
        if isinstance(message.id, str) and message.id:
            said = message.id if message.id == "dd/MM/y" else f"⟦{message.id}⟧"
            found.append(f"msgid {_quoted(message.id)}\nmsgstr {_quoted(said)}\n")
        elif message.id:
            one, more = message.id
            found.append(f"msgid {_quoted(one)}\nmsgid_plural {_quoted(more)}\nmsgstr[0] {_quoted(f'⟦{more}⟧')}\n")
    _language(tmp_path, "qps", "Pseudo", "\n".join(found), monkeypatch)
    yield "qps"
    monkeypatch.undo()
    forget()


class _Texts(HTMLParser):
    """What a person reads or hears of a page: texts and labels, without scripts, styles, codes and other languages."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("script", "style", "code") or (found.get("lang") or "qps") != "qps" or self._silent:
            if tag not in ("input", "br", "meta", "link", "img"):
                self._silent.append(tag)
            return
        self.texts += [
            found[name] or "" for name in ("aria-label", "data-label", "placeholder", "alt") if name in found
        ]

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)


def _names(engine: Engine) -> set[str]:
    """Every text of the store, and the wordings of the instruments: data, not sentences of the program."""
    found: set[str] = set()
    with read(engine) as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                found |= {value for value in row if isinstance(value, str) and value}
    for code in ("2640", "1383"):
        instrument = load_instrument(code)
        found |= {word for text in (instrument.title, instrument.overall) for word in (text.vi, text.en)}
        parts = (*instrument.scale, *instrument.factors, *instrument.items, *instrument.reasons)
        found |= {word for part in parts for word in (part.vi, part.en)}
    return found


def _plain(page: str, names: set[str]) -> list[str]:
    parser = _Texts()
    parser.feed(page)
    left = []
    for text in parser.texts:
        shown = text
        while re.search("⟦[^⟦⟧]*⟧", shown):
            shown = re.sub("⟦[^⟦⟧]*⟧", " ", shown)
        shown = NOT_WORDS.sub(" ", shown)
        for name in sorted(names, key=len, reverse=True):
            shown = shown.replace(name, " ")
        shown = NOT_WORDS.sub(" ", shown)
        if re.search(r"[^\W\d_]{2}", shown):
            left.append(" ".join(text.split())[:120])
    return left


def test_no_page_holds_a_plain_text(store: Engine, tmp_path: Path, pseudo: str) -> None:
    province: Province = fill_province(store, "p1")
    app, names, plain = application(store, tmp_path), _names(store), []
    for role in dict.fromkeys(role for role, _ in PAGES):
        browser = Browser(app)
        if role is not None:
            browser.log_in(province.users[role])
        for path in (path for one, path in PAGES if one == role):
            page = browser.get(f"{path}{'&' if '?' in path else '?'}lang={pseudo}")
            assert page.status_code == (404 if path == "/nowhere" else 200), path
            plain += [f"{path}: {text}" for text in _plain(page.text, names)]
    assert not plain, "\n".join(plain)


def test_a_language_is_one_file(store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_province(store, "p1")
    _language(tmp_path, "tyz", "Tày", 'msgid "Password"\nmsgstr "Mặt mạ"\n', monkeypatch)
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
