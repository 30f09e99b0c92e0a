"""The catalogue of a province: agencies, counters, services, service groups, fields, levels; from rows, all or nothing.

A row is a mapping of column name to text, as a CSV or XLSX reader gives it. A repeated import changes nothing. A row
whose code exists changes that entry's names.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, insert

from pipeline.errors import ImportRowError, InvalidError, NotFoundError
from pipeline.words import Words, reason_of
from server.core.changes import record_change
from server.core.scope import Scope
from server.store.tables.agencies import agencies, levels
from server.store.tables.counters import counters
from server.store.tables.services import fields, service_groups, services

Row = Mapping[str, str]

NOUNS: dict[str, Words] = {
    "agency": Words("agency", "cơ quan"),
    "level": Words("level", "cấp hành chính"),
    "field": Words("field", "ngành, lĩnh vực"),
    "service": Words("service", "thủ tục"),
    "service_group": Words("service group", "nhóm thủ tục"),
}
"""What the catalogue holds, as refusals name it."""

COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "levels": (("code", "name_vi", "rank"), ("name_en",)),
    "fields": (("code", "name_vi"), ("name_en",)),
    "agencies": (("code", "name_vi", "level"), ("name_en",)),
    "counters": (("agency", "code", "name_vi"), ("name_en",)),
    "service_groups": (("number", "name_vi"), ("name_en", "field")),
    "services": (("code", "name_vi"), ("name_en", "group")),
}
"""Kind -> (columns that must be there, columns that may)."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, or in a preview would do."""

    added: int
    changed: int
    unchanged: int


def _clean(text: str | None) -> str:
    return unicodedata.normalize("NFC", (text or "").strip())


def _ids(connection: Connection, table: Table, province_id: int, column: str) -> dict[Any, int]:
    query = Scope(province_id).select(table, table.c[column], table.c.id)
    return {row[0]: row[1] for row in connection.execute(query)}


class _Reader:
    """Reads one kind's rows into column values, collecting what is wrong by row."""

    def __init__(self, connection: Connection, province_id: int, kind: str) -> None:
        self.kind = kind
        self.errors: list[tuple[int, str]] = []
        self.levels = _ids(connection, levels, province_id, "code")
        self.fields = _ids(connection, fields, province_id, "code")
        self.agencies = _ids(connection, agencies, province_id, "code")
        self.groups = set(_ids(connection, service_groups, province_id, "number"))

    def values(self, number: int, row: Row) -> dict[str, Any] | None:
        """Column values of a row, or None where it was reported."""
        try:
            return self._values(row)
        except ValueError as error:
            self.errors.append((number, reason_of(error)))
            return None

    def _values(self, row: Row) -> dict[str, Any]:
        must, may = COLUMNS[self.kind]
        cells = {name: _clean(row.get(name)) for name in (*must, *may)}
        missing = [name for name in must if not cells[name]]
        if missing:
            raise ValueError(Words(f"empty: {', '.join(missing)}", f"để trống: {', '.join(missing)}"))
        for name, limit in (("code", 40), ("name_vi", 200), ("name_en", 200)):
            if len(cells.get(name, "")) > limit:
                raise ValueError(Words(f"{name} is longer than {limit} characters", f"{name} dài hơn {limit} ký tự"))
        values: dict[str, Any] = {"name_vi": cells["name_vi"], "name_en": cells["name_en"] or cells["name_vi"]}
        if "code" in cells:
            values["code"] = cells["code"]
        match self.kind:
            case "levels":
                values["rank"] = _whole(cells["rank"], "rank", 1, 9)
            case "agencies":
                values["level_id"] = _known(self.levels, cells["level"], "level")
            case "counters":
                values["agency_id"] = _known(self.agencies, cells["agency"], "agency")
            case "service_groups":
                values["number"] = _whole(cells["number"], "number", 0, 255)
                values["field_id"] = _known(self.fields, cells["field"], "field") if cells["field"] else None
            case "services":
                group = _whole(cells["group"] or "0", "group", 0, 255)
                if group and group not in self.groups:
                    raise ValueError(Words(f"unknown service group: {group}", f"không có nhóm thủ tục: {group}"))
                values["service_group"] = group
        return values


