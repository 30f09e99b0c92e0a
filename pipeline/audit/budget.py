"""Epsilon, recomputed from the log alone, and compared with what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline import wire
from pipeline.audit.figures import figure_words
from pipeline.audit.log import of_pool
from pipeline.audit.sources import read_store
from pipeline.audit.verdict import Verdict
from pipeline.audit.wire_records import messages_in
from pipeline.calendar import window_end_s, window_label, window_start_s
from pipeline.errors import LogError
from pipeline.language import NOTHING, Joined, Message, Sentence
from pipeline.release_kind import MONTHLY, NOT_AGREED, PULSE, Release, ReleaseKind, kind_of
from pipeline.transparency.leaves import (
    ConsentLeaf,
    PolicyLeaf,
    RefusalLeaf,
    ReleaseLeaf,
    decode_leaf,
    release_digest,
)


@dataclass(frozen=True, slots=True)
class _Span:
    epsilon_milli: int
    start_s: float
    end_s: float
    label: str


def audit_budget(store: Path, sent: Iterable[Path] = ()) -> Verdict:
    """A box's `release.sqlite3`; `sent`: records of the sender or outbox files, whose releases must all be in the
    log."""
    verdict = Verdict(
        "budget",
        Message("No visit cost more than the stated privacy budget; every period was released once."),
    )
    log = read_store(store)
    digests: dict[int, Counter[bytes]] = {}
    worst = 0
    counts: Counter[str] = Counter()
    refused = 0
    budgets: set[int] = set()
    pools: set[int] = set()
    for epoch, numbered in sorted(log.leaves.items()):
        releases, policies = [], []
        for number, data in numbered:
            try:
                leaf = decode_leaf(data)
            except LogError:
                verdict.problems.append(
                    Message(
                        "leaf {number} of epoch {epoch} cannot be read: see hailong audit log",
                        number=number,
                        epoch=epoch,
                    )
                )
                continue
            if isinstance(leaf, ReleaseLeaf):
                releases.append(leaf)
            elif isinstance(leaf, PolicyLeaf):
                policies.append(leaf)
            elif isinstance(leaf, RefusalLeaf):
                refused += leaf.last - leaf.first + 1
        epoch_budgets = {policy.budget_epsilon_milli for policy in policies}
        budgets |= epoch_budgets
        if releases and not policies:
            verdict.problems.append(Message("epoch {epoch} has releases and no policy", epoch=epoch))
        digests[epoch] = Counter(leaf.digest for leaf in releases)
        keys = Counter((leaf.pool, leaf.kind, leaf.period, leaf.index) for leaf in releases)
        for (pool, kind, period, index), times in keys.items():
            if times > 1:
                verdict.problems.append(
                    Message(
                        "{kind} {window} was released {times} times in epoch {epoch}",
                        kind=figure_words(kind.name),
                        window=of_pool(window_label(period, index), pool),
                        times=times,
                        epoch=epoch,
                    )
                )
        counts.update(leaf.kind.name for leaf in releases)
        pools |= {leaf.pool for leaf in releases}
        _check_pools(verdict, epoch, releases, policies)
        _check_not_agreed(verdict, epoch, numbered)
        cost, pair = _worst_visit(releases)
        worst = max(worst, cost)
        if epoch_budgets and cost > max(epoch_budgets):
            verdict.problems.append(
                Message(
                    "a visit in {pair} of epoch {epoch} cost {cost}, the budget is {budget}",
                    pair=pair,
                    epoch=epoch,
                    cost=f"{cost / 1000:g}",
                    budget=f"{max(epoch_budgets) / 1000:g}",
                )
            )
        charged = Counter(charge[1:5] for charge in log.charges if charge[0] == epoch)
        if charged != Counter((leaf.pool, leaf.kind.on_disk, int(leaf.period), leaf.index) for leaf in releases):
            verdict.problems.append(Message("the ledger and the log of epoch {epoch} differ", epoch=epoch))
    sent_count = _compare_with_sent(verdict, digests, messages_in(sent))
    verdict.facts = {
        "releases": {figure_words(kind): count for kind, count in counts.items()},
        "pools": sorted(pools),
        "periods_refused": refused,
        "worst_visit_epsilon": worst / 1000,
        "worst_visit_epsilon_replace_one": 2 * worst / 1000,
        "budget_epsilon": [budget / 1000 for budget in sorted(budgets)],
        "sent_releases_found_in_log": sent_count,
    }
    verdict.cannot_check = [
        Message("that the noise had the logged scale: see hailong audit attack;"),
        Message(
            "that one visit was counted once, in one pool: a visit that the tracker splits counts as several, and a "
            "person with k visits, or at k counters, pays k times;"
        ),
        Message("ratings, which are voluntary answers and outside the budget."),
    ]
    return verdict


def _check_pools(verdict: Verdict, epoch: int, releases: list[ReleaseLeaf], policies: list[PolicyLeaf]) -> None:
    """Every pool that was released stands in a policy, with two clerks or more."""
    planned = {pool: clerks for policy in policies for pool, clerks in policy.pools or ((1, 0),)}
    for pool in sorted({leaf.pool for leaf in releases} - set(planned)):
        verdict.problems.append(
            Message("pool {pool} was released in epoch {epoch}, and stands in no policy of it", pool=pool, epoch=epoch)
        )
    for policy in policies:
        for pool, clerks in policy.pools:
            if clerks < 2:
                verdict.problems.append(
                    Message("pool {pool} of epoch {epoch} serves one clerk alone", pool=pool, epoch=epoch)
                )


def _check_not_agreed(verdict: Verdict, epoch: int, numbered: list[tuple[int, bytes]]) -> None:
    """Those who did not agree are counted apart only where the log said so before, and beside an evidence of the same
    pool and period with the same epsilon: a visit is in one of the two, and pays once."""
    counted = False
    evidence: dict[tuple[int, int, int], int] = {}
    apart: dict[tuple[int, int, int], int] = {}
    for _, data in numbered:
        try:
            leaf = decode_leaf(data)
        except LogError:
            continue  # said above
        if isinstance(leaf, ConsentLeaf):
            counted = counted or leaf.counted
        elif isinstance(leaf, ReleaseLeaf) and leaf.kind in MONTHLY:
            window = leaf.pool, int(leaf.period), leaf.index
            (apart if leaf.kind is NOT_AGREED else evidence)[window] = leaf.epsilon_milli
            if leaf.kind is NOT_AGREED and not counted:
                verdict.problems.append(
                    Message(
                        "those who did not agree were released in epoch {epoch}, and the log had not said so",
                        epoch=epoch,
                    )
                )
    for window, epsilon_milli in apart.items():
        if evidence.get(window) != epsilon_milli:
            verdict.problems.append(
                Message(
                    "those who did not agree in {window} of epoch {epoch} do not go with an evidence of the same "
                    "epsilon",
                    window=of_pool(window_label(wire.PeriodKind(window[1]), window[2]), window[0]),
                    epoch=epoch,
                )
            )


def _worst_visit(releases: list[ReleaseLeaf]) -> tuple[int, Sentence]:
    """The most that a visit can have cost. It falls into one pool, so this is the most of any pool, not their sum."""
    by_pool: dict[int, list[ReleaseLeaf]] = {}
    for leaf in releases:
        by_pool.setdefault(leaf.pool, []).append(leaf)
    return max(
        ((cost, of_pool(label, pool)) for pool, own in by_pool.items() for cost, label in [_worst_of_pool(own)]),
        key=lambda found: found[0],
        default=(0, NOTHING),
    )


def _worst_of_pool(releases: list[ReleaseLeaf]) -> tuple[int, Sentence]:
    """The dearest pair of a pulse and a monthly table whose periods overlap (demo kinds: any pair). A visit is in one
    monthly table: in the evidence, or among those who did not agree."""

    def spans(kind: ReleaseKind) -> list[_Span]:
        found = []
        for leaf in releases:
            if leaf.kind is kind:
                demo = leaf.period >= wire.PeriodKind.DEMO_PULSE
                start, end = (0.0, float("inf")) if demo else _times(leaf)
                found.append(_Span(leaf.epsilon_milli, start, end, window_label(leaf.period, leaf.index)))
        return found

    nothing = _Span(0, 0.0, float("inf"), Message("no other release"))
    pulses, monthly = [nothing, *spans(PULSE)], [nothing, *(span for kind in MONTHLY for span in spans(kind))]
    best, label = 0, NOTHING
    for evidence in monthly:
        for pulse in pulses:
            cost = evidence.epsilon_milli + pulse.epsilon_milli
            if cost > best and pulse.start_s < evidence.end_s and evidence.start_s < pulse.end_s:
                best, label = cost, Joined((pulse.label, evidence.label), " / ")
    return best, label


def _times(leaf: ReleaseLeaf) -> tuple[float, float]:
    return window_start_s(leaf.period, leaf.index), window_end_s(leaf.period, leaf.index)


def _compare_with_sent(verdict: Verdict, digests: dict[int, Counter[bytes]], messages: list[wire.Message]) -> int:
    found = 0
    for message in messages:
        if isinstance(message, Release):
            if release_digest(message) in digests.get(message.epoch, Counter()):
                found += 1
            else:
                label = window_label(message.period, message.index)
                verdict.problems.append(
                    Message(
                        "{kind} {label} (epoch {epoch}) was sent, but is not in the log",
                        kind=figure_words(kind_of(message).name),
                        label=label,
                        epoch=message.epoch,
                    )
                )
    return found
