"""One name for one thing: the glossary's names are in the code, and what it says not to use is not."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("edge", "models", "pipeline", "calibration", "server", "hailong", "benchmarks")
ROW = re.compile(r"^\| ([^|]+) \| ([^|]*) \| ([^|]+) \| ([^|]+) \|([^|]*)\|$", re.MULTILINE)


def rows() -> list[tuple[str, list[str], list[str]]]:
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    found = ROW.findall(text)
    return [
        (term, re.findall(r"`(\w+)`", used), unused.replace(",", " ").split()) for term, used, _, _, unused in found
    ][1:]


@cache
def identifiers() -> frozenset[str]:
    """Every name in the code: identifiers, not comments or texts."""
    names: set[str] = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
            names |= {token.string for token in tokens if token.type == tokenize.NAME}
    return frozenset(names)


@pytest.mark.parametrize(("term", "used", "unused"), rows(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_thing_has_one_name(term: str, used: list[str], unused: list[str]) -> None:
    assert used, f"{term}: which name does the code use?"
    assert set(used) <= identifiers(), f"{term}: the code has no such name"
    for name in unused:
        wrong = {found for found in identifiers() if re.fullmatch(rf"_?(\w+_)?{name}s?(_\w+)?", found)}
        assert wrong == set(), f"{term}: the glossary says not to say {name}"


def test_the_glossary_is_a_list_to_be_read() -> None:
    assert 30 <= len(rows()) <= 60
    assert len({term for term, _, _ in rows()}) == len(rows())


def test_bounds_are_called_min_and_max() -> None:
    assert {name for name in identifiers() if re.match(r"_?(MOST|LEAST)_", name)} == set()


def test_no_public_function_or_class_has_a_name_that_says_nothing() -> None:
    """`told` told what, `asked` whom: a name that is used elsewhere says it."""
    vague = {"told", "tell", "asked", "mine", "there", "keeper"}
    named = re.compile(rf"(?:def|class)\s+(?:{'|'.join(vague)})\b", re.IGNORECASE)  # what is worth reading whole
    texts = {path: path.read_text(encoding="utf-8") for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path, text in texts.items()
        if named.search(text)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        if node.name.lower() in vague
    ]
    assert found == []
