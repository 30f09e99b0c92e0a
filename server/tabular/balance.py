"""What became of every row, column, sheet and cell of a file: it adds up, or the import is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pipeline.language import Message


@dataclass(slots=True)
class SheetBalance:
    """One worksheet (or a whole text file, without a name). `used`: whether it has the columns that are needed.

    `header_row`: 0 where none was found; `header_width`: its cells as written, empty ones included, 0 where the format
    does not say. `columns`: (heading, the column that it was read as; empty: ignored)."""

    name: str
    used: bool = False
    header_row: int = 0
    rows: int = 0
    columns: list[tuple[str, str]] = field(default_factory=list)
    header_width: int = 0


@dataclass(slots=True)
class Balance:
    """Counts of a file's rows and cells that are not empty, and the names of what was left out.

    Rows: `read` = `heading` (titles and the header) + `used` + `refused` + `ignored` (of sheets that are not used).
    Cells: `cells` = `cells_heading` + `cells_used` + `cells_ignored` + `cells_refused`."""

    encoding: str = ""
    sheets: list[SheetBalance] = field(default_factory=list)
    rows: int = 0
    rows_heading: int = 0
    rows_used: int = 0
    rows_refused: int = 0
    rows_ignored: int = 0
    rows_short: int = 0
    """Used rows that end before the last column: the cells that they lack count as empty."""
    rows_hidden: int = 0
    """Used or refused rows that the spreadsheet does not show: hidden, filtered out, or on a hidden worksheet."""
    columns_hidden: list[str] = field(default_factory=list)
    """Headings of used columns that the spreadsheet does not show."""
    cells: int = 0
    cells_heading: int = 0
    cells_used: int = 0
    cells_ignored: int = 0
    cells_refused: int = 0
    cells_cleaned: int = 0
    """Used cells from which characters without width or marks of direction were taken out."""
    cells_filled: int = 0
    """Empty cells that took the value of the cell that they are merged with."""
    cells_struck: int = 0
    """Used cells that are struck out in the spreadsheet."""
    not_answered: Counter[str] = field(default_factory=Counter)
    """Codes that stand for no answer, and how often; without the empty cell."""
    levels: Counter[int] = field(default_factory=Counter)
    """How many answers of the five-point scale were read as each level."""
    states: Counter[str] = field(default_factory=Counter)
    """What a form program says became of the sheets that were let in, and how often."""
    times_open: int = 0
    """Rows whose time says nothing of its zone."""
    times_moved: int = 0
    """Those of them that would be of another day if the time were UTC; 0 where the zone was said."""
    days_doubtful: int = 0
    """Rows whose day reads as another with the month first, where no row shows that the day is."""
    again: int = 0
    """Sheets as earlier files brought them, for the same agencies, days and channel: nearly all that they brought."""
    twice: int = 0
    """Sheets without a number of their own that stand in the file before, with the same agency, day and answers."""
    doubts: list[tuple[Message, str]] = field(default_factory=list)
    """(what makes it doubtful that the answers are 1 to 5 with 5 the best, a figure)."""

    @property
    def adds_up(self) -> bool:
        """Whether every row and cell is accounted for."""
        return (
            self.rows == self.rows_heading + self.rows_used + self.rows_refused + self.rows_ignored
            and self.cells == self.cells_heading + self.cells_used + self.cells_ignored + self.cells_refused
        )

    @property
    def ignored_columns(self) -> list[str]:
        """Headings of used sheets that were left out; with the sheet's name where there are several."""
        several = len([sheet for sheet in self.sheets if sheet.used]) > 1
        return [
            f"{sheet.name}: {heading}" if several else heading
            for sheet in self.sheets
            if sheet.used
            for heading, name in sheet.columns
            if not name
        ]

    @property
    def ignored_sheets(self) -> list[str]:
        """Names of worksheets with rows that were left out."""
        return [sheet.name for sheet in self.sheets if not sheet.used and sheet.rows]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and the log."""
        return {
            "encoding": self.encoding,
            "rows": {
                "read": self.rows,
                "heading": self.rows_heading,
                "used": self.rows_used,
                "refused": self.rows_refused,
                "ignored": self.rows_ignored,
                "short": self.rows_short,
                "hidden": self.rows_hidden,
            },
            "cells": {
                "read": self.cells,
                "heading": self.cells_heading,
                "used": self.cells_used,
                "ignored": self.cells_ignored,
                "refused": self.cells_refused,
                "cleaned": self.cells_cleaned,
                "filled": self.cells_filled,
                "struck": self.cells_struck,
            },
            "columns": {
                "used": {h: name for sheet in self.sheets if sheet.used for h, name in sheet.columns if name},
                "ignored": self.ignored_columns,
                "hidden": self.columns_hidden,
            },
            "sheets": {
                "used": [sheet.name for sheet in self.sheets if sheet.used and sheet.name],
                "ignored": self.ignored_sheets,
            },
            "not_answered": dict(sorted(self.not_answered.items())),
            "levels": {str(level): count for level, count in sorted(self.levels.items())},
            "states": dict(sorted(self.states.items())),
            "times": {"without_zone": self.times_open, "another_day_if_utc": self.times_moved},
            "days_that_may_be_month_first": self.days_doubtful,
            "as_in_earlier_files": self.again,
            "twice_in_the_file": self.twice,
            "doubts": [f"{title}: {figure}" for title, figure in self.doubts],
            "adds_up": self.adds_up,
        }

    def counts(self) -> dict[str, int]:
        """The figures alone, without any name from the file: for the log of changes."""
        return {
            "rows_read": self.rows,
            "rows_used": self.rows_used,
            "rows_ignored": self.rows_ignored,
            "rows_hidden": self.rows_hidden,
            "columns_hidden": len(self.columns_hidden),
            "cells_struck": self.cells_struck,
            "cells_read": self.cells,
            "cells_used": self.cells_used,
            "cells_ignored": self.cells_ignored,
            "columns_ignored": len(self.ignored_columns),
            "sheets_ignored": len(self.ignored_sheets),
        }
