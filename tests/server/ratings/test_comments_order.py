"""A comment cannot be joined to the sheet it came with by the order of the rows."""

from __future__ import annotations

from sqlalchemy import Engine, select

from server.core.scope import Scope
from server.ratings.comments import store_comments
from server.ratings.rating import Place
from server.store.engine import read, write
from server.store.tables.comments import comments
from tests.server.province import fill_province


def test_comments_lie_in_no_order_of_arrival(any_store: Engine) -> None:
    province = fill_province(any_store, "aaa")
    place = Place(province.province_id, next(iter(province.agencies.values())))
    for number in range(12):
        with write(any_store) as connection:
            store_comments(connection, place, {"suggestion": f"{number:02d}"})
    with read(any_store) as connection:
        by_id = [row.text for row in connection.execute(Scope(province.province_id).select(comments).order_by("id"))]
        if any_store.dialect.name == "sqlite":
            as_they_lie = connection.execute(select(comments.c.text)).scalars().all()
            assert as_they_lie == by_id
    assert sorted(by_id) == [f"{number:02d}" for number in range(12)]
    assert by_id != sorted(by_id), "chance of this with random numbers: 1 in 479,001,600"
