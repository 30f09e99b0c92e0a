"""Messages at once, on both data bases: one after the other, none lost, none answered twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import Engine, func, insert, select

from pipeline.calendar import today
from pipeline.language import Text
from server.channels.gateway.gateway import (
    Gateway,
    GatewayReply,
    answers_of,
    find_gateway,
    is_first,
    make_gateway,
    next_to_ask,
    receive,
)
from server.channels.gateway.signing import Call
from server.core.scope import Scope
from server.imports.kinds import find_kind
from server.ratings.suspicion import ArrivalWatch
from server.rounds.rounds import make_round
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.contacts import phone_contacts, phone_sessions
from server.store.tables.gateways import gateway_events
from server.tabular.spec import ImportResult, import_file
from tests.server.worlds import agency_id, small_province

pytestmark = pytest.mark.postgres
T = TypeVar("T")
PHONE = "0912345678"


def _at_once(number: int, act: Callable[[int], T]) -> list[T]:
    barrier = Barrier(number)

    def one(index: int) -> T:
        barrier.wait()
        return act(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


@pytest.fixture
def gateway(any_store: Engine) -> Gateway:
    with write(any_store) as connection:
        province = small_province(connection)
        opened = make_round(
            connection,
            province,
            code="q",
            name=Text.named(vi="q"),
            instrument="2640",
            first_day=today() - 1,
            last_day=today() + 1,
            user_id=None,
        )
        make_gateway(connection, province, "gw", "sms", opened.id, None, bytes(32))
        rows = [
            {
                "province_id": province,
                "round_id": opened.id,
                "agency_id": agency_id(connection, province, "so-a"),
                "service_group": 0,
                "phone": f"09123456{n:02d}",
                "state": "to_ask",
                "expires_day": today() + 9,
            }
            for n in range(60, 90)
        ]
        connection.execute(insert(phone_contacts), rows)
        found = find_gateway(connection, "gw", bytes(32))
    assert found is not None
    return found


def _hear(engine: Engine, gateway: Gateway, event: str, text: str) -> GatewayReply:
    with write(engine) as connection:
        return receive(connection, gateway, event, PHONE, text, ArrivalWatch())


def test_a_signed_call_is_taken_once_on_either_data_base(any_store: Engine, gateway: Gateway) -> None:
    """PostgreSQL's driver tells no number of rows for an INSERT: every call was refused as taken before."""
    calls = [Call("POST", "/gateway/gw/next", str(int(time.time())), nonce, b"{}") for nonce in ("one", "two", "one")]
    taken = []
    for call in calls:
        with write(any_store) as connection:
            taken.append(is_first(connection, gateway, call))
    assert taken == [True, True, False]
    assert sorted(_at_once(4, lambda _: _take(any_store, gateway, "three"))) == [False, False, False, True]


def _take(engine: Engine, gateway: Gateway, nonce: str) -> bool:
    with write(engine) as connection:
        return is_first(connection, gateway, Call("POST", "/gateway/gw/next", str(int(time.time())), nonce, b"{}"))


def test_the_same_event_four_times_at_once_gets_one_answer(any_store: Engine, gateway: Gateway) -> None:
    with write(any_store) as connection:
        next_to_ask(connection, gateway, 50)
    replies = _at_once(4, lambda _: _hear(any_store, gateway, "same", "5"))
    assert len(set(replies)) == 1
    assert replies[0].reply.startswith("2/5."), replies
    with read(any_store) as connection:
        assert connection.execute(select(func.count()).select_from(gateway_events)).scalar_one() == 1
        assert connection.execute(select(phone_sessions.c.step).where(phone_sessions.c.step > 0)).scalar_one() == 1


def test_three_messages_of_one_number_at_once_are_three_answers(any_store: Engine, gateway: Gateway) -> None:
    with write(any_store) as connection:
        next_to_ask(connection, gateway, 50)
    _at_once(3, lambda n: _hear(any_store, gateway, f"event {n}", str(n + 2)))
    with read(any_store) as connection:
        step, answers = connection.execute(
            select(phone_sessions.c.step, phone_sessions.c.answers).where(phone_sessions.c.step > 0)
        ).one()
    assert (step, sorted(answers_of(answers))) == (3, [2, 3, 4])


def test_no_number_is_handed_out_twice(any_store: Engine, gateway: Gateway) -> None:
    def fetch(_: int) -> list[str]:
        with write(any_store) as connection:
            return [row["phone"] for row in next_to_ask(connection, gateway, 10)]

    handed = Counter(phone for phones in _at_once(3, fetch) for phone in phones)
    assert set(handed.values()) == {1}


def test_one_file_imported_by_two_at_once_is_in_the_store_once(
    any_store: Engine, gateway: Gateway, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    lines = "".join(f"c{n},Sở {n},tinh\n" for n in range(40))
    path.write_text("code,name_vi,level\n" + lines, encoding="utf-8")
    scope = Scope(gateway.province_id)

    def bring(_: int) -> ImportResult:
        result: ImportResult = import_file(any_store, scope, find_kind("agencies"), path)
        return result

    results = _at_once(2, bring)
    assert {result.changed for result in results} <= {0, 40}
    with read(any_store) as connection:
        query = scope.select(agencies, func.count()).where(agencies.c.code.like("c%"))
        assert connection.execute(query).scalar_one() == 40


def test_who_failed_and_answers_later_is_heard(any_store: Engine, gateway: Gateway) -> None:
    with write(any_store) as connection:
        next_to_ask(connection, gateway, 50)
    for n in range(3):
        reply = _hear(any_store, gateway, f"bad {n}", "xyz")
    assert reply.end
    assert "đã tham gia" not in _hear(any_store, gateway, "again", "gì cơ").reply
    assert _hear(any_store, gateway, "five", "5").reply.startswith("2/5.")
