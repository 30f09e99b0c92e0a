"""Tables as files, and what their columns mean."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from pipeline.errors import InvalidError
from pipeline.language import Joined, Message, in_language
from server.tabular.writing import CsvWriter, add_row

Row = dict[str, Any]
MAX_WORKBOOK_CELLS = 500_000
"""Cells of a table as a workbook; of more a spreadsheet takes long to open, and the server to write."""

COLUMNS: dict[str, Message] = {
    "period": Message("Period: year, quarter or month"),
    "agency": Message("Code of the agency"),
    "name": Message("Name"),
    "name_vi": Message("Name in Vietnamese"),
    "name_en": Message("Name in English"),
    "agency_level": Message("Level of the administration"),
    "service_group": Message("Service group; empty: the whole agency"),
    "method": Message("Estimator: explicit, efficiency, correction, small_area"),
    "index": Message("Index, 0..100"),
    "low": Message("Lower bound, 0..100"),
    "high": Message("Upper bound, 0..100"),
    "level": Message("Confidence level of the interval; of an agency: its level of the administration"),
    "n": Message("Ratings used"),
    "visits": Message("Known transactions, or the tables' noisy total"),
    "n_eff": Message("Ratings that a simple random sample would need for the same interval"),
    "rho": Message("Correlation of rating and calibrated signal, shrunken"),
    "lam": Message("Weight of the signal, 0..1"),
    "labels_saved": Message("Ratings that need not be collected"),
    "verdict": Message("Verdict on the signal: see docs/statistics.md"),
    "estimand": Message("What the interval claims to cover"),
    "design_effect": Message("Design effect, from dated ratings"),
    "reasons": Message("Codes of why it is wide, missing or was not fused"),
    "naive_shift": Message("Corrected minus explicit index, in points"),
    "response_z": Message("Standard errors by which respondents' levels differ"),
    "abstained_low": Message("Lower bound over visits without a level"),
    "abstained_high": Message("Upper bound over visits without a level"),
    "consent_low": Message("Lower bound over visitors who did not agree"),
    "consent_high": Message("Upper bound over visitors who did not agree"),
    "worst_low": Message("Lower bound that assumes nothing about unrated visits"),
    "worst_high": Message("Upper bound that assumes nothing about unrated visits"),
    "odds_1.5_low": Message("Lower bound at response odds ratio 1.5"),
    "odds_1.5_high": Message("Upper bound at response odds ratio 1.5"),
    "odds_2_low": Message("Lower bound at response odds ratio 2"),
    "odds_2_high": Message("Upper bound at response odds ratio 2"),
    "group": Message("Agencies that share a response curve"),
    "calibrated": Message("Whether enough pairs were seen to use the curve"),
    "boxes": Message("Boxes that the levels' meaning rests on"),
    "own_curve": Message("Whether only the agency's own boxes are used, as the group has fewer than three"),
    "moves": Message("Points by which the corrected index moves without the box that matters most"),
    "moved_by": Message("Number of that box"),
    "held": Message("Numbers of the boxes whose pairs lie too far from the others' to count in full"),
    "implicit_level": Message("Implicit level 0..4; 5: abstained; 6: not agreed"),
    "satisfied": Message("Share satisfied at this level, per cent"),
    "share_of_visits": Message("Share of visits at this level, per cent"),
    "pairs": Message("Pairs of level and rating (noisy)"),
    "pearson": Message("Pearson's correlation"),
    "spearman": Message("Spearman's correlation"),
    "kappa": Message("Cohen's kappa of 'looks content' with 'satisfied'"),
    "alpha": Message("Krippendorff's alpha of the same"),
    "abstained": Message("Share of visits without a level"),
    "looks": Message("How often its intervals may be looked at: every look, one look"),
    "agencies": Message("Agencies compared"),
    "measure": Message("Measure: pearson, spearman, ccc, mean_difference, limits"),
    "value": Message("Value"),
    "explicit": Message("Explicit index"),
    "implicit": Message("Implicit index: the curve's mean over all visits"),
    "mean": Message("Mean of both indices"),
    "difference": Message("Difference in points: implicit minus explicit, or the first minus the second"),
    "best": Message("Best rank that the figures allow"),
    "worst": Message("Worst rank that the figures allow"),
    "of": Message("Among so many: agencies of the level, transactions to draw from"),
    "kind": Message("What was tested for drift: levels, abstention, calibration, slow_change"),
    "statistic": Message("Test statistic"),
    "degrees": Message("Degrees of freedom"),
    "p_value": Message("P-value, before Holm's adjustment; empty for the CUSUM"),
    "alarm": Message("Whether it rang, at a known rate of false alarms"),
    "evidence": Message(
        "Evidence of change over all months so far (e-values added up); by chance alone about one for each month"
    ),
    "rings_at": Message("Evidence at which it rings: by chance alone after as many months on average"),
    "index_explicit": Message("Explicit index"),
    "dimension": Message("Dimension that the row is of"),
    "code": Message("Code of the place or group"),
    "figure": Message("Criterion, factor, or the whole"),
    "figure_kind": Message("Kind of the figure"),
    "valid": Message("Valid answers"),
    "weighted": Message("Index weighted to the transactions"),
    "adjusted": Message("Index adjusted to the province's mix of channels"),
    "id": Message("Code of the agency"),
    "index_fused": Message("Fused index; empty where nothing could be fused"),
    "fused": Message("Fused index"),
    "index_corrected": Message("Corrected index; empty where nothing could be corrected"),
    "corrected": Message("Corrected index"),
    "ci": Message("Fused index, or the explicit one where nothing was fused"),
    "n_explicit": Message("Explicit ratings"),
    "n_implicit": Message("Visits in the noisy tables (their noisy total)"),
    "transactions": Message("Known transactions"),
    "response_rate": Message("Share of the transactions that were rated"),
    "reason": Message("Code of the reason"),
    "unsatisfied": Message("Answers that are not satisfied, of which reasons were asked"),
    "sheets": Message("Sheets that name this reason"),
    "share": Message("Share of them, 0..100"),
    "left": Message("The first that is compared"),
    "right": Message("The second that is compared"),
    "origin": Message("Where the counts come from: the portal, or own dossiers"),
    "dossiers": Message("Dossiers"),
    "dossiers_good": Message("Dossiers neither late nor with a petition or a dislike"),
    "counts_until": Message("Last day of the counts, where they are of a part of the period"),
    "petitions": Message("Petitions"),
    "petitions_in_time": Message("Petitions answered in time"),
    "petitions_good": Message("Petitions neither disliked nor repeated nor late"),
    "in_time": Message("Petitions in time, points of Decision 766"),
    "good": Message("Answers that satisfied, points of Decision 766"),
    "total": Message("All three parts, points of Decision 766"),
    "enumerator": Message("Enumerator on whose list the form is"),
    "form": Message("Code of the form"),
    "state": Message("Where the form stands"),
    "recheck": Message("1: to be re-checked; empty before it has come back"),
    "transaction_number": Message("Number of the transaction that was drawn, from 1"),
}
"""Data dictionary: column -> what it means. `X_low`, `X_high` of a measure X are its bounds."""


_ENDINGS = (
    ("_low", Message("lower bound")),
    ("_high", Message("upper bound")),
    ("_index", Message("index")),
    ("_points", Message("points")),
)


def described(column: str) -> Message | Joined:
    """What a column means. Raises `KeyError` for one that nobody described."""
    if column in COLUMNS:
        return COLUMNS[column]
    for ending, of in _ENDINGS:
        base = column.removesuffix(ending)
        if base != column and base in COLUMNS:
            return Joined((COLUMNS[base], of), ", ")
    base, _, language = column.rpartition("_")
    if base in COLUMNS and re.fullmatch("[a-z]{2,3}", language):
        return Joined((COLUMNS[base], Message("in words ({language})", language=language)), ", ")
    raise KeyError(column)


def kinds_of(rows: Sequence[Row], names: Sequence[str]) -> dict[str, str]:
    """Of each column what it holds, as `server.tabular.metadata.Column.kind`; text where there is nothing."""
    found = {}
    for name in names:
        types = {type(row[name]) for row in rows if row.get(name) is not None}
        found[name] = (
            "boolean"
            if types == {bool}
            else "integer"
            if types == {int}
            else "number"
            if types and all(issubclass(each, (int, float)) and each is not bool for each in types)
            else "text"
        )
    return found


def columns_of(rows: Sequence[Row]) -> list[str]:
    """All columns, in the order in which they first occur."""
    return list(dict.fromkeys(name for row in rows for name in row))


def as_csv(rows: Sequence[Row], columns: Sequence[str] = ()) -> bytes:
    """CSV in UTF-8 with a byte-order mark, which spreadsheets need for Vietnamese; a missing value is empty. `columns`:
    where there may be no row."""
    text = io.StringIO(newline="")
    names = list(columns) or columns_of(rows)
    writer = CsvWriter(text)
    writer.row(names)
    writer.rows([row.get(name, "") for name in names] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def as_workbook(rows: Sequence[Row], lang: str, columns: Sequence[str] = ()) -> bytes:
    """XLSX with columns headed in words of a language, and a second sheet that says what each is called in the CSV.
    Numbers are numbers, whatever a spreadsheet takes for the decimal sign. Raises `InvalidError` for a table of more
    than `MAX_WORKBOOK_CELLS`."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    names = list(columns) or columns_of(rows)
    if len(rows) * len(names) > MAX_WORKBOOK_CELLS:
        raise InvalidError(Message("The table is too large for a workbook."), Message("Take it as CSV."))
    words = [in_language(described(name), lang) for name in names]
    book = Workbook(write_only=True)
    sheet = book.create_sheet(in_language(Message("Table"), lang))
    sheet.freeze_panes = "A2"
    for place, name in enumerate(names, start=1):
        is_text = any(isinstance(row.get(name), str) for row in rows)
        sheet.column_dimensions[get_column_letter(place)].width = 28 if is_text else 14
    heads = []
    for text in words:
        head = WriteOnlyCell(sheet, text)
        head.font, head.alignment = Font(bold=True), Alignment(wrap_text=True, vertical="top")
        heads.append(head)
    sheet.append(heads)
    for row in rows:
        add_row(sheet, [_plain(row.get(name)) for name in names])
    about = book.create_sheet(in_language(Message("Columns"), lang))
    about.column_dimensions["A"].width, about.column_dimensions["B"].width = 70, 28
    add_row(about, [in_language(said, lang) for said in (Message("Column"), Message("Called in the CSV file"))])
    for text, name in zip(words, names, strict=True):
        add_row(about, [text, name])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _plain(value: Any) -> Any:
    """What a cell of a workbook holds: numbers, texts and nothing as they are, of all others their text."""
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def as_parquet(rows: Sequence[Row], *, simulated: bool) -> bytes:
    """Parquet; each column's meaning, and whether the figures are simulated, stand in its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = columns_of(rows)
    table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
    fields = [field.with_metadata({"description": str(described(field.name))}) for field in table.schema]
    metadata = {"simulated": str(simulated).lower(), "program": "hailong"}
    out = io.BytesIO()
    pq.write_table(table.cast(pa.schema(fields, metadata)), out)
    return out.getvalue()
