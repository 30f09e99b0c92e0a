"""What papers say of what was found: models, groups of people, audits, requests, incidents, and the annexes."""

from __future__ import annotations

from edge.capture.redaction import redacted
from edge.config import EdgeConfig
from edge.counters import CounterSection
from hailong.papers.checks import ATTACKED, AUDITS
from hailong.papers.facts import AgencyFact
from hailong.papers.groups import GROUPS, LICENCES, MEASURED, MEASURES, TASKS, VISITS_BY
from hailong.papers.noise import EVIDENCE_LEVELS, PULSE_LEVELS, odds_sentence, width_sentence
from hailong.papers.paper import HEAD, LEGAL, OFFICER, OPERATOR, Paper
from models.catalogue import Metric
from pipeline.calendar import day_words
from pipeline.language import Day, Joined, Message, Number, Spoken
from pipeline.law import provision
from server.documents.blocks import Block, Heading, TableBlock
from server.rights.requests import KINDS as REQUESTS


def _counter_rows(config: EdgeConfig, counter: CounterSection) -> list[tuple[str | Spoken, str | Spoken]]:
    """What sees and hears at a counter of a box; of several, each with its name."""
    of = [counter.name] if config.counter else []
    return [
        (Joined([Message("Camera"), *of], " "), _device(redacted(counter.camera.stream))),
        (Joined([Message("Microphone"), *of], " "), _device(redacted(counter.microphone.source))),
        (Joined([Message("Visits start and end by"), *of], " "), VISITS_BY[counter.visits.by]),
    ]


