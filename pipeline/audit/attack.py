"""Attacks on the real release code: a one-run canary audit, and a differencing attack across restarts, clocks and old
disks.

Steinke, Nasr, Jagielski 2023, "Privacy Auditing with One (1) Training Run": m canary visits are each put in or left
out by a fair coin, in one run; the attacker guesses, and may abstain. Under pure epsilon-differential privacy the
number of right guesses among r is stochastically at most Binomial(r, e^eps / (1 + e^eps)) (their Theorem 5.2 with
delta = 0), which turns right guesses into a lower bound on epsilon.
"""

from __future__ import annotations

import math
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline import enrolment, wire
from pipeline.audit.figures import figure_words
from pipeline.audit.verdict import Verdict
from pipeline.calendar import DAY_ZERO_S
from pipeline.errors import HailongError
from pipeline.keys import KeyPair, new_keys
from pipeline.language import Message, Number, Sentence, measured
from pipeline.privacy.clock import ManualClock
from pipeline.privacy.ledger import highest_epoch
from pipeline.privacy.mechanism import DiscreteLaplace, Mechanism
from pipeline.privacy.policy import AtRest, PoolPolicy, PrivacyPolicy
from pipeline.privacy.release import ReleaseCurator
from pipeline.privacy.sealing import in_memory
from pipeline.records import ClosedVisit, Level, Outcome
from pipeline.release_kind import EVIDENCE, MONTHLY, NOT_AGREED, PULSE, Release, ReleaseKind, kind_of, table_of

PULSE_S = 10
CANARIES = EVIDENCE.cells + NOT_AGREED.cells
"""One in each cell of the monthly tables, and each in a pulse window of its own: a period's canaries."""
CONFIDENCE = 0.999
BACKGROUND_VISITS = 4
"""Visits in every window that the attacker knows exactly."""
RUNS = 3
"""In how many runs, each with fresh noise, the same claim has to be refuted before it counts as refuted."""
MechanismMaker = Callable[[int], Mechanism]


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack's outcome. `lower_bound`: on epsilon, at `confidence`."""

    name: str
    claim: float
    guesses: int
    right: int
    lower_bound: float
    confidence: float = CONFIDENCE

    @property
    def refutes(self) -> bool:
        """Whether the claim is too small, at `confidence`."""
        return self.lower_bound > self.claim

    def text(self) -> Message:
        """In one line."""
        return Message(
            "{name}: {right} of {guesses} guesses right; epsilon >= {bound} at {confidence} % confidence, "
            "claim {claim}",
            name=self.name,
            right=self.right,
            guesses=self.guesses,
            bound=Number(self.lower_bound, 3),
            confidence=measured(100 * self.confidence, 5),
            claim=measured(self.claim),
        )


def epsilon_lower_bound(right: int, guesses: int, confidence: float = CONFIDENCE) -> float:
    """The largest epsilon that so many right guesses refute, at this confidence; 0 if none."""
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        refuted = _binomial_tail(right, guesses, 1.0 / (1.0 + math.exp(-middle))) <= 1.0 - confidence
        low, high = (middle, high) if refuted else (low, middle)
    return low


def _binomial_tail(least: int, n: int, p: float) -> float:
    """P(Binomial(n, p) >= least)."""
    if least <= 0:
        return 1.0
    log_p, log_q = math.log(p), math.log1p(-p) if p < 1.0 else -math.inf
    terms = []
    for k in range(least, n + 1):
        tail = (n - k) * log_q if k < n else 0.0
        terms.append(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * log_p + tail)
    top = max(terms, default=-math.inf)
    if top == -math.inf:
        return 0.0
    return min(1.0, math.exp(top) * math.fsum(math.exp(term - top) for term in terms))


