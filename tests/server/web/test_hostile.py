"""What a hostile reader tried on the pages, each first with success: guesses from one /64 and at once, an owner shut
out, words of a stranger on a page of ours, lengths that tell (BREACH), a link that tells who has answered, dossiers
that nobody filed, staff that judges its own answers."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from pipeline.calendar import day_date, today
from server.channels.online import receipts
from server.channels.online.receipts import DossierCode, token_of
from server.core.limits import RateLimiter, network, wait_for_all
from server.feedback.cases import Answer, case_state, judge, set_status
from server.feedback.feedback import items, receive
from server.store.engine import write
from server.store.tables.agencies import agencies
from server.store.tables.feedback import feedback
from server.store.tables.users import Role
from server.web.bodies import RoutePermissions
from server.web.packing import OF_FIGURES, OF_WORDS
from tests.server.channels.test_pages import GOOD, World
from tests.server.client import Browser


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> World:
    return World(store, tmp_path)


def test_one_network_has_one_allowance_however_many_addresses_it_holds(world: World) -> None:
    world.app.state.web.log_in_by_address = RateLimiter(3, 900.0)  # as it is, smaller: every guess is slow by design
    tries = [
        Browser(world.app, f"2001:db8:1:2::{n + 1:x}").post("/log-in", {"name": f"n{n}", "password": "wrong"})
        for n in range(5)
    ]
    assert [answer.status_code for answer in tries] == [401] * 3 + [429] * 2
    form = {"agency": world.mine.agencies["nho-a"], "category": "other", "text": "x"}
    sent = [
        Browser(world.app, f"2001:db8:1:3::{n + 1:x}").post("/feedback/nho", form, form="/feedback/nho").status_code
        for n in range(7)
    ]
    assert sent == [303] * 5 + [429] * 2


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_a_network_is_a_64_or_an_address(address: Any, host: int) -> None:
    same = type(address)(int(address) >> 64 << 64 | host)
    if address.ipv4_mapped is None and same.ipv4_mapped is None:
        assert network(str(address)) == network(str(same))
    assert network("::ffff:192.0.2.7") == network("192.0.2.7") == "192.0.2.7"
    assert network("fe80::1%eth0") == "fe80::/64"
    assert network("testclient") == "testclient"


def test_guesses_at_once_are_no_more_than_guesses_in_turn(world: World) -> None:
    """All looked at the limit before the first had been found wrong: each cost a hash and was a guess."""
    name = world.mine.users[Role.ANALYST]
    browsers = [Browser(world.app) for _ in range(12)]
    tokens = [browser.token() for browser in browsers]
    forms = [{"csrf": token, "name": name, "password": "wrong"} for token in tokens]
    with ThreadPoolExecutor(12) as pool:
        found = list(
            pool.map(lambda pair: pair[0].http.post("/log-in", data=pair[1]), zip(browsers, forms, strict=True))
        )
    assert sorted(answer.status_code for answer in found) == [401] * 5 + [429] * 7


def test_who_guesses_does_not_shut_the_owner_out(world: World) -> None:
    name = world.mine.users[Role.ADMINISTRATOR]
    stranger = Browser(world.app, "192.0.2.1")
    assert [stranger.log_in(name, "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    assert Browser(world.app, "192.0.2.2").log_in(name).status_code == 303
    assert stranger.log_in(name).status_code == 429
    many = world.app.state.web.log_in_by_name
    while not many.wait_s(name):  # from everywhere together a name is guessed at 50 times in a quarter of an hour
        many.count(name)
    assert Browser(world.app, "192.0.2.3").log_in(name).status_code == 429


def test_limits_are_counted_in_all_or_in_none() -> None:
    wide, narrow = RateLimiter(2, 60.0), RateLimiter(1, 60.0)
    assert wait_for_all((wide, "a"), (narrow, "b")) == 0
    assert wait_for_all((wide, "a"), (narrow, "b")) > 0
    assert wide.allow("a"), "what the narrow one refused was not counted in the wide one"
    assert not wide.allow("a")


def test_an_address_puts_no_words_on_a_page(world: World) -> None:
    staff = world.browser(Role.DATA_ENTRY)
    for query in ("message=CALL+0999", "link=https://evil.example/s/x", "message=CALL&message=0999", "message="):
        page = staff.get(f"/survey/feedback?{query}").text
        assert 'role="status"' not in page, query
    assert 'role="status"' not in world.browser().get("/log-in?message=CALL").text
    reviewer = world.browser(Role.ANALYST)
    answer = reviewer.post("/settings", {}, form="/survey/review")
    assert answer.status_code in (403, 422)


def test_no_page_with_what_somebody_wrote_tells_by_its_length_what_it_holds(world: World) -> None:
    """BREACH: a guess at a telephone number in the address was three bytes shorter where it was right."""
    with write(world.store) as connection:
        for n in range(20):
            contact = f"09{n:02d}555123"
            receive(connection, world.mine.province_id, world.mine.agencies["nho-a"], category="other", text="Gọi lại",
                    contact=contact)  # fmt: skip
    staff = world.browser(Role.DATA_ENTRY)
    packed = {"Accept-Encoding": "gzip"}

    def length(guess: str) -> int:
        answer = staff.get(f"/survey/feedback?x={guess}", headers=packed)
        assert "content-encoding" not in answer.headers
        return len(answer.content)

    assert length("0905555123") == length("0937482615")
    figures = world.browser(Role.ANALYST).get("/?period=2026-Q3", headers=packed)
    assert figures.headers.get("content-encoding") == "gzip", "pages of figures are packed"
    assert world.browser().get("/static/base.css", headers=packed).headers.get("content-encoding") in ("gzip", None)


def test_packed_are_figures_alone(world: World) -> None:
    """Every route, so that a new one with contacts, links or keys is not packed by oversight."""
    needs = RoutePermissions()
    needs.of({"type": "http", "app": world.app, "method": "GET", "path": "/", "headers": []})
    packed = {
        route.path
        for route, permission in needs._routes
        if permission in OF_FIGURES and not route.path.startswith(OF_WORDS)
    }
    personal = ("feedback", "/s/", "/embed", "account", "rights", "users", "rounds", "enumerator", "hotline", "paper",
                "gateway", "receipts", "import", "comments", "log-in", "entry")  # fmt: skip
    assert packed
    words = world.browser(Role.ANALYST).get("/comments?period=2026-Q3", headers={"accept-encoding": "gzip"})
    assert (words.status_code, "content-encoding" in words.headers) == (200, False)
    assert not [path for path in packed if any(word in path for word in personal)]


def test_a_link_does_not_tell_who_has_answered(world: World) -> None:
    """The clerk who printed a receipt opened its link, and saw "has been rated" or the form."""
    token = world.token(world.mine)
    clerk, citizen = world.browser(), world.browser()
    before = clerk.get(f"/s/{token}")
    too_few = clerk.http.post(f"/s/{token}", data={"q_overall": "5"})
    assert citizen.http.post(f"/s/{token}", data=GOOD).status_code == 303
    after = clerk.get(f"/s/{token}")

    def shape(answer: Any) -> tuple[int, str]:
        return answer.status_code, re.sub(r'name="shown" value="[^"]*"', "", answer.text)

    assert shape(after) == shape(before)
    assert shape(clerk.http.post(f"/s/{token}", data={"q_overall": "5"})) == shape(too_few)
    assert citizen.get(f"/s/{token}").status_code == 410, "the citizen's own browser is told"
    assert clerk.http.post(f"/s/{token}", data=GOOD).status_code == 410, "and whoever would vote again"
    assert len(world.sheets("online")) == 1


def test_one_dossier_has_one_link_however_its_code_is_written() -> None:
    day = day_date(today()).strftime("%y%m%d")
    ways = (
        f"H15.50.05.13-{day}-0975",
        f"h15.50.05.13-{day}-00975",
        f"H15.050.5.13-{day}-0000975",
        f"H015.50.05.013-{day}-0975",
    )
    assert len({token_of(bytes(32), 1, DossierCode.read(way)) for way in ways}) == 1
    other = DossierCode.read(f"H15.50.51.3-{day}-0975")
    assert token_of(bytes(32), 1, other) != token_of(bytes(32), 1, DossierCode.read(ways[0]))


def test_a_unit_has_so_many_links_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds the gateway's key invents dossiers: 300 of 300 got a link, each of them a ballot."""
    from tests.server.channels.test_receipts import DAY, _ask

    monkeypatch.setattr(receipts, "LINKS_A_DAY", 3)
    with write(world.store) as connection:
        first = agencies.c.id == world.mine.agencies["nho-a"]
        connection.execute(agencies.update().where(first).values(official_code="H15.50.05.13"))
    codes = [f"H15.50.05.13-{DAY}-{n:04d}" for n in range(5)]
    answers = [_ask(world, {"dossier": code}, n).status_code for n, code in enumerate(codes)]
    assert answers == [200, 200, 200, 409, 409]
    assert _ask(world, {"dossier": codes[0]}, 9).status_code == 200, "a link that exists is told again"
    assert _ask(world, {"dossier": codes[4], "unit": "nho-b"}, 10).status_code == 200, "another unit has its own"


def test_staff_cannot_judge_its_own_answers(world: World) -> None:
    """The code that proves who wrote stood on the list of whoever answers: all their answers were liked, in the figures
    of Decision 766."""
    with write(world.store) as connection:
        number = world.mine.province_id
        code = receive(connection, number, world.mine.agencies["nho-a"], category="delay", text="Trễ hẹn")
        (one,) = items(connection, number)
        set_status(connection, number, one.id, "answered", None, answer=Answer("Đã xử lý."))
    staff = world.browser(Role.DATA_ENTRY)
    for path in ("/survey/feedback", f"/survey/feedback/{one.id}"):
        assert code not in staff.get(path).text
    assert code.encode() not in b"".join(
        path.read_bytes() for path in Path(str(world.store.url.database)).parent.glob("store*")
    )
    with write(world.store) as connection:
        assert not judge(connection, str(one.id), liked=True)
        assert judge(connection, f" {code.lower()} ", liked=False)
        state = case_state(connection, code)
        assert state is not None
        assert state.liked is False
        assert connection.execute(select(func.count()).where(feedback.c.code_hash == code)).scalar_one() == 0
