"""A file of known answers, written by whatever convention: refused, or stored exactly as it was meant."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from pipeline.calendar import day_index
from pipeline.errors import HailongError, ImportRowError, InvalidError
from server.core.scope import Scope
from server.ratings import imports
from server.ratings.imports import RatingImport, import_ratings
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.ratings import ANSWER_COLUMNS, ratings
from server.tabular.reading import RawTable, refusal
from server.tabular.records import RefusedError
from tests.server.ratings import conventions as how
from tests.server.ratings.conventions import Known
from tests.server.tabular.files import read_here
from tests.server.worlds import small_province

SLOTS = tuple(how.INSTRUMENT.slot_of(code) for code in (*how.CRITERIA, *how.FACTS))
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Writing:
    """The conventions of one file."""

    container: str
    agency: str
    day: str
    number: str
    label: str
    missing: str
    yes: str
    points: str
    sign: str
    place: str
    heading: str
    code: str
    separator: str
    end: str
    quoting: str
    layout: str
    extra: str

    @property
    def is_taken(self) -> bool:
        """Whether `docs/inputs.md` says that such a file is taken."""
        tables: tuple[tuple[dict[str, Any], str], ...] = (
            (how.AGENCIES, self.agency),
            (how.DAYS, self.day),
            (how.MISSING, self.missing),
            (how.YES, self.yes),
            (how.HEADINGS, self.heading),
            (how.LABELS if self.label else how.NUMBERS, self.label or self.number),
        )
        of_text = self.container != "csv" or (
            how.CODES[self.code][0] and (self.quoting != "never" or (self.number != "comma" and self.separator == "\t"))
        )
        return (
            all(table[name][0] for table, name in tables)
            and of_text
            and how.POINTS[self.points].is_usual
            and self.layout in _LAYOUTS_TAKEN
            and self.extra in _EXTRAS_TAKEN
            and not (self.sign and self.place in ("headings", "one heading", "foot"))
        )


LAYOUTS = ("plain", "titles", "numbered", "header again", "blank rows", "sheets", "copy", "pasted twice", "totals",
           "trailing", "ragged")  # fmt: skip
_LAYOUTS_TAKEN = frozenset(("plain", "titles", "numbered", "header again", "blank rows", "sheets"))
EXTRAS = ("none", "form", "note", "channel", "count", "index")
_EXTRAS_TAKEN = frozenset(("none", "form", "note", "channel", "index"))


NAME_LETTERS = 30
"""That a worksheet's name has room for, less one for its number."""
CHANGED = 3
"""So many conventions of a file, at most, are drawn from all; the others from those that are taken. Most files that mix
more are refused for one of them, and say nothing of the others."""


@st.composite
def writings(draw: st.DrawFn) -> Writing:
    """The conventions of a file: any two or three that are odd meet."""
    container = draw(st.sampled_from(("csv", "json", "xlsx")))
    odd = draw(st.lists(st.sampled_from(_DRAWN), max_size=CHANGED, unique=True))

    def of(name: str, options: Any, taken: Any = ()) -> str:
        fine = sorted(taken) or sorted(key for key, value in options.items() if value[0])
        return str(draw(st.sampled_from(sorted(options) if name in odd else fine)))

    points = of("points", how.POINTS, ["1-5"])
    places = {"json": ("headings", "one heading", "other heading", "file name"), "csv": sorted(how.OF_TEXT)}
    place = draw(st.sampled_from(places.get(container, how.PLACES)))
    has_sign = points != "1-5" or ("sign" in odd and place != "foot")
    sign = draw(st.sampled_from(how.POINTS[points].signs)) if has_sign else ""
    return Writing(
        container,
        of("agency", how.AGENCIES),
        of("day", how.DAYS),
        of("number", how.NUMBERS),
        of("label", how.LABELS) if draw(st.booleans()) else "",
        of("missing", how.MISSING),
        of("yes", how.YES),
        points,
        sign,
        "title" if place == "sheet name" and len(sign) > NAME_LETTERS else place,
        of("heading", how.HEADINGS),
        of("code", how.CODES),
        of("separator", how.SEPARATORS, how.SEPARATORS),
        of("end", how.ENDS, how.ENDS),
        of("quoting", ("all", "needed", "never"), ("all", "needed")),
        of("layout", LAYOUTS, _LAYOUTS_TAKEN) if container != "json" else "plain",
        of("extra", EXTRAS, _EXTRAS_TAKEN),
    )


