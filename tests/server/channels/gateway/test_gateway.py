"""SMS and 1022 through a simulated gateway that calls the running server: signatures, repeats, privacy of numbers."""

from __future__ import annotations

import hashlib
import hmac
import time

import httpx
import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import func, insert, select, update

from pipeline.calendar import today
from server.channels.gateway.gateway import _conversation_key, answers_of, find_gateway, is_first, make_gateway
from server.channels.gateway.signing import Call
from server.retention.survey import enforce_survey_retention
from server.rounds.rounds import switch_round
from server.store.engine import read, write
from server.store.tables.changes import changes
from server.store.tables.contacts import phone_contacts, phone_sessions
from server.store.tables.gateways import gateway_events, gateway_nonces
from server.store.tables.ratings import ratings
from server.store.tables.rounds import invitations
from tests.server.channels.gateway.gateway_simulator import GatewaySimulator
from tests.server.conftest import Survey

pytestmark = pytest.mark.slow
PHONES = ("0912345678", "0987654321", "0900000001")


def _gateway(survey: Survey, kind: str = "sms") -> GatewaySimulator:
    with write(survey.engine) as connection:
        secret = make_gateway(
            connection, survey.province.province_id, f"gw_{kind}", kind, survey.round.id, None, survey.key
        )
        connection.execute(
            insert(phone_contacts),
            [
                {
                    "province_id": survey.province.province_id,
                    "round_id": survey.round.id,
                    "agency_id": survey.agency,
                    "service_group": 0,
                    "phone": phone,
                    "state": "to_ask",
                    "expires_day": today() + 90,
                }
                for phone in PHONES
            ],
        )
    return GatewaySimulator(survey.url, f"gw_{kind}", secret)


def _rated(survey: Survey, channel: str) -> list[int]:
    with read(survey.engine) as connection:
        return list(connection.execute(select(ratings.c.a00).where(ratings.c.channel == channel)).scalars())


def _states(survey: Survey) -> dict[str, str]:
    with read(survey.engine) as connection:
        rows = connection.execute(select(phone_contacts.c.phone, phone_contacts.c.state)).all()
    return {row.phone: row.state for row in rows}


def test_a_survey_by_sms(survey: Survey) -> None:
    gateway = _gateway(survey)
    assert gateway.ask() == list(PHONES)
    assert gateway.ask() == []  # everybody has been asked
    first, second, third = PHONES
    for text in ("4", "5", "quá tốt", "5", "3"):
        gateway.hear(first, text)
    assert gateway.hear(first, "2")["end"]
    assert gateway.hear("+84 987 654 321", "DUNG")["end"]
    gateway.hear(third, "2")
    assert _rated(survey, "sms") == [4]
    assert _states(survey) == {first: "answered", second: "declined", third: "asked"}
    # one visit, one rating: writing again changes nothing
    assert gateway.hear(first, "1")["end"]
    assert "không có trong danh sách" in gateway.hear("0911111111", "5")["reply"]
    assert _rated(survey, "sms") == [4]
    with read(survey.engine) as connection:
        held = connection.execute(select(phone_sessions)).all()
        row = connection.execute(select(ratings).where(ratings.c.channel == "sms")).one()
    assert len(held) == 1
    assert all(third not in str(value) for value in held[0])
    assert row.origin is None


def test_a_survey_by_telephone_keys(survey: Survey) -> None:
    gateway = _gateway(survey, "call")
    phone = PHONES[0]
    assert "Bấm" in gateway.hear(phone, "")["reply"]  # the call begins
    for key in "5554":
        assert not gateway.hear(phone, key)["end"]
    assert gateway.hear(phone, "#")["end"]  # hung up before the last question
    assert _rated(survey, "call_1022") == [5]


def test_a_repeated_event_gets_the_same_reply_and_counts_once(survey: Survey) -> None:
    gateway = _gateway(survey)
    gateway.ask()
    first = gateway.hear(PHONES[0], "4", event="same")
    again = gateway.hear(PHONES[0], "4", event="same")
    assert first == again
    with read(survey.engine) as connection:
        rows = connection.execute(select(phone_sessions)).all()
    answered = [(answers_of(row.answers), row.step) for row in rows if answers_of(row.answers)]
    assert answered == [((4,), 1)]


