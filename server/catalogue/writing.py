"""The catalogue of a province: agencies, counters, services, service groups, fields, levels; from rows, all or nothing.

A row is a mapping of column name to text, from a file or a form. A repeated import changes nothing. A row whose code
exists, in whatever case it is written, changes that entry's names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table

from pipeline.errors import InvalidError, NotFoundError
from pipeline.language import DEFAULT, Message, Text
from pipeline.text import first_alike, first_unsafe, match_key, one_line
from server.core.changes import record_change
from server.core.scope import Scope
from server.store.tables.agencies import agencies, levels
from server.store.tables.counters import counters
from server.store.tables.services import fields, service_groups, services
from server.tabular.spec import ImportResult, ImportSpec, Options, Problems, store_rows
from server.tabular.values import check_code, read_day, read_whole

Row = Mapping[str, str]
MAX_NAME = 200

NOUNS: dict[str, Message] = {
    "agency": Message("agency"),
    "level": Message("level"),
    "field": Message("field"),
    "service": Message("service"),
    "service_group": Message("service group"),
}
"""What the catalogue holds, as refusals name it."""

COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "levels": (("code", "name_vi", "rank"), ("name_en",)),
    "fields": (("code", "name_vi"), ("name_en",)),
    "agencies": (("code", "name_vi", "level"), ("name_en", "official_code", "area_code", "first_day", "last_day")),
    "counters": (("agency", "code", "name_vi"), ("name_en",)),
    "service_groups": (("number", "name_vi"), ("name_en", "field")),
    "services": (("code", "name_vi"), ("name_en", "service_group")),
}
"""Kind -> (columns that must be there, columns that may); beside these a name in any language (`name_tyz`)."""

_OF_AN_AGENCY = ("official_code", "area_code", "first_day", "last_day")
"""Columns of an agency that a row may leave out: what is there stays."""
_TABLES: dict[str, tuple[Table, tuple[str, ...], tuple[str, ...]]] = {
    "levels": (levels, ("code",), ("name", "rank")),
    "fields": (fields, ("code",), ("name",)),
    "agencies": (agencies, ("code",), ("name", "level_id", *_OF_AN_AGENCY)),
    "counters": (counters, ("agency_id", "code"), ("name",)),
    "service_groups": (service_groups, ("number",), ("name", "field_id")),
    "services": (services, ("code",), ("name", "service_group")),
}
"""Kind -> (table, columns that a row is known again by, columns that a repeated row changes)."""


_CODE = re.compile(r"""[^\W_][^/\\?#%;|"'<>]*""")
"""A new code: with any other sign a page of it could not be reached, or a spreadsheet would run it."""


class CatalogueReader:
    """Reads one kind's rows into column values."""

    def __init__(self, connection: Connection, scope: Scope, kind: str) -> None:
        self.kind = kind
        self.table, self.key, self.change = _TABLES[kind]
        self.known_by = Message("number") if "number" in self.key else Message("code")
        self._levels = _codes(connection, scope, levels)
        self._fields = _codes(connection, scope, fields)
        self._agencies = _codes(connection, scope, agencies)
        groups = scope.select(service_groups, service_groups.c.number)
        self._groups = {int(number) for number in connection.execute(groups).scalars()}
        named = [self.table.c[name] for name in self.key]
        self._names: dict[tuple[Any, ...], Text] = {
            tuple(row[:-1]): row[-1] for row in connection.execute(scope.select(self.table, *named, self.table.c.name))
        }
        self._spelt: dict[str, str] = {}
        self._held = {}
        self._official: dict[str, str] = {}
        if kind == "agencies":
            query = scope.select(agencies, agencies.c.code, *(agencies.c[name] for name in _OF_AN_AGENCY))
            self._held = {match_key(row.code): row._asdict() for row in connection.execute(query)}
            self._official = {match_key(row["official_code"]): code for code, row in self._held.items()}
        if "code" in self.table.c and kind != "counters":
            query = scope.select(self.table, self.table.c.code)
            self._spelt = {match_key(code): code for code in connection.execute(query).scalars()}

    def values(self, cells: Row) -> dict[str, Any]:
        """Column values of a row. Raises `ValueError` with everything that is wrong."""
        must, may = COLUMNS[self.kind]
        problems = Problems()
        for name, given in cells.items():
            if unsafe := first_unsafe(given or ""):
                problems.add(Message("{name}: a character that cannot be shown: {unsafe}", name=name, unsafe=unsafe))
        texts = {name: one_line(cells.get(name) or "") for name in (*must, *may)}
        missing = [name for name in must if not texts[name]]
        if missing:
            problems.add(Message("empty: {missing}", missing=", ".join(missing)))
        names = {name: one_line(given or "") for name, given in cells.items() if name.startswith("name_")}
        for name, limit in (("code", 40), *((name, MAX_NAME) for name in names)):
            if len(names.get(name, "") or texts.get(name, "")) > limit:
                problems.add(Message("{name} is longer than {limit} characters", name=name, limit=limit))
        values: dict[str, Any] = {}
        for name, text in {**names, "code": texts.get("code", "")}.items():
            if name in ("code", "name_vi", "name_en") and (alike := first_alike(text)):
                problems.add(
                    Message(
                        "{name}: {sign} looks like a Latin letter and is none: type it again", name=name, sign=alike
                    )
                )
        if "code" in texts:
            key = match_key(texts["code"])
            if key and key not in self._spelt and not _CODE.fullmatch(texts["code"]):
                problems.add(
                    Message(
                        "the code '{code}' stands in addresses and tables: begin with a letter or a number, and leave "
                        "out / \\ ? # % ; | and quotes",
                        code=texts["code"][:40],
                    )
                )
            problems.of(check_code, texts["code"], otherwise=None)
            values["code"] = self._spelt.setdefault(key, texts["code"]) if self.kind != "counters" else texts["code"]
        values |= self._more(texts, cells, problems)
        problems.end()
        return {**values, "name": self._name(tuple(values[name] for name in self.key), names)}

    def _name(self, key: tuple[Any, ...], given: Row) -> Text:
        """The name in every language that the row tells, and in those of which it has no column, as long as the
        Vietnamese one stays: a translation belongs to the name that was translated."""
        held = self._names.get(key, Text(()))
        same = held.in_language(DEFAULT) == given["name_vi"]
        return Text.of_row({**{f"name_{lang}": name for lang, name in held.words if same}, **given})

    def _of_an_agency(self, texts: Row, given: Row, problems: Problems) -> dict[str, Any]:
        """Official codes and validity; a column that the row does not have leaves what is there."""
        key = match_key(texts["code"])
        held = self._held.get(key, {"official_code": "", "area_code": "", "first_day": None, "last_day": None})
        found = {name: held[name] for name in _OF_AN_AGENCY}
        for name, limit in (("official_code", 40), ("area_code", 10)):
            if name in given:
                found[name] = texts[name].upper()
                if len(texts[name]) > limit:
                    problems.add(Message("{name} is longer than {limit} characters", name=name, limit=limit))
        for name in ("first_day", "last_day"):
            if name in given:
                found[name] = problems.of(read_day, texts[name], otherwise=None) if texts[name] else None
        first, last = found["first_day"], found["last_day"]
        if first is not None and last is not None and last < first:
            problems.add(Message("the last day lies before the first"))
        official = match_key(found["official_code"])
        if official and self._official.setdefault(official, key) != key:
            problems.add(Message("another agency has the official code {code}", code=found["official_code"]))
        return found

    def _more(self, texts: Row, given: Row, problems: Problems) -> dict[str, Any]:
        match self.kind:
            case "levels":
                return {"rank": problems.of(_whole, texts["rank"], "rank", 1, 9, otherwise=1)}
            case "agencies":
                level = problems.of(_known, self._levels, texts["level"], "level", otherwise=0)
                return {"level_id": level, **self._of_an_agency(texts, given, problems)}
            case "counters":
                return {"agency_id": problems.of(_known, self._agencies, texts["agency"], "agency", otherwise=0)}
            case "service_groups":
                field = texts["field"]
                return {
                    "number": problems.of(_whole, texts["number"], "number", 0, 255, otherwise=0),
                    "field_id": problems.of(_known, self._fields, field, "field", otherwise=0) if field else None,
                }
            case "services":
                group = problems.of(_whole, texts["service_group"] or "0", "service_group", 0, 255, otherwise=0)
                if group and group not in self._groups:
                    problems.add(Message("unknown service group: {group}", group=group))
                return {"service_group": group}
        return {}


_FEW = 12
"""So many codes are named to somebody who wrote another."""


def _codes(connection: Connection, scope: Scope, table: Table) -> dict[str, int]:
    """Codes, made comparable, to ids."""
    query = scope.select(table, table.c.code, table.c.id)
    return {match_key(row.code): row.id for row in connection.execute(query)}


def _whole(text: str, name: str, low: int, high: int) -> int:
    try:
        return read_whole(text, low, high)
    except ValueError:
        raise ValueError(
            Message("{name} must be a whole number from {low} to {high}", name=name, low=low, high=high)
        ) from None


def _known(ids: Mapping[str, int], code: str, name: str) -> int:
    found = ids.get(match_key(code))
    if found is None:
        if ids and len(ids) <= _FEW:  # a newcomer writes a level's name where its code belongs
            known = ", ".join(sorted(ids))
            raise ValueError(
                Message("unknown {what}: {code} (there are: {known})", what=NOUNS[name], code=code, known=known)
            )
        raise ValueError(Message("unknown {what}: {code}", what=NOUNS[name], code=code))
    return found


def _reader_of(kind: str) -> Callable[[Connection, Scope, Options], CatalogueReader]:
    def reader(connection: Connection, scope: Scope, _options: Options) -> CatalogueReader:
        return CatalogueReader(connection, scope, kind)

    return reader


SPECS = tuple(ImportSpec(kind, must, may, _reader_of(kind), any_name=True) for kind, (must, may) in COLUMNS.items())
"""The catalogue's kinds of files."""


def import_catalogue(
    connection: Connection,
    province_id: int,
    kind: str,
    rows: Iterable[tuple[int, Row]],
    *,
    preview: bool = False,
    user_id: int | None = None,
) -> ImportResult:
    """Add or change entries of one kind (`COLUMNS`) from (row number, row) pairs: all or nothing.

    `preview`: counts only, nothing is written. Raises `ImportRowError` with every bad row's number and reason."""
    if kind not in COLUMNS:
        raise InvalidError(
            Message("There is no catalogue of '{kind}'.", kind=kind),
            Message("Known: {columns}.", columns=", ".join(COLUMNS)),
        )
    scope = Scope(province_id)
    return store_rows(
        connection, scope, CatalogueReader(connection, scope, kind), rows, preview=preview, user_id=user_id
    )


def switch_agency(connection: Connection, scope: Scope, agency_id: int, active: bool, by: int | None) -> None:
    """Take an agency out of the scores, or in again; its ratings stay. Raises `NotFoundError`."""
    held = connection.execute(scope.select(agencies, agencies.c.active).where(agencies.c.id == agency_id)).first()
    if held is None:
        raise NotFoundError(Message("There is no such agency."))
    connection.execute(scope.update(agencies).where(agencies.c.id == agency_id).values(active=active))
    detail = {"agency": agency_id, "active": [bool(held.active), active]}
    record_change(connection, scope.province_id, by, "agency_active", detail)
