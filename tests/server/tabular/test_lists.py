"""Files are read in one place, whoever needs them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3] / "server"


def test_no_reader_of_files_stands_beside_the_one() -> None:
    reader = re.compile(r"csv\.(?:reader|DictReader)|load_workbook|ExcelReader|read_csv")
    found = {path.parent.name for path in ROOT.rglob("*.py") if reader.search(path.read_text(encoding="utf-8"))}
    assert found == {"tabular"}
