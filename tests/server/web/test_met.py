"""Two who store the same at one moment: one does, the other is told so in words; what is our own fault stays one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert
from sqlalchemy.exc import IntegrityError

from server.store.engine import is_taken, read, write
from server.store.tables.users import Role, users
from tests.server.client import Browser
from tests.server.province import application, fill_province


@contextmanager
def _another_is_quicker(engine: Engine, values: dict[str, Any]) -> Iterator[None]:
    """Another connection stores this user between the look and the insert of whoever comes next."""
    done: list[bool] = []

    def before(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("INSERT INTO users") and not done:
            done.append(True)
            with engine.connect() as other:
                other.execute(insert(users).values(**values))
                other.commit()

    event.listen(engine, "before_cursor_execute", before)
    yield
    event.remove(engine, "before_cursor_execute", before)
    assert done


@pytest.mark.parametrize("any_store", ["postgresql"], indirect=True)
def test_of_two_who_make_the_same_account_one_is_told(
    any_store: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On SQLite writers wait for each other before they look."""
    province = fill_province(any_store, "p1", simulated=False)
    browser = Browser(application(any_store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    with read(any_store) as connection:
        first = dict(connection.execute(users.select().limit(1)).mappings().one())
    values = {key: value for key, value in first.items() if key != "id"} | {"name": "hong.ha"}
    caplog.set_level(logging.ERROR)
    with _another_is_quicker(any_store, values):
        answer = browser.post(
            "/users",
            {"name": "hong.ha", "role": Role.ANALYST.value},
            form="/users",
        )
    assert answer.status_code == 409
    assert "cùng lúc" in answer.text
    assert not [record for record in caplog.records if record.exc_info]
    with read(any_store) as connection:
        names = connection.execute(users.select().with_only_columns(users.c.name)).scalars().all()
    assert names.count("hong.ha") == 1


def test_only_a_key_that_is_there_is_taken(any_store: Engine) -> None:
    province = fill_province(any_store, "p1", simulated=False)
    with read(any_store) as connection:
        first = dict(connection.execute(users.select().limit(1)).mappings().one())
    fresh = {key: value for key, value in first.items() if key != "id"}

    def refused(values: dict[str, Any]) -> IntegrityError:
        with pytest.raises(IntegrityError) as caught, write(any_store) as connection:
            connection.execute(insert(users).values(**values))
        return caught.value

    assert is_taken(refused(first)), "the key itself"
    assert is_taken(refused(fresh)), "its name"
    assert not is_taken(refused(fresh | {"name": None}))
    assert not is_taken(refused(fresh | {"name": "new", "province_id": province.province_id + 77}))
