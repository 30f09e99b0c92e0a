"""What the queue system tells, whichever way it comes, on its way to the counters: checked, counted, bounded.

An event names a counter and may name the service's group; that is all. Where messages or rows hold more, the rest is
not looked at, and no value of theirs is stored, logged or shown: a column that was named by mistake may hold a name.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.queue_section import MAX_NAME, ReachedSection
from edge.tablet.counter import Counter
from pipeline.language import Message
from pipeline.records import Tallies

MAX_SERVICE_GROUP = 255
BURST_OF_A_COUNTER = 10
"""So many events of one counter are taken at once ..."""
SECONDS_OF_AN_EVENT = 2.0
"""... and then one in so many seconds: nobody calls faster for long."""
SAME_CALL_S = 5.0
"""Without a number of its own, the same event within so long is the same call: nobody is served faster."""
MANY_REPEATED = 10
"""So many repetitions, and more of them than calls, are no repetitions."""

COUNTER, MALFORMED, GROUP, FLOOD = "queue_counter", "queue_malformed", "queue_group", "queue_flood"
OLD, DUPLICATE, RETAINED, OTHER, NUMBERS, LONG = (
    "queue_old",
    "queue_duplicate",
    "queue_retained",
    "queue_other_event",
    "queue_numbers",
    "queue_long_view",
)
ODDITIES = {
    COUNTER: Message("The queue system has named a counter that is not at this box (queue_id)."),
    MALFORMED: Message("The queue system has told something in which no call could be read."),
    GROUP: Message("The queue system has told a service group that is no whole number from 0 to 255."),
    FLOOD: Message("The queue system has told more calls than people can make; those were passed over."),
    OLD: Message("The queue system has told calls that were long over: look at its clock and at the box's."),
    NUMBERS: Message("The numbers of the queue system's view have begun anew; a call may have been missed."),
    LONG: Message(
        "The queue system's view holds thousands of rows: should its numbers begin anew, no call would be seen. Let it "
        "hold today's rows alone."
    ),
}
REPEATED = Message(
    "Most of what the queue system tells is passed over as told before: look at what sends it, and at event_id."
)
"""What a technician should know, by the reason of the drop. The other reasons are everyday."""


class OddEventError(ValueError):
    """An event that is not taken; `reason`: for the tallies."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Call:
    """One event. `counter`: as the queue system names it, empty where it names none; `service_group`: 0..255."""

    counter: str
    ends: bool = False
    service_group: int = 0


class QueueCalls:
    """Hands events to the counters. `counters`: by the name that the queue system gives them; `tallies`: what was
    handed on, and dropped by reason. Safe to use from several threads as far as counters are."""

    def __init__(self, counters: Mapping[str, Counter], clock: Callable[[], float] = time.monotonic) -> None:
        self.tallies = Tallies()
        self._counters, self._clock = counters, clock
        self._lock = threading.Lock()
        self._room: dict[str, tuple[float, float]] = {}
        """By counter: how many events it may still tell at once, and when that was so."""
        self._last: dict[str, tuple[Call, float]] = {}
        """By counter: its last event, and when that came."""

    @property
    def oddities(self) -> list[Message]:
        """What was odd since the box began, once each. A technician's page may show it; no log, as it would tell when
        somebody was called."""
        found = [sentence for reason, sentence in ODDITIES.items() if self.tallies.dropped.get(reason)]
        if self.tallies.dropped.get(DUPLICATE, 0) > max(self.tallies.forwarded, MANY_REPEATED):
            found.append(REPEATED)
        return found

    def find(self, name: str) -> Counter | None:
        """The counter of that name, or the only one where none is named; None, and a drop, where there is none."""
        counter = self._counters.get(name)
        if counter is None and not name and len(self._counters) == 1:
            (counter,) = self._counters.values()
        if counter is None:
            self.tallies.drop(COUNTER)
        return counter

    def take(self, call: Call, *, is_told_apart: bool = True) -> str:
        """Hand on an event, unless its counter tells too many; why not, empty where it was. `is_told_apart`: false
        where only its counter, its kind and its time tell whether it was here already (a sender that had no answer
        sends again)."""
        counter = self.find(call.counter)
        if counter is None:
            return COUNTER
        with self._lock:
            reason = DUPLICATE if not is_told_apart and self._was_last(call) else ""
            reason = reason or ("" if self._has_room(call.counter) else FLOOD)
        if reason:
            self.tallies.drop(reason)
            return reason
        if call.ends:
            counter.queue_ended()
        else:
            counter.queue_started(call.service_group)
        self.tallies.forwarded += 1
        return ""

    def read(self, section: ReachedSection, value: Callable[[str], object], topic_counter: str | None = None) -> Call:
        """An event of a message or a row whose members or columns `value` gives, None for what is not there.
        `topic_counter`: the counter, where it is not in the message. Raises `OddEventError`."""
        ends = False
        if section.event:
            word = _word(value(section.event))
            if word not in section.starts and word not in section.ends:
                raise OddEventError(OTHER)
            ends = word in section.ends
        name = _word(value(section.counter)) if section.counter else topic_counter or ""
        group: int | None = 0
        if section.service_group and not ends:
            told = value(section.service_group)
            group = _group(told)
            if told is not None and group is None:
                self.tallies.drop(GROUP)
        return Call(name, ends, group or 0)

    def _was_last(self, call: Call) -> bool:
        """Whether this is the event that its counter told last, a moment ago."""
        now_s = self._clock()
        last, then_s = self._last.get(call.counter, (None, 0.0))
        if call == last and now_s - then_s < SAME_CALL_S:
            return True
        self._last[call.counter] = call, now_s
        return False

    def _has_room(self, name: str) -> bool:
        now_s = self._clock()
        room, then_s = self._room.get(name, (float(BURST_OF_A_COUNTER), now_s))
        room = min(float(BURST_OF_A_COUNTER), room + (now_s - then_s) / SECONDS_OF_AN_EVENT)
        self._room[name] = (room - 1 if room >= 1 else room, now_s)
        return room >= 1


def _word(value: object) -> str:
    """A counter's name or an event's word: a text or a whole number. Raises `OddEventError`."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise OddEventError(MALFORMED)
    # a whole number of thousands of digits is not to be written out
    text = value.strip() if isinstance(value, str) else str(value) if abs(value) < 10**MAX_NAME else ""
    if not 0 < len(text) <= MAX_NAME:
        raise OddEventError(MALFORMED)
    return text


def _group(value: object) -> int | None:
    """A group of services, 0..255; None for anything else."""
    if isinstance(value, str) and len(value) <= 3 and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SERVICE_GROUP:
        return None
    return value
