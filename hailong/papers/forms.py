"""The forms: their headings in order, and which part fills each.

Headings and numbering follow what is known of the forms (the law's data file names the articles); where a form's own
wording was not at hand the heading is ours, and every paper says so. `HEADINGS` of a form are what the checklist test
looks for, and what `Paper` writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hailong.papers.facts import PaperFacts
from hailong.papers.paper import HEAD, LEGAL, OFFICER, OPERATOR, SUPPLIER
from hailong.papers.parts import Parts
from pipeline.language import Message
from server.documents.blocks import Block, Heading, Paragraph, Report
from server.documents.frame import make_frame
from server.documents.writer import SIMULATED

Fill = Callable[[Parts], list[Block]]
NOT_LAWYERS = Message(
    "We are not lawyers. This draft was made by a program; headings were taken from what is known of the form and have "
    "to be compared with the official text. What the program cannot know is blank, with the role that fills it in."
)
DATA_LAW = (
    "pdpl-19-2",
    "pdpl-21-6",
    "pdpl-22",
    "pdpl-23",
    "pdpl-30-4",
    "pdpl-32",
    "pdpl-24",
    "d356-5",
    "d356-6-3",
    "d356-9-3",
    "d356-10-2",
    "d356-10-5",
    "d356-19",
)
AI_LAW = ("ai-10", "ai-11-1", "ai-35", "d142-12", "d142-20", "qd33")
FINES = ("d330-60", "d330-61", "d330-67", "d330-71", "d330-state")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its level (1 part, 2 section, 3 item) and what fills it; `fill` None: a heading of headings."""

    heading: Message
    level: int = 2
    fill: Fill | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """One paper. `kind`: type of document above its title; `abbreviation` of it in the number; `annexes`: whether
    boxes and released tables follow."""

    title: Message
    kind: Message
    abbreviation: str
    sections: tuple[Section, ...]
    annexes: bool = True


def _blank(*asked: tuple[Message, Message]) -> Fill:
    return lambda parts: [parts.unknown(*asked)]


def _law(*keys: str) -> Fill:
    return lambda parts: parts.compliance(*keys)


def _say(*sentences: Message) -> Fill:
    return lambda parts: [parts.text(sentence) for sentence in sentences]


def _all(*fills: Fill) -> Fill:
    return lambda parts: [block for fill in fills for block in fill(parts)]


DPIA10 = Form(
    Message("Impact assessment of the processing of personal data (form Mẫu 10)"),
    Message("DOSSIER"),
    "HS",
    (
        Section(Message("PART A. PARTY THAT MAKES THE ASSESSMENT"), 1),
        Section(Message("I. INFORMATION ON THE PARTIES"), 2, Parts.parties),
        Section(Message("II. DESCRIPTION OF THE PROCESSING"), 2, Parts.purpose),
        Section(Message("1. Role of the party; data subjects and their number"), 3, Parts.subjects),
        Section(Message("2. Flows of the data, with a diagram"), 3, Parts.flow),
        Section(Message("3. Categories of personal data"), 3, Parts.categories),
        Section(Message("4. Legal basis, forms of consent"), 3, Parts.consent),
        Section(Message("5. Storage"), 3, Parts.storage),
        Section(Message("6. Deletion and destruction"), 3, Parts.deletion),
        Section(
            Message("7. Transfer of personal data"),
            3,
            lambda parts: parts.nobody_else(Message("The program transfers no data of a person to anybody else.")),
        ),
        Section(
            Message("8. Exchange of personal data"),
            3,
            lambda parts: parts.nobody_else(
                Message("Exports hold sheets without names or tables with noise; each stands in the log of changes.")
            ),
        ),
        Section(
            Message("9. Services used for the processing"),
            3,
            lambda parts: parts.nobody_else(
                Message(
                    "No service of another party is called at run time: models run on the box, the server is one's own."
                )
            ),
        ),
        Section(
            Message("10. Transfer across the border"),
            3,
            lambda parts: parts.nobody_else(Message("None by the program: a box contacts its server alone."), "trace"),
        ),
        Section(Message("11. Measures of protection"), 3),
        Section(Message("11.1. Measures of management"), 3, Parts.management),
        Section(Message("11.2. Technical measures"), 3, Parts.technical),
        Section(Message("11.3. Checks of the measures"), 3, _all(Parts.audits, Parts.attacked)),
        Section(Message("12. Compliance with the rules on personal data"), 3, _law(*DATA_LAW)),
        Section(Message("III. ASSESSMENT OF THE IMPACT"), 2),
        Section(Message("1. Risks"), 3, Parts.risks),
        Section(Message("2. Consequences and measures"), 3),
        Section(Message("2.1. Consequences that may follow"), 3, Parts.judged),
        Section(
            Message("2.2. Measures taken"),
            3,
            _say(Message("Each risk has its measure and what checks it in item 1; measures in general are in II.11.")),
        ),
        Section(
            Message("2.3. What remains"),
            3,
            _say(
                Message(
                    "Whoever has root on a running box sees what is live. Ratings are exact and voluntary; a person "
                    "with several visits pays for each. What a released table tells at most stands in annex 2."
                )
            ),
        ),
        Section(Message("IV. CONCLUSION AND COMMITMENT"), 2, Parts.signed),
        Section(Message("PART B. OTHER PARTIES TO THE PROCESSING"), 1),
        Section(
            Message("Processors, third parties and suppliers (each fills in parts I to IV for itself)"),
            2,
            _blank((Message("Supplier"), SUPPLIER), (Message("Operator of servers and boxes"), OPERATOR)),
        ),
    ),
)

