"""Messages of the queue system as a broker delivers them: JSON, of which the named members alone are looked at.

A message may come twice (its sender or a bridge sends it again where no receipt came), late, or be one that the broker
has kept. None of them begins another visit: what is retained is passed over, what is a minute old too, and a message
that was here already is known by a keyed digest that lives in memory for an hour.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from edge.capture.queue_calls import (
    DUPLICATE,
    MALFORMED,
    OLD,
    OTHER,
    RETAINED,
    SAME_CALL_S,
    Call,
    OddEventError,
    QueueCalls,
)
from edge.queue_section import QueueMqttSection

MAX_MESSAGE_BYTES = 16_384
"""The broker is asked to send nothing larger (MQTT 5, Maximum Packet Size)."""
MAX_AGE_S = 60.0
"""A call that was sent so long ago, or so far ahead, is none of now."""
REMEMBERED_S = 3_600.0
MAX_REMEMBERED = 1_024
_INDOCHINA = timezone(timedelta(hours=7))
_MILLISECONDS = 1e11
"""As seconds this is the year 5138: larger numbers are milliseconds."""


class QueueMessages:
    """Reads messages and hands on their calls. `wall_s`: the time (seconds since 1970), None while the box does not
    trust its clock: then no message is too old. `clock`: seconds, monotonic."""

    def __init__(
        self,
        section: QueueMqttSection,
        calls: QueueCalls,
        wall_s: Callable[[], float | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._section, self._calls, self._wall_s, self._clock = section, calls, wall_s, clock
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, float] = {}
        """Digest of a message to when it came; the oldest first."""

    def take(self, topic: str, payload: bytes, retained: bool = False) -> None:
        """One message. What is wrong with it is counted, and nothing of it is kept."""
        try:
            if retained:
                raise OddEventError(RETAINED)
            call = self._call(topic, payload)
        except OddEventError as odd:
            self._calls.tallies.drop(odd.reason)
        else:
            self._calls.take(call)

    def _call(self, topic: str, payload: bytes) -> Call:
        section = self._section
        starts, of_start = matched(section.start_topic, topic)
        ends, of_end = matched(section.end_topic, topic)
        if not starts and not ends:
            raise OddEventError(OTHER)
        if len(payload) > MAX_MESSAGE_BYTES:
            raise OddEventError(MALFORMED)
        told = _object(payload)

        def value(name: str) -> object:
            found: object = told
            for part in name.split("."):
                found = found.get(part) if isinstance(found, dict) else None
            return found

        call = self._calls.read(section, value, of_start if starts else of_end)
        if ends and not starts:
            call = Call(call.counter, ends=True)
        if section.sent_at and self._is_old(value(section.sent_at)):
            raise OddEventError(OLD)
        identity = value(section.event_id) if section.event_id else None
        if self._was_here(topic, payload, call, identity):
            raise OddEventError(DUPLICATE)
        return call

    def _is_old(self, sent: object) -> bool:
        now_s = self._wall_s()
        return now_s is not None and abs(now_s - _seconds(sent)) > MAX_AGE_S

    def _was_here(self, topic: str, payload: bytes, call: Call, identity: object) -> bool:
        if _tells_apart(identity):
            what, within_s = f"{call.counter}\0{call.ends}\0{identity}".encode("utf-8", "replace"), REMEMBERED_S
        else:
            what, within_s = topic.encode("utf-8", "replace") + b"\0" + payload, SAME_CALL_S
        digest = hashlib.blake2b(what, digest_size=16, key=self._key).digest()
        now_s = self._clock()
        while self._remembered:
            oldest = next(iter(self._remembered))
            if len(self._remembered) <= MAX_REMEMBERED and now_s - self._remembered[oldest] < REMEMBERED_S:
                break
            del self._remembered[oldest]
        then_s = self._remembered.get(digest)
        if then_s is not None and now_s - then_s < within_s:
            return True
        self._remembered.pop(digest, None)  # the newest stands last
        self._remembered[digest] = now_s
        return False


def _tells_apart(identity: object) -> bool:
    """Whether a value can be what no two calls share: an empty text, `true` and NaN stand where none was given."""
    if isinstance(identity, str):
        return bool(identity.strip())
    return isinstance(identity, int | float) and not isinstance(identity, bool) and identity == identity


def matched(pattern: str, topic: str) -> tuple[bool, str | None]:
    """Whether a topic is of a pattern in which one level may be `+`, and what stands in its place."""
    if not pattern:
        return False, None
    levels, found = pattern.split("/"), topic.split("/")
    if len(levels) != len(found) or any(want not in (have, "+") for want, have in zip(levels, found, strict=True)):
        return False, None
    return True, found[levels.index("+")] if "+" in levels else None


def _object(payload: bytes) -> dict[str, Any]:
    """What a message holds; an empty one holds nothing. Raises `OddEventError`."""
    if not payload:
        return {}
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError):
        raise OddEventError(MALFORMED) from None
    if not isinstance(told, dict):
        raise OddEventError(MALFORMED)
    return told


def _seconds(sent: object) -> float:
    """Seconds since 1970. Raises `OddEventError`."""
    if isinstance(sent, str) and len(sent) <= 40:
        try:
            time_of = datetime.fromisoformat(sent)
        except (ValueError, OverflowError):
            raise OddEventError(MALFORMED) from None
        return (time_of if time_of.tzinfo else time_of.replace(tzinfo=_INDOCHINA)).timestamp()
    if isinstance(sent, bool) or not isinstance(sent, int | float) or not 0 < sent < 1e15:
        raise OddEventError(MALFORMED)
    return sent / 1_000 if sent > _MILLISECONDS else float(sent)
