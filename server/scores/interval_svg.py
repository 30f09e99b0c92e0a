"""Interval plots: a name, a point, its interval, the figure (`server.scores.row_plot`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.language import Number, translator
from server.scores.row_plot import Look, Mark, Row, row_plot


@dataclass(frozen=True, slots=True)
class Interval:
    """One row. `index`, `low`, `high`: on the axis. `marked`: stands out by colour and shape. `href`: where its name
    leads."""

    name: str
    index: float
    low: float
    high: float
    marked: bool = False
    href: str = ""
    look: Look = Look.MAIN


def interval_plot(
    rows: Sequence[Interval],
    lang: str,
    *,
    key: str = "plot",
    reference: float | None = None,
    top: float = 100.0,
    bottom: float | None = None,
    looks: Sequence[tuple[Look, str]] = (),
    digits: int = 1,
) -> Markup:
    """The rows under each other on an axis from a ten below the lowest bound (or `bottom`) to `top`; a dashed line at
    `reference`. `key` tells apart the plots of one page. Empty without rows."""
    _ = translator(lang)
    floor = float(int(min((row.low for row in rows), default=0.0)) // 10 * 10) if bottom is None else bottom
    floor = min(max(0.0, floor), top - 10)
    return row_plot(
        [
            Row(
                row.name,
                [Mark(row.low, row.high, row.index, Look.MARKED if row.marked else row.look)],
                Number(row.index, digits).in_language(lang),
                row.href,
            )
            for row in rows
        ],
        (floor, top),
        lang,
        key=key,
        told=_("Point: index. Line: 95 % interval. The figures stand in the table below."),
        looks=looks,
        reference=reference,
    )
