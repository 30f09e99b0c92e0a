"""From box to figure: a box asks what its server reads; those who did not agree are taken, judged, and told."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, insert, select

from calibration.tables import cell_noise_variance
from calibration.worlds import discrete_laplace
from edge.delivery.outbox import Outbox
from edge.delivery.sender import Sender, SenderSettings
from pipeline import wire
from pipeline.audit.wire_records import audit_wire, messages_in
from pipeline.calendar import Period, month_of_day, today
from pipeline.errors import WireError
from pipeline.keys import KeyPair
from pipeline.language import Message
from server.boxes.agreed import Agreed, agreed_by_box, share_agreed
from server.boxes.ingest import Ingest
from server.scores.agreed import agreed_at
from server.scores.evidence import agency_months
from server.scores.held import version_of
from server.store.engine import read, write
from server.store.tables.boxes import boxes
from server.store.tables.releases import releases
from server.store.tables.transactions import transactions
from tests.delivery.conftest import EnrolBox, EnrolledBox, Place, RawClient, heartbeat, wait_for

LAST_MONTH = month_of_day(today()) - 1
EVIDENCE = (20, 1, 2) * 6
APART = (90, 3, 5)


def asking_sender(
    ingest: Ingest, server_keys: KeyPair, box: EnrolledBox, outbox: Outbox, heard: list[int], record: Path, asks: bool
) -> Sender:
    settings = SenderSettings(ingest.endpoint, server_keys.curve_public, 0.1, slots=4, record=record, asks_reads=asks)
    return Sender(settings, box.keys, outbox, lambda: heartbeat(outbox.epoch), on_reads=heard.append)


def apart(sequence: int, counts: tuple[int, int, int] = APART, **more: Any) -> wire.NotAgreed:
    return wire.NotAgreed(
        version=4, epoch=1, sequence=sequence, nonce=secrets.randbits(64), period=wire.PeriodKind.MONTH,
        index=more.get("index", LAST_MONTH), epsilon_milli=more.get("epsilon", 1_500), counts=counts,
        pool=more.get("pool", 1),
    )  # fmt: skip


def evidence(sequence: int, counts: tuple[int, ...] = EVIDENCE, index: int = LAST_MONTH) -> wire.Evidence:
    return wire.Evidence(
        version=1, epoch=1, sequence=sequence, nonce=secrets.randbits(64), period=wire.PeriodKind.MONTH, index=index,
        epsilon_milli=1_500, counts=counts,
    )  # fmt: skip


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
    return raw_client(box.keys).ask


@pytest.mark.parametrize("asks", [True, False])
def test_a_box_asks_once_after_its_greeting(
    ingest: Ingest, server_keys: KeyPair, box: EnrolledBox, outbox: Outbox, tmp_path: Path, asks: bool
) -> None:
    heard: list[int] = []
    record = tmp_path / "sent.frames"
    sender = asking_sender(ingest, server_keys, box, outbox, heard, record, asks)
    sender.start()
    assert wait_for(lambda: sender.tallies.forwarded >= 6 and (bool(heard) or not asks))
    sender.stop()
    sent = messages_in([record])
    assert set(heard) == ({wire.SCHEMA_VERSION} if asks else set())
    questions, greetings = (sum(isinstance(each, kind) for each in sent) for kind in (wire.Reads, wire.Hello))
    assert bool(questions) == asks
    assert questions <= greetings < len(sent) / 2, "once for a greeting: a busy machine may have connected anew"
    assert audit_wire([record]).problems == []


def test_a_server_of_before_says_so_by_refusing_the_question(
    ingest: Ingest,
    server_keys: KeyPair,
    box: EnrolledBox,
    outbox: Outbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode = wire.decode

    def before(data: bytes) -> wire.Message:
        message = decode(data)
        if isinstance(message, (wire.Reads, wire.NotAgreed)):
            raise WireError(Message("none of this schema"))
        return message

    monkeypatch.setattr("server.boxes.ingest.wire.decode", before)
    heard: list[int] = []
    sender = asking_sender(ingest, server_keys, box, outbox, heard, tmp_path / "sent.frames", True)
    sender.start()
    assert wait_for(lambda: bool(heard) and sender.tallies.forwarded >= 6)
    sender.stop()
    assert set(heard) == {0}


def test_they_are_a_row_of_the_months_table(ask: Ask, store: Engine, place: Place, box: EnrolledBox) -> None:
    assert ask(wire.Reads(version=4, epoch=1, sequence=0, nonce=1)) == wire.Reading(wire.SCHEMA_VERSION)
    ask(evidence(1))
    ask(evidence(2, index=LAST_MONTH - 1))
    with read(store) as connection:
        before = version_of(connection, place.province_id)
    assert ask(apart(3)) == wire.Ack(epoch=1, sequence=3)
    with read(store) as connection:
        assert version_of(connection, place.province_id) != before, "what rests on it is made anew"
        row = connection.execute(select(releases).where(releases.c.kind == "not_agreed")).one()
        assert (row.c00, row.c01, row.c02, row.c03, row.held, row.pool) == (*APART, None, None, 1)
        months = agency_months(connection, place.province_id, Period("month", LAST_MONTH, LAST_MONTH), history=1)
        shapes = {month.period.start.month: month.tables[0].counts.shape for month in months if month.tables}
        assert sorted(shapes.values()) == [(6, 3), (7, 3)]
        current = max(months, key=lambda month: month.period).tables[0]
        assert tuple(current.counts[6]) == APART
        assert current.total == sum(EVIDENCE) + sum(APART)
        period = Period("month", LAST_MONTH, LAST_MONTH)
        told = agreed_at(connection, place.province_id, place.agency_id, period)
        assert told is not None
        assert (told.agreed, told.visits) == (sum(EVIDENCE), sum(EVIDENCE) + sum(APART))
        assert told.low < 100 * told.agreed / told.visits < told.high < told.low + 8
        assert agreed_by_box(connection, place.province_id, today()) == {box.box_id: told}
        earlier = Period("before", LAST_MONTH - 1, LAST_MONTH - 1)
        assert agreed_at(connection, place.province_id, place.agency_id, earlier) is None


def test_a_month_whose_first_release_has_no_such_count_says_nothing_of_consent(
    ask: Ask, store: Engine, place: Place
) -> None:
    """A new epoch in the middle of a month: who did not agree in its first half is among those without a level."""
    ask(evidence(1))
    ask(apart(2))
    with write(store) as connection:
        row = connection.execute(select(releases).where(releases.c.kind == "evidence")).mappings().one()
        silent = {f"c{slot:02d}": 0 for slot in range(18) if slot % 3}
        connection.execute(insert(releases).values({**row, **silent, "id": None, "epoch": 2, "sequence": 1}))
    with read(store) as connection:
        period = Period("month", LAST_MONTH, LAST_MONTH)
        assert agreed_at(connection, place.province_id, place.agency_id, period) is None
        tables = [table for month in agency_months(connection, place.province_id, period) for table in month.tables]
        assert [(table.counts.shape, table.releases, table.without) for table in tables] == [((7, 3), 2, 1)]


def test_one_clerk_is_told_of_nowhere(ask: Ask, store: Engine, place: Place) -> None:
    ask(evidence(1))
    ask(apart(2))
    with write(store) as connection:
        connection.execute(boxes.update().values(clerks=1))
    with read(store) as connection:
        period = Period("month", LAST_MONTH, LAST_MONTH)
        assert agreed_at(connection, place.province_id, place.agency_id, period) is None
        assert agreed_by_box(connection, place.province_id, today()) == {}


@pytest.mark.parametrize("wrong", ["terms", "impossible", "future", "over_transactions", "over_ratings"])
def test_where_it_cannot_be_true_the_evidence_alone_is_in_no_figure(
    ask: Ask, store: Engine, place: Place, wrong: str
) -> None:
    """Half of a month's visits would be missing, and nobody would see it."""
    frame = {"province_id": place.province_id, "agency_id": place.agency_id, "month": LAST_MONTH, "service_group": 0}
    if wrong == "over_transactions":
        with write(store) as connection:
            connection.execute(insert(transactions).values(**frame, count=60))
    index = LAST_MONTH + 1 if wrong == "future" else LAST_MONTH
    counts = {"impossible": (90, -40, 5), "over_transactions": (900, 0, 0), "over_ratings": (90, 300, 300)}
    ask(evidence(1, (20, 0, 0) * 6 if wrong == "over_ratings" else EVIDENCE, index))
    ask(apart(2, counts.get(wrong, APART), index=index, epsilon=1_000 if wrong == "terms" else 1_500))
    with read(store) as connection:
        period = Period("month", LAST_MONTH, LAST_MONTH)
        assert all(not month.tables for month in agency_months(connection, place.province_id, period))
        assert agreed_at(connection, place.province_id, place.agency_id, period) is None


