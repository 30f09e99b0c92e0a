"""Many at once: who holds a connection and needs a second one gets it, however many others wait."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import pytest
from sqlalchemy import Engine, text

from pipeline.errors import StoreError
from server.store import engine as engines
from server.store.engine import read, write


@pytest.mark.postgres
@pytest.mark.parametrize("outer", [read, write])
def test_a_second_connection_is_there_for_who_holds_a_first(any_store: Engine, outer: object) -> None:
    """Sixteen messages of a gateway at once, or sixteen sheets, stopped every page for 30 s, and were answered 500."""

    def one(_number: int) -> int:
        with (read if outer is read else write)(any_store) as first:
            first.execute(text("SELECT 1"))
            time.sleep(0.05)
            with read(any_store) as second:
                return int(second.execute(text("SELECT 2")).scalar_one())

    begun = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(one, range(40))) == [2] * 40
    assert time.monotonic() - begun < 20  # a pool that stands still does so for 30 s; a loaded machine takes 5


def test_who_finds_no_place_is_told_that_the_store_is_busy(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "AT_ONCE", 1)
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MS", 100)
    monkeypatch.setattr(engines, "_places", WeakKeyDictionary())
    with read(store), ThreadPoolExecutor(1) as pool, pytest.raises(StoreError, match="busy"):
        pool.submit(lambda: read(store).__enter__()).result()
    with read(store) as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
