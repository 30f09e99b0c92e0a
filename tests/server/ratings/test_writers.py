"""Nobody but `server.ratings.store` writes to the tables of ratings, and every writer goes through the gate."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

import server

SERVER = Path(server.__file__).parent
TABLES = {"ratings", "unfit_sheets"}
STATEMENTS = {"insert", "update", "delete"}
WORDS = re.compile("ratings|unfit_sheets|server.store.archive|Admitted|Rating", re.IGNORECASE)
DOOR = "ratings/store.py"
WRITERS = {
    "boxes/store_messages.py",
    "channels/gateway/gateway.py",
    "channels/online/page.py",
    "channels/paper/paper.py",
    "channels/zalo/polling.py",
    "feedback/page.py",
    "ratings/batches.py",
    "simulation/past.py",
    "simulation/province.py",
}
"""Who stores ratings: tablets, SMS and calls, Zalo, online, paper, hotline, files, the simulation."""


@pytest.fixture(scope="module")
def sources() -> dict[str, ast.Module]:
    """The server's modules that say a word of the rules below, whatever its case."""
    paths = {path.relative_to(SERVER).as_posix(): path for path in sorted(SERVER.rglob("*.py"))}
    texts = {name: path.read_text("utf-8") for name, path in paths.items() if "migrations" not in name}
    return {name: ast.parse(text) for name, text in texts.items() if WORDS.search(text)}


def writes(tree: ast.AST) -> list[int]:
    """Lines with a statement that writes to a table of ratings: `insert(ratings)`, `ratings.insert()`,
    `scope.update(ratings)`, `insert_row(connection, ratings, ...)`, or SQL as text."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.casefold().split()
            named = {other for one, other in pairwise(words) if one in ("into", "update", "from")}
            if named & TABLES and words[0] in STATEMENTS:
                lines.append(node.lineno)
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        named = {argument.id for argument in node.args if isinstance(argument, ast.Name)}
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            named.add(function.value.id)
        if name in STATEMENTS | {"insert_row"} and named & TABLES:
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    "text",
    [
        "connection.execute(insert(ratings), rows)",
        "connection.execute(ratings.insert(), rows)",
        "scope.update(ratings).values(a00=5)",
        "insert_row(connection, ratings, values)",
        "scope.insert(connection, unfit_sheets, values)",
        "delete(ratings)",
        "connection.exec_driver_sql('UPDATE ratings SET a00 = 5')",
        "connection.exec_driver_sql('INSERT INTO ratings VALUES (1)')",
    ],
)
def test_the_lint_sees_what_it_forbids(text: str) -> None:
    assert writes(ast.parse(text)) == [1]


def test_nobody_else_writes_ratings(sources: dict[str, ast.Module]) -> None:
    found = {name: lines for name, tree in sources.items() if (lines := writes(tree))}
    assert set(found) == {DOOR}, f"use server.ratings.store: {found}"


def _imported(tree: ast.AST, module: str) -> set[str]:
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def test_the_writers_are_these(sources: dict[str, ast.Module]) -> None:
    assert {name for name, tree in sources.items() if "add" in _imported(tree, "server.ratings.store")} == WRITERS
    assert {name for name, tree in sources.items() if _imported(tree, "server.store.archive")} <= {
        "commands/backup.py",
        "commands/drill.py",  # into a store in memory
        "commands/restore.py",
        "commands/verify.py",  # these two read
        "retention/verify.py",
    }


def _calls(tree: ast.AST, name: str) -> int:
    return sum(isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name for n in ast.walk(tree))


def test_what_is_stored_has_passed_the_gate(sources: dict[str, ast.Module]) -> None:
    """`Admitted` is made by the gate alone, a `Rating` by its own check alone; `add` takes nothing else (mypy)."""
    for name, tree in sources.items():
        assert not _calls(tree, "Admitted") or name == "ratings/admission.py", name
        assert not _calls(tree, "Rating"), name


def test_no_function_of_ratings_takes_fourteen_arguments() -> None:
    """The most: Rating.checked. (`store_sheet` took 14.)"""
    counts = {
        f"{path.relative_to(SERVER)}:{node.name}": len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
        for folder in ("ratings", "channels")
        for path in sorted((SERVER / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert max(counts.values()) <= 11, sorted(counts.items(), key=lambda item: -item[1])[:3]
