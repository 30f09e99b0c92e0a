"""The privacy policy of a box: periods, epsilons, how a running month is kept, and how many clerks share the box.

Everything here is public planning, fixed before a period begins; nothing depends on live counts. A changed policy
takes effect as a whole at the end of the running evidence period (`pipeline.privacy.release`), so that no visit ever
meets the pulse of one policy and the evidence of another.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.errors import ConfigError
from pipeline.language import Message
from pipeline.wire import PeriodKind

EpsilonMilli = Annotated[int, Field(ge=0, le=20_000)]
"""Epsilon in thousandths, so that sums are exact."""


class PulsePeriod(StrEnum):
    """Window of a pulse."""

    HOUR = "hour"
    FOUR_HOURS = "four_hours"
    DAY = "day"


class AtRest(StrEnum):
    """Where the key lives that seals a running month on the disk (ADR 0004).

    `MEMORY`: a file system in memory; survives a restart of the process, not of the machine. `CREDENTIAL`: handed in
    by systemd, which may have sealed it with the machine's TPM 2.0; survives a power cut. `PLAIN_DEMO`: beside the
    data, protects nothing, demo only."""

    MEMORY = "memory"
    CREDENTIAL = "credential"
    PLAIN_DEMO = "plain_demo"


class PrivacyPolicy(BaseModel):
    """The `[privacy]` table of a box's configuration. Unknown keys are refused.

    Raises pydantic's `ValidationError` where pulse and evidence together exceed the budget of a visit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pulse_epsilon_milli: EpsilonMilli = 500
    """Epsilon of a pulse; 0: no pulse (where a window has too few visits: `hailong privacy plan`)."""
    evidence_epsilon_milli: Annotated[int, Field(ge=1, le=20_000)] = 1_500
    budget_epsilon_milli: Annotated[int, Field(ge=1, le=20_000)] = 2_000
    """The most that one visit may ever cost: its pulse and its evidence together."""
    pulse_period: PulsePeriod = PulsePeriod.DAY
    clerks_per_box: Annotated[int, Field(ge=1, le=64)] = 1
    """Civil servants whose counters this box serves. One alone would make the box's table that person's score: see
    `pool_with`."""
    pool_with: Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    """Label of the pool in which a one-clerk box's evidence is shown, never alone. Such a box sends no pulse."""
    at_rest: AtRest = AtRest.MEMORY
    seal_interval_s: Annotated[int, Field(ge=1, le=3_600)] = 60
    """The running month is sealed to the disk at this fixed interval, whether or not there was a visit. A killed
    process loses at most so much."""
    demo: bool = False
    demo_pulse_s: Annotated[int, Field(ge=1, le=3_600)] = 10
    demo_evidence_s: Annotated[int, Field(ge=1, le=86_400)] = 3_600
    """Demo only: a multiple of `demo_pulse_s`. The demo's end closes it early (`ReleaseCurator.finish_demo`)."""

    @model_validator(mode="after")
    def _within_budget(self) -> PrivacyPolicy:
        if self.pulse_epsilon_milli + self.evidence_epsilon_milli > self.budget_epsilon_milli:
            raise ValueError("pulse_epsilon_milli + evidence_epsilon_milli must not exceed budget_epsilon_milli")
        if self.demo and self.demo_evidence_s % self.demo_pulse_s:
            raise ValueError("demo_evidence_s must be a multiple of demo_pulse_s")
        if self.at_rest is AtRest.PLAIN_DEMO and not self.demo:
            raise ValueError('at_rest = "plain_demo" protects nothing and is for the demo only')
        return self

    @property
    def pulse_kind(self) -> PeriodKind:
        """The pulse's period as it stands on the wire."""
        if self.demo:
            return PeriodKind.DEMO_PULSE
        return {
            PulsePeriod.HOUR: PeriodKind.HOUR,
            PulsePeriod.FOUR_HOURS: PeriodKind.FOUR_HOURS,
            PulsePeriod.DAY: PeriodKind.DAY,
        }[self.pulse_period]

    @property
    def evidence_kind(self) -> PeriodKind:
        """The evidence's period as it stands on the wire."""
        return PeriodKind.DEMO_EVIDENCE if self.demo else PeriodKind.MONTH

    def require_staff_protection(self) -> None:
        """Refuse a box whose table would be one clerk's score. Raises `ConfigError`.

        Differential privacy for a visit does not protect the clerk, who is in every visit."""
        if self.clerks_per_box >= 2:
            return
        if not self.pool_with:
            raise ConfigError(
                Message("This box serves one clerk: its table would be that person's score."),
                Message(
                    "Serve two or more clerks' counters with one box ([privacy] clerks_per_box = 2), or name "
                    'the pool in which alone its evidence is shown ([privacy] pool_with = "agency-7").'
                ),
            )
        if self.pulse_epsilon_milli:
            raise ConfigError(
                Message("A box that serves one clerk sends no pulse, even when pooled: it would be that person's day."),
                Message("Set [privacy] pulse_epsilon_milli = 0; its epsilon may go to the evidence."),
            )

    def digest(self) -> bytes:
        """SHA-256 (32 bytes) of the policy, as it stands in the transparency log."""
        return hashlib.sha256(self.model_dump_json().encode()).digest()
