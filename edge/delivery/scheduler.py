"""What the box does by the clock: closes periods, hands releases to the outbox, writes answer sheets to the disk and
makes the day's batches of them."""

from __future__ import annotations

import logging

from edge.delivery.health import Health
from edge.delivery.outbox import Outbox
from pipeline.calendar import INDOCHINA, day_at
from pipeline.errors import ClockError, StoreError
from pipeline.privacy.clock import Clock
from pipeline.privacy.release import ReleaseCurator
from pipeline.records import Tallies
from pipeline.wire import BoxState

_log = logging.getLogger(__name__)


class RatingSchedule:
    """When the day's sheets go into batches: at fixed hours (Indochina time), or every `demo_every_s` seconds in a
    demo.

    A batch is due once for every hour, whether or not there are sheets; hours that passed while the box was off are
    not made up for, because the next batch takes all that waits."""

    def __init__(self, hours: tuple[int, ...], demo_every_s: float | None = None) -> None:
        self._hours = sorted(set(hours))
        self._demo_every_s = demo_every_s
        self._last: int | None = None

    @property
    def is_demo(self) -> bool:
        """Whether batches come every few seconds."""
        return self._demo_every_s is not None

    def due(self, now_s: float) -> bool:
        """Whether a batch is due now; true once for each due instant. The first call only begins the schedule."""
        slot = self._slot(now_s)
        before, self._last = self._last, slot
        return before is not None and slot > before

    def _slot(self, now_s: float) -> int:
        """A number that grows by one at every due instant."""
        if self._demo_every_s is not None:
            return int(now_s / self._demo_every_s)
        from datetime import datetime

        hour = datetime.fromtimestamp(now_s, INDOCHINA).hour
        return day_at(now_s) * len(self._hours) + sum(1 for due in self._hours if due <= hour)


class PeriodScheduler:
    """Call `turn` at a fixed interval, such as every second. Never raises for a full disk: it says so by `health`
    and tries again. Every `keep_every_s` seconds of the clock, sheets go from memory to the disk."""

    def __init__(
        self,
        curator: ReleaseCurator,
        outbox: Outbox,
        clock: Clock,
        schedule: RatingSchedule,
        health: Health,
        keep_every_s: float = 60.0,
    ) -> None:
        self.tallies = Tallies()
        self._curator = curator
        self._outbox = outbox
        self._clock = clock
        self._schedule = schedule
        self._health = health
        self._keep_every_s = keep_every_s
        self._kept_slot: int | None = None
        self._batch_waits = False
        self._settled = False

    def turn(self) -> None:
        """Do what is due."""
        now_s = self._clock.wall_s()
        disk_full = False
        for work in (self._keep, self._release, self._batch):
            try:
                work(now_s)
            except StoreError as error:
                disk_full = True
                self.tallies.drop("store_failed")
                if not self._health.holds(BoxState.DISK_FULL):
                    _log.error("%s", error)
            except ClockError as error:
                self.tallies.drop("clock_untrusted")
                if self._health.set(BoxState.CLOCK_UNTRUSTED, True):
                    _log.error("%s", error)
                return
        if self._health.set(BoxState.DISK_FULL, disk_full) and not disk_full:
            _log.info("the disk takes releases again")
        state = self._curator.state
        self._health.set(BoxState.BUDGET_REFUSED, state is BoxState.BUDGET_REFUSED)
        if self._health.set(BoxState.CLOCK_UNTRUSTED, state is BoxState.CLOCK_UNTRUSTED) and self._curator.problem:
            _log.error("%s", self._curator.problem)

    def _release(self, now_s: float) -> None:
        self._curator.close_due(now_s)
        self.hand_over()

    def hand_over(self) -> None:
        """From the curator to the outbox: put, then confirm. After a crash in between, the same key is put again, which
        changes nothing."""
        handed = False
        for staged in self._curator.pending():
            self._outbox.put(staged.key, staged.build)
            self._curator.confirm(staged.number)
            self.tallies.forwarded += 1
            handed = True
        if handed or not self._settled:
            self._outbox.settle({staged.key for staged in self._curator.pending()})
            self._settled = True

    def _keep(self, now_s: float) -> None:
        slot = int(now_s // self._keep_every_s)
        if slot != self._kept_slot:
            self._outbox.keep_sheets()
            self._kept_slot = slot

    def _batch(self, now_s: float) -> None:
        if self._schedule.due(now_s):
            self._batch_waits = True
        if self._batch_waits and self._clock.trusted():
            self._outbox.date_sheets(day_at(now_s))
            # only days that are over: a batch of today at noon would tell the morning's ratings from the afternoon's
            self._outbox.make_batches(day_at(now_s) - (0 if self._schedule.is_demo else 1))
            self._batch_waits = False

    def finish_demo(self) -> None:
        """Demo only: close what runs and hand everything to the outbox. Raises `StoreError`."""
        now_s = self._clock.wall_s()
        self._curator.finish_demo(now_s)
        self.hand_over()
        if self._outbox.totals()["sheets"]:
            self._outbox.make_batches(day_at(now_s))