def _whole(text: str, name: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(
            Words(
                f"{name} must be a whole number from {low} to {high}", f"{name} phải là số nguyên từ {low} đến {high}"
            )
        )
    return int(text)


def _known(ids: Mapping[Any, int], code: str, name: str) -> int:
    if code not in ids:
        raise ValueError(Words(f"unknown {name}: {code}", f"không có {NOUNS[name].vi}: {code}"))
    return ids[code]


_TABLES: dict[str, tuple[Table, tuple[str, ...]]] = {
    "levels": (levels, ("code",)),
    "fields": (fields, ("code",)),
    "agencies": (agencies, ("code",)),
    "counters": (counters, ("agency_id", "code")),
    "service_groups": (service_groups, ("number",)),
    "services": (services, ("code",)),
}


def import_catalogue(
    connection: Connection, province_id: int, kind: str, rows: Iterable[tuple[int, Row]], *, preview: bool = False
) -> ImportResult:
    """Add or change entries of one kind (`COLUMNS`) from (row number, row) pairs: all or nothing.

    `preview`: counts only, nothing is written. Raises `ImportRowError` with every bad row's number and reason."""
    if kind not in COLUMNS:
        raise InvalidError(
            Words(f"There is no catalogue of {kind!r}.", "Không có loại danh mục này."),
            Words(f"Known: {', '.join(COLUMNS)}.", f"Có: {', '.join(COLUMNS)}."),
        )
    table, key_columns = _TABLES[kind]
    reader = _Reader(connection, province_id, kind)
    existing = {
        tuple(getattr(row, name) for name in key_columns): row
        for row in connection.execute(Scope(province_id).select(table))
    }
    seen: dict[tuple[Any, ...], int] = {}
    new: list[dict[str, Any]] = []
    changed: list[tuple[int, dict[str, Any]]] = []
    unchanged = 0
    for number, row in rows:
        values = reader.values(number, row)
        if values is None:
            continue
        row_key = tuple(values[name] for name in key_columns)
        if row_key in seen:
            reader.errors.append(
                (number, Words(f"the same code as in row {seen[row_key]}", f"trùng mã với dòng {seen[row_key]}"))
            )
            continue
        seen[row_key] = number
        old = existing.get(row_key)
        if old is None:
            new.append({"province_id": province_id, **values})
        elif all(getattr(old, name) == value for name, value in values.items()):
            unchanged += 1
        else:
            changed.append((old.id, values))
    if reader.errors:
        raise ImportRowError(
            Words(
                f"{len(reader.errors)} rows of {kind} do not fit; nothing was imported.",
                f"{len(reader.errors)} dòng không hợp lệ; chưa nhập gì.",
            ),
            sorted(reader.errors),
            Words("Correct them.", "Hãy sửa các dòng này."),
        )
    if not preview:
        if new:
            connection.execute(insert(table), new)
        for entry_id, values in changed:
            connection.execute(Scope(province_id).update(table).where(table.c.id == entry_id).values(values))
    return ImportResult(len(new), len(changed), unchanged)


def switch_agency(connection: Connection, scope: Scope, agency_id: int, active: bool, by: int | None) -> None:
    """Take an agency out of the scores, or in again; its ratings stay. Raises `NotFoundError`."""
    changed = scope.update(agencies).where(agencies.c.id == agency_id).values(active=active)
    if connection.execute(changed).rowcount != 1:
        raise NotFoundError(Words("There is no such agency.", "Không có cơ quan này."))
    record_change(connection, scope.province_id, by, "agency_active", {"agency": agency_id, "active": active})
