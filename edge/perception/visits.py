"""What begins, ends and opts out a visit: by presence in the citizen's region, by the queue system's events, or, where
consent is asked, by a touch.

One visit may change one cell of a release. So where a visit begins and ends depends on events and on whether somebody
was seen, never on whether somebody opted out or rated; and what a visit counts for depends on itself alone. An opt-out
belongs to the visit in which it was touched. It protects the same citizen for as long as that visit goes on, and a
visit goes on until the place was seen empty: a second call of the same citizen, or bending down for a paper, begins no
other. `hailong audit attack` replays days with one visit removed, changed or opted out, and compares all the others.

When a visit is counted depends on itself, too: one that has ended and still waits (for its rating; without an end by
the queue system, for a sign of its citizen) waits its own time beside the next one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from edge.perception.consent import Consent
from edge.perception.settings import EngineSettings
from pipeline.records import ClosedVisit, FaceTrack, VisitLevel
from pipeline.visit import MAX_BLIND_S, Change, Presence, Visit

REST_FROM_S = 3.0
"""Where an absence has to last so long to end a visit, an empty place may be seen every few seconds only."""


@dataclass(slots=True)
class _Waiting:
    """A visit that has ended and is counted at `due_s` at the latest."""

    visit: Visit
    number: int
    end_s: float
    due_s: float


class Observer(Protocol):
    """What visits tell the engine."""

    def visit_begins(self) -> None:
        """A visit is open from now on."""

    def visit_ends(self, visit: Visit) -> None:
        """A visit is over, its level not yet fixed: what is still being said may be added."""

    def visit_counts(self, visit: ClosedVisit) -> None:
        """Once for every visit."""

    def citizen_comes(self, number: int) -> None:
        """Another citizen may be there. The same number again: the queue system calls whoever has touched first."""


class Visits(ABC):
    """The visits of one counter, one open at most. Not thread-safe; times are those of the frames."""

    looks_anew: bool
    """Whether looking begins anew with every citizen, or goes on all day."""

    def __init__(self, settings: EngineSettings, observer: Observer) -> None:
        self.settings = settings
        self.visit: Visit | None = None
        """The one that is open."""
        self.number = 0
        """Of whoever is there: what a sheet is bound to."""
        self.last_level: VisitLevel | None = None
        """Level of the visit that was counted last, for `hailong replay`."""
        self._observer = observer
        self._waiting: list[_Waiting] = []
        self._touched_first = False
        """Whether the open visit was begun by an opt-out, before anybody was seen or called."""
        self.consent = Consent(settings) if settings.asks_consent else None
        """The yes of whoever is there; None where the box's legal basis asks for none."""

    # -- what the engine asks

    @abstractmethod
    def looks(self, time_s: float) -> bool:
        """Whether a picture is looked at, for faces at least."""

    @property
    def may_rest(self) -> bool:
        """Whether it is enough to see the place every few seconds: nobody's visit is open, and nobody has to be seen to
        leave."""
        return self.visit is None

    def hears(self, time_s: float) -> bool:
        """Whether a piece of sound that begins at `time_s` is this visit's. It may have waited for seconds."""
        return self.visit is not None and self.reads(time_s) and time_s >= self.visit.start_s

    def reads(self, time_s: float) -> bool:
        """Whether affect is inferred of what is of this moment."""
        allowed = self.consent is None or self.consent.holds(time_s)
        return allowed and self.visit is not None and self.visit.takes_evidence

    @property
    def has_opted_out(self) -> bool:
        """Whether an opt-out holds for whoever is there."""
        return self.visit is not None and self.visit.opted_out

    # -- what happens

    def sees(self, citizen: FaceTrack | None, time_s: float) -> None:
        """A picture was looked at; the citizen's face in it, if any."""
        if self.consent is not None:
            self.consent.seen(citizen, time_s)
        self.seen(citizen is not None, time_s)

    @abstractmethod
    def seen(self, somebody: bool, time_s: float) -> None:
        """A picture was looked at."""

    @abstractmethod
    def blind(self, time_s: float) -> None:
        """No picture has come up to now."""

    @abstractmethod
    def called(self, service_group: int, time_s: float) -> None:
        """The queue system called a citizen."""

    @abstractmethod
    def ended(self, time_s: float) -> None:
        """The queue system told an end."""

    def agree(self, time_s: float) -> bool:
        """A touch of yes, where consent is asked. False where it can be nobody's: then nothing is opened."""
        if self.consent is None or self.visit is None or not self.visit.takes_evidence:
            return False
        self.consent.give(time_s)
        self.visit.agree()
        return True

    def opt_out(self, time_s: float) -> None:
        """A touch: what was summed up of the open visit is forgotten. Where none is open, one begins that counts as
        abstained, and holds for whoever comes next."""
        if self.visit is None and not self.has_opted_out:
            self._touch(time_s)
            self._start(time_s)
            self._touched_first = True
        if self.visit is not None:
            self.visit.opt_out()
        if self.consent is not None:
            self.consent.end()

    def screen_shown(self, number: int, time_s: float) -> bool:
        """A sheet of that citizen appears. False where the visit is not open."""
        if self.visit is None or number != self.number:
            return False
        self.visit.screen_shown(time_s)
        return True

    def screen_left(self, number: int) -> None:
        """That citizen's sheet was left without an answer. A visit that waits for it waits on: when it is counted must
        not depend on the next citizen, who may have ended the sheet by coming."""
        if self.visit is not None and number == self.number:
            self.visit.screen_left()

    def rated(self, overall: int, number: int, time_s: float) -> bool:
        """That citizen rated (1..5). False where there is no such visit any more, or it has been rated."""
        for waiting in self._waiting:
            if waiting.number == number:
                waiting.visit.rate(overall, time_s, self.settings.look_back_s)
                waiting.due_s = time_s
                self.advance(time_s)
                return True
        if self.visit is None or number != self.number or self.visit.outcome:
            return False
        self.visit.rate(overall, time_s, self.settings.look_back_s)
        return True

    def advance(self, time_s: float) -> None:
        """Count what is due."""
        if self.consent is not None:
            self.consent.advance(time_s)
        for waiting in [each for each in self._waiting if each.due_s <= time_s]:
            self._waiting.remove(waiting)
            self._count(waiting.visit, waiting.end_s)

    def finish(self, time_s: float) -> None:
        """The sources are over: everything is counted."""
        if self.visit is not None:
            self._end(self._end_s(self.visit, time_s), time_s)
        self.advance(float("inf"))

    # -- for the two kinds

    @abstractmethod
    def _touch(self, time_s: float) -> None:
        """Somebody is there who was neither seen nor called."""

    @abstractmethod
    def _end_s(self, visit: Visit, time_s: float) -> float:
        """When a visit that ends without a word of the queue system was over."""

    def _start(self, time_s: float, service_group: int = 0) -> None:
        self.visit = Visit(time_s, self.settings.fusion, service_group, self.settings.asks_consent)
        if self.consent is not None:
            self.consent.end()  # whose yes it was is another visit
        self._touched_first = False
        self._observer.visit_begins()
        self._next_number()

    def _next_number(self) -> None:
        self.number += 1
        self._observer.citizen_comes(self.number)

    def _end(self, end_s: float, due_s: float) -> None:
        """End the open visit at `end_s`; it is counted at `due_s`, or when it is rated."""
        visit, self.visit = self.visit, None
        assert visit is not None
        self._observer.visit_ends(visit)
        if self.consent is not None:
            self.consent.end()
        self._waiting.append(_Waiting(visit, self.number, end_s, due_s))

    def _count(self, visit: Visit, end_s: float) -> None:
        closed = visit.close(end_s)
        self.last_level = visit.level
        self._observer.visit_counts(closed)


