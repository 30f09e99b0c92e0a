"""Those who did not agree: counted apart where the basis is consent and a server reads it, and once, whatever fails."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import wire
from pipeline.audit.budget import audit_budget
from pipeline.audit.log import audit_log
from pipeline.calendar import window_start_s
from pipeline.errors import StoreError
from pipeline.privacy.ledger import ReleaseStore
from pipeline.privacy.mechanism import DiscreteLaplace
from pipeline.privacy.policy import PoolPolicy, PrivacyPolicy
from pipeline.privacy.running import MAX_WAITING
from pipeline.privacy.sealing import Sealer
from pipeline.records import ClosedVisit, Level, Outcome
from pipeline.release_kind import EVIDENCE, MONTHLY, NOT_AGREED, PULSE, Release, kind_of
from pipeline.transparency.heads import make_head
from pipeline.transparency.leaves import ConsentLeaf, ReleaseLeaf, release_digest
from pipeline.wire import PeriodKind
from tests.privacy.bench import MONTH, VISIT, Bench, NoNoise, refusals, releases

DAY_S = 86_400.0
NO = ClosedVisit(Level.ABSTAINED, Outcome.NOT_SATISFIED, agreed=False)


@pytest.fixture
def asking(tmp_path: Path) -> Bench:
    """A box whose basis is consent; its server has said that it reads the count."""
    bench = Bench(tmp_path, mechanism=NoNoise, asks_consent=True)
    bench.curator.server_reads(wire.NOT_AGREED_VERSION)
    return bench


def monthly(released: list[Release]) -> dict[str, tuple[int, ...]]:
    return {kind_of(each).name: tuple(each.counts) for each in released if kind_of(each) is not PULSE}


def end(bench: Bench, month: int = MONTH) -> list[Release]:
    """The month ends; what was released at its end and in it."""
    bench.clock.set_to(window_start_s(PeriodKind.MONTH, month + 1) + 60)
    return bench.curator.close_due(bench.clock.wall)


def said(bench: Bench) -> list[bool]:
    return [leaf.counted for leaf in bench.curator._store.leaves() if isinstance(leaf, ConsentLeaf)]


def test_they_are_counted_apart_from_the_next_month_on(asking: Bench) -> None:
    asking.count(3)
    asking.count(5, NO)
    first = monthly(end(asking))
    assert set(first) == {"evidence"}, "a month that runs goes on as it began"
    cells = first["evidence"]
    assert (sum(cells), cells[16]) == (8, 5)
    assert said(asking) == [True]
    asking.count(3)
    asking.count(5, NO)
    asking.count(2, ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED))
    released = end(asking, MONTH + 1)
    second = monthly(released)
    assert second["not_agreed"] == (0, 5, 0)
    counts = list(second["evidence"])
    assert sum(counts) == 5
    assert counts[15:] == [2, 0, 0]
    (pulse,) = [each for each in released if kind_of(each) is PULSE and any(each.counts)]
    assert tuple(pulse.counts) == (0, 0, 3, 7), "a pulse tells nobody who agreed"
    (apart,) = [each for each in released if kind_of(each) is NOT_AGREED]
    assert (apart.version, apart.pool, apart.index, apart.epsilon_milli) == (4, 1, MONTH + 1, 1_500)
    verdict = audit_budget(asking.path)
    assert verdict.problems == []
    assert verdict.facts["worst_visit_epsilon"] == 2.0, "in one of two tables: no visit pays more than before"
    assert audit_log(asking.path, [], None).problems == []


@pytest.mark.parametrize(("asks", "reads"), [(False, 4), (True, 3), (True, 0), (True, None)])
def test_without_consent_or_a_server_that_reads_it_there_is_no_such_table(
    tmp_path: Path, asks: bool, reads: int | None
) -> None:
    bench = Bench(tmp_path, mechanism=NoNoise, asks_consent=asks)
    if reads is not None:
        bench.curator.server_reads(reads)
    end(bench)
    bench.count(4, NO)
    assert monthly(end(bench, MONTH + 1))["evidence"][16] == 4
    assert {leaf.kind for leaf in releases(bench)} == {EVIDENCE, PULSE}
    assert said(bench) == []


def test_until_it_begins_the_log_holds_what_the_release_before_reads(asking: Bench) -> None:
    """An update of the box can be taken back in its first days: nothing new is in the log before a month has ended."""
    size = asking.curator._store.size
    asking.curator.server_reads(wire.NOT_AGREED_VERSION)
    asking.restart()
    asking.pass_time(60)
    assert asking.curator._store.size == size


def test_a_server_that_reads_it_no_more_ends_it_at_the_months_end(asking: Bench) -> None:
    end(asking)
    asking.curator.server_reads(0)
    asking.count(4, NO)
    asking.restart()
    asking.count(1, NO)
    assert monthly(end(asking, MONTH + 1))["not_agreed"] == (0, 5, 0)
    asking.count(3, NO)
    assert monthly(end(asking, MONTH + 2))["evidence"][16] == 3
    assert said(asking) == [True, False]
    assert audit_budget(asking.path).problems == []


def test_another_basis_ends_it_at_the_months_end(asking: Bench) -> None:
    end(asking)
    asking.count(2, NO)
    asking.asks_consent = False
    asking.restart()
    asking.count(1)
    assert monthly(end(asking, MONTH + 1))["not_agreed"] == (0, 2, 0)
    asking.count(1)
    assert set(monthly(end(asking, MONTH + 2))) == {"evidence"}


def test_each_pool_has_its_own(tmp_path: Path) -> None:
    pools = (PoolPolicy(number=1, counters=("1", "2")), PoolPolicy(number=2, counters=("3", "4")))
    bench = Bench(tmp_path, PrivacyPolicy(pools=pools), NoNoise, asks_consent=True)
    bench.curator.server_reads(wire.NOT_AGREED_VERSION)
    end(bench)
    for counter, visits in (("1", 2), ("4", 3)):
        for _ in range(visits):
            bench.curator.count(NO, bench.clock.wall, counter)
    apart = [each for each in end(bench, MONTH + 1) if kind_of(each) is NOT_AGREED]
    assert [(each.pool, each.version, tuple(each.counts)) for each in apart] == [(1, 4, (0, 2, 0)), (2, 4, (0, 3, 0))]
    assert audit_budget(bench.path).problems == []


def test_a_lost_month_begins_both_tables_anew(asking: Bench) -> None:
    end(asking)
    asking.count(5, NO)
    asking.curator.close()
    key = asking.curator._sealer._key_path
    assert key is not None
    key.unlink()
    asking.start()
    asking.count(2, NO)
    asking.count(1)
    second = monthly(end(asking, MONTH + 1))
    assert (second["not_agreed"], sum(second["evidence"])) == ((0, 2, 0), 1)


class Killed(BaseException):
    """The process is gone."""


def _killed_at(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, call: int) -> None:
    """The `call`-th call of that method is never made, or, below zero, made and not returned from."""
    calls = 0
    real: Callable[..., Any] = getattr(owner, name)

    def dying(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == abs(call):
            if call < 0:
                real(*args, **more)
            raise Killed
        return real(*args, **more)

    monkeypatch.setattr(owner, name, dying)


@pytest.mark.parametrize("begins", [True, False], ids=["first", "second"])
@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        *((ReleaseStore, "charge", call) for call in (1, 2, 3, -3)),
        *((ReleaseStore, "append", call) for call in (1, 2, 3, 4, -4)),
        *((ReleaseStore, "stage_head", call) for call in (1, -1)),
        *((ReleaseStore, "stage", call) for call in (1, 2, 3, 4)),
        *((Sealer, "rotate", call) for call in (1, -1)),
        *((Sealer, "seal", call) for call in (1, -1)),
    ],
)
def test_a_box_killed_at_any_step_of_a_months_end_draws_one_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, call: int, begins: bool
) -> None:
    """`begins`: the month's end with which the count apart begins; else the one at which it is released first. What the
    outbox may have had before the kill and has after it is one and the same table."""
    bench = Bench(tmp_path, mechanism=DiscreteLaplace, asks_consent=True)
    bench.curator.server_reads(wire.NOT_AGREED_VERSION)
    month = MONTH
    if not begins:
        end(bench)
        month += 1
    bench.count(3)
    bench.count(5, NO)
    bench.clock.set_to(window_start_s(PeriodKind.MONTH, month + 1) - 30)
    bench.curator.close_due(bench.clock.wall)
    bench.restart()  # sealed with all that was counted
    bench.hand_over()
    bench.clock.advance(90)
    seen: dict[tuple[str, int], set[bytes]] = {}

    def look() -> None:
        for staged in bench.curator.pending():
            if isinstance(staged.message, Release):
                key = kind_of(staged.message).name, staged.message.index
                seen.setdefault(key, set()).add(release_digest(staged.message))

    with monkeypatch.context() as patch:
        _killed_at(patch, owner, name, call)
        try:
            bench.curator.close_due(bench.clock.wall)
        except Killed:
            look()
    bench.restart(clean=False)
    for _ in range(3):
        bench.pass_time(60)
        look()
        bench.restart(clean=False)
    apart = {("not_agreed", month)} if not begins else set()
    assert set(seen) == {("evidence", month), *apart} | {key for key in seen if key[0] == "pulse"}
    assert [key for key, digests in seen.items() if len(digests) > 1] == []
    bench.count(2, NO)
    assert monthly(end(bench, month + 1)).keys() == {"evidence", "not_agreed"}
    assert said(bench) == [True]
    keys = Counter((leaf.kind, leaf.period, leaf.index) for leaf in releases(bench))
    assert set(keys.values()) == {1}
    assert audit_budget(bench.path).problems == []


def test_no_visit_is_in_two_monthly_tables_whatever_the_clock_and_the_server_do(tmp_path: Path) -> None:
    rng = random.Random(7)
    bench = Bench(tmp_path, mechanism=NoNoise, asks_consent=True)
    costs: set[int] = set()
    for _ in range(500):
        move = rng.random()
        if move < 0.5:
            before = _tables(bench)
            bench.count(1, rng.choice([NO, VISIT]))
            moved = [
                (key, epsilon) for key, (total, epsilon) in _tables(bench).items() if total > before.get(key, (0,))[0]
            ]
            assert sum(key[0] in MONTHLY for key, _ in moved) == 1
            assert sum(key[0] is PULSE for key, _ in moved) <= 1
            costs.add(sum(epsilon for _, epsilon in moved))
        elif move < 0.75:
            bench.pass_time(rng.choice([60, 7_200, 2 * DAY_S, 20 * DAY_S]))
        elif move < 0.85:
            bench.clock.jump(rng.choice([-3 * DAY_S, -600, 600, 4 * DAY_S]))
        elif move < 0.93:
            bench.curator.server_reads(rng.choice([0, 4]))
        else:
            bench.asks_consent = rng.random() < 0.8
            bench.restart()
        running = {period.index for kind, period in bench.curator._current.items() if period and kind in MONTHLY}
        assert len(running) <= 1, "in step"
    assert max(costs) == 2_000
    assert audit_budget(bench.path).problems == []
    assert {leaf.kind for leaf in releases(bench)} == {EVIDENCE, NOT_AGREED, PULSE}


def _tables(bench: Bench) -> dict[Any, tuple[int, int]]:
    running = [*bench.curator._due, *(period for period in bench.curator._current.values() if period is not None)]
    return {(each.kind, each.period, each.index): (sum(each.counts), each.epsilon_milli) for each in running}


def test_too_many_waiting_months_are_given_up_in_pairs(tmp_path: Path) -> None:
    policy = PrivacyPolicy(clerks_per_box=2, pulse_epsilon_milli=0)
    bench = Bench(tmp_path, policy, NoNoise, asks_consent=True)
    bench.curator.server_reads(wire.NOT_AGREED_VERSION)
    end(bench)
    bench.restart(anchor=None)  # the server does not answer, for years
    for month in range(MONTH + 1, MONTH + 41):
        bench.clock.set_to(window_start_s(PeriodKind.MONTH, month + 1) + 1)
        bench.curator._seen = (bench.clock.wall, bench.clock.monotonic_s())  # no leap: it was on all the time
        bench.curator.close_due(bench.clock.wall)
    waiting = bench.curator._due
    assert len(waiting) <= MAX_WAITING
    windows = {kind: {each.index for each in waiting if each.kind is kind} for kind in MONTHLY}
    assert windows[EVIDENCE] == windows[NOT_AGREED]
    given_up = {kind: {leaf.first for leaf in refusals(bench) if leaf.kind is kind} for kind in MONTHLY}
    assert given_up[EVIDENCE] == given_up[NOT_AGREED] != set()


@pytest.mark.parametrize("forged", ["unsaid", "alone", "dearer", "again"])
def test_the_budget_is_recomputed_with_them(asking: Bench, forged: str) -> None:
    """A log that counts them apart without having said so, beside no evidence, at another epsilon, or twice."""
    if forged != "unsaid":
        end(asking)
        end(asking, MONTH + 1)
    store = asking.curator._store
    index = MONTH + 1 if forged == "again" else MONTH + 5
    epsilon = 3_000 if forged == "dearer" else 1_500
    with store.transaction():
        if forged in ("unsaid", "dearer"):
            store.charge(EVIDENCE, PeriodKind.MONTH, index, 1_500)
            store.append(ReleaseLeaf(EVIDENCE, PeriodKind.MONTH, index, 1_500, b"e" * 32))
        if forged != "again":
            store.charge(NOT_AGREED, PeriodKind.MONTH, index, epsilon)
        store.append(ReleaseLeaf(NOT_AGREED, PeriodKind.MONTH, index, epsilon, b"n" * 32))
        store.stage_head(make_head(1, store.size, store.root(), asking.keys.sign))
    wanted = {
        "unsaid": "had not said so",
        "alone": "do not go with an evidence",
        "dearer": "do not go with an evidence",
        "again": "released 2 times",
    }
    assert any(wanted[forged] in str(problem) for problem in audit_budget(asking.path).problems)


def test_a_full_disk_keeps_both_for_the_next_try(asking: Bench) -> None:
    end(asking)
    asking.count(4, NO)
    asking.clock.set_to(window_start_s(PeriodKind.MONTH, MONTH + 2) + 1)
    database = asking.curator._store._db
    database.execute(f"PRAGMA max_page_count={database.execute('PRAGMA page_count').fetchone()[0]}")
    filler = 0
    while True:
        try:
            with asking.curator._store.transaction():
                database.execute("INSERT INTO staged (key, payload) VALUES (?, zeroblob(1500))", (f"x{filler}",))
            filler += 1
        except StoreError:
            break
    with pytest.raises(StoreError):
        asking.curator.close_due(asking.clock.wall)
    database.execute("PRAGMA max_page_count=100000")
    database.execute("DELETE FROM staged WHERE key LIKE 'x%'")
    assert monthly(asking.curator.close_due(asking.clock.wall))["not_agreed"] == (0, 4, 0)
