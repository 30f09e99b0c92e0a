"""What the implicit signal adds at every agency, made beside the page: no page waits for it longer than a moment."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sqlalchemy import Engine

from pipeline.calendar import Period
from server.scores.beside import beside
from server.scores.fused import AgencyScore, agency_scores
from server.scores.held import Held, version_of
from server.store.engine import read

_held: Held[Mapping[str, AgencyScore]] = Held(6)


def signals(
    engine: Engine, province_id: int, period: Period, wait_s: float | None = None, began_s: float | None = None
) -> Mapping[str, AgencyScore] | None:
    """By the agencies' codes; None while it is still being made (`beside`). `began_s`: when the page began that asks
    (`time.monotonic`)."""
    with read(engine) as connection:
        version = version_of(connection, province_id)
    return beside(
        _held,
        (province_id, period),
        version,
        lambda: {one.id: one for one in agency_scores(engine, province_id, period)},
        wait_s,
        0.0 if began_s is None else time.monotonic() - began_s,
    )
