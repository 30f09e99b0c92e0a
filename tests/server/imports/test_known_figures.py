"""A table of known figures, of each kind, written by whatever convention: refused, or stored exactly as it was meant.

Answer sheets have their own (`tests/server/ratings/test_known_answers.py`); its conventions of text files are used."""

from __future__ import annotations

import itertools
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, Table

from pipeline.calendar import day_index, month_of_day
from pipeline.errors import HailongError
from pipeline.language import Text
from server.core.scope import Scope
from server.imports.kinds import find_kind
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.contacts import enumerators
from server.store.tables.indicators import indicator_counts, sheet61_scores
from server.store.tables.margins import margins
from server.store.tables.services import service_groups
from server.store.tables.transactions import transactions
from server.tabular import spec
from server.tabular.reading import RawTable, refusal
from server.tabular.records import RefusedError
from server.tabular.spec import ImportResult, import_file
from tests.server.ratings import conventions as how
from tests.server.tabular.files import read_here
from tests.server.worlds import small_province

_numbers = itertools.count()
Row = dict[str, Any]
AGENCIES = ("so-a", "so-b", "xa-c")
MONTHS = tuple((year, month) for year in (2024, 2025) for month in range(1, 13))
NAMES = ("Sở Tài nguyên và Môi trường", "UBND phường Hoà Bình", "Ủy ban nhân dân xã Đắk Ơ", "Trường THPT Nguyễn Huệ")


def _count(draw: random.Random) -> int:
    """Of every number of digits; groups of noughts are where a reader may drop or add some."""
    return draw.choice((0, 7, 12, 120, 999, 1000, 1200, 1234, 10_500, 123_456, 1_000_000, draw.randrange(3_000_000)))


def _transactions(draw: random.Random, count: int) -> list[Row]:
    keys = draw.sample([(a, g, m) for a in AGENCIES for g in (1, 2) for m in MONTHS], count)
    return [{"agency": a, "service_group": g, "month": m, "count": _count(draw)} for a, g, m in keys]


def _margins(draw: random.Random, count: int) -> list[Row]:
    keys = draw.sample([(choice, year) for choice in (1, 2) for year in range(2010, 2026)], count)
    return [{"question": "G1", "choice": choice, "year": year, "people": _count(draw)} for choice, year in keys]


def _scores61(draw: random.Random, count: int) -> list[Row]:
    keys = draw.sample([(a, q, i) for a in AGENCIES for q in range(1, 5) for i in range(1, 10)], count)
    return [
        {
            "agency": a,
            "period": f"2025-Q{q}",
            "indicator": i,
            "self_score": draw.randrange(3),
            "verified_score": draw.randrange(3),
        }
        for a, q, i in keys
    ]


def _indicators(draw: random.Random, count: int) -> list[Row]:
    rows = []
    for agency, month in draw.sample([(a, m) for a in AGENCIES for m in MONTHS], count):
        dossiers, petitions = _count(draw) + 1, _count(draw) + 1
        parts = [draw.randint(0, whole) for whole in (dossiers, petitions, petitions)]
        names = ("dossiers", "dossiers_good", "petitions", "petitions_in_time", "petitions_good")
        values = (dossiers, parts[0], petitions, *parts[1:])
        rows.append({"agency": agency, "month": month, **dict(zip(names, values, strict=True))})
    return rows


def _agencies(draw: random.Random, count: int) -> list[Row]:
    return [{"code": f"moi-{n}", "name_vi": f"{draw.choice(NAMES)} {n}", "level": "xa"} for n in range(count)]


def _groups(draw: random.Random, count: int) -> list[Row]:
    return [{"number": 10 + n, "name_vi": f"{draw.choice(NAMES)} {n}"} for n in range(count)]


