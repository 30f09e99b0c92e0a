"""A scope's statements reach its own rows alone, and no other place in the server compares with `province_id`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sqlalchemy import Engine

import server
from pipeline.language import Text
from server.core.scope import Scope
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.ratings import ratings
from server.store.tables.rounds import rounds
from tests.server.province import fill_province

SERVER = Path(server.__file__).parent
ALLOWED = ("core/scope.py", "store/migrations/")
STATEMENTS = {"select", "insert", "update", "delete"}


def _sources() -> list[tuple[str, str]]:
    """Name and text of each module."""
    found = ((path.relative_to(SERVER).as_posix(), path) for path in sorted(SERVER.rglob("*.py")))
    return [(name, path.read_text("utf-8")) for name, path in found if not name.startswith(ALLOWED)]


def inline_filters(tree: ast.AST) -> list[int]:
    """Lines that compare a column `province_id` of a table: `t.c.province_id ==`, `t.c["province_id"] ==`, `.in_(`."""

    def is_column(node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute) and node.attr == "province_id":
            return isinstance(node.value, ast.Attribute | ast.Name) and _is_table(node.value)
        return (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and node.slice.value == "province_id"
            and isinstance(node.value, ast.Attribute)
            and node.value.attr in ("c", "columns")
        )

    def _is_table(node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute):
            return node.attr in ("c", "columns")
        return isinstance(node, ast.Name) and node.id in ("rows", "table")  # Ibis tables

    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(is_column(side) for side in (node.left, *node.comparators)):
            others = [side for side in (node.left, *node.comparators) if not is_column(side)]
            if others:  # two tables compared with each other: a join
                lines.append(node.lineno)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_column(node.func.value):
            lines.append(node.lineno)
    return lines


def test_the_lint_sees_what_it_forbids() -> None:
    bad = (
        "t.c.province_id == p",
        "p == t.c.province_id",
        't.c["province_id"] == p',
        "t.c.province_id.in_(p)",
        "rows.province_id == p",
    )
    for text in bad:
        assert inline_filters(ast.parse(text)) == [1], text
    for text in ("a.c.province_id == b.c.province_id", "user.province_id == x", "scope.where(t)"):
        assert inline_filters(ast.parse(text)) == [], text


def test_nobody_compares_with_province_id_but_the_scope() -> None:
    named = [(name, ast.parse(text)) for name, text in _sources() if "province_id" in text]
    found = {name: len(lines) for name, tree in named if (lines := inline_filters(tree))}
    assert found == {}, "use server.core.scope.Scope"


def _is_page(name: str) -> bool:
    file = name.rsplit("/", 1)[-1]
    return file in ("page.py", "pages.py", "api.py", "exports.py") or file.endswith("_page.py")


def test_pages_hold_no_statement() -> None:
    found = {}
    for name, text in _sources():
        if not _is_page(name):
            continue
        calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        names = [
            call.id if isinstance(call, ast.Name) else call.attr
            for call in calls
            if isinstance(call, ast.Name) or (isinstance(call, ast.Attribute) and "scope" in ast.unparse(call.value))
        ]
        if count := sum(name in STATEMENTS for name in names):
            found[name] = count
    assert found == {}, "a page asks a function of its noun"


@pytest.fixture
def two(store: Engine) -> tuple[Scope, Scope, dict[str, int]]:
    mine, other = fill_province(store, "aaa"), fill_province(store, "bbb")
    return Scope(mine.province_id), Scope(other.province_id), mine.agencies


def test_a_scope_reads_changes_and_removes_its_own(store: Engine, two: tuple[Scope, Scope, dict[str, int]]) -> None:
    mine, other, names = two
    with write(store) as connection:
        codes = connection.execute(mine.select(agencies, agencies.c.code)).scalars().all()
        assert sorted(codes) == ["aaa-a", "aaa-b"]
        before = len(connection.execute(other.select(ratings)).all())
        connection.execute(mine.update(ratings).values(a00=1))
        assert connection.execute(other.select(ratings).where(ratings.c.a00 == 1)).first() is None
        connection.execute(mine.delete(ratings))
        assert connection.execute(mine.select(ratings)).first() is None
        assert len(connection.execute(other.select(ratings)).all()) == before
        made = mine.insert(connection, agencies, {**_AGENCY, "province_id": other.province_id, "code": "neu"})
        assert connection.execute(mine.select(agencies).where(agencies.c.id == made)).one().code == "neu"
        assert names


_AGENCY = {"name": Text.named(vi="x", en="x"), "level_id": 1}


def test_an_agencys_scope_is_narrower(store: Engine, two: tuple[Scope, Scope, dict[str, int]]) -> None:
    mine, _, names = two
    scope = Scope(mine.province_id, names["aaa-a"])
    with read(store) as connection:
        assert {row.agency_id for row in connection.execute(scope.select(ratings))} == {names["aaa-a"]}
        assert [row.code for row in connection.execute(scope.select(agencies))] == ["aaa-a"]
        assert [row.code for row in connection.execute(scope.select(agencies.alias()))] == ["aaa-a"]
        assert str(scope.where(rounds)) == str(mine.where(rounds)), "a round is the province's"
        assert len(connection.execute(scope.province.select(agencies)).all()) == 2
    assert scope.of_agency(names["aaa-b"]) == scope
    assert mine.of_agency(names["aaa-b"]).agency_id == names["aaa-b"]
