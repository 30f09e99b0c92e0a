"""The analyst's plots, from the same rows as the downloads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipeline.calendar import parse_period
from pipeline.language import Number, Text, translator
from server.scores.course_plot import Drawn, Rule, course_plot
from server.scores.row_plot import Look, Mark, Row, row_plot

Tabled = dict[str, Any]
_GROUP_LOOKS = (Look.MAIN, Look.OTHER, Look.HIGH, Look.MARKED, Look.HOLLOW, Look.MIDDLE)


def curve_plot(rows: Sequence[Tabled], lang: str, names: Mapping[str, str]) -> Markup:
    """Share satisfied by implicit level, one look a group of agencies; `names`: of the groups."""
    seen = [row for row in rows if row["calibrated"] and row["implicit_level"] < 5]
    _ = translator(lang)
    groups = list(dict.fromkeys(row["group"] for row in seen))
    courses, looks = [], []
    for number, group in enumerate(groups):
        look, aside = _GROUP_LOOKS[number % len(_GROUP_LOOKS)], 0.12 * (number - (len(groups) - 1) / 2)
        own = [row for row in seen if row["group"] == group]
        points = [(row["implicit_level"] + aside, row["satisfied"]) for row in own]
        spans = [(row["implicit_level"] + aside, row["low"], row["high"]) for row in own]
        courses.append(Drawn(look, points, spans, joined=False))
        looks.append((look, names.get(group, group)))
    return course_plot(
        courses,
        _("Share satisfied by implicit level, with interval."),
        [str(level) for level in range(5)],
        lang,
        key="curve-plot",
        bounds=(0, 100),
        across=(0, 4),
        looks=looks,
        title=_("Share satisfied (%)"),
        below=_("Implicit level (0 lowest, 4 highest)"),
    )


def difference_plot(rows: Sequence[Tabled], between: Sequence[Tabled], lang: str) -> Markup:
    """Bland and Altman's plot of the agencies: implicit minus explicit index against their mean."""
    if len(rows) < 2:
        return Markup("")
    _ = translator(lang)
    points = [(row["mean"], row["difference"]) for row in rows]
    levels = [row[name] for row in between for name in _LINES.get(row["measure"], ()) if row[name] is not None]
    ys = [*levels, *(y for _x, y in points)]
    room = 0.08 * (max(ys) - min(ys)) + 0.5
    first, last = min(x for x, _y in points), max(x for x, _y in points)
    return course_plot(
        [Drawn(Look.MAIN, points, joined=False)],
        _("Bland-Altman plot of the agencies."),
        [Number(value, 1).in_language(lang) for value in (first, (first + last) / 2, last)],
        lang,
        key="difference-plot",
        bounds=(min(ys) - room, max(ys) + room),
        rules=[Rule(y=level) for level in levels],
        title=_("Implicit minus explicit"),
        below=_("Mean of both indices"),
    )


_LINES = {"mean_difference": ("value",), "limits": ("low", "high")}


def rank_plot(rows: Sequence[Tabled], lang: str, names: Mapping[str, str]) -> Markup:
    """A bar from the best to the worst rank that the figures allow, one plot a level; `names`: of the levels."""
    _ = translator(lang)
    found = Markup("")
    levels = list(dict.fromkeys(row["agency_level"] for row in rows))
    for number, level in enumerate(levels):
        own = sorted(
            (row for row in rows if row["agency_level"] == level),
            key=lambda row: (row["best"] + row["worst"], row["agency"]),
        )
        bars = [
            Row(
                _(Text.of_row(row)),
                [Mark(row["best"] - 0.4, row["worst"] + 0.4, bar=True)],
                f"{row['best']} – {row['worst']}" if row["best"] != row["worst"] else str(row["best"]),
            )
            for row in own
        ]
        told = _("Rank set of every agency within its level.")
        if len(levels) > 1:
            found += Markup('<p class="axis-name">{}</p>').format(names.get(level, level))
        found += row_plot(
            bars, (0.5, max(2, own[0]["of"]) + 0.5), lang, key=f"rank-plot-{number}", told=told, whole=True
        )
    return found


def evidence_plot(rows: Sequence[Tabled], lang: str) -> Markup:
    """The evidence of change by month on a scale of tenfold steps, and where it rings."""
    if not rows:
        return Markup("")
    _ = translator(lang)
    months = [parse_period(row["period"]).words(lang) for row in rows]
    limit = rows[-1]["rings_at"]
    top = 1.5 * max(limit, *(row["evidence"] for row in rows))
    points = [(number, math.log10(max(row["evidence"], 0.5))) for number, row in enumerate(rows)]
    marks = [1.0, 10.0, limit, *(value for value in (1e3, 1e5, 1e8) if 3 * limit < value < top)]
    return course_plot(
        [Drawn(Look.MAIN, points)],
        _("Evidence by month that the whole province's signal has been changing; dashed: where it rings."),
        [months[0], months[-1]] if len(months) > 1 else months,
        lang,
        key="evidence-plot",
        bounds=(math.log10(0.5), math.log10(top)),
        marks=[(math.log10(value), Number(value).in_language(lang)) for value in marks],
        rules=[Rule(y=math.log10(limit))],
        title=_("Evidence of change"),
    )