def _people(draw: random.Random, count: int) -> list[Row]:
    return [
        {"code": f"ĐT{n}", "name_vi": f"Đỗ Thị Hoà {n}", "phone": f"09{draw.randrange(10**8):08d}"}
        for n in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Kind:
    """`make`: known rows; `table`, `columns`: where they are stored, in the order in which `meant` writes a row."""

    make: Callable[[random.Random, int], list[Row]]
    table: Table
    columns: tuple[str, ...]
    meant: Callable[[Row], tuple[Any, ...]]


def _month(month: tuple[int, int]) -> int:
    return month_of_day(day_index(date(*month, 1)))


_COUNTS = ("dossiers", "dossiers_good", "petitions", "petitions_in_time", "petitions_good")
KINDS: dict[str, Kind] = {
    "transactions": Kind(
        _transactions, transactions, ("agency_id", "service_group", "month", "count"),
        lambda row: (row["agency"], row["service_group"], _month(row["month"]), row["count"]),
    ),
    "margins": Kind(
        _margins, margins, ("item", "choice", "year", "people"),
        lambda row: (row["question"], row["choice"], row["year"], row["people"]),
    ),
    "scores61": Kind(
        _scores61, sheet61_scores, ("agency_id", "first_month", "indicator", "self_score", "verified_score"),
        lambda row: (
            row["agency"], _month((2025, 3 * int(row["period"][-1]) - 2)), row["indicator"], row["self_score"],
            row["verified_score"],
        ),
    ),
    "indicators766": Kind(
        _indicators, indicator_counts, ("agency_id", "first_month", "last_month", *_COUNTS),
        lambda row: (row["agency"], _month(row["month"]), _month(row["month"]), *(row[name] for name in _COUNTS)),
    ),
    "agencies": Kind(_agencies, agencies, ("code", "name"), lambda row: (row["code"], row["name_vi"])),
    "service_groups": Kind(
        _groups, service_groups, ("number", "name"), lambda row: (row["number"], row["name_vi"])
    ),
    "enumerators": Kind(
        _people, enumerators, ("code", "name", "phone"), lambda row: (row["code"], row["name_vi"], row["phone"])
    ),
}  # fmt: skip


def _grouped(sign: str) -> Callable[[int], str]:
    return lambda number: f"{number:,}".replace(",", sign)


def _eaten(number: int) -> Any:
    """What a spreadsheet that takes points for decimal ones makes of `1.650`."""
    return number / 1000 if number >= 1000 else number


NUMBERS: dict[str, tuple[bool, Callable[[int], Any]]] = {
    "plain": (True, int),
    "text": (True, str),
    "points": (True, _grouped(".")),
    "commas": (True, _grouped(",")),
    "blanks": (True, _grouped(" ")),
    "hard blanks": (True, _grouped("\u00a0")),
    "float": (True, float),
    "decimals": (True, lambda number: f"{number:,}".replace(",", ".") + ",0"),
    "full width": (True, lambda number: "".join(chr(ord(c) + 0xFEE0) for c in str(number))),
    "noughts": (False, lambda number: f"{number:07d}"),
    "apostrophe": (False, lambda number: f"'{number}"),
    "sign": (False, lambda number: f"+{number}"),
    "words": (False, lambda number: f"{number} người"),
    "thousands": (False, lambda number: f"{number / 1000:g} nghìn"),
    "power": (False, lambda number: f"{number:.6e}"),
    "about": (False, lambda number: f"~{number}"),
    "less": (False, lambda number: f"<{number}"),
    "negative": (False, lambda number: f"({number})"),
    "per cent": (False, lambda number: f"{number}%"),
    "eaten point": (False, _eaten),
}
PERIODS: dict[str, tuple[bool, Callable[[int, int], Any]]] = {
    "iso": (True, lambda year, month: f"{year}-{month:02d}"),
    "short": (True, lambda year, month: f"{month}/{year}"),
    "two digits": (True, lambda year, month: f"{month:02d}/{year}"),
    "words": (True, lambda year, month: f"Tháng {month}/{year}"),
    "letter": (True, lambda year, month: f"T{month}/{year}"),
    "whole words": (True, lambda year, month: f"tháng {month} năm {year}"),
    "first day": (False, lambda year, month: f"1/{month}/{year}"),
    "last day": (False, lambda year, month: f"28/{month}/{year}"),
    "date": (False, lambda year, month: datetime(year, month, 1)),  # noqa: DTZ001
    "joined": (False, lambda year, month: f"{year}{month:02d}"),
    "american": (False, lambda year, month: f"{month}/1/{year}"),
    "two-digit year": (False, lambda year, month: f"{month:02d}/{year % 100}"),
    "english": (False, lambda year, month: date(year, month, 1).strftime("%b-%y")),
}
TEXTS: dict[str, tuple[bool, Callable[[str], str]]] = {
    "plain": (True, str),
    "apart": (True, lambda text: unicodedata.normalize("NFD", text)),
    "blanks": (True, lambda text: f"\u00a0{text} "),
    "unseen": (False, lambda text: text[:2] + "\u200b" + text[2:]),
    "control": (False, lambda text: text[:2] + "\x02" + text[2:]),
    "direction": (False, lambda text: "\u202e" + text),
}
HEADS: dict[str, tuple[bool, Callable[[str], str]]] = {
    "code": (True, str),
    "capitals": (True, str.upper),
    "blanks": (True, lambda text: f" {text}\u00a0"),
    "star": (False, lambda text: f"{text} (*)"),
}
LAYOUTS = {"plain": True, "titles": True, "blank rows": True, "header again": True, "turned": True, "totals": False,
           "twice": False, "wide row": False}  # fmt: skip
CHANGED = 2
_CODES_OF_TEXT = {name: code for name, code in how.CODES.items() if name != "ascii"}
"""Without the one that loses the marks: no reader can know them."""


@dataclass(frozen=True, slots=True)
class Way:
    """The conventions of one file."""

    kind: str
    container: str
    number: str
    period: str
    text: str
    agency: str
    head: str
    layout: str
    code: str
    separator: str

    @property
    def is_taken(self) -> bool:
        """Whether `docs/inputs.md` says that such a file is taken."""
        tables: tuple[tuple[dict[str, Any], str], ...] = (
            (NUMBERS, self.number), (PERIODS, self.period), (TEXTS, self.text), (how.AGENCIES, self.agency),
            (HEADS, self.head),
        )  # fmt: skip
        of_text = self.container == "xlsx" or how.CODES[self.code][0]
        return all(table[name][0] for table, name in tables) and LAYOUTS[self.layout] and of_text


@st.composite
def ways(draw: st.DrawFn) -> Way:
    names = ("number", "period", "text", "agency", "head", "layout", "code")
    odd = draw(st.lists(st.sampled_from(names), max_size=CHANGED, unique=True))
    tables: dict[str, dict[str, Any]] = {
        "number": NUMBERS, "period": PERIODS, "text": TEXTS, "agency": how.AGENCIES, "head": HEADS,
        "code": _CODES_OF_TEXT,
        "layout": {name: (taken,) for name, taken in LAYOUTS.items()},
    }  # fmt: skip

    def of(name: str) -> str:
        table = tables[name]
        return str(draw(st.sampled_from(sorted(key for key in table if name in odd or table[key][0]))))

    drawn = {name: of(name) for name in names}
    kind, container = draw(st.sampled_from(sorted(KINDS))), draw(st.sampled_from(("csv", "xlsx")))
    return Way(kind=kind, container=container, separator=draw(st.sampled_from(how.SEPARATORS)), **drawn)


_WORDS = frozenset(("name_vi",))
_CODES = frozenset(("code", "level", "question", "period"))


def _cell(way: Way, column: str, value: Any) -> Any:
    if column == "agency":
        return how.AGENCIES[way.agency][1](value)
    if column == "month":
        return PERIODS[way.period][1](*value)
    if column in _WORDS:
        return TEXTS[way.text][1](value)
    if column == "phone":
        return value if way.number not in ("plain", "float") else NUMBERS[way.number][1](int(value))
    if column in _CODES or column in ("year", "choice", "indicator", "service_group", "number"):
        return value
    return NUMBERS[way.number][1](value)


def _write(way: Way, rows: list[Row], folder: Path, draw: random.Random) -> Path:
    columns = list(rows[0])
    if way.layout == "turned":
        draw.shuffle(columns)
    header = [HEADS[way.head][1](column) for column in columns]
    table: list[list[Any]] = [[_cell(way, column, row[column]) for column in columns] for row in rows]
    if way.layout == "twice":
        table += table[:1]
    elif way.layout == "wide row":
        table[-1] = [*table[-1], "0"]
    elif way.layout == "totals":
        table.append(["Tổng cộng", *[""] * (len(columns) - 2), 12])
    elif way.layout == "blank rows":
        table = [part for row in table for part in (row, [])]
    elif way.layout == "header again":
        table.insert(len(table) // 2, header)
    lines = [*([["UBND TỈNH"], []] if way.layout == "titles" else []), header, *table]
    path = folder / f"{way.kind}.{way.container}"
    if way.container == "csv":
        lines = [[_dated(cell) for cell in line] for line in lines]
        path.write_bytes(how.CODES[way.code][1](how.as_text(lines, way.separator, "\r\n", "needed")))
        return path
    book = openpyxl.Workbook()
    assert book.active is not None
    for at, line in enumerate(lines, start=1):
        for column, value in enumerate(line, start=1):
            shown = value.replace("\x02", "_x0002_") if isinstance(value, str) else value  # as XLSX writes it
            book.active.cell(at, column).value = shown
    book.save(path)
    return path


def _dated(cell: Any) -> Any:
    return f"{cell:%d/%m/%Y}" if isinstance(cell, datetime) else cell


@contextmanager
def _opened(path: Path, *_rest: Any) -> Iterator[RawTable]:
    raw = read_here(path)
    if raw.outcome.refused:
        raise refusal(RefusedError(raw.outcome.refused, raw.outcome.detail), path.name)
    yield raw


def _stored(store: Engine, province: int, kind: Kind) -> Counter[tuple[Any, ...]]:
    scope, found = Scope(province), Counter[tuple[Any, ...]]()
    with read(store) as connection:
        codes = {row.id: row.code for row in connection.execute(scope.select(agencies, agencies.c.id, agencies.c.code))}
        for row in connection.execute(scope.select(kind.table, *(kind.table.c[name] for name in kind.columns))):
            cells = zip(kind.columns, row, strict=True)
            found[tuple(codes[value] if name == "agency_id" else _words(value) for name, value in cells)] += 1
    return found


def _words(value: Any) -> Any:
    return value.in_language("vi") if isinstance(value, Text) else value


def _small(rows: Counter[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(one.lower() if isinstance(one, str) else one for one in row) for row in rows.elements())


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process."""
    monkeypatch.setattr(spec, "opened", _opened)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(way=ways(), seed=st.integers(0, 10**6), count=st.integers(1, 12))
def test_a_table_is_refused_or_stored_as_it_was_meant(
    store: Engine, tmp_path: Path, here: None, way: Way, seed: int, count: int
) -> None:
    kind, draw = KINDS[way.kind], random.Random(seed)
    with write(store) as connection:
        province = small_province(connection, f"p{next(_numbers)}")
    before = _stored(store, province, kind)
    rows = kind.make(draw, count)
    path = _write(way, rows, tmp_path, draw)
    try:
        result = import_file(store, Scope(province), find_kind(way.kind), path)
    except HailongError as error:
        if way.is_taken:
            pytest.fail(f"{error} {getattr(error, 'rows', [])[:3]}")
        result = None
    if result is None:
        assert _stored(store, province, kind) == before
        return
    assert isinstance(result, ImportResult)
    stored, meant = _stored(store, province, kind) - before, Counter(map(kind.meant, rows))
    if way.code == "tcvn3":  # its fonts have no capitals with marks
        stored, meant = _small(stored), _small(meant)
    assert stored == meant, (stored - meant, meant - stored)
    assert result.balance is not None
    assert result.balance.to_dict()["adds_up"]
