"""A box's counters as the queue system calls them, without a box: what reaches them is kept in a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from edge.capture.queue_calls import QueueCalls
from edge.tablet.counter import Counter


@dataclass
class HeardCounter:
    """Stands for `Counter`: what it was told."""

    told: list[int | str] = field(default_factory=list)

    def queue_started(self, service_group: int) -> None:
        self.told.append(service_group)

    def queue_ended(self) -> None:
        self.told.append("end")


class Hall:
    """Counters by the queue system's names, with a clock of the test's."""

    def __init__(self, *names: str) -> None:
        self.counters = {name: HeardCounter() for name in names}
        self.now_s = 1_000.0
        self.calls = QueueCalls({name: cast(Counter, each) for name, each in self.counters.items()}, lambda: self.now_s)

    def told(self, name: str) -> list[int | str]:
        """What a counter was told so far."""
        return self.counters[name].told

    @property
    def dropped(self) -> dict[str, int]:
        """By reason."""
        return self.calls.tallies.dropped
