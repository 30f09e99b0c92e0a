"""A document as a DOCX that the province's office can edit, laid out as Decree 30/2020/NĐ-CP, appendix I, says."""

from __future__ import annotations

import io
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from pipeline.text import tidy_all
from server.documents.blocks import Block, ChartBlock, Heading, ListBlock, Paragraph, Report, TableBlock
from server.documents.frame import BODY_PT, FONTS, MARGINS_MM, SHORT_TABLE, TABLE_PT, WIDE_FROM, WIDE_TABLE_PT, Frame

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
"""Media type of a DOCX."""
FONT = FONTS[0]
TALLEST_MM = 225
"""Of a picture, so that its caption stands below it on the same page."""
TEXT_MM = 210 - MARGINS_MM["left"] - MARGINS_MM["right"]
_CELL_MARGIN_TWIPS = 60
_RED = (0xA1, 0x1D, 0x2C)
MAX_TITLE = 255
"""Of the property; the heading on the page is whole."""


def report_docx(report: Report) -> bytes:
    """The document as a DOCX (A4)."""
    from docx import Document
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    report = tidy_all(report)
    document = Document()
    _set_up(document, report)
    _letterhead(document, report.frame)
    if report.frame.kind:
        _line(document, report.frame.kind, 14, bold=True, before=12)
    _line(document, report.title, 14, bold=True, before=0 if report.frame.kind else 12)
    if report.subtitle:
        _line(document, report.subtitle, 14, bold=True)
    _line(document, "_______________", 8, after=8)
    for block in report.blocks:
        _block(document, block, WD_ALIGN_PARAGRAPH)
    _signature(document, report.frame)
    for block in report.annexes:
        _block(document, block, WD_ALIGN_PARAGRAPH)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _set_up(document: Any, report: Report) -> None:
    """Page, styles, properties, the number at the top of every page but the first."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Mm, Pt, RGBColor

    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin, section.right_margin = Mm(MARGINS_MM["left"]), Mm(MARGINS_MM["right"])
    section.top_margin, section.bottom_margin = Mm(MARGINS_MM["top"]), Mm(MARGINS_MM["bottom"])
    section.header_distance = Mm(10)
    section.different_first_page_header_footer = True
    for name in ("Normal", "Heading 1", "Heading 2", "Heading 3", "List Bullet"):
        style = document.styles[name]
        style.font.name, style.font.size = FONT, Pt(BODY_PT)
        style.font.color.rgb = RGBColor(0, 0, 0)
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for kind in ("w:ascii", "w:hAnsi", "w:eastAsia", "w:cs"):
            fonts.set(qn(kind), FONT)
        for theme in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
            fonts.attrib.pop(qn(theme), None)
        layout = style.paragraph_format
        layout.space_before, layout.space_after, layout.line_spacing = Pt(0), Pt(6), 1.0
    for level in (1, 2, 3):
        style = document.styles[f"Heading {level}"]
        style.font.bold, style.font.italic = True, False
        style.paragraph_format.space_before = Pt(12 if level == 1 else 6)
        style.paragraph_format.keep_with_next = True
    document.core_properties.title = report.title[:MAX_TITLE]
    document.core_properties.language = report.lang
    headers = (section.first_page_header, section.header)
    for number, header in enumerate(headers):
        paragraph = header.paragraphs[0]
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        if number:
            _page_number(paragraph)
        if report.notice:
            run = (header.add_paragraph() if number else paragraph).add_run(report.notice)
            run.bold, run.font.color.rgb, run.font.size = True, RGBColor(*_RED), Pt(9)
            header.paragraphs[-1].alignment = WD_ALIGN_PARAGRAPH.CENTER


def _page_number(paragraph: Any) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    run = paragraph.add_run()
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        part = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            part.set(qn("w:fldCharType"), kind)
        else:
            part.text = text
        run._r.append(part)


def _letterhead(document: Any, frame: Frame) -> None:
    """Left the issuing body and the number, right the nation's name, its motto, place and day."""
    table = _bare_table(document, (62, TEXT_MM - 62))
    left, right = table.rows[0].cells
    if frame.superior:
        _line(left, frame.superior, 12)
    _line(left, frame.issuer, 12, bold=True)
    _line(left, "_______", 6, bold=True, after=4)
    _line(left, frame.number, 13)
    _line(right, frame.country, 12, bold=True)
    _line(right, frame.motto, 13, bold=True)
    _line(right, "_________________________", 6, bold=True, after=4)
    _line(right, frame.place_and_day, 13, italic=True)


