"""The retention audit looks at the store that is there, not at the program's intentions."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from server.retention.policy import findings
from server.store.engine import read, write
from tests.server.province import fill_province


@pytest.mark.parametrize(
    ("statement", "table", "word"),
    [
        ("ALTER TABLE ratings ADD COLUMN taken_at VARCHAR(30)", "ratings", "ratings.taken_at"),
        ("CREATE TABLE faces (id INTEGER, picture VARCHAR(30))", "faces", "faces"),
        ("CREATE VIEW visits AS SELECT id FROM ratings", "visits", "visits"),
    ],
)
def test_what_the_program_does_not_know_is_found(any_store: Engine, statement: str, table: str, word: str) -> None:
    province = fill_province(any_store, "p1")
    with read(any_store) as connection:
        assert findings(connection, province.province_id) == []
    with write(any_store) as connection:
        connection.exec_driver_sql(statement)
    with read(any_store) as connection:
        found = findings(connection, province.province_id)
    assert [each.table for each in found] == [table]
    assert word in found[0].words
