"""One enrolled box cannot falsify a province: what cannot be true is stored, told, and in no figure."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select

from calibration.worlds import discrete_laplace
from pipeline import wire
from pipeline.calendar import day_at, day_index, month_date, month_of_day, today, window_index
from pipeline.keys import KeyPair
from pipeline.release_kind import EVIDENCE, ReleaseKind
from server.boxes.health import box_states
from server.boxes.ingest import Ingest, IngestTallies
from server.boxes.pools import PoolStatement, state_pools
from server.boxes.registry import read_boxes, state_terms
from server.boxes.release_gate import CLOCKS_APART_S, Held, implausible_evidence
from server.boxes.store_messages import Incoming, store_batch
from server.core.changes import verify_changes
from server.scores.clerks import shown_releases
from server.scores.evidence import agency_months
from server.scores.sums import run
from server.store.channels import COUNTER_TABLET
from server.store.engine import read, write
from server.store.tables.boxes import boxes
from server.store.tables.changes import changes
from server.store.tables.ratings import ratings
from server.store.tables.releases import releases
from server.store.tables.transactions import transactions
from tests.delivery.conftest import EnrolBox, EnrolledBox, Place, RawClient

LAST_MONTH = month_of_day(today()) - 1
EPSILON_MILLI = 1_500


def evidence(
    sequence: int, counts: Any = None, *, index: int = LAST_MONTH, epsilon: int = EPSILON_MILLI, **more: Any
) -> wire.Evidence:
    return wire.Evidence(
        version=1, epoch=1, sequence=sequence, nonce=secrets.randbits(64),
        period=more.get("period", wire.PeriodKind.MONTH), index=index,
        epsilon_milli=epsilon, counts=tuple(counts or [1] * 18),
    )  # fmt: skip


def pulse(
    sequence: int, *, index: int, period: wire.PeriodKind = wire.PeriodKind.DAY, epsilon: int = 500
) -> wire.Pulse:
    return wire.Pulse(
        version=1, epoch=1, sequence=sequence, nonce=secrets.randbits(64), period=period, index=index,
        epsilon_milli=epsilon, counts=(1, 2, 3, 4),
    )  # fmt: skip


def held_of(store: Engine) -> list[tuple[int, str | None]]:
    """(sequence, why held back) of every stored release, in the order of their numbers."""
    with read(store) as connection:
        rows = connection.execute(select(releases.c.sequence, releases.c.held).order_by(releases.c.sequence)).all()
    return [(row.sequence, row.held) for row in rows]


def used(store: Engine, province_id: int, kind: ReleaseKind = EVIDENCE) -> list[int]:
    """Numbers of the releases that are in figures."""
    with read(store) as connection:
        held = {table.release_id for table in implausible_evidence(connection, province_id)}
        rows = shown_releases(province_id, kind, but=held)
        return sorted(int(row.period_index) for row in run(connection, rows.select("period_index")))


@pytest.fixture
def box(enrol_box: EnrolBox, store: Engine) -> EnrolledBox:
    """Enrolled long ago, with two clerks."""
    made = enrol_box()
    with write(store) as connection:
        connection.execute(boxes.update().values(clerks=2, epoch_day=today() - 400))
    return made


Ask = Callable[[wire.Message], wire.Reply | None]


@pytest.fixture
def ask(box: EnrolledBox, raw_client: Callable[[KeyPair], RawClient]) -> Ask:
    """Send and hear the answer, through the real socket."""
    return raw_client(box.keys).ask


def test_a_window_counts_once(ask: Ask, store: Engine, place: Place, box: EnrolledBox) -> None:
    """The attack: one true table, then nine invented ones of the same month under new numbers."""
    invented = [0] * 15 + [0, 0, 300]
    for sequence in range(1, 11):
        message = evidence(sequence, None if sequence == 1 else invented)
        assert ask(message) == wire.Ack(epoch=1, sequence=sequence), "taken, so that the box does not send it for ever"
    assert held_of(store) == [(1, None)] + [(sequence, "repeated") for sequence in range(2, 11)]
    assert used(store, place.province_id) == [LAST_MONTH]
    with read(store) as connection:
        [state] = box_states(connection, place.province_id)
        assert (state.held, state.fine) == ({"repeated": 9}, False)
        logged = connection.execute(select(changes.c.action).where(changes.c.action == "release held")).all()
        assert len(logged) == 9
        assert verify_changes(connection, place.province_id)


def test_a_flood_of_held_tables_is_one_line_of_the_log(store: Engine, place: Place, box: EnrolledBox) -> None:
    """What comes in one batch is told once for each reason, with the number of tables; every table is stored."""
    with write(store) as connection:
        [row] = read_boxes(connection, [box.box_id])
        month = month_of_day(today())
        batch = [
            Incoming(b"", row.public_key, row, evidence(sequence, index=month + sequence), f"{sequence:064x}")
            for sequence in range(1, 41)
        ]
        answers = store_batch(connection, batch, {row.box_id: row}, time.time(), IngestTallies())
    assert all(isinstance(answer, wire.Ack) for answer in answers)
    assert held_of(store) == [(sequence, "future") for sequence in range(1, 41)]
    with read(store) as connection:
        query = select(changes.c.detail).where(changes.c.action == "release held")
        (told,) = connection.execute(query).scalars()
        assert '"tables":40' in told.replace(" ", "")
        assert verify_changes(connection, place.province_id)


def test_windows_that_are_not_over_or_before_enrolment(ask: Ask, store: Engine, enrol_box: EnrolBox) -> None:
    # the clocks of box and server may lie an hour apart: shortly before midnight the day that ends counts as over
    day = day_at(time.time() + CLOCKS_APART_S)
    month = month_of_day(day)
    messages: list[wire.Pulse | wire.Evidence] = [
        evidence(1, index=month), evidence(2, index=month + 1), evidence(3, index=month + 1_200),
        evidence(4, index=month_of_day(today() - 400) - 1), evidence(5, index=0),
        pulse(6, index=day), pulse(7, index=day - 1), pulse(8, index=day - 500),
    ]  # fmt: skip
    for message in messages:
        assert ask(message) == wire.Ack(epoch=1, sequence=message.sequence)
    assert held_of(store) == [
        (1, "future"), (2, "future"), (3, "future"), (4, "before_epoch"), (5, "before_epoch"),
        (6, "future"), (7, None), (8, "before_epoch"),
    ]  # fmt: skip


def test_terms_are_those_of_the_first_release(ask: Ask, store: Engine, place: Place, box: EnrolledBox) -> None:
    """The attack: an epsilon of 20 makes an invented table weigh like thirteen true ones."""
    day = today()
    messages: list[wire.Pulse | wire.Evidence] = [
        evidence(1, index=LAST_MONTH - 2), evidence(2, index=LAST_MONTH - 1, epsilon=20_000),
        evidence(3, epsilon=1_400), pulse(4, index=day - 3), pulse(5, index=day - 2, epsilon=600),
        pulse(6, index=window_index(wire.PeriodKind.HOUR, time.time()) - 5, period=wire.PeriodKind.HOUR),
        evidence(7, index=day - 9, period=wire.PeriodKind.DAY),
        pulse(8, index=LAST_MONTH, period=wire.PeriodKind.MONTH),
    ]  # fmt: skip
    for message in messages:
        assert ask(message) == wire.Ack(epoch=1, sequence=message.sequence)
    assert [held for _, held in held_of(store)] == [None, "terms", "terms", None, "terms", "terms", "terms", "terms"]

    changed = state_terms(store, place.province_id, box.box_id, evidence_epsilon_milli=1_400)
    assert changed == 2, "what fits the new terms is in figures, what does not is held"
    assert [held for _, held in held_of(store)] == ["terms", "terms", None, None, "terms", "terms", "terms", "terms"]


def test_nobody_states_a_huge_epsilon_by_sending_it(ask: Ask, store: Engine) -> None:
    ask(evidence(1, epsilon=20_000))
    ask(evidence(2, epsilon=EPSILON_MILLI))
    assert held_of(store) == [(1, "terms"), (2, None)]


def test_impossible_counts(ask: Ask, store: Engine) -> None:
    """The attack of the hostile reading: +300 and -200 a month lifted an agency's corrected index to 100."""
    lifted = [0] * 18
    lifted[13], lifted[1] = 300, -200
    ask(evidence(1, lifted, index=LAST_MONTH - 1))
    ask(evidence(2, [0] * 15 + [900_000, 0, 0], index=LAST_MONTH - 2))
    ask(evidence(3, [-9, 9] * 9))
    assert held_of(store) == [(1, "impossible"), (2, "impossible"), (3, None)]