class ByPresence(Visits):
    """A visit begins when somebody is seen for `start_after_s` and ends when the place was seen empty for
    `end_after_s`; the region is searched for faces always, opted out or not. Events of the queue system change nothing:
    who is called is not there yet, and what a camera sees is not for others to say."""

    looks_anew = False

    def __init__(self, settings: EngineSettings, observer: Observer) -> None:
        super().__init__(settings, observer)
        self._presence = Presence(settings.presence, waits_for_empty=settings.empty_first)

    def looks(self, time_s: float) -> bool:
        """Always."""
        return True

    @property
    def may_rest(self) -> bool:
        """Not before a place that was taken when the box began was seen empty; nor where so short an absence ends a
        visit that a place seen every few seconds counts as one that no picture shows."""
        rests_at_all = self.settings.presence.end_after_s >= REST_FROM_S
        return rests_at_all and super().may_rest and not self._presence.waits_for_empty

    def hears(self, time_s: float) -> bool:
        """Only while the citizen is about: after that the next one may be speaking."""
        return super().hears(time_s) and not self._presence.is_away(time_s)

    def seen(self, somebody: bool, time_s: float) -> None:
        """Follow the presence."""
        visit = self.visit
        if somebody and visit is not None and visit.outcome and self._presence.is_away(time_s):
            self._next_number()  # may be another, whom nobody shall refuse a sheet
        self._follow(self._presence.update(somebody, time_s), time_s)

    def blind(self, time_s: float) -> None:
        """A place that no frame shows is not an empty place, but a visit does not last for ever."""
        self._follow(self._presence.blind(time_s), time_s)

    def called(self, service_group: int, time_s: float) -> None:
        """Nothing."""

    def ended(self, time_s: float) -> None:
        """Nothing."""

    def _touch(self, time_s: float) -> None:
        self._presence.touched(time_s)

    def _end_s(self, visit: Visit, time_s: float) -> float:
        return time_s if self._presence.last_seen_s is None else self._presence.last_seen_s

    def _follow(self, change: Change | None, time_s: float) -> None:
        if change is Change.BEGUN:
            self._start(self._presence.since_s)
        elif change is Change.ENDED and self.visit is not None:
            end_s = self._end_s(self.visit, time_s)
            self._end(end_s, end_s + self.settings.rating_wait_s if self.visit.shows_screen else time_s)
            self.advance(time_s)


