"""The box's assistant in a real browser: a clerk's whole way at the size of a tablet and of a laptop, axe on every
page, what is left is taken up again, and nothing answers afterwards."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from edge.config import load_config
from tests.edge.assistant.world import CODE, KEY, PASSWORD, World, served
from tests.readable import assert_no_barrier

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TABLET: ViewportSize = {"width": 800, "height": 1180}
LAPTOP: ViewportSize = {"width": 1366, "height": 768}


def assert_accessible(page: Page) -> None:
    """At the size of a tablet; on a laptop nothing is wider than the screen."""
    page.wait_for_load_state()  # its style sheet, too
    for size in (LAPTOP, TABLET):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"wider than {size}"
    assert_no_barrier(page)


def go_on(page: Page, step: str) -> None:
    """Save this page; the next one is `step`."""
    assert_accessible(page)
    page.get_by_role("button", name=re.compile("Lưu và tiếp tục|Đây là vùng")).click()
    expect(page).to_have_url(re.compile(f"/step/{step}"))
    expect(page.locator(".problem")).to_have_count(0)


def test_a_clerk_sets_a_box_up(page: Page, tmp_path: Path) -> None:
    """Two counters, a camera of the machine and one of the network, a microphone; left and taken up again."""
    world = World(tmp_path)
    with served(world) as url:
        page.goto(url)
        expect(page.get_by_role("heading", name="Cài đặt thiết bị")).to_be_visible()
        assert_accessible(page)
        page.get_by_label("Mã trên màn hình").fill("AAAA-AAAA")
        page.get_by_role("button", name="Bắt đầu").click()
        expect(page.get_by_role("alert")).to_contain_text("Mã không đúng")
        page.get_by_label("Mã trên màn hình").fill(world.door.code)
        page.get_by_role("button", name="Bắt đầu").click()
        expect(page).to_have_url(re.compile("/step/place"))

        page.get_by_label("Tên cơ quan").fill("Sở Tư pháp")
        page.get_by_label("Quầy 1: tên ghi").fill("Quầy hộ tịch")
        page.get_by_role("button", name="Thêm một quầy").click()
        page.get_by_label("Quầy 2: tên ghi").fill("Quầy chứng thực")
        page.get_by_label("Có bao nhiêu cán bộ").fill("2")
        page.get_by_label("Có, lúc nào cũng").check()
        go_on(page, "devices")

        page.locator("#camera-1").select_option("v0")
        page.locator("#camera-2").select_option("n10.0.0.21")
        page.locator("details").nth(2).locator("summary").click()
        page.locator("#user-2").fill("admin")
        page.locator("#password-2").fill(PASSWORD)
        page.locator("#microphone-1").select_option("m0")
        page.locator("details").nth(1).locator("summary").click()
        page.locator("[name=staff-1]").check()
        go_on(page, "region")
    _the_rest(page, tmp_path)


def _the_rest(page: Page, folder: Path) -> None:
    """On another day, by another run of the command."""
    world = World(folder)
    assert world.left
    with served(world) as url:
        page.goto(url)
        page.get_by_label("Mã trên màn hình").fill(world.door.code)
        page.get_by_role("button", name="Bắt đầu").click()
        for _number in range(2):
            expect(page).to_have_url(re.compile("/step/region"))
            page.get_by_label("Không có người dân").check()
            page.get_by_label(re.compile("Cán bộ")).check()
            page.get_by_role("button", name="Chụp một hình").click()
            picture = page.locator("#picture")
            expect(picture).to_be_visible()
            assert picture.evaluate("each => each.complete && each.naturalWidth") == 640
            box = picture.bounding_box()
            assert box is not None
            for x, y in ((0.05, 0.1), (0.45, 0.1), (0.45, 0.7), (0.05, 0.7)):
                page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
            go_on(page, "basis" if _number else "region")
        assert world.eyes.opened[0] == 0
        assert "sub" in str(world.eyes.opened[1])

        page.get_by_role("button", name="Lưu và tiếp tục").click()
        expect(page).to_have_url(re.compile("/step/basis"))  # no default
        page.get_by_label("Sự đồng ý của người dân").check()
        go_on(page, "notice")
        expect(page.locator(".notice")).to_contain_text("Sở Tư pháp")
        page.get_by_label("Ai trả lời").fill("Văn phòng Sở, tầng 1")
        page.get_by_label("Thông báo in ra đã treo").check()
        go_on(page, "tablet")
        page.get_by_label("Trên máy tính bảng trong mạng của 10.0.0.2").check()
        page.get_by_label("Tôi xác nhận: trên mạng đó").check()
        go_on(page, "server")
        page.get_by_label("Hoặc toàn bộ chữ").fill(f"{CODE} tcp://score.example:5870 {KEY}")
        go_on(page, "review")
        assert_accessible(page)
        assert PASSWORD not in page.content()
        page.get_by_role("button", name="Ghi", exact=True).click()
        expect(page).to_have_url(re.compile("/step/finish"))
        page.get_by_role("button", name="Đăng ký", exact=True).click()
        expect(page.get_by_text("Thiết bị đã đăng ký.")).to_be_visible()
        page.get_by_role("button", name="Kiểm tra ngay").click()
        expect(page.locator(".rows")).to_contain_text("Cách sửa: Dọn 200 MiB.")
        assert_accessible(page)
        page.get_by_role("button", name="Bật thiết bị").click()
        expect(page.get_by_role("heading", name="Đã cài đặt xong")).to_be_visible()
        expect(page.locator(".tablet strong.code")).to_have_count(2)
        assert_accessible(page)
        world.door.wait()
        page.goto(url)
        expect(page.get_by_text("Trợ lý cài đặt đã dừng.")).to_be_visible()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=2)
    config = load_config(folder / "edge.toml")
    assert [each.label for each in config.counters] == ["Quầy hộ tịch", "Quầy chứng thực"]
    assert config.counters[1].camera.sub_stream.endswith("@10.0.0.21/sub")
    corners = [share for corner in config.counters[0].camera.region for share in corner]
    assert corners == pytest.approx([0.05, 0.1, 0.45, 0.1, 0.45, 0.7, 0.05, 0.7], abs=0.01)  # whole pixels
    assert world.hands.enrolled == [CODE]
    assert sorted(each.name for each in folder.iterdir() if each.is_file()) == ["edge.toml"]


def test_the_second_language_is_english(page: Page, tmp_path: Path) -> None:
    world = World(tmp_path)
    with served(world) as url:
        page.goto(url)
        page.get_by_role("link", name="English").click()
        page.get_by_label("The code on the box's screen").fill(world.door.code)
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_label("Name of the agency")).to_be_visible()
        page.get_by_role("button", name="Tiếng Việt").click()
        expect(page.get_by_label("Tên cơ quan")).to_be_visible()
