"""The content of a province's yearly or quarterly report, in one language."""

from __future__ import annotations

from calibration.verdicts import Verdict
from pipeline.calendar import parse_period
from pipeline.instruments import RatingFlag
from pipeline.language import DEFAULT, Message, Plural, Text
from server.core.labels import COMMENT_CODES, INSTRUMENT_PARTS, POOLING_NAMES
from server.documents.blocks import Block, Heading, Paragraph, Report, TableBlock
from server.documents.frame import make_frame
from server.documents.writer import SIMULATED
from server.reports.charts import Labelled, bar_chart, interval_chart, interval_charts, rank_charts
from server.reports.compared import compared
from server.reports.figures import FigureWriter
from server.reports.sources import ReportInput
from server.scores.clerks import LEFT_OUT
from server.scores.comparing import ranking
from server.scores.figures import Place
from server.scores.index import BREAKDOWNS_LATER, WHOLE
from server.scores.standings import surely_low
from server.scores.words import SHORT_VERDICTS, VERDICTS
from server.store.channels import CHANNELS

_NAMED = 10
"""At most so many agencies are named in the summary."""


def make_report(data: ReportInput, lang: str = DEFAULT) -> Report:
    """The report's blocks in a language, charts drawn."""
    _ = FigureWriter(lang)
    when = _.within(data.period)
    blocks: list[Block] = [
        *_summary(data, when, _),
        *_method(data, _),
        *_factors(data, _),
        *_agencies(data, _),
        *_groups(data, _),
        *_channels(data, _),
        *compared(data, _),
        *_feedback(data, _),
        *_wishes(data, _),
        *_fused(data, _),
        *_suspicious(data, _),
    ]
    province = data.result.province_name
    recipients = (_("The People's Committee of the province"), _("The agencies of the province"))
    return Report(
        title=_("On the satisfaction of citizens and organisations with the service of public agencies"),
        subtitle=_("{province}, {when}", province=province, when=when),
        notice=_(SIMULATED) if data.result.simulated else "",
        blocks=tuple(blocks),
        frame=make_frame(data.office, _(province), _(Message("REPORT")), "BC", recipients, _),
        lang=lang,
    )


def _province(data: ReportInput) -> Place:
    return data.result.of("province")[0]


def _summary(data: ReportInput, when: str, _: FigureWriter) -> list[Block]:
    place = _province(data)
    whole, overall = place.figure(WHOLE), place.figure("overall")
    blocks: list[Block] = [Heading(_("1. Summary"))]
    if data.result.simulated:
        blocks.append(Paragraph(f"{_(SIMULATED)}.", strong=True))
    if whole.index is None:
        blocks.append(
            Paragraph(_("There are not enough answers in {when} to publish an index.", when=when), strong=True)
        )
        return blocks
    said = [
        _(
            "In {when}, {sheets} valid sheets count, with {answers} answers to the criteria.",
            when=when,
            sheets=_.number(place.sheets, 0),
            answers=_.number(whole.valid, 0),
        ),
        _(
            "The SIPAS index is {index} (95 % confidence interval: {interval}).",
            index=_.number(whole.index),
            interval=_.interval(whole),
        ),
        _(
            "The question of overall satisfaction: {index} ({interval}).",
            index=_.number(overall.index),
            interval=_.interval(overall),
        ),
    ]
    if place.overall_alone:
        said.append(
            _(
                "{count} of the sheets answer the overall question alone: they are in its figure, and in no figure of "
                "the criteria.",
                count=_.number(place.overall_alone, 0),
            )
        )
    if place.response_rate is not None:
        said.append(
            _(
                "The sheets are {rate} % of the transactions that were finished in the period.",
                rate=_.number(100 * place.response_rate),
            )
        )
    if whole.weighted is not None:
        said.append(
            _(
                "Weighted to the sampling frame, the index is {index} ({interval}).",
                index=_.number(whole.weighted),
                interval=_.limits(whole.weighted_low, whole.weighted_high),
            )
        )
    blocks.append(Paragraph(" ".join(said)))
    best = [f for factor in data.instrument.factors if (f := place.figure(factor.code)).index is not None]
    if best:
        names = {factor.code: _(factor) for factor in data.instrument.factors}
        high = max(best, key=lambda f: f.index or 0.0)
        low = min(best, key=lambda f: f.index or 0.0)
        blocks.append(
            Paragraph(
                _(
                    "Highest factor: {high} ({high_index}); lowest: {low} ({low_index}).",
                    high=names[high.item],
                    high_index=_.number(high.index),
                    low=names[low.item],
                    low_index=_.number(low.index),
                )
            )
        )
    ranked = ranking(data.result.of("agency"))
    below = surely_low(data.result.of("agency"), place)
    if below:
        listed = [f"{_(one.name)} ({_.number(one.figure(WHOLE).index)})" for one in below[:_NAMED]]
        sentence = _(
            Plural(
                "{count} agency lies surely below the province: look for causes there first. {names}",
                "{count} agencies lie surely below the province: look for causes there first. {names}",
                len(below),
                names=", ".join(listed),
            )
        )
        blocks.append(Paragraph(f"{sentence}{', …' if len(below) > _NAMED else '.'}", strong=True))
    elif ranked:
        blocks.append(Paragraph(_("No agency lies surely below the province.")))
    blocks.append(
        Paragraph(
            _(
                "The ranks of {agencies} agencies are given as ranges alone; agencies whose ranges overlap are not to "
                "be called better or worse than each other.",
                agencies=len(ranked),
            )
        )
    )
    return blocks


