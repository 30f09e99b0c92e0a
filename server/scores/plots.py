"""Plots as SVG, drawn on the server: no script, no outside asset. Each comes with a text alternative; pages add its
table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from pipeline.language import in_language, translator
from pipeline.text import tidy_all
from server.scores.fused import AgencyScore
from server.scores.trends import Pulse

EXPLICIT_COLOUR, FUSED_COLOUR = "#0b4f6c", "#b45f06"
_FONT = "Noto Sans, DejaVu Sans, Arial, sans-serif"


def svg(chart: Any, description: str) -> Markup:
    """A chart as inline SVG with a description for screen readers.

    Styles become attributes: the pages' content security policy allows no inline style."""
    import vl_convert

    configured = (
        chart.configure(font=_FONT, background="#ffffff", aria=False)
        .configure_axis(
            labelFontSize=12,
            titleFontSize=12,
            gridColor="#dfe5ea",
            labelColor="#17212b",
            titleColor="#17212b",
            labelLimit=260,
        )
        .configure_legend(labelFontSize=12, titleFontSize=12, orient="top")
        .configure_view(stroke=None)
    )
    text = vl_convert.vegalite_to_svg(tidy_all(configured.to_dict()), vl_version="5.21")
    text = re.sub(r'\sstyle="([^"]*)"', _style_to_attributes, text)
    # Vega's own roles are for English labels, which are off: the picture has one role and one description
    text = re.sub(r'\s(?:role|aria-roledescription|aria-label)="[^"]*"', "", text)
    text = re.sub(r"<svg\b", f'<svg role="img" aria-label="{escape(description)}"', text, count=1)
    return Markup(text)  # noqa: S704 - made by the plot library from numbers and escaped names


def _style_to_attributes(match: re.Match[str]) -> str:
    parts = [part.split(":", 1) for part in match[1].split(";") if ":" in part]
    return "".join(f' {name.strip()}="{value.strip()}"' for name, value in parts)


def chart_of(rows: list[dict[str, Any]]) -> Any:
    """A chart on rows that are carried along in it."""
    import altair as alt

    return alt.Chart(alt.Data(values=rows))  # type: ignore[no-untyped-call]


def agency_rows(scores: Sequence[AgencyScore], lang: str) -> list[dict[str, Any]]:
    """The data of `agency_plot`: one row for each agency and kind of index."""
    _ = translator(lang)
    explicit, fused = _("Explicit"), _("Fused")
    rows = []
    for score in scores:
        name = in_language(score.name, lang)
        if score.index_explicit is not None:
            rows.append(_row(name, explicit, score.index_explicit, score.explicit_low, score.explicit_high))
        if score.index_fused is not None:
            rows.append(_row(name, fused, score.index_fused, score.fused_low, score.fused_high))
    return rows


def _row(agency: str, kind: str, index: float, low: float | None, high: float | None) -> dict[str, Any]:
    return {"agency": agency, "kind": kind, "index": index, "low": low, "high": high}


def _floor(rows: Sequence[dict[str, Any]]) -> int:
    """Where the index' axis begins: a ten below the lowest bound, so that points do not crowd at one end."""
    return max(0, int(min(row["low"] for row in rows)) // 10 * 10)


def agency_plot(scores: Sequence[AgencyScore], lang: str) -> Markup:
    """Every agency's index with its interval; explicit and fused one under the other."""
    import altair as alt

    rows = agency_rows(scores, lang)
    if not rows:
        return Markup("")
    _ = translator(lang)
    kinds = [_("Explicit"), _("Fused")]
    title = _("Satisfaction index (0–100)")
    base = chart_of(rows).encode(
        y=alt.Y("agency:N", title=None, sort=None),
        yOffset=alt.YOffset("kind:N", sort=kinds),
        color=alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[EXPLICIT_COLOUR, FUSED_COLOUR])),
    )
    span = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", title=title, scale=alt.Scale(domain=[_floor(rows), 100])), x2="high:Q"
    )
    point = base.mark_point(filled=True, size=60, opacity=1).encode(
        x="index:Q", shape=alt.Shape("kind:N", title=None, scale=alt.Scale(domain=kinds, range=["circle", "diamond"]))
    )
    chart = alt.layer(span, point).properties(width=900, height=alt.Step(15))
    text = _("Index and interval of every agency; the figures stand in the table below.")
    return svg(chart, text)


def pulse_plot(pulses: Sequence[Pulse], lang: str) -> Markup:
    """Share of low, middle and high levels by window; noisy counts below 0 are drawn as 0."""
    import altair as alt

    _ = translator(lang)
    kinds = [_("Low"), _("Middle"), _("High")]
    rows = [
        {"window": p.window(lang), "kind": kind, "count": max(0, count), "order": order}
        for p in pulses
        for order, (kind, count) in enumerate(zip(kinds, (p.low, p.middle, p.high), strict=True))
    ]
    if not rows:
        return Markup("")
    chart = (
        chart_of(rows)
        .mark_bar(stroke="#ffffff")
        .encode(
            x=alt.X("window:O", title=None, sort=None, axis=alt.Axis(labelAngle=-40)),
            y=alt.Y("count:Q", title=_("Visits (noisy)")),
            color=alt.Color(
                "kind:N", title=None, scale=alt.Scale(domain=kinds, range=["#a11d2c", "#8b97a3", "#1b6b3a"])
            ),
            order="order:O",
        )
        .properties(width=900, height=200)
    )
    text = _("Visits by implicit level, with noise.")
    return svg(chart, text)
