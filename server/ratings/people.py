"""Import of enumerators and of phone numbers to ask."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from pipeline.calendar import today
from pipeline.errors import ConfigError
from pipeline.words import Words, reason_of
from server.catalogue.reading import read_catalogue
from server.catalogue.writing import NOUNS, ImportResult
from server.core.changes import record_change
from server.core.provinces import read_setting
from server.ratings.imports import by_text, find
from server.store.engine import write
from server.store.tables.contacts import enumerators, phone_contacts
from server.store.tables.rounds import rounds
from server.tabular.columns import recognise
from server.tabular.labels import plain
from server.tabular.tables import bad_rows, read_rows

_DIGITS = re.compile(r"\D")


def national_number(text: str) -> str:
    """A Vietnamese phone number in national form (0 and 9 or 10 digits). Raises `ValueError`."""
    digits = _DIGITS.sub("", text)
    if digits.startswith("84"):
        digits = "0" + digits[2:]
    elif digits and not digits.startswith("0") and len(digits) == 9:
        digits = "0" + digits  # a spreadsheet took the number for a figure and dropped the zero
    if not re.fullmatch(r"0\d{9,10}", digits):
        raise ValueError(Words("no phone number", "không phải số điện thoại"))
    return digits


def import_enumerators(
    engine: Engine, province_id: int, path: Path, *, preview: bool = False, user_id: int | None = None
) -> ImportResult:
    """Import enumerators (code, name, organisation, phone): all or nothing; codes that are there stay as they are."""
    return _import(engine, province_id, path, "enumerators", None, preview, user_id)


def import_phones(
    engine: Engine,
    province_id: int,
    path: Path,
    round_code: str,
    *,
    preview: bool = False,
    user_id: int | None = None,
) -> ImportResult:
    """Import phone numbers to ask in a round (phone, agency, service_group): all or nothing; known numbers stay."""
    return _import(engine, province_id, path, "phones", round_code, preview, user_id)


def _import(
    engine: Engine,
    province_id: int,
    path: Path,
    kind: str,
    round_code: str | None,
    preview: bool,
    user_id: int | None,
) -> ImportResult:
    with write(engine) as connection:
        expires = today() + int(read_setting(connection, province_id, "contact_days"))
        if kind == "phones":
            table, key = phone_contacts, "phone"
            fixed = {"round_id": _round(connection, province_id, round_code or ""), "state": "to_ask"}
        else:
            table, key, fixed = enumerators, "code", {"active": True}
        where = [table.c.province_id == province_id]
        where += [table.c.round_id == fixed["round_id"]] if kind == "phones" else []
        held = {row[0] for row in connection.execute(select(table.c[key]).where(*where))}
        rows, existing = _read(connection, province_id, path, kind, held)
        added = [{"province_id": province_id, **fixed, "expires_day": expires, **row} for row in rows]
        if not preview and added:
            connection.execute(insert(table), added)
            record_change(connection, province_id, user_id, f"{kind}_imported", {"added": len(added)})
    return ImportResult(len(added), 0, existing)


def _round(connection: Connection, province_id: int, code: str) -> int:
    query = select(rounds.c.id).where(rounds.c.province_id == province_id, rounds.c.code == code)
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise ConfigError(
            Words(f"There is no round {code!r}.", f"Không có đợt “{code}”."),
            Words("Name the round with --round; rounds are made on the page.", "Hãy chọn một đợt khảo sát."),
        )
    return int(found)


def _read(
    connection: Connection, province_id: int, path: Path, kind: str, held: set[str]
) -> tuple[list[dict[str, Any]], int]:
    catalogue = read_catalogue(connection, province_id)
    agencies, groups = by_text(catalogue.agencies), by_text(catalogue.groups)
    known = recognise()
    errors: list[tuple[int, str]] = []
    rows: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    existing = 0
    for row in read_rows(path, lambda header: known.get(plain(header))):
        try:
            if row.problem:
                raise ValueError(row.problem)
            cells = row.cells
            if kind == "phones":
                key = national_number(cells.get("phone", ""))
                group = cells.get("service_group", "")
                values: dict[str, Any] = {
                    "phone": key,
                    "agency_id": find(agencies, cells.get("agency", ""), NOUNS["agency"]),
                    "service_group": find(groups, group, NOUNS["service_group"]) if group else 0,
                }
            else:
                key = cells.get("code", "")[:20]
                if not key or not cells.get("name_vi"):
                    raise ValueError(Words("code and name are needed", "cần có mã và tên"))
                phone = cells.get("phone", "")
                values = {
                    "code": key,
                    "name": cells["name_vi"][:120],
                    "organisation": cells.get("organisation", "")[:200],
                    "phone": national_number(phone) if phone else "",
                }
            if key in seen:
                raise ValueError(Words(f"the same as in row {seen[key]}", f"trùng với dòng {seen[key]}"))
        except ValueError as error:
            errors.append((row.number, reason_of(error)))
            continue
        seen[key] = row.number
        if key in held:
            existing += 1
        else:
            rows.append(values)
    if errors:
        raise bad_rows(errors)
    return rows, existing
