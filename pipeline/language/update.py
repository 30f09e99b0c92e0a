"""`make messages`: every sentence of the code, the templates and the models' cards into every catalogue.

New sentences come with an empty translation, sentences that nothing uses any more go. Sorted by sentence, one line each
and without places in the code, so that two people's additions rarely touch."""

from __future__ import annotations

import ast
import io
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

from pipeline.language.catalogues import SOURCE
from pipeline.language.help import sentences

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("pipeline", "models", "calibration", "edge", "server", "hailong", "benchmarks")
KEYWORDS: Final = {"_": None, "Message": None, "Plural": (1, 2), "for_catalogues": None}
"""Whose first arguments are sentences."""
ADDERS: Final = ("add_argument", "add")
"""How a command's module declares an argument (`add = parser.add_argument`, where there are many)."""
_DATED: Final = (
    '"POT-Creation-Date',
    '"PO-Revision-Date',
    '"Generated-By',
    '"Project-Id',
    '"Report-',
    '"Last-',
    '"Language-T',
)


def extracted(root: Path = ROOT) -> Catalog:
    """Every sentence in use: of code and templates, and what models' cards say of data, use and limits."""
    found = Catalog(charset="utf-8")
    with (root / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    for folder in FOLDERS:
        for _file, _line, text, _comments, _context in extract_from_dir(root / folder, methods, options, KEYWORDS):
            if text:
                found.add(text)
        for path in sorted((root / folder).rglob("*.py")):
            for text in of_command(path.read_text(encoding="utf-8")):
                found.add(text)
    for path in sorted((root / "models" / "cards").glob("*.toml")):
        card = tomllib.loads(path.read_text(encoding="utf-8"))
        for text in (
            card["called"],
            card["title"],
            card["intended_use"],
            *card.get("limits", ()),
            *card.get("not_for", ()),
        ):
            found.add(text)
        said = (text for data in card.get("data", ()) for text in (data["name"], data["terms"]))
        for text in (card["licence"], *said):
            if re.search(r"\b[a-z]{2,}", text):  # in words: no name, no identifier of SPDX
                found.add(text)
    return found


def of_command(source: str) -> Iterator[str]:
    """What a module tells `--help`: the docstring of a command or of a program of its own, and what is said of each
    argument that it declares."""
    if "add_argument" not in source:
        return
    tree = ast.parse(source)
    named = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if {"add_arguments", "run"} <= named or any(map(_is_parser, ast.walk(tree))):
        yield from sentences(ast.get_docstring(tree, clean=False) or "")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node.func) in ADDERS:
            said = {each.arg: each.value for each in node.keywords}
            if node.args and "choices" not in said and (name := _literal(node.args[0])) and name[0] != "-":
                yield name
            yield from filter(None, (_literal(said[key]) for key in ("help", "metavar") if key in said))


def _is_parser(node: ast.AST) -> bool:
    """Whether a program makes its own parser of its docstring: `Parser(name, __doc__)`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "Parser":
        return False
    return any(isinstance(given, ast.Name) and given.id == "__doc__" for given in node.args)


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr if function.attr == "add_argument" else ""
    return function.id if isinstance(function, ast.Name) else ""


def _literal(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def updated(path: Path, found: Catalog) -> Catalog:
    """A catalogue with all that is in use and nothing else; what is translated stays so. The catalogue of
    the source language holds only what it says otherwise than the code."""
    with path.open("rb") as file:
        old = read_po(file, abort_invalid=True)
    new = Catalog(header_comment=old.header_comment, charset="utf-8", fuzzy=False)
    new.mime_headers = old.mime_headers
    for message in found:
        if message.id:
            kept = old.get(message.id)
            said = kept.string if kept and not kept.fuzzy else None
            if path.stem != SOURCE or (all(said) if isinstance(said, tuple | list) else said):
                new.add(message.id, said)
    return new


def missing(catalogue: Catalog) -> Iterator[str]:
    """The sentences without a translation, as they would stand in the file."""
    for message in catalogue:
        if message.id and not (all(message.string) if isinstance(message.string, tuple | list) else message.string):
            yield str(message.id)


def write(path: Path, catalogue: Catalog) -> None:
    """A catalogue as its file: without the dates and programs of its header, on which every two changes would meet."""
    out = io.BytesIO()
    write_po(out, catalogue, width=0, sort_output=True)
    lines = out.getvalue().decode().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(_DATED)), encoding="utf-8")


def main() -> int:
    """Rewrite every catalogue; 1 where one lacks a translation."""
    found = extracted()
    lacking = 0
    for path in sorted(Path(__file__).parent.glob("*.po")):
        new = updated(path, found)
        write(path, new)
        without = [] if path.stem == SOURCE else list(missing(new))
        lacking += len(without)
        print(f"{path.name}: {len(new)} sentences, {len(without)} without a translation")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
