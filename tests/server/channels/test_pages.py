"""Pages over HTTP: who may do what, provinces kept apart, feedback, suspicion at arrival, the log of changes."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from pipeline.calendar import today
from pipeline.instruments import RatingFlag
from pipeline.language import Text
from server.app import create_app
from server.channels.online.invitations import find, issue
from server.channels.paper.paper import print_forms
from server.core.changes import verify_changes
from server.core.config import make_config
from server.core.provinces import write_setting
from server.core.scope import Scope
from server.feedback.feedback import items
from server.ratings.chain import seal
from server.rounds.rounds import Round, make_round
from server.store.engine import read, write
from server.store.tables.changes import changes
from server.store.tables.ratings import ANSWER_COLUMNS, RatingState, ratings
from server.store.tables.users import Role
from tests.server.client import Browser, described_columns
from tests.server.province import Province, add_analyst, fill_province


class World:
    """Two provinces on one server, each with an open round."""

    def __init__(self, store: Engine, folder: Path) -> None:
        self.store = store
        self.mine, self.theirs = fill_province(store, "nho"), fill_province(store, "khac")
        with write(store) as connection:
            self.rounds = {
                province.code: make_round(
                    connection,
                    province.province_id,
                    code="r",
                    name=Text.named(vi="Đợt"),
                    instrument="2640",
                    first_day=today() - 5,
                    last_day=today() + 5,
                    user_id=None,
                )
                for province in (self.mine, self.theirs)
            }
        self.app = create_app(store, make_config({"data_dir": folder, "web": {"secure_cookies": False}}, "test"))

    def round(self, province: Province) -> Round:
        return self.rounds[province.code]

    def browser(self, role: Role | None = None, province: Province | None = None) -> Browser:
        found = Browser(self.app)
        if role is not None:
            assert found.log_in((province or self.mine).users[role]).status_code == 303
        return found

    def token(self, province: Province) -> str:
        with write(self.store) as connection:
            agency = next(iter(province.agencies.values()))
            arguments = (province.province_id, self.round(province).id, agency)
            return issue(connection, *arguments)[0]

    def sheets(self, channel: str) -> list[tuple[int, int, int]]:
        with read(self.store) as connection:
            query = select(ratings.c.a00, ratings.c.flag, ratings.c.state).where(ratings.c.channel == channel)
            return [tuple(row) for row in connection.execute(query.order_by(ratings.c.id))]


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> World:
    return World(store, tmp_path)


ITEMS = ("A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "B5", "C1", "C2", "C3")
GOOD = {"q_overall": "4", **{f"q_{item}": str(3 + place % 3) for place, item in enumerate(ITEMS)}}
STAFF_PAGES = ("rounds", "enumerators", "plan", "import", "review", "comments", "entry", "hotline", "feedback", "index")
ALLOWED = {
    Role.ADMINISTRATOR: {"rounds", "enumerators", "plan", "import", "entry", "hotline", "feedback", "index"},
    Role.DATA_ENTRY: {"entry", "hotline", "feedback"},
    Role.ANALYST: {"rounds", "enumerators", "plan", "import", "review", "comments", "index"},
    Role.PRIVACY_OFFICER: {"index"},
    Role.AGENCY_READER: {"index"},
}


@pytest.mark.parametrize("role", list(Role))
def test_roles(world: World, role: Role) -> None:
    browser = world.browser(role)
    opened = {page for page in STAFF_PAGES if browser.get(f"/survey/{page}").status_code == 200}
    assert opened == ALLOWED[role]
    exported = browser.get("/api/v1/ratings?period=2026-Q3").status_code
    assert exported == (200 if role in (Role.ADMINISTRATOR, Role.ANALYST) else 403)


def test_a_sheet_that_is_mended_began_when_it_was_first_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is told of a missing answer and gives it at once has not filled the form in within a second."""
    token, browser = world.token(world.mine), world.browser()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 300)
    shown = _shown(browser.get(f"/s/{token}").text)
    monkeypatch.setattr(time, "time", lambda: now)
    refused = browser.http.post(f"/s/{token}", data={"q_overall": "4", "shown": shown})
    assert refused.status_code == 422
    assert browser.http.post(f"/s/{token}", data={**GOOD, "shown": _shown(refused.text)}).status_code == 303
    assert world.sheets("online") == [(4, RatingFlag.NONE, RatingState.COUNTED)]
    made_up = browser.http.post(f"/s/{world.token(world.mine)}", data={"q_overall": "4", "shown": '"><b>'})
    assert _shown(made_up.text) != shown
    assert '"><b>' not in made_up.text