class ByQueue(Visits):
    """A visit begins by a call. It ends by an end, by the next citizen's call, or when nobody was seen or heard for
    `gone_after_s`.

    A call is the next citizen's if the place was seen empty since the one before was seen (`change_after_s`), or after
    `longest_s`. Otherwise it may be the same citizen, called once more: then the visit goes on, and one that was ended
    is not begun again. So outside a visit faces are searched for until the place was seen empty, and no longer."""

    looks_anew = True

    def __init__(self, settings: EngineSettings, observer: Observer) -> None:
        super().__init__(settings, observer)
        self._sees_places = settings.has_camera and not settings.asks_consent
        """Whether pictures tell that a place was empty. Where consent is asked nothing looks at it, and every call
        begins another visit."""
        self._left = not (settings.empty_first and self._sees_places)
        """Whether the one before has left, as far as can be seen."""
        self._called_s: float | None = None
        """The first call of whoever is there."""
        self._was_seen = False
        self._taken_s: float | None = None
        """When the place was last seen taken, or was not looked at."""
        self._looked_s = float("-inf")
        self._opted_out = False
        """Whether whoever was there last had opted out."""

    def looks(self, time_s: float) -> bool:
        """In a visit, and after one until the place was seen empty. Where consent is asked: while affect is read."""
        return self.reads(time_s) if self.settings.asks_consent else self.visit is not None or not self._left

    @property
    def may_rest(self) -> bool:
        """Not before whoever was there was seen to leave."""
        return super().may_rest and self._left

    @property
    def has_opted_out(self) -> bool:
        """Also after the visit's end, as long as the same citizen may be there."""
        return super().has_opted_out or (self.visit is None and self._opted_out and not self._left)

    def opt_out(self, time_s: float) -> None:
        """After the visit's end, whoever is still there is not analysed anyway; it holds if they are called again.
        Where consent is asked, nobody is without a yes."""
        if self.visit is None and self.settings.asks_consent:
            return
        if self.visit is None and not self._left:
            self._opted_out = True
        else:
            super().opt_out(time_s)

    def seen(self, somebody: bool, time_s: float) -> None:
        """Watch for the place to be empty."""
        if time_s - self._looked_s > MAX_BLIND_S:
            self._taken_s = time_s
        self._looked_s = time_s
        if somebody or self._taken_s is None:
            self._taken_s = time_s
        if somebody and self.visit is not None:
            self.visit.last_sign_s = max(self.visit.last_sign_s, time_s)
            if not self._was_seen:
                self._was_seen, self._left = True, not self._sees_places
        elif time_s - self._taken_s >= self.settings.change_after_s:
            self._left = True

    def blind(self, time_s: float) -> None:
        """Nothing: a place that no frame shows is not an empty place."""

    def called(self, service_group: int, time_s: float) -> None:
        """End the visit of whoever has left, and begin one; or go on with the one that is open."""
        if self.visit is not None and self._touched_first:
            self._touched_first = False
            self._called_s = time_s
            self.visit.service_group = service_group
            self._observer.citizen_comes(self.number)
            return
        if self._called_s is None:
            self._called_s = time_s
            is_another = self._left
        else:
            is_another = self._left or time_s - self._called_s >= self.settings.longest_s
        if not is_another:
            if self.visit is not None:
                self.visit.service_group = service_group
                self.visit.last_sign_s = max(self.visit.last_sign_s, time_s)
            self._next_number()
            return
        if self.visit is not None:
            self._end(self.visit.last_sign_s, self._gone_s(self.visit))
            self.advance(time_s)
        self._begin_watch(time_s)
        self._start(time_s, service_group)

    def ended(self, time_s: float) -> None:
        """End the open visit; not one that a touch began before its call."""
        if self.visit is not None and not self._touched_first:
            self._opted_out = self.visit.opted_out
            self._end(time_s, time_s)
            self.advance(time_s)

    def advance(self, time_s: float) -> None:
        """A visit whose citizen has gone without a word is over, too."""
        super().advance(time_s)
        if self.visit is not None and time_s >= self._gone_s(self.visit):
            self._opted_out = self.visit.opted_out
            self._end(self.visit.last_sign_s, time_s)
            super().advance(time_s)

    def _gone_s(self, visit: Visit) -> float:
        """When a visit without an end is counted, whether the next citizen was called or not."""
        # nobody who has not agreed gives a sign
        after_s = self.settings.longest_s if self.settings.asks_consent else self.settings.gone_after_s
        return visit.last_sign_s + after_s

    def _begin_watch(self, time_s: float) -> None:
        self._called_s, self._was_seen, self._taken_s = time_s, False, time_s
        self._looked_s = time_s
        self._left = not self._sees_places

    def _touch(self, time_s: float) -> None:
        self._begin_watch(time_s)

    def _end_s(self, visit: Visit, time_s: float) -> float:
        return time_s


