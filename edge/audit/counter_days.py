"""Days at a counter, made up: who sits there when, what is shown, said, touched and called. For the attack on the
engine's sensitivity (`edge.audit.sensitivity`).

Times are on a grid of a quarter of a second. A citizen may look away, be called twice, touch before being seen, begin a
sheet and leave it, or never come. Citizens either follow each other with the place seen empty in between, or come so
close upon each other that the box takes them for one visit: then they are one unit here, too (`Party`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

STEP_S = 0.25
By = Literal["presence", "queue", "touch", "queue and consent"]
"""What delimits visits; the last two are of a box that asks for consent."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something at a moment. `kind`: `call`, `end`, `agree`, `opt_out`, `begin` (a face is touched), `rate`, `cancel`,
    `say`; `value`: a service group, a rating, or the valence of what is said in hundredths."""

    step: int
    kind: str
    value: int = 0


@dataclass(frozen=True, slots=True)
class Party:
    """One visit as a box delimits it. `faces`: (first step, step after the last, mood 1..255) of what is seen."""

    faces: tuple[tuple[int, int, int], ...]
    events: tuple[Event, ...]

    def opted_out(self, step: int) -> Party:
        """The same with a touch at a step."""
        return replace(self, events=(*self.events, Event(step, "opt_out")))

    def agreed(self, step: int) -> Party:
        """The same with a touch of yes at a step."""
        return replace(self, events=(*self.events, Event(step, "agree")))

    def in_another_mood(self, mood: int) -> Party:
        """The same, seen otherwise."""
        return replace(self, faces=tuple((first, last, mood) for first, last, _ in self.faces))

    def without(self, *kinds: str) -> Party:
        """The same without some of its events."""
        return replace(self, events=tuple(event for event in self.events if event.kind not in kinds))

    @property
    def touchable(self) -> list[int]:
        """Steps at which this party is there for sure, so that a touch is its own."""
        return [step for first, last, _ in self.faces for step in (first + 8, (first + last) // 2, last - 1)]


@dataclass(slots=True)
class Day:
    """A day. `faults`: (first step, step after the last) in which no picture comes."""

    parties: list[Party] = field(default_factory=list)
    steps: int = 0
    faults: list[tuple[int, int]] = field(default_factory=list)


def make_day(random: Random, by: By, empty_steps: int) -> Day:
    """A day of two to six visits. `empty_steps`: so long the place is empty between two visits at least."""
    day = Day(steps=random.randint(4, 40))
    for _ in range(random.randint(2, 6)):
        party, end = (_touching if by == "touch" else _party)(random, by, day.steps)
        day.parties.append(party)
        day.steps = end + empty_steps + random.randint(0, 60)
        if random.random() < 0.05:
            day.faults.append((day.steps, day.steps + random.choice((4, 12, 40))))
            day.steps += 40 + empty_steps
    day.steps += 100
    return day


def _party(random: Random, by: By, start: int) -> tuple[Party, int]:
    """A party that begins at a step, and the step after its last sign."""
    faces: list[tuple[int, int, int]] = []
    events: list[Event] = []
    step = start
    queue, consent = by.startswith("queue"), by.endswith("consent")
    if queue:
        events.append(Event(step, "call", random.randint(0, 3)))
        step += random.choice((0, 0, 4, 12))
    if queue and random.random() < 0.1:  # called, and nobody comes
        return Party((), tuple(events)), step
    for sitting in range(random.choice((1, 1, 1, 2, 3))):
        length = random.randint(16, 60)
        faces.append((step, step + length, random.choice((1, 40, 128, 200, 255))))
        events += [
            Event(step + random.randint(8, length), "say", random.randint(-99, 99)) for _ in range(random.randint(0, 2))
        ]
        if consent and random.random() < 0.7:
            events.append(Event(step + random.randint(0, 8), "agree"))
        if random.random() < 0.25:
            events.append(Event(step + random.randint(8, length - 1), "opt_out"))
        if random.random() < 0.5:
            events += _sheet(random, step + 8, step + length)
        if queue and not consent and (sitting or random.random() < 0.3):
            # the same citizen is called again, after an end or without; where consent is asked that is another visit
            at = step + random.randint(10, length - 4)
            if random.random() < 0.5:
                events.append(Event(at, "end"))
            events.append(Event(at + random.randint(0, 3), "call", random.randint(0, 3)))
        step += length + random.randint(1, 5)  # looks away for about a second
    step = faces[-1][1]
    if queue and random.random() < 0.6:
        step += random.randint(0, 3)
        events.append(Event(step, "end"))
    return Party(tuple(faces), tuple(events)), step + 1


def _touching(random: Random, by: By, start: int) -> tuple[Party, int]:
    """A citizen where a touch alone begins a visit: yes, or no, or neither; each begins a visit, so there is one
    a party, with its withdrawal before the rating. Two at once are one."""
    length = random.randint(24, 60)
    events = [
        Event(start + random.randint(8, length), "say", random.randint(-99, 99)) for _ in range(random.randint(0, 2))
    ]
    chosen = random.choice(("agree", "agree", "agree", "opt_out", ""))
    if chosen:
        at = start + random.randint(0, 6)
        events += [Event(at + extra, chosen) for extra in random.choice(((0,), (0,), (0, 2)))]
        if chosen == "agree" and random.random() < 0.25:
            events.append(Event(at + random.randint(3, 8), "opt_out"))
    if random.random() < 0.5:
        events += _sheet(random, start + 15, start + length)
    return Party(((start, start + length, random.choice((1, 40, 128, 200, 255))),), tuple(events)), start + length


def _sheet(random: Random, first: int, last: int) -> list[Event]:
    begin = random.randint(first, last - 3)
    then = random.randint(begin + 1, last)
    kind = random.choice(("rate", "rate", "cancel", ""))
    found = [Event(begin, "begin", random.randint(1, 5))]
    if kind:
        found.append(Event(then, kind, random.randint(1, 5)))
    return found