def audit_attack(policy: PrivacyPolicy, canaries: int = 1_800, mechanism: MechanismMaker = DiscreteLaplace) -> Verdict:
    """Attack the curator under this policy's epsilons (with short periods), and check on a mutant that the attack is
    strong enough.

    `mechanism`: the noise of the curator under attack; another than the real one only to see it caught."""
    verdict = Verdict(
        "attack",
        Message(
            "Attacks on the real release code do not break the stated epsilon, and are strong enough to catch half "
            "the noise."
        ),
    )
    attacks, cells = _canary_attacks(policy, canaries, mechanism)
    refuted, not_again = _seen_every_time(
        [*attacks, *cells], lambda: [each for part in _canary_attacks(policy, canaries, mechanism) for each in part]
    )
    verdict.problems += [Message("the claim is refuted: {attack}", attack=attack.text()) for attack in refuted]
    mutant, weak = _too_weak(policy, canaries)
    verdict.problems += [
        Message("the audit is too weak to see half the noise: {attack}", attack=attack.text()) for attack in weak
    ]
    counter, split = _counter_attacks(policy, canaries, mechanism)
    told, told_once = _seen_every_time([counter], lambda: [_counter_attacks(policy, canaries, mechanism)[0]])
    verdict.problems += [
        Message("what leaves the box tells the counter: {attack}", attack=attack.text()) for attack in told
    ]
    if not split.refutes:
        verdict.problems.append(
            Message("the audit is too weak to find a counter that has a pool of its own: {attack}", attack=split.text())
        )
    distinct, tries, refusals = differencing_attack(policy, mechanism)
    if distinct > 1:
        verdict.problems.append(
            Message("one period was released with {count} different noises: averaging removes it", count=distinct)
        )
    verdict.facts = {
        "canaries": canaries,
        "attacks": [attack.text() for attack in attacks],
        "cells": Message(
            "{count} attacked alone; the highest: {attack}",
            count=len(cells),
            attack=max(cells, key=lambda each: each.lower_bound / each.claim).text(),
        ),
        "lower_bounds": {attack.name: attack.lower_bound for attack in attacks},
        "claims": {attack.name: attack.claim for attack in attacks},
        "confidence": CONFIDENCE,
        "refuted_once_and_not_again": [attack.text() for attack in [*not_again, *told_once]],
        "counter": counter.text(),
        "mutant_with_a_pool_for_each_counter": split.text(),
        "mutant_with_half_the_noise": [attack.text() for attack in mutant],
        "differencing": Message(
            "{tries} tries at a second release: {distinct} noise drawn, {refusals} old disks refused",
            tries=tries,
            distinct=distinct,
            refusals=refusals,
        ),
    }
    verdict.cannot_check = [
        Message(
            "that epsilon is no larger than the claim: an attack gives a lower bound, the proof gives the upper one;"
        ),
        Message(
            "a server that, together with whoever restores an old disk, tells the box an old tree head "
            "(docs/privacy.md)."
        ),
    ]
    return verdict


def _seen_every_time(first: list[Attack], again: Callable[[], list[Attack]]) -> tuple[list[Attack], list[Attack]]:
    """(attacks that refute their claim in all `RUNS` runs, those that do so in the first and not in all).

    One run of honest code errs once in a thousand for each attack, and whoever runs the audit every day would be told
    of a breach that is none. So what refutes is attacked again with fresh noise: chance refutes the same claim in three
    runs once in a thousand million, a breach nearly always."""
    suspected = {attack.name: attack for attack in first if attack.refutes}
    left = set(suspected)
    for _ in range(RUNS - 1):
        if left:
            left &= {attack.name for attack in again() if attack.refutes}
    return (
        [attack for name, attack in suspected.items() if name in left],
        [attack for name, attack in suspected.items() if name not in left],
    )


def _too_weak(policy: PrivacyPolicy, canaries: int) -> tuple[list[Attack], list[Attack]]:
    """(attacks on a mutant with half the noise, those of them that do not see it, tried once more: chance hides it from
    900 canaries once in 18,000 runs)."""

    def attacked() -> list[Attack]:
        return canary_attack(policy, canaries, lambda epsilon_milli: DiscreteLaplace(min(20_000, 2 * epsilon_milli)))

    mutant = attacked()
    weak = [attack for attack in mutant if not attack.refutes]
    if weak:
        seen = {attack.name for attack in attacked() if attack.refutes}
        weak = [attack for attack in weak if attack.name not in seen]
    return mutant, weak


