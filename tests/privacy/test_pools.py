"""Pools of a hall: added up before the noise, released together, each period of each pool once."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.delivery.outbox import Outbox
from pipeline import wire
from pipeline.audit.attack_counter import HALL, SPLIT, counter_attack
from pipeline.audit.budget import audit_budget
from pipeline.audit.log import audit_log, describe_leaf
from pipeline.audit.wire_records import audit_wire
from pipeline.errors import ConfigError, StoreError, WireError
from pipeline.privacy.ledger import ReleaseStore, Staged
from pipeline.privacy.mechanism import DiscreteLaplace
from pipeline.privacy.policy import PoolPolicy, PrivacyPolicy
from pipeline.privacy.release import ReleaseCurator
from pipeline.privacy.running import Period, Running, Terms, encode_running
from pipeline.privacy.sealing import PLAIN_BYTES
from pipeline.records import ClosedVisit, Level, Outcome
from pipeline.release_kind import EVIDENCE, KINDS, PULSE, kind_of
from tests.privacy.bench import VISIT, Bench, NoNoise, releases

DAY_S = 86_400.0
JUSTICE = PoolPolicy(number=1, agency="so-tu-phap", counters=("1", "2", "3"))
HEALTH = PoolPolicy(number=2, agency="so-y-te", counters=("4", "5"))
LONE = PoolPolicy(number=3, agency="so-noi-vu", counters=("6",), joins=2)
POLICY = PrivacyPolicy(pools=(JUSTICE, HEALTH, LONE))


@pytest.fixture
def hall(tmp_path: Path) -> Bench:
    """A hall of three pools, of which two are released, without noise."""
    return Bench(tmp_path, POLICY, NoNoise)


def count(bench: Bench, counter: str, visits: int = 1) -> None:
    for _ in range(visits):
        bench.curator.count(VISIT, bench.clock.wall, counter)


def totals(messages: list[Any]) -> dict[tuple[str, int], int]:
    return {(kind_of(each).name, each.pool): sum(each.counts) for each in messages}


def test_counters_of_a_pool_are_one_table_and_a_small_pool_is_in_the_one_it_joins(hall: Bench) -> None:
    for counter, visits in {"1": 2, "2": 3, "3": 4, "4": 5, "5": 6, "6": 7}.items():
        count(hall, counter, visits)
    assert totals(hall.pass_time(DAY_S)) == {("pulse", 1): 9, ("pulse", 2): 18}
    released = hall.end_month()
    assert totals([each for each in released if kind_of(each) is EVIDENCE]) == {("evidence", 1): 9, ("evidence", 2): 18}


def test_every_message_names_its_pool_and_only_pools_above_one_are_version_two(hall: Bench) -> None:
    for message in hall.pass_time(DAY_S):
        data = wire.encode(message)
        assert wire.decode(data) == message
        assert message.version == (2 if message.pool > 1 else 1)
        assert (b"pool" in data) == (message.pool > 1)


def test_a_counter_that_is_moved_counts_where_it_was_until_the_evidence_ends(hall: Bench) -> None:
    moved = JUSTICE.model_copy(update={"counters": ("1", "2")}), HEALTH.model_copy(update={"counters": ("3", "4", "5")})
    hall.policy = PrivacyPolicy(pools=(*moved, LONE))
    hall.restart()
    count(hall, "3", 5)
    evidence = [each for each in hall.end_month() if kind_of(each) is EVIDENCE]
    assert totals(evidence) == {("evidence", 1): 5, ("evidence", 2): 0}
    count(hall, "3", 4)
    assert totals(hall.pass_time(DAY_S)) == {("pulse", 1): 0, ("pulse", 2): 4}


def test_a_new_counter_counts_at_once_and_a_new_pool_from_the_next_evidence_on(hall: Bench) -> None:
    more = JUSTICE.model_copy(update={"counters": ("1", "2", "3", "9")})
    new = PoolPolicy(number=4, counters=("7", "8"))
    hall.policy = PrivacyPolicy(pools=(more, HEALTH, LONE, new))
    hall.restart()
    count(hall, "9", 2)
    count(hall, "7", 3)
    assert hall.curator.tallies.dropped["pool_not_begun"] == 3
    assert totals([each for each in hall.end_month() if kind_of(each) is EVIDENCE]) == {
        ("evidence", 1): 2, ("evidence", 2): 0,
    }  # fmt: skip
    count(hall, "7", 3)
    assert totals(hall.pass_time(DAY_S))["pulse", 4] == 3


def test_one_box_becomes_a_hall_at_the_month_s_end_and_pool_one_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PrivacyPolicy(clerks_per_box=2), NoNoise)
    bench.count(3)
    bench.policy = POLICY
    bench.restart()
    count(bench, "1", 2)
    count(bench, "4", 2)
    evidence = [each for each in bench.end_month() if kind_of(each) is EVIDENCE]
    assert totals(evidence) == {("evidence", 1): 5}
    count(bench, "4")
    assert totals(bench.pass_time(DAY_S)) == {("pulse", 1): 0, ("pulse", 2): 1}


def test_a_box_of_one_pool_has_the_store_and_the_digest_of_before(tmp_path: Path) -> None:
    policy = PrivacyPolicy(clerks_per_box=2)
    assert b"pools" not in policy.model_dump_json(exclude=None if policy.pools else {"pools"}).encode()
    bench = Bench(tmp_path, policy)
    bench.count(3)
    bench.end_month()
    database = sqlite3.connect(bench.path)
    assert database.execute("SELECT count(*) FROM pool_charge").fetchone() == (0,)
    assert not any(b"pool\x02" in data or b"pools" in data for (data,) in database.execute("SELECT data FROM leaf"))
    keys = {key.count(":") for (key,) in database.execute("SELECT key FROM staged")}
    assert keys == {2}
    database.close()


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
@pytest.mark.parametrize("where", ["stage", "charge"])
def test_a_box_that_dies_while_pools_close_releases_each_of_them_once(
    hall: Bench, monkeypatch: pytest.MonkeyPatch, clean: bool, where: str
) -> None:
    count(hall, "1", 3)
    count(hall, "4", 4)
    hall.curator._seal()
    whole, calls = getattr(ReleaseStore, where), iter(range(100))

    def dies(store: ReleaseStore, *arguments: Any) -> Any:
        if next(calls) == 1:  # the second pool's
            raise KeyboardInterrupt
        return whole(store, *arguments)

    monkeypatch.setattr(ReleaseStore, where, dies)
    with pytest.raises(KeyboardInterrupt):
        hall.pass_time(DAY_S)
    assert releases(hall) == []
    monkeypatch.undo()
    hall.restart(clean)
    hall.pass_time(1)
    first = {staged.key: staged.message for staged in hall.curator.pending()}
    hall.restart(clean)
    hall.pass_time(1)
    assert {staged.key: staged.message for staged in hall.curator.pending()} == first
    assert totals([each for each in first.values() if not isinstance(each, wire.TreeHead)]) == {
        ("pulse", 1): 3, ("pulse", 2): 4,
    }  # fmt: skip
    assert audit_budget(hall.path).problems == []


def test_a_disk_that_fills_between_two_pools_releases_both_later(
    hall: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    count(hall, "1", 3)
    whole, calls = ReleaseStore.append, iter(range(100))

    def full(store: ReleaseStore, leaf: Any) -> None:
        if next(calls) == 1:
            raise sqlite3.OperationalError("database or disk is full")
        whole(store, leaf)

    monkeypatch.setattr(ReleaseStore, "append", full)
    with pytest.raises(StoreError):
        hall.pass_time(DAY_S)
    monkeypatch.undo()
    assert hall.curator.pending() == []
    assert totals(hall.pass_time(1)) == {("pulse", 1): 3, ("pulse", 2): 0}


def test_a_disk_that_fills_between_two_pools_handover_sends_neither_twice(hall: Bench, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", 1)
    hall.pass_time(DAY_S)
    staged = hall.curator.pending()
    for each in staged[:-1]:  # the last pool's finds the disk full, and the box is killed before it confirms
        outbox.put(each.key, each.build)
    hall.restart(clean=False)
    for each in hall.curator.pending():
        outbox.put(each.key, each.build)
        hall.curator.confirm(each.number)
    sent = [wire.decode(payload) for _, _, payload in outbox.waiting(100)]
    found = [(each.pool, each.period, each.index) for each in sent if isinstance(each, wire.Pulse)]
    assert sorted(pool for pool, _, _ in found) == [1, 2]
    outbox.close()
    assert audit_wire([tmp_path / "outbox.sqlite3"]).problems == []
    assert audit_budget(hall.path, [tmp_path / "outbox.sqlite3"]).problems == []


def test_the_audits_tell_of_pools(hall: Bench) -> None:
    hall.end_month()
    verdict = audit_budget(hall.path)
    assert verdict.problems == []
    assert verdict.facts["pools"] == [1, 2]
    assert verdict.facts["worst_visit_epsilon"] == 2.0  # of one pool, not of both
    log = audit_log(hall.path, [], hall.keys.signing_public)
    assert log.problems == []
    assert any("pools 1 (3) 2 (3)" in describe_leaf(leaf) for leaf in hall.curator._store.leaves())
    assert any("of pool 2 epsilon 1.5" in entry for entry in log.facts["entries"])


def test_a_pool_in_no_policy_is_seen_in_the_log(hall: Bench) -> None:
    hall.pass_time(DAY_S)
    hall.curator._terms = Terms.of(PrivacyPolicy(pools=(JUSTICE, PoolPolicy(number=9, counters=("a", "b")))))
    hall.curator._current = dict.fromkeys(KINDS)
    hall.curator._place(hall.clock.wall)
    hall.pass_time(DAY_S)
    hall.pass_time(DAY_S)
    assert any("pool 9" in problem for problem in audit_budget(hall.path).problems)


def test_a_second_release_of_a_pool_s_period_is_refused_and_seen(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", 1)
    for key, pool in (("a", 2), ("b", 2), ("c", 3)):
        message = wire.Pulse(2, 1, 0, 7, wire.PeriodKind.DAY, 2_500, 500, (1, 2, 3, 4), pool)
        outbox.put(key, Staged(1, key, message).build)
    outbox.close()
    problems = audit_wire([tmp_path / "outbox.sqlite3"]).problems
    assert len(problems) == 1
    assert "second noise" in problems[0]


@pytest.mark.parametrize(
    ("pools", "message"),
    [
        ((JUSTICE, PoolPolicy(number=1, counters=("8", "9"))), "a number of its own"),
        ((JUSTICE, PoolPolicy(number=2, counters=("1", "9"))), "every counter is in one pool"),
        ((HEALTH,), "number 1"),
        ((JUSTICE.model_copy(update={"joins": 2}), HEALTH), "number 1"),
        ((JUSTICE, PoolPolicy(number=2, counters=("8",), joins=3)), "no pool that is released"),
        ((JUSTICE, HEALTH, LONE, PoolPolicy(number=4, counters=("8",), joins=3)), "no pool that is released"),
        ((JUSTICE, PoolPolicy(number=2, counters=("8",), joins=2)), "no pool that is released"),
    ],
)
def test_pools_that_do_not_fit_are_refused(pools: tuple[PoolPolicy, ...], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PrivacyPolicy(pools=pools)


def test_a_pool_of_one_clerk_is_refused_unless_it_joins_another(tmp_path: Path) -> None:
    alone = PrivacyPolicy(pools=(JUSTICE, LONE.model_copy(update={"joins": 0})))
    with pytest.raises(ConfigError, match="Pool 3 serves one clerk"):
        Bench(tmp_path, alone)
    PrivacyPolicy(pools=(JUSTICE, LONE.model_copy(update={"joins": 1}))).require_staff_protection()


def test_pool_with_and_pools_are_two_ways_of_saying_one_thing() -> None:
    with pytest.raises(ValidationError, match="pool_with"):
        PrivacyPolicy(pools=(JUSTICE,), pool_with="x")


def test_what_waits_of_the_largest_hall_fits_its_sealed_file() -> None:
    pools = tuple(PoolPolicy(number=n, counters=(f"{n:040}", f"{n:039}b")) for n in range(1, 33))
    policy = PrivacyPolicy(pools=pools)
    terms = Terms.of(policy)
    big = [2**31 - 1] * EVIDENCE.cells
    periods = []
    for _ in range(66):
        period = Period.new(terms, EVIDENCE, 2**31 - 1)
        period.counts, period.others = big, dict.fromkeys(period.others, big)
        periods.append(period)
    running = Running(terms, periods[0], periods[1], periods[2:])
    assert len(encode_running(running)) < PLAIN_BYTES * 32


def test_the_sealed_file_s_size_depends_on_the_number_of_pools_alone(hall: Bench) -> None:
    sealed = hall.path.with_suffix(".sealed")
    hall.curator._seal()
    empty = sealed.stat().st_size
    for counter in ("1", "4", "6"):
        count(hall, counter, 500)
    hall.curator._seal()
    assert sealed.stat().st_size == empty == 2 * PLAIN_BYTES + 28


@given(st.lists(st.tuples(st.sampled_from("123456"), st.sampled_from(list(Level)), st.sampled_from(list(Outcome)))))
@settings(max_examples=60, deadline=None)
def test_whichever_counter_of_a_pool_the_running_counts_are_the_same(visits: list[tuple[str, Level, Outcome]]) -> None:
    """Nothing of a counter is left in what is sealed: the bytes are those of any other counter of its pool."""
    first_of = {"1": "1", "2": "1", "3": "1", "4": "4", "5": "4", "6": "4"}

    def sealed(name: Any) -> bytes:
        terms = Terms.of(POLICY)
        evidence, pulse = Period.new(terms, EVIDENCE, 1), Period.new(terms, PULSE, 1)
        for counter, level, outcome in visits:
            for period in (evidence, pulse):
                period.add(ClosedVisit(level, outcome), terms.counters[name(counter)])
        return encode_running(Running(terms, pulse, evidence, []))

    assert sealed(lambda counter: counter) == sealed(first_of.__getitem__)


def test_the_counter_is_in_nothing_that_leaves_and_a_pool_for_each_would_be_found() -> None:
    policy = PrivacyPolicy(clerks_per_box=2)
    # one run of honest code errs once in a thousand
    assert any(counter_attack(policy, 360, DiscreteLaplace, HALL).lower_bound == 0 for _ in range(3))
    assert counter_attack(policy, 360, DiscreteLaplace, SPLIT).lower_bound > 0


@given(pool=st.integers(-3, 80), version=st.integers(0, 3), counts=st.tuples(*[st.integers(-9, 9)] * 4))
@settings(max_examples=200, deadline=None)
def test_a_pool_is_written_in_one_way_or_refused(pool: int, version: int, counts: tuple[int, ...]) -> None:
    import msgspec

    fields = {"kind": "pulse", "version": version, "epoch": 1, "sequence": 1, "nonce": 1, "period": 3, "index": 1}
    data = msgspec.msgpack.encode(fields | {"epsilon_milli": 500, "counts": counts, "pool": pool})
    fits = 1 <= pool <= wire.MAX_POOLS and version == (1 if pool == 1 else 2)
    if not fits:
        with pytest.raises(WireError):
            wire.decode(data)
    else:
        message = wire.decode(data)
        assert isinstance(message, wire.Pulse)
        assert message.pool == pool


def test_sheets_of_every_pool_get_batches_of_their_own_empty_or_not(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", 1, pools=POLICY.rating_pools)
    row = wire.RatingRow(1, 0, (4,) + (0,) * 31, 0, 0)
    for pool, sheets in ((1, 3), (3, 17)):
        for _ in range(sheets):
            outbox.add_sheet(row, 2_500, pool)
    assert outbox.make_batches(2_500) == 4
    sent = [wire.decode(payload) for _, _, payload in outbox.waiting(100)]
    given_rows = [
        (each.pool, sum(row.instrument > 0 for row in each.rows)) for each in sent if isinstance(each, wire.Ratings)
    ]
    assert sorted(given_rows) == [(1, 3), (2, 0), (3, 1), (3, 16)]
    outbox.close()


def test_a_curator_of_another_folder_s_pools_does_not_open_this_one(tmp_path: Path) -> None:
    """The running counts of a hall that is read with the policy of one pool wait for the month's end, too."""
    bench = Bench(tmp_path, POLICY, NoNoise)
    count(bench, "4", 2)
    bench.policy = PrivacyPolicy(clerks_per_box=2)
    curator: ReleaseCurator = bench.restart()
    curator.count(VISIT, bench.clock.wall)
    evidence = [each for each in bench.end_month() if kind_of(each) is EVIDENCE]
    assert totals(evidence) == {("evidence", 1): 1, ("evidence", 2): 2}
