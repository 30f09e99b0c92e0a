"""Comments are read masked, by those responsible, and never as they come."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select

from pipeline.calendar import month_of_day, today
from server.core.scope import Scope
from server.ratings.comments import said, store_comments
from server.ratings.rating import Place
from server.store.engine import read, write
from server.store.tables.comments import comments
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import PERIOD, Province, application, fill_province

TEXT = "Chị Hoa ở quầy 2, số 0912 345 678, bắt tôi chờ lâu."
MASKED = "Chị [tên] ở quầy 2, số [số], bắt tôi chờ lâu."


@pytest.fixture
def province(store: Engine) -> Province:
    """With one text of every agency in July, as rows from before the rule hold them: not masked."""
    made = fill_province(store, "aaa")
    with write(store) as connection:
        for number, agency in enumerate(made.agencies.values(), start=1):
            row = {"id": number, "province_id": made.province_id, "agency_id": agency, "month": PERIOD.first_month}
            connection.execute(insert(comments).values(**row, kind="suggestion", text=f"{TEXT} {number}"))
    return made


def test_a_text_is_masked_before_it_is_stored(store: Engine, province: Province) -> None:
    place = Place(province.province_id, next(iter(province.agencies.values())))
    with write(store) as connection:
        store_comments(connection, place, {"expectation": TEXT})
        kept = connection.execute(select(comments.c.text).where(comments.c.kind == "expectation")).scalar_one()
    assert kept == MASKED


@pytest.mark.parametrize(("role", "seen"), [(Role.ANALYST, 2), (Role.AGENCY_READER, 1)])
def test_what_was_stored_before_is_masked_when_it_is_read(
    store: Engine, province: Province, tmp_path: Path, role: Role, seen: int
) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[role])
    page = browser.get("/comments?period=2026-Q3").text
    assert page.count(MASKED) == seen
    assert "Hoa" not in page
    assert "0912" not in page
    if role is Role.ANALYST:
        assert "Hoa" not in browser.get("/survey/comments").text


def test_nobody_sees_a_text_come_nor_one_of_an_agency_without_a_figure(store: Engine, province: Province) -> None:
    first, other = province.agencies.values()
    with write(store) as connection:
        place = Place(province.province_id, first)
        store_comments(connection, place, {"suggestion": "Vừa mới viết"})
        month = month_of_day(today())
        texts = [one.text for one in said(connection, Scope(province.province_id), PERIOD)]
        assert "Vừa mới viết" not in texts
        assert month > PERIOD.last_month
        connection.exec_driver_sql(f"DELETE FROM ratings WHERE agency_id = {other} AND id % 2 = 0")
    with read(store) as connection:
        assert said(connection, Scope(province.province_id), PERIOD) == [], "20 sheets, and 40 that would tell them"
