"""A thread of the box that fails says so, is begun anew with a growing pause, and stops in time."""

from __future__ import annotations

import asyncio
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


class Panic(BaseException):
    """What a library written in Rust raises: no `Exception`."""


@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, MemoryError, RecursionError, Panic]
)
def test_whatever_a_part_leaves_by_it_is_begun_anew(error: type[BaseException]) -> None:
    """uvicorn leaves by SystemExit where it cannot bind; others beside `Exception` ended the thread in silence."""
    turns: list[int] = []
    failed: list[bool] = []

    def turn() -> None:
        turns.append(1)
        if len(turns) < 4:
            raise error

    worker = Worker("tablet", turn, on_failed=failed.append, first_pause_s=0.01)
    worker.start()
    wait_for(lambda: failed == [True, False])
    assert worker.is_alive
    assert worker.stop()
    assert worker.state is WorkerState.ENDED


@pytest.mark.parametrize("error", [ValueError, Panic])
@pytest.mark.parametrize("where", ["on_error", "on_failed", "at the end"])
def test_whoever_is_told_may_fail_and_is_told_again(error: type[BaseException], where: str) -> None:
    """A callback that raised ended the thread, and the box went on as if all were well."""
    turns: list[int] = []
    told: list[bool] = []
    broken = [2]

    def fail(at: str) -> None:
        if at == where and broken[0]:
            broken[0] -= 1
            raise error

    def on_failed(has_failed: bool) -> None:
        fail("on_failed" if has_failed else "at the end")
        told.append(has_failed)

    def turn() -> None:
        turns.append(1)
        if len(turns) < 5:
            raise RuntimeError

    worker = Worker("eyes", turn, on_failed=on_failed, on_error=lambda: fail("on_error"), first_pause_s=0.01)
    worker.start()
    wait_for(lambda: told == [True, False])
    assert worker.stop()


def test_no_thread_of_the_box_is_made_by_hand() -> None:
    root = Path(edge.__file__).parent
    makers = {
        path.relative_to(root).as_posix() for path in root.rglob("*.py") if "threading.Thread(" in path.read_text()
    }
    assert makers == {"worker.py", "audit/trace.py"}, "the audit's server is no part of a box"
