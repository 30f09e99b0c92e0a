"""The staff's pages in a real browser: what they say, by keyboard, without scripts, and by axe (WCAG 2.2 AA)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from server.store.tables.users import Role
from tests.browser.conftest import serving
from tests.readable import assert_no_barrier
from tests.server.province import PASSWORD, Province, add_analyst, add_ratings, fill_province, offer_updates

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES: dict[Role | None, tuple[str, ...]] = {
    None: ("/log-in",),
    Role.ANALYST: (
        "/?period=2026-Q3",
        "/agencies/p1-a?period=2026-Q3",
        "/reasons?period=2026-Q3",
        "/comments?period=2026-Q3",
        "/heatmap?period=2026-Q3",
        "/compare?period=2026-Q3&a=p1-a&b=p1-b",
        "/reports",
        "/survey/import?kind=ratings",
        "/survey/rounds",
        "/health",
        "/analysis?period=2026-Q3",
        "/account",
    ),
    Role.ADMINISTRATOR: ("/catalogue", "/users", "/settings", "/health/updates", "/nowhere"),
    Role.PRIVACY_OFFICER: ("/privacy", "/privacy/rights"),
    Role.DATA_ENTRY: ("/survey/feedback",),
}


MORE_PAGES: dict[Role, tuple[str, ...]] = {
    Role.ANALYST: (
        "/survey/index?period=2026-Q3",
        "/survey/raked?period=2026-Q3",
        "/survey/questions?period=2026-Q3",
        "/survey/766",
        "/survey/plan",
        "/survey/review",
        "/survey/comments",
        "/survey/enumerators",
        "/survey/bridge",
        "/analysis/before-after?period=2026-Q3",
        "/alerts",
    ),
    Role.DATA_ENTRY: ("/survey/entry", "/survey/hotline"),
}
"""Whose layout is measured as well."""


@pytest.fixture
def province(store: Engine) -> Province:
    made = fill_province(store, "p1")
    offer_updates(store, made)
    return made


@pytest.fixture
def url(store: Engine, province: Province, tmp_path: Path) -> Iterator[str]:
    with serving(store, tmp_path) as address:
        yield address


@pytest.fixture
def demo_url(store: Engine, province: Province, tmp_path: Path) -> Iterator[str]:
    with serving(store, tmp_path, demo=True) as address:
        yield address


def log_in(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/log-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(lambda address: "log-in" not in address)


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("role", list(PAGES))
def test_every_page_is_accessible(page: Page, url: str, province: Province, role: Role | None, language: str) -> None:
    page.goto(f"{url}/log-in?lang={language}")
    if role is not None:
        log_in(page, url, province.users[role])
    for number, path in enumerate(PAGES[role]):
        page.goto(url + path)
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("h1").count() == 1
        if language != "vi" and number:  # the same page with other words
            continue
        assert_no_barrier(page, path)


def answer_the_criteria(store: Engine) -> None:
    """Every sheet answers all criteria as it answers the overall question."""
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE ratings SET " + ", ".join(f"a{n:02d} = a00" for n in range(1, 32)))


def test_the_first_page_leads_with_the_official_index(page: Page, url: str, store: Engine, province: Province) -> None:
    answer_the_criteria(store)
    log_in(page, url, province.users[Role.ANALYST])
    page.goto(f"{url}/?period=2026-Q3")
    expect(page.locator("#province-index")).to_have_text("80,0")
    official = page.locator(".headline")
    expect(official).to_contain_text("Chỉ số SIPAS toàn tỉnh (chính thức)")
    expect(official).to_contain_text("Cùng kỳ năm trước (Quý III/2025)")
    assert official.bounding_box()["y"] < 450  # type: ignore[index]  # seen without a click, and without scrolling
    row = page.locator("#agencies tbody tr").first
    expect(row).to_contain_text("Sở p1 a")
    expect(row.locator("td").first).to_contain_text("80,0")
    expect(row).to_contain_text("chưa hiệu chuẩn")
    expect(page.locator(".banner")).to_contain_text("Số liệu mô phỏng")
    expect(page.locator("figure .plot .of").first).to_contain_text("Sở p1 a")
    page.get_by_role("link", name="English").click()
    expect(page.locator("h1")).to_have_text("Satisfaction of citizens: the province at a glance")
    expect(row).to_contain_text("not calibrated yet")


def test_the_main_tasks_and_their_clicks(page: Page, url: str, store: Engine, province: Province) -> None:
    """Index and change without a click, the lowest criteria and the reasons with one."""
    answer_the_criteria(store)
    log_in(page, url, province.users[Role.ANALYST])
    page.goto(f"{url}/?period=2026-Q3")
    expect(page.locator("#province-index")).to_have_text("80,0")
    expect(page.locator(".headline")).to_contain_text("Kỳ trước (Quý II/2026)")
    page.locator("#agencies").get_by_role("link", name="Sở p1 a").click()
    expect(page.locator("#agency-index")).to_have_text("80,0")
    expect(page.locator("#lowest tbody tr")).to_have_count(5)
    page.goto(f"{url}/?period=2026-Q3")
    page.get_by_role("navigation", name="Chính").get_by_role("link", name="Lý do chưa hài lòng").click()
    expect(page.locator("h1")).to_have_text("Vì sao người dân chưa hài lòng")


def test_the_yearly_report_takes_two_clicks(page: Page, url: str, province: Province) -> None:
    """The menu, and the year: it says how far it is and downloads by itself."""
    log_in(page, url, province.users[Role.ANALYST])
    page.get_by_role("navigation", name="Chính").get_by_role("link", name="Báo cáo").click()
    with page.expect_download(timeout=180_000) as caught:
        page.get_by_role("link", name="Tải báo cáo (PDF): Năm 2026").click(no_wait_after=True)
    assert Path(caught.value.path()).read_bytes().startswith(b"%PDF")
    assert caught.value.suggested_filename.endswith("2026-2640.pdf")


def test_the_index_prints_the_answer_first(page: Page, url: str, store: Engine, province: Province) -> None:
    """The province's figure and who stands out on a page of their own; the tables follow."""
    answer_the_criteria(store)
    log_in(page, url, province.users[Role.ANALYST])
    page.goto(f"{url}/?period=2026-Q3")
    index = page.locator("#province-index").inner_text()
    page.goto(f"{url}/survey/index?period=2026-Q3")
    expect(page.locator("#answer")).to_be_hidden()
    page.emulate_media(media="print")
    expect(page.locator("#answer .big b")).to_have_text(index)
    expect(page.locator("#answer")).to_contain_text("Chắc chắn thấp")
    assert page.locator("#answer").evaluate("e => getComputedStyle(e).breakAfter") == "page"


