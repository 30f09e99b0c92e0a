"""So many agreed of so many: on the agency's page and the page of the boxes, where boxes count it, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, update

from pipeline.calendar import month_of_day, today
from pipeline.language import in_language
from server.boxes.agreed import Agreed
from server.store.engine import write
from server.store.tables.boxes import boxes
from server.store.tables.releases import cell_values, releases
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import PERIOD, Province, application, fill_province

EVIDENCE, APART = [20, 0, 0] * 6, [77, 0, 0]


def _send(store: Engine, province: Province, month: int, kind: str, counts: list[int], sequence: int) -> None:
    sent: dict[str, Any] = {"province_id": province.province_id, "agency_id": province.agencies["p1-a"]}
    sent |= {"box_id": province.boxes["p1-a"], "epoch": 1, "sequence": sequence, "kind": kind, "period_kind": 4}
    sent |= {"period_index": month, "epsilon_milli": 1500, "received_day": today() - 1}
    with write(store) as connection:
        connection.execute(insert(releases).values(**sent, **cell_values(counts)))


def _pages(store: Engine, province: Province, folder: Path) -> tuple[str, str]:
    app, found = application(store, folder), []
    for role, path in ((Role.ANALYST, "/agencies/p1-a?period=2026-Q3"), (Role.ADMINISTRATOR, "/health")):
        browser = Browser(app)
        browser.log_in(province.users[role])
        found.append(browser.get(path).text)
    return found[0], found[1]


def test_both_pages_say_how_many_agreed(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "p1")
    month = month_of_day(today()) - 1
    with write(store) as connection:
        connection.execute(update(boxes).values(clerks=2))
    for page in _pages(store, province, tmp_path):
        assert "lượt đồng ý cho phân tích" not in page
    _send(store, province, PERIOD.last_month, "evidence", EVIDENCE, 50)
    _send(store, province, PERIOD.last_month, "not_agreed", APART, 51)
    _send(store, province, month, "evidence", EVIDENCE, 52)
    _send(store, province, month, "not_agreed", [40, 0, 0], 53)
    agency, health = _pages(store, province, tmp_path)
    assert "Khoảng 120 trong 197 lượt đồng ý cho phân tích (" in agency
    assert health.count("lượt đồng ý cho phân tích") == 1
    with write(store) as connection:
        connection.execute(update(boxes).values(clerks=1))
    for page in _pages(store, province, tmp_path):
        assert "lượt đồng ý cho phân tích" not in page, "one clerk is told of nowhere"


def test_the_numbers_are_written_as_the_reader_writes_them() -> None:
    """On pages and in papers alike: they say the same words."""
    words = Agreed(1234, 5678, 20.25, 23.5).words
    assert "1.234 trong 5.678" in in_language(words, "vi")
    assert "23,5" in in_language(words, "vi")
    assert "1,234 of 5,678" in in_language(words, "en")
