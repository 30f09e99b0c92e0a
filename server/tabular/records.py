"""What the reading process hands to the server: raw rows of clean cells with marks, and the bounds that it works in."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

SHEET_ROWS = 1_048_576
"""Rows of the largest worksheet that a spreadsheet program can hold."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one file may cost. `seconds`: of the processor; the larger a file, the more (`for_size`)."""

    rows: int = 2 * SHEET_ROWS
    columns: int = 1_000
    cells: int = 60_000_000
    sheets: int = 200
    memory_bytes: int = 1 << 30
    seconds: float = 15.0

    @classmethod
    def for_size(cls, file_bytes: int, patience: float = 1.0) -> Bounds:
        """Bounds of a file of that size: 15 s, and one more for every 64 KiB. `patience`: more for an operator's own
        command than for an upload."""
        return cls(seconds=patience * (15.0 + file_bytes / 65_536))


class SheetStart(msgspec.Struct, tag="s", array_like=True):
    """A worksheet begins; a text file is one without a name. `hidden`: columns from 0 that the spreadsheet does not
    show. `beside`: (column from 0, -1 for the whole sheet; text) of what stands beside its cells: comments, prompts of
    fields, text boxes, what is printed above and below."""

    name: str
    hidden: list[int] = []
    beside: list[tuple[int, str]] = []


class RawRow(msgspec.Struct, tag="r", array_like=True):
    """A row with something in it. `number`: as a spreadsheet shows it, 1 the first. `cells`: clean text, without empty
    ones at the end; `width`: cells as written, empty ones included, 0 where the format does not say. `marks`: (column
    from 0, code of `tables.MARKS`, detail). `done`: share of the file read, 0..1."""

    number: int
    cells: list[str]
    width: int
    marks: list[tuple[int, str, str]]
    done: float


Part = SheetStart | RawRow


class Outcome(msgspec.Struct):
    """The reading process' last word. `refused`: a code of `reading.REFUSALS`, empty where the file was read."""

    refused: str = ""
    detail: str = ""
    encoding: str = ""
    separator: str = ""


class RefusedError(Exception):
    """A file that cannot be read: `code` of `reading.REFUSALS`, `detail` for its text."""

    def __init__(self, code: str, detail: object = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = str(detail)