_DRAWN = ("agency", "day", "number", "label", "missing", "yes", "points", "sign", "heading", "code", "separator", "end",
          "quoting", "layout", "extra")  # fmt: skip


def _answer(way: Writing, level: int, draw_numbers: Iterator[int]) -> Any:
    if not level:
        return how.MISSING[way.missing][1]
    scale = how.POINTS[way.points].numbers
    number = scale[level - 1] if len(scale) == 5 else scale[next(draw_numbers) % len(scale)]
    if way.label and len(scale) == 5:
        return how.LABELS[way.label][1](number, level)
    return how.NUMBERS[way.number][1](number)


def _cells(way: Writing, sheet: Known, number: int, draw_numbers: Iterator[int]) -> list[Any]:
    day = how.DAYS[way.day][2](sheet.moment)
    answers = [_answer(way, level, draw_numbers) for level in sheet.answers[: len(how.CRITERIA)]]
    yes, no = how.YES[way.yes][1]
    facts = [{6: yes, 7: no}.get(answer, "") for answer in sheet.answers[len(how.CRITERIA) :]]
    extra: dict[str, list[Any]] = {
        "form": [f"P{number}"], "note": ["rất tốt, cảm ơn"], "channel": ["sms"], "count": [number % 7 + 2],
        "index": [number],
    }  # fmt: skip
    return [how.AGENCIES[way.agency][1](sheet.agency), day, *extra.get(way.extra, []), *answers, *facts]


_EXTRA_HEADS = {"form": "Mã phiếu", "note": "Ghi chú", "channel": "Kênh", "count": "Số lượng", "index": "STT"}


def _table(way: Writing, sheets: list[Known]) -> tuple[list[str], list[list[Any]]]:
    sign = way.sign
    items = [how.HEADINGS[way.heading][1](code) for code in (*how.CRITERIA, *how.FACTS)]
    if sign and way.place == "headings":
        items[: len(how.CRITERIA)] = [f"{text} {sign}" for text in items[: len(how.CRITERIA)]]
    elif sign and way.place == "one heading":
        items[1] = f"{items[1]} {sign}"
    header = ["Cơ quan", "Ngày", *([_EXTRA_HEADS[way.extra]] if way.extra != "none" else []), *items]
    drawn = iter(range(10**6))
    rows = [_cells(way, sheet, number, drawn) for number, sheet in enumerate(sheets, start=1)]
    if sign and way.place == "other heading":
        header.append(f"Ý kiến khác ({sign})")
        rows = [[*row, ""] for row in rows]
    return header, rows


def _laid_out(way: Writing, header: list[str], rows: list[list[Any]]) -> list[tuple[str, list[list[Any]]]]:
    """Worksheets (one for a text file) with everything that stands about the table."""
    half = len(rows) // 2
    top: list[list[Any]] = [[way.sign]] if way.sign and way.place == "title" else []
    parts = [[*top, header, *rows]]
    if way.layout == "titles":
        parts = [[["UBND TỈNH"], ["Kết quả khảo sát"], [], *top, header, *rows]]
    elif way.layout == "numbered":
        parts = [[*top, header, [f"({n})" for n in range(1, len(header) + 1)], *rows]]
    elif way.layout == "header again":
        parts = [[*top, header, *rows[:half], header, *rows[half:]]]
    elif way.layout == "blank rows":
        parts = [[*top, header, *itertools.chain.from_iterable((row, []) for row in rows)]]
    elif way.layout == "sheets" and way.container == "xlsx" and half:
        parts = [[*top, header, *rows[:half]], [*top, header, *rows[half:]]]
    elif way.layout == "copy":
        parts = [[*top, header, *rows], [*top, header, *rows]]
        parts = parts if way.container == "xlsx" else [parts[0] + parts[1]]
    elif way.layout == "pasted twice":
        parts = [[*top, header, *rows, *rows]]
    elif way.layout == "totals":
        parts = [[*top, header, *rows, ["Tổng cộng", *[""] * (len(header) - 2), len(rows)]]]
    elif way.layout == "trailing":
        parts = [[*top, header, *([*row, ""] for row in rows)]]
    elif way.layout == "ragged":
        parts = [[*top, header, *(row if n % 2 else _trimmed(row) for n, row in enumerate(rows))]]
    if way.sign and way.place == "foot":
        parts[-1].append([way.sign])
    name = way.sign[:31].translate(str.maketrans("[]:*?/\\", "       ")) if way.place == "sheet name" else "Trang"
    return [(f"{name[:NAME_LETTERS] or 'Trang'}{n or ''}", part) for n, part in enumerate(parts)]


