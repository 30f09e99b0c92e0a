"""A report as PDF, made with Typst."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.text import tidy_all
from server.reports.blocks import Block, Heading, Paragraph, Report, TableBlock

TEMPLATE = Path(__file__).parent / "report.typ"


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Heading):
        return {"kind": "heading", "text": block.text, "level": block.level}
    if isinstance(block, Paragraph):
        return {"kind": "paragraph", "text": block.text, "strong": block.strong}
    if isinstance(block, TableBlock):
        return {
            "kind": "table",
            "caption": block.caption,
            "header": block.header,
            "rows": block.rows,
            "words": block.words,
            "bold": sorted(block.bold),
        }
    return {"kind": "chart", "caption": block.caption, "svg": block.svg}


def report_pdf(report: Report) -> bytes:
    """The report as PDF."""
    import typst

    data = {
        "title": report.title,
        "lang": report.lang,
        "subtitle": report.subtitle,
        "notice": report.notice,
        "blocks": [_block(block) for block in report.blocks],
    }
    return bytes(
        typst.compile(TEMPLATE.read_bytes(), sys_inputs={"data": json.dumps(tidy_all(data), ensure_ascii=False)})
    )
