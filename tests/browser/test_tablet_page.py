"""The tablet's page in a real browser: axe (WCAG 2.2 AA), keyboard alone, without scripts, the time-out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.tablet import app
from edge.tablet.app import CounterTablet, TabletPages, make_app
from edge.tablet.counter import Counter
from edge.tablet.serve import TabletServer
from edge.tablet.texts import NoticeFacts
from pipeline import wire
from pipeline.instruments.library import load_instrument
from pipeline.instruments.questionnaire import make_questionnaire
from tests.edge.test_legal import STATE
from tests.readable import LEAST_TARGET_PX, assert_no_barrier, too_small

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class OneVisit:
    """A visit that is open for the whole test."""

    open_visit: int | None = 1
    has_opted_out = False
    asks_consent = False

    def agree(self, time_s: float) -> bool:
        self.asks_consent = False
        return True

    def opt_out(self) -> None:
        self.has_opted_out = True

    def screen_shown(self, number: int) -> None: ...

    def screen_left(self, number: int) -> None: ...

    def rated(self, overall: int, number: int) -> bool:
        return True

    def visit_started(self, service_group: int, time_s: float) -> None: ...

    def visit_ended(self, time_s: float) -> None: ...


class Tablet:
    def __init__(self, idle_s: int = 30) -> None:
        self.rows: list[wire.RatingRow] = []
        self.visit = OneVisit()
        questionnaire = make_questionnaire(load_instrument("2640"), "short")
        self.counter = Counter(questionnaire, self.visit, self.rows.append, idle_s)
        self.counter.note_visit(1)
        facts = NoticeFacts("Sở Tư pháp", "Tầng 1", "", STATE)
        pages = TabletPages("Sở Tư pháp", "Quầy 3–4", "vi", idle_s, True, False, "", "Tầng 1", facts)
        self.server = TabletServer(make_app(CounterTablet(pages, self.counter)), "127.0.0.1", 0)
        self.server.start()
        self.url = f"http://127.0.0.1:{self.server.port}"


@pytest.fixture
def make_tablet() -> Iterator[Callable[..., Tablet]]:
    made: list[Tablet] = []

    def make(idle_s: int = 30) -> Tablet:
        made.append(Tablet(idle_s))
        return made[-1]

    yield make
    for tablet in made:
        tablet.server.close()


def assert_accessible(page: Page) -> None:
    page.wait_for_load_state()  # its style sheet, too
    assert_no_barrier(page)
    assert too_small(page) == [], page.url


@pytest.mark.parametrize(
    ("language", "width", "light"), [("vi", 1280, True), ("vi", 390, False), ("en", 1280, False), ("en", 390, True)]
)
def test_every_screen_is_accessible_in_light_and_dark(
    page: Page, make_tablet: Callable[..., Tablet], language: str, width: int, light: bool
) -> None:
    """Contrast among it; text of 16 px, targets of 48 px."""
    tablet = make_tablet()
    page.emulate_media(color_scheme="light" if light else "dark")
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(tablet.url)
    if language == "en":
        page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", language)
    assert_accessible(page)
    for path in ("/notice", "/machine", "/models", "/notice/print", "/thanks", "/already", "/over", "/not-yet"):
        page.goto(tablet.url + path)
        assert_accessible(page)
    page.goto(tablet.url)
    for number in range(2, 6):
        page.locator(".point-2").click()
        expect(page.locator("progress")).to_have_attribute("value", str(number))
        if number == 2:
            assert_accessible(page)
    page.locator(".point-2").click()
    expect(page.locator(".reasons")).to_be_visible()
    assert_accessible(page)
    page.locator(".opt-out").click()
    expect(page.locator("footer [role=status]")).to_be_visible()
    assert tablet.visit.has_opted_out
    assert_accessible(page)


@pytest.mark.parametrize("width", [1280, 390])
def test_consent_is_asked_and_given_by_touch_or_by_one_switch(
    page: Page, make_tablet: Callable[..., Tablet], width: int
) -> None:
    """Yes and no are alike; the page says that all is off; with one key alone either can be chosen."""
    tablet = make_tablet()
    tablet.visit.asks_consent = True
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(tablet.url)
    yes, no, child = page.locator(".choice").all()
    sizes = [button.bounding_box() for button in (yes, no)]
    assert sizes[0] is not None
    assert sizes[1] is not None
    assert abs(sizes[0]["width"] - sizes[1]["width"]) < 1
    assert sizes[0]["height"] == sizes[1]["height"]
    assert_accessible(page)
    page.keyboard.press("Space")
    expect(no).to_be_focused()
    expect(child).to_be_focused(timeout=5_000)
    assert tablet.visit.asks_consent, "nothing was chosen by going through the choices"
    expect(yes).to_be_focused(timeout=5_000)
    page.keyboard.press("Enter")
    expect(page.locator(".opt-out")).to_be_visible()
    assert not tablet.visit.asks_consent


def test_an_opt_out_that_is_over_does_not_stay_on_the_screen(page: Page, make_tablet: Callable[..., Tablet]) -> None:
    """The next citizen would read that the analysis had stopped, and would have nothing to touch."""
    tablet = make_tablet()
    page.goto(tablet.url)
    page.locator(".opt-out").click()
    expect(page.locator("footer [role=status]")).to_be_visible()
    assert_accessible(page)
    page.wait_for_timeout(4_000)
    expect(page.locator(".opt-out")).to_have_count(0)
    tablet.visit.has_opted_out = False
    expect(page.locator(".opt-out")).to_be_visible(timeout=8_000)


def test_a_visit_is_rated_by_keyboard_alone(page: Page, make_tablet: Callable[..., Tablet]) -> None:
    tablet = make_tablet()
    page.goto(tablet.url)
    for number in range(1, 6):
        if number > 1:
            expect(page.locator("progress")).to_have_attribute("value", str(number))
        buttons = page.locator(".point")
        for _ in range(20):
            page.keyboard.press("Tab")
            if buttons.nth(4).evaluate("button => button === document.activeElement"):
                break
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Xin cảm ơn")).to_be_visible()
    assert [row.answers[0] for row in tablet.rows] == [5]


def test_rating_works_without_scripts(chromium: Browser, make_tablet: Callable[..., Tablet]) -> None:
    tablet = make_tablet()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(tablet.url)
    for _ in range(5):
        page.locator(".point-4").click()
    expect(page).to_have_url(tablet.url + "/thanks")
    context.close()
    assert len(tablet.rows) == 1


def test_nobody_there_any_more(page: Page, make_tablet: Callable[..., Tablet]) -> None:
    """The page asks first; a touch stays; without one it goes to the start, and the first touch alone is kept."""
    tablet = make_tablet(idle_s=11)
    page.goto(tablet.url)
    page.locator(".point-3").click()
    page.locator(".point-5").click()
    expect(page.locator("progress")).to_have_attribute("value", "3")
    expect(page.locator("#idle")).to_be_visible(timeout=9_000)
    assert_accessible(page)
    page.locator("#idle button").click()
    expect(page.locator("#idle")).not_to_be_visible()
    expect(page).to_have_url(tablet.url + "/", timeout=20_000)
    assert [(row.answers[0], sum(row.answers)) for row in tablet.rows] == [(3, 3)]


@pytest.mark.parametrize("aloud", [False, True], ids=["silent", "read aloud"])
def test_large_targets_and_the_opt_out_without_scrolling(
    page: Page, make_tablet: Callable[..., Tablet], monkeypatch: pytest.MonkeyPatch, aloud: bool
) -> None:
    """Where a box has espeak-ng, the player pushed the opt-out below the screen's edge."""
    monkeypatch.setattr(app, "can_read_aloud", lambda: aloud)
    tablet = make_tablet()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(tablet.url)
    for second in (False, True):
        if second:
            expect(page.locator("progress")).to_have_attribute("value", "2")
        page.wait_for_load_state()  # its style sheet, too
        expect(page.locator(".point")).to_have_count(5)
        for locator in (*page.locator(".point").all(), page.locator(".opt-out")):
            box = locator.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= LEAST_TARGET_PX
            assert box["y"] + box["height"] <= 800
        page.locator(".point-4").click()


