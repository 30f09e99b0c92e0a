"""Nothing is drawn before the server's head of the log is known: a restored disk draws no second noise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline import wire
from pipeline.errors import LogError, StoreError
from pipeline.privacy.ledger import ReleaseStore, highest_epoch
from pipeline.privacy.policy import PrivacyPolicy, PulsePeriod
from pipeline.release_kind import PULSE
from pipeline.transparency.heads import verify_head
from pipeline.transparency.leaves import Refused
from tests.privacy.bench import NO_HEAD, Bench, NoNoise, refusals

DAY_S = 86_400.0


def head_of(bench: Bench) -> wire.Anchor:
    head = [staged.message for staged in bench.curator.pending() if isinstance(staged.message, wire.TreeHead)][-1]
    assert verify_head(head, bench.keys.signing_public)
    return wire.Anchor(head.epoch, head.size, head.root)


def test_nothing_is_drawn_before_the_anchor_and_nothing_is_lost(exact: Bench) -> None:
    exact.restart(anchor=None)
    exact.count(3)
    assert exact.pass_time(3 * DAY_S) == []
    assert exact.curator.pending() == []
    exact.restart(anchor=None)
    exact.curator.anchor(NO_HEAD)
    released = exact.pass_time(1)
    assert [sum(message.counts) for message in released] == [3, 0, 0]


def test_a_box_whose_log_the_server_knows_goes_on(bench: Bench) -> None:
    bench.pass_time(DAY_S)
    anchor = head_of(bench)
    bench.pass_time(DAY_S)
    bench.restart(anchor=anchor)
    assert len(bench.pass_time(DAY_S)) == 1


def test_a_restored_disk_draws_no_second_noise(bench: Bench, tmp_path: Path) -> None:
    """The disk is copied in the morning, the day is released, the copy comes back: the server's head betrays it."""
    bench.count(9)
    bench.pass_time(3_600)
    bench.curator.close()
    copy = tmp_path / "copy"
    shutil.copytree(bench.folder, copy, ignore=shutil.ignore_patterns("copy"))
    bench.start()
    assert len(bench.pass_time(DAY_S)) == 1
    anchor = head_of(bench)
    bench.curator.close()
    for path in copy.iterdir():
        shutil.copy(path, bench.folder / path.name)
    with pytest.raises(LogError, match="old copy"):
        bench.start(anchor)
    assert bench.curator.close_due(bench.clock.wall) == []
    bench.count(1)
    assert bench.pass_time(40 * DAY_S) == []
    assert bench.curator.state is wire.BoxState.BUDGET_REFUSED
    assert bench.curator.pending() == []
    bench.restart(anchor=None)
    assert "old copy" in bench.curator.problem  # and it stays refused, whatever it is told, until it is enrolled again
    bench.epoch = 2
    bench.restart(anchor=anchor)
    assert bench.curator.problem == ""
    assert len(bench.pass_time(DAY_S)) == 1


def test_another_history_is_refused(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other")
    other.pass_time(DAY_S)
    bench.pass_time(DAY_S)
    with pytest.raises(LogError, match="another history"):
        bench.restart(anchor=head_of(other))


def test_a_new_epoch_begins_with_empty_counts_and_an_own_log(exact: Bench) -> None:
    exact.count(9)
    exact.pass_time(DAY_S)
    anchor = head_of(exact)
    exact.curator.close()
    exact.epoch = 2
    exact.start(anchor)
    assert [staged.key for staged in exact.curator.pending()] == ["head:2:3"]
    exact.count(2)
    (evidence,) = [message for message in exact.end_month() if isinstance(message, wire.Evidence)]
    assert (evidence.epoch, sum(evidence.counts)) == (2, 2)
    exact.curator.close()
    exact.epoch = 1
    with pytest.raises(StoreError, match="later epoch"):
        exact.start()


def test_a_retired_epoch_is_refused(bench: Bench) -> None:
    with pytest.raises(LogError, match="retired"):
        bench.restart(anchor=wire.Anchor(2, 3, (1, 2, 3, 4)))


def test_many_periods_wait_and_the_evidence_last(tmp_path: Path) -> None:
    """Two months without a server after a restart: pulses are given up and logged, the evidence is not; the file holds
    all."""
    bench = Bench(tmp_path, PrivacyPolicy(clerks_per_box=2, pulse_period=PulsePeriod.FOUR_HOURS), NoNoise)
    bench.count(5)
    bench.restart(anchor=None)
    for _ in range(62 * 6):
        bench.pass_time(14_400)
    bench.restart(anchor=None)
    assert len(bench.curator._due) == 64
    bench.curator.anchor(NO_HEAD)
    released = bench.pass_time(1)
    evidence = [message for message in released if isinstance(message, wire.Evidence)]
    assert [sum(message.counts) for message in evidence] == [5, 0]
    given_up = [leaf for leaf in refusals(bench) if leaf.reason is Refused.WAITED_TOO_LONG]
    assert len(given_up) + len(released) == 62 * 6 + 2
    assert all(leaf.kind is PULSE for leaf in given_up)


def test_a_disk_of_another_epoch_of_the_same_number_is_refused(bench: Bench) -> None:
    """Enrolled under another row or at another server, whose epochs begin with 1, too."""
    bench.count(3)
    bench.pass_time(DAY_S)
    bench.curator.close()
    for identity in (bytes(32), bytes([7]) * 32):
        with pytest.raises(StoreError, match="enrolled elsewhere"):
            ReleaseStore(bench.folder / "release.sqlite3", 1, identity)
    assert highest_epoch(bench.folder / "release.sqlite3") == 1
    assert highest_epoch(bench.folder / "nothing.sqlite3") == 0
