"""The counter as its tablet sees it: the visit that is open, the sheet that is being filled in, opt-out. In memory
only.

A sheet belongs to the visit that was open when it was begun, by the visit's number; a visit has one. The first touch on
a face is the overall answer. A sheet is handed on when it is complete, or sent before; when nobody touches the screen
for `idle_s`, its overall answer alone is handed on, as what it is, and what else was answered goes nowhere (ADR 0209).
Visits begin at any moment, on other threads: the number goes with every question to the engine, which answers for that
visit or not at all.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from pipeline import wire
from pipeline.errors import StoreError
from pipeline.instruments.flags import RatingFlag
from pipeline.instruments.questionnaire import ASK_REASONS_AT, Question, Questionnaire
from pipeline.records import Tallies

FASTEST_ANSWER_S = 0.5
"""Nobody reads a question and answers it faster, on average over a sheet."""
BURST_S = 10.0
"""Where the box knows of no visits, sheets that are completed closer together than this are flagged as a burst."""
_GRACE_S = 3.0
MAX_LEFT = 16
"""So many sheets that were left wait to be kept; more come only where the disk has refused as many."""


class Visits(Protocol):
    """What the tablet asks of the engine (`edge.perception.engine.Engine`). It calls `Counter.note_visit` with its own
    lock held, so none of these is called with the counter's lock held."""

    @property
    def open_visit(self) -> int | None: ...

    @property
    def has_opted_out(self) -> bool: ...

    @property
    def asks_consent(self) -> bool: ...

    def agree(self, time_s: float) -> bool: ...

    def opt_out(self) -> None: ...

    def screen_shown(self, number: int) -> None: ...

    def screen_left(self, number: int) -> None: ...

    def rated(self, overall: int, number: int) -> bool: ...

    def visit_started(self, service_group: int, time_s: float) -> None: ...

    def visit_ended(self, time_s: float) -> None: ...


@dataclass(slots=True)
class Sheet:
    """Answers so far. `token` names it in the page's addresses; it is random and dies with the sheet."""

    token: str
    visit: int
    service_group: int
    begun_s: float
    touched_s: float
    answers: dict[int, int] = field(default_factory=dict)
    """Slot to answer, 0 where an optional question was skipped."""


class Begin(Enum):
    """Why a rating may not begin."""

    ALREADY_RATED = 0
    NEXT_VISIT = 1
    """The next visit began at the touch."""