def test_a_stolen_disk_tells_nothing_of_a_conversation(survey: Survey) -> None:
    """Data base, log, gateway's key and what it is sealed under in the thief's hands; the server's memory is not."""
    gateway = _gateway(survey)
    gateway.ask()
    gateway.hear(PHONES[0], "4")
    with read(survey.engine) as connection:
        rows = connection.execute(select(phone_sessions)).all()
        secret = bytes.fromhex(gateway.secret)
    guesses = {hmac.new(secret, f"phone {phone}".encode(), hashlib.sha256).hexdigest() for phone in PHONES}
    assert not guesses & {row.phone_digest for row in rows}
    assert {len(row.answers) for row in rows} == {64}, "how many were answered does not show either"
    assert not any(set(row.answers) <= set("0123456789") for row in rows)
    _conversation_key.cache_clear()  # the server was stopped
    for row in rows:
        with pytest.raises(InvalidTag):
            answers_of(row.answers)
    assert "Tự nguyện" in gateway.hear(PHONES[0], "5")["reply"], "a restarted server greets anew"


def test_an_events_id_does_not_tell_a_number(survey: Survey) -> None:
    """Gateways make ids of what they have: the number, the second of the call. Of the plain SHA-256 that was stored,
    all numbers of Vietnam can be tried within minutes."""
    gateway = _gateway(survey)
    gateway.ask()
    gateway.hear(PHONES[0], "4", event=f"{PHONES[0]}-1")
    with read(survey.engine) as connection:
        kept = set(connection.execute(select(gateway_events.c.event)).scalars())
    secret = bytes.fromhex(gateway.secret)
    ids = [f"{prefix}{phone}-1".encode() for phone in PHONES for prefix in ("", "event ", "1 event ")]
    guesses = {hashlib.sha256(one).hexdigest() for one in ids}
    guesses |= {hmac.new(key, one, hashlib.sha256).hexdigest() for one in ids for key in (secret, survey.key)}
    assert kept
    assert not kept & guesses


def test_only_the_gateway_itself_and_only_fresh_calls(survey: Survey) -> None:
    gateway = _gateway(survey)
    body = {"event": "e", "phone": PHONES[0], "text": "5"}
    assert gateway.call("events", body, secret="00" * 32).status_code == 401
    assert gateway.call("events", body, time_s=int(time.time()) - 400).status_code == 401
    assert gateway.call("events", body, time_s=int(time.time()) + 400).status_code == 401
    assert httpx.post(f"{survey.url}/gateway/gw_sms/events", json=body, timeout=120).status_code == 401
    assert httpx.post(f"{survey.url}/gateway/nobody/events", json=body, timeout=120).status_code == 401
    other = GatewaySimulator(survey.url, "gw_sms", gateway.secret)
    assert other.call("links", {"agency": "nho-a"}).status_code == 401  # an SMS gateway makes no links
    assert other.call("events", {**body, "name": "x"}).status_code == 422
    assert other.call("events", {**body, "phone": "12345678901"}).status_code == 422
    assert other.call("events", {**body, "text": "5" * 9_000}).status_code == 413
    assert _rated(survey, "sms") == []


def test_a_closed_round_takes_no_answers(survey: Survey) -> None:
    gateway = _gateway(survey)
    gateway.ask()
    with write(survey.engine) as connection:
        switch_round(connection, survey.province.province_id, survey.round.id, False, None)
    assert gateway.hear(PHONES[0], "5")["end"]
    assert _rated(survey, "sms") == []


def test_the_portal_gets_one_time_links(survey: Survey) -> None:
    gateway = _gateway(survey, "portal")
    answer = gateway.call("links", {"agency": "nho-a"}).raise_for_status().json()
    page = httpx.get(answer["embed"], timeout=120)
    assert page.status_code == 200
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert gateway.call("links", {"agency": "elsewhere"}).status_code == 422


