"""The legal basis on which a box analyses anybody. There is no default: a box without one does not start.

Under `consent` nothing is opened before the citizen touches yes. Under `state_activity` the agency states the papers
that the law asks for in the place of consent, and analysis ends when its periodic check is overdue.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.language import Day, Message, Sentence
from pipeline.law import provision

WARN_DAYS = 31
"""So long before a periodic check is due the box says so."""

NO_BASIS = Message(
    "[legal] basis is missing, and has no default: {consent} forbids consent by default, and {activity} frees a state "
    "agency from consent only where {papers} is kept.",
    consent=provision("d356-6-3").cite,
    activity=provision("pdpl-19-1").cite,
    papers=provision("pdpl-19-2").cite,
)
HOW_TO_STATE_A_BASIS = Message(
    'Nothing was started. Write [legal] basis = "consent" (nothing is opened before the citizen touches yes), or '
    'basis = "state_activity" with decision_number, decision_date, office, complaints and last_check.'
)


class LegalSection(BaseModel):
    """`[legal]`: on which basis anybody is analysed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    basis: Literal["consent", "state_activity"]
    """`consent`: of each citizen, for the visit, by touch. `state_activity`: lawful activity of a state agency."""
    decision_number: Annotated[str, Field(max_length=60)] = ""
    """`state_activity`: number of the decision that sets up the procedure."""
    decision_date: date | None = None
    office: Annotated[str, Field(max_length=200)] = ""
    """`state_activity`: the office that is responsible."""
    complaints: Annotated[str, Field(max_length=200)] = ""
    """`state_activity`: where complaints are taken (office, telephone)."""
    last_check: date | None = None
    """`state_activity`: day of the last periodic check."""
    check_every_months: Annotated[int, Field(ge=1, le=12)] = 12
    """`state_activity`: the next check is due so long after the last; a year at the most."""

    @model_validator(mode="after")
    def _papers(self) -> LegalSection:
        papers = {
            "decision_number": self.decision_number.strip(),
            "decision_date": self.decision_date,
            "office": self.office.strip(),
            "complaints": self.complaints.strip(),
            "last_check": self.last_check,
        }
        missing = [name for name, value in papers.items() if not value]
        if self.basis == "state_activity" and missing:
            raise ValueError(
                Message(
                    'basis = "state_activity" needs {missing} ({cite}); without them only basis = "consent" is lawful',
                    missing=", ".join(missing),
                    cite=provision("pdpl-19-2").cite,
                )
            )
        if self.basis == "consent" and any(papers.values()):
            raise ValueError(Message('basis = "consent" has no papers: they are those of basis = "state_activity"'))
        return self

    @property
    def asks_consent(self) -> bool:
        """Whether nothing may be opened for a visit before its citizen touches yes."""
        return self.basis == "consent"

    @property
    def check_due(self) -> date | None:
        """Day until which the next periodic check is to be made; None under `consent`."""
        if self.last_check is None:
            return None
        months = self.last_check.month - 1 + self.check_every_months
        year, month = self.last_check.year + months // 12, months % 12 + 1
        following = date(year + month // 12, month % 12 + 1, 1)
        return min(date(year, month, 1) + timedelta(days=self.last_check.day - 1), following - timedelta(days=1))

    def allows(self, today: date | None) -> bool:
        """Whether anybody may be analysed on that day. `today`: None where the clock is not trusted; then it cannot be
        known whether the papers hold, and under `state_activity` nobody is."""
        if self.asks_consent:
            return True
        if today is None or self.check_due is None or self.decision_date is None or self.last_check is None:
            return False
        return max(self.decision_date, self.last_check) <= today <= self.check_due

    def warning(self, today: date | None) -> Sentence | None:
        """What whoever looks after the box should know, on that day."""
        if self.asks_consent or self.check_due is None:
            return None
        if today is None:
            return Message("The clock is not trusted: whether the legal basis holds is not known. Nothing is analysed.")
        if not self.allows(today) and today > self.check_due:
            return Message(
                "The periodic check of the legal basis was due on {day} ({cite}): nothing is analysed. Make it and set "
                "[legal] last_check.",
                day=Day(self.check_due),
                cite=provision("pdpl-19-2").cite,
            )
        if not self.allows(today):
            return Message("The decision or the check under [legal] is of a day to come: nothing is analysed.")
        if (self.check_due - today).days <= WARN_DAYS:
            return Message(
                "The periodic check of the legal basis is due on {day}; from the day after nothing is analysed.",
                day=Day(self.check_due),
            )
        return None