def _trimmed(row: list[Any]) -> list[Any]:
    while row and row[-1] == "":
        row = row[:-1]
    return row


def _write(way: Writing, sheets: list[Known], folder: Path) -> Path:
    header, rows = _table(way, sheets)
    stem = way.sign.replace("/", " ") if way.sign and way.place == "file name" else "phieu"
    path = folder / f"{stem}.{way.container}"
    if way.container == "json":
        path.write_text(how.as_json(header, rows), encoding="utf-8")
        return path
    parts = _laid_out(way, header, rows)
    if way.container == "xlsx":
        first = 2 + (way.extra != "none")
        how.as_workbook(path, parts, way.sign, way.place if way.sign else "", first)
        return path
    text = how.as_text(parts[0][1], way.separator, way.end, way.quoting)
    path.write_bytes(how.CODES[way.code][1](text))
    return path


@contextmanager
def _opened(path: Path, *_rest: Any) -> Iterator[RawTable]:
    """The file, read in this process: thousands of files do not want a process each."""
    raw = read_here(path)
    if raw.outcome.refused:
        raise refusal(RefusedError(raw.outcome.refused, raw.outcome.detail), path.name)
    yield raw


def _stored(store: Engine, province: int) -> Counter[tuple[Any, ...]]:
    query = Scope(province).select(ratings, agencies.c.code, ratings.c.day, *(ratings.c[n] for n in ANSWER_COLUMNS))
    with read(store) as connection:
        found = connection.execute(query.join(agencies, agencies.c.id == ratings.c.agency_id)).all()
    return Counter((row[0], row[1], *(row[2 + slot] for slot in SLOTS)) for row in found)


def _meant(sheets: list[Known]) -> Counter[tuple[Any, ...]]:
    return Counter((sheet.agency, day_index(sheet.moment.date()), *sheet.answers) for sheet in sheets)


