"""The instrument editor in a real browser, as a clerk would use it, on a screen and on a telephone; by axe."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from pipeline.calendar import day_date, today
from pipeline.instruments import use_folder
from pipeline.keys import new_keys, save_keys
from server.store.tables.users import Role
from tests.browser.conftest import serving
from tests.readable import assert_no_barrier
from tests.server.province import PASSWORD, fill_province

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SHOTS = os.environ.get("HAILONG_TEST_PICTURES")
"""A folder in which pictures of the pages are kept, for whoever wants to look at them."""


@pytest.fixture
def url(store: Engine, tmp_path: Path) -> Iterator[str]:
    """A server with keys and a province."""
    fill_province(store, "p1")
    save_keys(new_keys("server"), tmp_path / "keys")
    with serving(store, tmp_path) as address:
        yield address
    use_folder(None)


def _fine(page: Page, name: str) -> None:
    """No barrier on the page; nothing wider than the screen; a picture where somebody wants one."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
    assert_no_barrier(page, name)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is too wide"


def test_a_clerk_makes_a_variant(page: Page, url: str) -> None:
    page.goto(f"{url}/log-in?lang=vi")
    page.fill("input[name=name]", Role.ANALYST.value + ".p1")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    page.goto(f"{url}/survey/instruments")
    _fine(page, "list")
    page.select_option("#base", label="1001 (bản 1)")
    page.fill("#code", "1001-dn")
    page.get_by_role("button", name="Sao chép").click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text("1001-dn (bản 1)")
    _fine(page, "editor")
    page.locator("a.add").first.click()
    page.fill("#i-code", "K9")
    page.select_option("#i-kind", "single")
    expect(page.locator("#i-choices")).to_be_visible()
    expect(page.locator("#i-unit")).to_be_hidden()
    page.fill("#i-vi", "Ông/Bà đến bằng phương tiện nào?")
    page.fill("#i-choices", "Xe máy\nXe buýt\nĐi bộ")
    _fine(page, "question")
    page.locator("#item-form").get_by_role("button", name="Lưu").click()
    expect(page.locator("#q-K9")).to_contain_text("1. Xe máy · 2. Xe buýt · 3. Đi bộ")
    page.get_by_role("button", name="Xóa K3").click()
    expect(page.locator("#question")).to_contain_text("Xóa câu K3")
    _fine(page, "remove")
    page.get_by_role("button", name="Xóa", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Cần sửa trước khi ký")
    expect(page.get_by_role("button", name="Ký và phát hành")).to_be_disabled()
    _fine(page, "problems")
    for code in ("K4", "K5", "K6", "K7"):
        page.get_by_role("button", name=f"Xóa {code}").click()
        page.get_by_role("button", name="Xóa", exact=True).click()
    expect(page.locator("#check")).to_contain_text("Không có lỗi")
    here = page.url.split("#")[0]
    for on in ("tablet", "phone", "paper"):
        page.goto(f"{here}/preview?on={on}")
        expect(page.get_by_text("không lưu gì cả")).to_be_visible()
        if on == "paper":
            assert page.locator("img.paper-page").first.evaluate("one => one.complete && one.naturalWidth > 500")
        _fine(page, f"preview-{on}")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(here)
    _fine(page, "editor-phone")
    page.set_viewport_size({"width": 1200, "height": 900})
    page.fill("#first", (day_date(today()) + timedelta(30)).isoformat())
    page.get_by_role("button", name="Ký và phát hành").click()
    expect(page.locator("#question")).to_contain_text("1001-dn")
    page.get_by_role("button", name="Ký và phát hành").click()
    expect(page.locator("#sign")).to_contain_text("Đã ký")
    _fine(page, "signed")
    page.goto(f"{url}/survey/instruments/compare?new=10000&old=301")
    expect(page.get_by_text("Chỉ số chung so sánh được với 1001 (bản 1).")).to_be_visible()
    _fine(page, "compare")
