"""A request to stop survives signals that interrupt each other."""

from __future__ import annotations

import os
import signal
import sys
import time

from tests.children import child

CHILD = """
from pipeline.stopping import StopRequest
stop = StopRequest()
stop.listen()
print("ready", flush=True)
assert stop.wait(30)
"""


def test_many_signals_at_once_end_it() -> None:
    for _ in range(3):
        with child([sys.executable, "-c", CHILD]) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for number in (signal.SIGINT, signal.SIGTERM) * 100:
                os.kill(process.pid, number)
            assert process.wait(10) == 0


def test_without_a_signal_it_waits_as_long_as_told() -> None:
    from pipeline.stopping import StopRequest

    begun_s = time.monotonic()
    assert StopRequest().wait(0.3) is False
    assert time.monotonic() - begun_s >= 0.3


def test_a_hang_up_is_answered_once() -> None:
    from pipeline.stopping import ReloadRequest

    before = signal.getsignal(signal.SIGHUP)
    try:
        request = ReloadRequest()
        request.listen()
        assert not request.answer()
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
        assert request.answer()
        assert not request.answer()
    finally:
        signal.signal(signal.SIGHUP, before)
