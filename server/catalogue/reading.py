"""A province's agencies, levels, fields, services and transactions, as the survey needs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, literal, or_, select

from pipeline.calendar import Period, day_words
from pipeline.errors import ConflictError, NotFoundError
from pipeline.language import Message, Text
from server.catalogue.writing import NOUNS
from server.core.scope import Scope
from server.store.engine import raw_numbers
from server.store.tables.agencies import agencies, levels
from server.store.tables.counters import counters
from server.store.tables.provinces import provinces
from server.store.tables.services import fields, service_groups, services
from server.store.tables.transactions import transactions
from server.tabular.spec import Known


@dataclass(frozen=True, slots=True)
class Named:
    """Something with a code and a name. `parent`: the level of an agency, the field of a service
    group, the group of a service (0: none). `first_day`, `last_day`: of an agency, from when to when it exists."""

    id: int
    code: str
    name: Text
    parent: int = 0
    first_day: int | None = None
    last_day: int | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a province consists of, by id (service groups by number)."""

    province: Named
    simulated: bool
    levels: dict[int, Named]
    agencies: dict[int, Named]
    fields: dict[int, Named]
    groups: dict[int, Named]
    services: dict[int, Named]

    def agency(self, code: str) -> Named:
        """The agency of that code; raises `NotFoundError`."""
        return _find(self.agencies, code, NOUNS["agency"])

    def existing(self, day: int) -> dict[int, Named]:
        """The agencies that exist on a day: those that something new may be addressed to."""
        return {key: one for key, one in self.agencies.items() if exists(one.first_day, one.last_day, day)}

    def existing_one(self, agency_id: int, day: int) -> Named:
        """The agency that something new is addressed to. Raises `NotFoundError`, `ConflictError` where it is not there
        on that day."""
        found = self.agencies.get(agency_id)
        if found is None:
            raise NotFoundError(Message("There is no such agency."))
        if agency_id not in self.existing(day):
            raise ConflictError(
                Message("{agency} does not exist on {day}.", agency=found.name, day=day_words(day)),
                Message("Choose the agency that took over from it."),
            )
        return found

    def group(self, code: str) -> Named:
        """The service group of that number; raises `NotFoundError`."""
        return _find(self.groups, code, NOUNS["service_group"])


def exists(first_day: int | None, last_day: int | None, day: int) -> bool:
    """Whether an agency with these first and last days (None: open) exists on `day`."""
    return (first_day is None or first_day <= day) and (last_day is None or day <= last_day)


def _find(named: dict[int, Named], code: str, what: Message) -> Named:
    for one in named.values():
        if one.code == code:
            return one
    known = ", ".join(one.code for one in named.values())
    raise NotFoundError(
        Message("There is no {what} '{code}'.", what=what, code=code),
        Message("Known: {known}.", known=known),
    )


def read_catalogue(connection: Connection, province_id: int) -> Catalogue:
    """The catalogue of one province, agencies in order of level and code."""
    province = connection.execute(select(provinces).where(provinces.c.id == province_id)).one()

    def named(table: Table, parent: str | None = None, code: str = "code", by: str = "id") -> dict[int, Named]:
        over = table.c[parent] if parent else literal(0)
        query = Scope(province_id).select(table, table.c[by], table.c[code], table.c.name, over)
        return {key: Named(key, str(own), name, above or 0) for key, own, name, above in connection.execute(query)}

    level_of = named(levels)
    ranks = {
        row.id: row.rank for row in connection.execute(Scope(province_id).select(levels, levels.c.id, levels.c.rank))
    }
    found = named(agencies, "level_id")
    dated = or_(agencies.c.first_day.is_not(None), agencies.c.last_day.is_not(None))
    for row in connection.execute(Scope(province_id).select(agencies).where(dated)):
        found[row.id] = replace(found[row.id], first_day=row.first_day, last_day=row.last_day)
    ordered = sorted(found.values(), key=lambda agency: (ranks[agency.parent], agency.code))
    return Catalogue(
        province=Named(province.id, province.code, province.name),
        simulated=province.simulated,
        levels=dict(sorted(level_of.items(), key=lambda item: ranks[item[0]])),
        agencies={agency.id: agency for agency in ordered},
        fields=named(fields),
        groups=dict(sorted(named(service_groups, "field_id", "number", "number").items())),
        services=named(services, "service_group"),
    )


def frame_counts(connection: Connection, province_id: int, period: Period) -> dict[tuple[int, int], int]:
    """Finished transactions of a period by (agency, service group): the sampling frame."""
    query = (
        Scope(province_id)
        .select(transactions, transactions.c.agency_id, transactions.c.service_group, func.sum(transactions.c.count))
        .where(transactions.c.month.between(period.first_month, period.last_month))
        .group_by(transactions.c.agency_id, transactions.c.service_group)
    )
    agency, group, count = raw_numbers(connection, query, 3).tolist()
    return dict(zip(zip(agency, group, strict=True), count, strict=True))


def listing(connection: Connection, scope: Scope) -> dict[str, list[Row[Any]]]:
    """Every entry of every kind of the catalogue, as its page shows them."""
    order: dict[Table, tuple[ColumnElement[Any], ...]] = {
        levels: (levels.c.rank,),
        agencies: (agencies.c.code,),
        counters: (counters.c.agency_id, counters.c.code),
        fields: (fields.c.code,),
        service_groups: (service_groups.c.number,),
        services: (services.c.code,),
    }
    return {
        table.name: list(connection.execute(scope.select(table).order_by(*columns))) for table, columns in order.items()
    }


def codes(named: dict[int, Named]) -> dict[str, int]:
    """Code to id."""
    return {one.code: one.id for one in named.values()}


def known_agencies(catalogue: Catalogue) -> Known:
    """Agencies by code and name, for files."""
    return _known(catalogue.agencies, NOUNS["agency"])


def known_groups(catalogue: Catalogue) -> Known:
    """Service groups by number and name, for files."""
    return _known(catalogue.groups, NOUNS["service_group"])


def known_services(catalogue: Catalogue) -> Known:
    """Services by code and name, for files."""
    return _known(catalogue.services, NOUNS["service"])


def _known(named: dict[int, Named], what: Message) -> Known:
    found = Known(what)
    for number, one in named.items():
        found.add(number, *one.name.texts)
    found.add_codes({one.code: number for number, one in named.items()})
    return found
