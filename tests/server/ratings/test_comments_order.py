"""A comment cannot be joined to the sheet it came with: by the order of the rows, or by a count that grows with it."""

from __future__ import annotations

from sqlalchemy import Engine, insert, select

from pipeline.calendar import month_of_day, quarter_of_month, today
from server.core.scope import Scope
from server.ratings.comments import coded_counts, store_comments
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


def test_topics_are_of_months_that_are_over_and_of_as_many_texts_as_a_figure_needs(store: Engine) -> None:
    """An agency's head saw its topics grow by one text: five sufficed, in the running month."""
    province = fill_province(store, "aaa")
    scope = Scope(province.province_id, next(iter(province.agencies.values())))
    now = month_of_day(today())

    def told(month: int, texts: int) -> list[tuple[str, str, int]]:
        row = {"province_id": province.province_id, "agency_id": scope.agency_id, "month": month, "text": ""}
        with write(store) as connection:
            connection.execute(comments.delete())
            codes = ["speed"] * (texts - 3) + ["cost"] * 3
            of_texts = [{**row, "id": n + 1, "kind": "suggestion", "code": code} for n, code in enumerate(codes)]
            connection.execute(insert(comments), of_texts)
            return coded_counts(connection, scope, quarter_of_month(month))

    assert told(now, 60) == []
    assert told(now - 3, 29) == []
    assert told(now - 3, 30) == [("suggestion", "speed", 27)], "a topic of three texts is not told apart"
