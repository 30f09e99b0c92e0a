"""A curator on a clock moved by hand, as the tests of this folder use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline import wire
from pipeline.calendar import window_start_s
from pipeline.keys import KeyPair, new_keys
from pipeline.privacy.clock import ManualClock
from pipeline.privacy.mechanism import DiscreteLaplace, Mechanism
from pipeline.privacy.policy import PrivacyPolicy
from pipeline.privacy.release import ReleaseCurator
from pipeline.records import ClosedVisit, Level, Outcome
from pipeline.release_kind import Release
from pipeline.transparency.leaves import RefusalLeaf, ReleaseLeaf

MONTH = 82  # November 2026
NO_HEAD = wire.Anchor(0, 0, (0, 0, 0, 0))
VISIT = ClosedVisit(Level.HIGH, Outcome.SATISFIED)


class Bench:
    """One box's curator in a folder; `restart` is a new process on the same disk."""

    def __init__(
        self,
        folder: Path,
        policy: PrivacyPolicy | None = None,
        mechanism: Callable[[int], Mechanism] = DiscreteLaplace,
        trusted: bool = True,
        asks_consent: bool = False,
    ) -> None:
        self.folder = folder
        self.path = folder / "release.sqlite3"
        self.policy = policy or PrivacyPolicy(clerks_per_box=2)
        self.clock = ManualClock(window_start_s(wire.PeriodKind.MONTH, MONTH) + 8 * 3_600.0, trusted)
        self.keys: KeyPair = new_keys("box")
        self.mechanism = mechanism
        self.asks_consent = asks_consent
        self.epoch = 1
        self.curator = self.start()
        self.hand_over()

    def start(self, anchor: wire.Anchor | None = NO_HEAD) -> ReleaseCurator:
        """A curator on what lies in the folder."""
        self.curator = ReleaseCurator(
            self.policy,
            self.path,
            self.clock,
            self.keys,
            self.epoch,
            asks_consent=self.asks_consent,
            mechanism=self.mechanism,
        )
        if anchor is not None:
            self.curator.anchor(anchor)
        if not self.curator.problem:
            self.curator.close_due(self.clock.wall)  # as the box does every second
        return self.curator

    def restart(self, clean: bool = True, anchor: wire.Anchor | None = NO_HEAD) -> ReleaseCurator:
        """The process ends (not clean: nothing is sealed at the end) and starts again."""
        if clean:
            self.curator.close()
        else:
            self.curator._store.close()
        return self.start(anchor)

    def hand_over(self) -> None:
        """The outbox takes what is pending."""
        for staged in self.curator.pending():
            self.curator.confirm(staged.number)

    def count(self, visits: int = 1, visit: ClosedVisit = VISIT) -> None:
        """Visits end now."""
        for _ in range(visits):
            self.curator.count(visit, self.clock.wall)

    def pass_time(self, seconds: float) -> list[Release]:
        """Time passes; what was released at its end."""
        self.clock.advance(seconds)
        return self.curator.close_due(self.clock.wall)

    def end_month(self, month: int = MONTH) -> list[Release]:
        """Time passes to the first minute of the next month, day by day."""
        released = []
        end_s = window_start_s(wire.PeriodKind.MONTH, month + 1) + 60
        while self.clock.wall < end_s:
            released += self.pass_time(min(86_400.0, end_s - self.clock.wall))
        return released


class NoNoise:
    """A mechanism that adds nothing, to see what is counted. Never in production code."""

    def __init__(self, epsilon_milli: int) -> None:
        self.epsilon_milli = epsilon_milli

    def release(self, counts: object) -> tuple[int, ...]:
        """The counts."""
        return tuple(counts)  # type: ignore[arg-type]


def releases(bench: Bench) -> list[ReleaseLeaf]:
    """Leaves of releases in the curator's log."""
    return [leaf for leaf in bench.curator._store.leaves() if isinstance(leaf, ReleaseLeaf)]


def refusals(bench: Bench) -> list[RefusalLeaf]:
    """Leaves of refusals in the curator's log."""
    return [leaf for leaf in bench.curator._store.leaves() if isinstance(leaf, RefusalLeaf)]
