"""Imports: every bad input is told by row or read rightly; all or nothing; repeats add nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from sqlalchemy import Engine, func, select

from pipeline.calendar import day_date, day_index, today
from pipeline.errors import ImportRowError, InvalidError
from pipeline.instruments import RatingFlag, load_instrument
from server.core.changes import verify_changes
from server.core.scope import Scope
from server.imports.kinds import find_kind
from server.ratings.imports import RatingImport, import_ratings
from server.ratings.origins import OriginKey
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.ratings import RatingState, ratings
from server.store.tables.transactions import transactions
from server.tabular.cells import clean
from server.tabular.encodings import encoding_of
from server.tabular.spec import ImportResult, Options, import_file
from server.tabular.values import read_answer, read_day, read_month, read_phone
from tests.server.worlds import small_province

HEADER = "Mã phiếu,Cơ quan,Ngày,Hài lòng chung,A1,C1"


@pytest.fixture
def province(store: Engine) -> int:
    with write(store) as connection:
        return small_province(connection)


def _csv(tmp_path: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8", name: str = "in.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(("\r\n".join([header, *lines]) + "\r\n").encode(encoding))
    return path


def _import(store: Engine, province: int, path: Path, **more: object) -> RatingImport:
    arguments = {"channel": "sms", **more}
    return import_ratings(store, province, path, load_instrument("2640"), **arguments, key=bytes(32))  # type: ignore[arg-type]


def sealed(form: str, province: int = 1) -> str:
    return "sheet:" + OriginKey(bytes(32), province).seal(f"form:{form}")


def _file(store: Engine, province: int, kind: str, path: Path, **options: object) -> ImportResult:
    result: ImportResult = import_file(store, Scope(province), find_kind(kind), path, Options(**options))  # type: ignore[arg-type]
    assert result.balance is not None
    assert result.balance.adds_up
    return result


def _count(store: Engine) -> int:
    with read(store) as connection:
        return int(connection.execute(select(func.count()).select_from(ratings)).scalar_one())


def _windows_1258(text: str) -> bytes:
    """Vietnamese as old programs wrote it: base letters precomposed, tone marks following."""
    out = []
    for letter in unicodedata.normalize("NFC", text):
        try:
            out.append(letter.encode("cp1258"))
        except UnicodeEncodeError:
            parts = unicodedata.normalize("NFD", letter)
            tones = [c for c in parts if c in "\u0300\u0301\u0303\u0309\u0323"]
            base = unicodedata.normalize("NFC", "".join(c for c in parts if c not in tones))
            out.append(base.encode("cp1258") + "".join(tones).encode("cp1258"))
    return b"".join(out)


_LINES = (HEADER, "P1,Cơ quan so-a,5/7/2026,Rất hài lòng,4,", 'P2,"CƠ QUAN SO-B",05-07-26,3,,2')
_TEXT = "\n".join(_LINES)
ENCODED: dict[str, bytes] = {
    "utf-8": _TEXT.encode(),
    "utf-8 with BOM": _TEXT.encode("utf-8-sig"),
    "utf-16 with BOM": _TEXT.encode("utf-16"),
    "utf-16 little endian": _TEXT.encode("utf-16-le"),
    "utf-16 big endian": _TEXT.encode("utf-16-be"),
    "windows-1258": _windows_1258(_TEXT),
    "decomposed": unicodedata.normalize("NFD", _TEXT).encode(),
    "semicolons": _TEXT.replace(",", ";").encode(),
    "tabs": _TEXT.replace(",", "\t").encode(),
    "old line ends": _TEXT.replace("\n", "\r").encode(),
    "title above": ("Bảng tổng hợp phiếu,,\n\n" + _TEXT).encode(),
    "zero-width characters": _TEXT.replace("Cơ quan", "Cơ\u200b quan").encode(),
}


@pytest.mark.parametrize("case", ENCODED)
def test_encodings_and_separators(store: Engine, province: int, tmp_path: Path, case: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(ENCODED[case])
    assert _import(store, province, path).added == 2
    with read(store) as connection:
        rows = connection.execute(
            select(ratings, agencies.c.code).join(agencies, agencies.c.id == ratings.c.agency_id).order_by(ratings.c.id)
        ).all()
    assert [(row.code, row.a00, row.origin) for row in rows] == [("so-a", 5, sealed("P1")), ("so-b", 3, sealed("P2"))]
    assert {day_date(row.day) for row in rows} == {date(2026, 7, 5)}


def test_windows_1258_is_recognised_and_composed(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_bytes(_windows_1258("Sở Kế hoạch và Đầu tư, đường dây nóng, thủ tục"))
    assert encoding_of(path).codec == "cp1258"
    assert clean(path.read_bytes().decode("cp1258")) == "Sở Kế hoạch và Đầu tư, đường dây nóng, thủ tục"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("P1,so-z,5/7/2026,4,4,4", "unknown agency"),
        ("P1,,5/7/2026,4,4,4", "agency is missing"),
        ("P1,so-a,5/7/2026,6,4,4", "overall: '6' is not on the scale"),
        ("P1,so-a,5/7/2026,4,9,4", "A1: '9' is not on the scale"),
        ("P1,so-a,5/7/2026,4,4.5,4", "A1: '4.5' is not on the scale"),
        ("P1,so-a,5/7/2026,4,tốt,4", "A1: 'tốt' is not on the scale"),
        ("P1,so-a,31/6/2026,4,4,4", "no such day"),
        ("P1,so-a,7/13/2026,4,4,4", "no such day"),
        ("P1,so-a,hôm qua,4,4,4", "no day"),
        ("P1,so-a,,4,4,4", "the day is missing"),
        ("P1,so-a,5/7/2126,4,4,4", "future"),
        ("P1,so-a,5/7/2026,,,", "too few answers"),
        ("P1,so-a,5/7/2026,4,4,4,4", "more cells than the header"),
        ("P" + "1" * 50 + ",so-a,5/7/2026,4,4,4", "more than 40 characters"),
        ("P1,so-a,5/7/2026,4,4," + "4" * 5000, "a cell has more than"),
    ],
)
def test_a_bad_row_is_told_by_number_and_nothing_is_kept(
    store: Engine, province: int, tmp_path: Path, line: str, reason: str
) -> None:
    path = _csv(tmp_path, "P0,so-a,5/7/2026,4,4,4", line, "P2,so-b,5/7/2026,4,4,4")
    with pytest.raises(ImportRowError) as error:
        _import(store, province, path)
    assert [number for number, _ in error.value.rows] == [3]
    assert reason in error.value.rows[0][1]
    assert _count(store) == 0


def test_every_bad_row_is_told(store: Engine, province: int, tmp_path: Path) -> None:
    lines = [f"P{n},so-{'a' if n % 3 else 'q'},5/7/2026,4,4,4" for n in range(30)]
    with pytest.raises(ImportRowError, match="10 of 30 rows") as error:
        _import(store, province, _csv(tmp_path, *lines))
    assert [number for number, _ in error.value.rows] == list(range(2, 32, 3))


def test_a_form_twice_in_a_file(store: Engine, province: int, tmp_path: Path) -> None:
    path = _csv(tmp_path, "P1,so-a,5/7/2026,4,4,4", "P2,so-a,5/7/2026,4,4,4", "p1,so-a,6/7/2026,4,4,4")
    with pytest.raises(ImportRowError) as error:
        _import(store, province, path)
    assert error.value.rows == [(4, "the same form as in row 2")]


def test_repeats_add_nothing_and_contradictions_are_told(store: Engine, province: int, tmp_path: Path) -> None:
    path = _csv(tmp_path, "P1,so-a,5/7/2026,4,4,4", "P2,so-a,5/7/2026,4,4,4")
    assert _import(store, province, path).added == 2
    again = _import(store, province, path)
    assert (again.rows, again.added, again.existing) == (2, 0, 2)
    more = _csv(tmp_path, "P2,so-a,5/7/2026,4,4,4", "P3,so-b,5/7/2026,1,,", name="more.csv")
    result = _import(store, province, more)
    assert (result.added, result.existing) == (1, 1)
    other = _csv(tmp_path, "P1,so-a,5/7/2026,1,4,4", name="other.csv")
    with pytest.raises(ImportRowError, match="1 of 1") as error:
        _import(store, province, other)
    assert "P1 is in the store with other answers" in error.value.rows[0][1]
    assert _count(store) == 3


def test_rows_without_form_codes_are_keyed_by_the_file(store: Engine, province: int, tmp_path: Path) -> None:
    header = "agency,day,overall"
    path = _csv(tmp_path, "so-a,5/7/2026,4", "so-a,5/7/2026,4", header=header)
    assert _import(store, province, path).added == 2
    assert _import(store, province, path).existing == 2
    other = _csv(tmp_path, "so-a,5/7/2026,4", "so-a,5/7/2026,4", "so-a,5/7/2026,5", header=header, name="b.csv")
    assert _import(store, province, other).added == 3


def test_a_preview_writes_nothing(store: Engine, province: int, tmp_path: Path) -> None:
    path = _csv(tmp_path, "P1,so-a,5/7/2026,4,4,4", "P2,xa-c,1/8/2026,2,4,4")
    result = _import(store, province, path, preview=True)
    assert (result.added, result.by_agency) == (2, {"xa-c": 1, "so-a": 1})
    assert (result.first_day, result.last_day) == (day_index(date(2026, 7, 5)), day_index(date(2026, 8, 1)))
    assert _count(store) == 0


def test_an_import_is_in_the_log_of_changes(store: Engine, province: int, tmp_path: Path) -> None:
    _import(store, province, _csv(tmp_path, "P1,so-a,5/7/2026,4,4,4"))
    with read(store) as connection:
        assert verify_changes(connection, province)[0] == 1


def test_repeated_full_sheets_are_set_aside_not_deleted(store: Engine, province: int, tmp_path: Path) -> None:
    items = [item.code for item in load_instrument("2640").criteria]
    lines = [f"P{n},so-a,5/7/2026,5,{','.join('5' * len(items))}" for n in range(8)]
    path = _csv(tmp_path, *lines, header="form,agency,day,overall," + ",".join(items))
    assert _import(store, province, path, channel="paper").set_aside == 4
    with read(store) as connection:
        rows = connection.execute(select(ratings.c.flag, ratings.c.state).order_by(ratings.c.id)).all()
    assert [tuple(row) for row in rows[:4]] == [(0, 0)] * 4
    assert [tuple(row) for row in rows[4:]] == [(RatingFlag.DUPLICATE, RatingState.SET_ASIDE)] * 4


def test_a_number_is_no_sum_of_reasons_in_another_programs_file(store: Engine, province: int, tmp_path: Path) -> None:
    """The third choice of a form program was read as the first and the second."""
    header = "form,agency,day,overall,reasons"
    path = _csv(tmp_path, "P1,so-a,5/7/2026,2,3", "P2,so-a,5/7/2026,2,r1 r3", header=header)
    with pytest.raises(ImportRowError) as caught:
        _import(store, province, path)
    assert [(row, "unknown reason" in reason) for row, reason in caught.value.rows] == [(2, True), (3, True)]


@pytest.mark.parametrize("heading", ["_validation_status", "ReviewState", "Trạng thái duyệt"])
def test_a_sheet_that_its_reviewer_refused_is_not_counted(
    heading: str, store: Engine, province: int, tmp_path: Path
) -> None:
    """KoboToolbox and ODK export such rows with the others."""
    states = ["", "approved", "edited", "rejected", "Not Approved", "validation_status_not_approved", "Từ chối"]
    lines = [f"P{number},so-a,5/7/2026,2,{state}" for number, state in enumerate(states)]
    path = _csv(tmp_path, *lines, header=f"form,agency,day,overall,{heading}")
    with pytest.raises(ImportRowError) as caught:
        _import(store, province, path)
    assert [row for row, _ in caught.value.rows] == [5, 6, 7, 8]


@pytest.mark.parametrize("heading", ["_uuid", "meta/instanceID", "KEY", "Response ID", "ResponseId"])
def test_what_was_sent_once_is_one_sheet(heading: str, store: Engine, province: int, tmp_path: Path) -> None:
    """Exports hold a submission twice that was sent in parts, under another number; and every export holds the rows of
    the one before."""
    sent = [f"uuid:0b7e9c1{n}-5a4e-4d57-9a51-3f1f1c2d7e60" for n in range(3)]
    header = f"agency,day,overall,{heading}"
    rows = [f"so-a,5/7/2026,{n + 3},{one}" for n, one in enumerate(sent)]
    assert _import(store, province, _csv(tmp_path, *rows[:2], header=header)).added == 2
    grown = _import(store, province, _csv(tmp_path, *rows, header=header))
    assert (grown.added, grown.existing) == (1, 2)
    twice = _csv(tmp_path, *(f"{n},{row}" for n, row in enumerate([*rows, rows[0]])), header=f"_id,{header}")
    with pytest.raises(ImportRowError) as caught:
        _import(store, province, twice)
    assert [(row, "same form as in row 2" in reason) for row, reason in caught.value.rows] == [(5, True)]


def test_the_form_is_not_what_was_sent(store: Engine, province: int, tmp_path: Path) -> None:
    rows = ["so-a,5/7/2026,4,6f2c", "so-b,5/7/2026,4,6f2c"]
    assert _import(store, province, _csv(tmp_path, *rows, header="agency,day,overall,formhub/uuid")).added == 2


@pytest.mark.parametrize(
    ("heading", "cells", "refused"),
    [
        ("Finished", ("Yes", "No", "TRUE", "False", "1", "0", ""), [3, 5, 7]),
        ("Completed", ("complete", "partial", "Incomplete"), [3, 4]),
        ("submitdate", ("2026-07-05 08:00:00", "", "2026-07-05 09:00:00"), [3]),
        ("Date submitted", ("", "2026-07-05 08:00:00", ""), [2, 4]),
        ("Hoàn thành", ("Có", "Không", "Chưa"), [3, 4]),
    ],
)  # fmt: skip
def test_who_broke_off_has_given_no_sheet(
    heading: str, cells: tuple[str, ...], refused: list[int], store: Engine, province: int, tmp_path: Path
) -> None:
    """LimeSurvey, Formbricks and Qualtrics export such rows with the others."""
    rows = [f"P{n},so-a,5/7/2026,2,{cell}" for n, cell in enumerate(cells)]
    path = _csv(tmp_path, *rows, header=f"form,agency,day,overall,{heading}")
    with pytest.raises(ImportRowError) as caught:
        _import(store, province, path)
    assert [row for row, reason in caught.value.rows if "never sent" in reason] == refused
    assert _import(store, province, path, options=Options(ignored=(heading,))).added == len(cells)


def test_filters_facts_and_reasons(store: Engine, province: int, tmp_path: Path) -> None:
    header = "form,agency,day,overall,C1,D2,E1,E3,reasons"
    path = _csv(tmp_path, "P1,so-a,5/7/2026,2,4,có,không,5,waiting;Thái độ phục vụ chưa tốt", header=header)
    path = _csv(tmp_path, 'P1,so-a,5/7/2026,2,4,có,không,5,"waiting; attitude"', header=header)
    import_ratings(store, province, path, load_instrument("1383"), channel="sms", key=bytes(32))
    with read(store) as connection:
        row = connection.execute(select(ratings)).one()
    slots = load_instrument("1383").slots
    answers = {code: getattr(row, f"a{slot:02d}") for code, slot in slots.items() if getattr(row, f"a{slot:02d}")}
    assert answers == {"overall": 2, "C1": 4, "D2": 6, "E1": 7}
    assert row.reasons == 0b11


def _sheet(tmp_path: Path, fill: Callable[[Worksheet], None]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.append(["TỔNG HỢP PHIẾU KHẢO SÁT"])
    sheet.merge_cells("A1:E1")
    sheet.append(["Mã phiếu", "Cơ quan", "Ngày", "Hài lòng chung", "C1"])
    fill(sheet)
    path = tmp_path / "in.xlsx"
    book.save(path)
    return path


def test_spreadsheet_with_dates_numbers_and_cells_merged_downwards(
    store: Engine, province: int, tmp_path: Path
) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.append([1, "so-a", datetime(2026, 7, 5, 9, 30), 4, 5.0])  # noqa: DTZ001 - Excel has no time zones
        sheet.append([2, None, "6/7/2026", 3, None])
        sheet.append([3, None, date(2026, 7, 7), "Hài lòng", 2])
        sheet.append([4, "so-b", date(2026, 7, 7), 5, 2])
        sheet.merge_cells("B3:B5")

    assert _import(store, province, _sheet(tmp_path, fill)).added == 4
    with read(store) as connection:
        rows = connection.execute(
            select(ratings, agencies.c.code).join(agencies, agencies.c.id == ratings.c.agency_id).order_by(ratings.c.id)
        ).all()
    assert [(row.code, row.a00, row.a10, row.origin) for row in rows] == [
        ("so-a", 4, 5, sealed("1")),
        ("so-a", 3, 0, sealed("2")),
        ("so-a", 4, 2, sealed("3")),
        ("so-b", 5, 2, sealed("4")),
    ]


def test_cells_merged_over_answers_are_errors_of_their_rows(store: Engine, province: int, tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.append([1, "so-a", "5/7/2026", 4, 5])
        sheet.append([2, "so-a", "5/7/2026", 4, 5])
        sheet.append([3, "so-a", "5/7/2026", 4, 5])
        sheet.append([4, "so-a", "5/7/2026", 4, 5])
        sheet.merge_cells("D3:E3")
        sheet.merge_cells("E5:E6")

    with pytest.raises(ImportRowError) as error:
        _import(store, province, _sheet(tmp_path, fill))
    assert [number for number, _ in error.value.rows] == [3, 5, 6]
    assert "merged" in error.value.rows[0][1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "no header"),
        ("a.csv", "tên,tuổi\nA,3\n".encode(), "no header"),
        ("a.csv", b"agency,overall\nso-a,4\n", "no column day"),
        ("a.csv", b"agency,day\nso-a,1/7/2026\n", "no column of answers"),
        ("a.csv", b"agency,day,overall,A1,A9\nso-a,1/7/2026,4,4,4\n", "not known: A9"),
        ("a.csv", b"agency,day,overall,agency\nso-a,1/7/2026,4,x\n", "stands twice"),
        ("a.csv", b"PK\x03\x04rubbish", "spreadsheet or an archive"),
        ("a.xlsx", b"no zip at all", "no XLSX file"),
        ("a.xls", b"\xd0\xcf\x11\xe0", "old XLS"),
    ],
)
def test_files_that_cannot_be_read(
    store: Engine, province: int, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidError, match=message):
        _import(store, province, path)
    with pytest.raises(InvalidError, match="There is no file"):
        _import(store, province, tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5/7/2026", date(2026, 7, 5)),
        ("05.07.2026", date(2026, 7, 5)),
        ("5-7-26", date(2026, 7, 5)),
        ("2026-07-05", date(2026, 7, 5)),
        ("2026-07-05T09:30:00", date(2026, 7, 5)),
        ("5/7/2026 09:30", date(2026, 7, 5)),
        ("12/1/2026", date(2026, 1, 12)),
    ],
)
def test_days_are_day_first(text: str, expected: date) -> None:
    assert read_day(text) == day_index(expected)


@pytest.mark.parametrize("text", ["2026-07", "07/2026", "7/2026", "15/7/2026"])
def test_months(text: str) -> None:
    assert read_month(text) == 6 * 12 + 6


@pytest.mark.parametrize(
    ("text", "fact", "expected"),
    [("Rất không hài lòng", False, 1), ("BÌNH THƯỜNG", False, 3), ("-", False, 0), ("Có", True, 6), ("no", True, 7)],
)
def test_answers_in_words(text: str, fact: bool, expected: int) -> None:
    assert read_answer(text, fact) == expected


@pytest.mark.parametrize("month", ["7/2569", "2062-07", f"{day_date(today()).year + 2}-01"])
def test_transactions_of_a_month_far_ahead_are_told(store: Engine, province: int, tmp_path: Path, month: str) -> None:
    """A Buddhist year, or two digits exchanged: they were taken, and stood in no figure."""
    path = _csv(tmp_path, f"so-a,{month},100", header="agency,month,count")
    with pytest.raises(ImportRowError) as told:
        _file(store, province, "transactions", path)
    assert "beyond the end of next year" in str(told.value.rows[0][1])


def test_transactions(store: Engine, province: int, tmp_path: Path) -> None:
    header = "Cơ quan;Lĩnh vực;Tháng;Số hồ sơ"
    path = _csv(tmp_path, "so-a;Hộ tịch;07/2026;1.234", "so-a;2;2026-07;56", header=header)
    assert _file(store, province, "transactions", path).added == 2
    assert _file(store, province, "transactions", path).unchanged == 2
    changed = _csv(tmp_path, "so-a;Hộ tịch;07/2026;1.300", header=header, name="b.csv")
    assert _file(store, province, "transactions", changed, preview=True).changed == 1
    assert _file(store, province, "transactions", changed).changed == 1
    with read(store) as connection:
        counts = connection.execute(select(transactions.c["count"]).order_by(transactions.c.service_group)).scalars()
        assert list(counts) == [1300, 56]
    bad = _csv(tmp_path, "so-a;1;07/2026;-5", "so-a;9;07/2026;5", "so-a;1;13/2026;5", header=header, name="c.csv")
    with pytest.raises(ImportRowError) as error:
        _file(store, province, "transactions", bad)
    assert [number for number, _ in error.value.rows] == [2, 3, 4]


def test_catalogue_and_enumerators(store: Engine, province: int, tmp_path: Path) -> None:
    path = _csv(tmp_path, "so-d,Sở D,tinh", "so-e,Sở E,tinh", header="Mã,Tên,Cấp")
    assert _file(store, province, "agencies", path).added == 2
    assert _file(store, province, "agencies", path).unchanged == 2
    bad = _csv(tmp_path, "so-f,Sở F,huyen", header="Mã,Tên,Cấp", name="bad.csv")
    with pytest.raises(ImportRowError, match="1 of 1 rows"):
        _file(store, province, "agencies", bad)
    people = _csv(tmp_path, "BD01,Nguyễn Văn A,Bưu điện,912345678", header="Mã,Họ tên,Bưu cục,Điện thoại", name="p.csv")
    assert _file(store, province, "enumerators", people).added == 1
    assert _file(store, province, "enumerators", people).unchanged == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0912 345 678", "0912345678"), ("+84 912-345-678", "0912345678"), ("912345678", "0912345678")],
)
def test_phone_numbers(text: str, expected: str) -> None:
    assert read_phone(text) == expected
