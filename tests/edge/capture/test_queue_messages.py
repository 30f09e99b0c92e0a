"""Messages of a queue system, with everything in them that is none of the box's business."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta, timezone

import pytest

from edge.capture.queue_calls import BURST_OF_A_COUNTER, MANY_REPEATED, ODDITIES, REPEATED, SAME_CALL_S
from edge.capture.queue_messages import MAX_MESSAGE_BYTES, MAX_REMEMBERED, QueueMessages, matched
from edge.queue_section import QueueMqttSection
from tests.edge.capture.queue_world import Hall

NOW_S = 1_795_000_000.0
"""In November 2026."""


def section(**more: object) -> QueueMqttSection:
    given = {"address": "mqtt://127.0.0.1", "start_topic": "hall/calls", "counter": "counter", **more}
    return QueueMqttSection.model_validate(given)


def said(**members: object) -> bytes:
    return json.dumps(members, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("settings", "topic", "payload", "told"),
    [
        ({}, "hall/calls", said(counter="A1"), {"A1": [0]}),
        ({}, "hall/calls", said(counter=3), {"3": [0]}),
        ({}, "hall/calls", said(counter=" A1 "), {"A1": [0]}),
        ({"service_group": "service"}, "hall/calls", said(counter="A1", service=7), {"A1": [7]}),
        ({"service_group": "service"}, "hall/calls", said(counter="A1", service="7"), {"A1": [7]}),
        ({"counter": "data.quầy"}, "hall/calls", said(data={"quầy": "A1", "ticket": "B7"}), {"A1": [0]}),
        ({"counter": "", "start_topic": "hall/+/call"}, "hall/A1/call", b"", {"A1": [0]}),
        ({"counter": "", "start_topic": "hall/+/call"}, "hall/A1/call", said(name="Nguyễn Văn A"), {"A1": [0]}),
        ({"end_topic": "hall/ends"}, "hall/ends", said(counter="A1"), {"A1": ["end"]}),
        (
            {"event": "kind", "starts": ["CALL", "RECALL"], "ends": ["DONE"]},
            "hall/calls",
            said(counter="A1", kind="RECALL"),
            {"A1": [0]},
        ),
        ({"event": "kind", "ends": ["DONE"]}, "hall/calls", said(counter="A1", kind="DONE"), {"A1": ["end"]}),
    ],
)
def test_a_call_is_read_where_the_configuration_says(
    settings: dict[str, object], topic: str, payload: bytes, told: dict[str, list[int | str]]
) -> None:
    hall = Hall("A1", "3")
    QueueMessages(section(**settings), hall.calls).take(topic, payload)
    assert {name: each.told for name, each in hall.counters.items() if each.told} == told
    assert hall.dropped == {}
    assert hall.calls.tallies.forwarded == 1


@pytest.mark.parametrize(
    ("settings", "topic", "payload", "reason"),
    [
        ({}, "hall/calls", said(counter="Nguyễn Văn A"), "queue_counter"),
        ({}, "hall/calls", said(counter="a1"), "queue_counter"),
        ({}, "hall/calls", said(quay="A1"), "queue_malformed"),
        ({}, "hall/calls", said(counter=None), "queue_malformed"),
        ({}, "hall/calls", said(counter=True), "queue_malformed"),
        ({}, "hall/calls", said(counter={"A1": 1}), "queue_malformed"),
        ({}, "hall/calls", said(counter=""), "queue_malformed"),
        ({}, "hall/calls", said(counter="A" * 41), "queue_malformed"),
        ({}, "hall/calls", b'{"counter": ' + b"9" * 4_000 + b"}", "queue_malformed"),
        ({}, "hall/calls", b'{"counter": ' + b"9" * 15_000 + b"}", "queue_malformed"),
        ({}, "hall/calls", b"\xff\xfe\x00garbage", "queue_malformed"),
        ({}, "hall/calls", b"A1", "queue_malformed"),
        ({}, "hall/calls", b'"A1"', "queue_malformed"),
        ({}, "hall/calls", b"[" * 16_000, "queue_malformed"),
        ({}, "hall/calls", b'{"a":' * 3_000, "queue_malformed"),
        ({}, "hall/calls", b"", "queue_malformed"),
        ({}, "hall/calls", said(counter="A1", more="x" * MAX_MESSAGE_BYTES), "queue_malformed"),
        ({}, "hall/elsewhere", said(counter="A1"), "queue_other_event"),
        ({"counter": "", "start_topic": "hall/+/call"}, "hall/A1/B2/call", b"", "queue_other_event"),
        ({"event": "kind"}, "hall/calls", said(counter="A1", kind="print"), "queue_other_event"),
        ({"event": "kind"}, "hall/calls", said(counter="A1"), "queue_malformed"),
        ({"sent_at": "at"}, "hall/calls", said(counter="A1", at=NOW_S - 61), "queue_old"),
        ({"sent_at": "at"}, "hall/calls", said(counter="A1", at=NOW_S + 61), "queue_old"),
        ({"sent_at": "at"}, "hall/calls", said(counter="A1", at=1_000 * (NOW_S - 61)), "queue_old"),
        ({"sent_at": "at"}, "hall/calls", said(counter="A1", at="yesterday"), "queue_malformed"),
        ({"sent_at": "at"}, "hall/calls", said(counter="A1", at="9" * 5_000), "queue_malformed"),
        ({"sent_at": "at"}, "hall/calls", b'{"counter": "A1", "at": 1e400}', "queue_malformed"),
        ({"sent_at": "at"}, "hall/calls", b'{"counter": "A1", "at": NaN}', "queue_malformed"),
        ({"sent_at": "at"}, "hall/calls", said(counter="A1"), "queue_malformed"),
    ],
)
def test_what_is_no_call_is_counted_and_kept_nowhere(
    settings: dict[str, object], topic: str, payload: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    hall = Hall("A1", "B2")
    with caplog.at_level(logging.DEBUG):
        QueueMessages(section(**settings), hall.calls, lambda: NOW_S).take(topic, payload)
    assert hall.dropped == {reason: 1}
    assert [each.told for each in hall.counters.values()] == [[], []]
    assert caplog.text == ""
    assert hall.calls.oddities == ([ODDITIES[reason]] if reason in ODDITIES else [])


@pytest.mark.parametrize("group", [-1, 256, "x", "١", 3.5, True, [1]])
def test_a_group_that_is_none_costs_the_group_not_the_call(group: object) -> None:
    hall = Hall("A1")
    QueueMessages(section(service_group="s"), hall.calls).take("hall/calls", said(counter="A1", s=group))
    assert (hall.told("A1"), hall.dropped) == ([0], {"queue_group": 1})


@pytest.mark.parametrize(
    "at",
    [
        NOW_S - 30,
        1_000 * NOW_S,
        datetime.fromtimestamp(NOW_S, UTC).isoformat(),
        datetime.fromtimestamp(NOW_S, timezone(timedelta(hours=7))).replace(tzinfo=None).isoformat(),
    ],
)
def test_the_time_of_a_call_is_understood(at: object) -> None:
    hall = Hall("A1")
    QueueMessages(section(sent_at="at"), hall.calls, lambda: NOW_S).take("hall/calls", said(counter="A1", at=at))
    assert hall.told("A1") == [0]


def test_while_the_box_does_not_trust_its_clock_no_call_is_too_old() -> None:
    hall = Hall("A1")
    QueueMessages(section(sent_at="at"), hall.calls, lambda: None).take("hall/calls", said(counter="A1", at=1.0))
    assert hall.told("A1") == [0]


def test_a_message_that_comes_twice_begins_one_visit() -> None:
    """With a member that tells calls apart: however late it comes again, and whatever else is in it."""
    hall = Hall("A1", "B2")
    messages = QueueMessages(section(event_id="id"), hall.calls, clock=lambda: hall.now_s)
    for counter, number in (("A1", 1), ("A1", 1), ("A1", 2), ("A1", 1), ("B2", 1), ("A1", 3)):
        hall.now_s += 60
        messages.take("hall/calls", said(counter=counter, id=number, tries=hall.now_s))
    assert (hall.told("A1"), hall.told("B2")) == ([0, 0, 0], [0])
    assert hall.dropped == {"queue_duplicate": 2}
    hall.now_s += 3_600  # tomorrow's first number is another call's
    messages.take("hall/calls", said(counter="A1", id=1))
    assert hall.told("A1") == [0] * 4


def test_without_a_number_the_same_message_is_the_same_call_for_some_seconds() -> None:
    hall = Hall("A1")
    messages = QueueMessages(section(), hall.calls, clock=lambda: hall.now_s)
    for wait_s in (0.0, SAME_CALL_S - 0.1, SAME_CALL_S, 1.0):
        hall.now_s += wait_s
        messages.take("hall/calls", said(counter="A1"))
    assert (hall.told("A1"), hall.dropped) == ([0, 0], {"queue_duplicate": 2})


@pytest.mark.parametrize("number", ["", " ", True, False, None, float("nan"), {}])
def test_what_tells_nothing_apart_is_no_number_of_a_call(number: object) -> None:
    """A member that is empty in every message: each call but the first of an hour would be one that was here."""
    hall = Hall("A1")
    messages = QueueMessages(section(event_id="id"), hall.calls, clock=lambda: hall.now_s)
    for _ in range(3):
        hall.now_s += SAME_CALL_S
        messages.take("hall/calls", said(counter="A1", id=number))
    assert (hall.told("A1"), hall.dropped) == ([0, 0, 0], {})


def test_a_number_that_is_always_the_same_is_told() -> None:
    hall = Hall("A1")
    messages = QueueMessages(section(event_id="id"), hall.calls, clock=lambda: hall.now_s)
    for _ in range(MANY_REPEATED + 2):
        assert hall.calls.oddities == []
        hall.now_s += 60
        messages.take("hall/calls", said(counter="A1", id=0))
    assert hall.calls.oddities == [REPEATED]


def test_what_the_broker_had_kept_is_none_of_now() -> None:
    hall = Hall("A1")
    messages = QueueMessages(section(), hall.calls)
    messages.take("hall/calls", said(counter="A1"), retained=True)
    assert (hall.told("A1"), hall.dropped) == ([], {"queue_retained": 1})
    messages.take("hall/calls", said(counter="A1"))
    assert hall.told("A1") == [0]


def test_a_flood_is_bounded_for_each_counter_and_in_memory() -> None:
    hall = Hall("A1", "B2")
    messages = QueueMessages(section(event_id="id"), hall.calls, clock=lambda: hall.now_s)
    for number in range(5_000):
        messages.take("hall/calls", said(counter="A1", id=number))
    assert len(hall.told("A1")) == BURST_OF_A_COUNTER
    assert hall.dropped == {"queue_flood": 5_000 - BURST_OF_A_COUNTER}
    assert len(messages._remembered) <= MAX_REMEMBERED + 1
    messages.take("hall/calls", said(counter="B2", id=0))
    assert hall.told("B2") == [0], "another counter is called as ever"
    hall.now_s += 2.0
    messages.take("hall/calls", said(counter="A1", id="later"))
    assert len(hall.told("A1")) == BURST_OF_A_COUNTER + 1


def test_nothing_of_a_citizen_stays_in_memory() -> None:
    """Of a message with a ticket and a name, what the box keeps holds neither."""
    hall = Hall("A1")
    messages = QueueMessages(section(event_id="id"), hall.calls)
    messages.take("hall/calls", said(counter="A1", id="TICKET-0975", name="Nguyễn Thị Hạnh"))
    kept = repr([vars(messages), vars(hall.calls), hall.calls.tallies])
    assert hall.told("A1") == [0]
    assert "0975" not in kept
    assert "Hạnh" not in kept


@pytest.mark.parametrize(
    ("pattern", "topic", "found"),
    [
        ("a/b", "a/b", (True, None)),
        ("a/+", "a/b", (True, "b")),
        ("+/b", "a/b", (True, "a")),
        ("a/b", "a/b/c", (False, None)),
        ("a/+", "a", (False, None)),
        ("", "", (False, None)),
    ],
)
def test_topics(pattern: str, topic: str, found: tuple[bool, str | None]) -> None:
    assert matched(pattern, topic) == found
