"""The analyst's plots, from the same rows as the downloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from calibration.ranks import RankSet, plot_ranks
from pipeline.calendar import parse_period
from pipeline.language import Text, translator
from server.scores.plots import EXPLICIT_COLOUR, FUSED_COLOUR, chart_of, svg

Row = dict[str, Any]
WIDTH_PX = 520


def curve_plot(rows: Sequence[Row], lang: str, names: Mapping[str, str]) -> Markup:
    """Share satisfied by implicit level, one colour a group of agencies; `names`: of the groups."""
    import altair as alt

    seen = [
        {**row, "group": names.get(row["group"], row["group"])}
        for row in rows
        if row["calibrated"] and row["implicit_level"] < 5
    ]
    if not seen:
        return Markup("")
    _ = translator(lang)
    base = chart_of(seen).encode(
        x=alt.X(
            "implicit_level:O",
            title=_("Implicit level (0 lowest, 4 highest)"),
            axis=alt.Axis(labelAngle=0),
        ),
        xOffset="group:N",
        color=alt.Color("group:N", title=_("Level")),
    )
    title = _("Share satisfied (%)")
    span = base.mark_rule(strokeWidth=2.5).encode(
        y=alt.Y("low:Q", title=title, scale=alt.Scale(domain=[0, 100])), y2="high:Q"
    )
    chart = alt.layer(span, base.mark_point(filled=True, size=60, opacity=1).encode(y="satisfied:Q"))
    text = _("Share satisfied by implicit level, with interval.")
    return svg(chart.properties(width=WIDTH_PX, height=240), text)


def difference_plot(rows: Sequence[Row], between: Sequence[Row], lang: str) -> Markup:
    """Bland and Altman's plot of the agencies: implicit minus explicit index against their mean."""
    import altair as alt

    if len(rows) < 2:
        return Markup("")
    _ = translator(lang)
    points = (
        chart_of(list(rows))
        .mark_point(filled=True, size=55, color=EXPLICIT_COLOUR, opacity=1)
        .encode(
            x=alt.X("mean:Q", title=_("Mean of both indices"), scale=alt.Scale(zero=False)),
            y=alt.Y("difference:Q", title=_("Implicit minus explicit")),
        )
    )
    levels = [row[name] for row in between for name in _LINES.get(row["measure"], ()) if row[name] is not None]
    lines = (
        chart_of([{"y": value} for value in levels]).mark_rule(strokeDash=[5, 4], color=FUSED_COLOUR).encode(y="y:Q")
    )
    text = _("Bland-Altman plot of the agencies.")
    return svg(alt.layer(points, lines).properties(width=WIDTH_PX, height=240), text)


_LINES = {"mean_difference": ("value",), "limits": ("low", "high")}


def rank_plot(rows: Sequence[Row], lang: str) -> Markup:
    """A bar from the best to the worst rank that the figures allow, one panel a level."""
    import altair as alt

    if not rows:
        return Markup("")
    _ = translator(lang)
    names = {row["agency"]: _(Text.of_row(row)) for row in rows}
    title = _("Ranks that cannot be excluded")
    sets: dict[str, list[RankSet]] = {}
    for row in rows:
        sets.setdefault(row["agency_level"], []).append(RankSet(row["agency"], row["best"], row["worst"], row["of"]))
    text = _("Rank set of every agency within its level.")
    return svg(alt.vconcat(*(plot_ranks(of_level, title, names, WIDTH_PX) for of_level in sets.values())), text)


def evidence_plot(rows: Sequence[Row], lang: str) -> Markup:
    """The evidence of change by month on a scale of tenfold steps, and where it rings."""
    import altair as alt

    if not rows:
        return Markup("")
    _ = translator(lang)
    months = [parse_period(row["period"]).words(lang) for row in rows]
    points = [{"month": month, "evidence": max(row["evidence"], 0.01)} for month, row in zip(months, rows, strict=True)]
    x = alt.X("month:O", title=None, sort=months, axis=alt.Axis(labelAngle=-40))
    limit_at = rows[-1]["rings_at"]
    y = alt.Y(
        "evidence:Q",
        title=_("Evidence of change"),
        scale=alt.Scale(type="log", domainMin=0.5),
        axis=alt.Axis(values=[1, 10, limit_at, 1000, 100_000]),
    )
    line = chart_of(points).mark_line(point=True, color=EXPLICIT_COLOUR).encode(x=x, y=y)
    limit = chart_of([{"evidence": limit_at}]).mark_rule(strokeDash=[5, 4], color=FUSED_COLOUR).encode(y=y)
    text = _("Evidence by month that the whole province's signal has been changing; dashed: where it rings.")
    return svg(alt.layer(line, limit).properties(width=WIDTH_PX, height=200), text)
