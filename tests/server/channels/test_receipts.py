"""One dossier, one rating: links for receipts, the token, what the store holds, response rates."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select

from pipeline.calendar import day_date, month_of_day, period_of_months, today
from pipeline.errors import InvalidError
from pipeline.language import Text
from server.channels.gateway.gateway import make_gateway
from server.channels.gateway.signing import Call
from server.channels.online.receipts import DossierCode, issue_receipt, response_rates, token_of
from server.core.scope import Scope
from server.feedback.feedback import items
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.ratings import ratings
from server.store.tables.rounds import invitations, rounds
from server.store.tables.services import services
from server.store.tables.users import Role
from tests.server.channels.test_pages import World
from tests.server.province import add_ratings

DAY = day_date(today()).strftime("%y%m%d")
CODE = f"H15.50.05.13-{DAY}-0975"
KEY = bytes(32)


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> World:
    """A province whose first agency has the unit's official code, and a procedure."""
    made = World(store, tmp_path)
    with write(store) as connection:
        first = agencies.c.id == made.mine.agencies["nho-a"]
        connection.execute(agencies.update().where(first).values(official_code="H15.50.05.13"))
        row = {"province_id": made.mine.province_id, "code": "1.001", "name": Text.named(vi="Cấp mới", en="New")}
        connection.execute(insert(services).values(**row, service_group=3, active=True))
    return made


def _ask(world: World, body: dict[str, Any], nonce: int = 0) -> Any:
    """A signed call of the one-stop software."""
    if not hasattr(world, "secret"):
        with write(world.store) as connection:
            opened = world.round(world.mine).id
            secret = make_gateway(
                connection, world.mine.province_id, "motcua", "one_stop", opened, None, world.app.state.web.gateway_key
            )
        world.secret = secret  # type: ignore[attr-defined]
    text = json.dumps(body).encode()
    stamp, once = str(int(time.time())), f"{nonce:020d}"
    call = Call("POST", "/api/receipts", stamp, once, text)
    signature = call.signature(world.secret)  # type: ignore[attr-defined]
    headers = {"X-Hailong-Gateway": "motcua", "X-Hailong-Time": stamp, "X-Hailong-Nonce": once}
    headers["X-Hailong-Signature"] = signature
    return world.browser().http.post("/api/receipts", content=text, headers=headers)


def _token(answer: Any) -> str:
    found = re.search(r"/s/([a-z2-9]{22})$", answer.json()["url"])
    assert found, answer.text
    return found[1]


def test_a_dossier_is_rated_once_whatever_is_asked_for(world: World) -> None:
    first = _ask(world, {"dossier": CODE, "service": "1.001"})
    token = _token(first)
    picture = ElementTree.fromstring(first.json()["qr_svg"])
    assert picture.tag.endswith("svg")
    citizen = world.browser()
    assert "Sở nho a" in citizen.get(f"/s/{token}").text
    form = {"q_overall": "4", **{f"q_A{n}": "4" for n in range(1, 5)}, **{f"q_B{n}": "4" for n in range(1, 6)}}
    form |= {f"q_C{n}": "4" for n in range(1, 7)}
    assert citizen.http.post(f"/s/{token}", data=form).status_code == 303
    again = _ask(world, {"dossier": CODE.lower(), "service": "1.001"}, 1)
    assert _token(again) == token, "the same dossier, the same link"
    assert "used" not in again.json(), "whether a citizen has answered is told to nobody"
    page = citizen.get(f"/s/{token}")
    assert page.status_code == 410
    assert "Hồ sơ này đã được đánh giá" in page.text
    assert citizen.http.post(f"/s/{token}", data=form).status_code == 410
    with read(world.store) as connection:
        (row,) = connection.execute(select(ratings).where(ratings.c.channel == "receipt")).all()
        service = connection.execute(select(services.c.id)).scalars().first()
    assert (row.agency_id, row.service_id, row.service_group) == (world.mine.agencies["nho-a"], service, 3)