def test_the_second_touch_of_a_double_one_answers_no_second_question(
    page: Page, make_tablet: Callable[..., Tablet]
) -> None:
    """The next question's faces stand where the first one's stood: they take no touch for a moment."""
    tablet = make_tablet()
    page.goto(tablet.url)
    page.locator(".point-5").click()
    expect(page.locator("progress")).to_have_attribute("value", "2")
    page.wait_for_load_state()
    scale = page.locator(".scale")
    assert scale.evaluate("each => getComputedStyle(each).animationName") == "settle"
    rules = scale.evaluate(
        "each => each.getAnimations().map(one => one.effect.getKeyframes().map(k => k.pointerEvents))"
    )
    assert rules in ([["none", "none"]], []), "at work, or over on a slow machine"
    expect(scale).to_have_css("pointer-events", "auto")
    page.locator(".point-4").click()
    expect(page.locator("progress")).to_have_attribute("value", "3")


def test_faces_that_thank_are_seen(page: Page, make_tablet: Callable[..., Tablet]) -> None:
    tablet = make_tablet()
    page.goto(tablet.url)
    page.locator(".point-2").click()
    expect(page.locator(".given")).to_contain_text("Không hài lòng")
    for _ in range(4):
        page.locator(".point-4").click()
    page.get_by_role("button", name="Gửi đánh giá").click()
    expect(page).to_have_url(tablet.url + "/thanks")
    face = page.locator(".mood .face")
    box = face.bounding_box()
    assert box is not None
    assert box["width"] >= 100
    skin = face.locator("circle").first
    assert skin.evaluate("each => getComputedStyle(each).fill") == "rgb(159, 216, 164)"


def test_questions_are_read_aloud_where_the_box_can(
    page: Page, make_tablet: Callable[..., Tablet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question and its scale, never what was touched."""
    said: list[str] = []

    def read(words: str, lang: str) -> bytes:
        said.append(words)
        return b"RIFF0000WAVE"

    monkeypatch.setattr(app, "can_read_aloud", lambda: True)
    monkeypatch.setattr(app, "read_aloud", read)
    tablet = make_tablet()
    page.goto(tablet.url)
    assert_accessible(page)
    page.locator(".point-1").click()
    expect(page.locator("progress")).to_have_attribute("value", "2")
    address = page.locator("audio").get_attribute("src")
    answer = page.request.get(tablet.url + str(address))
    assert answer.status == 200
    (words,) = said
    question = page.locator("#question").inner_text()
    assert words.splitlines() == [
        question, "Rất không hài lòng", "Không hài lòng", "Bình thường", "Hài lòng", "Rất hài lòng"
    ]  # fmt: skip
    assert page.request.get(tablet.url + "/question/6/aloud").status == 404
