"""How the box is: one state for the heartbeat, and sentences for the person at the counter. Nothing here is moved by
visits."""

from __future__ import annotations

import threading

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
        self._holding: set[BoxState] = {BoxState.STARTING}

    def set(self, state: BoxState, holds: bool) -> bool:
        """Say whether a state holds; returns whether that is new."""
        with self._lock:
            changed = (state in self._holding) != holds
            if holds:
                self._holding.add(state)
            else:
                self._holding.discard(state)
            return changed

    def holds(self, state: BoxState) -> bool:
        """Whether a state holds."""
        with self._lock:
            return state in self._holding

    @property
    def state(self) -> BoxState:
        """What the heartbeat tells."""
        with self._lock:
            return next((state for state in _ORDER if state in self._holding), BoxState.OK)