def _add_ratings(store: Engine, place: Place, counter: int | None, dissatisfied: int, satisfied: int) -> None:
    day = day_index(month_date(LAST_MONTH)) + 3
    row = {
        "province_id": place.province_id, "agency_id": place.agency_id, "counter_id": counter, "service_group": 1,
        "channel": COUNTER_TABLET.code, "day": day, "month": LAST_MONTH, "instrument": "2640",
        "instrument_version": 1,
    }  # fmt: skip
    rows = [{**row, "a00": 2} for _ in range(dissatisfied)] + [{**row, "a00": 5} for _ in range(satisfied)]
    with write(store) as connection:
        connection.execute(insert(ratings), rows)


def test_more_rated_visits_than_ratings(ask: Ask, store: Engine, place: Place) -> None:
    """The attack: pairs of level and satisfaction that no citizen gave."""
    _add_ratings(store, place, None, 10, 20)
    invented = [10, 0, 0] * 5 + [10, 0, 90]
    assert ask(evidence(1, invented)) == wire.Ack(epoch=1, sequence=1)
    with read(store) as connection:
        [found] = implausible_evidence(connection, place.province_id)
        assert found.held is Held.OVER_RATINGS
        months = agency_months(connection, place.province_id, _period(LAST_MONTH))
        assert all(not month.tables for month in months), "in no figure"
        [state] = box_states(connection, place.province_id)
        assert state.held == {"over_ratings": 1}
    _add_ratings(store, place, None, 0, 70)  # the box had been offline: its sheets came late
    with read(store) as connection:
        assert implausible_evidence(connection, place.province_id) == []


