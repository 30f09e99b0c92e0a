"""Texts of a worksheet that stand in none of its cells: comments, prompts of fields, text boxes, what is printed above
and below. People write there what their numbers mean."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from typing import Any

from pipeline.text import one_line

MAX_TEXTS = 1_000
MAX_LETTERS = 4_000
_PLACE = re.compile(r"([A-Z]{1,3})\d{1,7}")
_CODES = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|\d{1,3}|[A-Za-z])')
"""Within what is printed above a page: where, in which font, how large."""
_NAMES = re.compile(rb"dataValidation|(?:odd|even|first)(?:Header|Footer)")
_LONGEST = 20
"""More than any of these names."""
_PIECE = 1 << 20
_PRINTED = ("oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter")


def texts_beside(archive: zipfile.ZipFile, part: str) -> list[tuple[int, str]]:
    """(column from 0, or -1 for the whole sheet; text) of each. `part`: the worksheet's.

    Raises what zipfile and the parser of XML raise."""
    found: dict[tuple[int, str], None] = {}
    names = set(archive.namelist())
    for column, text in (*_of_sheet(archive, part), *_of_others(archive, part, names)):
        if len(found) < MAX_TEXTS and (plain := one_line(text)[:MAX_LETTERS]):
            found[column, plain] = None
    return list(found)


def _elements(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[str, Any]]:
    """(name without its namespace, element) of a part, each at its end; rows of cells are let go of."""
    from openpyxl.xml.functions import iterparse

    with archive.open(part) as file:
        for _, element in iterparse(file):
            name = str(element.tag).rpartition("}")[2]
            yield name, element
            if name == "row":
                element.clear()


def _may_hold(archive: zipfile.ZipFile, part: str) -> bool:
    """Whether a worksheet's part names what is looked for, or is not written in single bytes: reading all its cells
    once more takes a quarter of the time that the import takes."""
    last = b""
    with archive.open(part) as file:
        while piece := file.read(_PIECE):
            if b"\0" in piece or _NAMES.search(last + piece):
                return True
            last = (last + piece)[-_LONGEST:]
    return False


def _column(reference: str) -> int:
    from openpyxl.utils import column_index_from_string

    found = _PLACE.match(reference)
    return column_index_from_string(found[1]) - 1 if found else -1


def _of_sheet(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[int, str]]:
    """Of the worksheet's own part: what is printed about it, and what a field may hold."""
    if not _may_hold(archive, part):
        return
    for name, element in _elements(archive, part):
        if name in _PRINTED and element.text:
            yield -1, _CODES.sub(" ", element.text)
        elif name == "dataValidation":
            ranges = str(element.get("sqref") or "").split()[:100]
            told = [element.get(key) for key in ("promptTitle", "prompt", "errorTitle", "error")]
            ends = [element.findtext(f"{{*}}formula{n}") or "" for n in (1, 2)]
            if element.get("type") in ("whole", "decimal") and element.get("operator", "between") == "between":
                told.append(f"({ends[0]}-{ends[1]})")
            for text in filter(None, told):
                yield from ((_column(one), text) for one in ranges)


def _of_others(archive: zipfile.ZipFile, part: str, names: set[str]) -> Iterator[tuple[int, str]]:
    """Of the parts that the worksheet leads to: comments and text boxes."""
    from openpyxl.packaging.relationship import get_dependents, get_rels_path

    rels = str(get_rels_path(part))  # type: ignore[no-untyped-call]
    for relation in get_dependents(archive, rels) if rels in names else ():
        kind = relation.Type.rpartition("/")[2]
        if relation.TargetMode == "External" or relation.target not in names:
            continue
        if kind in ("comments", "threadedComment"):
            for name, element in _elements(archive, relation.target):
                if name in ("comment", "threadedComment"):
                    yield _column(element.get("ref") or ""), " ".join(element.itertext())
        elif kind == "drawing":
            for name, element in _elements(archive, relation.target):
                if name == "txBody":
                    yield -1, " ".join(element.itertext())
