"""Charts of a report, as SVG (for the PDF) and PNG (for the DOCX)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap
from typing import Any

from calibration.ranks import RankSet, by_ranks, plot_ranks
from pipeline.text import tidy_all
from server.documents.blocks import ChartBlock
from server.documents.writer import Writer
from server.scores.figures import Figure

BLUE, ORANGE = "#0b4f6c", "#b45f06"
_FONT = "Noto Sans, DejaVu Sans"
_SCALE = 2.0
_LABEL = 46
ROWS = 40
"""At most so many rows in a chart: on a page of A4 they are then 5 mm apart or more. Of names of more than two lines
so many fewer that they can still be read."""
_LINE_PX = 12


@dataclass(frozen=True, slots=True)
class Labelled:
    """A figure under a label, for a chart; `group` colours it."""

    label: str
    figure: Figure
    group: str = ""


def _finish(chart: Any, name: str, caption: str) -> ChartBlock:
    import vl_convert

    spec = (
        chart.configure(font=_FONT, background="#ffffff")
        .configure_axis(labelFontSize=11, titleFontSize=11, labelLimit=460, gridColor="#dfe5ea")
        .configure_legend(labelFontSize=11, titleFontSize=11, orient="top")
        .configure_view(stroke=None)
        .to_dict()
    )
    spec = tidy_all(spec)
    svg = vl_convert.vegalite_to_svg(spec, vl_version="5.21")
    png = vl_convert.vegalite_to_png(spec, vl_version="5.21", scale=_SCALE)
    return ChartBlock(name, caption, svg, bytes(png))


def _lines(label: str) -> str:
    """A long label in lines."""
    return "\n".join(wrap(label, _LABEL))


def _axis() -> Any:
    """The labels of a chart's rows, broken where `_lines` broke them."""
    import altair as alt

    higher = [
        {"test": f"length(split(datum.value, '\\n')) === {lines}", "value": -_LINE_PX * (lines - 1) / 2}
        for lines in range(2, 12)
    ]  # half of what stands below the first line
    up: Any = {"condition": higher, "value": 0}
    return alt.Axis(labelExpr="split(datum.label, '\\n')", labelLineHeight=_LINE_PX, labelOffset=up)


def _row_px(labels: Iterable[str]) -> int:
    """The height of a row: more lines need more."""
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    return 19 if lines == 1 else _LINE_PX * lines + 2


def _rows_a_chart(labels: Iterable[str]) -> int:
    """As many rows as a page of A4 has room for."""
    return min(ROWS, ROWS * _row_px(["\n"]) // _row_px(labels))


def _base(rows: list[dict[str, Any]], height_px: int) -> Any:
    import altair as alt

    return alt.Chart(alt.Data(values=rows), width=420, height=height_px)  # type: ignore[no-untyped-call]


def _pages(labels: Sequence[str]) -> list[slice]:
    """Of a long list, the rows of each of its charts: even shares. `labels`: in lines."""
    count = len(labels)
    pages = max(1, -(-count // _rows_a_chart(labels)))
    edges = [round(count * page / pages) for page in range(pages + 1)]
    return [slice(first, last) for first, last in pairwise(edges)]


def _named(name: str, caption: str, page: int, pages: int) -> tuple[str, str]:
    """A chart's own name and caption, where a list takes several."""
    return (name, caption) if pages == 1 else (f"{name}-{page + 1}", f"{caption} ({page + 1}/{pages})")


def interval_charts(
    rows: Sequence[Labelled], name: str, caption: str, _: Writer, *, reference: float | None = None
) -> list[ChartBlock]:
    """As `interval_chart`, a chart for every page of lines, all on one scale: on a page of A4 each line can be read."""
    known = [row for row in rows if row.figure.index is not None]
    lowest = min((row.figure.low for row in known if row.figure.low is not None), default=0.0)
    pages = _pages([_lines(row.label) for row in known])
    return [
        interval_chart(known[part], *_named(name, caption, page, len(pages)), _, reference=reference, lowest=lowest)
        for page, part in enumerate(pages)
    ]


def interval_chart(
    rows: Sequence[Labelled],
    name: str,
    caption: str,
    _: Writer,
    *,
    reference: float | None = None,
    lowest: float | None = None,
) -> ChartBlock:
    """Points with 95 % intervals, one line a label, from 0..100 cut to where they lie (down to `lowest`), and a dashed
    line at `reference`."""
    import altair as alt

    values = [
        {"label": _lines(row.label), "index": f.index, "low": f.low, "high": f.high, "group": row.group}
        for row in rows
        if (f := row.figure).index is not None
    ]
    lows = [float(value["low"]) for value in values if value["low"] is not None]
    domain = [max(0.0, 10 * ((min(lows, default=0.0) if lowest is None else lowest) // 10)), 100.0]
    order = [str(value["label"]) for value in values]
    base = _base(values, _row_px(order) * max(3, len(values))).encode(
        y=alt.Y("label:N", sort=order, title=None, axis=_axis())
    )
    scale = alt.Scale(domain=domain)
    colour: Any = alt.value(BLUE)
    if any(row.group for row in rows):
        colour = alt.Color("group:N", title=None, scale=alt.Scale(range=[BLUE, ORANGE]))
    layers = [
        base.mark_rule(strokeWidth=2.5, opacity=0.55).encode(
            x=alt.X("low:Q", scale=scale, title=_("Index (0–100), 95 % confidence interval")), x2="high:Q", color=colour
        ),
        base.mark_point(filled=True, size=55).encode(x=alt.X("index:Q", scale=scale), color=colour),
    ]
    if reference is not None:
        line = alt.Chart(alt.Data(values=[{"x": reference}])).mark_rule(  # type: ignore[no-untyped-call]
            strokeDash=[5, 4], color="#4a5763"
        )
        layers.append(line.encode(x=alt.X("x:Q", scale=scale)))
    return _finish(alt.layer(*layers), name, caption)


def rank_charts(sets: Sequence[RankSet], names: dict[str, str], name: str, caption: str, _: Writer) -> list[ChartBlock]:
    """A bar from the best to the worst rank that the figures allow, for every agency; a chart for every page."""
    ordered, title = sorted(sets, key=by_ranks), _("Ranks that cannot be ruled out")
    broken = {key: _lines(words) for key, words in names.items()}
    pages = _pages([broken[one.name] for one in ordered])
    return [
        _finish(
            plot_ranks(
                ordered[part], title, broken, axis=_axis(), row_px=_row_px(broken[one.name] for one in ordered[part])
            ),
            *_named(name, caption, page, len(pages)),
        )
        for page, part in enumerate(pages)
    ]


def bar_chart(rows: Sequence[tuple[str, int]], name: str, caption: str, axis: str) -> ChartBlock:
    """Counts by label."""
    import altair as alt

    values = [{"label": label, "count": count} for label, count in rows]
    chart = (
        _base(values, 20 * max(2, len(values)))
        .mark_bar(color=BLUE, height=11)
        .encode(
            y=alt.Y("label:N", sort=[label for label, _ in rows], title=None),
            x=alt.X("count:Q", title=axis, axis=alt.Axis(tickMinStep=1, format="d")),
        )
    )
    return _finish(chart, name, caption)