def _signature(document: Any, frame: Frame) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.text.paragraph import Paragraph as Paragraphs

    document.add_paragraph()
    for part in list(document.element.body)[-5:]:  # a signature never stands on a page of its own
        rows = part.findall(qn("w:tr"))
        for paragraph in (rows[-1] if rows else part).iter(qn("w:p")):
            Paragraphs(paragraph, document).paragraph_format.keep_with_next = True
    table = _bare_table(document, (TEXT_MM / 2, TEXT_MM / 2))
    _keep_whole(table.rows[0])
    left, right = table.rows[0].cells
    start = WD_ALIGN_PARAGRAPH.LEFT
    _line(left, frame.recipients_head, 12, bold=True, italic=True, align=start)
    for recipient in frame.recipients:
        _line(left, recipient, 11, align=start)
    _line(right, frame.signer_title, 13, bold=True)
    _line(right, frame.signer_hint, 12, italic=True, after=60)


def _keep_whole(row: Any) -> None:
    """No page break within the row."""
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))


def _bare_table(document: Any, widths_mm: tuple[float, ...]) -> Any:
    """A table of one row without lines, its cells' first empty paragraphs taken by what comes first."""
    from docx.shared import Mm

    table = document.add_table(rows=1, cols=len(widths_mm))
    table.autofit = False
    for column, cell, width in zip(table.columns, table.rows[0].cells, widths_mm, strict=True):
        column.width = cell.width = Mm(width)
    return table


