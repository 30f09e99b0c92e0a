"""What the impact assessment says, in Vietnamese and English, from configuration, cards and the audits' results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from edge.capture.redaction import redacted
from edge.config import EdgeConfig
from edge.counters import CounterSection
from hailong.audit_report_blocks import Block, Document, bullets, heading, table, text
from models.catalogue import Card
from pipeline.audit.figures import figure_words
from pipeline.audit.schema import evidence_bits, guess_among_levels
from pipeline.language import Day, Message, Number, Text, measured, translator
from pipeline.language.console import one_language
from pipeline.law import provision
from pipeline.law import table as law_table
from pipeline.privacy.policy import AtRest

Language = Literal["vi", "en"]
_BY = {"presence": Message("by presence"), "queue": Message("by the queue system")}
_KEYS = {
    AtRest.MEMORY: Message("in memory, gone with the power"),
    AtRest.CREDENTIAL: Message("handed in by the system at its start"),
    AtRest.PLAIN_DEMO: Message("beside the data, for a demo alone"),
}
_LEFT_OUT = frozenset({"fields", "why"})
"""Figures that `hailong audit schema` prints and that would fill a page here."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that the document is filled from. `results`: verdicts as `Verdict.as_dict` gives them."""

    config: EdgeConfig
    config_name: str
    cards: tuple[Card, ...]
    results: tuple[dict[str, Any], ...]
    hashes: tuple[tuple[str, str], ...]
    version: str
    today: date

    @property
    def next_review(self) -> date:
        """A year from now at the latest (`pipeline.law`, `d356-10-5`); on every change before."""
        return date(self.today.year + 1, self.today.month, min(self.today.day, 28))


def write(assessment: Assessment, language: Language) -> Document:
    """The document in one language."""
    page = _Page(assessment, language)
    return Document(language, page.title, page.subtitle, tuple(page.blocks()))