CLASSIFICATION = Form(
    Message("Classification of an artificial intelligence system"),
    Message("DOSSIER"),
    "HS",
    (
        Section(Message("1. Identity of the system"), 2, Parts.parties),
        Section(Message("2. Description and context of use"), 2, Parts.purpose),
        Section(Message("3. Data"), 2, Parts.categories),
        Section(Message("3.1. Models and how they were measured"), 3, Parts.models),
        Section(Message("4. Management of risks"), 2, Parts.risks),
        Section(Message("4.1. Checks"), 3, Parts.audits),
        Section(
            Message("5. Result of the self-classification"),
            2,
            _all(
                _law("qd33", *AI_LAW[:4]),
                _say(
                    Message(
                        "Proposal of this program: low risk by the list, with the duties of notice and impact "
                        "assessment. If scores are used for reward and reprimand, see form AI02."
                    )
                ),
                _blank((Message("Class that is declared"), HEAD), (Message("Day of the declaration"), HEAD)),
            ),
        ),
        Section(Message("6. Responsibility"), 2, Parts.signed),
    ),
)

AI02 = Form(
    Message("Impact assessment of an artificial intelligence system (form AI02)"),
    Message("REPORT"),
    "BC",
    (
        Section(Message("I. GENERAL INFORMATION"), 2, Parts.parties),
        Section(
            Message("II. INFORMATION ON THE SYSTEM"),
            2,
            _all(Parts.purpose, Parts.flow, Parts.subjects, Parts.counted, Parts.models),
        ),
        Section(Message("III. ASSESSMENT OF RISKS"), 2),
        Section(Message("1. To privacy and personal data"), 3, Parts.risks),
        Section(
            Message("2. Of errors of the system"),
            3,
            _say(
                Message(
                    "The models are often wrong about one visit; the system abstains in doubt, adds up many visits and "
                    "corrects with ratings. How it was measured stands in part II."
                )
            ),
        ),
        Section(
            Message("3. Of discrimination"),
            3,
            _all(
                _say(
                    Message(
                        "Differences between groups of people (age, skin, dialect, disability) are not measured in "
                        "Vietnam. The official index does not use the signal."
                    )
                ),
                Parts.groups,
            ),
        ),
        Section(
            Message("4. To the rights of civil servants"),
            3,
            _say(Message("No face or voice of a civil servant is analysed; no figure rests on one clerk.")),
        ),
        Section(
            Message("5. Of a decision that rests on scores"),
            3,
            _all(
                _law("d142-20"),
                _say(
                    Message(
                        "Figures carry intervals, ranks are ranges; agencies whose ranges overlap are not told apart."
                    )
                ),
                _blank((Message("Whether scores are used for reward and reprimand"), HEAD)),
            ),
        ),
        Section(
            Message("6. To security"),
            3,
            _all(
                _say(
                    Message(
                        "Attacks that were tried on what the system releases stand below; what is left of each risk "
                        "stands in item 1."
                    )
                ),
                Parts.attacked,
            ),
        ),
        Section(Message("7. Other risks"), 3, Parts.judged),
        Section(Message("IV. MEASURES"), 2, _all(Parts.management, Parts.technical)),
        Section(Message("V. MONITORING"), 2, _all(Parts.audits, Parts.deletion)),
        Section(
            Message("VI. CONSULTATION"),
            2,
            _blank(
                (Message("Who was consulted (citizens, civil servants, experts), and what they said"), HEAD),
                (Message("What was changed because of it"), HEAD),
            ),
        ),
        Section(
            Message("VII. COMMITMENT"),
            2,
            _all(Parts.signed, _blank((Message("Where this assessment was published"), HEAD))),
        ),
    ),
)

