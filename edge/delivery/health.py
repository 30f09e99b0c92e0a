"""How the box is: one state for the heartbeat, and sentences for the person at the counter. Nothing here is moved by
visits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pipeline.wire import BoxState

_ORDER = (
    BoxState.STARTING,
    BoxState.BUDGET_REFUSED,
    BoxState.DISK_FULL,
    BoxState.CLOCK_UNTRUSTED,
    BoxState.CAMERA_LOST,
    BoxState.MICROPHONE_LOST,
    BoxState.ANALYSIS_OFF,
)
"""The worst first: a heartbeat tells one."""


class Health:
    """States that hold now. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holding: set[tuple[BoxState, str]] = {(BoxState.STARTING, "")}
        self._failed: dict[str, BoxState] = {}

    def set(self, state: BoxState, holds: bool, of: str = "") -> bool:
        """Say whether a state holds; returns whether that is new. `of`: the counter whose it is, where each may have
        its own; the box has it as long as one has."""
        with self._lock:
            changed = ((state, of) in self._holding) != holds
            if holds:
                self._holding.add((state, of))
            else:
                self._holding.discard((state, of))
            return changed

    def failed(self, worker: str, state: BoxState) -> Callable[[bool], None]:
        """What a worker calls when it fails, and when it is at work again; meanwhile the box has that state. A part
        that has no state of its own is being started again: `STARTING`."""

        def note(failed: bool) -> None:
            with self._lock:
                if failed:
                    self._failed[worker] = state
                else:
                    self._failed.pop(worker, None)

        return note

    @property
    def failing(self) -> list[str]:
        """Names of the workers that have failed and are begun anew."""
        with self._lock:
            return sorted(self._failed)

    def holds(self, state: BoxState) -> bool:
        """Whether a state holds."""
        with self._lock:
            return state in self._states()

    @property
    def state(self) -> BoxState:
        """What the heartbeat tells."""
        with self._lock:
            holding = self._states()
            return next((state for state in _ORDER if state in holding), BoxState.OK)

    def _states(self) -> frozenset[BoxState]:
        return frozenset(state for state, _ in self._holding).union(self._failed.values())
