"""Whatever text a person gives, both data bases keep the same: none with NUL or half a character, none too long."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine, insert, select

from pipeline.errors import InvalidError
from pipeline.language import Text
from server.store.engine import read, write
from server.store.schema import metadata
from server.store.tables.changes import changes
from server.store.tables.provinces import provinces
from server.store.types import String, TooLongError

BAD = ("Sở\x00 A", "Sở\ud800 A", "Sở\ufffe A", "Sở\x08 A", "\u202eSở A")
COLUMNS = [
    column
    for table in metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, sqlalchemy.String) and not isinstance(column.type, sqlalchemy.Text)
]


def test_every_short_text_of_every_table_is_bounded() -> None:
    assert len(COLUMNS) > 60
    assert [str(column) for column in COLUMNS if not isinstance(column.type, String)] == []


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_a_text_that_a_column_cannot_hold_is_refused_before_the_data_base(name: str) -> None:
    dialect: Any = sqlalchemy.dialects.registry.load(name)()
    for column in COLUMNS:
        write_value = column.type.bind_processor(dialect)
        assert write_value is not None
        assert isinstance(column.type, String)
        length = column.type.length or 0
        assert write_value("x" * length) == "x" * length
        assert write_value(None) is None
        with pytest.raises(TooLongError):
            write_value("x" * (length + 1))


@pytest.mark.postgres
def test_both_stores_keep_the_same_text(any_store: Engine) -> None:
    for number, text in enumerate(BAD):
        with write(any_store) as connection:
            row = {"code": f"p{number}", "name": Text.named(vi=text, en=text), "created_day": 1}
            connection.execute(insert(provinces).values(row))
    with read(any_store) as connection:
        found = connection.execute(select(provinces.c.name).order_by(provinces.c.id)).scalars().all()
        assert found == [Text.named(vi="Sở A")] * len(BAD)
        for text in (*BAD, "x" * 5_000):
            assert connection.execute(select(provinces.c.id).where(provinces.c.code == text)).first() is None
            assert connection.execute(select(changes.c.id).where(changes.c.action.in_([text]))).first() is None
    for value in ("x" * 41, "ờ" * 41, "x" * 5_000):
        with pytest.raises(InvalidError), write(any_store) as connection:
            connection.execute(insert(provinces).values(code=value, name=Text.named(vi="x", en="x"), created_day=1))