def test_the_portal_has_so_many_links_a_day_and_agency(survey: Survey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds its key had as many ballots as he liked."""
    monkeypatch.setattr("server.channels.gateway.page.LINKS_A_DAY", 3)
    gateway = _gateway(survey, "portal")
    assert [gateway.call("links", {"agency": "nho-a"}).status_code for _ in range(5)] == [200] * 3 + [409] * 2
    assert gateway.call("links", {"agency": "nho-b"}).status_code == 200, "another agency has its own"
    with write(survey.engine) as connection:
        connection.execute(update(changes).values(day=today() - 1))
    assert gateway.call("links", {"agency": "nho-a"}).status_code == 200, "the next day"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("links", '{"agency": "nho-a", "service_group": true}'),
        ("links", '{"agency": "nho-a", "service_group": "1"}'),
        ("links", '{"agency": "nho-a", "service_group": 1.0}'),
        ("links", '{"agency": "nho-b", "agency": "nho-a"}'),
        ("links", '{"agency": "nho-a", "service_group": NaN}'),
    ],
)
def test_a_body_says_one_thing(survey: Survey, path: str, body: str) -> None:
    """`true` was the field 1, and of a name that stands twice the second was taken."""
    gateway = _gateway(survey, "portal")
    whole, _, headers = gateway.signed(path, {})
    when, nonce = headers["X-Hailong-Time"], headers["X-Hailong-Nonce"]
    call = Call("POST", whole, when, nonce, body.encode())
    headers["X-Hailong-Signature"] = call.signature(gateway.secret)
    answer = gateway.send(whole, call.body, headers)
    assert answer.status_code == 422, answer.text
    with read(survey.engine) as connection:
        assert connection.execute(select(invitations)).all() == []


def test_numbers_and_conversations_are_deleted_in_time(survey: Survey) -> None:
    gateway = _gateway(survey)
    gateway.ask()
    gateway.hear(PHONES[0], "4")
    province = survey.province.province_id
    with write(survey.engine) as connection:
        assert enforce_survey_retention(connection, province) == dict.fromkeys(
            ("conversations", "phones", "contacts", "texts", "answers", "enumerators"), 0
        )
        connection.execute(update(phone_sessions).values(day=today() - 3))
        connection.execute(update(gateway_events).values(day=today() - 3))
        connection.execute(update(phone_contacts).values(expires_day=today() - 1))
        done = enforce_survey_retention(connection, province)
        left = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (phone_sessions, gateway_events, phone_contacts)
        ]
    assert (done["conversations"], done["phones"], left) == (3, 3, [0, 0, 0])


def test_a_signed_call_counts_once_and_for_its_own_path_and_method(survey: Survey) -> None:
    """One call of the portal, sent 21 times, was 21 one-time links: 21 ballots."""
    with write(survey.engine) as connection:
        number = survey.province.province_id
        secret = make_gateway(connection, number, "gw_portal", "portal", survey.round.id, None, survey.key)
    gateway = GatewaySimulator(survey.url, "gw_portal", secret)
    body = {"agency": "nho-a", "service_group": 0}
    path, content, headers = gateway.signed("links", body)
    answers = [gateway.send(path, content, headers).status_code for _ in range(21)]
    assert answers == [200] + [409] * 20
    with read(survey.engine) as connection:
        assert len(connection.execute(select(invitations)).all()) == 1
    sms = _gateway(survey, "sms")
    path, content, headers = sms.signed("next", {"count": 1})
    assert sms.send(path.replace("next", "events"), content, headers).status_code == 401
    assert httpx.request("PUT", f"{survey.url}{path}", content=content, headers=headers, timeout=120).status_code in (
        401,
        405,
    )
    for other in ({"X-Hailong-Nonce": "x" * 16}, {"X-Hailong-Nonce": ""}, {"X-Hailong-Time": "1"}):
        assert sms.send(path, content, {**headers, **other}).status_code == 401
    assert sms.send(path, content + b" ", headers).status_code == 401
    assert sms.send(path, content, headers).status_code == 200, "what was refused has not used the nonce up"


def test_a_nonce_is_kept_until_its_call_has_run_out(survey: Survey) -> None:
    gateway = _gateway(survey)
    with write(survey.engine) as connection:
        known = find_gateway(connection, gateway.code, survey.key)
        assert known is not None
        now = int(time.time())
        late, early = (Call("POST", "/", str(now + skew), "n" * 16 + str(skew + 300), b"") for skew in (300, -300))
        for call in (late, early):
            assert is_first(connection, known, call)
            assert not is_first(connection, known, call)
        old = Call("POST", "/", str(now - 1_800), "old-old-old-old-", b"")
        assert is_first(connection, known, old)
        assert is_first(connection, known, Call("POST", "/", str(now), "another-one-here", b""))
        assert connection.execute(select(gateway_nonces.c.nonce).where(gateway_nonces.c.nonce == old.nonce)).all() == []
