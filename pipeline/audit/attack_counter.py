"""The attack on a hall's counters: at which of two counters of one pool did a known visit take place?

Visits of a pool are added up before the noise, so nothing that leaves a box may tell, at any epsilon: the claim is 0. A
fair coin puts each canary visit at one of two counters. The attacker knows the canary's level and outcome, that it took
place, and every other visit with its counter; sees every release of every pool; learns on the first half of the
canaries what goes with which counter (naive Bayes over signs), and guesses the second half. Right guesses become a
lower bound on epsilon as in `pipeline.audit.attack`. The same attacker must find the counter where each has a pool of
its own.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field

from pipeline.audit.attack import (
    BACKGROUND_VISITS,
    CANARIES,
    PULSE_S,
    Attack,
    MechanismMaker,
    any_visit,
    epsilon_lower_bound,
    short_curator,
    visit_of,
)
from pipeline.language import Message
from pipeline.privacy.clock import ManualClock
from pipeline.privacy.policy import PoolPolicy, PrivacyPolicy
from pipeline.privacy.release import ReleaseCurator
from pipeline.records import ClosedVisit
from pipeline.release_kind import EVIDENCE, KINDS, NOT_AGREED, PULSE, Release, ReleaseKind, kind_of, table_of

CANARY_COUNTERS = ("1", "2")
HALL = (PoolPolicy(number=1, counters=CANARY_COUNTERS), PoolPolicy(number=2, counters=("3", "4")))
SPLIT = (PoolPolicy(number=1, counters=("1", "3")), PoolPolicy(number=2, counters=("2", "4")))
"""The mutant: what each of the two counters counts stands in a pool of its own."""

_FAMILY = {PULSE: "pulse", EVIDENCE: "monthly", NOT_AGREED: "monthly"}
"""A canary is in one monthly table, whichever: what tells is learnt of both together."""
_Table = tuple[ReleaseKind, int]
"""Kind and pool."""


@dataclass(slots=True)
class _Canary:
    """One canary: at which counter, and what the attacker makes of the releases (each +1 or -1)."""

    visit: ClosedVisit
    counter: int
    signs: dict[str, int] = field(default_factory=dict)


def counter_attack(
    policy: PrivacyPolicy, canaries: int, mechanism: MechanismMaker, pools: tuple[PoolPolicy, ...] = HALL
) -> Attack:
    """`canaries` visits at one of `CANARY_COUNTERS`, on the real curator with these pools."""
    found: list[_Canary] = []
    with short_curator(policy, mechanism, pools) as (curator, clock):
        for _ in range(max(2, canaries // CANARIES)):
            found += _round(curator, clock)
    learnt, guessed = found[: len(found) // 2], found[len(found) // 2 :]
    weights = _learn(learnt)
    guesses = right = 0
    for canary in guessed:
        score = math.fsum(weights[name] * sign for name, sign in canary.signs.items())
        if score:
            guesses += 1
            right += (score > 0) == bool(canary.counter)
    return Attack(Message("which counter of a pool"), 0.0, guesses, right, epsilon_lower_bound(right, guesses))


def _learn(canaries: list[_Canary]) -> dict[str, float]:
    """Log-odds of every sign for the second counter against the first."""
    weights = {}
    for name in canaries[0].signs:
        agree = sum((canary.signs[name] > 0) == bool(canary.counter) for canary in canaries)
        weights[name] = math.log((agree + 1) / (len(canaries) - agree + 1))
    return weights


def _round(curator: ReleaseCurator, clock: ManualClock) -> list[_Canary]:
    """One evidence period: a canary in each of its cells, each in a pulse window of its own."""
    pool_of = curator.policy.counters
    known: dict[_Table, list[int]] = {
        (kind, pool): [0] * kind.cells for kind in KINDS for pool in set(pool_of.values())
    }
    canaries = []
    monthly: list[Release] = []
    for cell in range(CANARIES):
        for pool in set(pool_of.values()):
            known[PULSE, pool] = [0] * PULSE.cells
        for counter in pool_of:
            for _ in range(BACKGROUND_VISITS // 2):
                other = any_visit()
                curator.count(other, clock.wall, counter)
                for kind in (table_of(other, has_row=True), PULSE):
                    known[kind, pool_of[counter]][kind.cell_of(other)] += 1
        canary = _Canary(visit_of(cell), secrets.randbelow(2))
        curator.count(canary.visit, clock.wall, CANARY_COUNTERS[canary.counter])
        clock.advance(PULSE_S)
        released = curator.close_due(clock.wall)
        monthly += [each for each in released if kind_of(each) is not PULSE]
        canary.signs |= _signs([each for each in released if kind_of(each) is PULSE], canary.visit, known)
        canaries.append(canary)
    for canary in canaries:
        own = table_of(canary.visit, has_row=True)
        canary.signs |= _signs([each for each in monthly if kind_of(each) is own], canary.visit, known)
    return canaries


def _signs(released: list[Release], visit: ClosedVisit, known: dict[_Table, list[int]]) -> dict[str, int]:
    """What may tell: whether the visit's cell of a pool holds more than the others' visits, one bit of the nonce, and
    which pool came first."""
    signs = {}
    for message in released:
        kind = kind_of(message)
        cell = kind.cell_of(visit)
        name = f"{_FAMILY[kind]} {message.pool}"
        signs[f"{name} rest"] = 1 if message.counts[cell] - known[kind, message.pool][cell] >= 1 else -1
        signs[f"{name} nonce"] = 1 if message.nonce & 1 else -1
    if released:
        signs[f"{_FAMILY[kind_of(released[0])]} order"] = 1 if released[0].pool > 1 else -1
    return signs