def test_a_receipt_names_the_bodies_and_the_rating_has_them(world: World) -> None:
    bodies = {"handling": "H15.50.05.13", "deciding": "nho-b"}
    token = _token(_ask(world, {"dossier": CODE, **bodies}))
    again = _ask(world, {"dossier": CODE, "deciding": "nho-a"}, 1)
    assert _token(again) == token, "the bodies are those that were named first"
    assert _ask(world, {"dossier": CODE, "deciding": "so-la"}, 2).status_code == 422
    form = {
        "q_overall": "4",
        **{f"q_{c}{n}": "4" for c, most in zip("ABC", (4, 5, 6), strict=True) for n in range(1, most + 1)},
    }
    assert world.browser().http.post(f"/s/{token}", data=form).status_code == 303
    with read(world.store) as connection:
        (row,) = connection.execute(select(ratings).where(ratings.c.channel == "receipt")).all()
    mine = world.mine.agencies
    assert (row.agency_id, row.handling_id, row.deciding_id) == (mine["nho-a"], None, mine["nho-b"])


def test_no_copy_of_the_store_holds_a_code(world: World, tmp_path: Path) -> None:
    """The dump of the data base, its log and its files hold neither the code nor its parts; nor can the code be
    confirmed without the key."""
    serial = "7318642"
    _token(_ask(world, {"dossier": f"H15.50.05.13-{DAY}-{serial}"}))
    source = Path(str(world.store.url.database))
    connection = sqlite3.connect(source)
    dump = "\n".join(connection.iterdump())
    connection.close()
    held = b"".join(
        path.read_bytes() for path in source.parent.iterdir() if path.is_file() and "secret" not in path.name
    )
    for text in (serial, f"{DAY}-{serial}"):
        assert text not in dump
        assert text.encode() not in held
    (hashed,) = re.findall(r"'receipt','form','([0-9a-f]{64})'", dump)
    code = DossierCode.read(f"H15.50.05.13-{DAY}-{serial}")
    guesses = {token_of(bytes([byte]) * 32, world.mine.province_id, code) for byte in range(256)}
    assert hashed not in guesses


def test_the_key_lies_beside_the_store_and_outlives_a_start(world: World, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "receipts.secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32
    token = _token(_ask(world, {"dossier": CODE}))
    assert token == token_of(path.read_bytes(), world.mine.province_id, DossierCode.read(CODE))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"dossier": "H15.50.05.13-261308-0975"}, 422),  # no such month
        ({"dossier": "H15.50.05.13-991231-0975"}, 422),  # to come
        ({"dossier": "hoso 0975 cua ong A"}, 422),
        ({"dossier": f"H15.50.05.14-{DAY}-0975"}, 422),  # unknown unit
        ({"dossier": CODE, "service": "9.999"}, 422),
        ({"dossier": CODE, "name": "Nguyễn Văn A"}, 422),
        ({}, 422),
    ],
)
def test_calls_that_cannot_be(world: World, body: dict[str, str], status: int) -> None:
    answer = _ask(world, body)
    assert answer.status_code == status
    with read(world.store) as connection:
        assert connection.execute(select(invitations.c.id)).first() is None
    if body.get("dossier"):
        assert body["dossier"] not in answer.text, "what was wrong is told without the code"


def test_unsigned_calls_and_other_gateways_are_refused(world: World) -> None:
    assert world.browser().http.post("/api/receipts", json={"dossier": CODE}).status_code == 401
    assert _ask(world, {"dossier": CODE}).status_code == 200
    assert _ask(world, {"dossier": CODE}).status_code == 409, "a call that was taken before"


def test_guessed_tokens_find_nothing_and_old_ones_have_expired(world: World) -> None:
    citizen = world.browser()
    assert citizen.get("/s/" + "a" * 22).status_code == 404
    token = _token(_ask(world, {"dossier": CODE}))
    with write(world.store) as connection:
        connection.execute(invitations.update().values(expires_day=today() - 1))
    assert citizen.get(f"/s/{token}").status_code == 410


def test_a_receipt_outlives_its_round_while_another_is_open(world: World) -> None:
    token = _token(_ask(world, {"dossier": CODE}))
    with write(world.store) as connection:
        first = connection.execute(select(rounds).where(rounds.c.province_id == world.mine.province_id)).one()
        connection.execute(rounds.update().where(rounds.c.id == first.id).values(active=False))
    assert world.browser().get(f"/s/{token}").status_code == 410
    assert _ask(world, {"dossier": CODE}, 1).status_code == 409
    with write(world.store) as connection:
        row = {name: value for name, value in first._mapping.items() if name not in ("id", "code")}
        connection.execute(insert(rounds).values(**row, code="next"))
    assert world.browser().get(f"/s/{token}").status_code == 200