def test_more_visits_than_transactions(ask: Ask, store: Engine, place: Place) -> None:
    ask(evidence(1, [100, 0, 0] * 6))
    assert used(store, place.province_id) == [LAST_MONTH], "transactions not known: nothing to hold against it"
    row = {"province_id": place.province_id, "agency_id": place.agency_id, "month": LAST_MONTH}
    with write(store) as connection:
        connection.execute(insert(transactions).values(**row, service_group=0, count=60))
    assert used(store, place.province_id) == []


@pytest.mark.parametrize("split", ["pools", "kinds"])
def test_more_visits_than_transactions_in_several_tables(
    ask: Ask, store: Engine, place: Place, box: EnrolledBox, split: str
) -> None:
    """The attack: what one table may not hold, one key sends in the tables of several pools, or of both kinds."""
    messages: list[wire.Message] = [evidence(1, [60, 0, 0] * 6)]
    if split == "pools":
        own = [PoolStatement("so-tu-phap", pool) for pool in (1, 2, 3)]
        state_pools(store, place.province_id, box.box_id, own)
        messages += [
            msgspec.structs.replace(evidence(n, [60, 0, 0] * 6), version=wire.version_of(n), pool=n) for n in (2, 3)
        ]
    else:
        messages.append(
            wire.NotAgreed(
                4, 1, 2, secrets.randbits(64), wire.PeriodKind.MONTH, LAST_MONTH, EPSILON_MILLI, (360, 0, 0), 1
            )
        )
    for message in messages:
        assert isinstance(ask(message), wire.Ack)
    row = {"province_id": place.province_id, "agency_id": place.agency_id, "month": LAST_MONTH}
    with write(store) as connection:
        connection.execute(insert(transactions).values(**row, service_group=0, count=130))
    assert used(store, place.province_id) == []
    with read(store) as connection:
        found = implausible_evidence(connection, place.province_id)
    assert {one.held for one in found} == {Held.OVER_TRANSACTIONS}
    assert len(found) == len(messages)


