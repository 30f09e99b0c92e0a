"""What a citizen reads whose link is wrong: in the citizen's frame, with what can be done."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipeline.calendar import today
from pipeline.language import Text
from server.channels.online.invitations import issue
from server.feedback.cases import Answer, set_status
from server.feedback.feedback import items, receive
from server.rounds.rounds import make_round
from server.store.engine import write
from server.store.tables.rounds import invitations
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province
from tests.server.web.test_isolation import _everything, methods, permission_of, routes

FULL = {f"q_{code}": "2" for code in ("overall", *(f"A{n}" for n in range(1, 5)), *(f"B{n}" for n in range(1, 6)),
        *(f"C{n}" for n in range(1, 7)))}  # fmt: skip
SENT: dict[str, tuple[str, dict[str, str], str]] = {
    "/s/{token}": ("/s/{token}", FULL, 'id="callback"'),
    "/embed/{token}": ("/embed/{token}", FULL, "face-5"),
    "/feedback/{province}": (
        "/feedback/p1", {"agency": "{agency}", "category": "delay", "text": "Trễ hẹn"}, 'id="code"'
    ),
    "/feedback/{province}/answer": (
        "/feedback/p1/answer", {"code": "{code}", "what": "dislike"}, 'aria-pressed="true"'
    ),
}  # fmt: skip
"""Every page on which a citizen sends something: where, what, and what the page says then."""
NO_CITIZENS = ("/log-in", "/log-out", "/account", "/gateway/", "/api/")
STAFF = ("/log-in", "<nav", 'class="brand" href')


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1")


@pytest.fixture
def token(store: Engine, province: Province) -> str:
    with write(store) as connection:
        made = make_round(
            connection,
            province.province_id,
            code="R1",
            name=Text.named(vi="Đợt", en="Round"),
            instrument="2640",
            first_day=today() - 1,
            last_day=today() + 5,
            user_id=None,
        )
        return issue(connection, province.province_id, made.id, province.agencies["p1-a"])[0]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/s/aaaaaaaaaaaaaaaaaaaaaa", 404), ("/s/", 404), ("/s/a/b", 404), ("/embed/x", 404), ("/feedback/no", 404)],
)
def test_a_wrong_link_is_told_in_the_citizens_frame(
    store: Engine, province: Province, tmp_path: Path, path: str, status: int
) -> None:
    answer = Browser(application(store, tmp_path)).get(path)
    assert answer.status_code == status
    assert 'class="citizen"' in answer.text
    assert "Quét lại mã QR" in answer.text
    assert [word for word in STAFF if word in answer.text] == []
    assert "Scan the code" in Browser(application(store, tmp_path)).get(f"{path}?lang=en").text


def test_an_expired_link_and_a_used_one_say_so(store: Engine, province: Province, tmp_path: Path, token: str) -> None:
    browser = Browser(application(store, tmp_path))
    page = browser.get(f"/s/{token}").text
    assert "23 câu, khoảng 3 phút" in page
    full = {f"q_{code}": "4" for code in ("overall", "A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "B5", "C1", "C2")}
    sent = browser.http.post(f"/s/{token}", data={**full, "q_C3": "4", "q_E3": ""})
    assert 'class="face face-5"' in browser.then(sent).text, "a face that thanks"
    used = browser.get(f"/s/{token}")
    assert (used.status_code, "đã được dùng" in used.text) == (410, True)
    with write(store) as connection:
        connection.execute(invitations.update().values(used=False, expires_day=today() - 1))
    late = Browser(application(store, tmp_path)).get(f"/s/{token}")
    assert late.status_code == 410
    assert "nhận đường dẫn mới" in late.text
    assert [word for word in STAFF if word in late.text + used.text] == []


def test_what_may_be_left_out_can_be_said_not_to_concern(
    store: Engine, province: Province, tmp_path: Path, token: str
) -> None:
    page = Browser(application(store, tmp_path)).get(f"/s/{token}").text
    assert page.count("Không áp dụng") == 2, "the two questions that the instrument lets out"
    assert page.count('name="q_E3"') == 6
    assert page.count('name="q_A1"') == 5


def test_the_staff_s_errors_stay_the_staff_s(store: Engine, province: Province, tmp_path: Path) -> None:
    answer = Browser(application(store, tmp_path)).get("/no-such-page")
    assert answer.status_code == 404
    assert "/log-in" in answer.text


def test_every_sending_of_a_citizen_is_known(store: Engine, province: Province, tmp_path: Path) -> None:
    open_to_all = {
        route.path
        for route in routes(application(store, tmp_path))
        if methods(route) - {"GET"} and permission_of(route) is None
    }
    assert {path for path in open_to_all if not path.startswith(NO_CITIZENS)} == set(SENT)


@pytest.mark.parametrize("name", list(SENT))
def test_loading_the_page_again_sends_nothing_again(
    store: Engine, province: Province, tmp_path: Path, token: str, name: str
) -> None:
    """A telephone loads a page again by itself; and no address tells a code."""
    with write(store) as connection:
        code = receive(connection, province.province_id, province.agencies["p1-a"], category="delay", text="Trễ")
        (case,) = items(connection, province.province_id)
        set_status(connection, province.province_id, case.id, "answered", None, answer=Answer("Đã trả"))
    path, fields, says = SENT[name]
    filled = {"{token}": token, "{agency}": str(province.agencies["p1-a"]), "{code}": code}
    fields = {key: filled.get(value, value) for key, value in fields.items()}
    browser = Browser(application(store, tmp_path))
    sent = browser.post(path.replace("{token}", token), {**fields}, form="/feedback/p1")
    page = browser.then(sent)
    assert page.status_code == 200
    assert says in page.text
    then = _everything(store, province.province_id)
    again = browser.get(sent.headers["location"])
    assert says in again.text
    assert _everything(store, province.province_id) == then
    assert token not in sent.headers["location"]
    shown = re.findall(r'id="code" class="codes">([A-Z2-9]{12})<', page.text)
    assert not [secret for secret in (code, *shown) if secret in f"{sent.headers['location']} {sent.headers}"]
    stranger = Browser(application(store, tmp_path)).get(sent.headers["location"])
    assert stranger.status_code == 200
    assert not [secret for secret in (code, *shown, 'id="callback"') if secret in stranger.text]


def test_what_was_sent_is_told_to_its_own_province_alone_and_not_by_a_cookie_that_was_altered(
    store: Engine, province: Province, tmp_path: Path
) -> None:
    fill_province(store, "p2")
    browser = Browser(application(store, tmp_path))
    _path, fields, says = SENT["/feedback/{province}"]
    sent = browser.post("/feedback/p1", {**fields, "agency": str(province.agencies["p1-a"])}, form="/feedback/p1")
    assert says in browser.then(sent).text
    assert says not in browser.get("/feedback/p2?sent=1").text
    assert says not in browser.get("/feedback/p1").text, "only right after it was sent"
    assert 'id="callback"' not in browser.get("/thanks/p1?sent=1").text
    kept = browser.http.cookies["hl_sent"].strip('"')
    for other in ("", "v1.", kept[:-6] + "AAAAAA", "v1." + "A" * 60):
        browser.http.cookies.clear()
        browser.http.cookies.set("hl_sent", other)
        page = browser.get("/feedback/p1?sent=1")
        assert page.status_code == 200
        assert says not in page.text
        assert "không cần gửi lại" in page.text


def test_the_thanks_are_in_the_language_of_the_form(
    store: Engine, province: Province, tmp_path: Path, token: str
) -> None:
    """Within a portal's frame a browser may keep no cookie."""
    browser = Browser(application(store, tmp_path))
    sent = browser.http.post(f"/embed/{token}?lang=en", data=FULL)
    browser.http.cookies.clear()
    assert "Your answers have been received." in browser.then(sent).text