AI01A = Form(
    Message("Report of a serious incident of an artificial intelligence system (form AI01a)"),
    Message("REPORT"),
    "BC",
    (
        Section(Message("1. Who reports"), 2, Parts.parties),
        Section(Message("2. The system"), 2, Parts.purpose),
        Section(Message("3. The incident"), 2, Parts.incident),
        Section(Message("4. Causes, as far as they are known"), 2, _blank((Message("Causes"), OPERATOR))),
        Section(Message("5. What was done"), 2, _blank((Message("Measures, with day and hour"), OPERATOR))),
        Section(Message("6. State of the system's checks"), 2, Parts.audits),
        Section(
            Message("7. Stage of the report"),
            2,
            _all(
                _law("d142-19"),
                _blank((Message("First (72 hours), second (5 working days) or final (15 days)"), OFFICER)),
            ),
        ),
        Section(Message("8. Responsibility"), 2, Parts.signed),
    ),
    annexes=False,
)

BREACH08 = Form(
    Message("Notification of a breach of the protection of personal data (form Mẫu 08)"),
    Message("NOTIFICATION"),
    "TB",
    (
        Section(Message("1. Who notifies"), 2, Parts.parties),
        Section(Message("2. The breach"), 2, Parts.incident),
        Section(
            Message("3. Data and people concerned"),
            2,
            _all(Parts.touched, Parts.categories),
        ),
        Section(Message("4. Consequences"), 2, _blank((Message("Harm that followed or may follow"), OFFICER))),
        Section(
            Message("5. Measures taken and proposed"), 2, _blank((Message("Measures, with day and hour"), OPERATOR))
        ),
        Section(
            Message("6. Time of the notification"),
            2,
            _all(_law("pdpl-23"), _blank((Message("Why it is later than 72 hours, if it is"), OFFICER))),
        ),
        Section(Message("7. Contact"), 2, _blank((Message("Name, telephone, address"), OFFICER))),
        Section(Message("8. Responsibility"), 2, Parts.signed),
    ),
    annexes=False,
)

SYSTEM_CARD = Form(
    Message("System card and model cards"),
    Message("ANNEX"),
    "PL",
    (
        Section(Message("1. What the system is for, and what not"), 2, _all(Parts.purpose, _law("d142-3"))),
        Section(Message("2. Parts and flows"), 2, Parts.flow),
        Section(Message("3. Models (model cards)"), 2, _all(Parts.models, Parts.learnt_from)),
        Section(
            Message("4. Limits"),
            2,
            _say(
                Message(
                    "What a face or voice shows is not what a person feels, nor whether a service was good. The "
                    "signal says nothing about fees, deadlines or lawfulness."
                ),
                Message("The rule of use: beside the official index, never in its place; never for one person."),
            ),
        ),
        Section(Message("5. Data"), 2, Parts.categories),
        Section(Message("6. People's part: notice, opt-out, contact"), 2, Parts.consent),
        Section(Message("7. Checks"), 2, Parts.audits),
        Section(Message("8. Who answers for it"), 2, _all(Parts.parties, Parts.signed)),
    ),
)