def _period(month: int) -> Any:
    from pipeline.calendar import Period

    return Period("month", month, month)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), epsilon=st.sampled_from([500, 1_000, 1_500, 2_000]), visits=st.integers(0, 3_000))
def test_an_honest_table_is_never_held(
    seed: int, epsilon: int, visits: int, ingest: Ingest, store: Engine, place: Place, box: EnrolledBox
) -> None:
    """Whatever the visits, the ratings and the noise: a true table of true counts passes every rule."""
    rng = np.random.default_rng(seed)
    true = rng.multinomial(visits, rng.dirichlet(np.ones(18))).reshape(6, 3)
    noisy = true + discrete_laplace(rng, epsilon / 1000, (6, 3))
    message = evidence(1, noisy.ravel().tolist(), epsilon=epsilon)
    with store.connect() as connection, connection.begin() as transaction:
        ingest.registry.refresh()
        known = ingest.registry.lookup(box.keys.curve_public_z85)
        assert known is not None
        rows = {known.box_id: known}
        store_batch(
            connection, [Incoming(b"", known.public_key, known, message, "d")], rows, time.time(), ingest.tallies
        )
        day = day_index(month_date(LAST_MONTH)) + 3
        row = {
            "province_id": place.province_id, "agency_id": place.agency_id, "service_group": 1, "day": day,
            "channel": COUNTER_TABLET.code, "month": LAST_MONTH, "instrument": "2640", "instrument_version": 1,
        }  # fmt: skip
        given_ratings = [{**row, "a00": 1}] * int(true[:, 1].sum()) + [{**row, "a00": 4}] * int(true[:, 2].sum())
        if given_ratings:
            connection.execute(insert(ratings), given_ratings)
        frame = {"province_id": place.province_id, "agency_id": place.agency_id, "month": LAST_MONTH}
        connection.execute(insert(transactions).values(**frame, service_group=0, count=max(1, visits // 2)))
        assert connection.execute(select(releases.c.held)).scalar_one() is None
        assert implausible_evidence(connection, place.province_id) == []
        transaction.rollback()


def test_nobody_states_a_tiny_epsilon_by_sending_it(ask: Ask, store: Engine, place: Place) -> None:
    """The attack: at an epsilon of a thousandth noise explains every table, and the first release stated it."""
    _add_ratings(store, place, None, 10, 20)
    for sequence, epsilon in enumerate((1, 10, 100, 249), start=1):
        ask(evidence(sequence, [0] * 15 + [0, 0, 3_000], epsilon=epsilon))
    ask(evidence(5, [0] * 18, epsilon=250))
    assert held_of(store) == [(1, "terms"), (2, "terms"), (3, "terms"), (4, "terms"), (5, None)]


def test_sheets_that_were_set_aside_make_no_room_for_pairs(ask: Ask, store: Engine, place: Place) -> None:
    """The attack: best sheets without end, of which all but the plan's are set aside and yet count as ratings that the
    tablet gave; then a table with as many pairs. Two clerks can take 3,720 sheets in a month of 31 days."""
    _add_ratings(store, place, None, 0, 9_000)
    ask(evidence(1, [0] * 15 + [0, 0, 9_000]))
    assert held_of(store) == [(1, "impossible")]
