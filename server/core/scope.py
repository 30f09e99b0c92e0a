"""Whose rows a statement reaches: a province's, or one agency's within it.

Every statement on a table with `province_id` is begun here, so that the filter can be neither forgotten nor written in
two ways: `tests/server/core/test_scope.py` forbids a comparison with `province_id` anywhere else in `server/`.

A user's scope is `user.scope`; a command's, a box's or a gateway's is `Scope(province_id)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Alias,
    ColumnElement,
    Connection,
    Delete,
    FromClause,
    Select,
    Table,
    Update,
    and_,
    delete,
    select,
    update,
)

from server.store.engine import insert_row


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows of one province; with `agency_id`, of the tables that name an agency, that agency's rows alone."""

    province_id: int
    agency_id: int | None = None

    @property
    def province(self) -> Scope:
        """The whole province: for what its agencies share, such as the names of its rounds."""
        return Scope(self.province_id)

    def of_agency(self, agency_id: int) -> Scope:
        """One agency's rows. A scope that is another agency's already stays as it is, and so finds nothing new."""
        return self if self.agency_id is not None else Scope(self.province_id, agency_id)

    def where(self, table: FromClause) -> ColumnElement[bool]:
        """The condition on a table, or on an alias of one: for a join, or a statement that is built elsewhere."""
        of_province: ColumnElement[bool] = table.c.province_id == self.province_id
        if self.agency_id is None:
            return of_province
        # an agency's own row is known by its key, those of other tables by the column that names it
        own = isinstance(table, Table | Alias) and getattr(table, "element", table).name == "agencies"
        agency = table.c.get("id" if own else "agency_id")
        return of_province if agency is None else and_(of_province, agency == self.agency_id)

    def select(self, table: FromClause, *columns: Any) -> Select[Any]:
        """The rows of `table` in this scope: all its columns, or those named (of other tables too, to be joined)."""
        query: Select[Any] = select(*columns).select_from(table) if columns else select(table)
        return query.where(self.where(table))

    def update(self, table: Table) -> Update:
        """A change of the rows of `table` in this scope."""
        return update(table).where(self.where(table))

    def delete(self, table: Table) -> Delete:
        """Removal of the rows of `table` in this scope."""
        return delete(table).where(self.where(table))

    def insert(self, connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
        """Insert one row of this province and return its id."""
        return insert_row(connection, table, {**values, "province_id": self.province_id})

    def filter(self, rows: Any) -> Any:
        """The rows of an Ibis table in this scope."""
        kept = rows.filter(rows.province_id == self.province_id)
        if self.agency_id is None or "agency_id" not in rows.columns:
            return kept
        return kept.filter(kept.agency_id == self.agency_id)
