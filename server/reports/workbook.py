"""The index as a workbook: one sheet for each dimension, figures as numbers."""

from __future__ import annotations

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.instruments import Instrument
from server.core.labels import DIMENSION_NAMES, POOLING_NAMES
from server.scores.index import WHOLE, IndexResult

_HEAD = (
    ("Mã", "Code"),
    ("Tên", "Name"),
    ("Phiếu", "Sheets"),
    ("Giao dịch", "Transactions"),
    ("Tỷ lệ trả lời", "Response rate"),
    ("Nội dung", "Figure"),
    ("Mã nội dung", "Figure code"),
    ("Câu trả lời hợp lệ", "Valid answers"),
    ("Hài lòng", "Satisfied"),
    ("Chỉ số", "Index"),
    ("95 % dưới", "95 % low"),
    ("95 % trên", "95 % high"),
    ("Deff", "Design effect"),
    ("Có trọng số", "Weighted"),
    ("TS dưới", "Weighted low"),
    ("TS trên", "Weighted high"),
    ("Theo kênh", "Adjusted for channels"),
    ("Ghi chú", "Note"),
)


def _texts(instrument: Instrument, lang: str) -> dict[str, str]:
    vi = lang == "vi"
    texts = {WHOLE: "Chỉ số chung" if vi else "Index of the whole"}
    texts["overall"] = instrument.overall.vi if vi else instrument.overall.en
    texts |= {item.code: item.vi if vi else item.en for item in instrument.items}
    texts |= {factor.code: factor.vi if vi else factor.en for factor in instrument.factors}
    return texts


def index_sheets(result: IndexResult, instrument: Instrument, lang: str = "vi") -> Workbook:
    """A workbook of the whole index: a sheet of explanations, one for each dimension, effects of channels, set
    aside."""
    vi = lang == "vi"
    book = Workbook()
    first = book.active
    assert isinstance(first, Worksheet)
    first.title = "Thông tin" if vi else "About"
    about: list[tuple[str, str | int]] = [
        ("Tỉnh" if vi else "Province", result.province_vi if vi else result.province_en),
        ("Kỳ" if vi else "Period", result.period),
        ("Bộ câu hỏi" if vi else "Instrument", f"{result.instrument} v{result.instrument_version}"),
        ("Chỉ số chung" if vi else "The whole", POOLING_NAMES[result.pooling][0 if vi else 1]),
        ("Không công bố dưới" if vi else "Suppressed below", result.suppress_below),
        ("Mô phỏng" if vi else "Simulated", ("có" if vi else "yes") if result.simulated else ("không" if vi else "no")),
        ("Chưa đối chiếu văn bản" if vi else "Not confirmed in a text", ", ".join(instrument.recalled)),
    ]
    for row in about:
        first.append(row)
    first.column_dimensions["A"].width, first.column_dimensions["B"].width = 28, 70
    texts = _texts(instrument, lang)
    for dimension, titles in DIMENSION_NAMES.items():
        places = result.of(dimension)
        if not places:
            continue
        sheet = book.create_sheet(titles[0 if vi else 1])
        sheet.append([names[0 if vi else 1] for names in _HEAD])
        for place in places:
            for f in place.figures:
                note = ("quá ít câu trả lời" if vi else "too few answers") if f.suppressed else ""
                sheet.append(
                    (
                        place.key,
                        place.name_vi if vi else place.name_en,
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
                    )
                )
        _dress(sheet)
    effects = book.create_sheet("Chênh lệch kênh" if vi else "Channel effects")
    effects.append(("Kênh", "Nội dung", "Chênh lệch", "Sai số", "Câu trả lời") if vi else
                   ("Channel", "Figure", "Effect", "Error", "Answers"))  # fmt: skip
    for one in result.effects:
        effects.append((one.channel, one.item, one.effect, one.error, one.valid))
    _dress(effects)
    aside = book.create_sheet("Phiếu nghi vấn" if vi else "Set aside")
    aside.append(("Cơ quan", "Kênh", "Lý do", "Số phiếu") if vi else ("Agency", "Channel", "Reason", "Sheets"))
    for held in result.set_aside:
        aside.append((held.agency, held.channel, held.reason_vi if vi else held.reason_en, held.sheets))
    _dress(aside)
    return book


def _dress(sheet: Worksheet) -> None:
    """Bold header that stays in view, a filter, widths, one decimal for figures."""
    fill = PatternFill("solid", fgColor="E3EDF2")
    for column, cell in enumerate(sheet[1], start=1):
        cell.font, cell.fill = Font(bold=True), fill
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        wide = cell.value in ("Tên", "Name", "Nội dung", "Figure", "Lý do", "Reason")
        sheet.column_dimensions[get_column_letter(column)].width = 44 if wide else 13
    sheet.freeze_panes = "C2"
    sheet.auto_filter.ref = sheet.dimensions
    for row in sheet.iter_rows(min_row=2):
        for cell in row:
            if isinstance(cell.value, float):
                cell.number_format = "0.0%" if cell.column == 5 and cell.value <= 1.5 else "0.0"
