"""The curator of releases: the only way by which anything inferred leaves a box.

Visits are counted in memory. When a period ends, its noise is drawn once, and in one transaction the release is
charged, logged and stored; from there it is handed to the outbox ("put, then confirm"), which may repeat after a
crash without drawing again. The curator fails closed: where the clock, the ledger or the server's anchor leaves a
doubt, nothing is released.

    curator = ReleaseCurator(policy, data_dir / "release.sqlite3", SystemClock(), keys, epoch)
    curator.anchor(reply)                      # the server's answer to `wire.Hello`
    curator.server_reads(4)                    # its answer to `wire.Reads`, where the basis is consent
    curator.count(visit, now, counter="3")     # at a visit's end, in memory, in the pool of its counter
    curator.close_due(now)                     # at a fixed interval, such as every second
    for staged in curator.pending():
        outbox.put(staged.key, staged.build)
        curator.confirm(staged.number)
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from pipeline import wire
from pipeline.calendar import day_at
from pipeline.errors import BudgetError, ClockError, LogError
from pipeline.keys import KeyPair
from pipeline.language import Message
from pipeline.privacy.clock import Clock
from pipeline.privacy.ledger import ReleaseStore, Staged, release_key
from pipeline.privacy.mechanism import DiscreteLaplace, Mechanism
from pipeline.privacy.policy import PrivacyPolicy
from pipeline.privacy.running import (
    MAX_WAITING,
    UNPLACED,
    Period,
    Running,
    Terms,
    decode_running,
    encode_running,
    policy_leaf_of,
)
from pipeline.privacy.sealing import Sealer
from pipeline.records import ClosedVisit, Tallies
from pipeline.release_kind import EVIDENCE, KINDS, MONTHLY, NOT_AGREED, PULSE, Release, ReleaseKind, table_of
from pipeline.transparency import leaves
from pipeline.transparency.heads import from_words, make_head

JUMP_S = 300.0
"""Wall time that runs ahead of or behind the monotonic clock by more than this is a jump."""
MAX_JUMP_S = 35 * 86_400.0
"""A running box whose clock leaps further than this holds its releases until it is started again."""


def refused_mark(store_path: Path) -> Path:
    """The file that a refused anchor leaves behind: as long as it lies there, only a new epoch releases again."""
    return store_path.with_suffix(".refused")


class ReleaseCurator:
    """One box's curator. Safe to use from several threads; `now` is in Unix seconds.

    `store_path`: the SQLite file; the sealed running month lies beside it. `keys`: the box's, whose Ed25519 half signs
    the log's heads. `epoch`: from the enrolment; a higher one than the store's begins a new log and drops the running
    counts. `identity`: the epoch's, from the enrolment; a store of another one is refused. `require_anchor`: draw
    nothing before `anchor` has been called. `asks_consent`: the legal basis, under which those who did not agree are
    counted in a table of their own as soon as a server reads it. `memory_folder`: a folder on tmpfs for the sealing
    key, otherwise found. `mechanism`: the noise for an epsilon in thousandths.

    Raises `ConfigError` where the policy does not protect the clerk or the key has no safe place, `StoreError`,
    `LogError`."""

    def __init__(
        self,
        policy: PrivacyPolicy,
        store_path: Path,
        clock: Clock,
        keys: KeyPair,
        epoch: int,
        *,
        identity: bytes = b"",
        require_anchor: bool = True,
        asks_consent: bool = False,
        memory_folder: Path | None = None,
        mechanism: Callable[[int], Mechanism] = DiscreteLaplace,
    ) -> None:
        policy.require_staff_protection()
        self.policy = policy
        self.epoch = epoch
        self.tallies = Tallies()
        self._clock = clock
        self._keys = keys
        self._lock = threading.RLock()
        self._mechanism = mechanism
        self._store = ReleaseStore(store_path, epoch, identity)
        self._sealer = Sealer(store_path.with_suffix(".sealed"), policy.at_rest, memory_folder)
        self._identity = identity
        self._context = b"hailong running month, epoch %d" % epoch + identity
        self._mark = refused_mark(store_path)
        self._anchored = not require_anchor
        self._refused = ""
        self._held = False
        self._finished = False
        self._seen: tuple[float, float] | None = None  # (wall, monotonic) when the clock was last trusted
        self._sealed_at: float | None = None
        self._last = self._store.last_indices()
        self._skipped: list[leaves.RefusalLeaf] = []
        self._asks_consent = asks_consent
        self._terms = self._new_terms()
        said = [leaf.counted for leaf in self._store.leaves() if isinstance(leaf, leaves.ConsentLeaf)]
        self._said_apart = bool(said) and said[-1]
        """What the log says of those who do not agree."""
        self._current: dict[ReleaseKind, Period | None] = dict.fromkeys(KINDS)
        self._due: list[Period] = []
        self._open()

    # -- what the box does

    def anchor(self, anchor: wire.Anchor) -> None:
        """Compare the log with the last head that the server has committed.

        Raises `LogError`, and releases nothing from then on, where this store is an old copy or another history: its
        noise has been drawn before."""
        with self._lock:
            problem = self._anchor_problem(anchor)
            if problem:
                self._refused = problem
                self._mark.write_text(problem + "\n", encoding="utf-8")
                raise LogError(
                    problem,
                    Message("Nothing is released. Enrol the box again, which begins a new epoch: hailong keys enroll."),
                )
            self._anchored = True

    def server_reads(self, version: int) -> None:
        """The newest version of the schema that the server takes; 0 where it does not say. Where the basis is consent,
        it decides whether those who do not agree are counted apart: from the next evidence period on, whose beginning
        writes it into the log. A period that runs goes on as it began."""
        with self._lock:
            if self._asks_consent and not self._refused and not self._finished:
                self._store.keep_server_reads(version)

    def count(self, visit: ClosedVisit, now: float, counter: str = "") -> None:
        """Count a visit that has ended, once, in the running pulse and evidence of one pool; one whose citizen did not
        agree in the table of those, if the running period has it. Touches no file.

        `counter`: where it took place; it is in no release, and kept nowhere. A counter that was moved counts in its
        former pool until the running evidence ends; a new one at once, if its pool is running."""
        with self._lock:
            if self._refused or self._finished:
                self.tallies.drop("curator_closed")
                return
            if self._observe(now):
                self._roll(now)
            pulse, _ = self._period(PULSE), self._period(EVIDENCE)
            evidence = self._period(table_of(visit, self._terms.not_agreed))
            assert evidence is not None
            pool = self._pool_of(counter)
            if pool not in evidence.tables:
                self.tallies.drop("pool_not_begun")
                return
            evidence.add(visit, pool)
            if (
                pulse is not None
                and pool in pulse.tables
                and pulse.epsilon_milli + evidence.epsilon_milli <= self._terms.budget_epsilon_milli
            ):
                pulse.add(visit, pool)
            self.tallies.forwarded += 1

    def close_due(self, now: float) -> list[Release]:
        """Release every period that has ended, empty or not; returns what was drawn in this call (it is in `pending`
        too).

        Call it at a fixed interval: it also seals the running counts on its schedule. Raises `StoreError` where the
        disk fails: nothing was released then, and the next call tries again."""
        with self._lock:
            if self._refused or self._finished:
                return []
            if self._observe(now):
                self._roll(now)
            drawn = self._draw() if self._anchored and not self._held else []
            self._trim()
            self._seal_if_due(bool(drawn))
            return drawn

    def finish_demo(self, now: float) -> list[Release]:
        """Demo only: the demo ends, and with it the running periods; they never reopen. Raises `BudgetError` outside
        a demo."""
        if not self.policy.demo:
            raise BudgetError(Message("Only a demo may end a period early."), Message("Wait for the period's end."))
        with self._lock:
            drawn = self.close_due(now)
            running = [self._current[kind] for kind in (PULSE, *MONTHLY)]
            self._due += [period for period in running if period is not None and period.index != UNPLACED]
            self._current = dict.fromkeys(KINDS)
            drawn += self._draw() if self._anchored and not self._held else []
            self._finished = True
            self._seal()
            return drawn

    def pending(self) -> list[Staged]:
        """Releases and tree heads that the outbox has not confirmed, oldest first; the same ones, noise and all,
        however often it is asked.

        Empty where the server's anchor refused this store: nothing of another history is sent."""
        with self._lock:
            return [] if self._refused else self._store.staged()

    def confirm(self, number: int) -> None:
        """The outbox has stored it (`Staged.number`)."""
        with self._lock:
            self._store.unstage(number)

    def record(self, *states: leaves.StateLeaf) -> None:
        """Log configuration of notice and opt-out, models and keys: each is appended only if it differs from the last
        of its kind."""
        with self._lock:
            known = {
                leaves.state_key(leaf): leaf for leaf in self._store.leaves() if isinstance(leaf, leaves.StateLeaf)
            }
            for leaf in states:
                before = known.get(leaves.state_key(leaf))
                if before is None or msgspec.structs.replace(before, day=leaf.day) != leaf:
                    with self._store.transaction():
                        self._store.append(leaf)

    @property
    def state(self) -> wire.BoxState:
        """What the heartbeat tells of the curator."""
        if self._refused:
            return wire.BoxState.BUDGET_REFUSED
        return wire.BoxState.CLOCK_UNTRUSTED if self._held else wire.BoxState.OK

    @property
    def is_anchored(self) -> bool:
        """Whether the server's last head has been compared (or none is asked for)."""
        return self._anchored

    @property
    def problem(self) -> str:
        """Why the curator releases nothing, in words; empty where it does."""
        if self._held:
            return Message("The clock is not trusted.")
        return self._refused

    def close(self) -> None:
        """Seal the running counts and close the files."""
        with self._lock:
            if not self._refused:
                self._seal()
            self._store.close()

    def wipe(self) -> None:
        """Decommissioning: the running counts and their key are destroyed; the ledger and the log stay for the
        officer."""
        with self._lock:
            self._current, self._due, self._finished = dict.fromkeys(KINDS), [], True
            self._sealer.wipe()
            self._store.close()

    # -- start

    def _open(self) -> None:
        if self._store.is_new_epoch:
            self._mark.unlink(missing_ok=True)
        elif self._mark.exists():
            self._refused = self._mark.read_text(encoding="utf-8").strip()
        day = self._day()
        with self._store.transaction():
            if self._store.is_new_epoch:
                self._store.append(leaves.EpochLeaf(self.epoch, day, self._keys.signing_public, self._identity))
            policy_leaf = policy_leaf_of(self.policy, day)
            before = next(
                (leaf for leaf in reversed(self._store.leaves()) if isinstance(leaf, leaves.PolicyLeaf)), None
            )
            if before is None or msgspec.structs.replace(before, day=day) != policy_leaf:
                self._store.append(policy_leaf)
            sealed = None if self._store.is_new_epoch else self._sealer.open(self._context)
            if sealed is None and self._sealer.has_file:
                self._store.append(leaves.CountsLostLeaf(day))
                self.tallies.drop("counts_lost")
        if sealed is None:
            return
        with contextlib.suppress(msgspec.MsgspecError):
            running = decode_running(sealed)
            self._terms = running.terms
            sealed_periods = {EVIDENCE: running.evidence, NOT_AGREED: running.not_agreed, PULSE: running.pulse}
            self._current = {kind: self._unreleased(period) for kind, period in sealed_periods.items()}
            self._due = [period for period in map(self._unreleased, running.due) if period is not None]
            for period in (*self._due, *self._current.values()):
                if period is not None and period.index != UNPLACED:
                    self._note_index(period)
            if self._current[EVIDENCE] is None:  # its evidence has been released: the policy of now holds
                self._terms = self._new_terms()

    def _new_terms(self) -> Terms:
        """Of the policy of now, the legal basis, and what the server was last known to read."""
        apart = self._asks_consent and self._store.server_reads() >= wire.NOT_AGREED_VERSION
        return Terms.of(self.policy, apart)

    def _unreleased(self, period: Period | None) -> Period | None:
        """None for a period that was released after it was sealed last: its pools are released together."""
        if period is None or self._is_charged(period):
            return None
        return period

    def _is_charged(self, period: Period) -> bool:
        return any(self._store.is_charged(period.kind, period.period, period.index, pool) for pool in period.tables)

    def _pool_of(self, counter: str) -> int:
        """Where a counter's visits are counted: as the running terms say, or the policy of now of a counter that they
        do not know."""
        running = self._terms.counters.get(counter)
        return self.policy.counters.get(counter, 1) if running is None else running

    def _anchor_problem(self, anchor: wire.Anchor) -> Message | None:
        if anchor.epoch > self.epoch:
            return Message("The server knows a later epoch of this box: this one is retired.")
        if anchor.epoch < self.epoch:
            return None
        if anchor.size > self._store.size:
            return Message("The server has committed a longer log of this box: this disk is an old copy.")
        if anchor.size and self._store.root(anchor.size) != from_words(anchor.root):
            return Message("The server has committed another log of this box: this disk is another history.")
        return None

    def _day(self) -> int:
        """Day for leaves; 0 while the clock stands before day 0."""
        try:
            return day_at(self._clock.wall_s())
        except ClockError:
            return 0

    # -- time

    def _observe(self, now: float) -> bool:
        """Look at the clock: whether periods may begin and end now. Notices a jump and gives up the periods that it
        leapt over."""
        monotonic = self._clock.monotonic_s()
        if not self._clock.trusted():
            self._held = True
            return False
        jump = None if self._seen is None else (now - self._seen[0]) - (monotonic - self._seen[1])
        if jump is not None and abs(jump) > MAX_JUMP_S:
            self._held = True
            return False
        self._held = False
        if jump is None or abs(jump) > JUMP_S:
            self._leap(now)
        self._seen = (now, monotonic)
        return True

    def _leap(self, now: float) -> None:
        """The box did not live through the time up to now: what was running ends, what lies between was not
        observed."""
        for kind in KINDS:
            running = self._current[kind]
            if running is not None and running.end_s <= now:
                self._end(running)
        last = dict(self._last)
        for kind in KINDS:
            period, _, epsilon_milli = self._terms.of_kind(kind)
            # the monthly tables are in step: of one that there was not for a while, nothing was missed then
            before = EVIDENCE if kind is NOT_AGREED else kind
            if self._current[kind] is None and epsilon_milli and (before, period) in last:
                first = last[before, period] + 1
                missed = Period.new(self._terms, kind, 0)
                missed.index = missed.index_at(now) - 1
                if missed.index >= first:
                    self._skipped += [
                        leaves.RefusalLeaf(kind, period, first, missed.index, leaves.Refused.NOT_OBSERVED, pool)
                        for pool in missed.tables
                    ]
                    self._note_index(missed)

    def _roll(self, now: float) -> None:
        """End what has ended, in the order of time, and open what follows; evidence before a pulse of the same
        instant, since it brings the new terms."""
        self._place(now)
        while True:
            ended = [period for period in self._current.values() if period is not None and period.end_s <= now]
            if not ended:
                return
            period = min(ended, key=lambda each: (each.end_s, KINDS.index(each.kind)))
            self._end(period)
            self._place(period.end_s)

    def _end(self, period: Period) -> None:
        """A running period waits for its release; with an evidence the policy of now takes effect."""
        self._due.append(period)
        self._current[period.kind] = None
        if period.kind is EVIDENCE:
            self._terms = self._new_terms()

    def _place(self, at_s: float) -> None:
        for kind in KINDS:
            period = self._period(kind)
            if period is not None and period.index == UNPLACED:
                beside = self._current[EVIDENCE] if kind is NOT_AGREED else None  # in step, and placed before it
                at = period.index_at(at_s) if beside is None else beside.index
                # A clock that was set back never reopens a period: the next one that was not used takes the visits.
                period.index = max(at, self._last.get((kind, period.period), -1) + 1)
                self._note_index(period)

    def _period(self, kind: ReleaseKind) -> Period | None:
        """The running period, a new one without a place if there is none. None where the terms have no such kind."""
        if self._current[kind] is None and self._terms.of_kind(kind)[2]:
            self._current[kind] = Period.new(self._terms, kind, UNPLACED)
        return self._current[kind]

    def _note_index(self, period: Period) -> None:
        key = period.kind, period.period
        self._last[key] = max(self._last.get(key, -1), period.index)

    # -- release

    def _draw(self) -> list[Release]:
        apart = self._terms.not_agreed
        nothing_new = not self._due and not self._skipped and self._said_apart == apart
        if nothing_new and self._store.head_size() == self._store.size:
            return []
        drawn: list[Release] = []
        with self._store.transaction():
            for leaf in self._skipped:
                self._store.append(leaf)
            if self._said_apart != apart:
                self._store.append(leaves.ConsentLeaf(self._day(), apart))
            for period in self._due:
                drawn += self._release(period)
            # The head goes first: once the server has a release, it has the head that anchors it.
            self._store.stage_head(make_head(self.epoch, self._store.size, self._store.root(), self._keys.sign))
            for message in drawn:
                self._store.stage(release_key(message), message)
        self._said_apart = apart
        evidence_closed = any(period.kind is EVIDENCE for period in self._due)
        self._due, self._skipped = [], []
        if evidence_closed:
            self._sealer.rotate()
            self._seal()
        return drawn

    def _release(self, period: Period) -> list[Release]:
        """Charge, draw, log, pool by pool; inside the transaction, so that all pools are released or none."""
        if self._is_charged(period):
            self.tallies.drop("already_released")
            return []
        if period.epsilon_milli > self.policy.budget_epsilon_milli:
            self._refuse(period, leaves.Refused.BUDGET)
            return []
        window = period.kind, period.period, period.index, period.epsilon_milli
        mechanism = self._mechanism(period.epsilon_milli)
        released = []
        for pool, counts in period.tables.items():
            self._store.charge(*window, pool)
            message = period.message(self.epoch, pool, mechanism.release(counts))
            self._store.append(leaves.ReleaseLeaf(*window, leaves.release_digest(message), pool))
            released.append(message)
        return released

    def _refuse(self, period: Period, reason: leaves.Refused) -> None:
        for pool in period.tables:
            self._store.append(leaves.RefusalLeaf(period.kind, period.period, period.index, period.index, reason, pool))
        self.tallies.drop(reason.name.lower())

    def _trim(self) -> None:
        """Give up the oldest of too many waiting periods; pulses before evidence, which holds more."""
        excess = len(self._due) - MAX_WAITING
        if excess <= 0:
            return
        given_up = [period for period in self._due if period.kind is PULSE][:excess]
        given_up += [period for period in self._due if period.kind is EVIDENCE][: excess - len(given_up)]
        months = {period.index for period in given_up if period.kind is EVIDENCE}
        given_up += [each for each in self._due if each.kind is NOT_AGREED and each.index in months]
        with self._store.transaction():
            for period in given_up:
                self._refuse(period, leaves.Refused.WAITED_TOO_LONG)
        self._due = [period for period in self._due if period not in given_up]

    # -- at rest

    def _seal_if_due(self, changed: bool) -> None:
        monotonic = self._clock.monotonic_s()
        if changed or self._sealed_at is None or monotonic - self._sealed_at >= self.policy.seal_interval_s:
            self._seal()

    def _seal(self) -> None:
        running = Running(
            self._terms, self._current[PULSE], self._current[EVIDENCE], self._due, self._current[NOT_AGREED]
        )
        pools = max(len(self._terms.numbers), len(self.policy.released_pools))
        self._sealer.seal(encode_running(running), self._context, pools)
        self._sealed_at = self._clock.monotonic_s()
