"""What several papers say: the parties, the processing, the data, the measures, the risks, the audits, the annexes."""

from __future__ import annotations

from edge.capture.redaction import redacted
from edge.config import EdgeConfig
from edge.counters import CounterSection
from hailong.papers.diagram import flow_chart
from hailong.papers.facts import AgencyFact, PaperFacts
from hailong.papers.groups import GROUPS, MEASURES
from hailong.papers.noise import EVIDENCE_LEVELS, PULSE_LEVELS, odds_sentence, width_sentence
from pipeline.calendar import day_words
from pipeline.language import Day, Joined, Message, Spoken
from pipeline.law import provision
from server.documents.blocks import Block, Heading, ListBlock, Paragraph, TableBlock
from server.documents.frame import BLANK
from server.documents.writer import Writer
from server.rights.requests import KINDS as REQUESTS

HEAD = Message("the head of the agency")
OFFICER = Message("the data protection officer")
OPERATOR = Message("whoever runs the servers and boxes")
SUPPLIER = Message("the supplier")
LEGAL = Message("the legal officer")
ROLES: dict[str, Message] = {
    "administrator": Message("Administrator"),
    "data_entry": Message("Data entry"),
    "analyst": Message("Analyst"),
    "privacy_officer": Message("Privacy officer"),
    "agency_reader": Message("Agency reader"),
}
AUDITS = ("schema", "wire", "budget", "log", "attack", "trace", "memory", "ratings", "retention")
"""Every audit that there is; a paper tells which results it was not given."""
LONGEST = 400
"""Characters of a card's or an audit's own sentences (which are English) in one cell."""


def _counter_rows(config: EdgeConfig, counter: CounterSection) -> list[tuple[str | Spoken, str | Spoken]]:
    """What sees and hears at a counter of a box; of several, each with its name."""
    of = [counter.name] if config.counter else []
    return [
        (Joined([Message("Camera"), *of], " "), redacted(counter.camera.stream)),
        (Joined([Message("Microphone"), *of], " "), redacted(counter.microphone.source)),
        (Joined([Message("Visits start and end by"), *of], " "), counter.visits.by),
    ]


