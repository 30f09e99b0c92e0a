"""A request to stop survives signals that interrupt each other."""

from __future__ import annotations

import os
import signal
import subprocess
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


def test_a_signal_while_the_interpreter_ends_changes_nothing() -> None:
    """The second Ctrl-C comes when all is done: the process ended as if it had been killed."""
    ending = "import os, signal\nclass Last:\n    def __del__(self, kill=os.kill, pid=os.getpid(), numbers=(2, 15)):\n"
    ending += "        for number in numbers: kill(pid, number)\n"
    # what the C part of the signal module holds is let go of after it has given the signals back
    code = CHILD + ending + "signal.kept = Last()\nimport sys; sys.kept = Last()\n"
    with child([sys.executable, "-c", code]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0


def test_what_is_prepared_is_ended_where_signals_have_no_default_action() -> None:
    """As for the first process of a container, to which a SIGTERM without a handler does not come."""
    prepared = "from pipeline.stopping import StopRequest\nStopRequest().interrupt()\nprint('ready', flush=True)\n"
    alone = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + prepared
    with child([sys.executable, "-c", alone + "import time; time.sleep(60)"], subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) not in (0, -signal.SIGTERM)


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
