"""The impact assessment as plain blocks, which one renderer turns into HTML and another into PDF."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

TEMPLATE = Path(__file__).with_name("audit_report.typ")
Kind = Literal["heading", "text", "list", "table", "verdict"]


@dataclass(frozen=True, slots=True)
class Block:
    """One block. `rows`: for a table the first is its head; for a list one cell each. `holds`: of a verdict."""

    kind: Kind
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """One language's document."""

    language: Literal["vi", "en"]
    title: str
    subtitle: str
    blocks: tuple[Block, ...]


def heading(text: str) -> Block:
    """A section's heading."""
    return Block("heading", text)


def text(*sentences: str) -> Block:
    """A paragraph."""
    return Block("text", " ".join(sentences))


def bullets(*items: str) -> Block:
    """A list."""
    return Block("list", rows=tuple((item,) for item in items))


def table(head: tuple[str, ...], *rows: tuple[str, ...]) -> Block:
    """A table."""
    return Block("table", rows=(head, *rows))


def as_html(document: Document) -> str:
    """A page that stands alone: no script, no font and no picture from elsewhere."""
    escape = html.escape
    parts = [
        f'<!doctype html>\n<html lang="{document.language}">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
        f'<h1>{escape(document.title)}</h1>\n<p class="subtitle">{escape(document.subtitle)}</p>',
    ]
    for block in document.blocks:
        if block.kind == "heading":
            parts.append(f"<h2>{escape(block.text)}</h2>")
        elif block.kind == "text":
            parts.append(f"<p>{escape(block.text)}</p>")
        elif block.kind == "verdict":
            parts.append(f'<p class="{"holds" if block.holds else "fails"}"><strong>{escape(block.text)}</strong></p>')
        elif block.kind == "list":
            parts.append("<ul>" + "".join(f"<li>{escape(item)}</li>" for (item,) in block.rows) + "</ul>")
        else:
            head, *rows = block.rows
            cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
            body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
            parts.append(f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>')
    return "\n".join([*parts, "</main>\n</body>\n</html>\n"])


def as_pdf(document: Document) -> bytes:
    """A tagged PDF by Typst."""
    import typst

    data = json.dumps(asdict(document), ensure_ascii=False)
    return bytes(typst.compile(TEMPLATE.read_bytes(), sys_inputs={"data": data}))


_STYLE = """
body{font:16px/1.55 system-ui,"Noto Sans",sans-serif;color:#1b1f24;background:#fff;margin:0}
main{max-width:60rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.7rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:1px solid #c9d1d9;padding-bottom:.25rem}
.subtitle{color:#4a5560;margin-top:0}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:.75rem 0;font-size:.94rem}
th,td{border:1px solid #c9d1d9;padding:.4rem .55rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{background:#f1f4f7}
.holds,.fails{padding:.5rem .75rem;border-left:.3rem solid}
.holds{background:#e8f5ec;border-color:#1a7f37}.fails{background:#fdecea;border-color:#b42318}
@media print{main{padding:0}}
"""
