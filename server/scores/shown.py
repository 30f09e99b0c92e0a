"""What may be seen of a province's sheets (`server.core.disclosure`), held quarter by quarter while nothing changes: of
thousands of agencies a quarter takes a second to read, and one page asks for it many times."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from pipeline.calendar import Period, period_of_months, quarter_of_month
from server.core.disclosure import SETTLED_AFTER_DAYS, Published, looking_day, published
from server.core.provinces import read_setting
from server.scores.held import Held, version_of

QUARTERS_AT_ONCE = 8
"""Longer periods are read by themselves, and held by nobody: what is held is for the quarters that pages show."""
_held: Held[Published] = Held(24)


def shown_of(connection: Connection, province_id: int, period: Period, below: int | None = None) -> Published:
    """What is shown of a province for a period: `published`, of which every quarter is read once."""
    floor = int(read_setting(connection, province_id, "min_answers")) if below is None else below
    first, last = (
        quarter_of_month(max(0, period.first_month)).first_month,
        quarter_of_month(period.last_month).first_month,
    )
    quarters = range(first, last + 1, 3)
    if len(quarters) > QUARTERS_AT_ONCE:
        return published(connection, province_id, period, below=floor)
    now, version = looking_day(), version_of(connection, province_id)
    parts = [
        _held.get(
            (province_id, quarter, floor, now),
            version,
            partial(published, connection, province_id, period_of_months(quarter, quarter + 2), below=floor),
        )
        for quarter in quarters
    ]
    settled = now > quarter_of_month(period.last_month).last_day + SETTLED_AFTER_DAYS
    if len(parts) == 1:
        return Published(floor, period, settled, parts[0].cutoffs, parts[0].months, parts[0].levels)
    cutoffs = {key: last_day for part in parts for key, last_day in part.cutoffs.items()}
    months = {key: sheets for part in parts for key, sheets in part.months.items()}
    return Published(floor, period, settled, cutoffs, months, parts[0].levels)
