"""The audits in words, and what of each this paper was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipeline.language import Day, Message, Sentence, Text

AUDITS: dict[str, Message] = {
    "schema": Message("Form of the messages"),
    "wire": Message("Messages that were sent"),
    "budget": Message("Privacy budget"),
    "log": Message("Transparency log"),
    "attack": Message("Attacks on the noise"),
    "trace": Message("Files and connections of a box"),
    "memory": Message("Memory after a visit"),
    "ratings": Message("Answer sheets unchanged"),
    "retention": Message("Store against the policy"),
}
"""Every audit that there is -> what a paper calls it; a paper tells which results it was not given."""
ATTACKED: dict[str, Message] = {
    "evidence": Message("Evidence of a month"),
    "pulse": Message("Pulse"),
    "pulse and evidence": Message("Both kinds together"),
}
"""What `hailong audit attack` attacks -> what a paper calls it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What an attack could show of the epsilon of one kind of table: at least `shown`, of `claimed`."""

    kind: str
    claimed: float
    shown: float


@dataclass(frozen=True, slots=True)
class AuditFact:
    """One audit's result. `sha256`: of the result as it was given, so that the paper can be held against it.
    `bounds`, `confidence`: of the attacks, where the result has them."""

    name: str
    date: str
    exit_code: int
    sha256: str
    claim: Text
    problems: tuple[str, ...]
    bounds: tuple[Bound, ...] = ()
    confidence: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the audit's claim held."""
        return self.exit_code == 0

    @property
    def day(self) -> Day | str:
        """The day on which it was run; a dash where the result does not say it."""
        try:
            return Day(date.fromisoformat(self.date))
        except ValueError:
            return "–"


def bounds_of(facts: Mapping[str, Any]) -> tuple[Bound, ...]:
    """Of the figures of an attack, those kinds that have both a claim and what was shown."""
    claims, shown = facts.get("claims", {}), facts.get("lower_bounds", {})
    return tuple(
        Bound(kind, float(claims[kind]), float(shown[kind])) for kind in ATTACKED if kind in claims and kind in shown
    )


def state(name: str, given: Sequence[AuditFact]) -> Sentence:
    """An audit with its result here, for a sentence or a cell."""
    for audit in given:
        if audit.name == name:
            verdict = Message("HOLDS") if audit.holds else Message("DOES NOT HOLD")
            return Message("{audit}: {verdict}, {day}", audit=AUDITS[name], verdict=verdict, day=audit.day)
    return Message("{audit}: no result yet", audit=AUDITS[name])
