"""A sample of households by command and by page: the draw, and where it stands after the calls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine

from calibration.households import HouseholdSettings, draw_households
from hailong.cli import main
from server.sampling.households import read_frame
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import application, fill_province

DRAW = ["--communes", "4", "--villages", "2", "--households", "5", "--replacements", "2", "--seed", "9"]


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    path = tmp_path / "thon.csv"
    rows = [f"Xã {c};Thôn {v};{40 + 7 * c + v}" for c in range(9) for v in range(3)]
    path.write_text("\n".join(["Xã;Thôn;Số hộ", *rows]), encoding="utf-8-sig")
    return path


def test_the_draw_is_a_list_and_the_same_again(frame: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "households", str(frame), *DRAW]) == 0
    first = capsys.readouterr().out
    assert len(re.findall(r"^Xã \d, Thôn \d \(\d+\): (?:\d+ ?){5}$", first, re.MULTILINE)) == 8
    assert main(["server", "households", str(frame), *DRAW]) == 0
    assert capsys.readouterr().out == first


def _contacts(frame: Path, folder: Path, change: str = "") -> Path:
    """Everybody of the draw answers, three of four are satisfied; of the first village one is not met once, one refuses
    and a replacement answers."""
    drawn = draw_households(read_frame(frame), HouseholdSettings(4, 2, 5, 2, 9))
    rows = ["commune,village,household,calls,result,satisfied"]
    for number, one in enumerate(drawn):
        for place, household in enumerate(one.picks):
            told = f"1,answered,{int(place != 2)}"
            if number == 0 and place < 2:
                told = "1,not_met," if place == 0 else "1,refused,"
            rows.append(f"{one.village.commune},{one.village.name},{household},{told}")
        if number == 0:
            rows.append(f"{one.village.commune},{one.village.name},{one.replacements[0]},1,answered,1")
    path = folder / "lien-he.csv"
    path.write_text("\n".join([*rows, change]).strip(), encoding="utf-8")
    return path


def test_what_is_left_to_do_and_the_share(frame: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _contacts(frame, tmp_path)
    assert main(["server", "households", str(frame), *DRAW, "--contacts", str(path)]) == 0
    told = capsys.readouterr().out
    first = draw_households(read_frame(frame), HouseholdSettings(4, 2, 5, 2, 9))[0]
    assert f": {first.picks[0]}" in told.splitlines()[0], "to be called again"
    assert "95" in told
    assert re.search(r"\d+[.,]\d % \(\d+[.,]\d .+ \d+[.,]\d %\)", told)


def test_a_household_that_was_not_drawn_and_one_that_is_told_twice_are_told_apart(
    frame: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = _contacts(frame, tmp_path).read_text("utf-8").splitlines()[1]
    commune, village = first.split(",")[:2]
    for row, words in ((first, "is told twice"), (f"{commune},{village},999999,1,answered,1", "was not drawn")):
        path = _contacts(frame, tmp_path, row)
        assert main(["server", "households", str(frame), *DRAW, "--contacts", str(path)]) != 0
        told = capsys.readouterr().err
        assert words in told
        assert commune in told, "villages of two communes may bear one name"


@pytest.mark.parametrize(
    "row",
    [
        "Xã 0,Thôn 9,1,1,answered,1",
        "Xã 0,Thôn 0,1,1,sleeps,",
        "Xã 0,Thôn 0,x,1,answered,1",
        "Xã 0,Thôn 0,1,1,refused,1",
    ],
    ids=["no such village", "no such result", "no number", "satisfied without an answer"],
)
def test_bad_rows_are_told(frame: Path, tmp_path: Path, row: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = _contacts(frame, tmp_path, row)
    assert main(["server", "households", str(frame), *DRAW, "--contacts", str(path)]) != 0
    assert "lien-he.csv" in capsys.readouterr().err


def test_a_frame_is_read_as_every_import_is(frame: Path, tmp_path: Path) -> None:
    """By the one reader: a workbook, another encoding, grouped digits and a heading above say the same."""
    said = read_frame(frame)
    rows = [row.split(";") for row in frame.read_text(encoding="utf-8-sig").splitlines()]
    old = tmp_path / "thon-1258.csv"
    old.write_text("Danh sách thôn;;\n" + "\n".join(";".join(row) for row in rows), encoding="utf-16")
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append([*row[:2], int(row[2]) if row[2].isdigit() else row[2]])
    book.save(tmp_path / "thon.xlsx")
    assert read_frame(old) == read_frame(tmp_path / "thon.xlsx") == said
    frame.write_text("Xã;Thôn;Số hộ\nXã 1;Thôn 1;1.040\n", encoding="utf-8")
    assert [one.households for one in read_frame(frame)] == [1040], "not 1"


def test_a_frame_without_its_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "thon.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    assert main(["server", "households", str(path), *DRAW]) != 0
    assert "thon.csv" in capsys.readouterr().err


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_same_by_page(store: Engine, frame: Path, tmp_path: Path, lang: str) -> None:
    """Draw, then where it stands: what the command says, and nothing of it in the store."""
    made = fill_province(store, "nho")
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.ADMINISTRATOR])
    path = f"/survey/plan/households?lang={lang}"
    assert 'name="frame"' in browser.get(path).text
    given = {"communes": 4, "villages": 2, "households": 5, "replacements": 2, "seed": 9}
    drawn = draw_households(read_frame(frame), HouseholdSettings(4, 2, 5, 2, 9))
    files = {"frame": ("thon.csv", frame.read_bytes())}
    page = browser.post(path, given, form=path, files=files)
    assert page.status_code == 200
    for one in drawn:
        assert f"{one.village.commune}, {one.village.name}" in page.text
        assert f">{', '.join(map(str, one.picks))}<" in page.text
        assert f">{', '.join(map(str, one.replacements))}<" in page.text
    files["contacts"] = ("lh.csv", _contacts(frame, tmp_path).read_bytes())
    again = browser.post(path, given, form=path, files=files)
    share = re.search(r"(\d+[.,]\d) % \((\d+[.,]\d) [^\d]+ (\d+[.,]\d) %\)", again.text)
    assert share is not None
    assert f">{drawn[0].picks[0]}</td>" in again.text, "to be called again"
    assert 'value="9"' in again.text, "what was typed is still there"


@pytest.mark.parametrize(
    ("change", "content", "words"),
    [
        ({}, b"commune,village\nX,A\n", "households"),
        ({}, b"commune,village,households\nX,A,-3\n", "-3"),
        ({}, b"commune,village,households\nX,A,3\nX,A,4\n", "twice"),
        ({"communes": 0}, b"commune,village,households\nX,A,30\n", "At least one"),
        ({}, b"\xff\xfe\x00", ""),
        ({"name": "x.exe"}, b"", "CSV"),
    ],
)
def test_lists_that_cannot_be_are_refused_in_words(
    store: Engine, tmp_path: Path, change: dict[str, Any], content: bytes, words: str
) -> None:
    made = fill_province(store, "nho")
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.ADMINISTRATOR])
    given = {"communes": 1, "villages": 1, "households": 2, "replacements": 0, "seed": 1, **change}
    name = given.pop("name", "thon.csv")
    path = "/survey/plan/households?lang=en"
    page = browser.post(path, given, form=path, files={"frame": (name, content)})
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert words in page.text


def test_who_does_not_manage_the_survey_draws_nothing(store: Engine, tmp_path: Path) -> None:
    made = fill_province(store, "nho")
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.AGENCY_READER])
    assert browser.get("/survey/plan/households").status_code == 403
