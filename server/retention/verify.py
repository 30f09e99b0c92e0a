"""What a store must hold to be believed: whole pages, rows that point somewhere, unbroken logs, finished imports; and
its digest.

The digest is of the rows, not of the file: SHA-256 of every table's rows in the order of their keys, as a backup writes
them. So a store and its restored copy have the same one, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, func, select

from pipeline.errors import LogError
from pipeline.language import Message, Plural, Sentence
from pipeline.language.console import spoken
from server.core.changes import verify_changes
from server.core.provinces import all_provinces
from server.ratings.batches import unfinished
from server.store.archive import one_view, rows_of, tables_of
from server.store.upgrade import newest_version, store_version

Progress = Callable[[str, int], None]


@dataclass(slots=True)
class StoreVerdict:
    """What was found. `tables`: rows and SHA-256 of every table; `digest`: of all of them; `problems`: in words."""

    version: str
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    provinces: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[Sentence] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """SHA-256, hex, of the names and digests of all tables."""
        lines = [f"{name} {found['rows']} {found['sha256']}\n" for name, found in sorted(self.tables.items())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def compare(self, manifest: Mapping[str, Any]) -> None:
        """Hold the store against a backup's manifest: every table that differs is a problem."""
        if manifest["version"] != self.version:
            self.problems.append(
                Message(
                    "the backup is of version {backup}, the store of {store}",
                    backup=manifest["version"],
                    store=self.version,
                )
            )
            return
        for name in sorted(self.tables.keys() | manifest["tables"].keys()):
            here, there = self.tables.get(name), manifest["tables"].get(name)
            if here is None or there is None or (here["rows"], here["sha256"]) != (there["rows"], there["sha256"]):
                rows = [found["rows"] if found else Message("no table") for found in (here, there)]
                self.problems.append(
                    Message(
                        "{name}: {here} rows here, {there} in the backup, and they differ",
                        name=name,
                        here=rows[0],
                        there=rows[1],
                    )
                )


def verify_store(engine: Engine, progress: Progress | None = None) -> StoreVerdict:
    """Read the whole store in one view and judge it. Raises `StoreError` where it does not answer or is empty."""
    version = store_version(engine) or ""
    verdict = StoreVerdict(version)
    if version != newest_version():
        verdict.problems.append(
            Message(
                "the store has version {version}, this program {newest}",
                version=version or Message("none"),
                newest=newest_version(),
            )
        )
        return verdict
    with one_view(engine) as connection:
        _pages(connection, verdict)
        tables = tables_of(connection)
        _pointers(connection, tables, verdict)
        for table in tables:
            digest, rows = hashlib.sha256(), 0
            for line in rows_of(connection, table):
                digest.update(line)
                rows += 1
            verdict.tables[table.name] = {"rows": rows, "sha256": digest.hexdigest()}
            if progress is not None:
                progress(table.name, rows)
        for province in all_provinces(connection):
            _province(connection, province.province_id, province.code, verdict)
    return verdict


def _pages(connection: Connection, verdict: StoreVerdict) -> None:
    """SQLite's own check of its file; PostgreSQL checks its pages itself where data checksums are on."""
    if connection.dialect.name == "sqlite":
        for (found,) in connection.exec_driver_sql("PRAGMA integrity_check(20)"):
            if found != "ok":
                verdict.problems.append(Message("the data base's file: {found}", found=found))


def _pointers(connection: Connection, tables: list[Table], verdict: StoreVerdict) -> None:
    """Every foreign key of every table leads to a row: also where a hand has switched the checks off."""
    for table in tables:
        for constraint in table.foreign_key_constraints:
            target = constraint.referred_table.alias()
            pairs = [(element.parent, target.c[element.column.name]) for element in constraint.elements]
            given = and_(*(column.is_not(None) for column, _ in pairs))
            found = and_(*(column == other for column, other in pairs))
            query = select(func.count()).select_from(table.outerjoin(target, found))
            lost = connection.execute(query.where(given, pairs[0][1].is_(None))).scalar_one()
            if lost:
                columns = ", ".join(column.name for column, _ in pairs)
                verdict.problems.append(
                    Message(
                        "{table}: {count} rows whose {columns} lead to no {other}",
                        table=table.name,
                        count=lost,
                        columns=columns,
                        other=constraint.referred_table.name,
                    )
                )


def _province(connection: Connection, province_id: int, code: str, verdict: StoreVerdict) -> None:
    try:
        entries, head = verify_changes(connection, province_id)
        verdict.provinces[code] = {"changes": entries, "head": head}
    except LogError as error:
        verdict.problems.append(Message("{province}: {problem}", province=code, problem=error))
    waiting = unfinished(connection, province_id)
    if waiting:
        verdict.problems.append(
            Plural(
                "{province}: an import was cut off, {count} row; import the same file again",
                "{province}: an import was cut off, {count} rows; import the same file again",
                count=waiting,
                province=code,
            )
        )


def as_json(verdict: StoreVerdict) -> str:
    """The verdict as one JSON object."""
    found = {"holds": verdict.holds, "version": verdict.version, "digest": verdict.digest}
    found |= {**spoken("problems", verdict.problems), "tables": verdict.tables, "provinces": verdict.provinces}
    return json.dumps(found, ensure_ascii=False)
