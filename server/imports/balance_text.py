"""What an import answers, in words: the same on the page and by the command."""

from __future__ import annotations

from pipeline.language import Message
from server.tabular.balance import Balance
from server.tabular.scales import told_levels

COLUMNS = (Message("Read"), Message("Headings"), Message("Taken in"), Message("Ignored"), Message("Refused"))
"""Of the table of `counts`."""


def counts(balance: Balance) -> tuple[tuple[Message, tuple[int, ...]], ...]:
    """(title, a count for each of `COLUMNS`) of rows and of cells."""
    return (
        (
            Message("Rows"),
            (balance.rows, balance.rows_heading, balance.rows_used, balance.rows_ignored, balance.rows_refused),
        ),
        (
            Message("Cells with content"),
            (balance.cells, balance.cells_heading, balance.cells_used, balance.cells_ignored, balance.cells_refused),
        ),
    )


def notes(balance: Balance) -> list[tuple[Message, str]]:
    """(title, what is to be known of the file); what is nought or none is left out."""
    codes = ", ".join(f"{code} ({count})" for code, count in sorted(balance.not_answered.items()))
    found = (
        (Message("Encoding"), balance.encoding),
        (Message("Columns ignored"), ", ".join(heading or "?" for heading in balance.ignored_columns)),
        (Message("Worksheets ignored"), ", ".join(balance.ignored_sheets)),
        (Message("Rows that end before the last column (missing cells count as empty)"), balance.rows_short),
        (Message("Rows that the spreadsheet hides, and that were read"), balance.rows_hidden),
        (Message("Columns that the spreadsheet hides, and that were read"), ", ".join(balance.columns_hidden)),
        (Message("Cells that are struck out, and that were read"), balance.cells_struck),
        (Message("Cells from which unseen characters were taken out"), balance.cells_cleaned),
        (Message("Empty cells that took a merged cell's value"), balance.cells_filled),
        (Message("Codes of no answer"), codes),
        (Message("Answers read as 1 (very dissatisfied) to 5 (very satisfied)"), told_levels(balance.levels)),
        (
            Message("What the program that they come from says of the sheets"),
            ", ".join(f"{text} ({count})" for text, count in balance.states.most_common()),
        ),
        (Message("Times that say no zone"), balance.times_open),
        (
            Message("Of these, sheets of the day after if the times are UTC: say the zone (--zone, on the page: Zone)"),
            balance.times_moved,
        ),
        (
            Message(
                "Days that are another day with the month first, or with the year first, and no row tells: compare the "
                "first and the last day"
            ),
            balance.days_doubtful,
        ),
        (
            Message("Sheets as earlier files brought them for the same agencies, days and channel: are they new?"),
            balance.again,
        ),
        (
            Message("Sheets of the same agency and day with the same answers as one above: are they others?"),
            balance.twice,
        ),
        *balance.doubts,
    )
    return [(title, str(value)) for title, value in found if value]
