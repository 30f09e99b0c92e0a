"""A document as PDF, made with Typst; laid out as the DOCX is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.text import tidy_all
from server.documents.blocks import Block, Heading, ListBlock, Paragraph, Report, TableBlock
from server.documents.docx import column_widths, columns_of_words
from server.documents.frame import BODY_PT, FONTS, MARGINS_MM, SHORT_TABLE, TABLE_PT, WIDE_FROM, WIDE_TABLE_PT

TEMPLATE = Path(__file__).parent / "document.typ"


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Heading):
        return {"kind": "heading", "text": block.text, "level": block.level, "new_page": block.new_page}
    if isinstance(block, Paragraph):
        return {"kind": "paragraph", "text": block.text, "strong": block.strong}
    if isinstance(block, ListBlock):
        return {"kind": "list", "items": block.items}
    if isinstance(block, TableBlock):
        return {
            "kind": "table",
            "caption": block.caption,
            "header": block.header,
            "rows": block.rows,
            "words": columns_of_words(block),
            "bold": sorted(block.bold),
            "widths": column_widths(block),
            "size": WIDE_TABLE_PT if len(block.header) > WIDE_FROM else TABLE_PT,
        }
    return {"kind": "chart", "caption": block.caption, "svg": block.svg}


def report_pdf(report: Report) -> bytes:
    """The document as PDF."""
    import typst

    data = {
        "title": report.title,
        "lang": report.lang,
        "subtitle": report.subtitle,
        "notice": report.notice,
        "frame": asdict(report.frame),
        "blocks": [_block(block) for block in report.blocks],
        "annexes": [_block(block) for block in report.annexes],
        "fonts": FONTS,
        "size": BODY_PT,
        "margins": MARGINS_MM,
        "short": SHORT_TABLE,
    }
    return bytes(
        typst.compile(TEMPLATE.read_bytes(), sys_inputs={"data": json.dumps(tidy_all(data), ensure_ascii=False)})
    )
