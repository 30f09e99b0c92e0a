"""The curator: what is counted, when it is released, and that no doubt ever draws a second noise."""

from __future__ import annotations

import itertools
import random
import sqlite3
from pathlib import Path

import pytest

from pipeline import wire
from pipeline.calendar import window_index, window_start_s
from pipeline.errors import BudgetError, ConfigError, KeyFileError, StoreError
from pipeline.privacy.clock import ManualClock
from pipeline.privacy.policy import AtRest, PrivacyPolicy, PulsePeriod
from pipeline.privacy.release import ReleaseCurator
from pipeline.privacy.sealing import Sealer, in_memory
from pipeline.records import ClosedVisit, Level, Outcome
from pipeline.release_kind import EVIDENCE, PULSE, ReleaseKind, kind_of
from pipeline.transparency import leaves
from pipeline.transparency.leaves import Refused
from pipeline.wire import PeriodKind
from tests.privacy.bench import MONTH, NO_HEAD, VISIT, Bench, NoNoise, refusals, releases

DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("level", "outcome", "pulse_cell", "evidence_cell"),
    [
        (Level.VERY_LOW, Outcome.NOT_RATED, 0, 0),
        (Level.LOW, Outcome.NOT_SATISFIED, 0, 4),
        (Level.MIDDLE, Outcome.SATISFIED, 1, 8),
        (Level.HIGH, Outcome.NOT_RATED, 2, 9),
        (Level.VERY_HIGH, Outcome.SATISFIED, 2, 14),
        (Level.ABSTAINED, Outcome.NOT_SATISFIED, 3, 16),
    ],
)
def test_a_visit_moves_exactly_one_cell_of_each_table(
    exact: Bench, level: Level, outcome: Outcome, pulse_cell: int, evidence_cell: int
) -> None:
    exact.count(1, ClosedVisit(level, outcome))
    released = exact.end_month()
    pulses = [message for message in released if isinstance(message, wire.Pulse)]
    (evidence,) = [message for message in released if isinstance(message, wire.Evidence)]
    assert [sum(pulse.counts) for pulse in pulses] == [1] + [0] * 29
    assert pulses[0].counts[pulse_cell] == 1
    assert [cell for cell, count in enumerate(evidence.counts) if count] == [evidence_cell]
    assert sum(evidence.counts) == 1


def test_empty_periods_are_released_with_noise(bench: Bench) -> None:
    released = bench.end_month()
    assert [message.index for message in released if isinstance(message, wire.Pulse)] == list(range(2496, 2526))
    assert sum(isinstance(message, wire.Evidence) for message in released) == 1
    assert any(any(message.counts) for message in released)


def test_noise_is_drawn_once_and_offered_again_until_confirmed(bench: Bench) -> None:
    bench.count(5)
    (drawn,) = bench.pass_time(DAY_S)
    first = bench.curator.pending()
    assert [staged.key for staged in first] == [f"head:1:{first[0].message.size}", f"pulse:3:{drawn.index}"]  # type: ignore[union-attr]
    for _ in range(3):
        bench.restart(clean=False)
        assert bench.curator.pending() == first
        assert bench.pass_time(1) == []
    sent = first[1].build(1, 7, 0)
    assert (sent.sequence, sent.nonce) == (7, drawn.nonce)
    for staged in first:
        bench.curator.confirm(staged.number)
    assert bench.curator.pending() == []
    assert bench.restart().pending() == []


def test_a_running_month_survives_a_restart(exact: Bench) -> None:
    exact.count(10)
    exact.pass_time(1)
    exact.restart()
    exact.count(7)
    exact.pass_time(61)  # sealed on schedule
    exact.count(2)  # and these are lost with a killed process, as said in ADR 0004
    exact.restart(clean=False)
    (evidence,) = [message for message in exact.end_month() if isinstance(message, wire.Evidence)]
    assert sum(evidence.counts) == 17


def test_counting_touches_no_file(bench: Bench) -> None:
    bench.pass_time(1)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in bench.folder.iterdir()}
    bench.count(50)
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in bench.folder.iterdir()} == before


def test_the_sealed_file_has_one_size_and_is_written_on_schedule(bench: Bench) -> None:
    path = bench.path.with_suffix(".sealed")
    bench.pass_time(1)
    seen = []
    for step in range(180):
        if step % 7 == 0:
            bench.count()
        bench.pass_time(1)
        seen.append((path.stat().st_size, path.read_bytes()))
    assert len({size for size, _ in seen}) == 1
    changes = [step for step in range(1, 180) if seen[step] != seen[step - 1]]
    assert [later - earlier for earlier, later in itertools.pairwise(changes)] == [60, 60]


