"""The demo's account of what was sent and what was stored knows every kind of release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, update

from hailong.demo_account import compare
from pipeline import wire
from pipeline.framing import pad
from pipeline.release_kind import KINDS, ReleaseKind
from server.store.engine import write
from server.store.tables.ratings import ratings
from server.store.tables.releases import cell_values, deliveries, releases
from tests.server.province import fill_province


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_release_that_was_sent_and_not_stored_is_told_whatever_its_kind(
    store: Engine, tmp_path: Path, kind: ReleaseKind
) -> None:
    province = fill_province(store, "p1")
    box = province.boxes["p1-a"]
    with write(store) as connection:
        connection.execute(releases.delete())
        connection.execute(ratings.delete())
    period = max(kind.periods)
    counts = tuple(range(kind.cells))
    place = {"epoch": 1, "sequence": 2, "epsilon_milli": 500}
    message: Any = kind.message
    sent = message(version=kind.version(1), nonce=1, period=period, index=7, counts=counts, pool=1, **place)
    record = tmp_path / "record"
    record.write_bytes(pad(wire.encode(sent)))
    account = compare({box: record}, store)
    assert (account.releases_sent, account.releases_stored, account.sent_is_stored) == (1, 0, False)
    row = {"province_id": province.province_id, "box_id": box, "epoch": 1, "sequence": 2, "kind": kind.name}
    with write(store) as connection:
        connection.execute(insert(deliveries).values(**row, received_day=9, digest="d"))
        stored = {**row, "agency_id": province.agencies["p1-a"], "period_kind": int(period), "period_index": 7}
        connection.execute(insert(releases).values(**stored, received_day=9, epsilon_milli=500, **cell_values(counts)))
    account = compare({box: record}, store)
    assert (account.releases_sent, account.releases_stored, account.sent_is_stored) == (1, 1, True)


def test_answers_of_earlier_quarters_are_not_taken_for_what_boxes_sent(store: Engine, tmp_path: Path) -> None:
    """`make demo`, ended by Ctrl-C, said that not everything was stored, as 1,200 more were than had been sent."""
    province = fill_province(store, "p1")
    box = province.boxes["p1-a"]
    record = tmp_path / "record"
    record.write_bytes(b"")
    with write(store) as connection:
        connection.execute(releases.delete())
        connection.execute(update(ratings).values(source="simulation"))
    account = compare({box: record}, store)
    assert (account.ratings_sent, account.ratings_stored, account.sent_is_stored) == (0, 0, True)
    with write(store) as connection:
        connection.execute(update(ratings).values(source=f"box:{box}"))
    account = compare({box: record}, store)
    assert account.ratings_stored > 0
    assert not account.sent_is_stored
