"""The screen in a hall: one agency's published figures and thanks, and nothing of another's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipeline.calendar import month_of_day, quarter_of_month, today
from server.feedback.feedback import receive
from server.store.engine import write
from server.store.tables.feedback import feedback
from server.store.tables.ratings import ratings
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, add_to_last_quarter, application, fill_province

LAST = quarter_of_month(month_of_day(today())).before()


@pytest.fixture
def province(store: Engine) -> Province:
    """Agency a has 80 whole sheets of the last quarter that is over, agency b none."""
    made = fill_province(store, "p1")
    with write(store) as connection:
        connection.execute(ratings.delete())
        add_to_last_quarter(connection, made, {"p1-a": (40, 20)})
    return made


def test_a_hall_sees_its_own_figure_thanks_and_what_was_changed(
    store: Engine, province: Province, tmp_path: Path
) -> None:
    with write(store) as connection:
        for name in ("p1-a", "p1-b"):
            agency = province.agencies[name]
            for _ in range(2):  # two cases of one fault, mended once
                receive(connection, province.province_id, agency, category="other", text="Ghế hỏng")
            said = {"status": "answered", "published_day": today(), "answered_day": today(), "answer": "Cảm ơn."}
            changed = {"changed": f"Đã thay ghế ở {name}"}
            connection.execute(feedback.update().where(feedback.c.agency_id == agency).values(**said, **changed))
    app = application(store, tmp_path)
    head = Browser(app)
    head.log_in(province.users[Role.AGENCY_READER])
    address = head.get("/agencies/p1-a/screen").headers["location"]
    assert head.get("/agencies/p1-b/screen").status_code == 404, "of another's screen the head gets no address"
    page = Browser(app, "10.0.0.9").get(address).text
    assert re.search(r'id="own-index">100<', page)
    assert "Đã có 80 phiếu" in page
    assert LAST.words("vi") in page
    assert page.count("Đã thay ghế ở p1-a") == 1
    assert "Ghế hỏng" not in page, "never the citizen's own words"
    for other in ("p1-b", "p1 b", "Đăng nhập", "thấp", "giảm"):
        assert other not in page
    assert "Số liệu mô phỏng" in page


def test_where_too_few_rated_the_screen_thanks_and_shows_no_figure(
    store: Engine, province: Province, tmp_path: Path
) -> None:
    with write(store) as connection:
        add_to_last_quarter(connection, province, {"p1-b": (4, 0)})
    app = application(store, tmp_path)
    analyst = Browser(app)
    analyst.log_in(province.users[Role.ANALYST])
    page = Browser(app, "10.0.0.9").get(analyst.get("/agencies/p1-b/screen").headers["location"]).text
    assert "own-index" not in page
    assert "phiếu được" not in page
    assert "Xin cảm ơn" in page


def test_nobody_gets_from_one_screen_to_another(store: Engine, province: Province, tmp_path: Path) -> None:
    app = application(store, tmp_path)
    assert Browser(app).get("/agencies/p1-a/screen").status_code == 303, "to the log-in"
    for token in ("1", "WzEsMV0", "WzEsMV0.abc", "eyJhIjoxfQ.x"):
        answer = Browser(app).get(f"/tv/{token}")
        assert answer.status_code == 404
        assert "/log-in" not in answer.text
        assert "Không mở được trang này" in answer.text
        assert "Màn hình" in answer.text, "whom it is for: no citizen with a form"
        assert "mã QR" not in answer.text
