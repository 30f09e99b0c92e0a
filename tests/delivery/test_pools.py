"""A hall's box at the server's door: each pool is the agency that the operator said, and nobody else's."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from edge.delivery.outbox import Outbox
from pipeline import wire
from pipeline.calendar import month_of_day, today
from pipeline.errors import InvalidError, NotFoundError
from pipeline.keys import KeyPair
from pipeline.language import Text
from pipeline.privacy.ledger import Staged
from pipeline.release_kind import EVIDENCE
from server.boxes import registry
from server.boxes.health import box_states
from server.boxes.ingest import Ingest
from server.boxes.pools import PoolStatement, note_unknown_pool, pool_states, state_pools
from server.core.changes import verify_changes
from server.scores.clerks import shown_releases
from server.scores.sums import run
from server.store.engine import connect, insert_row, read, write
from server.store.tables.agencies import agencies, levels
from server.store.tables.box_pools import box_pools
from server.store.tables.boxes import boxes
from server.store.tables.changes import changes
from server.store.tables.ratings import ratings
from server.store.tables.releases import releases
from server.store.upgrade import upgrade
from tests.delivery.conftest import EnrolBox, EnrolledBox, Place, RawClient, make_sender, wait_for
from tests.delivery.test_releases_bounded import LAST_MONTH, Ask, held_of

NEXT_MONTH = month_of_day(today()) + 1
ROW = wire.RatingRow(0, 0, (0,) * wire.ANSWER_SLOTS, 0, 0)


def evidence(sequence: int, pool: int, *, index: int = LAST_MONTH, counts: Any = None) -> wire.Evidence:
    return wire.Evidence(
        wire.version_of(pool), 1, sequence, secrets.randbits(64), wire.PeriodKind.MONTH, index, 1_500,
        tuple(counts or [1] * 18), pool,
    )  # fmt: skip


def sheets(sequence: int, pool: int, day: int) -> wire.Ratings:
    filled = wire.RatingRow(201, 0, (5,) + (0,) * (wire.ANSWER_SLOTS - 1), 0, 0)
    rows = (filled, *(ROW,) * (wire.RATING_ROWS - 1))
    return wire.Ratings(wire.version_of(pool), 1, sequence, secrets.randbits(64), day, rows, pool)


@pytest.fixture
def others(store: Engine, place: Place) -> dict[str, int]:
    """Two more agencies of the province."""
    with write(store) as connection:
        level = next(
            iter(connection.execute(select(levels.c.id).where(levels.c.province_id == place.province_id)).scalars())
        )
        return {
            code: insert_row(
                connection, agencies,
                {"province_id": place.province_id, "code": code, "name": Text.named(vi=code), "level_id": level},
            )
            for code in ("so-y-te", "so-noi-vu")
        }  # fmt: skip


@pytest.fixture
def box(enrol_box: EnrolBox, store: Engine) -> EnrolledBox:
    """Enrolled long ago."""
    made = enrol_box("hội trường")
    with write(store) as connection:
        connection.execute(boxes.update().values(clerks=2, epoch_day=today() - 400))
    return made


@pytest.fixture
def ask(box: EnrolledBox, raw_client: Callable[..., RawClient]) -> Ask:
    return raw_client(box.keys).ask


def name(store: Engine, place: Place, box: EnrolledBox, *said: str, first_month: int | None = None) -> None:
    state_pools(store, place.province_id, box.box_id, [PoolStatement.parse(each) for each in said], first_month)


def agency_of(store: Engine) -> dict[tuple[int, int], int]:
    """(pool, index of the period) -> agency of what is stored."""
    with read(store) as connection:
        rows = connection.execute(select(releases.c.pool, releases.c.period_index, releases.c.agency_id)).all()
    return {(row.pool, row.period_index): row.agency_id for row in rows}


def test_each_pool_is_its_agency_and_a_message_of_version_one_is_pool_one(
    ask: Ask, store: Engine, place: Place, box: EnrolledBox, others: dict[str, int]
) -> None:
    assert ask(evidence(1, 1, index=LAST_MONTH - 1)) == wire.Ack(1, 1)  # as a box of before sends it
    name(store, place, box, "so-tu-phap=1:3", "so-y-te=2:2")
    for sequence, pool in ((2, 1), (3, 2)):
        assert ask(evidence(sequence, pool)) == wire.Ack(1, sequence)
    assert agency_of(store) == {
        (1, LAST_MONTH - 1): place.agency_id, (1, LAST_MONTH): place.agency_id, (2, LAST_MONTH): others["so-y-te"],
    }  # fmt: skip
    assert held_of(store) == [(1, None), (2, None), (3, None)]
    with read(store) as connection:
        rows = shown_releases(place.province_id, EVIDENCE)
        found = {row[0] for row in run(connection, rows.select("agency_id").distinct())}
        assert found == {place.agency_id, others["so-y-te"]}
        assert connection.execute(select(boxes.c.clerks)).scalar_one() == 5


def test_one_window_of_one_pool_counts_once(
    ask: Ask, store: Engine, place: Place, box: EnrolledBox, others: dict[str, int]
) -> None:
    name(store, place, box, "so-y-te=2:2")
    for sequence, pool in ((1, 1), (2, 2), (3, 2), (4, 1)):
        assert ask(evidence(sequence, pool)) == wire.Ack(1, sequence)
    assert held_of(store) == [(1, None), (2, None), (3, "repeated"), (4, "repeated")]


def test_what_is_of_a_pool_that_nobody_named_stays_on_the_box_until_somebody_does(
    ingest: Ingest, server_keys: KeyPair, store: Engine, place: Place, box: EnrolledBox, others: dict[str, int],
    tmp_path: Path,
) -> None:  # fmt: skip
    outbox = Outbox(tmp_path / "pools.sqlite3", 1)
    for number, pool in enumerate((2,) * 9 + (1,)):  # more than fit one burst
        outbox.put(f"{number}", Staged(1, f"{number}", evidence(0, pool, index=LAST_MONTH - number)).build)
    sender = make_sender(ingest.endpoint, server_keys.curve_public, box, outbox)
    sender.start()
    assert wait_for(lambda: bool(agency_of(store)))  # the other pool's message passes them by
    assert agency_of(store) == {(1, LAST_MONTH - 9): place.agency_id}
    assert wait_for(lambda: outbox.totals()["waiting"] == 9)  # its answer comes after it is stored
    with read(store) as connection:
        [state] = box_states(connection, place.province_id)
        assert [pool.pool for pool in state.pools if pool.agency is None] == [2]
        assert not state.fine
        told = connection.execute(select(changes.c.action).where(changes.c.action == "box pool unknown")).all()
        assert len(told) == 1
    name(store, place, box, "so-y-te=2:2")
    sender._put_off.clear()
    assert wait_for(lambda: outbox.totals()["waiting"] == 0)
    sender.stop()
    assert sum(agency == others["so-y-te"] for agency in agency_of(store).values()) == 9
    with read(store) as connection:
        assert connection.execute(select(box_pools.c.agency_id)).scalars().all() == [others["so-y-te"]]
        assert verify_changes(connection, place.province_id)
    outbox.close()


def test_a_pool_moves_to_another_agency_from_a_month_on_and_never_backwards(
    ask: Ask, store: Engine, place: Place, box: EnrolledBox, others: dict[str, int]
) -> None:
    name(store, place, box, "so-y-te=2:2")
    assert ask(evidence(1, 2)) == wire.Ack(1, 1)
    for first_month in (None, LAST_MONTH, month_of_day(today())):
        with pytest.raises(InvalidError, match="backwards"):
            name(store, place, box, "so-noi-vu=2:2", first_month=first_month)
    name(store, place, box, "so-noi-vu=2:2", first_month=NEXT_MONTH)
    with read(store) as connection:
        [found] = registry.read_boxes(connection, [box.box_id])
    assert found.agency_of(2, NEXT_MONTH - 1) == others["so-y-te"]
    assert found.agency_of(2, NEXT_MONTH) == others["so-noi-vu"]
    assert found.agency_of(3, NEXT_MONTH) is None
    name(store, place, box, "so-y-te=2:9")  # more clerks, the same agency: no date is needed
    with read(store) as connection:
        [found] = registry.read_boxes(connection, [box.box_id])
    assert [(each.first_month, each.clerks) for each in found.pools] == [(0, 9), (NEXT_MONTH, 2)]


def test_ratings_of_a_pool_are_its_agency_s(
    ask: Ask, store: Engine, place: Place, box: EnrolledBox, others: dict[str, int]
) -> None:
    name(store, place, box, "so-y-te=2:2")
    day = today() - 1
    assert ask(sheets(1, 1, day)) == wire.Ack(1, 1)
    assert ask(sheets(2, 2, day)) == wire.Ack(1, 2)
    assert ask(sheets(3, 7, day)) == wire.Refusal(1, 3, wire.RefusalReason.UNKNOWN_POOL)
    with read(store) as connection:
        found = sorted(connection.execute(select(ratings.c.agency_id)).scalars())
    assert found == sorted([place.agency_id, others["so-y-te"]])


def test_a_pool_is_bounded_by_its_own_clerks(
    ask: Ask, store: Engine, place: Place, box: EnrolledBox, others: dict[str, int]
) -> None:
    name(store, place, box, "so-tu-phap=1:40", "so-y-te=2:2")
    many = [1_500] * 18  # 27,000 visits a month: forty clerks could, two could not
    for sequence, pool in ((1, 1), (2, 2)):
        assert ask(evidence(sequence, pool, counts=many)) == wire.Ack(1, sequence)
    assert held_of(store) == [(1, None), (2, "impossible")]


def test_a_window_that_one_pool_lacks_is_told(
    ask: Ask, store: Engine, place: Place, box: EnrolledBox, others: dict[str, int]
) -> None:
    name(store, place, box, "so-tu-phap=1:3", "so-y-te=2:2")
    sent = [(1, LAST_MONTH - 2), (2, LAST_MONTH - 2), (1, LAST_MONTH - 1), (1, LAST_MONTH), (2, LAST_MONTH)]
    for sequence, (pool, index) in enumerate(sent, 1):
        assert ask(evidence(sequence, pool, index=index)) == wire.Ack(1, sequence)
    with read(store) as connection:
        found = {
            pool.pool: (pool.evidence, pool.missing) for pool in pool_states(connection, place.province_id)[box.box_id]
        }
    assert found == {1: (3, 0), 2: (2, 1)}


@pytest.mark.parametrize("said", ["so-tu-phap", "so-tu-phap=0", "so-tu-phap=65", "so-tu-phap=2:1", "a b=2", "x=1:99"])
def test_what_names_no_pool_is_refused(said: str) -> None:
    with pytest.raises(InvalidError):
        PoolStatement.parse(said)


def test_pools_of_nobody_are_refused(store: Engine, place: Place, box: EnrolledBox) -> None:
    with pytest.raises(NotFoundError, match="no agency"):
        name(store, place, box, "so-nowhere=2")
    with pytest.raises(InvalidError, match="twice"):
        name(store, place, box, "so-tu-phap=2", "so-tu-phap=2")
    with pytest.raises(NotFoundError, match="no box"):
        state_pools(store, place.province_id, 999, [PoolStatement.parse("so-tu-phap=2")])
    with read(store) as connection:
        assert connection.execute(select(box_pools)).all() == []


def test_an_unknown_pool_is_noted_once(store: Engine, place: Place, box: EnrolledBox) -> None:
    with write(store) as connection:
        for _ in range(3):
            note_unknown_pool(connection, place.province_id, box.box_id, 5)
    with read(store) as connection:
        assert len(connection.execute(select(box_pools)).all()) == 1


def test_a_store_of_before_there_were_pools_is_upgraded(tmp_path: Path) -> None:
    store = connect(f"sqlite:///{tmp_path / 'old.sqlite3'}")
    upgrade(store, "0014")
    with write(store) as connection:
        columns = {row[1] for row in connection.execute(text("PRAGMA table_info(releases)"))}
        assert "pool" not in columns
        of_release = (
            "sequence, period_index, province_id, agency_id, box_id, epoch, kind, period_kind, epsilon_milli, late"
        )
        for table, names, values in (
            ("provinces", "id, code, name_vi, name_en, simulated, created_day", "1, 'p', 'x', 'x', false, 1"),
            ("levels", "id, province_id, code, name_vi, name_en, rank", "1, 1, 'tinh', 'x', 'x', 1"),
            ("agencies", "id, province_id, code, name_vi, name_en, level_id, active", "1, 1, 'so', 'x', 'x', 1, true"),
            ("boxes", "id, province_id, agency_id, label, epoch, demo", "1, 1, 1, 'box', 1, false"),
        ):
            connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({values})")
        for sequence in (1, 2):
            values = f"{sequence}, {sequence}, 1, 1, 1, 1, 'evidence', 4, 9, 0"
            connection.exec_driver_sql(f"INSERT INTO releases ({of_release}, received_day) VALUES ({values}, 1)")
    upgrade(store)
    with read(store) as connection:
        assert connection.execute(select(releases.c.sequence, releases.c.pool)).all() == [(1, 1), (2, 1)]
        assert connection.execute(select(box_pools)).all() == []
