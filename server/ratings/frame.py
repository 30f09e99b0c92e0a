"""Import of transactions: the sampling frame and the weights of every index."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select, update

from pipeline.words import Words, reason_of
from server.catalogue.reading import read_catalogue
from server.catalogue.writing import NOUNS, ImportResult
from server.core.changes import record_change
from server.ratings.imports import by_text, fail, find
from server.store.engine import write
from server.store.tables.transactions import transactions
from server.tabular.columns import read_month, recognise
from server.tabular.labels import plain
from server.tabular.tables import TableRow, bad_rows, read_rows

MAX_COUNT = 10_000_000


class _Preview(Exception):  # noqa: N818 - not an error: leaves the transaction without keeping anything
    """Raised to roll a preview back."""


def import_transactions(
    engine: Engine, province_id: int, path: Path, *, preview: bool = False, user_id: int | None = None
) -> ImportResult:
    """Import counts of finished transactions by agency, service group and month: all or nothing.

    A line that is there already with another count changes it. Raises `ImportRowError`, `ConfigError`."""
    result = ImportResult(0, 0, 0)
    try:
        with write(engine) as connection:
            result = _import(connection, province_id, path)
            if preview:
                raise _Preview
            detail = {"added": result.added, "changed": result.changed}
            record_change(connection, province_id, user_id, "transactions_imported", detail)
    except _Preview:
        pass
    return result


def _import(connection: Connection, province_id: int, path: Path) -> ImportResult:
    catalogue = read_catalogue(connection, province_id)
    agencies, groups = by_text(catalogue.agencies), by_text(catalogue.groups)
    known = recognise()
    of_province = transactions.c.province_id == province_id
    held = {
        (row["agency_id"], row["service_group"], row["month"]): (row["id"], int(row["count"]))
        for row in connection.execute(select(transactions).where(of_province)).mappings()
    }
    seen: dict[tuple[int, int, int], int] = {}
    errors: list[tuple[int, str]] = []
    new, changed, unchanged = [], [], 0
    for row in read_rows(path, lambda header: known.get(plain(header)), needed=3):
        try:
            key, count = _values(row, agencies, groups)
            if key in seen:
                raise ValueError(
                    Words(
                        f"the same agency, service group and month as in row {seen[key]}",
                        f"trùng cơ quan, nhóm thủ tục và tháng với dòng {seen[key]}",
                    )
                )
        except ValueError as error:
            errors.append((row.number, reason_of(error)))
            continue
        seen[key] = row.number
        if key not in held:
            agency, group, month = key
            new.append(
                {
                    "province_id": province_id,
                    "agency_id": agency,
                    "service_group": group,
                    "month": month,
                    "count": count,
                }
            )
        elif held[key][1] == count:
            unchanged += 1
        else:
            changed.append((held[key][0], count))
    if errors:
        raise bad_rows(errors)
    if new:
        connection.execute(insert(transactions), new)
    for number, count in changed:
        connection.execute(update(transactions).where(transactions.c.id == number).values(count=count))
    return ImportResult(len(new), len(changed), unchanged)


def _values(row: TableRow, agencies: dict[str, int], groups: dict[str, int]) -> tuple[tuple[int, int, int], int]:
    if row.problem:
        raise ValueError(row.problem)
    agency = find(agencies, row.cells.get("agency", ""), NOUNS["agency"])
    group = find(groups, row.cells["service_group"], NOUNS["service_group"]) if row.cells.get("service_group") else 0
    month = read_month(row.cells.get("month", "") or fail(Words("the month is missing", "thiếu tháng")))
    text = row.cells.get("count", "").replace(".", "").replace(",", "").replace(" ", "")
    if not text.isascii() or not text.isdigit() or int(text) > MAX_COUNT:
        given = row.cells.get("count", "")[:20]
        raise ValueError(Words(f"no count: {given!r}", f"không phải số lượng: “{given}”"))
    return (agency, group, month), int(text)