def _counter_attacks(policy: PrivacyPolicy, canaries: int, mechanism: MechanismMaker) -> tuple[Attack, Attack]:
    """(the attack on the counters of a pool, the same where each of the two has a pool of its own)."""
    from pipeline.audit.attack_counter import SPLIT, counter_attack

    half = canaries // 2
    return counter_attack(policy, half, mechanism), counter_attack(policy, half, mechanism, SPLIT)


def canary_attack(policy: PrivacyPolicy, canaries: int, mechanism: MechanismMaker) -> list[Attack]:
    """One run: in every evidence period, one canary in each of its 18 cells and one in each of the 3 of those who did
    not agree, each in a pulse window of its own."""
    return _canary_attacks(policy, canaries, mechanism)[0]


def _canary_attacks(
    policy: PrivacyPolicy, canaries: int, mechanism: MechanismMaker
) -> tuple[list[Attack], list[Attack]]:
    """(`canary_attack`, the same on every cell alone): one cell without noise hardly moves the whole. The confidence
    of a cell is such that all of them together err as rarely as one attack."""
    rounds = max(1, canaries // CANARIES)
    scores: dict[str, list[tuple[float, bool]]] = {"evidence": [], "pulse": [], "pulse and evidence": []}
    pulse_epsilon, evidence_epsilon = policy.pulse_epsilon_milli / 1_000, policy.evidence_epsilon_milli / 1_000
    with short_curator(policy, mechanism) as (curator, clock):
        for _ in range(rounds):
            _round(curator, clock, scores, pulse_epsilon, evidence_epsilon)
    claims = {
        "evidence": evidence_epsilon,
        "pulse": pulse_epsilon,
        "pulse and evidence": pulse_epsilon + evidence_epsilon,
    }
    attacks = []
    for name, scored in scores.items():
        if claims[name] == 0 or (name != "evidence" and pulse_epsilon == 0):
            continue
        best = max((abs(score) for score, _ in scored), default=0.0)
        taken = [
            (score, present) for score, present in scored if abs(score) >= best - 1e-9
        ]  # abstain where the two disagree
        right = sum((score > 0) == present for score, present in taken)
        attacks.append(
            Attack(figure_words(name), claims[name], len(taken), right, epsilon_lower_bound(right, len(taken)))
        )
    families: list[tuple[str, ReleaseKind]] = [("evidence", EVIDENCE), ("evidence", NOT_AGREED)]
    if pulse_epsilon:
        families.append(("pulse", PULSE))
    confidence = 1.0 - (1.0 - CONFIDENCE) / sum(kind.cells for _, kind in families)
    cells = []
    for name, kind in families:
        for cell in range(kind.cells):
            own = [scored for at, scored in enumerate(scores[name]) if _is_in(visit_of(at % CANARIES), kind, cell)]
            right = sum((score > 0) == present for score, present in own)
            bound = epsilon_lower_bound(right, len(own), confidence)
            cells.append(Attack(_cell_name(kind.name, cell), claims[name], len(own), right, bound, confidence))
    return attacks, cells


def _is_in(visit: ClosedVisit, kind: ReleaseKind, cell: int) -> bool:
    """Whether a visit is counted in that cell of a kind."""
    return kind in (PULSE, table_of(visit, has_row=True)) and kind.cell_of(visit) == cell


def _cell_name(family: str, cell: int) -> Sentence:
    return Message("{kind} cell {cell}", kind=figure_words(family), cell=cell)


def visit_of(cell: int) -> ClosedVisit:
    """The visit that falls into a cell of the evidence; from 18 on, of those who did not agree."""
    if cell >= EVIDENCE.cells:
        return ClosedVisit(Level.ABSTAINED, Outcome(cell % 3), agreed=False)
    return ClosedVisit(Level(cell // 3), Outcome(cell % 3))


def any_visit() -> ClosedVisit:
    """One of all that there may be, each as likely."""
    return visit_of(secrets.randbelow(CANARIES))


def _round(
    curator: ReleaseCurator,
    clock: ManualClock,
    scores: dict[str, list[tuple[float, bool]]],
    pulse_epsilon: float,
    evidence_epsilon: float,
) -> None:
    known = {kind: [0] * kind.cells for kind in MONTHLY}
    canaries: list[tuple[ClosedVisit, bool, float]] = []
    monthly: dict[ReleaseKind, Release] = {}
    for cell in range(CANARIES):
        visit = visit_of(cell)
        known_pulse = [0] * PULSE.cells
        for _ in range(BACKGROUND_VISITS):
            other = any_visit()
            curator.count(other, clock.wall)
            table = table_of(other, has_row=True)
            known[table][table.cell_of(other)] += 1
            known_pulse[PULSE.cell_of(other)] += 1
        present = bool(secrets.randbits(1))
        if present:
            curator.count(visit, clock.wall)
        clock.advance(PULSE_S)
        score = 0.0
        for message in curator.close_due(clock.wall):
            if kind_of(message) is not PULSE:
                monthly[kind_of(message)] = message
            else:
                score = _score(message.counts[PULSE.cell_of(visit)] - known_pulse[PULSE.cell_of(visit)], pulse_epsilon)
        canaries.append((visit, present, score))
    for visit, present, pulse_score in canaries:
        table = table_of(visit, has_row=True)
        cell = table.cell_of(visit)
        score = _score(monthly[table].counts[cell] - known[table][cell], evidence_epsilon)
        scores["evidence"].append((score, present))
        scores["pulse"].append((pulse_score, present))
        scores["pulse and evidence"].append((score + pulse_score, present))


def _score(rest: int, epsilon: float) -> float:
    """Log-likelihood ratio of present against absent: discrete Laplace noise leaves +epsilon at 1 and above, else
    -epsilon."""
    return epsilon if rest >= 1 else -epsilon


def differencing_attack(
    policy: PrivacyPolicy, mechanism: MechanismMaker = DiscreteLaplace, rounds: int = 5, require_anchor: bool = True
) -> tuple[int, int, int]:
    """Try to have one period released again by restarts, by a clock set back, by an old disk, and by an old disk that
    is enrolled under another row or at another server, where numbers of epochs begin again.

    Returns (the most different tables seen for one period, tries, old disks refused)."""
    tries = refusals = worst = 0
    for _ in range(rounds):
        with _folder() as folder:
            clock, keys = _clock(), new_keys("box")

            home = enrolment.epoch_identity(bytes(32), 1, enrolment.new_nonce())

            def start(
                place: Path,
                clock: ManualClock = clock,
                keys: KeyPair = keys,
                epoch: int = 1,
                identity: bytes = home,
            ) -> ReleaseCurator:
                return ReleaseCurator(
                    _short(policy),
                    place / "release.sqlite3",
                    clock,
                    keys,
                    epoch,
                    identity=identity,
                    require_anchor=require_anchor,
                    asks_consent=True,
                    mechanism=mechanism,
                )

            curator = start(folder)
            if require_anchor:
                curator.anchor(wire.Anchor(0, 0, (0, 0, 0, 0)))
            curator.server_reads(wire.NOT_AGREED_VERSION)
            curator.close_due(clock.wall)
            clock.advance(PULSE_S * CANARIES)  # from the second period on there is a table of those who did not agree
            curator.close_due(clock.wall)
            curator.count(ClosedVisit(Level.HIGH, Outcome.SATISFIED), clock.wall)
            curator.count(visit_of(EVIDENCE.cells), clock.wall)
            curator.close()
            old_disk = folder / "old"
            shutil.copytree(folder, old_disk, ignore=shutil.ignore_patterns("old"))
            curator = start(folder)
            if require_anchor:
                curator.anchor(wire.Anchor(0, 0, (0, 0, 0, 0)))
            clock.advance(PULSE_S * CANARIES)
            tables: dict[tuple[str, int], set[tuple[int, ...]]] = {}
            _collect(tables, curator, clock)
            anchor = _last_head(curator)
            for _ in range(3):  # restarts, and the clock set back into the period that was released
                tries += 1
                curator.close()
                clock.jump(-PULSE_S * CANARIES)
                curator = start(folder)
                if require_anchor:
                    curator.anchor(anchor)
                _collect(tables, curator, clock)
                clock.advance(PULSE_S * CANARIES)
                _collect(tables, curator, clock)
                anchor = _last_head(curator)
            curator.close()
            for server, box in ((bytes(32), 2), (bytes([1] * 32), 1)):  # another row; another server
                for told in (1, enrolment.next_epoch(0, highest_epoch(old_disk / "release.sqlite3"))):
                    tries += 1
                    moved = folder / f"moved-{server[0]}-{told}"
                    shutil.copytree(old_disk, moved)
                    identity = enrolment.epoch_identity(server, box, enrolment.new_nonce())
                    try:
                        curator = start(moved, epoch=told, identity=identity)
                    except HailongError:  # of an epoch of the same number
                        refusals += 1
                        continue
                    if require_anchor:  # of this log, whatever the row; at another server there is none
                        curator.anchor(anchor if server == bytes(32) else wire.Anchor(0, 0, (0, 0, 0, 0)))
                    _collect(tables, curator, clock)
                    curator.close()
            tries += 1
            for path in old_disk.iterdir():  # the old disk comes back, with its running counts
                shutil.copy(path, folder / path.name)
            curator = start(folder)
            try:
                if require_anchor:
                    curator.anchor(anchor)
            except HailongError:
                refusals += 1
            _collect(tables, curator, clock)
            curator.close()
            worst = max(worst, *(len(found) for found in tables.values()))
    return worst, tries, refusals


def _collect(tables: dict[tuple[str, int], set[tuple[int, ...]]], curator: ReleaseCurator, clock: ManualClock) -> None:
    curator.close_due(clock.wall)
    for staged in curator.pending():
        if isinstance(staged.message, Release):
            tables.setdefault((kind_of(staged.message).name, staged.message.index), set()).add(
                tuple(staged.message.counts)
            )


def _last_head(curator: ReleaseCurator) -> wire.Anchor:
    heads = [staged.message for staged in curator.pending() if isinstance(staged.message, wire.TreeHead)]
    last = max(heads, key=lambda head: head.size)
    return wire.Anchor(last.epoch, last.size, last.root)


def _short(policy: PrivacyPolicy, pools: tuple[PoolPolicy, ...] = ()) -> PrivacyPolicy:
    """The same epsilons on periods of seconds, so that a run takes seconds; the code is the same."""
    return PrivacyPolicy(
        pulse_epsilon_milli=policy.pulse_epsilon_milli,
        evidence_epsilon_milli=policy.evidence_epsilon_milli,
        budget_epsilon_milli=policy.budget_epsilon_milli,
        clerks_per_box=2,
        pools=pools,
        at_rest=AtRest.PLAIN_DEMO,
        demo=True,
        demo_pulse_s=PULSE_S,
        demo_evidence_s=PULSE_S * CANARIES,
    )


def _clock() -> ManualClock:
    return ManualClock(DAY_ZERO_S + 100_000 * PULSE_S * CANARIES + 1.0)


@contextmanager
def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")  # noqa: S108  (synthetic visits alone; a run makes thousands of transactions)
    with tempfile.TemporaryDirectory(dir=memory if in_memory(memory) else None) as name:
        yield Path(name)


@contextmanager
def short_curator(
    policy: PrivacyPolicy, mechanism: MechanismMaker, pools: tuple[PoolPolicy, ...] = ()
) -> Iterator[tuple[ReleaseCurator, ManualClock]]:
    """The real curator under a policy's epsilons, with periods of seconds and these pools."""
    with _folder() as folder:
        clock = _clock()
        keys = new_keys("box")
        curator = ReleaseCurator(
            _short(policy, pools),
            folder / "release.sqlite3",
            clock,
            keys,
            1,
            require_anchor=False,
            asks_consent=True,
            mechanism=mechanism,
        )
        curator.server_reads(wire.NOT_AGREED_VERSION)
        curator.close_due(clock.wall)
        clock.advance(PULSE_S * CANARIES)  # the table of those who did not agree is there from a period's begin on
        curator.close_due(clock.wall)
        yield curator, clock
        curator.close()