class Counter:
    """Binds ratings to visits. Safe to use from several threads. `visits`: None where nothing is analysed.

    `deliver`: called with every complete sheet and the day's index. `knows_visits`: whether starts of visits are
    seen at all (an engine at work or queue events); it may change while the box runs, as when the camera is lost."""

    def __init__(
        self,
        questionnaire: Questionnaire,
        visits: Visits | None,
        deliver: Callable[[wire.RatingRow], None],
        idle_s: float,
        knows_visits: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.questionnaire = questionnaire
        self.tallies = Tallies()
        self._visits = visits
        self._deliver = deliver
        self._idle_s = idle_s
        self._knows_visits = knows_visits
        self._clock = clock
        self._lock = threading.Lock()
        self._visit = 0
        self._rated_visit = -1
        self._service_group = 0
        self._called_group = 0
        """Of the last call: that of the visit that begins next."""
        self._sheet: Sheet | None = None
        self._left: list[Sheet] = []
        """Sheets that their citizens left: each waits its own time, whoever came next."""
        self._completed_s: float | None = None

    # -- visits
    # ----------------------------------------------------------------------------------------------------------

    def note_visit(self, number: int) -> None:
        """A visit has started (the engine's `on_started`): the unfinished sheet of the one before is set aside."""
        with self._lock:
            if number != self._visit:
                self._visit = number
                self._set_aside()
            self._service_group = self._called_group

    def queue_started(self, service_group: int) -> None:
        """The queue system called a citizen."""
        with self._lock:
            self._called_group = service_group
            following = self._visit + 1
        if self._visits is None:
            self.note_visit(following)
            return
        self._visits.visit_started(service_group, self._clock())
        if self._visits.open_visit is None:
            # by presence: whoever is called may never be seen, and rate all the same
            with self._lock:
                self._service_group = service_group

    def queue_ended(self) -> None:
        """The queue system says that the visit is over. A rating may still follow, without being paired."""
        if self._visits is not None:
            self._visits.visit_ended(self._clock())

    @property
    def is_analysed(self) -> bool:
        """Whether the page has to say that a visit is being analysed now."""
        return self._visits is not None and not self.has_opted_out and not self._visits.asks_consent

    @property
    def asks_consent(self) -> bool:
        """Whether the page asks for a yes, without which nothing is opened."""
        return self._visits is not None and self._visits.asks_consent

    def agree(self) -> bool:
        """One touch of yes, for this visit alone. False where nobody's visit can be meant."""
        return self._visits is not None and self._visits.agree(self._clock())

    @property
    def has_opted_out(self) -> bool:
        """Whether an opt-out holds now. The engine knows: no event of the queue system is asked here."""
        return self._visits is not None and self._visits.has_opted_out

    def opt_out(self) -> None:
        """One touch: nothing of this visit is analysed from now on."""
        if self._visits is not None:
            self._visits.opt_out()

    # -- sheets
    # ----------------------------------------------------------------------------------------------------------

    def begin(self, overall: int | None = None) -> Sheet | Begin:
        """Begin a sheet, after the engine knows that its screen will show; or say why not. `overall`: the face that was
        touched (1..5), None where none was."""
        with self._lock:
            visit = self._visit
            if self._sheet is not None and self._is_left(self._sheet, self._clock(), 0.0):
                self._set_aside()
            kept = self._keep([sheet for sheet in self._left if sheet.visit == visit])
        self._tell(kept)
        if self._visits is not None:
            with contextlib.suppress(RuntimeError):  # it is not open any more
                self._visits.screen_shown(visit)
        with self._lock:
            if visit != self._visit:  # whose touch that was cannot be known
                self.tallies.drop("next_visit")
                return Begin.NEXT_VISIT
            if self._knows_visits() and self._visit == self._rated_visit:
                self.tallies.drop("already_rated")
                return Begin.ALREADY_RATED
            if self._sheet is not None:  # begun twice in one visit: the newer touch holds
                self.tallies.drop("replaced")
            now_s = self._clock()
            self._sheet = Sheet(secrets.token_urlsafe(16), visit, self._service_group, now_s, now_s)
            if overall is not None:
                self._sheet.answers[0] = overall
            return self._sheet

    def sheet(self, token: str) -> Sheet | None:
        """The sheet of that token, touched; None where it is over (timed out, complete, or another visit's)."""
        with self._lock:
            return self._touch(token)

    def _touch(self, token: str) -> Sheet | None:
        sheet, now_s = self._sheet, self._clock()
        if sheet is None or not secrets.compare_digest(sheet.token.encode(), token.encode()):
            return None
        if self._is_left(sheet, now_s, _GRACE_S):
            self._set_aside()
            return None
        sheet.touched_s = now_s
        return sheet

    def _is_left(self, sheet: Sheet, now_s: float, grace_s: float) -> bool:
        return now_s - sheet.touched_s > self._idle_s + grace_s

    def abandon(self, token: str) -> None:
        """The citizen takes the answers back: nothing of the sheet is kept."""
        with self._lock:
            sheet = self._touch(token)
            if sheet is None:
                return
            self.tallies.drop("abandoned")
            self._sheet = None
        if self._visits is not None:
            self._visits.screen_left(sheet.visit)

    def leave(self, token: str) -> None:
        """Nobody is at the screen any more: what time-out does, at once."""
        with self._lock:
            sheet = self._touch(token)
            if sheet is None:
                return
            self._set_aside()
            kept = self._keep([sheet])
        self._tell(kept)

    def keep_due(self, *, all_of_them: bool = False) -> None:
        """Hand on the overall answers of the sheets that nobody has touched for long enough. Called every second, and
        with `all_of_them` when the box stops. When a sheet is due depends on itself alone, not on whoever came next:
        with it its visit is counted (ADR 0140)."""
        with self._lock:
            now_s = self._clock()
            if self._sheet is not None and (all_of_them or self._is_left(self._sheet, now_s, _GRACE_S)):
                self._set_aside()
            due = [sheet for sheet in self._left if all_of_them or self._is_left(sheet, now_s, _GRACE_S)]
            kept = self._keep(due)
        self._tell(kept)

    def _set_aside(self) -> None:
        """The open sheet is nobody's any more."""
        sheet, self._sheet = self._sheet, None
        if sheet is not None:
            if len(self._left) == MAX_LEFT:
                self._left.pop(0)
                self.tallies.drop("not_stored")
            self._left.append(sheet)

    def _keep(self, sheets: Sequence[Sheet]) -> list[Sheet]:
        """Hand on the overall answers of sheets that were left; those that are done with. What the disk refuses waits
        on."""
        done: list[Sheet] = []
        for sheet in sheets:
            overall = sheet.answers.get(0)
            sheet.answers = {} if overall is None else {0: overall}
            if overall is None:
                self.tallies.drop("timed_out")
            else:
                try:
                    self._hand_on(sheet, 0, sheet.touched_s)
                except StoreError:
                    continue
            self._left.remove(sheet)
            done.append(sheet)
        return done

    def _tell(self, sheets: Sequence[Sheet]) -> None:
        """What became of sheets, to the engine; without the lock."""
        if self._visits is None:
            return
        for sheet in sheets:
            if sheet.answers:
                self._visits.rated(sheet.answers[0], sheet.visit)
            else:
                self._visits.screen_left(sheet.visit)

    def next_question(self, sheet: Sheet) -> Question | None:
        """The first question without an answer; None where all have one."""
        for question in self.questionnaire.questions:
            if question.slot not in sheet.answers:
                return question
        return None

    def answer(self, token: str, slot: int, value: int) -> Sheet | None:
        """Answer a question (1..5, or 0 to skip an optional one). Raises `ValueError` for what the question does not
        allow."""
        with self._lock:
            sheet = self._touch(token)
            if sheet is None:
                return None
            question = next((each for each in self.questionnaire.questions if each.slot == slot), None)
            if question is None or not (1 <= value <= 5 or (value == 0 and question.optional)):
                raise ValueError("no such question or answer")
            sheet.answers[slot] = value
            return sheet

    def go_back(self, token: str) -> Sheet | None:
        """Forget the last answer, so that its question shows again."""
        with self._lock:
            sheet = self._touch(token)
            if sheet is not None:
                for question in reversed(self.questionnaire.questions):
                    if sheet.answers.pop(question.slot, None) is not None:
                        break
            return sheet

    def wants_reasons(self, sheet: Sheet) -> bool:
        """Whether the overall rating asks for reasons."""
        return bool(self.questionnaire.reasons) and 1 <= sheet.answers.get(0, 5) <= ASK_REASONS_AT

    def complete(self, token: str, reason_bits: frozenset[int] = frozenset(), *, early: bool = False) -> bool:
        """Hand on a sheet, once. `early`: with what has been answered, the overall question at least. False where it is
        over already. Raises `ValueError` where a question is open.

        Raises `StoreError` where the sheet could not be stored; it can then be completed again."""
        with self._lock:
            sheet = self._touch(token)
            if sheet is None:
                return False
            if 0 not in sheet.answers or (not early and self.next_question(sheet) is not None):
                raise ValueError("a question is open")
            known = {reason.bit for reason in self.questionnaire.reasons} if self.wants_reasons(sheet) else set()
            self._hand_on(sheet, sum(1 << bit for bit in known & reason_bits), self._clock())
            self._sheet = None
        self._tell([sheet])
        return True

    def _hand_on(self, sheet: Sheet, reasons: int, end_s: float) -> None:
        answers = [0] * wire.ANSWER_SLOTS
        for slot, value in sheet.answers.items():
            answers[slot] = value
        self._deliver(
            wire.RatingRow(
                instrument=self.questionnaire.wire_code,
                service_group=sheet.service_group,
                answers=tuple(answers),
                reasons=reasons,
                flag=int(self._flag(sheet, end_s)),
            )
        )
        self._rated_visit = max(self._rated_visit, sheet.visit)
        self._completed_s = end_s
        self.tallies.forwarded += 1

    def _flag(self, sheet: Sheet, end_s: float) -> RatingFlag:
        """Suspicion, judged here and now; what it rests on is not kept. How long the first question was read before its
        touch is not known: the first page always shows it."""
        if end_s - sheet.begun_s < FASTEST_ANSWER_S * (len(sheet.answers) - 1):
            return RatingFlag.TOO_FAST
        if not self._knows_visits() and self._completed_s is not None and end_s - self._completed_s < BURST_S:
            return RatingFlag.BURST
        return RatingFlag.NONE