class ByTouch(Visits):
    """Where consent is asked and no queue system calls: a touch begins a visit, and nothing else is known of anybody.

    Yes begins one that is looked at until its citizen has rated, or was not seen for `consent_gap_s`. No begins one
    that counts as abstained; nothing looks whether its citizen is still there, so it is open for a rating for
    `rating_wait_s` and no longer. Whoever touches neither is in no count."""

    looks_anew = True
    DOUBLE_TOUCH_S = 2.0

    def looks(self, time_s: float) -> bool:
        """While affect is read."""
        return self.reads(time_s)

    def seen(self, somebody: bool, time_s: float) -> None:
        """Keep when the citizen was seen last."""
        if somebody and self.visit is not None:
            self.visit.last_sign_s = max(self.visit.last_sign_s, time_s)

    def blind(self, time_s: float) -> None:
        """Nothing: `advance` ends what is not seen."""

    def called(self, service_group: int, time_s: float) -> None:
        """Nothing."""

    def ended(self, time_s: float) -> None:
        """Nothing."""

    def agree(self, time_s: float) -> bool:
        """Begin a visit: a yes is that of whoever touches now. Twice at once is one touch."""
        if self.visit is not None and self.visit.takes_evidence and time_s - self.visit.start_s < self.DOUBLE_TOUCH_S:
            return True
        if self.visit is not None:
            self._end(self._end_s(self.visit, time_s), time_s)
            self.advance(time_s)
        self._start(time_s)
        return super().agree(time_s)

    def opt_out(self, time_s: float) -> None:
        """No, or no more: nothing looks from now on; the visit is open for its rating for a while."""
        super().opt_out(time_s)
        if self.visit is not None:
            self.visit.last_sign_s = time_s

    def screen_shown(self, number: int, time_s: float) -> bool:
        """A sheet appears: it is a sign of its citizen."""
        shown = super().screen_shown(number, time_s)
        if shown and self.visit is not None:
            self.visit.last_sign_s = time_s
        return shown

    def rated(self, overall: int, number: int, time_s: float) -> bool:
        """A visit that was rated is over."""
        paired = super().rated(overall, number, time_s)
        if paired and self.visit is not None and self.visit.outcome:
            self._end(time_s, time_s)
            self.advance(time_s)
        return paired

    def advance(self, time_s: float) -> None:
        """A visit that nothing looks at any more is over: at once, or after the time for its rating."""
        super().advance(time_s)
        visit = self.visit
        if visit is None or self.reads(time_s):
            return
        due_s = visit.last_sign_s + self.settings.rating_wait_s
        if visit.opted_out or visit.shows_screen:
            if time_s >= due_s:
                self._end(visit.last_sign_s, time_s)
                super().advance(time_s)
        else:
            self._end(visit.last_sign_s, time_s)
            super().advance(time_s)

    def _touch(self, time_s: float) -> None:
        pass

    def _end_s(self, visit: Visit, time_s: float) -> float:
        return min(time_s, visit.last_sign_s)
