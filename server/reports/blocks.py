"""What a report consists of, before it becomes a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 or 2."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; `strong`: a notice that must not be missed."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table. The first `words` columns are text, the others figures. `bold`: numbers of rows that stand out."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    bold: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class ChartBlock:
    """A chart as SVG text and PNG bytes, with what it shows in words."""

    name: str
    caption: str
    svg: str
    png: bytes


Block = Heading | Paragraph | TableBlock | ChartBlock


@dataclass(frozen=True, slots=True)
class Report:
    """A report in one language. `notice`: printed on every page where figures are simulated."""

    title: str
    subtitle: str
    notice: str
    blocks: tuple[Block, ...]
    lang: str = "vi"
