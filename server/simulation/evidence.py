"""Simulated boxes and monthly evidence for a simulated province, so that everything after the boxes can be tried.

The tablet ratings and the transactions of the province stay as they are; levels are drawn to go with them at a chosen
correlation, and discrete Laplace noise of the default budget is added as a box would add it. Refused for a province
that is not simulated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert

from calibration.worlds import discrete_laplace, joint_distribution
from pipeline.calendar import Period
from pipeline.errors import InvalidError
from pipeline.language import Message
from pipeline.release_kind import EVIDENCE, PULSE
from pipeline.wire import PeriodKind
from server.catalogue.agencies import read_agencies
from server.core.provinces import province_by_id
from server.scores.sums import rating_sums, run, transaction_sums, unbound
from server.store.channels import COUNTER_TABLET
from server.store.engine import insert_row
from server.store.tables.boxes import boxes
from server.store.tables.releases import cell_values, deliveries, releases

EPSILON_MILLI = 1_500
LARGEST_CELL = 1_000_000


@dataclass(frozen=True, slots=True)
class SimulatedEvidence:
    """What was drawn."""

    boxes: int
    releases: int
    rho: float
    epsilon: float


def _table(
    rng: np.random.Generator, joint: NDArray[np.float64], visits: int, rated: int, satisfied: int
) -> NDArray[np.int64]:
    """Noisy counts int64 [6, 3] of one box and month whose rated visits are known."""
    by_answer = joint / np.maximum(joint.sum(axis=0), 1e-12)
    table = np.zeros((6, 3), dtype=np.int64)
    table[:, 0] = rng.multinomial(max(visits - rated, 0), joint.sum(axis=1))
    table[:, 1] = rng.multinomial(rated - satisfied, by_answer[:, 0])
    table[:, 2] = rng.multinomial(satisfied, by_answer[:, 1])
    noisy = table + discrete_laplace(rng, EPSILON_MILLI / 1000, (6, 3))
    return np.asarray(np.clip(noisy, -LARGEST_CELL, LARGEST_CELL), dtype=np.int64)


MISLEADING = "xa-song-xanh"
"""The commune whose levels go against its ratings, as where people smile who are not content."""
STRONGER = 1.5
"""How many times the correlation of the others that of a department is: there the signal helps."""
PULSE_DAYS = 20
PULSE_EPSILON_MILLI = 500


def _pulses(
    connection: Connection, rng: np.random.Generator, ids: Mapping[str, int], sent_before: int, last_day: int
) -> int:
    """A pulse for each of the last days of one box: low, middle, high, abstained, with their noise."""
    for number in range(PULSE_DAYS):
        day = last_day - PULSE_DAYS + 1 + number
        cells = rng.multinomial(60, [0.15, 0.25, 0.35, 0.25]) + discrete_laplace(rng, PULSE_EPSILON_MILLI / 1000, (4,))
        sequence = sent_before + 1 + number
        sent = {"box_id": ids["box_id"], "epoch": 1, "sequence": sequence, "kind": PULSE.name, "received_day": day}
        digest = f"simulated {ids['box_id']} {sequence}"
        connection.execute(insert(deliveries).values(province_id=ids["province_id"], digest=digest, **sent))
        period = {"period_kind": int(PeriodKind.DAY), "period_index": day, "epsilon_milli": PULSE_EPSILON_MILLI}
        connection.execute(insert(releases).values(**{**ids, **sent, **period}, **cell_values(cells.tolist())))
    return PULSE_DAYS


def simulate_evidence(
    connection: Connection, province_id: int, months: Period, *, seed: int = 1, rho: float = 0.4, vivid: bool = False
) -> SimulatedEvidence:
    """One box for each agency with tablet ratings, and a table for each of its months. `rho`: 0 to about .6. `vivid`:
    to be looked at; the signal of departments is stronger and that of one commune goes against the ratings, and
    departments have a pulse for each of the last days.

    Raises `InvalidError` for a province that is not simulated."""
    if not province_by_id(connection, province_id).simulated:
        raise InvalidError(Message("Evidence is simulated for simulated provinces only."))
    rng = np.random.default_rng(seed)
    rated: dict[tuple[int, int], int] = defaultdict(int)
    satisfied: dict[tuple[int, int], int] = defaultdict(int)
    visits: dict[tuple[int, int], int] = defaultdict(int)
    for row in run(connection, rating_sums(unbound("ratings"), province_id, months.first_month, months.last_month)):
        if row.channel == COUNTER_TABLET.code:
            rated[row.agency_id, row.month] += int(row.rated)
            satisfied[row.agency_id, row.month] += int(row.satisfied)
    frame = transaction_sums(unbound("transactions"), province_id, months.first_month, months.last_month)
    for row in run(connection, frame):
        visits[row.agency_id, row.month] += int(row.transactions)
    made = stored = 0
    for agency in read_agencies(connection, province_id):
        of_agency = [key for key in sorted(rated) if key[0] == agency.agency_id and rated[key]]
        if not of_agency:
            continue
        share = sum(satisfied[key] for key in of_agency) / sum(rated[key] for key in of_agency)
        department = vivid and agency.rank == 1
        strength = min(0.6, STRONGER * rho) if department else rho
        joint = joint_distribution(min(max(share, 0.02), 0.98), strength)
        if vivid and agency.code == MISLEADING:
            joint[:-1] = joint[-2::-1]  # the lowest level where the highest was; who abstained stays
        last_day = months.last_day
        ids = {"province_id": province_id, "agency_id": agency.agency_id}
        box = {**ids, "label": f"sim-{agency.code}", "demo": False, "epoch": 1, "clerks": 2}
        box["enrolled_day"] = months.first_day
        box_id = insert_row(connection, boxes, box)
        made += 1
        for sequence, key in enumerate(of_agency, start=1):
            table = _table(rng, joint, max(visits[key], rated[key]), rated[key], satisfied[key])
            sent = {"box_id": box_id, "epoch": 1, "sequence": sequence, "kind": EVIDENCE.name, "received_day": last_day}
            digest = f"simulated {box_id} {sequence}"
            connection.execute(insert(deliveries).values(province_id=province_id, digest=digest, **sent))
            period = {"period_kind": int(PeriodKind.MONTH), "period_index": key[1], "epsilon_milli": EPSILON_MILLI}
            connection.execute(insert(releases).values(**ids, **sent, **period, **cell_values(table.ravel().tolist())))
            stored += 1
        if department:
            stored += _pulses(connection, rng, {**ids, "box_id": box_id}, len(of_agency), last_day)
    return SimulatedEvidence(made, stored, rho, EPSILON_MILLI / 1000)