def test_a_second_one_of_a_month_changes_nothing(ask: Ask, store: Engine, place: Place) -> None:
    ask(evidence(1))
    ask(apart(2))
    ask(apart(3, (1, 1, 1)))
    with read(store) as connection:
        assert connection.execute(select(releases.c.held).order_by(releases.c.sequence)).scalars().all() == [
            None, None, "repeated",
        ]  # fmt: skip
        told = agreed_at(connection, place.province_id, place.agency_id, Period("month", LAST_MONTH, LAST_MONTH))
        assert told is not None
        assert told.visits == sum(EVIDENCE) + sum(APART)


def test_the_terms_of_both_monthly_tables_are_one(ask: Ask, store: Engine) -> None:
    """Whichever comes first: nobody states the one by sending the other."""
    ask(apart(1))
    ask(evidence(2))
    ask(apart(3, index=LAST_MONTH - 1, epsilon=500))
    with read(store) as connection:
        held = connection.execute(select(releases.c.held).order_by(releases.c.sequence)).scalars().all()
        assert held == [None, None, "terms"]
        assert connection.execute(select(boxes.c.evidence_epsilon_milli)).scalar_one() == 1_500


@pytest.mark.parametrize("epsilon", [0.5, 1.5, 4.0])
@pytest.mark.parametrize("tables", [1, 12])
@pytest.mark.parametrize(
    ("share", "visits"), [(0.5, 80), (0.02, 105), (0.9, 250), (1.0, 400), (0.02, 400), (0.98, 3_000)]
)
def test_the_interval_holds_the_share_of_these_visits(epsilon: float, tables: int, share: float, visits: int) -> None:
    """1,000 releases drawn with the real law: the interval is that of the noise, and what is told is seldom wrong,
    however many tables, of whatever noise. Once .40 of what was told of 80 visits held, of 12 tables; .92 of 3,000."""
    rng, noise = np.random.default_rng(3), tables * cell_noise_variance(epsilon)
    agreed = round(share * visits)
    a = agreed + discrete_laplace(rng, epsilon, (1_000, 18), tables).sum(axis=1)
    d = visits - agreed + discrete_laplace(rng, epsilon, (1_000, 3), tables).sum(axis=1)
    found = [share_agreed(int(x), int(y), noise) for x, y in zip(a, d, strict=True)]
    held = [one.low <= 100 * agreed / visits <= one.high for one in found if one is not None]
    assert len(held) - sum(held) <= 0.07 * 1_000
    if visits >= 100 + 4 * np.sqrt(21 * noise):
        assert sum(held) / len(held) >= 0.93
        assert len(held) > 960
    elif visits <= 100:
        assert len(held) < 0.1 * 1_000


def test_of_few_visits_nothing_is_said() -> None:
    assert share_agreed(60, 47, 0.74) is None, "so many visits there may be fewer than a hundred"
    assert isinstance(share_agreed(60, 48, 0.74), Agreed)
    none = share_agreed(-3, 140, 0.74)
    assert none is not None
    assert (none.agreed, none.visits, none.low) == (0, 137, 0.0)
    # 3 + 137 s = 1.96 sqrt(.74 (18 (1 - s)^2 + 3 s^2)) + .5
    assert none.high == pytest.approx(3.2285, abs=0.001)
