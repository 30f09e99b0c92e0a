"""The report's comparison with the same period a year ago and with the one before."""

from __future__ import annotations

from pipeline.calendar import Period
from server.documents.blocks import Block, Heading, Paragraph, TableBlock
from server.documents.writer import NO_BREAK
from server.reports.figures import FigureWriter
from server.reports.sources import ReportInput
from server.scores.comparing import NOT_COMPARABLE, difference
from server.scores.figures import Figure
from server.scores.index import WHOLE, IndexResult


def compared(data: ReportInput, _: FigureWriter) -> list[Block]:
    """Both comparisons, each a table with what can be said of every difference; of a whole year they are one."""
    year_ago = [
        Heading(_("7. Against the same period a year ago")),
        *_against(data, data.before, data.period.year_before(), _("Against the same period a year ago"), _),
    ]
    if data.period.before() == data.period.year_before():
        return year_ago
    return [
        *year_ago,
        Heading(_("Against the period before"), 3),
        *_against(data, data.last, data.period.before(), _("Against the period before"), _),
    ]


def _against(
    data: ReportInput, then_result: IndexResult, then_period: Period, caption: str, _: FigureWriter
) -> list[Block]:
    blocks: list[Block] = []
    before_words = then_period.words(_.lang)
    if not then_result.of("province")[0].sheets:
        blocks.append(
            Paragraph(
                _(
                    "There are no figures of {before} with the same instrument and version.",
                    before=_.within(then_period),
                )
            )
        )
        return blocks
    before = {place.key: place for place in then_result.of("agency")}
    pairs: list[tuple[str, Figure, Figure]] = []
    now_place, then_place = data.result.of("province")[0], then_result.of("province")[0]
    pairs.append((_("SIPAS index, whole province"), now_place.figure(WHOLE), then_place.figure(WHOLE)))
    pairs += [
        (f"{factor.code}. {_(factor)}", now_place.figure(factor.code), then_place.figure(factor.code))
        for factor in data.instrument.factors
    ]
    bold = frozenset(range(len(pairs)))
    pairs += [
        (_(place.name), place.figure(WHOLE), before[place.key].figure(WHOLE))
        for place in data.result.of("agency")
        if place.key in before
    ]
    rows = []
    # the whole province's line is looked for by itself; of the others the eye takes the largest
    together = max(1, sum(now.index is not None and then.index is not None for _name, now, then in pairs[1:]))
    for place, (name, now, then) in enumerate(pairs):
        change = difference(now, then, together if place else 1)
        if change is None:
            rows.append((name, _.number(then.index), _.number(now.index), "–", "–", _(NOT_COMPARABLE)))
            continue
        rows.append(
            (
                name,
                _.number(then.index),
                _.number(now.index),
                _.change(change.points),
                _("{low} to {high}", low=_.number(change.low), high=_.number(change.high)).replace(" ", NO_BREAK),
                _(change.words),
            )
        )
    blocks.append(
        Paragraph(
            _(
                "“Rises” or “falls” is said only where the confidence interval of the difference does not hold 0. The "
                "whole province's line holds by itself with 95 %. The intervals of the other {lines} lines are wider: "
                "they hold all at once with 95 %, so that in nineteen of twenty reports none of them tells a change "
                "that there was not.",
                lines=together,
            )
        )
    )
    header = (
        _("Content"),
        before_words,
        data.period.words(_.lang),
        _("Difference"),
        _("95 % interval"),
        _("Conclusion"),
    )
    widths = (25.0, 14.0, 14.0, 12.0, 18.0, 17.0)
    blocks.append(TableBlock(caption, header, tuple(rows), bold=bold, widths=widths))
    return blocks