class _Page:
    def __init__(self, assessment: Assessment, language: Language) -> None:
        self.a = assessment
        self.language = language
        self._ = _ = translator(language)
        self.title = _("Data protection impact assessment")
        self.subtitle = _(
            "{agency_label} · Hài Lòng {version} · {today} · to be reviewed before {next_review}",
            agency_label=assessment.config.box.agency_label,
            version=assessment.version,
            today=Day(assessment.today),
            next_review=Day(assessment.next_review),
        )

    def blocks(self) -> list[Block]:
        return [
            *self._summary(),
            *self._processing(),
            *self._necessity(),
            *self._guarantee(),
            *self._risks(),
            *self._citizen_and_staff(),
            *self._models(),
            *self._audits(),
            *self._limits(),
            *self._hashes(),
        ]

    def _summary(self) -> list[Block]:
        _ = self._
        failed = [result["audit"] for result in self.a.results if not result["holds"]]
        checked = len(self.a.results)
        claim = Block(
            "verdict",
            _("{holding} of {checked} audits hold.", holding=checked - len(failed), checked=checked)
            + (" " + _("Not confirmed: {audits}.", audits=", ".join(failed)) if failed else ""),
            holds=not failed,
        )
        demo = [text(_("This is a demo's configuration."))] if self.a.config.box.demo else []
        return [
            claim,
            *demo,
            text(
                _(
                    "No face, voice, transcript or un-noised inferred signal leaves the box at the counter. "
                    "Voluntary answers leave without a name and may be linkable."
                )
            ),
        ]

    def _counter_rows(self, counter: CounterSection) -> list[tuple[str, str]]:
        """What sees and hears at a counter; of several, each under its name."""
        _, of = self._, f" ({counter.name})" if self.a.config.counter else ""
        region = (
            _("polygon of {count} corners", count=len(counter.camera.region))
            if counter.camera.region
            else _("none: a demo, or no camera")
        )
        sound = _(
            "{source}, channel {channel}",
            source=redacted(counter.microphone.source),
            channel=counter.microphone.channel,
        )
        return [
            (_("Camera") + of, _("none") if counter.camera.source == "none" else redacted(counter.camera.stream)),
            (_("Citizen's region in the picture") + of, region),
            (_("Microphone") + of, _("none") if counter.microphone.source == "none" else sound),
            (_("Visits start and end") + of, _(_BY[counter.visits.by])),
        ]

    def _processing(self) -> list[Block]:
        _, config = self._, self.a.config
        yes, no = _("yes"), _("no")
        return [
            heading(_("1. Description of the processing")),
            text(
                _(
                    "The box infers from pictures and sound, in memory only, the implicit satisfaction of a "
                    "visit (five levels, or abstained). Each visit adds one to one cell of a table. At the "
                    "period's end noise is added, and the table is sent over an encrypted channel. The "
                    "server combines it with voluntary ratings into an agency's index."
                )
            ),
            table(
                (_("Setting"), _("Value")),
                (_("Agency"), config.box.agency_label),
                *(row for counter in config.counters for row in self._counter_rows(counter)),
                (_("Recognition of words"), yes if config.models.asr else no),
                (_("Notice confirmed"), yes if config.notice.confirmed else no),
                (_("Contact"), config.notice.contact or _("not given")),
                (_("Server"), config.server.address),
            ),
            table(
                (_("Data"), _("Where, how long")),
                (
                    _("Frames, sound, words, features"),
                    _("in the box's memory only, during the visit"),
                ),
                (
                    _("Counts without noise"),
                    _("in memory, and in one sealed file; key: {value}", value=_KEYS[config.privacy.at_rest]),
                ),
                (
                    _("Tables with noise"),
                    _("sent to the server; what they tell of any visit is bounded (section 3)"),
                ),
                (
                    _("Voluntary answer sheets"),
                    _("sent to the server; the day is the finest time"),
                ),
            ),
        ]

    def _necessity(self) -> list[Block]:
        _ = self._
        return [
            heading(_("2. Necessity and proportionality")),
            bullets(
                _(
                    "Purpose: to measure satisfaction where few people answer. The official index rests on "
                    "voluntary ratings alone; the fused estimate stands beside it with its interval, and it "
                    "is said where the implicit signal does not help."
                ),
                _(
                    "Less intrusive: no picture, sound or word is kept or sent; nobody is recognised; there "
                    "is no score of a citizen or a named civil servant."
                ),
                _("Legal basis: {basis}.", basis=self._basis()),
                *(
                    [
                        _(
                            "Who does not agree is counted by number alone, in a table of its own, with the same "
                            "noise as the evidence: a visit is in one of the two. So it is public how many agree."
                        )
                    ]
                    if self.a.config.legal.asks_consent
                    else []
                ),
                _(
                    "Nobody is identified and no identifying trait is computed ({biometric}); face and voice are "
                    "treated as sensitive data all the same, by choice. De-identification is documented, audited and "
                    "never reversed (NIST SP 800-226).",
                    biometric=provision("pdpl-31-2").cite,
                ),
                _(
                    "This assessment is made anew on every change ({change}) and compliance evaluated every year "
                    "({year}).",
                    change=provision("pdpl-22").cite,
                    year=provision("d356-10-5").cite,
                ),
            ),
            table((_("Article"), _("In force since"), _("What it says")), *law_table(self.language)),
            text(_("Not legal advice: what the articles say is as they were read for this software.")),
        ]

    def _basis(self) -> Message:
        legal = self.a.config.legal
        if legal.asks_consent:
            return Message("consent of each citizen for the visit, by touch ({cite})", cite=provision("d356-6-3").cite)
        return Message(
            "lawful activity of a state agency ({cite}): decision {number} of {day}, responsible {office}, complaints "
            "{complaints}, last periodic check {check}",
            cite=provision("pdpl-19-1").cite,
            number=legal.decision_number,
            day="–" if legal.decision_date is None else Day(legal.decision_date),
            office=legal.office,
            complaints=legal.complaints,
            check="–" if legal.last_check is None else Day(legal.last_check),
        )

    def _guarantee(self) -> list[Block]:
        _, policy = self._, self.a.config.privacy
        pulse, evidence = policy.pulse_epsilon_milli / 1_000, policy.evidence_epsilon_milli / 1_000
        total = pulse + evidence
        bits, replaced = evidence_bits(total), evidence_bits(2 * total)
        return [
            heading(_("3. The privacy guarantee")),
            table(
                (_("Item"), _("Value")),
                (_("Privacy unit"), _("one visit")),
                (
                    _("Trust model"),
                    _("the running box is trusted; network, server and operators are not"),
                ),
                (
                    _("Mechanism"),
                    _("discrete Laplace noise, drawn once"),
                ),
                (
                    _("Epsilon of a pulse"),
                    f"{_(measured(pulse))} ({_(figure_words(policy.pulse_kind.name))})" if pulse else _("not sent"),
                ),
                (
                    _("Epsilon of the evidence"),
                    f"{_(measured(evidence))} ({_(figure_words(policy.evidence_kind.name))})",
                ),
                (
                    _("A visit costs at most"),
                    _(
                        "{total} (budget {budget_epsilon_milli}); against somebody who knows that it took place: "
                        "{total_2}",
                        total=measured(total),
                        budget_epsilon_milli=measured(policy.budget_epsilon_milli / 1_000),
                        total_2=measured(2 * total),
                    ),
                ),
                (
                    _("What one visit can tell"),
                    _(
                        "odds change by a factor of {bits} at most ({replaced}); {bits_2} bits ({replaced_2})",
                        bits=Number(bits["odds_factor"], 1),
                        replaced=Number(replaced["odds_factor"], 1),
                        bits_2=Number(bits["pointwise_bits"], 1),
                        replaced_2=Number(replaced["pointwise_bits"], 1),
                    ),
                ),
                (
                    _("Guess of a level, knowing the rating and all other visits"),
                    _("{guess} (before: 0.167)", guess=Number(guess_among_levels(evidence), 3)),
                ),
                (
                    _("Clerks on this box"),
                    _("{clerks}, pooled: {pool}", clerks=policy.clerks, pool=policy.pool_with)
                    if policy.pool_with
                    else str(policy.clerks),
                ),
            ),
            text(
                _(
                    "Outside of it: voluntary ratings; a person with k visits pays k times; a visit that the "
                    "tracker splits counts as several."
                )
            ),
        ]

    def _risks(self) -> list[Block]:
        _ = self._
        return [
            heading(_("4. Risks and measures")),
            table(
                (
                    _("Risk"),
                    _("Safeguard"),
                    _("Verified by"),
                    _("Residual"),
                ),
                (
                    _("Pictures, sound or words are kept or sent"),
                    _("memory only; closed schema; freed memory is overwritten"),
                    "audit trace, memory, wire, schema",
                    _("root on the running box"),
                ),
                (
                    _("A visit is inferred from tables"),
                    _("noise; one release a period; ledger"),
                    "audit attack, budget",
                    _("as in section 3"),
                ),
                (
                    _("A second noise from an old disk"),
                    _("anchored to the head that the server keeps"),
                    "audit attack, log",
                    _("a server that conspires with whoever restores the disk"),
                ),
                (
                    _("Theft of the box"),
                    _("the running month is sealed, the key is not on the disk"),
                    _("ADR 0004, tests"),
                    _("a box taken while it runs"),
                ),
                (
                    _("Scoring of civil servants"),
                    _("region and channel before any model; two clerks or more pooled"),
                    _("the log (number of clerks)"),
                    _("the operator's statement"),
                ),
                (
                    _("Citizens are not aware"),
                    _("no analysis without a legal basis and a confirmed notice; one touch ends it"),
                    _("the log (notice)"),
                    _("the paper is taken down"),
                ),
                (
                    _("Errors and bias of models"),
                    _("abstains in doubt; the official index does not use the signal"),
                    _("model cards"),
                    _("differences between groups are not measured in Vietnam"),
                ),
            ),
        ]

    def _citizen_and_staff(self) -> list[Block]:
        _ = self._
        return [
            heading(_("5. Rights of citizens and civil servants")),
            bullets(
                _("Notice beforehand, in Vietnamese and English, at the counter and on the tablet."),
                _(
                    "One touch opts out at any time of the visit; inference stops within one frame. Rating "
                    "without being analysed is possible."
                ),
                _("There are no data of a single person to access, correct or erase: nothing is kept by person."),
                _(
                    "The civil servant's face and voice are never inferred; there is no score by a civil "
                    "servant's name."
                ),
            ),
        ]

    def _models(self) -> list[Block]:
        _ = self._
        rows = [
            (
                _(card.title),
                f"{_(card.licence)}{' · ' + card.restriction if card.restriction else ''}",
                _(card.intended_use),
                " ".join(_(limit) for limit in card.limits[:3]),
            )
            for card in self.a.cards
        ]
        return [
            heading(_("6. Models in use (from their cards)")),
            table(
                (
                    _("Model"),
                    _("Licence"),
                    _("Intended use"),
                    _("Limits"),
                ),
                *rows,
            ),
        ]

    def _audits(self) -> list[Block]:
        _ = self._
        found: list[Block] = [heading(_("7. Results of the audits"))]
        for result in one_language(list(self.a.results), self.language):  # files of earlier versions: English alone
            claim = _(Text.of_row(result, "claim_"))
            word = _("HOLDS") if result["holds"] else _("DOES NOT HOLD")
            audit = f"{result['audit']} ({result['given']})" if "given" in result else result["audit"]
            found.append(Block("verdict", f"{audit}: {word}. {claim}", holds=bool(result["holds"])))
            rows = [
                (_(figure_words(name)), shown)
                for name, value in result.get("facts", {}).items()
                if name not in _LEFT_OUT and (shown := _shown(value, _))
            ]
            if rows:
                found.append(table((_("Measured figure"), _("Value ({date})", date=result.get("date", ""))), *rows))
            problems = [_(each) for each in result.get("problems", [])]
            if problems:
                found.append(bullets(*(_("Problem: {problem}", problem=problem) for problem in problems[:12])))
            left = [_(each) for each in result.get("cannot_check", [])]
            if left:
                found.append(bullets(*(_("Not checked: {what}", what=each) for each in left)))
        return found

    def _limits(self) -> list[Block]:
        _ = self._
        missing = sorted(
            {"schema", "wire", "budget", "log", "attack", "trace", "memory", "retention"}
            - {result["audit"] for result in self.a.results}
        )
        return [
            heading(_("8. What has not been checked")),
            text(_("Audits that this document does not contain: ") + (", ".join(missing) or _("none")) + "."),
            text(
                _(
                    "This document was filled by a machine from configuration, cards and audits. A data "
                    "protection officer has to read it, add local circumstances, and sign."
                )
            ),
            table(
                (
                    _("Prepared by"),
                    _("Data protection officer"),
                    _("Date"),
                ),
                ("\u00a0", "\u00a0", "\u00a0"),
            ),
        ]

    def _hashes(self) -> list[Block]:
        _ = self._
        return [
            heading(_("9. Fingerprints (SHA-256)")),
            table((_("File"), "SHA-256"), *self.a.hashes),
        ]


def _shown(value: Any, _: Callable[..., str]) -> str:
    """A figure in a cell; lists of many entries are shortened."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, float):
        return _(measured(value))
    if isinstance(value, dict):
        return "; ".join(f"{_(figure_words(name))}: {_shown(each, _)}" for name, each in value.items())
    if isinstance(value, list):
        parts = [_shown(each, _) for each in value]
        return "; ".join(parts[:8]) + (f"; ... ({len(parts)})" if len(parts) > 8 else "")
    return str(value)
