"""Charts of a report, as SVG (for the PDF) and PNG (for the DOCX)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from calibration.ranks import RankSet, plot_ranks
from pipeline.text import tidy_all
from server.documents.blocks import ChartBlock
from server.documents.writer import Writer
from server.scores.figures import Figure

BLUE, ORANGE = "#0b4f6c", "#b45f06"
_FONT = "Noto Sans, DejaVu Sans"
_SCALE = 2.0


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


def _base(rows: list[dict[str, Any]], height_px: int) -> Any:
    import altair as alt

    return alt.Chart(alt.Data(values=rows), width=420, height=height_px)  # type: ignore[no-untyped-call]


def interval_chart(
    rows: Sequence[Labelled], name: str, caption: str, _: Writer, *, reference: float | None = None
) -> ChartBlock:
    """Points with 95 % intervals, one line a label, from 0..100 cut to where they lie; a dashed line at `reference`."""
    import altair as alt

    values = [
        {"label": row.label, "index": f.index, "low": f.low, "high": f.high, "group": row.group}
        for row in rows
        if (f := row.figure).index is not None
    ]
    lows = [float(value["low"]) for value in values if value["low"] is not None]
    domain = [max(0.0, 10 * (min(lows, default=0.0) // 10)), 100.0]
    order = [str(value["label"]) for value in values]
    base = _base(values, 19 * max(3, len(values))).encode(y=alt.Y("label:N", sort=order, title=None))
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


def rank_chart(sets: Sequence[RankSet], names: dict[str, str], name: str, caption: str, _: Writer) -> ChartBlock:
    """A bar from the best to the worst rank that the figures allow, for every agency."""
    return _finish(plot_ranks(sets, _("Ranks that cannot be ruled out"), names), name, caption)


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
