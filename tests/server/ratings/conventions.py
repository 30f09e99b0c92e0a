"""How people and programs write a table of answers: conventions that are drawn at random, and files written by them.

Each convention says whether `docs/inputs.md` takes it. A file all of whose conventions are taken has to be taken; any
other may be refused. What is stored has to be what was meant, either way (`test_known_answers`).
"""

from __future__ import annotations

import csv
import io
import json
import random
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import openpyxl
from openpyxl.comments import Comment
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.instruments import load_instrument
from server.tabular import encodings
from tests.server.tabular.files import alter, sheet_xml

INSTRUMENT = load_instrument("1383")
CRITERIA = ("overall", "A1", "A2", "B1", "C1", "C2")
FACTS = ("D2", "D3")
WORDS = ("Rất không hài lòng", "Không hài lòng", "Bình thường", "Hài lòng", "Rất hài lòng")
ENGLISH = ("Very dissatisfied", "Dissatisfied", "Neutral", "Satisfied", "Very satisfied")


@dataclass(frozen=True, slots=True)
class Known:
    """A sheet as it was meant. `answers`: 1..5 of each criterion, 6 or 7 of a fact, 0 for none."""

    agency: str
    moment: datetime
    answers: tuple[int, ...]


def known_sheets(seed: int, count: int) -> list[Known]:
    """Sheets of July 2026."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        answers = [draw.choices(range(6), (1, 1, 2, 3, 6, 7))[0] for _ in CRITERIA]
        answers[0] = answers[0] or 5
        facts = [draw.choice((0, 6, 7)) for _ in FACTS]
        moment = datetime(2026, 7, 1) + timedelta(days=draw.randrange(28), minutes=draw.randrange(24 * 60))  # noqa: DTZ001
        rows.append(Known(draw.choice(("so-a", "so-b", "xa-c")), moment, (*answers, *facts)))
    return rows


Write = Callable[[Any], Any]


def _nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in text)


AGENCIES: dict[str, tuple[bool, Write]] = {
    "code": (True, str),
    "name": (True, lambda code: f"Cơ quan {code}"),
    "capitals": (True, lambda code: f"CƠ QUAN {code.upper()}"),
    "taken apart": (True, lambda code: _nfd(f"Cơ quan {code}")),
    "blanks": (True, lambda code: f"\u00a0Cơ  quan {code} "),
    "other dash": (True, lambda code: f"Cơ quan {code.replace('-', '–')}"),
    "name and code": (False, lambda code: f"Cơ quan {code} ({code})"),
    "short": (False, lambda code: code.split("-")[1]),
}
_QUARTER = "T%H:%M:00"
DAYS: dict[str, tuple[bool, str, Write]] = {
    # taken; what may be told in place of the day: "" the day has to be right
    "iso": (True, "", lambda t: f"{t:%Y-%m-%d}"),
    "day first": (True, "days", lambda t: f"{t.day}/{t.month}/{t.year}"),
    "day first, noughts": (True, "days", lambda t: f"{t:%d/%m/%Y}"),
    "day first, short": (True, "days", lambda t: f"{t:%d-%m-%y}"),
    "points": (True, "days", lambda t: f"{t:%d.%m.%Y}"),
    "words": (True, "", lambda t: f"ngày {t.day} tháng {t.month} năm {t.year}"),
    "iso and time": (True, "", lambda t: f"{t:%Y-%m-%dT%H:%M:00}"),
    "day first and time": (True, "days", lambda t: f"{t:%d/%m/%Y %H:%M}"),
    "zone": (True, "", lambda t: f"{t - timedelta(hours=7):%Y-%m-%dT%H:%M:00Z}"),
    "offset": (True, "", lambda t: f"{t - timedelta(hours=13):%Y-%m-%dT%H:%M:00.000-06:00}"),
    "date": (True, "", lambda t: t.date()),
    "date and time": (True, "", lambda t: t),
    "google": (True, "", lambda t: f"{t:%Y/%m/%d %I:%M:%S} {'SA' if t.hour < 12 else 'CH'} GMT+7"),
    "utc, untold": (True, "moved", lambda t: f"{t - timedelta(hours=7):%Y-%m-%d %H:%M:%S}"),
    "month first": (False, "days", lambda t: f"{t:%m/%d/%Y}"),
    "month first, half": (False, "", lambda t: f"{t.month}/{t.day}/{t.year} {t:%I:%M:%S %p}"),
    "year first, short": (False, "days", lambda t: f"{t:%y-%m-%d}"),
    "serial": (False, "", lambda t: (t.date() - date(1899, 12, 30)).days),
    "turned": (False, "", lambda t: date(t.year, t.day, t.month) if t.day <= 12 else f"{t:%d/%m/%Y}"),
    "english": (False, "", lambda t: f"{t:%b %d, %Y}"),
    "stamp": (False, "", lambda t: int(t.timestamp() * 1000)),
}
"""`turned`: what a spreadsheet set to American days makes of days that were typed day first."""

NUMBERS: dict[str, tuple[bool, Write]] = {
    "number": (True, int),
    "text": (True, str),
    "float": (True, lambda n: f"{n}.0"),
    "comma": (True, lambda n: f"{n},0"),
    "full width": (True, lambda n: _full_width(str(n))),
    "blanks": (True, lambda n: f" {n}\u200b"),
}
"""How a number of a five-point scale is written."""
LABELS: dict[str, tuple[bool, Callable[[int, int], Any]]] = {
    "words": (True, lambda n, level: WORDS[level - 1]),
    "plain words": (True, lambda n, level: WORDS[level - 1].upper()),
    "english": (True, lambda n, level: ENGLISH[level - 1]),
    "number and words": (True, lambda n, level: f"{n} - {WORDS[level - 1]}"),
    "number, words in brackets": (True, lambda n, level: f"{n} ({WORDS[level - 1]})"),
    "words and number": (False, lambda n, level: f"{WORDS[level - 1]} ({n})"),
    "stars": (False, lambda n, level: "★" * max(1, n)),
}
MISSING: dict[str, tuple[bool, Any]] = {
    "empty": (True, ""), "x": (True, "x"), "n/a": (True, "N/A"), "dash": (True, "–"), "nought": (True, "0"),
    "-99": (False, "-99"), "9": (False, "9"), "words": (False, "Không ý kiến"), "null": (False, "NULL"),
}  # fmt: skip
YES: dict[str, tuple[bool, tuple[str, str]]] = {
    "vietnamese": (True, ("Có", "Không")), "english": (True, ("yes", "no")), "boolean": (True, ("TRUE", "FALSE")),
    "codes": (False, ("1", "0")), "codes from 1": (False, ("1", "2")), "ticks": (False, ("v", "x")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Points:
    """A scale of `numbers`, the worst first; `signs`: how a file tells of it."""

    numbers: tuple[int, ...]
    signs: tuple[str, ...]
    is_usual: bool = False


_UP = tuple(range(1, 6))
POINTS: dict[str, Points] = {
    "1-5": Points(_UP, ("1 = Rất không hài lòng; 5 = Rất hài lòng", "(1-5)", "từ 1 đến 5", "Thang 5 điểm"), True),
    "5-1": Points(
        _UP[::-1],
        (
            "1 = Rất hài lòng; 5 = Rất không hài lòng", "(1: tốt nhất; 5: kém nhất)", "1 - very good ... 5 - very poor",
            "Rất hài lòng (1), Rất không hài lòng (5)", "số càng nhỏ càng hài lòng", "5: worst, 1: best",
        ),
    ),
    "0-4": Points(
        (0, 1, 2, 3, 4),
        ("0 = Rất không hài lòng; 4 = Rất hài lòng", "(mức độ hài lòng 0-4)", "chấm từ 0 đến 4"),
    ),
    "1-10": Points(tuple(range(1, 11)), ("Thang 10 điểm", "thang điểm 10", "Đánh giá từ 1 đến 10", "(điểm 1-10)")),
    "1-7": Points(tuple(range(1, 8)), ("Thang đo 7 mức", "thang đo Likert 7 điểm")),
    "1-4": Points((1, 2, 3, 4), ("Thang 4 mức",)),
    "1-3": Points((1, 2, 3), ("Thang 3 điểm",)),
}  # fmt: skip
PLACES = ("headings", "one heading", "title", "legend", "other heading", "sheet name", "file name", "comment", "box",
          "print", "prompt", "foot")  # fmt: skip
"""Where a file tells of its scale."""
OF_TEXT = frozenset(PLACES) - {"legend", "sheet name", "comment", "box", "print", "prompt"}

_ITEMS = {item.code: item for item in INSTRUMENT.items}


def _wording(code: str) -> str:
    return "Hài lòng chung" if code == "overall" else _ITEMS[code].vi


HEADINGS: dict[str, tuple[bool, Write]] = {
    "code": (True, str),
    "lower": (True, lambda code: code.lower()),
    "wording": (True, _wording),
    "capitals": (True, lambda code: _nfd(_wording(code)).upper()),
    "english": (True, lambda code: "overall" if code == "overall" else _ITEMS[code].en),
    "code and wording": (True, lambda code: code if code == "overall" else f"{code}. {_wording(code)}"),
    "question": (True, lambda code: code if code == "overall" else f"Câu {code}: {_wording(code)}"),
    "group": (True, lambda code: f"nhom_{code[0].lower()}/{code}"),
    "grid": (False, lambda code: code if code == "overall" else f"Đánh giá [{_wording(code)}]"),
    "others": (False, lambda code: code if code == "overall" else f"{code}. {_other_wording(code)}"),
}


def _other_wording(code: str) -> str:
    """What another instrument asks under that code; this one's where it has none."""
    other = load_instrument("2640")
    return next((item.vi for item in other.items if item.code == code), _ITEMS[code].vi)


