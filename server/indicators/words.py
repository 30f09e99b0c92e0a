"""What pages say about the satisfaction group of Decision 766."""

from __future__ import annotations

from markupsafe import Markup

from calibration.decision766 import Move
from pipeline.calendar import month_words
from pipeline.language import Message, Plural, translator
from server.indicators.board import Series
from server.indicators.counts import Origin
from server.scores.course_plot import Drawn, Rule, course_plot
from server.scores.row_plot import Look

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
    _ = translator(lang)
    months = [point.month for point in series.points]
    told = [(point.month, point.score) for point in series.points if point.score is not None]
    if not told:
        return Markup("")
    spans = [(month, score.total.low, score.total.high) for month, score in told]
    sums = [(month, score.total.published, score.measured) for month, score in told]
    whole = [(month, points) for month, points, measured in sums if measured]
    part = [(month, points) for month, points, measured in sums if not measured]
    return course_plot(
        [
            Drawn(Look.MAIN, [(month, points) for month, points, _measured in sums], spans, dotted=False),
            Drawn(Look.MAIN, whole, joined=False),
            Drawn(Look.HOLLOW, part, joined=False),
        ],
        _("Sum of points by month with what the counts support; the figures stand in the table below."),
        [month_words(month, lang) for month in dict.fromkeys((months[0], months[-1]))],
        lang,
        key="points-plot",
        bounds=(0, 18),
        marks=[(value, str(value)) for value in (0, 6, 12, 18)],
        across=(months[0], months[-1]),
        rules=[Rule(x=month, words=_("merger")) for month in series.breaks if months[0] <= month <= months[-1]],
        title=_("Points of 18"),
    )
