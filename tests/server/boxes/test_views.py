"""Whether anybody is seen at all is read from released counts alone, and only where they are sure."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import Engine, insert

from pipeline.calendar import now_s, today
from pipeline.wire import BoxState, PeriodKind
from server.boxes.health import box_states
from server.boxes.views import DAYS, boxes_without_anybody
from server.store.engine import write
from server.store.tables.boxes import heartbeats
from server.store.tables.releases import cell_values, releases
from tests.server.province import Province, fill_province


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1", simulated=False)


def _send(store: Engine, province: Province, visits_a_day: int, days: int = DAYS, **other: object) -> None:
    """Pulses as a box releases them: counts with discrete Laplace noise at epsilon .5."""
    rng, a = np.random.default_rng(3), np.exp(-0.5)
    with write(store) as connection:
        for n in range(days):
            noise = rng.geometric(1 - a, 4) - rng.geometric(1 - a, 4)
            counts = [int(x) for x in noise + np.array([visits_a_day, 0, 0, 0])]
            connection.execute(
                insert(releases).values(
                    **{
                        "province_id": province.province_id,
                        "agency_id": province.agencies["p1-a"],
                        "box_id": province.boxes["p1-a"],
                        "epoch": 1,
                        "sequence": 100 + n,
                        "kind": "pulse",
                        "period_kind": int(PeriodKind.DAY),
                        "period_index": today() - n,
                        "epsilon_milli": 500,
                        "received_day": today() - n,
                        **cell_values(counts),
                        **other,
                    }
                )
            )


@pytest.mark.parametrize(
    ("visits", "days", "epsilon_milli", "empty"),
    [(0, DAYS, 500, True), (60, DAYS, 500, False), (12, DAYS, 500, False), (0, 3, 500, False), (0, DAYS, 100, False)],
)
def test_nobody_in_view_is_said_only_where_the_releases_are_sure(
    store: Engine, province: Province, visits: int, days: int, epsilon_milli: int, empty: bool
) -> None:
    _send(store, province, visits, days, epsilon_milli=epsilon_milli)
    with write(store) as connection:
        found = boxes_without_anybody(connection, province.province_id, today())
    assert found == ({province.boxes["p1-a"]} if empty else set())


def test_what_is_held_back_or_old_or_another_provinces_says_nothing(store: Engine, province: Province) -> None:
    other = fill_province(store, "p2", simulated=False)
    _send(store, province, 0, held="future")
    with write(store) as connection:
        assert not boxes_without_anybody(connection, province.province_id, today())
        assert not boxes_without_anybody(connection, other.province_id, today())
        assert not boxes_without_anybody(connection, province.province_id, today() + DAYS)


@pytest.mark.parametrize("state", [BoxState.OK, BoxState.CAMERA_LOST, BoxState.ANALYSIS_OFF])
def test_a_box_at_work_alone_is_told(store: Engine, province: Province, state: BoxState) -> None:
    _send(store, province, 0)
    with write(store) as connection:
        beat = {"state": int(state), "software": "1", "provider": 0, "received_s": now_s()}
        ids = {"province_id": province.province_id, "box_id": province.boxes["p1-a"]}
        connection.execute(insert(heartbeats).values(**ids, **beat))
        first = box_states(connection, province.province_id)[0]
    assert first.nobody == (state is BoxState.OK)
    assert not first.nobody or not first.fine
