"""Staff pages on a small telephone: no text is cut off or stands out of its box."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, select

from pipeline.instruments import use_folder
from pipeline.keys import new_keys, save_keys
from server.feedback.feedback import receive
from server.store.engine import write
from server.store.tables.feedback import feedback
from server.store.tables.users import Role
from tests.browser.conftest import serving
from tests.readable import out_of_its_box
from tests.server.province import PASSWORD, Province, fill_province

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1")


@pytest.fixture
def url(store: Engine, province: Province, tmp_path: Path) -> Iterator[str]:
    save_keys(new_keys("server"), tmp_path / "keys")
    with serving(store, tmp_path) as address:
        yield address
    use_folder(None)


def _log_in(page: Page, url: str, role: Role) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{url}/log-in?lang=vi")
    page.fill("input[name=name]", f"{role.value.replace('_', '-')}.p1")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    expect(page.get_by_role("button", name="Đăng xuất")).to_be_visible()


def test_days_of_a_case_stay_in_their_boxes(page: Page, url: str, store: Engine, province: Province) -> None:
    with write(store) as connection:
        receive(connection, province.province_id, province.agencies["p1-a"], category="delay", text="Trễ hẹn")
        number = connection.execute(select(feedback.c.id)).scalar_one()
    _log_in(page, url, Role.DATA_ENTRY)
    page.goto(f"{url}/survey/feedback/{number}")
    assert out_of_its_box(page) == []


def test_questions_in_the_editor_are_read_whole(page: Page, url: str) -> None:
    _log_in(page, url, Role.ANALYST)
    page.goto(f"{url}/survey/instruments")
    assert out_of_its_box(page) == []
    page.select_option("#base", label="1001 (bản 1)")
    page.fill("#code", "1001-dn")
    page.get_by_role("button", name="Sao chép").click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text("1001-dn (bản 1)")
    assert out_of_its_box(page) == []
    narrow = page.locator("tr", has_text="Loa truyền thanh").locator("td").first
    box = narrow.bounding_box()
    assert box is not None
    assert box["height"] < 400, "one text beside its label, not three columns of a word each"