def test_a_citizens_form_prints_as_a_form(page: Page, url: str, province: Province) -> None:
    page.goto(f"{url}/feedback/{province.code}")
    page.emulate_media(media="print")
    for field in ("#agency", "#text", "#contact"):
        expect(page.locator(field)).to_be_visible()
    expect(page.locator(".look")).to_be_hidden()
    assert page.locator("#text").bounding_box()["height"] > 200  # type: ignore[index]


@pytest.mark.parametrize("path", ["/?period=2026-Q3", "/agencies/p1-a?period=2026-Q3"])
def test_the_leaders_pages_print_on_one_page(
    page: Page, url: str, store: Engine, province: Province, path: str
) -> None:
    answer_the_criteria(store)
    log_in(page, url, province.users[Role.ANALYST])
    page.goto(url + path)
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


def test_a_figure_explains_itself_and_a_confirmation_names_the_thing(
    page: Page, url: str, store: Engine, province: Province
) -> None:
    answer_the_criteria(store)
    log_in(page, url, province.users[Role.ADMINISTRATOR])
    page.goto(f"{url}/?period=2026-Q3")
    help_text = page.locator(".headline details.what").first
    expect(help_text.locator("p")).not_to_be_visible()
    help_text.locator("summary").click()
    expect(help_text.locator("p")).to_contain_text("khoảng chứa con số của toàn bộ người dân")
    page.goto(f"{url}/catalogue")
    page.get_by_role("button", name="Sở p1 b").click()
    expect(page.locator("#question")).to_contain_text("Sở p1 b")
    page.get_by_role("link", name="Không thực hiện").click()
    expect(page.locator("h1")).to_have_text("Danh mục")