def test_response_by_procedure_and_channel(world: World) -> None:
    scope = Scope(world.mine.province_id)
    with write(world.store) as connection:
        for number in range(75):
            code = DossierCode.read(f"H15.50.05.13-{DAY}-{number:04d}")
            issue_receipt(connection, KEY, scope, code, service="1.001" if number < 40 else "")
        connection.execute(invitations.update().values(issued_day=today() - 1, used=True))
        columns = (invitations.c.agency_id, invitations.c.service_id)
        agency, service = connection.execute(select(*columns).order_by(invitations.c.id).limit(1)).one()
        by_link = {"channel": "receipt", "source": "link", "service_id": service}
        for received, count in ((today() - 1, 10), (today(), 7)):
            days = {"day": today() - 1, "month": month_of_day(today() - 1), "received_day": received}
            add_ratings(connection, world.mine.province_id, agency, count, count, **by_link, **days)
        few = connection.execute(select(invitations.c.id).where(invitations.c.service_id.is_(None))).scalars().all()
        month = month_of_day(today() - 1)
        period = period_of_months(month, month)
        rates = response_rates(connection, scope, period)
        whole = response_rates(connection, scope, period, by_service=False)
        connection.execute(invitations.delete().where(invitations.c.id.in_(few[:20])))
        less = response_rates(connection, scope, period)
    assert [(one.asked, one.answered) for one in rates] == [(40, 10), (35, 0)], "not by links used, nor today's sheets"
    assert [(one.channel, one.asked, one.answered) for one in whole] == [("receipt", 75, 10)]
    assert less == [], "15 links are too few, and the 40 beside them would tell them"
    page = world.browser(Role.ANALYST).get(f"/survey/response?period={period.name}&lang=en").text
    assert "Response rates" in page


@given(st.text(max_size=40))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        code = DossierCode.read(text)
    except InvalidError:
        return
    assert code.text == text.strip().upper()


@given(st.binary(min_size=32, max_size=32), st.integers(1, 9), st.integers(0, 9999))
def test_tokens_differ_by_key_province_and_dossier(key: bytes, province: int, serial: int) -> None:
    code = DossierCode.read(f"H15.50.05.13-{DAY}-{serial:04d}")
    token = token_of(key, province, code)
    assert re.fullmatch("[a-z2-9]{22}", token)
    other = DossierCode.read(f"H15.50.05.13-{DAY}-{serial + 1:04d}")
    turned = bytes(byte ^ 255 for byte in key)
    others = (key, province + 1, code), (key, province, other), (turned, province, code)
    assert token not in {token_of(*one) for one in others}


@pytest.mark.parametrize(("answer", "offered"), [("1", True), ("2", True), ("3", False), ("5", False)])
def test_a_low_rating_becomes_a_case_only_with_a_contact(world: World, answer: str, offered: bool) -> None:
    token = _token(_ask(world, {"dossier": CODE}))
    citizen = world.browser()
    form = {"q_overall": answer, **{f"q_A{n}": answer for n in range(1, 5)}, **{f"q_B{n}": answer for n in range(1, 6)}}
    form |= {f"q_C{n}": answer for n in range(1, 7)}
    page = citizen.then(citizen.http.post(f"/s/{token}", data=form)).text
    assert ('id="callback"' in page) == offered
    with read(world.store) as connection:
        assert items(connection, world.mine.province_id) == [], "no case without a contact"
    if offered:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
        assert found
        sent = {
            "csrf": found[1],
            "agency": world.mine.agencies["nho-a"],
            "category": "other",
            "text": "Gọi lại",
        }
        assert citizen.http.post("/feedback/nho", data={**sent, "contact": "0912345678"}).status_code == 303
        with read(world.store) as connection:
            (case,) = items(connection, world.mine.province_id)
        assert (case.contact, case.agency_id) == ("0912345678", world.mine.agencies["nho-a"])
