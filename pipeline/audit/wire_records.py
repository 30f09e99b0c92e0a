"""Every recorded message against the closed schema."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipeline import wire
from pipeline.audit.figures import figure_words
from pipeline.audit.sources import is_database, read_outbox, read_record
from pipeline.audit.verdict import Verdict
from pipeline.errors import WireError
from pipeline.framing import unpad
from pipeline.language import Message, Sentence
from pipeline.release_kind import Release, kind_of

MAX_SHOWN = 20
SHOWN_BYTES = 48
_DAYS = 9_132
_PERIODS = {
    wire.PeriodKind.MONTH: 1_200,
    wire.PeriodKind.DAY: _DAYS,
    wire.PeriodKind.FOUR_HOURS: 6 * _DAYS,
    wire.PeriodKind.HOUR: 24 * _DAYS,
}
"""Twenty-five years of each kind, to the end of 2044. A time of the next finer kind lies beyond that from 2025 on."""


def audit_wire(paths: Iterable[Path], demo: bool = False) -> Verdict:
    """Records of the sender and outbox files. `demo`: whether demo periods are allowed."""
    verdict = Verdict(
        "wire",
        Message(
            "Every recorded message fits the closed schema, has the one size, and is the same whenever it was sent "
            "again."
        ),
    )
    audit = _WireAudit(verdict, demo)
    for path in paths:
        if is_database(path):
            for place, payload in read_outbox(path):
                audit.payload(place, payload)
        else:
            for place, frame in read_record(path):
                audit.frame(place, frame)
    if not audit.messages:
        verdict.problems.append(
            Message("there is no message to look at: record some with [server] record in the box's configuration")
        )
    verdict.facts = {
        "messages": sum(audit.messages.values()),
        "by_kind": dict(audit.messages),
        "sent_again": audit.repeated,
        "pools": sorted(audit.pools),
        "distinct_epsilons_milli": sorted(audit.epsilons),
    }
    verdict.cannot_check = [
        Message("what was sent by another program or while nothing was recorded: see hailong audit trace.")
    ]
    return verdict


class _WireAudit:
    def __init__(self, verdict: Verdict, demo: bool) -> None:
        self.verdict = verdict
        self.messages: Counter[str] = Counter()
        self.epsilons: set[int] = set()
        self.repeated = 0
        self._demo = demo
        self._seen: dict[tuple[int, int], bytes] = {}
        self.pools: set[int] = set()
        self._periods: dict[tuple[str, int, int, int, int], int] = {}

    def frame(self, place: str, frame: bytes) -> None:
        try:
            payload = unpad(frame)
        except WireError as error:
            self._show(place, frame, error.message)
            return
        self.payload(place, payload)

    def payload(self, place: str, payload: bytes) -> None:
        try:
            message = wire.decode(payload)
        except WireError as error:
            self._show(place, payload, error.message)
            return
        self.messages[type(message).__name__] += 1
        if wire.encode(message) != payload:
            self._show(
                place,
                payload,
                Message("it decodes, but is not written as the schema writes it: bits may be hidden in the encoding"),
            )
        if message.sequence:
            key = (message.epoch, message.sequence)
            if key in self._seen:
                self.repeated += 1
                if self._seen[key] != payload:
                    self._show(
                        place,
                        payload,
                        Message(
                            "another content than before under epoch {epoch}, sequence {sequence}",
                            epoch=message.epoch,
                            sequence=message.sequence,
                        ),
                    )
            self._seen.setdefault(key, payload)
        elif not isinstance(message, (wire.Heartbeat, wire.Hello, wire.Standing, wire.Want, wire.Reads)):
            self._show(place, payload, Message("it has no sequence number"))
        if isinstance(message, Release):
            self._release(place, payload, message)
        elif isinstance(message, wire.Ratings) and message.day >= _DAYS:
            self._show(place, payload, Message("its day lies after 2044: a finer time may stand in it"))

    def _release(self, place: str, payload: bytes, message: Release) -> None:
        self.epsilons.add(message.epsilon_milli)
        if message.period >= wire.PeriodKind.DEMO_PULSE and not self._demo:
            self._show(place, payload, Message("it is of a demo's period (--demo allows them)"))
        if message.index >= _PERIODS.get(message.period, 2**31):
            self._show(place, payload, Message("its period lies after 2044: a finer time may stand in its index"))
        kind = kind_of(message)
        if message.period not in kind.periods:
            self._show(
                place,
                payload,
                Message(
                    "a {kind} has no period of the kind {period}",
                    kind=figure_words(kind.name),
                    period=figure_words(message.period.name),
                ),
            )
        self.pools.add(message.pool)
        period = (kind.name, message.pool, message.epoch, int(message.period), message.index)
        if self._periods.setdefault(period, message.sequence) != message.sequence:
            self._show(
                place,
                payload,
                Message("its period was released before under another sequence number: a second noise"),
            )

    def _show(self, place: str, data: bytes, problem: Sentence) -> None:
        if len(self.verdict.problems) < MAX_SHOWN:
            digest = hashlib.sha256(data).hexdigest()[:16]
            self.verdict.problems.append(
                Message(
                    "{place}: {problem} ({size} bytes, sha256 {digest}, begins {begin})",
                    place=place,
                    problem=problem,
                    size=len(data),
                    digest=digest,
                    begin=data[:SHOWN_BYTES].hex(),
                )
            )
        elif len(self.verdict.problems) == MAX_SHOWN:
            self.verdict.problems.append(Message("and more of the same"))


def messages_in(paths: Iterable[Path]) -> list[wire.Message]:
    """Every message of records and outbox files that can be read."""
    found: list[wire.Message] = []
    for path in paths:
        entries = read_outbox(path) if is_database(path) else read_record(path)
        for _, data in entries:
            try:
                found.append(wire.decode(data if is_database(path) else unpad(data)))
            except (WireError, msgspec.MsgspecError):
                continue
    return found
