"""Templates of the files that can be imported: the columns of a kind by the names under which they are recognised."""

from __future__ import annotations

import io
from dataclasses import dataclass

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.instruments import Instrument
from pipeline.language import languages, translator
from server.tabular.columns import ALIASES
from server.tabular.spec import ImportSpec
from server.tabular.writing import CsvWriter, add_row


@dataclass(frozen=True, slots=True)
class ColumnHelp:
    """One column. `names`: further headings under which it is recognised; `text`: of a question its words."""

    name: str
    required: bool
    names: tuple[str, ...]
    text: str = ""


def columns_of(spec: ImportSpec, instrument: Instrument | None, lang: str) -> list[ColumnHelp]:
    """The columns of a kind; of answer sheets one for each question of the instrument as well."""

    def one(name: str, required: bool) -> ColumnHelp:
        return ColumnHelp(name, required, tuple(other for other in ALIASES.get(name, ()) if other != name))

    listed = [*spec.required, *spec.optional]
    more = [name for code in languages() if (name := f"name_{code}") not in listed] if spec.any_name else []
    found = [*(one(name, True) for name in spec.required), *(one(name, False) for name in (*spec.optional, *more))]
    if "instrument" in spec.options and instrument is not None:
        _ = translator(lang)
        known = {column.name for column in found}
        if "overall" not in known:
            found.append(ColumnHelp("overall", False, ALIASES.get("overall", ()), _(instrument.overall)))
        found += [ColumnHelp(item.code, False, (), _(item)) for item in instrument.items if item.code not in known]
    return found


def template_csv(columns: list[ColumnHelp]) -> bytes:
    """The head of a file, for a spreadsheet: UTF-8 with a byte-order mark."""
    text = io.StringIO(newline="")
    CsvWriter(text).row([column.name for column in columns])
    return text.getvalue().encode("utf-8-sig")


def template_xlsx(columns: list[ColumnHelp], lang: str) -> bytes:
    """The head of a file as a workbook of one sheet, which is imported as it is."""
    _ = translator(lang)
    book = Workbook()
    head = book.active
    assert isinstance(head, Worksheet)
    head.title = _("Data")
    add_row(head, [column.name for column in columns])
    for cell in head[1]:
        cell.font = Font(bold=True)
    head.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