def _method(data: ReportInput, _: FigureWriter) -> list[Block]:
    recalled = ", ".join(_(INSTRUMENT_PARTS.get(part, part)) for part in data.instrument.recalled)
    lines = [
        _(
            "Instrument: {title}, version {version}. Five levels; index = 100 × (number of answers “satisfied” and "
            "“very satisfied”) / number of valid answers. The SIPAS index: {pooling}.",
            title=data.instrument.title,
            version=data.instrument.version,
            pooling=POOLING_NAMES[data.result.pooling],
        ),
        _(
            "The confidence interval is Wilson's, at the effective number of answers: the answers of one sheet, and "
            "the sheets of one day at one agency, are alike and count as a cluster; the “design effect” tells by how "
            "much. “Weighted”: by the transactions of every agency and field. “Adjusted for channels”: as if every "
            "agency had the province's mix of channels."
        ),
        _(
            "Figures of fewer than {below} answers are not published. The SIPAS index is made of the answers of "
            "citizens and organisations alone; the implicit signal (face, voice) has no part in it.",
            below=data.result.suppress_below,
        ),
    ]
    if recalled:
        lines.append(
            _(
                "Parts of the instrument that have not been compared with the original text, and can be configured: "
                "{parts}. They need confirmation before anything is published officially.",
                parts=recalled,
            )
        )
    lines += [_(note) for note in data.result.notes]
    return [Heading(_("2. Method")), *(Paragraph(line) for line in lines)]


def _factors(data: ReportInput, _: FigureWriter) -> list[Block]:
    place = _province(data)
    rows: list[tuple[str, ...]] = [(_("SIPAS index"), *_.cells(place.figure(WHOLE)))]
    rows.append((_("Overall satisfaction (question 0)"), *_.cells(place.figure("overall"))))
    bold = {0, 1}
    charted = []
    for factor in data.instrument.factors:
        bold.add(len(rows))
        label = f"{factor.code}. {_(factor)}"
        rows.append((label, *_.cells(place.figure(factor.code))))
        charted.append(Labelled(label, place.figure(factor.code)))
        rows += [
            (f"{item.code}. {_(item)}", *_.cells(place.figure(item.code)))
            for item in data.instrument.items
            if item.factor == factor.code and item.kind == "criterion"
        ]
    criteria = [Labelled(f"{item.code}. {_(item)}", place.figure(item.code)) for item in data.instrument.criteria]
    blocks: list[Block] = [Heading(_("3. Results by factor and criterion"))]
    blocks.append(
        TableBlock(
            _("Index by factor and criterion, whole province"),
            (_("Content"), *_.head()),
            tuple(rows),
            bold=frozenset(bold),
        )
    )
    if any(row.figure.index is not None for row in charted):
        caption = _("Index by factor, with 95 % confidence intervals")
        blocks.append(interval_chart(charted, "yeu-to", caption, _))
    if any(row.figure.index is not None for row in criteria):
        caption = _("Index by criterion, with 95 % confidence intervals")
        blocks.append(interval_chart(criteria, "tieu-chi", caption, _))
    facts = [(f"{item.code}. {_(item)}", place.figure(item.code)) for item in data.instrument.facts]
    if facts:
        fact_rows = tuple((text, _.number(f.valid, 0), _.number(f.index), _.interval(f)) for text, f in facts)
        blocks.append(
            TableBlock(
                _("Questions of fact: share of “yes” (%), no part of the index"),
                (_("Content"), _("Answers"), _("Share"), _("95 % interval")),
                fact_rows,
            )
        )
    return blocks


