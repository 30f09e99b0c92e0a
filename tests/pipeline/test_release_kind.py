"""A kind of release: one visit falls into one cell of its grid, and the disk holds what it always held."""

from __future__ import annotations

import itertools
from dataclasses import replace

import msgspec
import pytest

from pipeline import wire
from pipeline.errors import LogError
from pipeline.privacy.policy import PrivacyPolicy
from pipeline.privacy.running import Period, Running, Terms, decode_running, encode_running
from pipeline.records import ClosedVisit, Level, Outcome
from pipeline.release_kind import EVIDENCE, KINDS, NOT_AGREED, PULSE, ReleaseKind, kind_of, table_of
from pipeline.transparency.leaves import RefusalLeaf, Refused, ReleaseLeaf, decode_leaf, encode_leaf

VISITS = [ClosedVisit(level, outcome) for level, outcome in itertools.product(Level, Outcome)]


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_every_visit_falls_into_one_cell_and_every_cell_is_reached(kind: ReleaseKind) -> None:
    assert {kind.cell_of(visit) for visit in VISITS} == set(range(kind.cells))
    version = kind.version(1)
    message = kind.message(version, 1, 1, 1, min(kind.periods), 7, 500, (0,) * kind.cells, 1)  # type: ignore[arg-type]
    assert kind_of(message) is kind
    assert wire.decode(wire.encode(message)) == message


def test_each_period_belongs_to_one_kind() -> None:
    assert EVIDENCE.periods | PULSE.periods == set(wire.PeriodKind)
    assert not EVIDENCE.periods & PULSE.periods
    assert NOT_AGREED.periods == EVIDENCE.periods, "they are in step"
    assert (EVIDENCE.name, PULSE.name, NOT_AGREED.name) == ("evidence", "pulse", "not_agreed")


@pytest.mark.parametrize("visit", VISITS + [replace(visit, agreed=False) for visit in VISITS[-3:]], ids=repr)
def test_a_visit_is_in_one_monthly_table(visit: ClosedVisit) -> None:
    assert table_of(visit, has_row=False) is EVIDENCE
    assert table_of(visit, has_row=True) is (EVIDENCE if visit.agreed else NOT_AGREED)


def test_the_log_holds_what_it_held_before_kinds_were_values() -> None:
    for kind in (EVIDENCE, PULSE):
        leaf = ReleaseLeaf(kind, wire.PeriodKind.DAY, 9, 500, b"d" * 32)
        before = {"leaf": "release", "evidence": kind is EVIDENCE, "period": 3, "index": 9, "epsilon_milli": 500}
        data = msgspec.msgpack.encode(before | {"digest": b"d" * 32})
        assert encode_leaf(leaf) == data
        assert decode_leaf(data) == leaf
        refusal = RefusalLeaf(kind, wire.PeriodKind.DAY, 9, 11, Refused.BUDGET)
        written = {"leaf": "refusal", "evidence": kind is EVIDENCE, "period": 3, "first": 9, "last": 11, "reason": 3}
        assert encode_leaf(refusal) == msgspec.msgpack.encode(written)
        assert decode_leaf(encode_leaf(refusal)) == refusal
    for other in (1, 0, 3, "2", None, 2.0):
        with pytest.raises(LogError):
            decode_leaf(msgspec.msgpack.encode(before | {"digest": b"d" * 32, "evidence": other}))
    apart = decode_leaf(msgspec.msgpack.encode(before | {"digest": b"d" * 32, "evidence": 2}))
    assert isinstance(apart, ReleaseLeaf)
    assert apart.kind is NOT_AGREED


def test_a_month_that_was_sealed_before_kinds_were_values_is_opened() -> None:
    terms = Terms.of(PrivacyPolicy(clerks_per_box=2))
    pulse = {"evidence": False, "kind": 3, "index": 7, "length_s": 0, "epsilon_milli": 500, "counts": [1, 2, 3, 4]}
    evidence = pulse | {"evidence": True, "kind": 4, "epsilon_milli": 1_500, "counts": list(range(18))}
    before = {"terms": msgspec.to_builtins(terms), "pulse": pulse, "evidence": evidence, "due": [pulse]}
    running = Running(
        terms,
        Period(PULSE, wire.PeriodKind.DAY, 7, 0, 500, [1, 2, 3, 4]),
        Period(EVIDENCE, wire.PeriodKind.MONTH, 7, 0, 1_500, list(range(18))),
        [Period(PULSE, wire.PeriodKind.DAY, 7, 0, 500, [1, 2, 3, 4])],
    )
    assert decode_running(msgspec.msgpack.encode(before)) == running
    assert encode_running(running) == msgspec.msgpack.encode(before)
