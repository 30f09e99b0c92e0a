"""What a document consists of, before it becomes a file."""

from __future__ import annotations

from dataclasses import dataclass

from server.documents.frame import Frame


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 (part), 2 (section) or 3; `new_page`: begins one, as an annex does."""

    text: str
    level: int = 2
    new_page: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; `strong`: a notice that must not be missed."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class ListBlock:
    """Several short items."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table. The first `words` columns are text, the others figures. `bold`: numbers of rows that stand out.
    `widths`: of the columns, in any unit; empty: the first column takes what the others leave."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    bold: frozenset[int] = frozenset()
    widths: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ChartBlock:
    """A chart as SVG text and PNG bytes, with what it shows in words."""

    name: str
    caption: str
    svg: str
    png: bytes


Block = Heading | Paragraph | ListBlock | TableBlock | ChartBlock


@dataclass(frozen=True, slots=True)
class Report:
    """A document in one language. `notice`: printed on every page where figures are simulated. `frame`: letterhead and
    signature of an administrative document. `annexes`: after the signature."""

    title: str
    subtitle: str
    notice: str
    blocks: tuple[Block, ...]
    frame: Frame
    lang: str = "vi"
    annexes: tuple[Block, ...] = ()