CODES: dict[str, tuple[bool, Callable[[str], bytes]]] = {
    "utf-8": (True, lambda text: text.encode()),
    "utf-8, mark": (True, lambda text: text.encode("utf-8-sig")),
    "utf-8, apart": (True, lambda text: _nfd(text).encode()),
    "utf-16": (True, lambda text: text.encode("utf-16")),
    "utf-16, no mark": (False, lambda text: text.encode("utf-16-le")),
    "windows-1258": (False, lambda text: windows_1258(text)),
    "tcvn3": (False, lambda text: tcvn3(text)),
    "vni": (False, lambda text: vni(text)),
    "viscii": (False, lambda text: viscii(text)),
    "latin": (False, lambda text: text.encode("cp1252", "replace")),
    "garbled": (False, lambda text: text.encode().decode("latin-1").encode()),
    "ascii": (False, lambda text: _nfd(text).replace("đ", "d").encode("ascii", "ignore")),
}


def _by_table(text: str, table: dict[str, bytes]) -> bytes:
    return b"".join(table.get(c) or c.encode("ascii", "replace") for c in unicodedata.normalize("NFC", text))


def windows_1258(text: str) -> bytes:
    """As Windows wrote it: base letters precomposed, tone marks following."""
    out = []
    for letter in unicodedata.normalize("NFC", text):
        parts = unicodedata.normalize("NFD", letter)
        tones = [c for c in parts if c in "\u0300\u0301\u0303\u0309\u0323"]
        try:
            out.append(letter.encode("cp1258"))
        except UnicodeEncodeError:
            base = unicodedata.normalize("NFC", "".join(c for c in parts if c not in tones))
            out.append((base + "".join(tones)).encode("cp1258", "replace"))
    return b"".join(out)