def test_a_restarted_machine_loses_the_month_and_says_so(exact: Bench, tmp_path: Path) -> None:
    exact.count(10)
    exact.curator.close()
    key = exact.curator._sealer._key_path
    assert key is not None
    key.unlink()  # memory is empty after a power cut
    exact.start()
    assert exact.curator.tallies.dropped == {"counts_lost": 1}
    assert isinstance(exact.curator._store.leaves()[-1], leaves.CountsLostLeaf)
    exact.count(3)
    (evidence,) = [message for message in exact.end_month() if isinstance(message, wire.Evidence)]
    assert sum(evidence.counts) == 3


def test_the_disk_holds_no_count(exact: Bench) -> None:
    """With the key gone, what a thief reads of a month with 17 visits is what he reads of an empty one: sizes, and
    nothing that can be opened."""
    exact.count(17)
    exact.curator.close()
    sealed = exact.path.with_suffix(".sealed").read_bytes()
    exact.start()
    exact.curator.close()
    again = exact.path.with_suffix(".sealed").read_bytes()
    assert len(sealed) == len(again)
    assert sum(left == right for left, right in zip(sealed, again, strict=True)) < len(sealed) / 50
    database = sqlite3.connect(exact.path)
    assert database.execute("SELECT count(*) FROM charge").fetchone() == (0,)
    database.close()


def test_a_closed_evidence_changes_the_key(bench: Bench) -> None:
    key = bench.curator._sealer._key_path
    assert key is not None
    before = key.read_bytes()
    bench.end_month()
    assert key.read_bytes() != before


# -- clocks


def test_a_clock_set_back_never_reopens_a_period(exact: Bench) -> None:
    exact.count(4)
    (first,) = exact.pass_time(DAY_S)
    exact.clock.jump(-DAY_S)
    exact.count(3)
    assert exact.pass_time(3_600) == []
    released = exact.pass_time(DAY_S)
    assert released == []  # the day after the one that was released has not ended yet
    (second,) = exact.pass_time(DAY_S)
    assert (first.index + 1, sum(second.counts)) == (second.index, 3)
    assert len({(leaf.period, leaf.index) for leaf in releases(exact)}) == len(releases(exact))


def test_a_clock_set_forward_gives_up_what_it_leapt_over(exact: Bench) -> None:
    exact.count(4)
    exact.clock.jump(10 * DAY_S)
    exact.count(2)
    (first,) = exact.pass_time(1)
    assert sum(first.counts) == 4
    (second,) = exact.pass_time(DAY_S)
    assert (second.index, sum(second.counts)) == (first.index + 10, 2)
    assert [(leaf.first, leaf.last, leaf.reason) for leaf in refusals(exact)] == [
        (first.index + 1, first.index + 9, Refused.NOT_OBSERVED)
    ]


def test_a_leap_of_more_than_a_month_holds_all_releases(exact: Bench) -> None:
    exact.pass_time(1)
    exact.clock.jump(400 * DAY_S)
    assert exact.pass_time(DAY_S) == []
    assert "clock" in exact.curator.problem
    exact.clock.jump(-400 * DAY_S)
    assert len(exact.pass_time(1)) == 1
    assert exact.curator.state == wire.BoxState.OK


def test_no_release_until_the_clock_is_trusted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, mechanism=NoNoise, trusted=False)
    bench.clock.jump(-900 * DAY_S)  # a board without a battery
    bench.count(5)
    assert bench.pass_time(3 * DAY_S) == []
    assert bench.curator.state is wire.BoxState.CLOCK_UNTRUSTED
    bench.restart()
    bench.clock.synchronised = True
    bench.clock.jump(900 * DAY_S)
    bench.count(2)
    assert bench.pass_time(60) == []
    (pulse,) = bench.pass_time(DAY_S)
    assert sum(pulse.counts) == 7
    assert pulse.index == 2496 + 3


def test_a_box_that_was_off_does_not_invent_periods(exact: Bench) -> None:
    exact.count(4)
    exact.curator.close()
    exact.clock.advance(5 * DAY_S)
    exact.start(anchor=None)
    exact.curator.anchor(NO_HEAD)
    (first,) = exact.pass_time(1)
    assert sum(first.counts) == 4
    assert [(leaf.first, leaf.last) for leaf in refusals(exact)] == [(first.index + 1, first.index + 4)]


# -- budget and configuration


def test_configuration_takes_effect_as_a_whole_at_the_months_end(exact: Bench) -> None:
    exact.count(1)
    exact.pass_time(DAY_S)
    exact.policy = PrivacyPolicy(clerks_per_box=2, pulse_epsilon_milli=0, evidence_epsilon_milli=2_000)
    exact.restart()
    assert [leaf.epsilon_milli for leaf in releases(exact)] == [500]
    exact.end_month()
    assert {leaf.epsilon_milli for leaf in releases(exact)} == {500, 1_500}
    exact.count(1)
    exact.clock.set_to(window_start_s(PeriodKind.MONTH, MONTH + 2) + 1.0)
    (evidence,) = exact.curator.close_due(exact.clock.wall)
    assert isinstance(evidence, wire.Evidence)
    assert evidence.epsilon_milli == 2_000


