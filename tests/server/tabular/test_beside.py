"""Texts of a worksheet that stand in none of its cells are found wherever its part is cut into pieces."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.datavalidation import DataValidation

from server.tabular import beside


@pytest.mark.parametrize("piece", [1, 7, 64, 1 << 20])
def test_what_is_printed_and_prompted_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(beside, "_PIECE", piece)
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append(["A1", "A2"])
    sheet.oddHeader.center.text = "Thang 1-7"
    prompt = DataValidation(type="whole", formula1="1", formula2="10", prompt="Cho 1 - 10", showInputMessage=True)
    prompt.add("B2:B9")
    sheet.add_data_validation(prompt)
    book.save(tmp_path / "x.xlsx")
    sheet.oddHeader.center.text = None
    sheet.data_validations.dataValidation.clear()
    book.save(tmp_path / "plain.xlsx")
    with zipfile.ZipFile(tmp_path / "x.xlsx") as archive:
        found = beside.texts_beside(archive, "xl/worksheets/sheet1.xml")
    assert {(1, "Cho 1 - 10"), (1, "(1-10)")} <= set(found)
    assert [text for column, text in found if column == -1] == ["Thang 1-7"]
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as archive:
        assert beside.texts_beside(archive, "xl/worksheets/sheet1.xml") == []