def _agencies(data: ReportInput, _: FigureWriter) -> list[Block]:
    places = data.result.of("agency")
    sets = {one.name: one for one in ranking(places)}
    names = {place.key: _(place.name) for place in places}
    ordered = sorted(places, key=lambda place: -(place.figure(WHOLE).index or -1.0))
    rows = [
        (
            names[place.key],
            _.number(place.sheets, 0),
            _.number(None if place.response_rate is None else 100 * place.response_rate),
            *_.cells(place.figure(WHOLE))[1:],
            str(sets[place.key]).replace("-", "–") if place.key in sets else "–",
        )
        for place in ordered
    ]
    head = (_("Agency"), _("Sheets"), _("Rate (%)"), *_.head()[1:], _("Range of ranks"))
    blocks: list[Block] = [
        Heading(_("4. Results by agency")),
        Paragraph(
            _(
                "The column “Range of ranks” holds every rank that the figures cannot rule out, right for all agencies "
                "at once with a confidence of 95 %. The table is sorted by the index to be looked up, which is no "
                "ranking."
            )
        ),
        TableBlock(_("SIPAS index by agency"), head, tuple(rows)),
    ]
    shown = [Labelled(names[place.key], place.figure(WHOLE)) for place in ordered]
    if sets:
        reference = _province(data).figure(WHOLE).index
        caption = _("SIPAS index by agency, with 95 % confidence intervals; dashed line: whole province")
        blocks += interval_charts(shown, "co-quan", caption, _, reference=reference)
        caption = _("Range of ranks of every agency (95 % for all at once)")
        blocks += rank_charts(list(sets.values()), names, "khoang-hang", caption, _)
    return blocks


def _groups(data: ReportInput, _: FigureWriter) -> list[Block]:
    blocks: list[Block] = [Heading(_("5. By level of the administration, field and month"))]
    for dimension, caption, first in (
        ("level", _("SIPAS index by level of the administration"), _("Level of the administration")),
        ("field", _("SIPAS index by field"), _("Field")),
        ("month", _("SIPAS index by month"), _("Month")),
    ):
        if data.result.waits(dimension):  # the method says why
            continue
        rows = tuple(
            (
                parse_period(place.key).words(_.lang) if dimension == "month" else _(place.name),
                _.number(place.sheets, 0),
                *_.cells(place.figure(WHOLE))[1:],
            )
            for place in data.result.of(dimension)
        )
        if rows:
            blocks.append(TableBlock(caption, (first, _("Sheets"), *_.head()[1:]), rows))
    return blocks


def _channels(data: ReportInput, _: FigureWriter) -> list[Block]:
    effects = {one.channel: one for one in data.result.effects if one.item == WHOLE}
    rows = []
    if data.result.waits("channel"):
        return [Heading(_("6. Differences between channels")), Paragraph(_(BREAKDOWNS_LATER))]
    for place in data.result.of("channel"):
        if not place.sheets:
            continue
        effect = effects.get(place.key)
        change = "–" if effect is None else _.change(effect.effect)
        error = "–" if effect is None else f"± {_.number(effect.error)}"
        name = _(CHANNELS.names[place.key])
        rows.append((name, _.number(place.sheets, 0), *_.cells(place.figure(WHOLE))[1:4], change, error))
    return [
        Heading(_("6. Differences between channels")),
        Paragraph(
            _(
                "One agency may be rated differently through different channels. The column “Difference” is against "
                "the province's mean within the same agencies (points of the index, ± standard error). It holds both "
                "how a channel acts on an answer and who answers through it."
            )
        ),
        TableBlock(
            _("SIPAS index by channel"),
            (_("Channel"), _("Sheets"), *_.head()[1:4], _("Difference"), _("Standard error")),
            tuple(rows),
        ),
    ]


def _feedback(data: ReportInput, _: FigureWriter) -> list[Block]:
    rows = tuple(
        (
            _(data.catalogue.agencies[one.agency_id].name),
            _.number(one.received, 0),
            _.number(one.answered, 0),
            _.number(one.in_time, 0),
            _.number(100 * one.in_time / one.received if one.received else None),
        )
        for one in data.feedback
    )
    total = sum(one.received for one in data.feedback)
    blocks: list[Block] = [
        Heading(_("8. Feedback (beside factor E)")),
        Paragraph(_("{count} pieces of feedback within competence were received.", count=_.number(total, 0))),
    ]
    if rows:
        head = (_("Agency"), _("Received"), _("Answered"), _("In time"), _("In time (%)"))
        blocks.append(TableBlock(_("Feedback received and answered"), head, rows))
    return blocks