def test_no_visit_costs_more_than_the_budget_whatever_the_clock_does(tmp_path: Path) -> None:
    """Random visits, jumps, restarts and changes of policy. For every visit: the epsilons of the tables that it
    moved."""
    rng = random.Random(5)
    policies = [
        PrivacyPolicy(clerks_per_box=2),
        PrivacyPolicy(clerks_per_box=2, pulse_epsilon_milli=0, evidence_epsilon_milli=2_000),
        PrivacyPolicy(
            clerks_per_box=2, pulse_period=PulsePeriod.HOUR, pulse_epsilon_milli=1_000, evidence_epsilon_milli=1_000
        ),
    ]
    bench = Bench(tmp_path, mechanism=NoNoise)
    costs, counted, released = set(), 0, {EVIDENCE: 0, PULSE: 0}

    def tables() -> dict[tuple[ReleaseKind, PeriodKind, int], int]:
        running = [*bench.curator._due, *(period for period in bench.curator._current.values() if period is not None)]
        return {(period.kind, period.period, period.index): sum(period.counts) for period in running}

    for _ in range(600):
        move = rng.random()
        if move < 0.5:
            before = tables()
            bench.count()
            counted += 1
            moved = [key for key, total in tables().items() if total > before.get(key, 0)]
            epsilons = {
                (period.kind, period.period, period.index): period.epsilon_milli
                for period in bench.curator._current.values()
                if period is not None
            }
            assert len(moved) == len({kind for kind, _, _ in moved})  # one pulse and one evidence at most
            costs.add(sum(epsilons[key] for key in moved))
        elif move < 0.8:
            for message in bench.pass_time(rng.choice([60, 7_200, 2 * DAY_S, 20 * DAY_S])):
                released[kind_of(message)] += sum(message.counts)
        elif move < 0.9:
            bench.clock.jump(rng.choice([-3 * DAY_S, -600, 600, 4 * DAY_S]))
        else:
            bench.policy = rng.choice(policies)
            bench.restart()
    assert max(costs) == 2_000
    keys = [(leaf.kind, leaf.period, leaf.index) for leaf in releases(bench)]
    assert len(keys) == len(set(keys)) > 20
    assert 0 < released[PULSE] <= counted
    assert 0 < released[EVIDENCE] <= counted


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clerks_per_box": 1}, "that person's score"),
        ({"clerks_per_box": 1, "pool_with": "agency-7"}, "sends no pulse"),
    ],
)
def test_a_box_of_one_clerk_is_refused(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Bench(tmp_path, PrivacyPolicy.model_validate(settings))
    assert list(tmp_path.iterdir()) == []


def test_a_box_of_one_clerk_may_be_pooled_without_a_pulse(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PrivacyPolicy(clerks_per_box=1, pool_with="agency-7", pulse_epsilon_milli=0))
    bench.count(3)
    assert [type(message) for message in bench.end_month()] == [wire.Evidence]


@pytest.mark.parametrize(
    "settings",
    [
        {"pulse_epsilon_milli": 600},
        {"evidence_epsilon_milli": 0},
        {"at_rest": "plain_demo"},
        {"epsilon": 1},
        {"demo": True, "demo_pulse_s": 7, "demo_evidence_s": 60},
    ],
)
def test_a_policy_that_does_not_hold_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        PrivacyPolicy.model_validate(settings)


def test_a_period_that_was_charged_is_not_charged_again(bench: Bench) -> None:
    bench.pass_time(DAY_S)
    (leaf,) = releases(bench)
    with pytest.raises(BudgetError), bench.curator._store.transaction():
        bench.curator._store.charge(leaf.kind, leaf.period, leaf.index, 1)


def test_a_full_disk_releases_nothing_and_the_next_try_does(bench: Bench) -> None:
    bench.count(3)
    bench.pass_time(1)
    pages = bench.curator._store._db.execute("PRAGMA page_count").fetchone()[0]
    bench.curator._store._db.execute(f"PRAGMA max_page_count={pages}")
    size = bench.curator._store.size

    def live_on() -> None:
        for _ in range(40):  # until the free pages are used up
            bench.pass_time(DAY_S)

    with pytest.raises(StoreError, match="nothing was released"):
        live_on()
    assert bench.curator._store.size == len(bench.curator._store.leaves()) > size
    before = len(releases(bench))
    bench.curator._store._db.execute("PRAGMA max_page_count=100000")
    assert len(bench.curator.close_due(bench.clock.wall)) >= 1
    assert len(releases(bench)) > before
    indices = [leaf.index for leaf in releases(bench) if leaf.kind is PULSE]
    assert indices == list(range(indices[0], indices[0] + len(indices)))


# -- at rest


def test_a_credential_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    policy = PrivacyPolicy(clerks_per_box=2, at_rest=AtRest.CREDENTIAL)
    with pytest.raises(KeyFileError, match="month_key"):
        Bench(tmp_path, policy)
    (folder / "month_key").write_bytes(b"k" * 32)
    bench = Bench(tmp_path, policy, NoNoise)
    bench.count(6)
    bench.restart()
    assert bench.curator.tallies.dropped == {}
    (folder / "month_key").write_bytes(b"another key, of another machine's")
    bench.restart()
    assert bench.curator.tallies.dropped == {"counts_lost": 1}


def test_a_key_is_never_put_on_a_disk(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="in memory"):
        Sealer(tmp_path / "x.sealed", AtRest.MEMORY, memory_folder=Path("/proc/self"))
    assert not in_memory(Path("/proc/self"))
    assert in_memory(Path("/dev/shm"))


def test_a_damaged_sealed_file_is_counted_and_told(exact: Bench) -> None:
    exact.count(3)
    exact.curator.close()
    path = exact.path.with_suffix(".sealed")
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    exact.start()
    assert exact.curator.tallies.dropped == {"counts_lost": 1}


# -- the rest


def test_a_demo_ends_early_and_never_reopens(tmp_path: Path) -> None:
    policy = PrivacyPolicy(
        clerks_per_box=2, demo=True, demo_pulse_s=10, demo_evidence_s=3_600, at_rest=AtRest.PLAIN_DEMO
    )
    bench = Bench(tmp_path, policy, NoNoise)
    bench.count(2)
    assert [message.period for message in bench.pass_time(10)] == [PeriodKind.DEMO_PULSE]
    bench.count(3)
    kinds = [(message.period, sum(message.counts)) for message in bench.curator.finish_demo(bench.clock.wall)]
    assert kinds == [(PeriodKind.DEMO_PULSE, 3), (PeriodKind.DEMO_EVIDENCE, 5)]
    bench.count(1)
    assert bench.pass_time(7_200) == []
    assert bench.curator.tallies.dropped["curator_closed"] == 1


def test_only_a_demo_ends_early(bench: Bench) -> None:
    with pytest.raises(BudgetError):
        bench.curator.finish_demo(bench.clock.wall)


def test_state_is_logged_when_it_changes_and_only_then(bench: Bench) -> None:
    notice = leaves.NoticeLeaf(5, True, True)
    model = leaves.ModelLeaf(5, "face", b"1" * 32)
    size = bench.curator._store.size
    for _ in range(3):
        bench.curator.record(notice, model, leaves.KeyLeaf(5, "server", b"2" * 32))
        bench.restart()
    bench.curator.record(leaves.NoticeLeaf(6, True, True), leaves.ModelLeaf(6, "face", b"3" * 32))
    assert bench.curator._store.size == size + 4


def test_visits_append_nothing_to_the_log(tmp_path: Path) -> None:
    sizes = []
    for name, visits in (("idle", 0), ("busy", 200)):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name)
        for _ in range(5):
            bench.count(visits)
            bench.pass_time(DAY_S)
        sizes.append((bench.curator._store.size, [type(leaf) for leaf in bench.curator._store.leaves()]))
    assert sizes[0] == sizes[1]


def test_decommissioning_destroys_the_counts(exact: Bench) -> None:
    exact.count(5)
    exact.pass_time(1)
    key = exact.curator._sealer._key_path
    exact.curator.wipe()
    assert key is not None
    assert not key.exists()
    assert not exact.path.with_suffix(".sealed").exists()
    assert exact.path.exists()


def test_the_store_can_be_read_by_its_owner_alone(bench: Bench) -> None:
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in bench.folder.iterdir()}["release.sqlite3"] == "0o0"
    bench.pass_time(1)
    assert bench.path.with_suffix(".sealed").stat().st_mode & 0o077 == 0


def test_periods_follow_the_calendar_of_indochina() -> None:
    clock = ManualClock(window_start_s(PeriodKind.MONTH, MONTH))
    assert window_index(PeriodKind.MONTH, clock.wall - 1) == MONTH - 1
    assert window_index(PeriodKind.DAY, clock.wall) == 2496
    assert window_start_s(PeriodKind.DAY, 0) == 1_577_811_600  # 2020-01-01T00:00+07:00
    assert VISIT.service_group == 0
    assert ReleaseCurator.__doc__
