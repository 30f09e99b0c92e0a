"""The week's digest: the same sentences as text and as HTML, figures under the pages' rule."""

from __future__ import annotations

import json
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hailong.cli import main
from pipeline.calendar import DayRange, day_date, month_of_day, quarter_of_month, today
from pipeline.language import Text
from server.feedback.feedback import receive
from server.home.digest import make_digest
from server.store.engine import read, write
from server.store.tables.feedback import feedback
from server.store.tables.ratings import ratings
from tests.server.province import Province, add_to_last_quarter, fill_province

LAST = quarter_of_month(month_of_day(today())).before()
MONDAY = day_date(today()) - timedelta(days=7 + day_date(today()).weekday())
WEEK = DayRange(MONDAY, MONDAY + timedelta(days=7))
URL = "https://hailong.example.vn"


@pytest.fixture
def province(store: Engine) -> Province:
    made = fill_province(store, "p1")
    with write(store) as connection:
        connection.execute(ratings.delete())
        add_to_last_quarter(connection, made, {"p1-a": (40, 20), "p1-b": (4, 0)})
    return made


def test_it_says_what_the_first_page_says(store: Engine, province: Province) -> None:
    with write(store) as connection:
        agency = province.agencies["p1-a"]
        receive(connection, province.province_id, agency, category="other", text="Ông <b>A</b> chậm")
        day = {"received_day": (MONDAY - date(2020, 1, 1)).days, "due_day": (MONDAY - date(2020, 1, 1)).days + 1}
        connection.execute(feedback.update().values(**day))
    with read(store) as connection:
        made = make_digest(connection, province.province_id, WEEK, "vi", URL)
        english = make_digest(connection, province.province_id, WEEK, "en")
    assert "Chỉ số SIPAS" in made.text
    assert LAST.words("vi") in made.text
    assert "100,0" in made.text
    assert "Sở p1 b" in made.text, "too few answers to tell"
    assert "Nhận trong tuần: 1. Đã trả lời: 0. Quá hạn: 1." in made.text
    assert "Số liệu mô phỏng" in made.text
    assert f"{URL}/survey/feedback" in made.text
    assert "chậm" not in made.text, "no word of a citizen"
    said = unescape(made.html)
    for line in made.text.splitlines():
        if line.startswith("* "):
            assert line[2:] in said
    assert "href" not in english.html, "no address, no links"
    assert "Surely low" not in english.text, "a list without an agency is left out"


def test_names_are_text_in_the_letter(store: Engine, province: Province) -> None:
    from server.store.tables.agencies import agencies

    with write(store) as connection:
        connection.execute(agencies.update().values(name=Text.named(vi='<script>alert("1")</script>')))
    with read(store) as connection:
        made = make_digest(connection, province.province_id, WEEK, "vi", URL)
    assert "<script>" not in made.html


def test_the_command_writes_both(
    store: Engine, province: Province, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["server", "digest", "--data-dir", str(tmp_path), "--store", str(store.url), "--week", str(MONDAY)]
    assert main([*arguments, "--out", str(tmp_path / "week"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (tmp_path / "week" / "digest.txt").read_text("utf-8") == told["text"]
    assert (tmp_path / "week" / "digest.html").read_text("utf-8") == told["html"]
    assert told["subject"] in told["text"]
