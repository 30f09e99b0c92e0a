"""A list that has grown since it was imported: of a program that numbers nothing, no sheet counts twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from pipeline.errors import InvalidError
from pipeline.instruments import load_instrument
from server.imports.balance_text import notes
from server.ratings.imports import RatingImport, import_ratings
from server.store.engine import read, write
from server.store.tables.ratings import ratings
from tests.server.worlds import small_province

CODES = ("A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "B5", "C1", "C2", "C3")
HEADER = ",".join(("Dấu thời gian", "Cơ quan", "overall", *CODES))


@pytest.fixture
def province(store: Engine) -> int:
    with write(store) as connection:
        return small_province(connection)


def _sheets(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    return [
        ",".join(("1/7/2026 08:00:00", "so-a", *(str(draw.randint(2, 5)) for _ in range(len(CODES) + 1))))
        for _ in range(count)
    ]


def _import(store: Engine, province: int, path: Path, header: str, rows: list[str], **more: str) -> RatingImport:
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return import_ratings(
        store,
        province,
        path,
        load_instrument("2640"),
        channel=more.get("channel", "online"),
        key=bytes(32),
        batch=more.get("batch"),
    )


def _count(store: Engine) -> int:
    with read(store) as connection:
        return int(connection.execute(select(func.count()).select_from(ratings)).scalar_one())


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_list_that_has_grown_is_refused(store: Engine, province: int, tmp_path: Path, newest_first: bool) -> None:
    first, later = _sheets(1, 20), _sheets(2, 10)
    _import(store, province, tmp_path / "a.csv", HEADER, first)
    grown = [*reversed(later), *reversed(first)] if newest_first else [*first, *later]
    with pytest.raises(InvalidError, match=r"Of 20 sheets .* 20 stand in this one again") as caught:
        _import(store, province, tmp_path / "b.csv", HEADER, grown)
    assert "--batch" in str(caught.value.fix)
    assert _count(store) == 20
    assert _import(store, province, tmp_path / "c.csv", HEADER, later).added == 10


def test_other_sheets_of_the_same_day_are_taken(store: Engine, province: int, tmp_path: Path) -> None:
    _import(store, province, tmp_path / "a.csv", HEADER, _sheets(1, 20))
    result = _import(store, province, tmp_path / "b.csv", HEADER, _sheets(2, 20))
    assert (result.added, result.balance.again if result.balance else None) == (20, 0)


def test_the_same_file_adds_nothing_and_a_named_delivery_is_believed(
    store: Engine, province: int, tmp_path: Path
) -> None:
    rows = _sheets(1, 8)
    _import(store, province, tmp_path / "a.csv", HEADER, rows)
    assert _import(store, province, tmp_path / "a.csv", HEADER, rows).added == 0
    assert _import(store, province, tmp_path / "a.csv", HEADER, rows, batch="khác").added == 8


def test_sheets_with_a_number_of_their_own_are_known_by_it(store: Engine, province: int, tmp_path: Path) -> None:
    header, rows = f"Mã phiếu,{HEADER}", [f"P{n},{row}" for n, row in enumerate(_sheets(1, 12))]
    _import(store, province, tmp_path / "a.csv", header, rows[:8])
    result = _import(store, province, tmp_path / "b.csv", header, rows)
    assert (result.added, result.existing) == (4, 8)


def test_answers_too_few_to_tell_are_taken_and_told(store: Engine, province: int, tmp_path: Path) -> None:
    header, rows = "Ngày,Cơ quan,overall", [f"1/7/2026,so-a,{answer}" for answer in (5, 4, 5, 3, 4, 5)]
    _import(store, province, tmp_path / "a.csv", header, rows, channel="sms")
    result = _import(store, province, tmp_path / "b.csv", header, [*rows, "1/7/2026,so-a,1"], channel="sms")
    assert result.balance is not None
    assert (result.added, result.balance.again) == (7, 6)
    assert any(value == "6" and "earlier files" in str(title) for title, value in notes(result.balance))
