"""Names in any language: one column, the same on both data bases, and its way there and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, insert, select, text

from hailong.cli import main
from pipeline.errors import InvalidError
from pipeline.language import Text
from pipeline.language.update import ROOT
from server.core.provinces import find_province, make_province
from server.store import upgrade as schema
from server.store.engine import connect, read, write
from server.store.schema import metadata
from server.store.tables.provinces import provinces
from server.store.types import Name

NAME = Text.named(vi="Sở Nội vụ", en="Home Affairs", tyz="Sở Cốc nả", km="នាយកដ្ឋាន")
NAMED = [table for table in metadata.sorted_tables if any(isinstance(column.type, Name) for column in table.columns)]


def _back(engine: Engine, version: str) -> None:
    with schema.rebuilding(engine) as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.downgrade(config, version)


@pytest.mark.postgres
def test_a_name_in_any_language_is_kept(any_store: Engine) -> None:
    with write(any_store) as connection:
        make_province(connection, "p1", NAME)
    with read(any_store) as connection:
        assert find_province(connection, "p1").name == NAME
        stored = connection.execute(text("SELECT name FROM provinces")).scalar_one()
    assert json.loads(stored) == dict(NAME.words)
    assert "Sở Nội vụ" in stored, "whoever looks into the store by hand can read it"


@pytest.mark.postgres
@pytest.mark.parametrize("lang", ["vi", "en", "tyz"])
def test_no_language_carries_an_unsafe_or_endless_name(any_store: Engine, lang: str) -> None:
    words = {"vi": "Sở A", "en": "A", "tyz": "Sở B", lang: "S\x00ở\u202e \x08C\ud800"}
    with write(any_store) as connection:
        connection.execute(insert(provinces).values(code="p", name=Text.named(**words), created_day=1))
    with read(any_store) as connection:
        found = connection.execute(select(provinces.c.name)).scalar_one()
        assert found.in_language(lang) == "Sở C"
    longer = Text.named(**{**words, lang: "ờ" * 201})
    with pytest.raises(InvalidError), write(any_store) as connection:
        connection.execute(insert(provinces).values(code="q", name=longer, created_day=1))


@pytest.mark.postgres
def test_names_go_into_one_column_and_back(empty_store_url: str) -> None:
    engine = connect(empty_store_url)
    schema.upgrade(engine)
    with write(engine) as connection:
        make_province(connection, "p1", NAME)
        make_province(connection, "p2", Text.named(vi="Tỉnh 100 %: 'Hai'"))
    now = _rows(engine)
    _back(engine, "0029")
    before = {row["code"]: row for row in _rows(engine)["provinces"]}
    assert (before["p1"]["name_vi"], before["p1"]["name_en"]) == ("Sở Nội vụ", "Home Affairs")
    assert before["p2"]["name_vi"] == before["p2"]["name_en"] == "Tỉnh 100 %: 'Hai'"
    assert "name" not in before["p1"]
    schema.upgrade(engine)
    again = _rows(engine)
    # what no column of then could hold is gone; all else is as it was
    now["provinces"][0]["name"] = json.dumps({"en": "Home Affairs", "vi": "Sở Nội vụ"}, ensure_ascii=False)
    assert again == now
    engine.dispose()


def _rows(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    with read(engine) as connection:
        return {
            table.name: [
                dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table.name} ORDER BY id").mappings()
            ]
            for table in NAMED
        }


def test_a_province_is_made_with_a_name_in_any_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["server", "init", "--data-dir", str(tmp_path / "s"), "--province", "p1", "--name", "Tỉnh Một"]
    assert main([*words, "--name-in", "tyz"]) != 0
    assert "--name-in" in capsys.readouterr().err
    assert main([*words, "--name-en", "One", "--name-in", "tyz=Tỉnh Ất"]) == 0
    engine = connect(f"sqlite:///{tmp_path / 's' / 'store.sqlite'}")
    with read(engine) as connection:
        assert find_province(connection, "p1").name == Text.named(vi="Tỉnh Một", en="One", tyz="Tỉnh Ất")
    engine.dispose()


def test_every_table_with_a_name_is_meant() -> None:
    assert {table.name for table in NAMED} == {
        "provinces", "levels", "agencies", "counters", "fields", "service_groups", "services", "rounds"
    }  # fmt: skip
    left = [str(c) for table in metadata.sorted_tables for c in table.columns if c.name in ("name_vi", "name_en")]
    assert left == [], "a name has one column"


def test_no_name_of_a_row_is_looked_for_in_columns_that_are_gone() -> None:
    """Read as `name_vi` and `name_en`, a row of the store has no name at all."""
    files = [path for path in (ROOT / "server").rglob("*.py") if "of_row(row._mapping" in path.read_text("utf-8")]
    assert files == []
