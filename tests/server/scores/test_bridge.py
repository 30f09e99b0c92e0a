"""A bridge in a province: half of the links ask each way, the link of what came out, and the line over it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from calibration.bridge import Link
from pipeline.calendar import parse_period, today
from pipeline.errors import InvalidError
from pipeline.instruments import load_instrument
from pipeline.language import Text
from server.app import create_app
from server.channels.online.invitations import digest, issue
from server.core.config import make_config
from server.rounds.rounds import ask_half_with, find_round, make_round
from server.scores.bridge import both_asked, bridge, line
from server.scores.index import WHOLE
from server.store.engine import read, write
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import fill_province
from tests.server.worlds import add_sheets, small_province

OLD, NEW = load_instrument("1383"), load_instrument("2640")
BRIDGING = parse_period("2026-Q1")


def _sheets(count: int, satisfied: int) -> list[dict[str, int]]:
    return [{"overall": 4 if n < satisfied else 2, "A1": 5 if n < satisfied else 1} for n in range(count)]


def _province(store: Engine) -> int:
    """2025-Q4 the old one alone, 2026-Q1 half each way (70 and 50 of 100 online), 2026-Q2 the new one alone. On paper
    each was asked of other people, with another difference."""
    with write(store) as connection:
        province = small_province(connection)
        for asked, month, channel, satisfied in (
            (OLD, date(2025, 11, 10), "online", 80),
            (OLD, date(2026, 2, 10), "online", 70),
            (NEW, date(2026, 2, 10), "online", 50),
            (OLD, date(2026, 2, 11), "paper", 10),
            (NEW, date(2026, 2, 11), "paper", 90),
            (NEW, date(2026, 5, 10), "online", 60),
        ):
            for day in range(10):
                given = _sheets(10, satisfied // 10)
                on = month + timedelta(day)
                add_sheets(connection, province, "so-a", given, instrument=asked, channel=channel, day=on)
    return province


def test_the_link_is_made_of_those_who_were_drawn_by_lot(store: Engine) -> None:
    province = _province(store)
    with read(store) as connection:
        assert both_asked(connection, province, OLD, NEW) == [BRIDGING]
        links = {one.code: one for one in bridge(connection, province, OLD, NEW, BRIDGING)}
        assert set(links) >= {WHOLE, "overall", "A"}
        assert [channel for channel, _old, _new in links["overall"].channels] == ["online"]
        found = links["overall"].link
        assert found.shift == pytest.approx(-20)
        assert 5 < found.error < 20
        points = line(connection, province, OLD, NEW, "overall", Link(-20, 3, 0, 1))
    told = [(point.period.name, str(point.instrument), round(point.value, 1), point.carried) for point in points]
    assert told == [
        ("2025-Q4", "1383 v1", 80.0, False),
        ("2025-Q4", "2640 v1", 60.0, True),
        ("2026-Q1", "1383 v1", 40.0, False),
        ("2026-Q1", "2640 v1", 20.0, True),
        ("2026-Q1", "2640 v1", 70.0, False),
        ("2026-Q2", "2640 v1", 60.0, False),
    ]
    assert points[1].high - points[1].low > points[0].high - points[0].low, "the link's error is in it"


def test_no_bridge_where_nobody_was_asked_both_ways(store: Engine) -> None:
    province = _province(store)
    with read(store) as connection:
        assert bridge(connection, province, OLD, NEW, parse_period("2025-Q4")) == []
        assert both_asked(connection, province, OLD, load_instrument("1001")) == []


def test_half_of_the_links_ask_each_way_and_the_page_shows_it(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "cau")
    with write(store) as connection:
        names = {"code": "b", "name": Text.named(vi="Bắc cầu"), "instrument": "2640", "user_id": None}
        made = make_round(connection, province.province_id, first_day=today() - 1, last_day=today() + 9, **names)  # type: ignore[arg-type]
        with pytest.raises(InvalidError, match="two different"):
            ask_half_with(connection, province.province_id, made, "2640", None)
        ask_half_with(connection, province.province_id, made, "1001", None)
        tokens = issue(connection, province.province_id, made.id, province.agencies["cau-a"], count=400)
        asked = find_round(connection, province.province_id, round_id=made.id)
    by_lot = {token: asked.asked_by(digest(token)).code for token in tokens}
    assert 130 < sum(code == "1001" for code in by_lot.values()) < 270  # 7 standard deviations
    assert all(asked.asked_by(digest(token)).code == code for token, code in by_lot.items())
    browser = Browser(create_app(store, make_config({"data_dir": tmp_path, "web": {"secure_cookies": False}}, "test")))
    for wanted, sign in (("1001", 'name="q_N1_10"'), ("2640", 'name="q_E4"')):
        page = browser.get(f"/s/{next(token for token, code in by_lot.items() if code == wanted)}").text
        assert (sign in page, 'name="q_N1_10"' in page) == (True, wanted == "1001")
    browser.log_in(province.users[Role.ANALYST])
    assert "2640 (bản 1) + 1001 (bản 1)" in browser.get("/survey/rounds").text
    said = browser.get("/survey/bridge?old=201&new=301&lang=vi").text
    assert "Không quý nào có phiếu của cả hai bộ" in said
    assert browser.get("/survey/bridge?old=201&new=201").status_code == 422
    chosen = browser.get("/survey/bridge?lang=vi").text  # by hand, without saying which: those of 2640, asked last
    assert all(label in chosen for label in ('<label for="new">Bản mới', '<label for="old">Bản cũ'))
    assert "còn thiếu" not in chosen
    reader = Browser(browser.http.app)  # type: ignore[arg-type]
    reader.log_in(province.users[Role.AGENCY_READER])
    assert reader.get("/survey/bridge?old=201&new=301").status_code == 404
