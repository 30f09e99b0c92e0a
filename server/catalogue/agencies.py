"""The agencies of a province, as figures and pages list them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from pipeline.language import Text
from server.core.scope import Scope
from server.store.tables.agencies import agencies, levels


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency of the catalogue. `last_day`: the last on which it exists, None for one that goes on."""

    agency_id: int
    code: str
    name: Text
    level: str
    level_name: Text
    rank: int
    last_day: int | None = None

    def ended_before(self, day: int) -> bool:
        """Whether its last day lies before that one."""
        return self.last_day is not None and self.last_day < day


def read_agencies(connection: Connection, province_id: int, agency_id: int | None = None) -> list[Agency]:
    """The active agencies of a province (or one of them), by level and code."""
    query = (
        Scope(province_id)
        .select(
            agencies,
            agencies,
            levels.c.code.label("level"),
            levels.c.name.label("level_name"),
            levels.c.rank,
        )
        .join(levels, levels.c.id == agencies.c.level_id)
        .where(agencies.c.active)
        .order_by(levels.c.rank, agencies.c.code)
    )
    if agency_id is not None:
        query = query.where(agencies.c.id == agency_id)
    return [Agency(r.id, r.code, r.name, r.level, r.level_name, r.rank, r.last_day) for r in connection.execute(query)]
