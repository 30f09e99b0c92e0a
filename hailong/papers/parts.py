"""What several papers say: the parties, the processing, the data, the measures, the risks."""

from __future__ import annotations

from typing import Final

from hailong.papers.diagram import flow_chart
from hailong.papers.findings import Findings
from hailong.papers.paper import HEAD, LEGAL, OFFICER, OPERATOR, ROLES, SUPPLIER
from pipeline.language import Day, Message, Spoken
from pipeline.law import provision
from server.documents.blocks import Block, ListBlock, TableBlock
from server.documents.frame import BLANK, committee_of

KEPT_NOWHERE: Final = Message(
    "pictures and sound stay in the box's memory and are overwritten there; a box can send nothing but figures of a "
    "fixed list"
)


class Parts(Findings):
    """The parts of one paper, in one language."""

    def parties(self) -> list[Block]:
        """Controller, operator, officer, contact."""
        facts, _ = self.facts, self._
        issuer = facts.office.issuer or committee_of(_(facts.province.name), _)
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
                    "noise is added (a random number to every count, so that no single visit can be told from them), "
                    "and the table is sent over an encrypted channel. The server combines it with voluntary ratings "
                    "into an agency's index."
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
                (Message("Role of the party (controller, processor, or both)"), self.blank(LEGAL)),
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
        bases: list[tuple[str | Spoken, str | Spoken]] = []
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
            bases.append((Message("Legal basis at {place}", place=one.place), words))
        return [
            *(
                [self.table(*bases)]
                if bases
                else [self.unknown((Message("Legal basis: consent, or lawful activity of a state agency"), HEAD))]
            ),
            *self.counted(),
            self.text(provision("d356-6-3").says, provision("pdpl-19-1").says, provision("pdpl-19-2").says),
            self.text(
                Message(
                    "One touch on the tablet ends the analysis at any time of the visit, without a reason and without "
                    "an effect on the dossier; who touches nothing of it can rate, and who rates need not be analysed."
                )
            ),
        ]

    def counted(self) -> list[Block]:
        """How those who do not agree are counted, and how many agree; nothing where nobody is asked."""
        known = [(agency.name, agency.agreed.words) for agency in self.facts.agencies if agency.agreed]
        if not known and not any(one.config.legal.asks_consent for one in self.facts.configs):
            return []
        words = Message(
            "Who does not agree is counted by number alone, in a table of its own, with the same noise as the "
            "evidence: a visit is in one of the two. So it is public how many agree."
        )
        return [self.text(words), *([self.table(*known)] if known else [])]

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

    def nobody_else(self, what: Message, *audits: str) -> list[Block]:
        """Of transfer, exchange, services, abroad: that there is none of the program's, what was checked of it, and who
        says the rest."""
        checked = [self.text(self.checked(*audits) + ".")] if audits else []
        return [self.text(what), *checked, self.unknown((Message("Contracts and agreements, if any"), LEGAL))]

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
        """Measures of technique, each with the audits that check it."""
        rows = (
            (
                KEPT_NOWHERE,
                self.checked("trace", "memory", "schema"),
            ),
            (
                Message(
                    "random noise (discrete Laplace) is added to every count, once a period; where the record of what "
                    "was released is damaged, nothing more is released"
                ),
                self.checked("attack", "budget"),
            ),
            (
                Message(
                    "a log of all that a box released; the server keeps signed marks of it, so that no later change "
                    "goes unnoticed"
                ),
                self.checked("log"),
            ),
            (Message("encryption on the wire with a key for each box; backups are sealed"), self.checked()),
            (Message("the operating system narrowly limits what the box's program may do"), self.checked()),
        )
        _ = self._
        cells = tuple((_(measure), checked) for measure, checked in rows)
        return [TableBlock("", (_("Safeguard"), _("Verified by")), cells, words=2, widths=(1, 1))]

    def risks(self) -> list[Block]:
        """Risk, measure, what verifies it, what is left."""
        _ = self._
        rows = (
            (
                Message("Pictures, sound or words are kept or sent"),
                KEPT_NOWHERE,
                self.checked("trace", "memory", "wire", "schema"),
                Message("whoever has full control of a running box"),
            ),
            (
                Message("A visit is inferred from tables"),
                Message("noise; every period is released once; each release is recorded"),
                self.checked("attack", "budget"),
                Message("as the annex on released tables says"),
            ),
            (
                Message("An old copy of a disk is put back, to release the same counts with another noise"),
                Message(
                    "a box compares its log with the mark that the server keeps, and releases nothing where its log is "
                    "older"
                ),
                self.checked("attack", "log"),
                Message("somebody at the server who helps whoever puts the old disk back"),
            ),
            (
                Message("Theft of the box"),
                Message("the running month is sealed, the key is not on the disk"),
                self.checked("trace"),
                Message("a box taken while it runs"),
            ),
            (
                Message("Scoring of civil servants"),
                Message("region and channel before any model; two clerks or more pooled"),
                self.checked("log"),
                Message("the operator's statement"),
            ),
            (
                Message("Citizens are not aware"),
                Message("no analysis before the notice is confirmed; one touch opts out"),
                self.checked("log"),
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
        return [TableBlock("", head, cells, words=4, widths=(2.6, 3.4, 4.2, 3))]

    def judged(self) -> list[Block]:
        """What only people can judge about a risk."""
        return [self.unknown((Message("Likelihood and harm of each risk, as judged here"), OFFICER))]

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