def _without_day(found: Counter[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    out: Counter[tuple[Any, ...]] = Counter()
    for row, count in found.items():
        out[row[0], *row[2:]] += count
    return out


def _is_told(way: Writing, result: RatingImport) -> bool:
    """Whether the answer says that the days may be others."""
    assert result.balance is not None
    told = how.DAYS[way.day][1]
    return bool((told == "days" and result.balance.days_doubtful) or (told == "moved" and result.balance.times_moved))


def _check(store: Engine, way: Writing, sheets: list[Known], folder: Path) -> str:
    """Import one file and compare; what became of it."""
    with write(store) as connection:
        province = small_province(connection, f"p{next(_numbers)}")
    for old in folder.iterdir():
        old.unlink()
    path = _write(way, sheets, folder)
    try:
        result = import_ratings(store, province, path, how.INSTRUMENT, key=bytes(32), channel="sms")
    except HailongError as error:
        assert not _stored(store, province)
        rows = [(number, str(text)) for number, text in getattr(error, "rows", [])][:3]
        if way.is_taken:
            pytest.fail(f"{error} {rows}")
        return "refused"
    stored, meant = _stored(store, province), _meant(sheets)
    if stored != meant and way.layout in ("copy", "pasted twice"):
        assert result.balance is not None
        assert result.balance.twice == len(sheets)  # too few to be refused
        return "told"
    if stored != meant:
        assert _is_told(way, result), (stored - meant, meant - stored)
        assert _without_day(stored) == _without_day(meant)
        return "told"
    return "taken"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process."""
    monkeypatch.setattr(imports, "opened", _opened)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(way=writings(), seed=st.integers(0, 10**6), count=st.integers(1, 30))
def test_a_file_is_refused_or_stored_as_it_was_meant(
    store: Engine, tmp_path: Path, here: None, way: Writing, seed: int, count: int
) -> None:
    """2,000 and more were tried when this was written; whatever was stored otherwise is a row of docs/threats.md."""
    folder = tmp_path / "files"
    folder.mkdir(exist_ok=True)
    _check(store, way, how.known_sheets(seed, count), folder)


PLAIN = Writing(
    "csv", "code", "iso", "number", "", "empty", "vietnamese", "1-5", "", "headings", "code", "utf-8", ",", "\n",
    "needed", "plain", "none",
)  # fmt: skip


@pytest.mark.parametrize("place", [place for place in how.PLACES if place != "foot"])
@pytest.mark.parametrize("points", ["5-1", "0-4", "1-10"])
def test_wherever_a_workbook_tells_of_another_scale(
    store: Engine, tmp_path: Path, here: None, place: str, points: str
) -> None:
    for sign in how.POINTS[points].signs:
        if place == "sheet name" and len(sign) > NAME_LETTERS:
            continue
        way = replace(PLAIN, container="xlsx", points=points, sign=sign, place=place)
        assert _check(store, way, how.known_sheets(1, 6), tmp_path) == "refused"


@pytest.mark.parametrize("layout", ["copy", "pasted twice"])
@pytest.mark.parametrize("container", ["csv", "xlsx"])
def test_a_list_that_is_there_twice(store: Engine, tmp_path: Path, here: None, layout: str, container: str) -> None:
    way = replace(PLAIN, container=container, layout=layout)
    assert _check(store, way, how.known_sheets(1, 40), tmp_path) == "refused"
    assert _check(store, way, how.known_sheets(1, 2), tmp_path) == "told"
    assert _check(store, replace(way, extra="form"), how.known_sheets(1, 2), tmp_path) == "refused"


def test_an_agencys_worksheet_beside_the_list_of_all(store: Engine, tmp_path: Path, here: None) -> None:
    sheets = how.known_sheets(3, 60)
    header, rows = _table(PLAIN, sheets)
    path = tmp_path / "a.xlsx"
    how.as_workbook(path, [("So A", [header, *(row for row in rows if row[0] == "so-a")]), ("Chung", [header, *rows])])
    with write(store) as connection:
        province = small_province(connection)
    with pytest.raises(InvalidError, match="a second time"):
        import_ratings(store, province, path, how.INSTRUMENT, key=bytes(32), channel="sms")


@pytest.mark.parametrize(
    "heading", ["Số lượng", "Số phiếu", "Số lượt trả lời", "Tần suất", "count", "Number of responses"]
)
def test_a_row_that_stands_for_several_sheets(store: Engine, tmp_path: Path, here: None, heading: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"agency,day,overall,A1,{heading}\nso-a,2026-07-05,4,4,25\n", encoding="utf-8")
    with write(store) as connection:
        province = small_province(connection)
    with pytest.raises(InvalidError, match="for how many sheets"):
        import_ratings(store, province, path, how.INSTRUMENT, key=bytes(32), channel="sms")


def test_a_separator_that_is_none_moves_no_column(store: Engine, tmp_path: Path, here: None) -> None:
    """`4,0` without quotation marks was read as 4 and no answer, and what followed as the next column's."""
    path = tmp_path / "a.csv"
    with write(store) as connection:
        province = small_province(connection)
    path.write_text("agency,day,overall,A1,C1,note\nso-a,2026-07-05,4,0,5,3,\n", encoding="utf-8")
    with pytest.raises(ImportRowError) as caught:
        import_ratings(store, province, path, how.INSTRUMENT, key=bytes(32), channel="sms")
    assert "more cells than the header has" in caught.value.rows[0][1]
    path.write_text("agency,day,A1, dễ dàng,B1,C1\nso-a,2026-07-05,4,3,5\nso-a,2026-07-05,4,3,5\n", encoding="utf-8")
    with pytest.raises(InvalidError, match="as wide as its header"):
        import_ratings(store, province, path, how.INSTRUMENT, key=bytes(32), channel="sms")


def test_days_of_which_a_spreadsheet_turned_some(store: Engine, tmp_path: Path, here: None) -> None:
    way = replace(PLAIN, container="xlsx", day="turned")
    sheets = [one for one in how.known_sheets(1, 30) if not 9 < one.moment.day < 13]  # the others would be to come
    assert _check(store, way, sheets, tmp_path) == "refused"


def test_a_single_day_that_may_be_month_first_is_told(store: Engine, tmp_path: Path, here: None) -> None:
    sheets = [one for one in how.known_sheets(1, 30) if one.moment.day == 9][:1]  # 7 September is over
    assert _check(store, replace(PLAIN, day="month first"), sheets, tmp_path) == "told"


@pytest.mark.parametrize("number_format", ['0"/10"', '0".000"', '0" nghìn"', "0\\0"])
def test_what_a_format_writes_beside_a_number(store: Engine, tmp_path: Path, here: None, number_format: str) -> None:
    path = tmp_path / "a.xlsx"
    header, rows = _table(PLAIN, how.known_sheets(1, 3))
    how.as_workbook(path, [("S", [header, *rows])])
    book = openpyxl.load_workbook(path)
    for line in book.worksheets[0].iter_rows(min_row=2, min_col=3):
        for cell in line:
            cell.number_format = number_format
    book.save(path)
    with write(store) as connection:
        province = small_province(connection)
    with pytest.raises(ImportRowError) as caught:
        import_ratings(store, province, path, how.INSTRUMENT, key=bytes(32), channel="sms")
    assert "beside this number" in caught.value.rows[0][1]


@pytest.mark.parametrize(
    ("heading", "is_taken"),
    [
        ("Hài lòng chung (1-5)", True), ("Hài lòng chung:", True), ("Hài lòng chung từ 1 đến 5", False),
        ("A1. Nơi ngồi chờ tại cơ quan có đủ chỗ ngồi", False), ("Nơi ngồi chờ tại cơ quan có đủ chỗ ngồi", False),
    ],
)  # fmt: skip
def test_headings_with_more_than_a_name_or_with_another_instruments(
    store: Engine, tmp_path: Path, here: None, heading: str, is_taken: bool
) -> None:
    """Such an answer was left out by its heading, or read as another question's."""
    path = tmp_path / "a.csv"
    path.write_text(f"agency;day;C1;C2;{heading}\nso-a;2026-07-05;4;4;5\n", encoding="utf-8")
    with write(store) as connection:
        province = small_province(connection)
    if is_taken:
        import_ratings(store, province, path, how.INSTRUMENT, key=bytes(32), channel="sms")
        assert next(iter(_stored(store, province)))[2] == 5
        return
    with pytest.raises(InvalidError, match="look like answers"):
        import_ratings(store, province, path, how.INSTRUMENT, key=bytes(32), channel="sms")


def test_reasons_in_words_with_commas_of_their_own(store: Engine, tmp_path: Path, here: None) -> None:
    """Three of our own wordings have one, and were unknown."""
    path = tmp_path / "a.csv"
    told = ", ".join(reason.vi for reason in how.INSTRUMENT.reasons)
    path.write_text(f'agency,day,overall,C1,reasons\nso-a,2026-07-05,2,2,"{told}"\n', encoding="utf-8")
    with write(store) as connection:
        province = small_province(connection)
    import_ratings(store, province, path, how.INSTRUMENT, key=bytes(32), channel="sms")
    with read(store) as connection:
        (mask,) = connection.execute(Scope(province).select(ratings, ratings.c.reasons)).scalars()
    assert mask == (1 << len(how.INSTRUMENT.reasons)) - 1