def test_the_first_page_finds_sorts_and_keeps_it_in_the_address(
    page: Page, url: str, store: Engine, province: Province
) -> None:
    answer_the_criteria(store)
    log_in(page, url, province.users[Role.ANALYST])
    page.fill("#q", "so p1 b")
    page.press("#q", "Enter")
    expect(page.locator("#agencies tbody tr")).to_have_count(1)
    assert "q=so+p1+b" in page.url
    page.get_by_role("link", name="Số phiếu").click()
    expect(page.locator("th[aria-sort='descending']")).to_contain_text("Số phiếu")
    expect(page.locator("#q")).to_have_value("so p1 b")


@pytest.mark.parametrize("width", [360, 768, 820])
def test_a_phone_and_a_tablet_push_nothing_sideways(page: Page, url: str, province: Province, width: int) -> None:
    """Neither a page nor a table within it, whoever reads it."""
    boxes = "[document.documentElement, ...document.querySelectorAll('.scroll')]"
    too_wide = f"{boxes}.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel ?? e.tagName)"
    wide = {}
    for role, paths in PAGES.items():
        if role is None:
            continue
        page.context.clear_cookies()
        page.set_viewport_size({"width": 1280, "height": 900})
        log_in(page, url, province.users[role])
        page.set_viewport_size({"width": width, "height": 844})
        for path in (*paths, *MORE_PAGES.get(role, ())):
            page.goto(url + path)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            if found := page.evaluate(too_wide):
                wide[path] = found
    assert wide == {}


@pytest.mark.parametrize("width", [360, 640])
def test_a_long_name_in_the_head_is_not_cut(
    page: Page, url: str, store: Engine, province: Province, width: int
) -> None:
    """Also at 200 %, where a screen of 1,280 is 640 wide; and the head stays in two rows."""
    name = "nguyen.thi.thanh.huyen.van.phong"
    log_in(page, url, add_analyst(store, province, name))
    page.set_viewport_size({"width": width, "height": 450})
    page.goto(f"{url}/account")
    link = page.locator(".who a[href='/account']")
    expect(link).to_have_text(name)
    assert link.evaluate("e => e.scrollWidth <= e.clientWidth && getComputedStyle(e).textOverflow === 'clip'")
    brand, who = (page.locator(one).bounding_box() for one in (".brand", ".who"))
    assert brand is not None
    assert who is not None
    assert brand["y"] < who["y"] + who["height"], "on one row"
    assert who["x"] + who["width"] <= width


@pytest.mark.parametrize("width", [390, 768, 1280, 1366])
def test_the_longest_menu_takes_two_rows(page: Page, url: str, province: Province, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 768})
    log_in(page, url, province.users[Role.ADMINISTRATOR])
    page.goto(f"{url}/settings")
    assert page.locator("header.top").bounding_box()["height"] < 112  # type: ignore[index]
    expect(page.locator("#confidence")).to_have_value("0,95")


def test_the_period_is_chosen_by_keyboard(page: Page, url: str, province: Province) -> None:
    log_in(page, url, province.users[Role.ANALYST])
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#period")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?period=2026-Q3")
    expect(page.locator("#ratings-counted")).to_have_text("80")


def test_a_demo_fills_up_by_itself(page: Page, demo_url: str, store: Engine, province: Province) -> None:
    page.goto(f"{demo_url}/?period=2026-Q3")
    expect(page.locator("#ratings-counted")).to_have_text("80")
    with store.begin() as connection:
        add_ratings(connection, province.province_id, province.agencies["p1-a"], 5, 5)
    expect(page.locator("#ratings-counted")).to_have_text("85", timeout=15_000)
    page.get_by_role("button", name="Dừng tự cập nhật").click()
    with store.begin() as connection:
        add_ratings(connection, province.province_id, province.agencies["p1-a"], 5, 5)
    page.wait_for_timeout(4_000)
    expect(page.locator("#ratings-counted")).to_have_text("85")


