"""Sheets with the overall answer alone: in its figure, in no figure of criteria, and told of beside the count."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import Engine

from pipeline.calendar import month_of_day
from pipeline.instruments import load_instrument
from server.scores.index import WHOLE, compute_index
from server.store.engine import read, write
from server.store.tables.ratings import ratings
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import PERIOD, add_ratings, application, fill_province

CRITERIA = {f"a{slot:02d}": 4 for slot in range(1, 10)}


def test_the_index_holds_no_answer_of_them_and_says_how_many_they_are(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "p1", simulated=False)
    with write(store) as connection:
        connection.execute(ratings.delete())
        for day in (PERIOD.first_day + 3, PERIOD.first_day + 9):
            at = {"day": day, "month": month_of_day(day)}
            for agency in province.agencies.values():
                add_ratings(connection, province.province_id, agency, 40, 40, **at, **CRITERIA)

    def index() -> tuple[float, int, float, int, int, int]:
        with read(store) as connection:
            result = compute_index(connection, province.province_id, load_instrument("2640"), PERIOD)
        (place,) = result.of("province")
        whole, overall = place.figure(WHOLE), place.figure("overall")
        assert whole.index is not None
        assert whole.valid is not None
        assert overall.index is not None
        assert overall.valid is not None
        return whole.index, whole.valid, overall.index, overall.valid, place.sheets, place.overall_alone

    before = index()
    assert before == (100.0, 160 * 9, 100.0, 160, 160, 0)
    with write(store) as connection:
        at = {"day": PERIOD.first_day + 9, "month": month_of_day(PERIOD.first_day + 9)}
        add_ratings(connection, province.province_id, province.agencies["p1-a"], 40, 0, **at)
    assert index() == (100.0, 160 * 9, 80.0, 200, 200, 40)
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    for path in ("/", "/agencies/p1-a", "/survey/index"):
        assert "40 phiếu chỉ trả lời câu hỏi chung" in browser.get(f"{path}?period={PERIOD.name}").text, path
    told = json.loads(browser.get(f"/api/v1/index?period={PERIOD.name}").text)
    assert [one["overall_alone"] for one in told["places"] if one["dimension"] == "agency"] == [40, 0]


def test_among_sheets_with_the_overall_alone_no_single_sheet_is_told_by_what_is_left(
    store: Engine, tmp_path: Path
) -> None:
    """80 sheets with the overall alone and one whole one: its agency's criteria were hidden, but the province's less
    the other agency's told every answer of it."""
    province = fill_province(store, "p1", simulated=False)
    with write(store) as connection:
        connection.execute(ratings.delete())
        at = {"day": PERIOD.first_day + 9, "month": month_of_day(PERIOD.first_day + 9)}
        add_ratings(connection, province.province_id, province.agencies["p1-a"], 80, 80, **at)
        add_ratings(connection, province.province_id, province.agencies["p1-b"], 80, 80, **at, **CRITERIA)
        add_ratings(connection, province.province_id, province.agencies["p1-a"], 1, 0, **at, **CRITERIA | {"a03": 1})
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    told = json.loads(browser.get(f"/api/v1/index?period={PERIOD.name}").text)
    figures = {
        (place["dimension"], place["key"], one["item"]): (one["valid"], one["satisfied"])
        for place in told["places"]
        for one in place["figures"]
    }
    assert figures["province", "p1", "A3"] == (81, 80)
    for item in ("A1", "A3", "A"):
        assert figures["agency", "p1-a", item] == figures["agency", "p1-b", item] == (None, None), item
    assert figures["agency", "p1-b", "overall"] == (80, 80)
