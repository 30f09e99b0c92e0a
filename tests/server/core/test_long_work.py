"""Work that may take long: it ends at its next step once the server stops, and is waited for."""

from __future__ import annotations

import threading
import time

import pytest

from pipeline.errors import StoppingError
from server.core.long_work import LongWork


def test_nothing_is_stopped_that_nobody_stops() -> None:
    work = LongWork()
    with work.begin() as progress:
        progress.update(0.5)
        progress.update(1.0, "done")
    assert work.wait(0.0)


def test_what_is_at_work_and_what_begins_later_ends_at_its_next_step() -> None:
    work = LongWork()
    with work.begin() as progress:
        progress.update(0.5)
        work.stop()
        with pytest.raises(StoppingError):
            progress.update(0.6)
    with pytest.raises(StoppingError), work.begin() as progress:
        progress.update(0.0)
    assert work.wait(0.0)


def test_the_server_waits_for_what_is_taken_back_and_no_longer_than_it_says() -> None:
    work, begun, may_end = LongWork(), threading.Event(), threading.Event()

    def take_back() -> None:
        with work.begin():
            begun.set()
            may_end.wait(60.0)

    thread = threading.Thread(target=take_back)
    thread.start()
    assert begun.wait(60.0)
    begun_s = time.monotonic()
    assert not work.wait(0.05)
    assert time.monotonic() - begun_s >= 0.05
    threading.Timer(0.05, may_end.set).start()
    assert work.wait(60.0)
    thread.join()
