"""The sampling plan as an administrative document, to be signed and sent to the agencies."""

from __future__ import annotations

from pipeline.calendar import day_words, parse_period
from pipeline.language import DEFAULT, Message
from server.core.labels import PLAN_WORDS
from server.core.provinces import Province
from server.documents.blocks import Block, Heading, Paragraph, Report, TableBlock
from server.documents.frame import Office, make_frame
from server.documents.writer import SIMULATED, Writer
from server.sampling.plan import PlanState, Return


def plan_document(state: PlanState, province: Province, office: Office, lang: str = DEFAULT) -> Report:
    """The plan's settings, what each agency has to bring back, and how the list was drawn."""
    _ = Writer(lang)
    settings = state.settings
    blocks: list[Block] = [
        Heading(_("1. Scope and time")),
        Paragraph(
            _(
                "Plan {plan} for the round {round} ({first} to {last}), instrument {instrument}. The sampling frame is "
                "the transactions of {frame}.",
                plan=state.code,
                round=state.round.name,
                first=day_words(state.round.first_day),
                last=day_words(state.round.last_day),
                instrument=state.round.load_instrument().title,
                frame=_.within(parse_period(settings["frame"])),
            )
        ),
        Heading(_("2. Size of the sample and how it is drawn")),
        Paragraph(
            _(
                "Size by n = N / (1 + N·e²) with e = {error} %, for {scope}; shared out {method}. The draw follows "
                "from the seed {seed} alone, so that anybody with the frame can repeat it.",
                error=_.number(100 * settings["error"], 1),
                scope=PLAN_WORDS[settings["scope"]],
                method=PLAN_WORDS[settings["method"]],
                seed=settings["seed"],
            )
        ),
        Paragraph(
            _(
                "{forms} forms in all. The numbers drawn within each agency's list of transactions are in the list of "
                "the plan (CSV), which goes with this document.",
                forms=_.number(state.forms, 0),
            )
        ),
        Heading(_("3. Forms by agency and field")),
        TableBlock(
            _("Forms to bring back"),
            (_("Agency"), _("Field"), _("Transactions"), _("Forms"), _("Probability")),
            tuple(_row(row, _) for row in state.with_forms),
            words=2,
        ),
    ]
    if left := state.without_forms:
        blocks.append(
            Paragraph(
                _(
                    "Not in the table: {count} fields of agencies that get no form under this plan.",
                    count=_.number(left, 0),
                )
            )
        )
    recipients = (_("The agencies in the table"), _("Those who carry out the survey"))
    return Report(
        title=_("Sampling plan of the survey of satisfaction, round {round}", round=state.round.code),
        subtitle=_(province.name),
        notice=_(SIMULATED) if province.simulated else "",
        blocks=tuple(blocks),
        frame=make_frame(office, _(province.name), _(Message("PLAN")), "KH", recipients, _),
        lang=lang,
    )


def _row(row: Return, _: Writer) -> tuple[str, ...]:
    return (
        _(row.agency_name),
        _(row.group_name),
        _.number(row.transactions, 0),
        _.number(row.forms, 0),
        _.number(row.probability, 4),
    )
