"""One reminder, after some days, to those who did not answer; response by wave."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, update

from pipeline.calendar import today
from pipeline.language import Text
from server.channels.gateway.gateway import (
    Gateway,
    expire_conversations,
    find_gateway,
    make_gateway,
    next_to_ask,
    receive,
)
from server.channels.gateway.waves import WaveRate, wave_rates
from server.core.provinces import write_setting
from server.core.scope import Scope
from server.ratings.suspicion import ArrivalWatch
from server.rounds.rounds import make_round
from server.store.engine import read, write
from server.store.tables.contacts import phone_contacts, phone_sessions
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province

CONTACTS = 40


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1", simulated=False)


@pytest.fixture
def gateway(store: Engine, province: Province) -> Gateway:
    with write(store) as connection:
        opened = make_round(
            connection, province.province_id, code="r", name=Text.named(vi="Đợt"), instrument="2640",
            first_day=today() - 30, last_day=today() + 30, user_id=None,
        )  # fmt: skip
        make_gateway(connection, province.province_id, "gw", "sms", opened.id, None, bytes(32))
        row = {"province_id": province.province_id, "round_id": opened.id, "agency_id": province.agencies["p1-a"]}
        rows = [{**row, "phone": f"09123456{number:02d}", "expires_day": today() + 90} for number in range(CONTACTS)]
        connection.execute(insert(phone_contacts), rows)
        found = find_gateway(connection, "gw", bytes(32))
    assert found is not None
    return found


def _ask(store: Engine, gateway: Gateway) -> list[dict[str, str]]:
    with write(store) as connection:
        return next_to_ask(connection, gateway, 100)


def _days_pass(store: Engine, days: int) -> None:
    with write(store) as connection:
        connection.execute(update(phone_contacts).values(asked_day=phone_contacts.c.asked_day - days))
        connection.execute(update(phone_sessions).values(day=phone_sessions.c.day - days))


def _answer(store: Engine, gateway: Gateway, phone: str) -> None:
    with write(store) as connection:
        for step, text in enumerate(("5", "5", "5", "5", "5")):
            receive(connection, gateway, f"{phone} {step}", phone, text, ArrivalWatch())


def test_who_did_not_answer_is_reminded_once_and_response_is_told_by_wave(
    store: Engine, province: Province, gateway: Gateway, tmp_path: Path
) -> None:
    first = _ask(store, gateway)
    assert len(first) == CONTACTS
    assert not any("nhắc lại" in one["text"] for one in first)
    for number in range(4):
        _answer(store, gateway, f"09123456{number:02d}")
    _days_pass(store, 6)
    assert _ask(store, gateway) == [], "too early"
    _days_pass(store, 1)
    second = _ask(store, gateway)
    assert [one["phone"] for one in second] == [f"09123456{number:02d}" for number in range(4, CONTACTS)]
    assert all(one["text"].startswith("Xin nhắc lại, chỉ một lần này.") for one in second)
    for number in range(4, 7):
        _answer(store, gateway, f"09123456{number:02d}")
    _days_pass(store, 30)
    assert _ask(store, gateway) == [], "once"
    with read(store) as connection:
        rates = wave_rates(connection, Scope(province.province_id))
        answered = connection.execute(select(phone_contacts.c.id).where(phone_contacts.c.state == "answered")).all()
    assert len(answered) == 7
    assert list(rates) == [WaveRate(1, CONTACTS, 4), WaveRate(2, CONTACTS - 4, 3)]
    browser = Browser(application(store, tmp_path))
    browser.log_in("analyst.p1")
    page = browser.get("/survey/response?lang=en").text
    assert "First message" in page
    assert "10.0 %" in page


def test_few_of_a_wave_are_not_shown_and_who_may_be_talking_is_not_counted(
    store: Engine, province: Province, gateway: Gateway
) -> None:
    _ask(store, gateway)
    with read(store) as connection:
        assert list(wave_rates(connection, Scope(province.province_id))) == []
    _days_pass(store, 2)
    with read(store) as connection:
        assert list(wave_rates(connection, Scope(province.province_id))) == []
    _days_pass(store, 1)
    with write(store) as connection:
        assert len(wave_rates(connection, Scope(province.province_id))) == 1
        write_setting(connection, province.province_id, "min_answers", CONTACTS + 1)
        assert list(wave_rates(connection, Scope(province.province_id))) == []


@pytest.mark.parametrize("state", ["answered", "declined", "failed"])
def test_nobody_who_ended_the_conversation_is_reminded(store: Engine, gateway: Gateway, state: str) -> None:
    _ask(store, gateway)
    _days_pass(store, 60)
    with write(store) as connection:
        connection.execute(update(phone_contacts).values(state=state))
    assert _ask(store, gateway) == []


def test_who_answers_late_is_not_reminded_in_the_middle_of_it(store: Engine, gateway: Gateway) -> None:
    """The reminder had begun the conversation anew: what had been answered was lost."""
    first = _ask(store, gateway)[0]["phone"]
    _days_pass(store, 8)
    with write(store) as connection:
        expire_conversations(connection, gateway.province_id)
        receive(connection, gateway, "hello", first, "xin chào", ArrivalWatch())
        receive(connection, gateway, "one", first, "5", ArrivalWatch())
    reminded = [asked["phone"] for asked in _ask(store, gateway)]
    assert len(reminded) == CONTACTS - 1
    assert first not in reminded
    with write(store) as connection:
        for step in range(4):
            receive(connection, gateway, f"more {step}", first, "5", ArrivalWatch())
        state = connection.execute(select(phone_contacts.c.state).where(phone_contacts.c.phone == first)).scalar_one()
    assert state == "answered"


@pytest.mark.parametrize(("days", "passed", "asked"), [(0, 60, 0), (1, 2, 0), (1, 3, CONTACTS), (20, 19, 0)])
def test_the_setting_says_after_how_many_days(
    store: Engine, province: Province, gateway: Gateway, days: int, passed: int, asked: int
) -> None:
    with write(store) as connection:
        write_setting(connection, province.province_id, "reminder_days", days)
    _ask(store, gateway)
    _days_pass(store, passed)
    assert len(_ask(store, gateway)) == asked


def test_a_number_that_was_asked_before_days_were_kept_is_left_alone(store: Engine, gateway: Gateway) -> None:
    with write(store) as connection:
        connection.execute(update(phone_contacts).values(state="asked"))
    assert _ask(store, gateway) == []
