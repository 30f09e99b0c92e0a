"""An attack on the engine: how many counted visits does one visit change?

The noise of a release is for one cell. So a made-up day at a counter is played to the real engine and the real tablet's
counter, and again with one visit removed, opted out, seen in another mood, or rated otherwise. All visits that were
counted are compared with the moment at which they were: one may be missing and one may be new, no more. The networks
alone are stood in for: one colour of a pixel says whether a face is there, another in what mood; a sample says that
somebody speaks.
"""

from __future__ import annotations

import secrets
from collections import Counter as Multiset
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.audit.counter_days import STEP_S, By, Day, Party, make_day
from edge.perception.engine import Engine
from edge.perception.face_tracking import TrackingParameters
from edge.perception.networks import Eyes, Networks
from edge.perception.settings import EngineSettings
from edge.tablet.counter import Counter, Sheet
from models.face_detect import Detection
from pipeline.audit.verdict import Verdict
from pipeline.fusion import FusionParameters
from pipeline.instruments.library import load_instrument
from pipeline.instruments.questionnaire import Questionnaire, make_questionnaire
from pipeline.language import Message
from pipeline.records import Chunk, ClosedVisit, FaceAffect, Frame, LogRatios, SpeechAffect, Utterance
from pipeline.visit import PresenceParameters

EMPTY_S = 6.0
"""Between two visits of a day; the box needs `end_after_s` or `change_after_s`, which are shorter here than at work."""
SPEECH_S = 1.0
IDLE_S = 2.0
"""After so long (and the grace) a sheet that was left is kept; shorter here than at work, as all times are."""
_KEEP_EVERY = 4
_ALONE_EVERY = 8
"""Steps from one picture that stands alone to the next: the others are not decoded while nobody is there."""
_KEYPOINTS = np.zeros((6, 2), np.float32)
Counted = tuple[float, ClosedVisit]
"""The moment at which a visit was counted, and what of it."""


def asks_consent(by: By) -> bool:
    """Whether that is a box under the basis of consent."""
    return by in ("touch", "queue and consent")


def settings(by: By) -> EngineSettings:
    """The engine's, with times for visits of a few seconds."""
    return EngineSettings(
        visits_by="queue" if by.startswith("queue") else "presence",
        asks_consent=asks_consent(by),
        consent_opening_s=3.0,
        consent_gap_s=2.0,
        longest_s=20.0 if asks_consent(by) else 3_600.0,
        presence=PresenceParameters(start_after_s=0.5, end_after_s=3.5, away_after_s=2.0),
        fusion=FusionParameters(minimum_visit_s=2.0, minimum_evidence_s=1.0, arrival_s=2.0, leaving_s=2.0),
        look_every_s=0.3,  # with frames at every 0.25 s: a visit that moved the grid for others would show
        idle_every_s=0.4,  # which does not fit the frames either
        tracking=TrackingParameters(detect_every_s=0.6, confirm_within_s=1.5),
        change_after_s=3.5,
        gone_after_s=12.0,
        rating_wait_s=8.0,
    )


class _Eyes:
    """Stands for the face networks: the first pixel is black, or somebody's (`_picture`)."""

    compares = False
    carries = True
    mirrors = False

    def detect(self, pixels: NDArray[np.uint8]) -> list[Detection]:
        return [Detection((0.0, 0.0, 40.0, 40.0), _KEYPOINTS, 1.0)] if pixels[0, 0, 1] else []

    def find(self, pixels: NDArray[np.uint8], cut: object) -> _Seen:
        return _Seen(1.0 if pixels[0, 0, 1] else 0.0)

    def crop(
        self, pixels: NDArray[np.uint8], keypoints: NDArray[np.float32], points: NDArray[np.float32] | None = None
    ) -> NDArray[np.uint8]:
        return pixels

    def infer(self, crops: list[NDArray[np.uint8]]) -> list[FaceAffect]:
        return [_affect(int(crop[0, 0, 0])) for crop in crops]

    def forget(self) -> None:
        pass


@dataclass(slots=True)
class _Seen:
    score: float
    box_px: tuple[float, float, float, float] = (0.0, 0.0, 40.0, 40.0)
    keypoints: NDArray[np.float32] = field(default_factory=lambda: _KEYPOINTS)
    solid: None = None

    def next_cut(self) -> None:
        pass


def _picture(mood: int) -> NDArray[np.uint8]:
    """A picture of one pixel, uint8 [1, 1, 3]: black where nobody is (`mood` 0). A face is bright in whatever mood:
    whoever comes to a real chair changes the picture by far more than the box's `Stillness` overlooks."""
    return np.array([[[mood, 255 if mood else 0, 0]]], np.uint8)


