"""The reading process' work: a CSV, XLSX or JSON file as raw rows, in whatever encoding; nothing believed or dropped.

CSV: UTF-8 with or without BOM, UTF-16 (with BOM, or recognised by its zero bytes), UTF-32 with BOM, Windows-1258,
TCVN3, VNI. Separator `,` `;` tab or `|`: the one with which most cells of the header are known. XLSX: `workbooks`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any

from pipeline.text import one_line
from server.tabular.cells import Counted, Send
from server.tabular.encodings import encoding_of
from server.tabular.json_records import json_rows
from server.tabular.labels import plain
from server.tabular.records import Bounds, Outcome, RefusedError
from server.tabular.workbooks import xlsx

HEADER_ROWS = 20
"""Titles may stand above the header: it is looked for in so many rows."""


def parse(path: Path, suffix: str, known: Collection[str], bounds: Bounds, send: Send) -> Outcome:
    """Send every row of the file. `known`: plain names of columns, to find the separator. Raises `RefusedError`."""
    counted = Counted(bounds, send)
    if suffix in (".xlsx", ".xlsm"):
        return xlsx(path, counted)
    if suffix == ".json":
        return _json(path, counted)
    if suffix == ".xls":
        raise RefusedError("old_xls")
    return _csv(path, known, counted)


def _csv(path: Path, known: Collection[str], out: Counted) -> Outcome:
    encoding = encoding_of(path)
    size = max(1, path.stat().st_size)
    with path.open("rb") as raw:
        # A byte that the encoding lacks becomes the replacement character: an error of its row, not of the file.
        text = io.TextIOWrapper(raw, encoding.codec, errors="replace", newline="")
        lines = (encoding.turned(line) for line in text)
        sample = [line for _, line in zip(range(HEADER_ROWS), lines, strict=False)]
        separator, width = _separator(sample, known)
        taken: list[str] = []  # lines of the record that is being read

        def all_lines() -> Iterator[str]:
            for line in chain(sample, lines):
                taken.append(line)
                yield line

        out.start("")
        # strict: what stands between a closing quotation mark and the separator would be joined to the cell
        reader = csv.reader(all_lines(), delimiter=separator, strict=True)
        for number in count(1):
            marks: list[tuple[int, str, str]] = []
            try:
                values = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                values, marks = [], [(0, "stray" if "expected after" in str(error) else "csv", "")]
            if len(taken) > 1 and _swallowed(taken, separator, width):
                marks = [(0, "quote", "")]
            taken.clear()
            out.row(number, values, marks, _share(raw, size), len(values))
    return Outcome(encoding=encoding.name, separator=separator)


def _swallowed(lines: list[str], separator: str, width: int) -> bool:
    """Whether a record of several lines holds rows within a cell, behind a quotation mark that is not closed, or not
    before another row's. `width`: cells of the header."""
    if sum(line.count('"') for line in lines) % 2:
        return True
    if width < 3:
        return False
    for line in lines[1:]:
        quote = line.find('"')
        # behind a mark that closes the record's first cell come that record's own cells
        if 0 <= quote < line.find(separator):
            continue
        if line.count(separator) >= width - 1 and len(next(csv.reader([line], delimiter=separator))) == width:
            return True
    return False


def _json(path: Path, out: Counted) -> Outcome:
    out.start("")
    rows = json_rows(path)
    for number, values in enumerate(rows, start=1):
        out.row(number, values, [], number / len(rows), len(values))
    return Outcome(encoding="UTF-8")


def _share(raw: Any, size: int) -> float:
    return min(1.0, float(raw.tell()) / size)


def _separator(sample: list[str], known: Collection[str]) -> tuple[str, int]:
    """The separator with which most header cells are recognised; of two that tie, the one that makes more cells. And
    how many cells that row has."""

    def found(separator: str) -> tuple[int, int]:
        rows = csv.reader(sample, delimiter=separator)
        try:
            return max(
                ((sum(1 for cell in row if plain(one_line(cell)) in known), len(row)) for row in rows), default=(0, 0)
            )
        except csv.Error:
            return 0, 0

    best = max((",", ";", "\t", "|"), key=found)
    return best, found(best)[1]
