"""`hailong server import` answers in the user's language, with the words of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from hailong.cli import main

LEVELS = "code,name_vi,name_en,rank\nthu,Cấp thử,Trial,9\n"
WORDS = {
    "vi": ("Đã nhập: thêm mới 1", "Dòng: đọc 2, tiêu đề 1, đã nhận 1", "dòng 2: "),
    "en": ("Imported: added 1", "Rows: read 2, headings 1, taken in 1", "row 2: "),
}


@pytest.mark.parametrize("lang", WORDS)
def test_the_balance_is_told_in_the_users_language(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANGUAGE", lang)
    store = ["--data-dir", str(tmp_path)]
    assert main(["server", "init", *store, "--province", "tq", "--name", "Tỉnh thử"]) == 0
    capsys.readouterr()
    levels, agencies = tmp_path / "levels.csv", tmp_path / "agencies.csv"
    levels.write_text(LEVELS, "utf-8")
    assert main(["server", "import", *store, "levels", str(levels)]) == 0
    said = capsys.readouterr().out
    imported, rows, row = WORDS[lang]
    assert imported in said
    assert rows in said
    agencies.write_text("code,name_vi,level\nstp,Sở Tư pháp,none\n", "utf-8")
    assert main(["server", "import", *store, "agencies", str(agencies)]) == 1
    assert row in capsys.readouterr().err.lower()
