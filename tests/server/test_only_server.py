"""A store has one server: what is counted and kept in memory is counted and kept once."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError
from server.core.only_server import OnlyServer
from server.store.engine import connect


def test_a_second_server_on_a_store_is_refused(empty_store_url: str) -> None:
    first, second = OnlyServer(connect(empty_store_url)), OnlyServer(connect(empty_store_url))
    first.take()
    first.keep()
    with pytest.raises(ConfigError, match="Another server is running on this store"):
        second.take(0.3)
    first.release()
    second.take(5.0)
    with pytest.raises(ConfigError, match="Another server"):
        first.take(0.0)
    second.release()
    for one in (first, second):
        one._engine.dispose()


@pytest.mark.postgres
def test_a_data_base_that_was_begun_anew_is_held_again(postgres_url: str) -> None:
    only, other = OnlyServer(connect(postgres_url)), OnlyServer(connect(postgres_url))
    only.take()
    with other._engine.connect() as connection:
        ours = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        connection.exec_driver_sql(ours)
    only.keep()
    with pytest.raises(ConfigError):
        other.take(0.0)
    only.release()
    for one in (only, other):
        one._engine.dispose()