def _shown(page: str) -> str:
    found = re.search(r'name="shown" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_without_log_in_there_is_nothing_but_the_citizens_pages(world: World) -> None:
    browser = world.browser()
    assert {browser.get(f"/survey/{page}").status_code for page in STAFF_PAGES} == {303}
    assert browser.get("/api/v1/index").status_code == 401
    assert "Gửi tới: Tỉnh" in browser.get("/feedback/nho").text
    assert browser.get("/feedback/nowhere").status_code == 404


def test_another_provinces_rows_are_not_there(world: World) -> None:
    """Every id of the other province, in every place that takes one."""
    browser = world.browser(Role.ANALYST)
    theirs, agency = world.round(world.theirs).id, next(iter(world.theirs.agencies.values()))
    with write(world.store) as connection:
        number = world.theirs.province_id
        (code,) = print_forms(connection, number, theirs, agency, count=1)
        rating = connection.execute(select(ratings.c.id).where(ratings.c.province_id == number)).scalars().first()
    assert browser.get(f"/survey/rounds/{theirs}").status_code == 404
    assert browser.get(f"/survey/rounds/{theirs}/paper").status_code == 404
    for path, data in (
        (f"/survey/rounds/{theirs}/links", {"agency": agency}),
        (f"/survey/rounds/{world.round(world.mine).id}/links", {"agency": agency}),
        (f"/survey/rounds/{world.round(world.mine).id}/paper", {"agency": agency, "count": 1}),
        (f"/survey/rounds/{theirs}/gateways", {"code": "x", "kind": "sms"}),
        (f"/survey/rounds/{theirs}/recheck", {"code": code, "result": "same"}),
        (f"/survey/review/{rating}", {"what": "withdraw"}),
    ):
        assert browser.post(path, data, form="/survey/rounds").status_code in (400, 404), path
    clerk = world.browser(Role.DATA_ENTRY)
    assert clerk.get(f"/survey/entry/forms/{code}").status_code in (400, 404)
    assert "khac" not in browser.get("/survey/index?period=2026-Q3").text
    places = browser.get("/api/v1/index?period=2026-Q3").json()["places"]
    assert {place["key"] for place in places if place["dimension"] == "agency"} == {"nho-a", "nho-b"}
    with read(world.store) as connection:
        kept = connection.execute(select(ratings.c.state).where(ratings.c.id == rating)).scalar_one()
    assert kept == RatingState.COUNTED


def test_an_agency_reader_sees_one_agency(world: World) -> None:
    browser = world.browser(Role.AGENCY_READER)
    result = browser.get("/api/v1/index?period=2026-Q3").json()
    assert [(place["dimension"], place["key"]) for place in result["places"]] == [("agency", "nho-a")]
    assert result["effects"] == []
    assert browser.get("/survey/index.xlsx?period=2026-Q3").status_code == 200


def test_changes_need_the_forgery_token(world: World) -> None:
    browser = world.browser(Role.ANALYST)
    assert browser.http.post("/survey/rounds", data={"code": "x"}).status_code == 403
    round_id = world.round(world.mine).id
    assert browser.http.post(f"/survey/rounds/{round_id}/close").status_code == 403


def test_an_answer_is_stored_once_and_a_hasty_one_is_set_aside(world: World) -> None:
    token = world.token(world.mine)
    browser = world.browser()
    shown = re.search(r'name="shown" value="([^"]+)"', browser.get(f"/s/{token}").text)
    assert shown
    first = browser.http.post(f"/s/{token}", data={**GOOD, "shown": shown[1]})
    assert first.status_code == 303
    assert browser.http.post(f"/s/{token}", data={**GOOD, "shown": shown[1]}).status_code == 410
    # filled in within a second: nobody reads that fast
    assert world.sheets("online") == [(4, RatingFlag.TOO_FAST, RatingState.SET_ASIDE)]
    with write(world.store) as connection:
        query = select(changes.c.detail).where(changes.c.action == "rating_set_aside")
        assert connection.execute(query).all() == [], "an entry at that moment tells when a citizen answered"
        seal(connection, Scope(world.mine.province_id), today() + 1)
        told = {"count": 1, "day": today(), "flag": int(RatingFlag.TOO_FAST), "source": "link"}
        assert [json.loads(detail) for detail in connection.execute(query).scalars()] == [told]
        verify_changes(connection, world.mine.province_id)


def test_two_at_once_use_a_link_once(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    token = world.token(world.mine)
    browsers = [world.browser() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        states = list(pool.map(lambda b: b.http.post(f"/s/{token}", data=GOOD).status_code, browsers))
    assert sorted(states) == [303, 410, 410, 410, 410, 410]
    assert len(world.sheets("online")) == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({}, 422),
        ({"q_overall": "4"}, 422),
        ({**GOOD, "q_A1": "9"}, 422),
        ({**GOOD, "q_A1": "44"}, 422),
        ({**GOOD, "q_A1": "7"}, 422),
    ],
)
def test_answers_that_are_not_valid_leave_the_link_unused(world: World, data: dict[str, str], status: int) -> None:
    token = world.token(world.mine)
    assert world.browser().http.post(f"/s/{token}", data=data).status_code == status
    with read(world.store) as connection:
        invitation = find(connection, token)
    assert invitation is not None
    assert not invitation.used
    assert world.sheets("online") == []


@pytest.mark.parametrize(
    "more", [{}, {"q_A1": "5", "q_A2": "1"}, {"reason": "waiting", "suggestion": "Thêm ghế ngồi."}]
)
def test_the_overall_answer_alone_counts_where_it_is_said_so(world: World, more: dict[str, str]) -> None:
    token, browser = world.token(world.mine), world.browser()
    again = browser.http.post(f"/s/{token}", data={"q_overall": "2", **more})
    assert again.status_code == 422
    assert 'name="alone"' in again.text
    assert world.sheets("online") == []
    thanks = browser.http.post(f"/s/{token}", data={"q_overall": "2", **more, "alone": "1"})
    assert thanks.status_code == 303
    with read(world.store) as connection:
        (row,) = connection.execute(ratings.select().where(ratings.c.channel == "online")).all()
        answers = [getattr(row, name) for name in ANSWER_COLUMNS]
        assert find(connection, token).used  # type: ignore[union-attr]
    assert answers == [2, *[0] * (len(answers) - 1)]
    assert bool(row.reasons) == ("reason" in more)
    # once, whichever button
    assert browser.http.post(f"/s/{token}", data={"q_overall": "2", "alone": "1"}).status_code == 410
    assert len(world.sheets("online")) == 1


def test_a_whole_sheet_counts_whole_whichever_button_was_pressed(world: World) -> None:
    assert world.browser().http.post(f"/s/{world.token(world.mine)}", data={**GOOD, "alone": "1"}).status_code == 303
    with read(world.store) as connection:
        (row,) = connection.execute(ratings.select().where(ratings.c.channel == "online")).all()
    assert sum(getattr(row, name) > 0 for name in ANSWER_COLUMNS) == len(GOOD)


@pytest.mark.parametrize("data", [{}, {"q_A1": "4"}, {"q_overall": "9"}, {"q_overall": "4", "q_A1": "9"}])
def test_alone_is_no_way_around_the_rules_of_a_sheet(world: World, data: dict[str, str]) -> None:
    token = world.token(world.mine)
    refused = world.browser().http.post(f"/s/{token}", data={**data, "alone": "1"})
    assert refused.status_code == 422
    assert 'name="alone"' not in refused.text
    assert world.sheets("online") == []


def test_only_the_portal_may_frame_the_form(world: World) -> None:
    token = world.token(world.mine)
    browser = world.browser()
    assert "frame-ancestors 'none'" in browser.get(f"/embed/{token}").headers["content-security-policy"]
    with write(world.store) as connection:
        write_setting(connection, world.mine.province_id, "portal_origin", "https://dichvucong.example.vn")
    policy = browser.get(f"/embed/{token}").headers["content-security-policy"]
    assert "frame-ancestors https://dichvucong.example.vn" in policy
    thanks = browser.http.post(f"/embed/{token}", data=GOOD)
    for answer in (thanks, browser.then(thanks)):
        assert "frame-ancestors https://dichvucong.example.vn" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in browser.get(f"/s/{token}").headers["content-security-policy"]
    with write(world.store) as connection:
        write_setting(connection, world.mine.province_id, "portal_origin", "*; script-src *")
    for path in (f"/embed/{token}", "/embed/thanks/nho"):
        assert "script-src *" not in browser.get(path).headers["content-security-policy"]


def test_feedback_from_intake_to_its_rating_in_factor_e(world: World) -> None:
    citizen = world.browser()
    agency = next(iter(world.mine.agencies.values()))
    sent = {"agency": agency, "category": "delay", "text": "Hồ sơ trễ hẹn mười ngày", "contact": "0912345678"}
    page = citizen.then(citizen.post("/feedback/nho", sent, form="/feedback/nho"))
    found = re.search(r'id="code" class="codes">([A-Z2-9]{12})<', page.text)
    assert found
    assert "Đã tiếp nhận" in citizen.get(f"/feedback/nho?code={found[1]}").text
    clerk = world.browser(Role.DATA_ENTRY)
    assert "0912345678" in clerk.get("/survey/feedback").text
    with read(world.store) as connection:
        (item,) = items(connection, world.mine.province_id)
    answered = clerk.post(
        f"/survey/feedback/{item.id}",
        {"status": "answered", "answer": "Đã trả kết quả.", "sure": "true"},
        form=f"/survey/feedback/{item.id}",
    )
    assert (answered.status_code, re.search(r"[a-z2-9]{22}", answered.headers["location"])) == (303, None)
    shown = clerk.then(answered).text
    link = re.search(r"/s/([a-z2-9]{22})", shown)
    assert link
    assert link[0] in clerk.get(answered.headers["location"]).text, "loading the page again shows it again"
    other = answered.headers["location"].replace(f"done={item.id}", f"done={item.id + 1}")
    assert link[0] not in clerk.get(other).text, "it is the link of that case alone"
    assert "Đã trả lời" in citizen.get(f"/feedback/nho?code={found[1]}").text
    form = citizen.get(f"/s/{link[1]}").text
    assert 'name="q_E3"' in form
    assert 'name="q_A1"' not in form
    assert citizen.http.post(f"/s/{link[1]}", data={"q_E3": "2", "q_A1": "5"}).status_code == 303
    with read(world.store) as connection:
        row = connection.execute(select(ratings).where(ratings.c.channel == "online")).one()
        slots = world.round(world.mine).load_instrument().slots
    assert (getattr(row, f"a{slots['E3']:02d}"), row.a01, row.a00) == (2, 0, 0)


def test_feedback_is_limited_by_address(world: World) -> None:
    citizen = world.browser()
    agency = next(iter(world.mine.agencies.values()))
    sent = {"agency": agency, "category": "other", "text": "x"}
    states = [citizen.post("/feedback/nho", sent, form="/feedback/nho").status_code for _ in range(7)]
    assert states == [303] * 5 + [429] * 2


def test_hotline(world: World) -> None:
    clerk = world.browser(Role.DATA_ENTRY)
    agency = next(iter(world.mine.agencies.values()))
    data = {"round": world.round(world.mine).id, "agency": agency, "group": 0, **GOOD, "q_overall": "2"}
    page = clerk.post("/survey/hotline", {**data, "reason": "late", "text": "Trễ hẹn"}, form="/survey/hotline")
    assert page.status_code == 303
    assert world.sheets("hotline") == [(2, RatingFlag.NONE, RatingState.COUNTED)]
    assert clerk.post("/survey/hotline", {**data, "agency": 10**6}, form="/survey/hotline").status_code == 422


def test_set_aside_and_counted_again(world: World) -> None:
    browser = world.browser(Role.ANALYST)
    mine = ratings.c.province_id == world.mine.province_id
    with read(world.store) as connection:
        number = connection.execute(select(ratings.c.id).where(mine)).scalars().first()
        before, _ = verify_changes(connection, world.mine.province_id)
        sheets = connection.execute(select(func.count()).select_from(ratings).where(mine)).scalar_one()

    def counted() -> int:
        places = browser.get("/api/v1/index?period=2026-Q3").json()["places"]
        return int(next(place["sheets"] for place in places if place["dimension"] == "province"))

    assert counted() == sheets
    browser.post(f"/survey/review/{number}", {"what": "withdraw"}, form="/survey/rounds")
    assert counted() == sheets, "one person alone takes nothing out"
    assert browser.post(f"/survey/review/{number}", {"what": "withdraw"}, form="/survey/rounds").status_code == 403
    assert "chờ người thứ hai xác nhận" in browser.get("/survey/review").text
    second = add_analyst(world.store, world.mine)
    other = Browser(world.app)
    assert other.log_in(second).status_code == 303
    other.post(f"/survey/review/{number}", {"what": "withdraw"}, form="/survey/rounds")
    assert counted() == sheets - 1
    assert "Đã tạm loại sau khi xem xét" in browser.get("/survey/review").text
    browser.post(f"/survey/review/{number}", {"what": "restore"}, form="/survey/rounds")
    assert counted() == sheets
    with read(world.store) as connection:
        assert verify_changes(connection, world.mine.province_id)[0] == before + 3


def test_import_by_page_shows_bad_rows_then_imports(world: World) -> None:
    browser = world.browser(Role.ANALYST)
    day = time.strftime("%d/%m/%Y", time.gmtime(time.time() - 86_400))

    def send(text: str, what: str) -> str:
        files = {"file": ("in.csv", io.BytesIO(text.encode()), "text/csv")}
        data = {"kind": "ratings", "what": what, "channel": "sms", "csrf": browser.token("/survey/import")}
        return browser.http.post("/survey/import", data=data, files=files).text

    bad = f"form,agency,day,overall\nP1,nho-a,{day},4\nP2,nho-x,{day},9\n"
    assert "dòng 3: không có cơ quan" in send(bad, "import")
    good = f"form,agency,day,overall\nP1,nho-a,{day},4\nP2,nho-b,{day},2\n"
    assert "xem trước" in send(good, "preview")
    assert world.sheets("sms") == []
    assert "thêm mới: 2" in send(good, "import")
    assert "thêm mới: 0" in send(good, "import")
    assert [sheet[0] for sheet in world.sheets("sms")] == [4, 2]


def test_the_interface_is_described(world: World) -> None:
    described = world.browser().get("/api/openapi.json").json()["paths"]
    assert {"/gateway/{code}/events", "/gateway/{code}/next", "/gateway/{code}/links", "/api/v1/index"} <= set(
        described
    )
    event = described["/gateway/{code}/events"]["post"]
    assert "phone" in event["requestBody"]["content"]["application/json"]["schema"]["properties"]


def test_lists_of_enumerators(world: World) -> None:
    """Who carries which form; which ones will be re-checked is not told before they are entered."""
    browser = world.browser(Role.ANALYST)
    round_id, agency = world.round(world.mine).id, next(iter(world.mine.agencies.values()))
    browser.post("/survey/enumerators", {"code": "BD1", "name": "Nguyễn Văn A"}, form="/survey/enumerators")
    page = browser.get(f"/survey/rounds/{round_id}/paper").text
    person = re.search(r'<option value="(\d+)">BD1', page)
    assert person
    data = {"agency": agency, "count": 3, "enumerator": person[1], "recheck_percent": 100}
    printed = browser.post(f"/survey/rounds/{round_id}/paper", data, form=f"/survey/rounds/{round_id}/paper")
    assert printed.content.startswith(b"%PDF")
    file = browser.get(f"/survey/rounds/{round_id}/forms.csv")
    assert described_columns(browser, file)["form"] == "string"
    lines = file.text.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("BD1,") and line.endswith("printed,") for line in lines[1:])
