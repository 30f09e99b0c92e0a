"""Plots of agencies and of pulses, as rows. Pages add their table."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from pipeline.language import in_language, translator
from server.scores.fused import AgencyScore
from server.scores.interval_svg import Interval, interval_plot
from server.scores.row_plot import Look, Mark, Row, row_plot
from server.scores.trends import Pulse


def agency_plot(scores: Sequence[AgencyScore], lang: str) -> Markup:
    """Every agency's index with its interval; explicit and fused one under the other."""
    _ = translator(lang)
    rows = []
    for score in scores:
        name = in_language(score.name, lang)
        for look, index, low, high in (
            (Look.MAIN, score.index_explicit, score.explicit_low, score.explicit_high),
            (Look.OTHER, score.index_fused, score.fused_low, score.fused_high),
        ):
            if index is not None:
                rows.append(
                    Interval(name, index, index if low is None else low, index if high is None else high, look=look)
                )
                name = ""
    return interval_plot(rows, lang, key="estimates-plot", looks=[(Look.MAIN, _("Explicit")), (Look.OTHER, _("Fused"))])


def pulse_plot(pulses: Sequence[Pulse], lang: str) -> Markup:
    """Low, middle and high levels by window, the newest first; noisy counts below 0 are drawn as 0."""
    _ = translator(lang)
    looks = [(Look.LOW, _("Low")), (Look.MIDDLE, _("Middle")), (Look.HIGH, _("High"))]
    rows = []
    for pulse in reversed(pulses):
        end, marks = 0, []
        for (look, _words), count in zip(looks, (pulse.low, pulse.middle, pulse.high), strict=True):
            begin, end = end, end + max(0, count)
            marks.append(Mark(begin, end, look=look, bar=True))
        rows.append(Row(pulse.window(lang), marks))
    most = max((mark.high for row in rows for mark in row.marks), default=0)
    told = _("Visits by implicit level, with noise.")
    return row_plot(rows, (0, max(5, most)), lang, key="pulse-plot", told=told, looks=looks, whole=True)
