"""Answers in other numbers than 1 to 5: what the file leaves in doubt is refused with the way out, never guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from hailong.cli import main
from pipeline.errors import ImportRowError, InvalidError
from pipeline.instruments import load_instrument, shipped_instruments
from server.imports.balance_text import notes
from server.ratings.imports import RatingImport, import_ratings
from server.store.engine import read, write
from server.store.tables.ratings import ratings
from server.tabular.scales import SCALES, ScaleWatch, find_scale
from server.tabular.spec import Options
from server.tabular.values import read_answer
from tests.server.worlds import small_province

HEADER = "Mã phiếu,Cơ quan,Ngày,Hài lòng chung,A1,C1"


@pytest.fixture
def province(store: Engine) -> int:
    with write(store) as connection:
        return small_province(connection)


def _import(
    store: Engine, province: int, tmp_path: Path, *answers: str, scale: str = "", header: str = HEADER, **more: object
) -> RatingImport:
    lines = [header, *(f"P{n},so-a,5/7/2026,{row}" for n, row in enumerate(answers))]
    path = tmp_path / "in.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    options = Options(scale=find_scale(scale))
    instrument = load_instrument(str(more.get("instrument", "2640")))
    return import_ratings(store, province, path, instrument, channel="sms", options=options, key=bytes(32))


def _stored(store: Engine) -> list[tuple[int, ...]]:
    with read(store) as connection:
        rows = connection.execute(select(ratings.c.a00, ratings.c.a01).order_by(ratings.c.id)).all()
    return [tuple(row) for row in rows]


def test_a_nought_without_a_five_is_refused_until_somebody_says(store: Engine, province: int, tmp_path: Path) -> None:
    rows = ("4,0,3", "2,4,0")
    with pytest.raises(InvalidError, match="0 and no 5") as caught:
        _import(store, province, tmp_path, *rows)
    assert "--scale 1-5" in str(caught.value.fix)
    assert _stored(store) == []
    result = _import(store, province, tmp_path, *rows, scale="0-4")
    assert result.balance is not None
    assert (dict(result.balance.levels), dict(result.balance.not_answered)) == ({5: 2, 1: 2, 4: 1, 3: 1}, {})
    assert _stored(store) == [(5, 1), (3, 5)]


def test_who_says_that_nought_is_no_answer_is_believed(store: Engine, province: int, tmp_path: Path) -> None:
    result = _import(store, province, tmp_path, "4,0,3", scale="1-5")
    assert result.balance is not None
    assert dict(result.balance.not_answered) == {"0": 1}
    told = {str(title): value for title, value in notes(result.balance)}
    assert told["Answers read as 1 (very dissatisfied) to 5 (very satisfied)"] == "1: 0 · 2: 0 · 3: 1 · 4: 1 · 5: 0"


def test_a_five_settles_it(store: Engine, province: int, tmp_path: Path) -> None:
    assert _import(store, province, tmp_path, "5,0,3", "5.0,0,").added == 2


def test_five_may_be_the_worst(store: Engine, province: int, tmp_path: Path) -> None:
    _import(store, province, tmp_path, "5,1,0", "Rất hài lòng,1 - Rất hài lòng,2", scale="5-1")
    assert _stored(store) == [(1, 5), (5, 5)]


@pytest.mark.parametrize("cell", ["5", "-1", "7", "4/4", "1 - Hài lòng"])
def test_what_is_not_on_the_scale_that_was_said(cell: str, store: Engine, province: int, tmp_path: Path) -> None:
    with pytest.raises(ImportRowError) as caught:
        _import(store, province, tmp_path, f"{cell},2,3", scale="0-4")
    assert "0 to 4" in str(caught.value.rows[0][1])


@pytest.mark.parametrize(
    "heading",
    [
        "A1 (0-10)", "A1. Nơi ngồi chờ (từ 1 đến 7)", "A1 [1–10]", "A1 - thang điểm 10", "A1 (thang đo 0-4)",
        "A1 (1 = Rất hài lòng; 5 = Rất không hài lòng)", "A1 (5 – 1)", "A1 - scale 1 to 7",
    ],
)  # fmt: skip
def test_a_heading_that_tells_of_another_scale(heading: str, store: Engine, province: int, tmp_path: Path) -> None:
    header = f'Mã phiếu,Cơ quan,Ngày,Hài lòng chung,"{heading}",C1'
    with pytest.raises(InvalidError, match="another scale"):
        _import(store, province, tmp_path, "5,3,3", header=header)


@pytest.mark.parametrize(
    "heading",
    ["A1 (1-5)", "A1 (1 = Rất không hài lòng ... 5 = Rất hài lòng)", "A1. Trong tháng 7", "A1 (thang điểm 5)", "(A1)"],
)
def test_a_heading_that_tells_of_this_one(heading: str, store: Engine, province: int, tmp_path: Path) -> None:
    header = f'Mã phiếu,Cơ quan,Ngày,Hài lòng chung,"{heading}",C1'
    assert _import(store, province, tmp_path, "5,3,3", header=header).added == 1


def test_no_wording_of_ours_tells_of_another_scale() -> None:
    for instrument in shipped_instruments():
        watch = ScaleWatch(instrument, None)
        watch.check((item.vi, f"item:{item.code}") for item in instrument.items)
        watch.check((f"{item.code}. {item.en}", f"item:{item.code}") for item in instrument.items)


def _item(*kinds: str) -> tuple[str, str]:
    """(instrument, code) of an item of these kinds, with choices more than two where it has any."""
    return next(
        (one.code, item.code)
        for one in shipped_instruments()
        for item in one.items
        if item.kind in kinds and len(item.choices) != 2
    )


def test_a_fact_that_is_nought_alone_may_be_no(store: Engine, province: int, tmp_path: Path) -> None:
    instrument, fact = _item("fact")
    header = f"Mã phiếu,Cơ quan,Ngày,Hài lòng chung,{fact}"
    with pytest.raises(InvalidError, match=f"answers of {fact} hold 0"):
        _import(store, province, tmp_path, "5,0", "4,0", header=header, instrument=instrument)
    result = _import(store, province, tmp_path, "5,0", "4,0", header=header, instrument=instrument, scale="1-5")
    assert result.added == 2


def test_choices_counted_from_nought(store: Engine, province: int, tmp_path: Path) -> None:
    instrument, code = _item("single", "three")
    header = f"Mã phiếu,Cơ quan,Ngày,Hài lòng chung,{code}"
    with pytest.raises(InvalidError, match=f"answers of {code} hold 0"):
        _import(store, province, tmp_path, "5,0", "4,1", header=header, instrument=instrument)


@pytest.mark.parametrize("code", ["1-7", "0-10", "5", "x", "1–5"])
def test_scales_that_are_none(code: str) -> None:
    with pytest.raises(InvalidError, match="no scale"):
        find_scale(code)


@pytest.mark.parametrize("code", SCALES)
def test_each_number_is_the_level_that_was_said(code: str) -> None:
    scale = SCALES[code]
    step = 1 if scale.lowest < scale.highest else -1
    numbers = range(scale.lowest, scale.highest + step, step)
    levels = [read_answer(str(number), False, frozenset({"", "0"}), scale.lowest, scale.highest) for number in numbers]
    assert levels == [1, 2, 3, 4, 5]


def test_the_command_has_the_setting(
    store: Engine, province: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f"{HEADER}\nP1,so-a,5/7/2026,0,4,3\n", encoding="utf-8")
    place = ["--store", store.url.render_as_string(hide_password=False)]
    command = ["server", "import", "ratings", str(path), "--channel", "sms", "--preview", "--json", *place]
    assert main(command) != 0
    assert "--scale" in capsys.readouterr().err
    assert main([*command, "--scale", "0-4"]) == 0
    assert json.loads(capsys.readouterr().out)["balance"]["levels"] == {"1": 1, "4": 1, "5": 1}


def _with_reasons(overall: tuple[int, int]) -> list[str]:
    """Six sheets that name a reason for not being satisfied, six that do not: the overall answer of each."""
    reason = load_instrument("2640").reasons[0].code
    return [f"{overall[0]},,,{reason}"] * 6 + [f"{overall[1]},,,"] * 6


def test_reasons_of_the_satisfied_say_that_five_is_the_worst(store: Engine, province: int, tmp_path: Path) -> None:
    header = HEADER + ",reasons"
    with pytest.raises(InvalidError, match="5 may be the worst") as caught:
        _import(store, province, tmp_path, *_with_reasons((5, 2)), header=header)
    assert "--scale 1-5" in str(caught.value.fix)
    result = _import(store, province, tmp_path, *_with_reasons((5, 2)), header=header, scale="5-1")
    assert result.balance is not None
    assert dict(result.balance.levels) == {1: 6, 4: 6}


@pytest.mark.parametrize("overall", [(2, 5), (1, 1), (4, 4), (3, 5)])
def test_reasons_of_the_others_say_nothing(
    store: Engine, province: int, tmp_path: Path, overall: tuple[int, int]
) -> None:
    result = _import(store, province, tmp_path, *_with_reasons(overall), header=HEADER + ",reasons")
    assert result.added == 12


@pytest.mark.parametrize(
    ("answers", "doubts"),
    [
        ((1, 1, 2, 5), 1),
        ((3, 4, 4, 4), 1),
        ((1, 1, 2, 2), 2),
        ((5, 4, 4, 1), 0),
    ],
)
def test_levels_that_make_the_scale_doubtful_are_told(
    store: Engine, province: int, tmp_path: Path, answers: tuple[int, ...], doubts: int
) -> None:
    rows = [f"{level},{level}," for level in answers] * 15
    result = _import(store, province, tmp_path, *rows)
    assert result.balance is not None
    assert len(result.balance.doubts) == len([title for title, _ in notes(result.balance) if "--scale" in str(title)])
    assert len(result.balance.doubts) == doubts
