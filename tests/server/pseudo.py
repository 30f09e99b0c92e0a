"""A pseudo-language: what of a page or paper is left in plain text when every sentence is said in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from sqlalchemy import Engine, select

from pipeline.instruments import shipped_instruments
from pipeline.language import Text
from pipeline.language.catalogues import FOLDERS, forget
from pipeline.language.update import extracted
from pipeline.law import provisions
from server.scores.tables import TABLES
from server.store.engine import read
from server.store.metadata import metadata

SENTENCE = 20
WORD = re.compile(r"[^\W\d_]{2}")
HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=1; plural=0;\\n"\n\n'
NOT_WORDS = re.compile(
    rf"\((?:{'|'.join(TABLES)})\)|/[\w/.-]+|\beff\b|Fay–Herriot|Kappa|Alpha|"
    r"Hài Lòng|SIPAS|CSV|XLSX|Excel|DOCX|Parquet|JSON|PDF|GPU|CPU|SMS|QR|"
    r"n_eff|rho|lambda|Pearson|Spearman|CCC \(Lin\)|kappa|alpha"
    r"|\b[nexv]\b|\b\d[\w.–-]*|[\w.-]+\.[\w-]+|[a-z]+(?:_[a-z0-9.]+)+|[A-Z]\d+|\bp\b|\d{4}-Q\d",
)
"""Names of programs, files, formats, tables, codes, paths and measures, which no language writes otherwise."""


def add_language(folder: Path, code: str, name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{code}.po").write_text(f"# X-Language-Name: {name}\n{HEAD}{body}", encoding="utf-8")
    monkeypatch.setattr("pipeline.language.catalogues.FOLDERS", [*FOLDERS, folder])
    forget()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@cache
def _sentences() -> Catalog:
    """Those of the whole program, which take seconds to find."""
    return extracted()


@contextmanager
def pseudo_language(folder: Path, monkeypatch: pytest.MonkeyPatch, *, silent: bool = False) -> Iterator[str]:
    """A language that says every sentence between ⟦ and ⟧; `silent`: nothing between them, which survives the line
    breaks of a PDF."""
    found = []
    for message in _sentences():
        if isinstance(message.id, str) and message.id:
            said = message.id if message.id == "dd/MM/y" else "⟦⟧" if silent else f"⟦{message.id}⟧"
            found.append(f"msgid {_quoted(message.id)}\nmsgstr {_quoted(said)}\n")
        elif message.id:
            one, more = message.id
            said = "⟦⟧" if silent else f"⟦{more}⟧"
            found.append(f"msgid {_quoted(one)}\nmsgid_plural {_quoted(more)}\nmsgstr[0] {_quoted(said)}\n")
    add_language(folder, "qps", "Pseudo", "\n".join(found), monkeypatch)
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


def names_of(engine: Engine) -> set[str]:
    """Every text of the store, and the wordings of the instruments: data, not sentences of the program."""
    found: set[str] = set()
    with read(engine) as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                found |= {value for value in row if isinstance(value, str) and value}
                found |= {name for value in row if isinstance(value, Text) for name in value.texts}
    for instrument in shipped_instruments():
        found |= {word for text in (instrument.title, instrument.overall) for word in (text.vi, text.en)}
        parts = (*instrument.scale, *instrument.blocks, *instrument.factors, *instrument.items, *instrument.reasons)
        parts = (*parts, *(choice for item in instrument.items for choice in item.choices))
        found |= {word for part in parts for word in (part.vi, part.en)}
    for article in provisions().values():
        found |= {word for text in (article.says, article.act) for _, word in text.words}
    return found


def plain_texts(page: str, names: set[str]) -> list[str]:
    """The texts of a page that are neither in the pseudo-language nor names of the data."""
    parser = _Texts()
    parser.feed(page)
    return plain_of(parser.texts, names)


def plain_of(texts: list[str], names: set[str]) -> list[str]:
    """Those of the texts that hold words which are neither in the pseudo-language nor names of the data."""
    left = []
    longest_first = sorted(names, key=len, reverse=True)
    sentences = [name for name in longest_first if len(name) > SENTENCE]
    for text in texts:
        shown = text
        while re.search("⟦[^⟦⟧]*⟧", shown):
            shown = re.sub("⟦[^⟦⟧]*⟧", " ", shown)
        if not WORD.search(shown):  # what follows only takes away
            continue
        for name in sentences:  # of the data, before their numbers go
            shown = shown.replace(name, " ")
        shown = NOT_WORDS.sub(" ", shown)
        for name in longest_first:
            shown = shown.replace(name, " ")
        shown = NOT_WORDS.sub(" ", shown)
        if WORD.search(shown):
            left.append(" ".join(text.split())[:120])
    return left
