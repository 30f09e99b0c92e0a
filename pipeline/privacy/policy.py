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
from pipeline.wire import MAX_POOLS, PeriodKind

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


class PoolPolicy(BaseModel):
    """One `[[privacy.pools]]` table: counters of one agency, whose visits are added up before the noise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Annotated[int, Field(ge=1, le=MAX_POOLS)]
    """On the wire; which agency it is, the server is told (`hailong-server enroll --pool AGENCY=NUMBER`)."""
    agency: Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    """Its code, for who reads this file; never sent."""
    counters: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")], ...], Field(max_length=64)] = ()
    """Names of its counters. A counter is in one pool."""
    clerks: Annotated[int, Field(ge=0, le=64)] = 0
    """Civil servants at its counters; 0: one at each counter."""
    joins: Annotated[int, Field(ge=0, le=MAX_POOLS)] = 0
    """Number of the pool in which its visits are counted instead: a pool of one clerk has to. Its ratings stay its
    own."""

    @property
    def all_clerks(self) -> int:
        """Its clerks."""
        return self.clerks or len(self.counters)


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
    pools: Annotated[tuple[PoolPolicy, ...], Field(max_length=MAX_POOLS)] = ()
    """The pools of a hall, number 1 among them, in place of `clerks_per_box` and `pool_with`; empty: one pool."""
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
            raise ValueError(
                Message("pulse_epsilon_milli + evidence_epsilon_milli must not exceed budget_epsilon_milli")
            )
        if self.demo and self.demo_evidence_s % self.demo_pulse_s:
            raise ValueError(Message("demo_evidence_s must be a multiple of demo_pulse_s"))
        if self.at_rest is AtRest.PLAIN_DEMO and not self.demo:
            raise ValueError(Message('at_rest = "plain_demo" protects nothing and is for the demo only'))
        self._check_pools()
        return self

    def _check_pools(self) -> None:
        if not self.pools:
            return
        if self.pool_with:
            raise ValueError(Message("a box with pools has no pool_with: let a small pool join another one (joins)"))
        by_number = {pool.number: pool for pool in self.pools}
        named = [name for pool in self.pools for name in pool.counters]
        if len(by_number) != len(self.pools) or len(set(named)) != len(named):
            raise ValueError(Message("every pool has a number of its own, and every counter is in one pool"))
        if 1 not in by_number or by_number[1].joins:
            raise ValueError(Message("one of the pools has the number 1, and joins no other"))
        for pool in self.pools:
            if pool.joins and (pool.joins not in by_number or by_number[pool.joins].joins):
                raise ValueError(
                    Message(
                        "pool {number} joins {joins}, which is no pool that is released",
                        number=pool.number,
                        joins=pool.joins,
                    )
                )

    @property
    def released_pools(self) -> dict[int, int]:
        """Number -> clerks of every pool that is released, those of the pools that join it among them."""
        if not self.pools:
            return {1: self.clerks_per_box}
        found = {pool.number: 0 for pool in sorted(self.pools, key=lambda each: each.number) if not pool.joins}
        for pool in self.pools:
            found[pool.joins or pool.number] += pool.all_clerks
        return found

    @property
    def counters(self) -> dict[str, int]:
        """Counter -> the pool in which its visits are counted."""
        return {name: pool.joins or pool.number for pool in self.pools for name in pool.counters}

    @property
    def rating_pools(self) -> tuple[int, ...]:
        """Numbers of the pools whose ratings are sent: all of them, whatever they join."""
        return tuple(sorted(pool.number for pool in self.pools)) or (1,)

    @property
    def clerks(self) -> int:
        """Civil servants at all counters of the box."""
        return sum(self.released_pools.values())

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
        if self.pools:
            for number, clerks in self.released_pools.items():
                if clerks < 2:
                    raise ConfigError(
                        Message("Pool {pool} serves one clerk: its table would be that person's score.", pool=number),
                        Message("Name the pool in which its visits are counted: [[privacy.pools]] joins = 1."),
                    )
            return
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
        unused = None if self.pools else {"pools"}  # a box of one pool: as before there were pools
        return hashlib.sha256(self.model_dump_json(exclude=unused).encode()).digest()
