"""What pages say about the satisfaction group of Decision 766."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from calibration.decision766 import Move
from pipeline.calendar import month_words
from pipeline.language import Message, Plural, translator
from server.indicators.board import Series
from server.indicators.counts import Origin
from server.scores.plots import EXPLICIT_COLOUR, chart_of, svg

PART_NAMES: dict[str, Message] = {
    "dossiers": Message("Dossiers without fault"),
    "in_time": Message("Petitions answered in time"),
    "good": Message("Petitions answered well"),
}
ORIGIN_NAMES: dict[Origin, Message] = {
    Origin.PORTAL: Message("the national portal's counts"),
    Origin.OWN: Message("our own dossiers, ratings and feedback"),
}


def move_words(move: Move) -> Plural:
    """What would move the score, with its count."""
    if move.what == "late_petitions":
        return Plural(
            "{count} petition answered late or not at all", "{count} petitions answered late or not at all", move.count
        )
    if move.what == "bad_petitions":
        return Plural("{count} petition disliked or repeated", "{count} petitions disliked or repeated", move.count)
    return Plural(
        "{count} dossier late, or with a petition or a dislike",
        "{count} dossiers late, or with a petition or a dislike",
        move.count,
    )


def series_plot(series: Series, lang: str) -> Markup:
    """A unit's sum of points by month with what the counts support; a dashed line where others were merged into it.
    A month in which a part was not measured has a hollow point."""
    import altair as alt

    _ = translator(lang)
    rows: list[dict[str, Any]] = [
        {
            "month": month_words(point.month, lang),
            "points": point.score.total.published,
            "low": point.score.total.low,
            "high": point.score.total.high,
            "measured": point.score.measured,
        }
        for point in series.points
        if point.score is not None
    ]
    if not rows:
        return Markup("")
    order = [month_words(point.month, lang) for point in series.points]
    x = alt.X("month:O", sort=order, scale=alt.Scale(domain=order), title=_("Month"), axis=alt.Axis(labelAngle=-40))
    y = alt.Y("low:Q", scale=alt.Scale(domain=[0, 18]), title=_("Points of 18"))
    base = chart_of(rows).encode(x=x)
    layers = [
        base.mark_rule(color=EXPLICIT_COLOUR, strokeWidth=7, opacity=0.3).encode(y=y, y2="high:Q"),
        base.mark_line(color=EXPLICIT_COLOUR).encode(y="points:Q"),
        base.transform_filter("datum.measured")
        .mark_point(filled=True, size=55, color=EXPLICIT_COLOUR)
        .encode(y="points:Q"),
        base.transform_filter("!datum.measured")
        .mark_point(filled=True, size=55, color="#ffffff", stroke=EXPLICIT_COLOUR)
        .encode(y="points:Q"),
    ]
    if series.breaks:
        marks = chart_of([{"month": month_words(month, lang), "text": _("merger")} for month in series.breaks])
        layers.append(marks.mark_rule(color="#b45f06", strokeDash=[6, 4], strokeWidth=2).encode(x=x))
        layers.append(
            marks.mark_text(color="#8a4b00", align="left", dx=4, baseline="top", fontSize=12).encode(
                x=x, y=alt.value(2), text="text:N"
            )
        )
    chart = alt.layer(*layers).properties(width=900, height=240)
    return svg(chart, _("Sum of points by month with what the counts support; the figures stand in the table below."))
