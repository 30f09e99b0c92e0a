"""The online form, paper entry and the index page in a real browser (headless Chromium)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import insert, select

from server.auth.passwords import hash_password
from server.channels.online.invitations import issue
from server.channels.paper.paper import print_forms
from server.store.engine import read, write
from server.store.tables.comments import comments
from server.store.tables.ratings import ratings
from server.store.tables.users import Role, users
from tests.readable import assert_no_barrier, too_small
from tests.server.conftest import Survey
from tests.server.province import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh browser context; a script error fails the test."""
    context = chromium.new_context(viewport={"width": 1100, "height": 900}, locale="vi-VN")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert errors == []
    context.close()


def _log_in(page: Page, survey: Survey, name: str) -> None:
    page.goto(f"{survey.url}/log-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_url(lambda url: "log-in" not in url)


_STICKS_OUT = """() => [...document.querySelectorAll("fieldset .choice")].filter(choice =>
  choice.getBoundingClientRect().right > choice.closest("fieldset").getBoundingClientRect().right
  || choice.scrollWidth > choice.clientWidth).length"""


def test_answers_stay_within_their_question_on_a_small_telephone_with_text_twice_its_size(
    survey: Survey, page: Page
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    with write(survey.engine) as connection:
        token = issue(connection, survey.province.province_id, survey.round.id, survey.agency)[0]
    page.goto(f"{survey.url}/s/{token}")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate(_STICKS_OUT) == 0
    assert too_small(page) == []


@pytest.mark.parametrize(("width", "light"), [(390, True), (390, False), (1100, False)])
def test_citizens_pages_are_large_enough_in_light_and_dark(survey: Survey, page: Page, width: int, light: bool) -> None:
    """Text of 16 px, targets of 48 px, contrast: on the form, its refusal, the thanks, a wrong link and feedback."""
    page.emulate_media(color_scheme="light" if light else "dark")
    page.set_viewport_size({"width": width, "height": 844})
    with write(survey.engine) as connection:
        token = issue(connection, survey.province.province_id, survey.round.id, survey.agency)[0]

    def look() -> None:
        assert_no_barrier(page)
        assert too_small(page) == [], page.url

    page.goto(f"{survey.url}/s/{token}")
    expect(page.locator("#answered")).to_have_text("Đã trả lời: 0/23")
    look()
    page.check("input[name=q_overall][value='2']")
    page.check("input[name=q_E3][value='']")
    expect(page.locator("#answered")).to_have_text("Đã trả lời: 2/23")
    assert page.locator(".so-far").evaluate("each => getComputedStyle(each).position") == "sticky"
    page.click("button.big")
    page.wait_for_selector(".problem")
    assert page.is_checked("input[name=q_E3][value='']"), "kept, too"
    look()
    for item in ("A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "B5", "C1", "C2", "C3"):
        page.check(f"input[name=q_{item}][value='4']")
    page.click("button.big")
    page.wait_for_selector(".mood .face")
    look()
    for path in ("/s/aaaaaaaaaaaaaaaaaaaaaa", f"/s/{token}", "/feedback/nho"):
        page.goto(survey.url + path)
        look()


def test_the_screen_of_a_hall_fits_and_is_read_across_it(survey: Survey, page: Page) -> None:
    """Nothing to scroll on the usual screens, and no text below 2.4 % of the height."""
    _log_in(page, survey, survey.province.users[Role.ANALYST])
    page.goto(f"{survey.url}/agencies/nho-a/screen")
    assert "/tv/" in page.url
    for width, height in ((1920, 1080), (1366, 768)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_load_state()
        assert_no_barrier(page)
        assert page.evaluate("document.documentElement.scrollHeight") <= height
        assert page.locator("main p").first.evaluate("p => parseFloat(getComputedStyle(p).fontSize)") >= 0.0235 * height


def test_a_question_is_read_aloud_by_a_voice_of_the_device_alone(survey: Survey, page: Page) -> None:
    """A voice elsewhere would be sent what is read."""
    page.add_init_script(
        """(() => {
          window.spoken = [];
          window.voices = [{ localService: false, lang: "vi-VN" }];
          window.SpeechSynthesisUtterance = function (text) { this.text = text; };
          Object.defineProperty(window, "speechSynthesis", { value: {
            getVoices: () => window.voices, cancel: () => {}, speak: (said) => window.spoken.push(said.text),
            addEventListener: (kind, then) => { window.changed = then; } } });
        })()"""
    )
    with write(survey.engine) as connection:
        token = issue(connection, survey.province.province_id, survey.round.id, survey.agency)[0]
    page.goto(f"{survey.url}/s/{token}")
    expect(page.locator("#answered")).to_have_text("Đã trả lời: 0/23")
    expect(page.locator("#listen")).to_be_hidden()
    page.evaluate("window.voices.push({ localService: true, lang: 'vi-VN' }); window.changed()")
    page.click("#listen")
    (said,) = page.evaluate("window.spoken")
    assert said.startswith("Nhìn chung, Ông/Bà có hài lòng")
    assert said.endswith("Rất hài lòng")


def _stored(survey: Survey, channel: str) -> list[tuple[int, ...]]:
    with read(survey.engine) as connection:
        query = select(ratings).where(ratings.c.channel == channel).order_by(ratings.c.id)
        return [tuple(row[f"a{slot:02d}"] for slot in range(23)) for row in connection.execute(query).mappings()]


def test_online_form_works_once_and_keeps_no_link_to_the_invitation(survey: Survey, page: Page) -> None:
    with write(survey.engine) as connection:
        token = issue(connection, survey.province.province_id, survey.round.id, survey.agency)[0]
    page.goto(f"{survey.url}/s/{token}")
    assert_no_barrier(page)
    assert not page.is_visible("#reasons")
    page.check("input[name=q_overall][value='2']")
    assert page.is_visible("#reasons")
    page.check("input[name=reason][value=waiting]")
    # Keyboard alone: the arrows choose within a question.
    page.focus("input[name=q_A1][value='1']")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.is_checked("input[name=q_A1][value='3']")
    for item in ("A2", "A3", "A4", "B1", "B2", "B3", "B4", "B5", "C1", "C2", "C3"):
        page.check(f"input[name=q_{item}][value='4']")
    page.fill("#suggestion", "Thêm ghế ở nơi chờ")
    page.click("button.big")
    page.wait_for_selector("[role=status]")
    assert_no_barrier(page)
    (sheet,) = _stored(survey, "online")
    assert sheet[:5] == (2, 3, 4, 4, 4)
    with read(survey.engine) as connection:
        row = connection.execute(select(ratings).where(ratings.c.channel == "online")).one()
        said = connection.execute(select(comments)).one()
    assert (row.reasons, row.origin, said.text) == (1, None, "Thêm ghế ở nơi chờ")
    answer = page.goto(f"{survey.url}/s/{token}")
    assert answer is not None
    assert answer.status == 410
    assert page.is_visible("[role=alert]")
    missing = page.goto(f"{survey.url}/s/aaaaaaaaaaaaaaaaaaaaaa")
    assert missing is not None
    assert missing.status == 404


def test_online_form_in_english_and_without_enough_answers(survey: Survey, page: Page) -> None:
    with write(survey.engine) as connection:
        token = issue(connection, survey.province.province_id, survey.round.id, survey.agency)[0]
    page.goto(f"{survey.url}/s/{token}?lang=en")
    assert page.inner_text("h1") == "Your opinion of the service"
    page.check("input[name=q_overall][value='5']")
    page.click("button.big")
    page.wait_for_selector(".problem")
    assert _stored(survey, "online") == []


def test_data_entry_by_keyboard_alone_with_double_entry(survey: Survey, page: Page) -> None:
    province = survey.province
    with write(survey.engine) as connection:
        codes = print_forms(
            connection, province.province_id, survey.round.id, survey.agency, count=2, double_share=1.0, recheck_share=0
        )
        second = {"name": "second.clerk", "role": Role.DATA_ENTRY.value, "province_id": province.province_id}
        second |= {"password_hash": hash_password(PASSWORD), "must_change_password": False, "created_day": 1}
        connection.execute(insert(users).values(**second))

    def enter(code: str, digits: str) -> None:
        page.wait_for_selector("#code:focus")
        page.keyboard.type(code.lower())
        page.keyboard.press("Enter")
        page.wait_for_selector("#q_overall:focus")
        page.keyboard.type(digits)
        page.wait_for_selector("#save:focus")
        page.keyboard.press("Enter")
        page.wait_for_selector("#code:focus")

    _log_in(page, survey, province.users[Role.DATA_ENTRY])
    page.goto(f"{survey.url}/survey/entry")
    assert_no_barrier(page)
    sheet = "5" + "4" * 20 + " 3"
    enter(codes[0], sheet)
    assert "lần hai" in page.inner_text("#done")
    enter(codes[1], sheet)
    page.wait_for_selector("#code:focus")
    page.keyboard.type(codes[0][:-1] + ("2" if codes[0][-1] != "2" else "3"))
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem:visible")
    assert "Mã phiếu không đúng" in page.inner_text("#problem")
    assert _stored(survey, "paper") == []

    page.context.clear_cookies()
    _log_in(page, survey, "second.clerk")
    page.goto(f"{survey.url}/survey/entry")
    enter(codes[0], sheet)
    assert "khớp" in page.inner_text("#done")
    enter(codes[1], "5" + "4" * 20 + "23")
    assert "KHÁC" in page.inner_text("#done")
    (stored,) = _stored(survey, "paper")
    assert stored == tuple(int(d) for d in sheet.replace(" ", "0"))

    page.context.clear_cookies()
    _log_in(page, survey, province.users[Role.ANALYST])
    page.goto(f"{survey.url}/survey/rounds/{survey.round.id}/paper")
    assert_no_barrier(page)
    assert "1" in page.inner_text("#agreement")
    assert codes[1] in page.inner_text("main")


def test_entry_refuses_digits_off_the_scale(survey: Survey, page: Page) -> None:
    with write(survey.engine) as connection:
        (code,) = print_forms(
            connection, survey.province.province_id, survey.round.id, survey.agency, count=1, double_share=0
        )
    _log_in(page, survey, survey.province.users[Role.DATA_ENTRY])
    page.goto(f"{survey.url}/survey/entry")
    page.wait_for_selector("#code:focus")
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    page.wait_for_selector("#q_overall:focus")
    page.keyboard.type("9")
    assert page.input_value("#q_overall") == ""
    assert "chỉ nhận" in page.inner_text("#problem")
    page.keyboard.type("44")
    page.keyboard.press("Backspace")
    assert page.evaluate("document.activeElement.id") == "q_A1"


@pytest.mark.parametrize("role", [Role.ANALYST, Role.AGENCY_READER])
def test_index_page(survey: Survey, page: Page, role: Role) -> None:
    _log_in(page, survey, survey.province.users[role])
    page.goto(f"{survey.url}/survey/index?period=2026-Q3&item=overall")
    assert_no_barrier(page)
    rows = page.locator("#places tbody tr").all_inner_texts()
    if role is Role.AGENCY_READER:
        assert len(rows) == 1
        assert "Sở nho a" in rows[0]
    else:
        assert len(rows) == 3
        assert rows[0].startswith("Tỉnh nho")
        assert "80,0" in rows[0]
    page.goto(f"{survey.url}/survey/index?period=2026-Q3&lang=en")
    assert page.inner_text("h1") == "SIPAS index (official)"


def test_every_page_of_the_survey_can_be_seen_and_is_accessible(survey: Survey, page: Page) -> None:
    _log_in(page, survey, survey.province.users[Role.ANALYST])
    paths = ("rounds", f"rounds/{survey.round.id}", f"rounds/{survey.round.id}/paper", "enumerators", "review")
    for path in (*paths, "comments", "plan", "import"):
        answer = page.goto(f"{survey.url}/survey/{path}")
        assert answer is not None
        assert answer.status == 200, path
        assert_no_barrier(page)
    page.context.clear_cookies()
    _log_in(page, survey, survey.province.users[Role.DATA_ENTRY])
    for path in ("entry", "hotline", "feedback"):
        answer = page.goto(f"{survey.url}/survey/{path}")
        assert answer is not None
        assert answer.status == 200, path
        assert_no_barrier(page)
    answer = page.goto(f"{survey.url}/survey/review")
    assert answer is not None
    assert answer.status == 403
