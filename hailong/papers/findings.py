"""What papers say of what was found: models, groups of people, audits, requests, incidents, and the annexes."""

from __future__ import annotations

from edge.capture.redaction import redacted
from edge.config import EdgeConfig
from edge.counters import CounterSection
from hailong.papers.facts import AgencyFact
from hailong.papers.groups import GROUPS, MEASURES
from hailong.papers.noise import EVIDENCE_LEVELS, PULSE_LEVELS, odds_sentence, width_sentence
from hailong.papers.paper import AUDITS, HEAD, LONGEST, OFFICER, Paper
from pipeline.calendar import day_words
from pipeline.language import Day, Joined, Message, Spoken
from pipeline.law import provision
from server.documents.blocks import Block, Heading, TableBlock
from server.rights.requests import KINDS as REQUESTS


def _counter_rows(config: EdgeConfig, counter: CounterSection) -> list[tuple[str | Spoken, str | Spoken]]:
    """What sees and hears at a counter of a box; of several, each with its name."""
    of = [counter.name] if config.counter else []
    return [
        (Joined([Message("Camera"), *of], " "), redacted(counter.camera.stream)),
        (Joined([Message("Microphone"), *of], " "), redacted(counter.microphone.source)),
        (Joined([Message("Visits start and end by"), *of], " "), counter.visits.by),
    ]


class Findings(Paper):
    """Parts that are filled from cards, audits, registers and configurations."""

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
            Heading(_("Annex 2. Released tables: what they tell, what the noise costs"), 1, bool(self.facts.agencies))
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
