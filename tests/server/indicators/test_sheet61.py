"""The quarterly sheet 61: nine indicators, 18 points, classes, the workbook; bad rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openpyxl.utils import get_column_letter
from sqlalchemy import Engine, update

from pipeline.calendar import parse_period
from pipeline.errors import ImportRowError
from pipeline.language import in_language
from server.core.scope import Scope
from server.imports.kinds import KINDS
from server.indicators.sheet61 import filled_sheets, load_sheet61, sheet61_workbook
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.tabular.spec import Options, import_file
from tests.server.worlds import small_province

QUARTER = parse_period("2026-Q3")


@pytest.mark.parametrize(
    ("points", "name"),
    [
        (18, "Xuất sắc"),
        (16, "Xuất sắc"),
        (15, "Tốt"),
        (12, "Tốt"),
        (11, "Khá"),
        (9, "Khá"),
        (8, "Trung bình"),
        (6, "Trung bình"),
        (5, "Yếu"),
        (0, "Yếu"),
    ],
)
def test_classes(points: int, name: str) -> None:
    assert in_language(load_sheet61().grade(points).name, "vi") == name


def test_nine_indicators_of_two_points_and_what_no_text_confirms() -> None:
    sheet = load_sheet61()
    assert (len(sheet.indicators), sheet.most, sheet.total) == (9, 2, 18)
    assert set(sheet.recalled) == {"wording", "classes", "decree"}


def _put(store: Engine, province: int, folder: Path, text: str) -> Any:
    path = folder / "x.csv"
    path.write_text(text, encoding="utf-8")
    return import_file(store, Scope(province), KINDS["scores61"], path, Options(period=QUARTER))


def test_from_file_to_workbook(store: Engine, tmp_path: Path) -> None:
    with write(store) as connection:
        province = small_province(connection)
    rows = [f"so-a,{number},2,{2 if number > 3 else 1}" for number in range(1, 10)] + ["xa-c,1,2,"]
    text = "Đơn vị,Tiêu chí,Tự chấm,Thẩm định\n" + "\n".join(rows)
    assert _put(store, province, tmp_path, text).added == 10
    assert _put(store, province, tmp_path, text).unchanged == 10
    with read(store) as connection:
        one, other = filled_sheets(connection, Scope(province), QUARTER)
        book = sheet61_workbook(connection, Scope(province), QUARTER)
    sheet = load_sheet61()
    assert (one.points(sheet), other.points(sheet)) == (15, None), "what is not verified has no sum"
    sums = [[cell.value for cell in row] for row in book.worksheets[0].iter_rows()]
    assert sums[1:] == [["Cơ quan so-a", 18, 15, 15, "Tốt"], ["Cơ quan xa-c", 2, None, None, "chưa thẩm định"]]
    assert book.sheetnames[1:3] == ["so-a", "xa-c"]
    assert [row[0].value for row in book["so-a"].iter_rows(min_row=3, max_row=11)] == list(range(1, 10))
    for page in book.worksheets:
        assert page.page_setup.paperSize == 9, "A4"
        assert page.sheet_properties.pageSetUpPr is not None
        assert page.sheet_properties.pageSetUpPr.fitToPage, "a page was printed on two, side by side"
        for column, cell in enumerate(page[1], start=1):
            longest = max(map(len, str(cell.value or "").split()), default=0)
            assert page.column_dimensions[get_column_letter(column)].width >= longest


def test_a_quarter_without_sheets_says_so(store: Engine) -> None:
    """There was a head and nothing below it."""
    with write(store) as connection:
        province = small_province(connection)
    with read(store) as connection:
        book = sheet61_workbook(connection, Scope(province), QUARTER)
    assert book.worksheets[0]["A2"].value == "Chưa nhập phiếu nào của Quý III/2026."


def test_an_agency_s_code_that_no_worksheet_may_be_called(store: Engine, tmp_path: Path) -> None:
    with write(store) as connection:
        province = small_province(connection)
        connection.execute(update(agencies).where(agencies.c.code == "so-a").values(code="H29/1:[a]*?"))
    assert _put(store, province, tmp_path, "agency,indicator,self_score\nH29/1:[a]*?,1,2\n").added == 1
    with read(store) as connection:
        book = sheet61_workbook(connection, Scope(province), QUARTER)
    assert book.sheetnames[1] == "H29-1--a---"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("so-a,10,2,,", "indicator must be a whole number from 1 to 9"),
        ("so-a,1,3,,", "self_score must be a whole number from 0 to 2"),
        ("so-a,1,,,", "self_score must be a whole number from 0 to 2"),
        ("so-a,1,1,-1,", "verified_score must be a whole number from 0 to 2"),
        ("so-x,1,1,1,", "unknown agency"),
        ("so-a,1,1,1,2026-07", "is no quarter"),
    ],
)
def test_rows_that_cannot_be(store: Engine, tmp_path: Path, row: str, reason: str) -> None:
    with write(store) as connection:
        province = small_province(connection)
    with pytest.raises(ImportRowError) as refused:
        _put(store, province, tmp_path, f"agency,indicator,self_score,verified_score,period\n{row}\n")
    assert reason in str(refused.value.rows[0][1])