def tcvn3(text: str) -> bytes:
    """As the fonts .VnTime have it; of capitals with a mark most have no place and are small letters."""
    table = {new: old.encode("latin-1") for old, new in encodings._TCVN3.items() if new != "\ufffd"}
    small = "".join(c if c in table or c.isascii() else c.lower() for c in unicodedata.normalize("NFC", text))
    return _by_table(small, table)


def vni(text: str) -> bytes:
    """As the fonts VNI-Times have it."""
    single = {new: old for old, new in encodings._VNI_SINGLE.items()}
    marks = {mark: sign for sign, mark in encodings._VNI_MARKS.items()}
    bases = {new: old for old, new in encodings._VNI_BASES.items()}
    out = []
    for letter in unicodedata.normalize("NFC", text):
        parts = unicodedata.normalize("NFD", letter)
        horned = unicodedata.normalize("NFC", parts[0] + "\u031b") if "\u031b" in parts else ""
        rest = "".join(c for c in parts[1:] if c != "\u031b")
        if letter in single:
            out.append(single[letter])
        elif rest or horned:
            sign = marks.get(rest, "")
            out.append(bases.get(horned, parts[0]) + (sign.upper() if letter.isupper() else sign))
        else:
            out.append(letter)
    return "".join(out).encode("cp1252", "replace")


