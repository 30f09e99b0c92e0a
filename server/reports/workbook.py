"""The index as a workbook: one sheet for each dimension, figures as numbers."""

from __future__ import annotations

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.instruments import OVERALL, Instrument
from pipeline.language import Message, translator
from server.core.labels import DIMENSION_NAMES, INSTRUMENT_PARTS, POOLING_NAMES
from server.scores.index import WHOLE, IndexResult
from server.tabular.writing import add_row

_HEAD = (
    Message("Code"),
    Message("Name"),
    Message("Sheets"),
    Message("Transactions"),
    Message("Response rate"),
    Message("Figure"),
    Message("Figure code"),
    Message("Valid answers"),
    Message("Satisfied"),
    Message("Index"),
    Message("95 % low"),
    Message("95 % high"),
    Message("Design effect"),
    Message("Weighted"),
    Message("Weighted low"),
    Message("Weighted high"),
    Message("Adjusted for channels"),
    Message("Note"),
)


def _texts(instrument: Instrument, lang: str) -> dict[str, str]:
    _ = translator(lang)
    texts = {WHOLE: _("Index of the whole"), OVERALL: _(instrument.overall)}
    texts |= {item.code: _(item) for item in instrument.scored}
    texts |= {factor.code: _(factor) for factor in instrument.factors}
    texts |= {block.code: _(block) for block in instrument.blocks}
    return texts


def index_sheets(result: IndexResult, instrument: Instrument, lang: str = "vi") -> Workbook:
    """A workbook of the whole index: a sheet of explanations, one for each dimension, effects of channels, set
    aside."""
    _ = translator(lang)
    book = Workbook()
    first = book.active
    assert isinstance(first, Worksheet)
    first.title = _("About")
    about: list[tuple[str, str | int]] = [
        (_("Province"), _(result.province_name)),
        (_("Period"), result.period),
        (_("Instrument"), f"{result.instrument} v{result.instrument_version}"),
        (_("The whole"), _(POOLING_NAMES[result.pooling])),
        (_("Sheets with the overall question alone"), sum(place.overall_alone for place in result.of("province"))),
        (_("Suppressed below"), result.suppress_below),
        (_("Simulated"), _("yes") if result.simulated else _("no")),
        (_("Not confirmed in a text"), ", ".join(_(INSTRUMENT_PARTS.get(part, part)) for part in instrument.recalled)),
    ]
    for row in about:
        add_row(first, row)
    first.column_dimensions["A"].width, first.column_dimensions["B"].width = 28, 70
    texts = _texts(instrument, lang)
    wide = frozenset({_("Name"), _("Figure"), _("Reason")})
    for dimension, title in DIMENSION_NAMES.items():
        places = result.of(dimension)
        if not places:
            continue
        sheet = book.create_sheet(_(title))
        add_row(sheet, [_(name) for name in _HEAD])
        for place in places:
            for f in place.figures:
                note = _(result.why_hidden(dimension)) if f.suppressed else ""
                add_row(
                    sheet,
                    (
                        place.key,
                        _(place.name),
                        place.sheets,
                        place.transactions,
                        place.response_rate,
                        texts[f.item],
                        f.item,
                        f.valid,
                        f.satisfied,
                        f.index,
                        f.low,
                        f.high,
                        f.design_effect,
                        f.weighted,
                        f.weighted_low,
                        f.weighted_high,
                        f.adjusted,
                        note,
                    ),
                )
        _dress(sheet, wide)
    effects = book.create_sheet(_("Channel effects"))
    add_row(effects, (_("Channel"), _("Figure"), _("Effect"), _("Error"), _("Answers")))  # fmt: skip
    for one in result.effects:
        add_row(effects, (one.channel, one.item, one.effect, one.error, one.valid))
    _dress(effects, wide)
    aside = book.create_sheet(_("Sheets set aside"))
    add_row(aside, (_("Agency"), _("Channel"), _("Reason"), _("Sheets")))
    for held in result.set_aside:
        add_row(aside, (held.agency, held.channel, _(held.reason), held.sheets))
    _dress(aside, wide)
    return book


def _dress(sheet: Worksheet, wide: frozenset[str]) -> None:
    """Bold header that stays in view, a filter, widths, one decimal for figures."""
    fill = PatternFill("solid", fgColor="E3EDF2")
    for column, cell in enumerate(sheet[1], start=1):
        cell.font, cell.fill = Font(bold=True), fill
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.column_dimensions[get_column_letter(column)].width = 44 if cell.value in wide else 13
    sheet.freeze_panes = "C2"
    sheet.auto_filter.ref = sheet.dimensions
    for row in sheet.iter_rows(min_row=2):
        for cell in row:
            if isinstance(cell.value, float):
                cell.number_format = "0.0%" if cell.column == 5 and cell.value <= 1.5 else "0.0"
