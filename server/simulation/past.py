"""Answers of the quarters before today for a simulated province that has none, so that a demonstration shows figures on
its first day: those of the day itself are nobody's figure until it is over (`server.core.disclosure`)."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection

from pipeline.calendar import Period, month_of_day, quarter_of_month, today
from pipeline.errors import InvalidError
from pipeline.instruments import load_instrument
from pipeline.language import Message
from server.catalogue.agencies import read_agencies
from server.core.provinces import province_by_id
from server.core.scope import Scope
from server.ratings.admission import Admitted, Gate
from server.ratings.rating import Place, Rating
from server.ratings.source import Source, SourceKind
from server.ratings.store import add
from server.simulation.province import World, simulated_answers
from server.store.channels import ONLINE, PAPER

QUARTERS = 5
"""The last whole quarter, those before it, and the same a year ago."""
SHEETS = 120
"""Of each agency in a quarter."""


def simulate_past(connection: Connection, province_id: int, *, seed: int = 1) -> int:
    """Full sheets, by paper and online, of every agency in the last whole quarters; how many.

    Raises `InvalidError` for a province that is not simulated."""
    if not province_by_id(connection, province_id).simulated:
        raise InvalidError(Message("Answers are simulated for simulated provinces only."))
    rng = np.random.default_rng(seed)
    instrument = load_instrument("2640")
    agencies = read_agencies(connection, province_id)
    world = World(rng.normal(0.0, 0.35, len(agencies)), rng.normal(0.0, 0.15, 256), rng.normal(0.0, 0.30, 32))
    running = quarter_of_month(month_of_day(today()))
    made = 0
    for back in range(QUARTERS, 0, -1):
        quarter = quarter_of_month(running.first_month - 3 * back)
        # as if they had been stored at the end of the month in which they were given: of the last day's alone nothing
        # would be shown on the first day of a quarter
        source = Source(SourceKind.SIMULATION)
        gates = {
            month: Gate(connection, Scope(province_id), source, Period("", month, month).last_day)
            for month in quarter.months
        }
        sheets: dict[int, list[Admitted]] = {month: [] for month in gates}
        for position, agency in enumerate(agencies):
            for number in range(SHEETS):
                channel = PAPER if number % 2 else ONLINE
                centre = -0.7 + world.agency[position] - 0.08 * back * (position % 2) + rng.normal(0.0, 0.75)
                answers = simulated_answers(instrument, channel, centre, world, rng)
                unhappy = 0 < answers[0] <= 3
                rating = Rating.checked(
                    instrument,
                    answers,
                    place=Place(province_id, agency.agency_id, service_group=1 + number % 2),
                    channel=channel,
                    day=int(rng.integers(quarter.first_day, quarter.last_day + 1)),
                    today=quarter.last_day,
                    reasons=int(1 << rng.integers(0, len(instrument.reasons))) if unhappy else 0,
                )
                month = month_of_day(rating.day)
                sheets[month].append(gates[month].admit(rating))
        for month, gate in gates.items():
            add(connection, sheets[month], gate.today)
            made += len(sheets[month])
    return made