def _device(source: str) -> str | Spoken:
    """A camera or a microphone: its address or name; a bare number is the device's."""
    return Message("device number {number} of the box", number=source) if source.isdigit() else source


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
                f"{_(words)}: {self._measured(metric)}"
                for metric in card.metrics
                if (words := MEASURED.get(metric.name) or MEASURED.get(f"{metric.name} on {metric.on}"))
            )
            version = card.version.partition(",")[0]  # what follows tells in which package it came
            licence = _(LICENCES.get(card.licence, card.licence))
            numbered = Message("{model}, version {version}", model=Message.marked(card.called), version=version)
            model = _(numbered) if version[:1].isdigit() else f"{_(card.called)} ({version})"
            rows.append((model, _(TASKS[card.task]), licence, measured or _("not measured here")))
        head = (_("Model"), _("Task"), _("Licence"), _("How often it is right (interval of 95 %)"))
        return [
            TableBlock("", head, tuple(rows), words=4, widths=(2.5, 2.2, 2.8, 5)),
            self.text(
                Message(
                    "Measured on public collections, most of other countries, and not at a counter in Vietnam: how "
                    "often the models are right there is not known yet."
                )
            ),
        ]

    def _measured(self, metric: Metric) -> str:
        """A card's figure with its interval: a share in percent, an area under a curve as it is."""
        _ = self._
        if "AUC" in metric.name:
            return _.number(metric.value, 2) + (
                "" if metric.low is None else f" ({_.number(metric.low, 2)} – {_.number(metric.high, 2)})"
            )
        limits = None if metric.low is None or metric.high is None else (100 * metric.low, 100 * metric.high)
        return f"{_.number(100 * metric.value, 1)} %" + (
            f" ({_.number(limits[0], 1)} – {_.number(limits[1], 1)})" if limits else ""
        )

    def learnt_from(self) -> list[Block]:
        """What the models in use were trained on, on which terms."""
        _ = self._
        rows = tuple((_(card.called), _(data.name), _(data.terms)) for card in self.facts.cards for data in card.data)
        if not rows:
            return []
        head = (_("Model"), _("Trained on"), _("Terms of these data"))
        return [
            Heading(_("Data that the models were trained on"), 3),
            TableBlock("", head, rows, words=3, widths=(3, 6, 4)),
        ]

    def groups(self) -> list[Block]:
        """How often the models in use are wrong about whom, as far as any label or protocol tells."""
        _ = self._
        rows = tuple(
            (
                _(card.called),
                _(GROUPS[metric.group]),
                _(MEASURES[metric.name]),
                self._measured(metric),
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
        _, given = self._, {audit.name: audit for audit in self.facts.audits}
        missing = [words for name, words in AUDITS.items() if name not in given]
        rows = tuple(
            (
                _(words),
                _(given[name].day),
                str(given[name].exit_code),
                given[name].sha256,
                _("HOLDS") if given[name].holds else _("DOES NOT HOLD"),
            )
            for name, words in AUDITS.items()
            if name in given
        )
        head = (_("Audit"), _("Day"), _("Exit code"), "SHA-256", _("Result"))
        found: list[Block] = [TableBlock("", head, rows, words=5, widths=(3.4, 2, 1.3, 6, 1.6))] if rows else []
        if missing:
            found.append(
                self.text(
                    Message(
                        "This paper was not given the results of: {audits}. It claims nothing of what they check; "
                        "{role} runs them and has the paper made anew.",
                        audits=Joined(missing, "; "),
                        role=OPERATOR,
                    )
                )
            )
        return found

    def attacked(self) -> list[Block]:
        """What attacks on the real release code could show, beside what is claimed."""
        _ = self._
        attack = next((audit for audit in self.facts.audits if audit.bounds), None)
        if attack is None:
            return [self.unknown((Message("What attacks on the released tables could show"), OPERATOR))]
        head = (_("Attacked"), _("ε that is claimed"), _("ε that the attack could show, at least"), _("Result"))
        rows = tuple(
            (
                _(ATTACKED[bound.kind]),
                _.number(bound.claimed, 2),
                _.number(bound.shown, 2),
                _("below the claim") if bound.shown <= bound.claimed else _("ABOVE THE CLAIM"),
            )
            for bound in attack.bounds
        )
        said = Message(
            "Somebody who knows every other visit tried to tell, on the program's own release code, whether a visit is "
            "in a table ({day}; {confidence} % confidence). An attack shows a lower bound; that ε is no larger than "
            "the claim is proved, not measured.",
            day=attack.day,
            confidence=Number(100 * (attack.confidence or 0), 1),
        )
        return [TableBlock("", head, rows, words=1, widths=(4, 2, 3, 3)), self.text(said)]

    def compliance(self, *keys: str) -> list[Block]:
        """Articles and what they say, from the one file of law."""
        _ = self._
        head = (_("Article"), _("In force from"), _("What it says"))
        return [TableBlock("", head, tuple(map(self._article, keys)), words=3, widths=(3, 1.6, 5))]

    def duties(self, *keys: str) -> list[Block]:
        """The same, each with its state, which the officer fills in."""
        _ = self._
        head = (_("Article"), _("In force from"), _("What it says"), _("State, with evidence"))
        rows = tuple((*self._article(key), self.blank(OFFICER)) for key in keys)
        return [TableBlock("", head, rows, words=4, widths=(2.6, 1.5, 3.6, 2.4))]

    def _article(self, key: str) -> tuple[str, str, str]:
        _, article = self._, provision(key)
        says = _(article.says) if article.read else _("{says} (not read in the text itself)", says=article.says)
        return _(article.cite), _(Day(article.since)) if article.since else self.blank(LEGAL), says

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
            return [self.unknown(noticed, happened, what)]
        people = self.blank(OFFICER) if one.people is None else _.number(one.people, 0)
        at, until = self._at(one.noticed_day, one.noticed_hour), self._at(*one.due)
        sent = self.blank(OFFICER)
        if one.notified_day is not None and one.notified_hour is not None:
            sent = self._at(one.notified_day, one.notified_hour)
        late = Message("yes, by {hours} hours", hours=Number(-one.hours_left)) if one.late else Message("no")
        named = Message("Incident {number}, file {reference}", number=one.id, reference=one.reference)
        return [
            self.table(
                (Message("Register"), named),
                (Message("Day and hour at which it was noticed"), at),
                (Message("To be notified before"), until),
                (Message("Notified at"), sent),
                (Message("Later than 72 hours"), late),
                (Message("People concerned"), people),
            ),
            self.unknown(happened, what),
        ]

    def touched(self) -> list[Block]:
        """Whose data an incident touched, and which: the number from the register, the rest by the officer."""
        one = self.facts.incident
        number = (
            [] if one is None or one.people is None else [(Message("People concerned"), self._.number(one.people, 0))]
        )
        asked = Message("Whom it touched") if number else Message("Whom it touched, and how many")
        which = Message("Which of the data below it touched")
        return [
            *([self.table(*number)] if number else []),
            self.unknown((asked, OFFICER), (which, OFFICER)),
            self.text(Message("Data that the system keeps at all, and where:")),
        ]

    def _at(self, day: int, hour: int) -> str:
        return self._("{hour}:00, {day}", hour=hour, day=day_words(day))

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
            found.append(
                self.text(
                    Message("No box is enrolled at the server yet. What follows is read from configurations alone.")
                    if self.facts.configs
                    else Message("No box is enrolled.")
                )
            )
        for one in self.facts.configs:
            config = one.config
            found += [
                Heading(one.place, 3),
                self.table(
                    (Message("Configuration, SHA-256 of its file"), one.sha256),
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
        rows = [row for agency in self.facts.agencies for row in self._tables_of(agency)]
        if not rows:
            return [*found, self.text(Message("No table is released yet, as no box is enrolled."))]
        head = (
            _("Agency, table"),
            _("What it can tell of a visit"),
            _("What the noise does to this agency's interval"),
        )
        return [*found, TableBlock("", head, tuple(rows), words=3, widths=(2.2, 5, 5))]

    def _tables_of(self, agency: AgencyFact) -> list[tuple[str, str, str]]:
        """A row for each kind of table that the agency's boxes release: both sentences stay on one page."""
        _, rows = self._, []
        evidence = [box.evidence_epsilon_milli for box in agency.boxes if box.evidence_epsilon_milli]
        pulses = [box.pulse_epsilon_milli for box in agency.boxes if box.pulse_epsilon_milli]
        if evidence:
            said = Message(
                "Evidence of a month ({count} tables, ε {epsilon}).",
                count=len(evidence),
                epsilon=_.number(max(evidence) / 1_000, 2),
            )
            width = width_sentence(agency.visits_a_month, agency.ratings_a_month, min(evidence), len(evidence))
            rows.append((said, odds_sentence(max(evidence), EVIDENCE_LEVELS), width))
        if pulses:
            said = Message("Pulse (ε {epsilon}).", epsilon=_.number(max(pulses) / 1_000, 2))
            none = Message("No interval of this agency rests on a pulse: it shows the course of a day and no index.")
            rows.append((said, odds_sentence(max(pulses), PULSE_LEVELS), none))
        if not rows:
            unknown = Message("The terms of this agency's boxes are not known yet.")
            return [(_(agency.name), _(unknown), "–")]
        return [(f"{_(agency.name)}. {_(said)}", _(odds), _(width)) for said, odds, width in rows]