def _line(
    where: Any,
    text: str,
    size_pt: float,
    *,
    bold: bool = False,
    italic: bool = False,
    before: float = 0,
    after: float = 0,
    align: Any = None,
) -> None:
    """One line of the frame, in the middle unless said otherwise."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    unused = getattr(where, "_tc", None) is not None and len(where.paragraphs) == 1 and not where.paragraphs[0].runs
    paragraph = where.paragraphs[0] if unused else where.add_paragraph()
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER if align is None else align
    paragraph.paragraph_format.space_before, paragraph.paragraph_format.space_after = Pt(before), Pt(after)
    run = paragraph.add_run(text)
    run.bold, run.italic, run.font.size = bold, italic, Pt(size_pt)


def _block(document: Any, block: Block, align: Any) -> None:
    from docx.shared import Mm

    if isinstance(block, Heading):
        heading = document.add_heading(block.text, block.level)
        heading.paragraph_format.page_break_before = block.new_page
        if block.level == 1:
            heading.alignment = align.CENTER
    elif isinstance(block, Paragraph):
        paragraph = document.add_paragraph()
        paragraph.add_run(block.text).bold = block.strong
        paragraph.alignment = align.JUSTIFY
        paragraph.paragraph_format.first_line_indent = Mm(10)
        paragraph.paragraph_format.keep_with_next = block.text.endswith(":")  # what announces the next block
    elif isinstance(block, ListBlock):
        for item in block.items:
            document.add_paragraph(item, style="List Bullet").alignment = align.JUSTIFY
    elif isinstance(block, TableBlock):
        _table(document, block)
    else:
        picture = document.add_picture(io.BytesIO(block.png), width=Mm(TEXT_MM))
        if picture.height > Mm(TALLEST_MM):  # of a province with many agencies: a page shows it whole
            picture.width, picture.height = round(picture.width * Mm(TALLEST_MM) / picture.height), Mm(TALLEST_MM)
        document.paragraphs[-1].paragraph_format.keep_with_next = True
        _describe(document, block)
        caption = document.add_paragraph(block.caption)
        caption.alignment = align.CENTER
        caption.runs[0].italic = True


def _describe(document: Any, block: ChartBlock) -> None:
    """Alternative text of the picture just added, for screen readers."""
    document.inline_shapes[-1]._inline.docPr.set("descr", block.caption)


LONGEST_FIGURE = 24
"""Characters: what is longer in a cell is a sentence, not a figure with its interval."""


def columns_of_words(block: TableBlock) -> tuple[bool, ...]:
    """Which columns are text, which may wrap and stands at the left: the first ones, and one with a sentence in it."""
    return tuple(
        column < block.words or any(len(row[column]) > LONGEST_FIGURE for row in block.rows)
        for column in range(len(block.header))
    )


def column_widths(block: TableBlock) -> tuple[float, ...]:
    """Shares of the columns, 1 in all: as said, or by the longest text: figures whole, heads and words may wrap."""
    count = len(block.header)
    if block.widths:
        total = sum(block.widths)
        return tuple(width / total for width in block.widths)
    words, longest = columns_of_words(block), []
    most_of_text = 26 if count > WIDE_FROM else 34 if sum(words) == 1 else 24
    for column in range(count):
        cells = [row[column] for row in block.rows]
        if words[column]:
            longest.append(min(max(map(len, (block.header[column], *cells))), most_of_text) + 2)
        else:  # a figure stands on one line, its head may wrap
            longest.append(max(4, *map(len, (*block.header[column].split(), *cells))) + 3)
    return tuple(each / sum(longest) for each in longest)


def _table(document: Any, block: TableBlock) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Mm, Pt

    if block.caption:
        caption = document.add_paragraph()
        caption.add_run(block.caption).bold = True
        caption.paragraph_format.keep_with_next = True
    size = Pt(WIDE_TABLE_PT if len(block.header) > WIDE_FROM else TABLE_PT)
    table = document.add_table(rows=0, cols=len(block.header))
    table.style, table.autofit = "Table Grid", False
    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        margin = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), str(_CELL_MARGIN_TWIPS))
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    table._tbl.tblPr.append(margins)
    widths = [Mm(TEXT_MM * share) for share in column_widths(block)]
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    words, patterns = columns_of_words(block), {}
    for number, row in enumerate((block.header, *block.rows)):
        kind = (number == 0, number - 1 in block.bold, number < len(block.rows) <= SHORT_TABLE)
        if kind not in patterns:
            patterns[kind] = _pattern(table, widths, words, size, *kind)
        made = deepcopy(patterns[kind])  # a row made cell by cell costs ten times as much
        for run, text in zip(made.iter(qn("w:r")), row, strict=True):
            run.text = text
        table._tbl.append(made)
    document.add_paragraph().paragraph_format.space_after = Pt(2)


def _pattern(
    table: Any, widths: Sequence[int], words: Sequence[bool], size: int, head: bool, bold: bool, keep: bool
) -> Any:
    """An empty row of a table, not in it: as its head, as one that stands out, as one that stays with the next."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Pt

    row = table.add_row()
    if head:  # repeated on every page that the table runs over
        mark = OxmlElement("w:tblHeader")
        mark.set(qn("w:val"), "true")
        row._tr.get_or_add_trPr().append(mark)
    _keep_whole(row)
    for cell, width, of_words in zip(row.cells, widths, words, strict=True):
        cell.width = width
        paragraph = cell.paragraphs[0]
        paragraph.paragraph_format.space_after = Pt(1)
        paragraph.paragraph_format.keep_with_next = keep
        run = paragraph.add_run()
        run.font.size, run.bold = size, head or bold
        if head:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        elif not of_words:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    table._tbl.remove(row._tr)
    return row._tr
