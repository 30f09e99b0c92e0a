"""A thread of the box that fails says so, is begun anew with a growing pause, and stops in time."""

from __future__ import annotations

import logging
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

import edge
from edge.delivery.health import Health
from edge.worker import Worker, WorkerState
from pipeline.wire import BoxState


def wait_for(condition: object, timeout_s: float = 60.0) -> None:
    assert callable(condition)
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def test_a_worker_that_fails_sets_the_box_s_state_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    health.set(BoxState.STARTING, False)
    broken, turns, words = threading.Event(), [], "a citizen's secret"
    broken.set()

    def turn() -> None:
        turns.append(time.monotonic())
        if broken.is_set():
            raise ValueError(words)
        worker.wait(0.01)

    worker = Worker("eyes", turn, on_failed=health.failed("eyes", BoxState.ANALYSIS_OFF), first_pause_s=0.02)
    with caplog.at_level(logging.ERROR):
        worker.start()
        wait_for(lambda: len(turns) >= 4)
    assert worker.state.name == "FAILED"
    assert int(health.state) == BoxState.ANALYSIS_OFF
    assert health.failing == ["eyes"]
    pauses = [b - a for a, b in pairwise(turns)]
    assert pauses[1] > 1.5 * 0.02, "the pause grows"
    assert len(caplog.records) == 1, "told once"
    assert "secret" not in caplog.text
    broken.clear()
    wait_for(lambda: health.state is BoxState.OK)
    assert worker.state.name == "RUNNING"
    assert worker.stop()
    assert worker.state is WorkerState.ENDED


def test_one_piece_that_fails_is_tolerated_and_all_of_them_are_not() -> None:
    failed: list[bool] = []
    errors, number = [], 0

    def turn() -> None:
        nonlocal number
        number += 1
        if number % 5 or number > 100:
            raise RuntimeError

    worker = Worker("eyes", turn, on_failed=failed.append, on_error=lambda: errors.append(1), tolerated=10)
    worker.start()
    wait_for(lambda: failed)
    worker.stop()
    assert failed == [True]
    assert number == 111


def test_a_turn_that_says_so_ends_the_worker() -> None:
    worker = Worker("words", lambda: False)
    worker.start()
    wait_for(lambda: not worker.is_alive)
    assert worker.state is WorkerState.ENDED


def test_what_hangs_is_left_behind_in_time(caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()
    worker = Worker("camera", lambda: over.wait())
    worker.start()
    begun_s = time.monotonic()
    assert not worker.stop(0.1)
    assert time.monotonic() - begun_s < 60
    assert "left behind" in caplog.text
    over.set()


def test_a_part_that_leaves_by_sys_exit_is_begun_anew() -> None:
    """uvicorn does so where it cannot bind."""
    turns = []

    def turn() -> None:
        turns.append(1)
        raise SystemExit(1)

    worker = Worker("tablet", turn, first_pause_s=0.01)
    worker.start()
    wait_for(lambda: len(turns) > 2)
    worker.stop()


def test_no_thread_of_the_box_is_made_by_hand() -> None:
    root = Path(edge.__file__).parent
    makers = {
        path.relative_to(root).as_posix() for path in root.rglob("*.py") if "threading.Thread(" in path.read_text()
    }
    assert makers == {"worker.py", "audit/trace.py"}, "the audit's server is no part of a box"