class Parts:
    """The parts of one paper, in one language."""

    def __init__(self, facts: PaperFacts, lang: str) -> None:
        self.facts = facts
        self._ = Writer(lang)

    def blank(self, role: Message) -> str:
        """What the program cannot know, and who fills it in."""
        return self._("{blank} (to be filled in by {role})", blank=BLANK, role=role)

    def text(self, *sentences: str | Spoken) -> Paragraph:
        """A paragraph."""
        return Paragraph(" ".join(self._(sentence) for sentence in sentences))

    def unknown(self, *rows: tuple[Message, Message]) -> TableBlock:
        """What is asked for and stays blank: what, and the role that fills it in."""
        _ = self._
        cells = tuple((_(what), self.blank(role)) for what, role in rows)
        return TableBlock("", (_("Asked for"), _("Answer")), cells, words=2, widths=(2, 3))

    def table(self, *rows: tuple[str | Spoken, str | Spoken]) -> TableBlock:
        """What is known: two columns of words."""
        _ = self._
        cells = tuple((_(left), _(right)) for left, right in rows)
        return TableBlock("", (_("Item"), _("Content")), cells, words=2, widths=(2, 3))

    # who -------------------------------------------------------------------------------------------------------------

    def parties(self) -> list[Block]:
        """Controller, operator, officer, contact."""
        facts, _ = self.facts, self._
        issuer = facts.office.issuer or _("People's Committee of {province}", province=facts.province.name)
        told = [text for one in facts.configs for text in (one.config.legal.complaints, one.config.notice.contact)]
        contacts = sorted({text for text in told if text})
        return [
            self.table(
                (Message("Controller"), issuer),
                (Message("Address, telephone"), self.blank(HEAD)),
                (Message("Decision that lets the system be used (number, day)"), self.blank(HEAD)),
                (Message("Data protection officer"), self.blank(HEAD)),
                (Message("Contact for questions and complaints"), "; ".join(contacts) or self.blank(HEAD)),
                (Message("Operator of servers and boxes"), self.blank(OPERATOR)),
                (Message("Supplier"), self.blank(SUPPLIER)),
                (Message("Software"), f"Hài Lòng {facts.version}"),
            )
        ]

    # what ------------------------------------------------------------------------------------------------------------

    def purpose(self) -> list[Block]:
        """What the system does and what for."""
        return [
            self.text(
                Message(
                    "Purpose: to measure satisfaction where few people answer. The official index rests on voluntary "
                    "ratings alone; the fused estimate stands beside it with its interval, and it is said where the "
                    "implicit signal does not help."
                )
            ),
            self.text(
                Message(
                    "The box infers from pictures and sound, in memory only, the implicit satisfaction of a visit "
                    "(five levels, or abstained). Each visit adds one to one cell of a table. At the period's end "
                    "noise is added, and the table is sent over an encrypted channel. The server combines it with "
                    "voluntary ratings into an agency's index."
                )
            ),
            self.text(
                Message(
                    "No decision about a person follows from it: nobody is recognised, no dossier is treated "
                    "otherwise, and there is no score of a citizen or a named civil servant."
                )
            ),
        ]

    def subjects(self) -> list[Block]:
        """Who is concerned, and how many."""
        facts, _ = self.facts, self._
        named = [(_(ROLES[role]) if role in ROLES else role, count) for role, count in facts.users_by_role]
        staff = ", ".join(f"{role}: {count}" for role, count in named)
        transactions = _.number(facts.transactions_a_year, 0) if facts.transactions_a_year else self.blank(OPERATOR)
        return [
            self.table(
                (Message("Citizens at the counters: transactions in the last twelve months"), transactions),
                (Message("Answer sheets in the last twelve months"), _.number(facts.ratings_a_year, 0)),
                (Message("Feedback in the last twelve months"), _.number(facts.feedback_a_year, 0)),
                (Message("Boxes enrolled, and the clerks that they serve"), self._boxes_in_words()),
                (Message("Agencies in the province's catalogue"), _.number(facts.agencies_in_all, 0)),
                (Message("Users of the server"), staff or _("none")),
            ),
            self.text(
                Message(
                    "Citizens are the data subjects; civil servants are kept out of it: region and channel are "
                    "applied before any model, and no figure rests on one clerk."
                )
            ),
        ]

    def _boxes_in_words(self) -> str:
        found = self.facts.boxes
        return f"{len(found)}; {sum(box.clerks for box in found)}"

    def flow(self) -> list[Block]:
        """How data flow, with a diagram."""
        return [flow_chart(self._)]

    def categories(self) -> list[Block]:
        """Kinds of data, where they are and how long."""
        _, settings = self._, self.facts.settings
        rows = (
            (Message("Frames, sound, words, features"), Message("in the box's memory only, during the visit")),
            (
                Message("Counts without noise"),
                Message("in the box's memory, and in one sealed file until the period ends"),
            ),
            (Message("Tables with noise"), Message("on the server, without a limit: no person is in them")),
            (
                Message("Voluntary answer sheets"),
                Message("on the server, the day is the finest time, no name; without a limit"),
            ),
            (
                Message("Telephone numbers and contacts of feedback"),
                Message("on the server, {days} days, then deleted", days=settings["contact_days"]),
            ),
            (
                Message("Who of the staff read what"),
                Message("on the server, {days} days, then deleted", days=settings["access_log_days"]),
            ),
        )
        cells = tuple((_(left), _(right)) for left, right in rows)
        return [
            TableBlock("", (_("Data"), _("Where, how long")), cells, words=2, widths=(2, 3)),
            self.text(provision("d356-3-6").says, provision("pdpl-31-2").says),
            self.text(
                Message("We treat faces and voices as sensitive data by choice, though nobody is identified by them.")
            ),
        ]

    def consent(self) -> list[Block]:
        """The legal basis, and how somebody says no."""
        stated: list[Block] = []
        for one in self.facts.configs:
            legal = one.config.legal
            words: str | Spoken = Message(
                "consent of each citizen for the visit, by touch; without it nothing is opened"
            )
            if not legal.asks_consent:
                words = Message(
                    "lawful activity of a state agency: decision {number} of {day}, {office}; last check {last}, next "
                    "one due {due}",
                    number=legal.decision_number,
                    day=Day(legal.decision_date) if legal.decision_date else BLANK,
                    office=legal.office,
                    last=Day(legal.last_check) if legal.last_check else BLANK,
                    due=Day(legal.check_due) if legal.check_due else BLANK,
                )
            stated.append(self.table((Message("Legal basis of {name}", name=one.name), words)))
        return [
            *(stated or [self.unknown((Message("Legal basis: consent, or lawful activity of a state agency"), HEAD))]),
            self.text(provision("d356-6-3").says, provision("pdpl-19-1").says, provision("pdpl-19-2").says),
            self.text(
                Message(
                    "One touch on the tablet ends the analysis at any time of the visit, without a reason and without "
                    "an effect on the dossier; who touches nothing of it can rate, and who rates need not be analysed."
                )
            ),
        ]

    def storage(self) -> list[Block]:
        """What is kept."""
        return [
            self.text(
                Message(
                    "What is kept has no name: tables with noise, answer sheets by day, and contacts that somebody "
                    "gave to be answered. Every change of the store is in a log of {entries} entries (head {head}).",
                    entries=self._.number(self.facts.log_entries, 0),
                    head=self.facts.log_head[:32],
                )
            )
        ]

    def deletion(self) -> list[Block]:
        """What is deleted when, and whether that is so."""
        found = self.facts.findings
        state = (
            Message("The store was checked on {day}: nothing in it is finer or older.", day=Day(self.facts.today))
            if not found
            else Message(
                "The store was checked on {day}: {count} findings.", day=Day(self.facts.today), count=len(found)
            )
        )
        return [
            self.text(
                Message(
                    "Frames and sound go with the visit; the sealed file with its period; contacts and the access log "
                    "on their day, by the server itself, overwritten on the disk."
                ),
                state,
            ),
            *([ListBlock(tuple(self._(words) for words in found))] if found else []),
        ]

    def nobody_else(self, what: Message) -> list[Block]:
        """Of transfer, exchange, services, abroad: that there is none of the program's, and who says the rest."""
        return [self.text(what), self.unknown((Message("Contracts and agreements, if any"), LEGAL))]

    # what can go wrong -----------------------------------------------------------------------------------------------

    def management(self) -> list[Block]:
        """Measures of organisation."""
        return [
            ListBlock(
                tuple(
                    self._(each)
                    for each in (
                        Message("roles with the least rights; administrators do not read the access log"),
                        Message("every access and every change is logged; the officer reads both"),
                        Message("a notice at the counter; nothing is analysed before it is confirmed"),
                        Message(
                            "no figure of fewer than {below} sheets is shown", below=self.facts.settings["min_answers"]
                        ),
                    )
                )
            ),
            self.unknown(
                (Message("Training of those who handle the data"), OFFICER), (Message("Rules of the agency"), HEAD)
            ),
        ]

    def technical(self) -> list[Block]:
        """Measures of technique."""
        return [
            ListBlock(
                tuple(
                    self._(each)
                    for each in (
                        Message("memory only; a closed message schema; freed memory is overwritten"),
                        Message("discrete Laplace noise, drawn once a period; a ledger that fails closed"),
                        Message("a tamper-evident log of releases on every box, its heads kept by the server"),
                        Message("encryption on the wire with a key for each box; backups are sealed"),
                        Message("the box's program runs walled in by the operating system"),
                    )
                )
            )
        ]

    def risks(self) -> list[Block]:
        """Risk, measure, what verifies it, what is left."""
        _ = self._
        rows = (
            (
                Message("Pictures, sound or words are kept or sent"),
                Message("memory only; closed schema; freed memory is overwritten"),
                "audit trace, memory, wire, schema",
                Message("root on the running box"),
            ),
            (
                Message("A visit is inferred from tables"),
                Message("noise; one release a period; ledger"),
                "audit attack, budget",
                Message("as the annex on released tables says"),
            ),
            (
                Message("A second noise from an old disk"),
                Message("anchored to the head that the server keeps"),
                "audit attack, log",
                Message("a server that conspires with whoever restores the disk"),
            ),
            (
                Message("Theft of the box"),
                Message("the running month is sealed, the key is not on the disk"),
                "audit trace",
                Message("a box taken while it runs"),
            ),
            (
                Message("Scoring of civil servants"),
                Message("region and channel before any model; two clerks or more pooled"),
                "audit log",
                Message("the operator's statement"),
            ),
            (
                Message("Citizens are not aware"),
                Message("no analysis before the notice is confirmed; one touch opts out"),
                "audit log",
                Message("the paper is taken down"),
            ),
            (
                Message("Errors and bias of models"),
                Message("abstains in doubt; the official index does not use the signal"),
                Message("model cards"),
                Message("differences between groups are not measured in Vietnam"),
            ),
        )
        head = (_("Risk"), _("Safeguard"), _("Verified by"), _("Residual"))
        cells = tuple(tuple(_(cell) for cell in row) for row in rows)
        return [TableBlock("", head, cells, words=4, widths=(3, 4, 3, 4))]

    def judged(self) -> list[Block]:
        """What only people can judge about a risk."""
        return [self.unknown((Message("Likelihood and harm of each risk, as judged here"), OFFICER))]

    def models(self) -> list[Block]:
        """The models from their cards, how often they are wrong."""
        _ = self._
        if not self.facts.cards:
            return [self.text(Message("No box's configuration was given: the models in use are not known."))]
        rows = []
        for card in self.facts.cards:
            measured = "; ".join(
                f"{metric.name}: {_.number(metric.value, 3)}"
                + (f" ({_.number(metric.low, 3)} – {_.number(metric.high, 3)})" if metric.low is not None else "")
                for metric in [each for each in card.metrics if not each.group][:3]
            )
            licence = card.licence + (f" ({card.restriction})" if card.restriction else "")
            rows.append((f"{card.name} {card.version}", card.task, licence[:LONGEST], measured[:LONGEST] or "–"))
        head = (_("Model"), _("Task"), _("Licence"), _("How it was measured"))
        return [
            TableBlock("", head, tuple(rows), words=4, widths=(3, 2, 3, 5)),
            self.text(Message("Names, tasks and measures are those of the models' cards, which are in English.")),
        ]

    def groups(self) -> list[Block]:
        """How often the models in use are wrong about whom, as far as any label or protocol tells."""
        _ = self._
        rows = tuple(
            (
                card.name,
                _(GROUPS[metric.group]),
                _(MEASURES[metric.name]),
                _.number(metric.value, 2)
                + (f" ({_.number(metric.low, 2)} – {_.number(metric.high, 2)})" if metric.low is not None else ""),
            )
            for card in self.facts.cards
            for metric in card.metrics
            if metric.group
        )
        if not rows:
            return []
        head = (_("Model"), _("Group"), _("Measure"), _("Value"))
        return [
            TableBlock("", head, rows, words=4, widths=(3, 4, 5, 3)),
            self.text(
                Message(
                    "Measured on photographs and recordings of other countries. Age, origin and dialect could not be "
                    "measured: nothing open tells them."
                )
            ),
        ]

    def audits(self) -> list[Block]:
        """What was checked, when, with which exit code; what was not."""
        _, given = self._, self.facts.audits
        missing = [name for name in AUDITS if name not in {audit.name for audit in given}]
        rows = tuple(
            (
                audit.name,
                audit.date,
                str(audit.exit_code),
                audit.sha256,
                _("HOLDS") if audit.holds else _("DOES NOT HOLD"),
            )
            for audit in given
        )
        head = (_("Audit"), _("Day"), _("Exit code"), "SHA-256", _("Result"))
        found: list[Block] = [TableBlock("", head, rows, words=5, widths=(2, 2, 1.3, 7, 2))] if rows else []
        if missing:
            found.append(
                self.text(
                    Message("Audits whose result this paper was not given:"),
                    ", ".join(missing) + ".",
                    Message("Run `hailong audit NAME --json` and give the file with --result."),
                )
            )
        return found

    def compliance(self, *keys: str) -> list[Block]:
        """Articles and what they say, from the one file of law."""
        _ = self._
        rows = []
        for key in keys:
            article = provision(key)
            since = _(Day(article.since)) if article.since else "–"
            says = _(article.says) if article.read else _("{says} (not read in the text itself)", says=article.says)
            rows.append((_(article.cite), since, says))
        return [
            TableBlock(
                "", (_("Article"), _("In force from"), _("What it says")), tuple(rows), words=3, widths=(3, 1.6, 5)
            )
        ]

    def requests(self) -> list[Block]:
        """Requests of data subjects and incidents of this year, from the rights desk."""
        _, facts = self._, self.facts
        rows = [
            (
                _(REQUESTS[one.kind].name),
                _(
                    "{count} requests received, {in_time} done in time, {late} late",
                    count=one.received,
                    in_time=one.in_time,
                    late=one.late,
                ),
            )
            for one in facts.requests
        ]
        noticed, in_time = facts.incidents
        said = _("{count} incidents, {in_time} notified within 72 hours", count=noticed, in_time=in_time)
        return [self.table(*rows, (Message("Incidents"), said))]

    def incident(self) -> list[Block]:
        """The incident that the form is about, from the register; blanks where none was named."""
        _, one = self._, self.facts.incident
        happened = (Message("Day and hour at which it happened"), OFFICER)
        what = (Message("What happened, where"), OFFICER)
        if one is None:
            noticed = (Message("Day and hour at which it was noticed"), OFFICER)
            return [self.unknown(noticed, happened, what, (Message("Whom it touched, and how many"), OFFICER))]
        people = self.blank(OFFICER) if one.people is None else _.number(one.people, 0)
        at = _("{hour}:00, {day}", hour=one.noticed_hour, day=day_words(one.noticed_day))
        until = _("{hour}:00, {day}", hour=one.due[1], day=day_words(one.due[0]))
        named = Message("Incident {number}, file {reference}", number=one.id, reference=one.reference)
        return [
            self.table(
                (Message("Register"), named),
                (Message("Day and hour at which it was noticed"), at),
                (Message("Notify before"), until),
                (Message("People concerned"), people),
            ),
            self.unknown(happened, what),
        ]

    def signed(self, role: Message = HEAD) -> list[Block]:
        """What the signer states, and that it is for them to state."""
        return [
            self.unknown((Message("Statement of responsibility for the content"), role)),
            self.text(
                Message(
                    "This paper was filled in by a program from configuration, cards, audits and the server's store. "
                    "It has to be read, completed and signed by those who answer for it."
                )
            ),
        ]

    # annexes ---------------------------------------------------------------------------------------------------------

    def annex_boxes(self) -> list[Block]:
        """Every box: whose it is, whom it serves, on which terms it releases; every configuration given."""
        _ = self._
        rows = tuple(
            (
                box.label,
                _(agency.name),
                str(box.clerks) + (f" ({box.pool})" if box.pool else ""),
                "–" if box.pulse_epsilon_milli is None else _.number(box.pulse_epsilon_milli / 1_000, 2),
                "–" if box.evidence_epsilon_milli is None else _.number(box.evidence_epsilon_milli / 1_000, 2),
                box.software or "–",
                "–" if box.enrolled is None else _(Day(box.enrolled)),
            )
            for agency in self.facts.agencies
            for box in agency.boxes
        )
        head = (_("Box"), _("Agency"), _("Clerks"), _("ε pulse"), _("ε evidence"), _("Software"), _("Enrolled"))
        found: list[Block] = [Heading(_("Annex 1. Boxes"), 1, new_page=True)]
        if rows:
            found.append(TableBlock("", head, rows, words=7, widths=(3, 5, 2, 1.7, 2, 2.2, 2.6)))
        else:
            found.append(self.text(Message("No box is enrolled.")))
        for one in self.facts.configs:
            config = one.config
            found += [
                Heading(f"{one.name} – {config.box.agency_label} {config.box.counter_label}".strip(), 3),
                self.table(
                    ("SHA-256", one.sha256),
                    *(row for counter in config.counters for row in _counter_rows(config, counter)),
                    (Message("Notice confirmed"), Message("yes") if config.notice.confirmed else Message("no")),
                    (Message("Contact"), config.notice.contact or self.blank(HEAD)),
                ),
            ]
        return found

    def annex_tables(self) -> list[Block]:
        """For each kind of table of each agency: what an attacker can learn, what the noise costs this agency."""
        _ = self._
        found: list[Block] = [
            Heading(_("Annex 2. Released tables: what they tell, what the noise costs"), 1, new_page=True)
        ]
        for agency in self.facts.agencies:
            found += self._tables_of(agency)
        if len(found) == 1:
            found.append(self.text(Message("No box is enrolled.")))
        return found

    def _tables_of(self, agency: AgencyFact) -> list[Block]:
        _ = self._
        blocks: list[Block] = [Heading(_(agency.name), 3)]
        evidence = [box.evidence_epsilon_milli for box in agency.boxes if box.evidence_epsilon_milli]
        pulses = [box.pulse_epsilon_milli for box in agency.boxes if box.pulse_epsilon_milli]
        if evidence:
            blocks.append(
                self.text(
                    Message(
                        "Evidence of a month ({count} tables, ε {epsilon}).",
                        count=len(evidence),
                        epsilon=_.number(max(evidence) / 1_000, 2),
                    ),
                    odds_sentence(max(evidence), EVIDENCE_LEVELS),
                    width_sentence(agency.visits_a_month, agency.ratings_a_month, min(evidence), len(evidence)),
                )
            )
        if pulses:
            blocks.append(
                self.text(
                    Message("Pulse (ε {epsilon}).", epsilon=_.number(max(pulses) / 1_000, 2)),
                    odds_sentence(max(pulses), PULSE_LEVELS),
                    Message("No interval of this agency rests on a pulse: it shows the course of a day and no index."),
                )
            )
        if not evidence and not pulses:
            blocks.append(self.text(Message("The terms of this agency's boxes are not known yet.")))
        return blocks
