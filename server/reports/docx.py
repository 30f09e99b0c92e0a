"""A report as a DOCX that the province's office can edit."""

from __future__ import annotations

import io
from typing import Any

from pipeline.text import tidy_all
from server.reports.blocks import ChartBlock, Heading, Paragraph, Report, TableBlock

FONT = "Times New Roman"


def report_docx(report: Report) -> bytes:
    """The report as a DOCX (A4)."""
    from docx import Document
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt, RGBColor

    report = tidy_all(report)
    document = Document()
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin, section.right_margin = Cm(2.5), Cm(1.8)
    section.top_margin, section.bottom_margin = Cm(2), Cm(2)
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = FONT, Pt(12)
    normal.element.rPr.rFonts.set(qn("w:eastAsia"), FONT)
    document.core_properties.title = report.title
    document.core_properties.language = report.lang
    if report.notice:
        header = section.header.paragraphs[0]
        run = header.add_run(report.notice)
        run.bold, run.font.color.rgb = True, RGBColor(0xA1, 0x1D, 0x2C)
        header.alignment = WD_ALIGN_PARAGRAPH.CENTER
    title = document.add_paragraph()
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = title.add_run(report.title.upper())
    run.bold, run.font.size = True, Pt(14)
    subtitle = document.add_paragraph(report.subtitle)
    subtitle.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for block in report.blocks:
        if isinstance(block, Heading):
            heading = document.add_heading(block.text, block.level)
            for run in heading.runs:
                run.font.name, run.font.color.rgb = FONT, RGBColor(0x0B, 0x4F, 0x6C)
        elif isinstance(block, Paragraph):
            paragraph = document.add_paragraph()
            paragraph.add_run(block.text).bold = block.strong
            paragraph.alignment = WD_ALIGN_PARAGRAPH.JUSTIFY
        elif isinstance(block, TableBlock):
            _table(document, block)
        elif isinstance(block, ChartBlock):
            document.add_picture(io.BytesIO(block.png), width=Cm(16))
            _describe(document, block.caption)
            caption = document.add_paragraph(block.caption)
            caption.alignment = WD_ALIGN_PARAGRAPH.CENTER
            caption.runs[0].italic = True
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _describe(document: Any, text: str) -> None:
    """Alternative text of the picture just added, for screen readers."""
    document.inline_shapes[-1]._inline.docPr.set("descr", text)


def _table(document: Any, block: TableBlock) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Pt

    caption = document.add_paragraph()
    caption.add_run(block.caption).bold = True
    caption.paragraph_format.keep_with_next = True
    table = document.add_table(rows=1, cols=len(block.header))
    table.style = "Table Grid"
    # The header is repeated on every page that the table runs over.
    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    table.rows[0]._tr.get_or_add_trPr().append(mark)
    for number, row in enumerate((block.header, *block.rows)):
        cells = table.rows[0].cells if number == 0 else table.add_row().cells
        for column, (cell, text) in enumerate(zip(cells, row, strict=True)):
            paragraph = cell.paragraphs[0]
            run = paragraph.add_run(text)
            run.font.size = Pt(9.5)
            run.bold = number == 0 or number - 1 in block.bold
            if column >= block.words:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    document.add_paragraph()
