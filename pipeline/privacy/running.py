"""The counts of the running periods: in memory, and sealed on the disk at fixed times.

The pools of a hall run in step: one period has one table for each of them, and they end together. What is sealed of a
box with one pool is written as it was before there were pools.
"""

from __future__ import annotations

import secrets

import msgspec

from pipeline.calendar import window_end_s, window_index
from pipeline.privacy.policy import PrivacyPolicy
from pipeline.records import ClosedVisit
from pipeline.release_kind import NOT_AGREED, PULSE, Release, ReleaseKind, decode_kind, encode_kind
from pipeline.transparency.leaves import PolicyLeaf
from pipeline.wire import PeriodKind

UNPLACED = -1
"""Index of a period opened while the clock was not trusted; it gets its place when the clock is."""
MAX_WAITING = 64
"""Periods that may wait for a trusted clock or for the server's anchor; older ones are given up. So many fit the sealed
file (tested)."""


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of a policy governs releases. They change together, at the end of an evidence period."""

    pulse_kind: PeriodKind
    pulse_epsilon_milli: int
    pulse_length_s: int
    evidence_kind: PeriodKind
    evidence_epsilon_milli: int
    evidence_length_s: int
    budget_epsilon_milli: int
    pools: tuple[int, ...] = ()
    """Numbers of the pools that are released; empty: pool 1 alone."""
    counters: dict[str, int] = {}
    """Counter -> the pool in which its visits are counted."""
    not_agreed: bool = False
    """Whether those who did not agree are counted in a table of their own: with the epsilon and periods of the
    evidence, in step with it."""

    @classmethod
    def of(cls, policy: PrivacyPolicy, not_agreed: bool = False) -> Terms:
        """The terms of a policy."""
        return cls(
            policy.pulse_kind,
            policy.pulse_epsilon_milli,
            policy.demo_pulse_s if policy.demo else 0,
            policy.evidence_kind,
            policy.evidence_epsilon_milli,
            policy.demo_evidence_s if policy.demo else 0,
            policy.budget_epsilon_milli,
            tuple(policy.released_pools) if policy.pools else (),
            policy.counters,
            not_agreed,
        )

    @property
    def numbers(self) -> tuple[int, ...]:
        """The pools that are released, at least one."""
        return self.pools or (1,)

    def of_kind(self, kind: ReleaseKind) -> tuple[PeriodKind, int, int]:
        """(period, its length for a demo's, epsilon in thousandths) of a kind; epsilon 0: there is none of it."""
        if kind is PULSE:
            return self.pulse_kind, self.pulse_length_s, self.pulse_epsilon_milli
        epsilon_milli = self.evidence_epsilon_milli if kind is not NOT_AGREED or self.not_agreed else 0
        return self.evidence_kind, self.evidence_length_s, epsilon_milli


class Period(msgspec.Struct, omit_defaults=True):
    """One period's counts, of every pool. `index` may be `UNPLACED`."""

    kind: ReleaseKind = msgspec.field(name="evidence")
    period: PeriodKind = msgspec.field(name="kind")
    index: int
    length_s: int
    epsilon_milli: int
    counts: list[int]
    """Of pool 1."""
    others: dict[int, list[int]] = {}
    """Pool -> its counts, of the pools above 1."""

    @property
    def tables(self) -> dict[int, list[int]]:
        """Pool -> its counts."""
        return {1: self.counts, **self.others}

    @property
    def end_s(self) -> float:
        """Unix seconds; never, while the period has no place."""
        return float("inf") if self.index == UNPLACED else window_end_s(self.period, self.index, self.length_s)

    def index_at(self, now_s: float) -> int:
        """Index of the period of this kind that holds the instant."""
        return window_index(self.period, now_s, self.length_s)

    def message(self, epoch: int, pool: int, noisy: tuple[int, ...]) -> Release:
        """The release of one pool's table, with its noise; the outbox gives the sequence number."""
        return self.kind.message(
            version=self.kind.version(pool),  # type: ignore[arg-type]
            epoch=epoch,
            sequence=0,
            nonce=secrets.randbits(64),
            period=self.period,
            index=self.index,
            epsilon_milli=self.epsilon_milli,
            counts=noisy,  # type: ignore[arg-type]
            pool=pool,
        )

    @classmethod
    def new(cls, terms: Terms, kind: ReleaseKind, index: int) -> Period:
        """An empty period under the terms."""
        period, length_s, epsilon_milli = terms.of_kind(kind)
        others = {pool: [0] * kind.cells for pool in terms.numbers if pool != 1}
        return cls(kind, period, index, length_s, epsilon_milli, [0] * kind.cells, others)

    def add(self, visit: ClosedVisit, pool: int = 1) -> None:
        """Count one visit: one more in exactly one cell of one pool's table."""
        self.tables[pool][self.kind.cell_of(visit)] += 1


class Running(msgspec.Struct, omit_defaults=True):
    """What is sealed."""

    terms: Terms
    pulse: Period | None
    evidence: Period | None
    due: list[Period]
    not_agreed: Period | None = None


def policy_leaf_of(policy: PrivacyPolicy, day: int) -> PolicyLeaf:
    """A policy as it stands in the log."""
    return PolicyLeaf(
        day,
        policy.pulse_kind,
        policy.pulse_epsilon_milli,
        policy.evidence_kind,
        policy.evidence_epsilon_milli,
        policy.budget_epsilon_milli,
        policy.clerks,
        bool(policy.pool_with),
        policy.at_rest.value,
        policy.digest(),
        tuple(policy.released_pools.items()) if policy.pools else (),
    )


encode_running = msgspec.msgpack.Encoder(enc_hook=encode_kind).encode
decode_running = msgspec.msgpack.Decoder(Running, dec_hook=decode_kind).decode
