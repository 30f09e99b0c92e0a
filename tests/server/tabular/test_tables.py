"""Every row, column, sheet and cell is used, or named and counted."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ImportRowError, InvalidError
from pipeline.instruments import load_instrument
from server.tabular.cells import clean
from server.tabular.columns import recogniser
from server.tabular.tables import Table, TableRow
from tests.server.tabular.files import read_here, sheet_xml, without_dimension, workbook

ITEMS = load_instrument("2640")
HEAD = ["form", "agency", "day", "overall", "A1"]


def _table(path: Path, *ignored: str) -> Table:
    return Table(read_here(path), path.name, recogniser(ITEMS), ("agency", "day"), any_answer=True, ignored=ignored)


def _rows(table: Table) -> list[TableRow]:
    rows = list(table)
    assert table.balance.adds_up
    return rows


def test_what_a_sheet_says_of_its_own_size_is_not_believed(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[HEAD, *([f"F{n}", "stp", "5/8/2026", 4, 5] for n in range(100))])
    sheet_xml(path, without_dimension)
    assert [row.cells["form"] for row in _rows(_table(path))] == [f"F{n}" for n in range(100)]


def test_a_formula_without_a_value_is_told_by_row_and_column(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx", S=[HEAD, ["F0", "stp", "5/8/2026", 4, 5], ["F1", "stp", "5/8/2026", 4, "=1+3"]]
    )
    first, second = _rows(_table(path))
    assert first.problems == ()
    assert "A1: the cell holds a formula without a value" in second.problems[0]
    sheet_xml(
        path, lambda text: text.replace("<v></v>", "<v>4</v>").replace("<v/>", "<v>4</v>").replace("<v />", "<v>4</v>")
    )
    assert [row.cells["item:A1"] for row in _rows(_table(path))] == ["5", "4"]


def test_sheets_with_the_header_are_read_and_others_named(tmp_path: Path) -> None:
    row = ["F", "stp", "5/8/2026", 4, 5]
    path = workbook(
        tmp_path / "a.xlsx",
        Bìa=[["Báo cáo"], ["quý III"]],
        Một=[["Phiếu"], HEAD, row],
        Hai=[HEAD, row, row],
        Ba=[["a", 1]],
    )
    table = _table(path)
    rows = _rows(table)
    assert [(row.sheet, row.number, row.key) for row in rows] == [("Một", 3, "3"), ("Hai", 2, "2.2"), ("Hai", 3, "2.3")]
    assert table.balance.ignored_sheets == ["Bìa", "Ba"]
    assert (table.balance.rows_heading, table.balance.rows_used, table.balance.rows_ignored) == (3, 3, 3)
    skipped = _table(path, "hai")
    assert len(_rows(skipped)) == 1
    assert skipped.balance.ignored_sheets == ["Bìa", "Hai", "Ba"]


def test_a_heading_that_begins_with_an_items_code_is_that_item(tmp_path: Path) -> None:
    head = ["Cơ quan", "Ngày", "Câu A1", "D2. Thái độ phục vụ", "E4 (góp ý)", "b1", "Ghi chú"]
    path = workbook(tmp_path / "a.xlsx", S=[head, ["stp", "5/8/2026", 1, 2, 3, 4, "x"]])
    table = _table(path)
    (row,) = _rows(table)
    assert {name: cell for name, cell in row.cells.items() if name.startswith("item:")} == {
        "item:A1": "1", "item:D2": "2", "item:E4": "3", "item:B1": "4",
    }  # fmt: skip
    assert table.balance.ignored_columns == ["Ghi chú"]
    assert (table.balance.cells, table.balance.cells_used, table.balance.cells_ignored) == (14, 6, 1)


@pytest.mark.parametrize(
    "heading",
    [
        *("A9", "A9. Gì đó", "Câu 12", "a31", "Z1 (ý kiến)", "Question 3", "A4.1", "A4_2"),
        # rows of a grid (Google Forms, LimeSurvey, SurveyMonkey), of answers or of reasons
        *("Đánh giá [A4. Dễ sử dụng]", "SEC1[A4]", "Đánh giá - Kết quả đúng quy định"),
    ],
)
def test_an_answer_column_that_is_not_known_refuses_the_file_unless_it_is_named(tmp_path: Path, heading: str) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[[*HEAD, heading], ["F", "stp", "5/8/2026", 4, 5, 3]])
    with pytest.raises(InvalidError, match="look like answers"):
        list(_table(path))
    table = _table(path, heading)
    assert len(_rows(table)) == 1
    assert table.balance.ignored_columns == [heading]


def test_a_column_of_answers_in_words_under_a_strange_heading_refuses_the_file(tmp_path: Path) -> None:
    rows = [["F", "stp", "5/8/2026", 4, 5, words] for words in ("Hài lòng", "rat hai long", "Bình thường")]
    path = workbook(tmp_path / "a.xlsx", S=[[*HEAD, "Đánh giá của dân"], *rows])
    table = _table(path)
    list(table)
    with pytest.raises(InvalidError, match="Đánh giá của dân"):
        table.finish()
    table = _table(path, "Đánh giá của dân")
    list(table)
    table.finish()


def test_rows_that_end_early_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("agency,day,overall,A1,A2\nstp,5/8/2026,4,4,4\nstp,5/8/2026,4\n", encoding="utf-8")
    table = _table(path)
    assert len(_rows(table)) == 2
    assert table.balance.rows_short == 1


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("Sở\x08 X", "cannot be shown: U+0008"),
        ("Sở\x00", "cannot be shown: U+0000"),
        ("Sá»Ÿ TÆ° phÃ¡p", "garbled (it was “Sở Tư pháp”)"),
        ("Së T­ ph¸p", "font code TCVN3"),
        ("Sôû Tö phaùp", "font code VNI"),
        ("x" * 4_001, "more than 4000"),
    ],
)
def test_a_cell_that_is_wrong_is_told_where_it_is_used(tmp_path: Path, cell: str, reason: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"agency,day,overall,Ghi chú\n{cell},5/8/2026,4,a\nstp,5/8/2026,4,{cell}\n", encoding="utf-8")
    first, second = _rows(_table(path))
    assert reason in first.problems[0]
    assert second.problems == (), "an ignored column's cells are counted, not judged"


def test_refused_rows_carry_all_reasons_and_stay_in_the_balance(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("agency,day,overall\na,1/1/2026,4\nb,x,9\n", encoding="utf-8")
    table = _table(path)
    for row in table:
        if row.number == 3:
            table.refuse(row, ["no day", "no answer"])
    assert table.balance.adds_up
    assert (table.balance.rows_used, table.balance.rows_refused, table.balance.cells_refused) == (1, 1, 3)
    with pytest.raises(ImportRowError, match="1 of 2 rows") as error:
        table.finish()
    assert error.value.rows == [(3, "no day; no answer")]
    assert error.value.balance is table.balance


def test_numbers_of_a_workbook_stay_what_they_are(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx", S=[["agency", "day", "overall", "A1"], [1.234, 12.5, True, 5.0], [1e16, 0.5, 7, 1]]
    )
    first, second = _rows(_table(path))
    assert list(first.cells.values()) == ["1.2340", "12.5", "TRUE", "5"]
    assert "more than 15 digits" in second.problems[0]


def test_merged_cells_are_filled_downwards_and_counted(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx", S=[["agency", "day", "overall"], ["stp", "1/1/2026", 4], [None, "2/1/2026", 5]]
    )
    sheet_xml(
        path, lambda text: text.replace("</sheetData>", '</sheetData><mergeCells><mergeCell ref="A2:A3"/></mergeCells>')
    )
    table = _table(path)
    assert [row.cells["agency"] for row in _rows(table)] == ["stp", "stp"]
    assert table.balance.cells_filled == 1
    assert table.balance.cells == 8


def test_escapes_of_workbooks_are_read(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[["agency", "day", "overall"], ["Sở_x000D_ A", "1/1/2026", 4]])
    assert _rows(_table(path))[0].cells["agency"] == "Sở A"


_CELL = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["-1", "TRUE", "1.234", "=1+1", "0912345678", "5/8/2026", 'a"b', "a;b\tc", "x\ny", " ", "\u200b5", "+84"]
)
_GRID = st.lists(st.lists(_CELL, min_size=1, max_size=5), max_size=6)


@settings(max_examples=150, deadline=None)
@given(_GRID, st.sampled_from([",", ";", "\t"]))
def test_a_csv_comes_back_cell_by_cell_and_adds_up(grid: list[list[str]], separator: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=separator)
            writer.writerow(HEAD)
            writer.writerows(grid)
        table = _table(path)
        rows = _rows(table)
        expected = [[clean(cell) for cell in cells] for cells in grid]
        expected = [[cell[:4_000] for cell in cells] for cells in expected if any(cells)]
        names = ["form", "agency", "day", "item:overall", "item:A1"]
        assert [[row.cells.get(name, "") for name in names] for row in rows] == [
            cells + [""] * (5 - len(cells)) for cells in expected
        ]
        assert table.balance.cells == 5 + sum(1 for cells in expected for cell in cells if cell)


_VALUE = (
    st.none()
    | st.integers(-(10**9), 10**9)
    | st.floats(-1e6, 1e6).map(lambda number: round(number, 4))
    | st.booleans()
    | st.from_regex(r"[A-Za-zÀ-ỹ0-9 .,<>+-]{0,8}", fullmatch=True)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(_VALUE, min_size=5, max_size=5), max_size=6))
def test_a_workbook_comes_back_cell_by_cell_and_adds_up(grid: list[list[object]]) -> None:
    grid = [[None if isinstance(cell, str) and cell.startswith("=") else cell for cell in row] for row in grid]
    with tempfile.TemporaryDirectory() as folder:
        path = workbook(Path(folder) / "a.xlsx", S=[HEAD, *grid])
        table = _table(path)
        rows = _rows(table)
        expected = [[clean(cell) for cell in row] for row in grid]
        assert [list(row.cells.values()) + [""] * (5 - len(row.cells)) for row in rows] == [
            r for r in expected if any(r)
        ]
        for cells, given_row in zip(expected, grid, strict=True):
            for text, cell in zip(cells, given_row, strict=True):
                if isinstance(cell, bool):
                    assert text == str(cell).upper()
                elif isinstance(cell, (int, float)):
                    assert float(text) == cell
