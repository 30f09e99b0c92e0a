"""The engine: frames and sound in, closed visits out. It owns no clock, no socket and no thread.

Every method may be called from any thread; one lock makes them take turns, so a call waits for one frame's work at
most. Words (speech recognition) are the exception: they take seconds, so `work_words` is called by a thread of its own
and holds the lock only to take an utterance and to bring its result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.records import Chunk, ClosedVisit, Counters, Frame, VisitLevel

if TYPE_CHECKING:
    from edge.networks import Networks


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine does with what it is fed.

    `region`: the citizen's polygon as (x, y) in 0..1 of the picture's width and height; empty: the whole picture."""

    region: tuple[tuple[float, float], ...] = ()
    visits_by: str = "presence"
    """`presence`: a face in the region starts and ends visits; `queue`: only the queue system's events do."""


class Engine:
    """One counter's engine. `on_visit` is called with the lock held, once for every visit that has ended."""

    def __init__(
        self,
        settings: EngineSettings,
        networks: Networks,
        on_visit: Callable[[ClosedVisit], None],
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        self.counters = Counters()
        raise NotImplementedError

    @property
    def visit_open(self) -> bool:
        """Whether a citizen's visit is open now (for the tablet: show the rating button)."""
        raise NotImplementedError

    def feed_frame(self, frame: Frame) -> None:
        """Look at one picture; times must not run backwards."""

    def feed_chunk(self, chunk: Chunk) -> None:
        """Listen to a piece of sound."""

    def tick(self, time_s: float) -> None:
        """Tell the time where no frames come (camera lost): ends visits that are due. Same clock as the frames'."""

    def visit_started(self, service_group: int, time_s: float) -> None:
        """The queue system called a citizen: ends an open visit and starts one."""

    def visit_ended(self, time_s: float) -> None:
        """The queue system says that the visit is over."""

    def opt_out(self) -> None:
        """The citizen does not want to be analysed: forgets what was summed up and looks at nothing more until the
        visit ends.
        """

    def freeze_level(self) -> VisitLevel:
        """Fix the open visit's level before the rating screen shows; later frames change nothing. Idempotent."""
        raise NotImplementedError

    def rated(self, overall: int) -> bool:
        """The citizen rated (1..5). False where no visit was open: then no pair is counted."""
        raise NotImplementedError

    def work_words(self) -> bool:
        """Recognise one waiting utterance; False where none waits. Only where words are switched on."""
        raise NotImplementedError