def _affect(mood: int) -> FaceAffect:
    share = mood / 255.0
    return FaceAffect(np.full(8, 0.125, np.float32), LogRatios(4.0 - 8.0 * share, 8.0 * share - 4.0), 0.1)


class _Ears:
    """Stands for the voice networks: a chunk is an utterance, which ends with the next chunk."""

    def __init__(self) -> None:
        self._waiting: list[Utterance] = []

    def feed(self, chunk: Chunk) -> list[Utterance]:
        found, self._waiting = self._waiting, []
        if chunk.samples.any():
            self._waiting = [Utterance(chunk.samples, chunk.time_s, chunk.time_s + SPEECH_S)]
        return found

    def flush(self) -> list[Utterance]:
        found, self._waiting = self._waiting, []
        return found

    def reset(self) -> None:
        self._waiting = []

    def infer(self, samples: NDArray[np.float32]) -> SpeechAffect:
        return SpeechAffect(0.5, -4.0 * float(samples[0]), 0.2, SPEECH_S)


def _networks() -> Networks:
    eyes: Any = _Eyes()
    ears: Any = _Ears()
    return Networks(Eyes(eyes, eyes, eyes, eyes), ears, ears)


def play(day: Day, by: By, engine_type: Callable[..., Engine] = Engine) -> list[Counted]:
    """Everything that is counted of a day, with its moment."""
    now_s = 0.0
    counted: list[Counted] = []
    counter: Counter
    engine = engine_type(
        settings(by),
        _networks(),
        lambda visit: counted.append((now_s, visit)),
        lambda number: counter.note_visit(number),
    )
    counter = Counter(_questionnaire(), engine, lambda row: None, IDLE_S, clock=lambda: now_s)
    moods = bytearray(day.steps + 1)
    events: dict[int, list[tuple[int, str, int]]] = {}
    for party in day.parties:
        for first, last, mood in party.faces:
            moods[first:last] = bytes([mood]) * (last - first)
        for event in party.events:
            events.setdefault(event.step, []).append((event.step, event.kind, event.value))
    blind = {step for first, last in day.faults for step in range(first, last)}
    hand = _Hand(counter)
    for step in range(day.steps):
        now_s = step * STEP_S
        if step % _KEEP_EVERY == 0:
            counter.keep_due()
        for _, kind, value in events.get(step, ()):
            if kind == "say":
                if not engine.wants_sources:
                    continue
                engine.feed_chunk(Chunk(np.full(16, value / 100 + 0.001, np.float32), now_s))
            else:
                hand.do(kind, value)
        if step in blind or not engine.wants_sources:
            engine.tick(now_s)
        elif step % _ALONE_EVERY == 0 or not engine.is_quiet:
            engine.feed_frame(Frame(_picture(moods[step]), now_s))
    now_s = day.steps * STEP_S
    engine.finish()
    return counted


@lru_cache(maxsize=1)
def _questionnaire() -> Questionnaire:
    return make_questionnaire(load_instrument("2640"), "one")


class _Hand:
    """Touches the tablet, or the queue system's button."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._sheet: Sheet | None = None

    def do(self, kind: str, value: int) -> None:
        counter = self._counter
        if kind == "call":
            counter.queue_started(value)
        elif kind == "end":
            counter.queue_ended()
        elif kind == "opt_out":
            counter.opt_out()
        elif kind == "agree":
            counter.agree()
        elif kind == "begin":
            begun = counter.begin(value)
            self._sheet = begun if isinstance(begun, Sheet) else None
        elif self._sheet is not None:
            token = self._sheet.token
            if kind == "cancel":
                counter.abandon(token)
            elif counter.answer(token, 0, value) is not None:
                counter.complete(token, frozenset())


@dataclass(frozen=True, slots=True)
class Difference:
    """What one visit's change moved: how many of the counted visits are missing, and how many are new."""

    what: str
    missing: int
    new: int

    @property
    def is_one_cell(self) -> bool:
        """Whether no more than one visit's cell was left and one entered; a removed visit enters none."""
        return self.missing <= 1 and self.new <= (0 if self.what == "removed" else 1)


def differences(day: Day, by: By, random: Random, engine_type: Callable[..., Engine] = Engine) -> list[Difference]:
    """One visit of the day, in every way that it can be another; each time the day is played again."""
    before = Multiset(play(day, by, engine_type))
    at = random.randrange(len(day.parties))
    party = day.parties[at]
    changed: dict[str, Party | None] = {"removed": None}
    if party.faces and asks_consent(by):
        changed |= _consented(party, random, by)
    elif party.faces:
        changed["opted out"] = party.without("opt_out").opted_out(random.choice(party.touchable))
        changed["not opted out"] = party.without("opt_out")
    if party.faces:
        changed["in another mood"] = party.in_another_mood(random.choice((1, 128, 255)))
    changed["silent and without a sheet"] = party.without("say", "begin", "rate", "cancel")
    found = []
    for what, other in changed.items():
        parties = [*day.parties[:at], *([] if other is None else [other]), *day.parties[at + 1 :]]
        after = Multiset(play(Day(parties, day.steps, day.faults), by, engine_type))
        found.append(Difference(what, (before - after).total(), (after - before).total()))
    return found


