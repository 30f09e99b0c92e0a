"""Every sentence of the code and the templates stands in every catalogue, translated, with its placeholders."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from pipeline.language.catalogues import DEFAULT, SOURCE, paths
from pipeline.language.message import PLACEHOLDER
from pipeline.language.update import FOLDERS, ROOT, extracted

SENTENCES = {"Message", "Plural", "for_catalogues"}
"""What is always called with a literal; `_` may also be given a message."""


@pytest.fixture(scope="module")
def used() -> Catalog:
    return extracted()


def _ids(catalogue: Catalog) -> set[str]:
    return {one for message in catalogue if message.id for one in _each(message.id)}


def _each(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text or "",) if text is None or isinstance(text, str) else tuple(text)


def _read(code: str) -> Catalog:
    with paths()[code].open("rb") as file:
        return read_po(file, abort_invalid=True)


def test_every_sentence_is_translated(used: Catalog) -> None:
    catalogue = _read(DEFAULT)
    lacking = [
        f"msgid {json.dumps(one, ensure_ascii=False)}\nmsgstr {json.dumps('...')}\n"
        for message in used
        if message.id
        for one in _each(message.id)
        if not (found := catalogue.get(message.id)) or not all(_each(found.string)) or found.fuzzy
    ]
    assert not lacking, (
        f"Say these in Vietnamese: add to {paths()[DEFAULT].relative_to(ROOT)}, anywhere (`make messages` sorts):\n\n"
        + "\n".join(lacking)
    )


@pytest.mark.parametrize("code", [DEFAULT, SOURCE])
def test_no_catalogue_holds_a_sentence_that_nothing_says(used: Catalog, code: str) -> None:
    left = sorted(_ids(_read(code)) - _ids(used))
    assert not left, f"Nothing says these any more: run `make messages`, or take them out of {code}.po:\n" + "\n".join(
        left
    )


@pytest.mark.parametrize("code", [DEFAULT, SOURCE])
def test_placeholders_agree(code: str) -> None:
    wrong = [
        (message.id, text)
        for message in _read(code)
        if message.id
        for text in _each(message.string)
        if text
        and set(PLACEHOLDER.findall(text)) - {"count"} != set(PLACEHOLDER.findall(_each(message.id)[0])) - {"count"}
    ]
    assert wrong == []


def test_no_catalogue_says_a_thing_twice() -> None:
    for path in paths().values():
        ids = re.findall(r'^msgid "(.+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(ids) == len(set(ids)), [one for one in set(ids) if ids.count(one) > 1]


def test_the_extractor_sees_every_sentence_of_the_code(used: Catalog) -> None:
    """A sentence inside an f-string, or put together from parts, would never be translated."""
    known, wrong = _ids(used), []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
            for node in ast.walk(tree):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                    continue
                first = node.args[0]
                literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
                if node.func.id not in SENTENCES and not (node.func.id == "_" and (literal or id(node) in inside)):
                    continue
                if path.parent.name == "language" and not literal:
                    continue  # the machinery itself
                if not literal and not (node.func.id == "_" and not isinstance(first, ast.JoinedStr)):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: not a literal")
                elif isinstance(first, ast.Constant) and first.value not in known:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {first.value!r}")
    assert wrong == []


def test_the_extractor_reads_every_template(used: Catalog) -> None:
    """Babel passes over a template that it cannot parse."""
    known = _ids(used)
    environment = Environment(autoescape=True)
    for path in sorted(ROOT.glob("*/**/templates/**/*.html")):
        if path.parts[len(ROOT.parts)] in FOLDERS:
            for text in _sentences(environment, path):
                assert text in known, f"{path.relative_to(ROOT)}: {text}"


def _sentences(environment: Environment, path: Path) -> list[str]:
    tree = environment.parse(path.read_text(encoding="utf-8"))
    found = extract_from_ast(tree, ("_",), babel_style=False)
    return [texts[0] for _line, _name, texts in found if texts and isinstance(texts[0], str)]