YEARLY = Form(
    Message("Yearly evaluation of compliance with the rules on personal data"),
    Message("REPORT"),
    "BC",
    (
        Section(Message("1. Scope"), 2, _all(Parts.parties, Parts.subjects)),
        Section(
            Message("2. What changed since the last evaluation"),
            2,
            _blank((Message("Changes of purpose, data, boxes, parties"), OFFICER)),
        ),
        Section(
            Message("3. Duties and their state"),
            2,
            lambda parts: parts.duties(*DATA_LAW, *AI_LAW),
        ),
        Section(Message("4. Requests, complaints and incidents"), 2, Parts.requests),
        Section(Message("5. Storage and deletion"), 2, _all(Parts.storage, Parts.deletion)),
        Section(Message("6. Checks"), 2, Parts.audits),
        Section(Message("7. Fines that may apply"), 2, _law(*FINES)),
        Section(
            Message("8. Findings and what to do"),
            2,
            _blank(
                (Message("Findings, measures, who, until when"), OFFICER), (Message("Training that was held"), OFFICER)
            ),
        ),
        Section(Message("9. Responsibility"), 2, Parts.signed),
    ),
)

ISO27559 = Form(
    Message("De-identification by the framework of ISO/IEC 27559:2022"),
    Message("REPORT"),
    "BC",
    (
        Section(Message("6. Context assessment"), 2),
        Section(Message("6.2. Threat modelling"), 3, Parts.risks),
        Section(Message("6.3. Transparency and impact assessment"), 3, _all(Parts.consent, Parts.judged)),
        Section(Message("7. Data assessment"), 2),
        Section(Message("7.2. Data features"), 3, _all(Parts.subjects, Parts.categories)),
        Section(
            Message("7.3. Attack modelling"),
            3,
            _say(
                Message(
                    "Privacy model: pure differential privacy for one visit, delta 0. The attacker knows every other "
                    "visit, the ratings and that the visit took place; the risk is that of any visit, not an average."
                )
            ),
        ),
        Section(Message("8. Identifiability assessment and mitigation"), 2),
        Section(
            Message("8.2. Assessing identifiability"),
            3,
            _all(
                _say(
                    Message(
                        "What each released table tells at most stands in annex 2. Attacks that were run on it, beside "
                        "the claim:"
                    )
                ),
                Parts.attacked,
                Parts.audits,
            ),
        ),
        Section(Message("8.3. Mitigation"), 3, Parts.technical),
        Section(Message("9. De-identification governance"), 2),
        Section(Message("9.2. Before data are made available"), 3, _all(Parts.management, Parts.parties)),
        Section(Message("9.3. After data are made available"), 3, _all(Parts.storage, Parts.deletion)),
        Section(
            Message("9.4. Mitigation in case of incident"),
            3,
            _all(
                _law("pdpl-23"),
                _blank((Message("Plan for an incident, who is called"), OFFICER), (Message("Legal review"), LEGAL)),
            ),
        ),
    ),
)

FORMS: dict[str, Form] = {
    "dpia10": DPIA10,
    "ai-classification": CLASSIFICATION,
    "ai02": AI02,
    "ai01a": AI01A,
    "breach08": BREACH08,
    "system-card": SYSTEM_CARD,
    "yearly": YEARLY,
    "iso27559": ISO27559,
}
"""By the name that `--form` takes."""


def make_paper(name: str, facts: PaperFacts, lang: str) -> Report:
    """One paper in one language, as blocks in the frame of an administrative document."""
    form, parts = FORMS[name], Parts(facts, lang)
    _ = parts._
    blocks: list[Block] = [Paragraph(_(NOT_LAWYERS), strong=True)]
    for section in form.sections:
        blocks.append(Heading(_(section.heading), section.level))
        if section.fill is not None:
            blocks += section.fill(parts)
    recipients = (_("The competent authority, where the law asks for it"), _("Data protection officer"))
    return Report(
        title=_(form.title),
        subtitle=_(facts.province.name),
        notice=_(SIMULATED) if facts.province.simulated else "",
        blocks=tuple(blocks),
        annexes=(*parts.annex_boxes(), *parts.annex_tables()) if form.annexes else (),
        frame=make_frame(facts.office, _(facts.province.name), _(form.kind), form.abbreviation, recipients, _),
        lang=lang,
    )