def _consented(party: Party, random: Random, by: By) -> dict[str, Party | None]:
    """The ways in which a citizen who is asked may answer otherwise. Where a touch begins a visit, one that comes after
    the rating is another visit, so there is none here."""
    silent = party.without("agree", "opt_out")
    early, later = party.faces[0][0] + random.randint(0, 6), random.choice(party.touchable)
    unrated = silent.without("begin", "rate", "cancel") if by == "touch" else silent
    return {
        "did not agree": silent,
        "agreed": silent.agreed(early),
        "refused": silent.opted_out(early),
        "withdrew": unrated.agreed(early).opted_out(max(early, later)),
    }


class HoldingEngine(Engine):
    """A mutant, to see that the attack would notice: here an opt-out outlives its visit by one visit."""

    _holds = False

    def opt_out(self) -> None:
        """Opt out, and hold."""
        super().opt_out()
        self._holds = True

    def visit_begins(self) -> None:
        """The next visit pays for it."""
        super().visit_begins()
        if self._holds and self._visits.visit is not None:
            self._holds = False
            self._visits.visit.opt_out()


class AgreeingEngine(Engine):
    """A mutant where consent is asked: here a yes outlives its visit by one visit."""

    _holds = False

    def agree(self, time_s: float) -> bool:
        """Agree, and hold."""
        self._holds = super().agree(time_s)
        return self._holds

    def visit_begins(self) -> None:
        """The next visit is looked at for it."""
        super().visit_begins()
        if self._holds and self._visits.consent is not None and self._visits.visit is not None:
            self._holds = False
            self._visits.consent.give(self._now_s)
            self._visits.visit.agree()


@dataclass(slots=True)
class Sensitivity:
    """What the attack found. `worst`: the most cells that one visit moved."""

    days: int = 0
    plays: int = 0
    worst: int = 0
    broken: int = 0
    """Changes that moved more than one visit's cell."""


def attack_engine(
    days: int, seed: int, by: By, engine_type: Callable[..., Engine] = Engine, *, until_broken: bool = False
) -> Sensitivity:
    """Play so many days, each with one visit changed in every way.

    `until_broken`: end with the first day that breaks, where it is only asked whether one does."""
    found = Sensitivity()
    for number in range(days):
        random = Random(seed + number)
        day = make_day(random, by, round(EMPTY_S / STEP_S))
        for difference in differences(day, by, random, engine_type):
            found.plays += 1
            found.worst = max(found.worst, difference.missing + difference.new)
            found.broken += not difference.is_one_cell
        found.days += 1
        if until_broken and found.broken:
            break
    return found


_BY: dict[By, Message] = {
    "presence": Message("by presence"),
    "queue": Message("by queue"),
    "touch": Message("by a touch of consent"),
    "queue and consent": Message("by queue, with consent asked"),
}


MUTANT_DAYS = 100
"""So many days at most are played to a mutant until it is seen."""


def add_sensitivity(verdict: Verdict, days: int) -> None:
    """Attack the engine on so many days of each kind, and a mutant; what is found goes into the verdict."""
    facts: dict[str, Message] = {}
    for by in _BY:
        seed = secrets.randbits(32)
        found = attack_engine(days, seed, by)
        facts[_BY[by]] = Message(
            "{plays} changes of one visit on {days} days, {broken} moved another's cell",
            plays=found.plays,
            days=found.days,
            broken=found.broken,
        )
        if found.broken:
            verdict.problems.append(
                Message(
                    "one visit moves another's cell: {broken} of {plays} changes {by} (seed {seed})",
                    broken=found.broken,
                    plays=found.plays,
                    by=_BY[by],
                    seed=seed,
                )
            )
        if not attack_engine(MUTANT_DAYS, seed, by, HoldingEngine, until_broken=True).broken:
            verdict.problems.append(
                Message("the audit is too weak to see an opt-out that outlives its visit, {by}", by=_BY[by])
            )
        agreeing = by == "queue and consent"
        if agreeing and not attack_engine(MUTANT_DAYS, seed, by, AgreeingEngine, until_broken=True).broken:
            verdict.problems.append(
                Message("the audit is too weak to see a yes that outlives its visit, {by}", by=_BY[by])
            )
    verdict.facts["engine"] = facts
    verdict.cannot_check.append(
        Message(
            "that one citizen is one visit where a touch begins it: who rates and then touches no, or agrees twice, is "
            "counted for each touch."
        )
    )