def test_without_scripts_a_link_loads_the_newest_figures(
    chromium: Browser, demo_url: str, store: Engine, province: Province
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{demo_url}/?period=2026-Q3")
    assert "80" in page.locator("#ratings-counted").inner_text()
    assert not page.locator("[data-live-button]").is_visible()
    with store.begin() as connection:
        add_ratings(connection, province.province_id, province.agencies["p1-a"], 5, 5)
    page.get_by_role("link", name="Tải lại số liệu").click()
    assert "85" in page.locator("#ratings-counted").inner_text()
    context.close()


def test_an_administrator_makes_an_agency_and_a_user(page: Page, url: str, province: Province) -> None:
    log_in(page, url, province.users[Role.ADMINISTRATOR])
    page.goto(f"{url}/catalogue")
    page.fill("#agency-code", "so-moi")
    page.fill("#agency-name_vi", "Sở Mới")
    page.locator("form[action='/catalogue/agencies'] button").click()
    expect(page.locator("main")).to_contain_text("Sở Mới")
    page.goto(f"{url}/users")
    page.fill("#name", "doc.gia")
    page.select_option("#role", "agency_reader")
    page.select_option("#agency", "so-moi")
    page.locator("form.card button").click()
    password = page.locator("#one-time-password").inner_text()
    page.get_by_role("button", name="Đăng xuất").click()
    page.fill("#name", "doc.gia")
    page.fill("#password", password)
    page.press("#password", "Enter")
    expect(page.locator("h1")).to_have_text("Tài khoản")
    page.fill("#old", password)
    page.fill("#new", "my very own password")
    page.press("#new", "Enter")
    page.fill("#name", "doc.gia")
    page.fill("#password", "my very own password")
    page.press("#password", "Enter")
    expect(page.locator("h1")).to_have_text("Sở Mới")
    expect(page.locator("main")).to_contain_text("Chưa có phiếu nào")


def test_a_file_is_previewed_then_stored(page: Page, url: str, province: Province, tmp_path: Path) -> None:
    log_in(page, url, province.users[Role.ADMINISTRATOR])
    page.goto(f"{url}/survey/import?kind=agencies")
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("code;name_vi;level\nx-1;Sở Một;tinh\nx-2;Sở Hai;xa\n", encoding="utf-8-sig")
    bad.write_text("code,name_vi,level\nx-3,Sở Ba,tinh\nx-4,,nowhere\n", encoding="utf-8")
    page.set_input_files("#file", bad)
    page.locator("button[value=import]").click()
    expect(page.locator(".problem")).to_contain_text("dòng 3")
    page.goto(f"{url}/survey/import?kind=agencies")
    page.set_input_files("#file", good)
    page.locator("button[value=preview]").click()
    expect(page.locator(".notice")).to_contain_text("chưa ghi")
    expect(page.locator("#balance")).to_be_visible()
    page.goto(f"{url}/catalogue")
    expect(page.locator("main")).not_to_contain_text("Sở Một")
    page.goto(f"{url}/survey/import?kind=agencies")
    page.set_input_files("#file", good)
    page.locator("button[value=import]").click()
    expect(page.locator(".notice")).to_be_visible()
    page.goto(f"{url}/catalogue")
    expect(page.locator("main")).to_contain_text("Sở Một")


def test_the_analysis_shows_and_gives_its_figures(page: Page, url: str, province: Province) -> None:
    log_in(page, url, province.users[Role.ANALYST])
    page.goto(f"{url}/analysis?period=2026-Q3")
    expect(page.locator("main")).to_contain_text("chưa được hiệu chuẩn")
    expect(page.locator("#labels-saved")).to_have_text("0")
    with page.expect_download() as caught:
        page.get_by_role("link", name="CSV").first.click()
    content = Path(caught.value.path()).read_text(encoding="utf-8-sig")
    assert content.startswith("period,agency,")
    assert content.count("\n") >= 5


def test_the_officer_enters_answers_and_closes_a_request(page: Page, url: str, province: Province) -> None:
    log_in(page, url, province.users[Role.PRIVACY_OFFICER])
    page.goto(f"{url}/privacy/rights")
    page.select_option("#kind", "erase")
    page.fill("#reference", "12/ĐN")
    page.click("form[action='/privacy/rights'] button")
    row = page.locator("#requests tbody tr")
    expect(row).to_contain_text("12/ĐN")
    expect(row).to_contain_text("ngày làm việc")
    page.click("#requests form[action$='/answer'] button")
    expect(page.locator("#question")).to_contain_text("12/ĐN")
    page.click("#confirm button")
    expect(row).to_contain_text("Đã trả lời ngày")
    page.select_option("#outcome1", "refused")
    page.click("#requests form[action$='/close'] button")
    page.click("#confirm button")
    expect(row).to_contain_text("Không chấp nhận")
    expect(row.locator("button")).to_have_count(0)
    expect(page.locator("#figures tbody tr", has_text="Xóa dữ liệu").locator("td")).to_have_text(
        ["1", "1", "1", "0", "0"]
    )