def viscii(text: str) -> bytes:
    """The old standard's bytes from 128 on."""
    return _by_table(text, {letter: bytes((0x80 + n,)) for n, letter in enumerate(encodings.VISCII)})


SEPARATORS = (",", ";", "\t", "|")
ENDS = ("\r\n", "\n", "\r")


def as_text(rows: Sequence[Sequence[Any]], separator: str, end: str, quoting: str) -> str:
    """A text file. `quoting`: `needed`, `all`, or `never` as careless programs do."""
    if quoting == "never":
        return end.join(separator.join("" if cell is None else str(cell) for cell in row) for row in rows) + end
    out = io.StringIO()
    dialect = csv.unix_dialect if quoting == "all" else csv.excel
    csv.writer(out, dialect, delimiter=separator, lineterminator=end).writerows(rows)
    return out.getvalue()


def as_json(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """What an interface answers."""
    records = [dict(zip(header, row, strict=False)) for row in rows]
    return json.dumps({"data": records}, ensure_ascii=False, default=str)


def as_workbook(
    path: Path,
    sheets: Sequence[tuple[str, Sequence[Sequence[Any]]]],
    sign: str = "",
    place: str = "",
    first_answer: int = 2,
) -> None:
    """A workbook of those worksheets; its scale told at a place. `first_answer`: the first answers' column, from 0."""
    book = openpyxl.Workbook()
    first = book.active
    assert isinstance(first, Worksheet)
    book.remove(first)
    for name, rows in sheets:
        sheet = book.create_sheet(name[:31])
        for row in rows:
            sheet.append([None if cell == "" else cell for cell in row])
        letter = openpyxl.utils.get_column_letter(first_answer + 1)
        if place == "comment":
            sheet[f"{letter}1"].comment = Comment(sign, "a")
        elif place == "print":
            sheet.oddHeader.center.text = sign
        elif place == "prompt":
            rule = DataValidation(type="whole", operator="greaterThan", formula1="-1", prompt=sign, promptTitle="?")
            rule.add(f"{letter}2:{letter}99")
            sheet.add_data_validation(rule)
    if place == "legend":
        sheet = book.create_sheet("Ghi chú")
        sheet.append([sign])
    book.save(path)
    if place == "box":
        _add_text_box(path, sign)


def _add_text_box(path: Path, text: str) -> None:
    """A text box on the first worksheet, as spreadsheets write it; openpyxl writes none."""
    office = "http://schemas.openxmlformats.org"
    drawing = (
        f'<xdr:wsDr xmlns:xdr="{office}/drawingml/2006/spreadsheetDrawing" xmlns:a="{office}/drawingml/2006/main">'
        f"<xdr:absoluteAnchor><xdr:sp><xdr:txBody><a:p><a:r><a:t>{escape(text)}</a:t></a:r></a:p></xdr:txBody></xdr:sp>"
        "<xdr:clientData/></xdr:absoluteAnchor></xdr:wsDr>"
    )
    relation = (
        f'<Relationships xmlns="{office}/package/2006/relationships"><Relationship Id="rId1" '
        f'Type="{office}/officeDocument/2006/relationships/drawing" Target="/xl/drawings/drawing1.xml"/>'
        "</Relationships>"
    )
    shown = f'<drawing xmlns:r="{office}/officeDocument/2006/relationships" r:id="rId1"/></worksheet>'
    alter(path, "xl/drawings/drawing1.xml", lambda _: drawing.encode())
    alter(path, "xl/worksheets/_rels/sheet1.xml.rels", lambda _: relation.encode())
    sheet_xml(path, lambda part: part.replace("</worksheet>", shown))