def _reasons(data: ReportInput, _: FigureWriter) -> list[Block]:
    """Why people were not satisfied: the province's reasons, and each agency's first."""
    blocks: list[Block] = [Heading(_("Why people are not satisfied"), 2)]
    whole = data.reasons[0] if data.reasons else None
    if whole is None or whole.hidden or not whole.reasons:
        words = _("Too few people who were not satisfied answered in this period to publish their reasons.")
        return [*blocks, Paragraph(words)]
    said = _(
        "Of {count} sheets whose overall answer was not “satisfied”, so many per cent named each reason; one sheet may "
        "name several.",
        count=_.number(whole.unsatisfied, 0),
    )
    head = (_("Reason"), _("Sheets"), _("Share (%)"), _("95 % interval"))
    rows = tuple(
        (_(one.name), _.number(one.sheets, 0), _.number(one.share), _.limits(one.low, one.high))
        for one in whole.reasons
    )
    blocks += [Paragraph(said), TableBlock(_("Reasons, whole province"), head, rows)]
    of_agencies = tuple(
        (
            _(one.name),
            _.number(one.unsatisfied, 0),
            _(first.name),
            _.number(first.share),
            _.limits(first.low, first.high),
        )
        for one in data.reasons_by_agency
        if one.reasons and (first := one.reasons[0])
    )
    if of_agencies:
        of_agency = (_("Agency"), _("Not satisfied"), _("Reason named most"), _("Share (%)"), _("95 % interval"))
        blocks.append(TableBlock(_("The reason named most, by agency"), of_agency, of_agencies))
    return blocks


def _wishes(data: ReportInput, _: FigureWriter) -> list[Block]:
    blocks: list[Block] = [Heading(_("9. Expectations and proposed solutions"))]
    blocks.append(
        Paragraph(
            _(
                "What people write is read and sorted by the staff. {count} texts of this period are not sorted yet.",
                count=_.number(data.uncoded, 0),
            )
        )
    )
    blocks += _reasons(data, _)
    for kind, caption, name in (
        ("expectation", _("What citizens and organisations expect"), "mong-doi"),
        ("suggestion", _("Solutions that were proposed"), "giai-phap"),
    ):
        rows = [(_(COMMENT_CODES.get(code, Text.named(vi=code))), count) for k, code, count in data.coded if k == kind]
        if rows:
            blocks.append(bar_chart(rows, name, caption, _("Number of texts"), _.lang))
            table = tuple((label, _.number(count, 0)) for label, count in rows)
            blocks.append(TableBlock(caption, (_("Content"), _("Number of texts")), table))
    return blocks


def _fused(data: ReportInput, _: FigureWriter) -> list[Block]:
    shown = [one for one in data.fused if one.index_fused is not None]
    heading = Heading(_("10. Combined estimate with the implicit signal (for information)"))
    if not shown:
        return [heading, Paragraph(_("There is no combined estimate for this period."))]
    rows = tuple(
        (
            _(one.name),
            _.number(one.index_explicit),
            _.limits(one.explicit_low, one.explicit_high),
            _.number(one.index_fused),
            _.limits(one.fused_low, one.fused_high),
            _(SHORT_VERDICTS[Verdict(one.verdict)]) + (" (*)" if LEFT_OUT in one.verdict_words else ""),
        )
        for one in shown
    )
    # in a column the sentences would make each row seven lines high: they stand once below
    said = [
        Paragraph(f"{_(SHORT_VERDICTS[verdict])}: {_(VERDICTS[verdict])}")
        for verdict in dict.fromkeys(Verdict(one.verdict) for one in shown)
    ]
    if any(LEFT_OUT in one.verdict_words for one in shown):
        said.append(Paragraph(f"(*) {_(LEFT_OUT)}"))
    per_cent = round(100 * data.confidence, 1)
    sure = f"{_.number(per_cent, 0 if per_cent.is_integer() else 1)} %"
    header = (_("Agency"), _("From sheets"), sure, _("Combined estimate"), sure, _("Implicit signal"))
    return [
        heading,
        Paragraph(
            _(
                "Of the question of overall satisfaction alone; beside the SIPAS index, not in its place. The implicit "
                "signal says nothing about fees, deadlines or lawfulness, and is not made for single civil servants."
            )
        ),
        TableBlock(_("Overall satisfaction: from sheets, and combined"), header, rows),
        *said,
    ]


def _suspicious(data: ReportInput, _: FigureWriter) -> list[Block]:
    by_reason: dict[str, int] = {}
    for one in data.result.set_aside:
        reason = _(RatingFlag[one.flag.upper()].label)
        by_reason[reason] = by_reason.get(reason, 0) + one.sheets
    rows = tuple((reason, _.number(count, 0)) for reason, count in sorted(by_reason.items(), key=lambda r: -r[1]))
    blocks: list[Block] = [
        Heading(_("11. Suspicious sheets and the log of changes")),
        Paragraph(
            _(
                "{count} sheets were set aside as suspicious: neither counted nor deleted. Every change stands in a "
                "log of {entries} entries; its last checksum: {head}.",
                count=_.number(sum(by_reason.values()), 0),
                entries=_.number(data.log_entries, 0),
                head=data.log_head[:32],
            )
        ),
    ]
    if rows:
        blocks.append(TableBlock(_("Sheets set aside, by reason"), (_("Reason"), _("Sheets")), rows))
    return blocks
