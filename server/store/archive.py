"""Backups: one ZIP file of the whole store, the same for SQLite and PostgreSQL, so that it also moves between them.

`manifest.json` names the schema's version and every table's rows and SHA-256; `tables/NAME.jsonl` holds the rows. A
backup is read in one transaction. It is restored into an empty store, or in one transaction in the place of one
(`replace`): at the backup's version first, then upgraded to this program's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, Engine, MetaData, Table, func, select
from sqlalchemy.exc import SQLAlchemyError

from pipeline.calendar import today
from pipeline.errors import InvalidError, StoreError
from pipeline.language import Message
from server.store.engine import read, write
from server.store.sealing import Opener, Seal, memory_file, opened, seal
from server.store.upgrade import newest_version, rebuilding, store_version, upgrade, upgrade_on, versions

FORMAT = 1
_BATCH = 2_000
_DAMAGE = (zipfile.BadZipFile, KeyError, ValueError, SQLAlchemyError, InvalidError)
Progress = Callable[[str, int], None]


def tables_of(connection: Connection) -> list[Table]:
    """The store's tables as they are, in the order in which rows can be inserted; none that this user may not read,
    which is somebody else's in the same data base."""
    reflected = MetaData()
    reflected.reflect(connection, only=_names(connection, "has_table_privilege(oid, 'SELECT')"))
    return [table for table in reflected.sorted_tables if table.name != "alembic_version"]


def _names(connection: Connection, which: str) -> list[str] | None:
    """Tables of the schema for which an expression of PostgreSQL holds; None, all of them, on SQLite."""
    if connection.dialect.name != "postgresql":
        return None
    here = "relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
    return list(connection.exec_driver_sql(f"SELECT relname FROM pg_class WHERE {here} AND {which}").scalars())  # noqa: S608


def rows_of(connection: Connection, table: Table) -> Iterator[bytes]:
    """The rows of a table in the order of their keys, each as a line of JSON: the same bytes on every data base."""
    order = list(table.primary_key.columns)
    result = connection.execution_options(yield_per=_BATCH).execute(select(table).order_by(*order))
    for row in result:
        yield json.dumps(list(row), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def backup(
    engine: Engine,
    path: Path,
    keys_dir: Path | None = None,
    progress: Progress | None = None,
    *,
    for_whom: Seal | None = None,
) -> dict[str, int]:
    """Write a backup (mode 0600; never over a file) and return rows by table. `keys_dir`: the server's keys go along.
    `for_whom`: sealed in the age format for them; None: in the clear.

    Raises `StoreError`."""
    version = store_version(engine)
    if version is None:
        raise StoreError(Message("The store is empty: there is nothing to back up."))
    part = path.with_name(f"{path.name}.part")
    if path.exists():
        raise _exists(path)
    try:
        part.unlink(missing_ok=True)  # of one that was killed, or laid there by somebody else: never written into
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(
            Message("{path} cannot be written ({strerror}).", path=path, strerror=error.strerror),
            Message("Choose a folder that exists."),
        ) from None
    try:
        with (
            os.fdopen(handle, "wb") as file,
            memory_file() if for_whom else contextlib.nullcontext(file) as plain,
        ):
            counts = _write_archive(engine, plain, version, keys_dir, progress)
            if for_whom:
                seal(plain, file, for_whom)
            file.flush()
            os.fsync(file.fileno())
        _name(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return counts


def _exists(path: Path) -> StoreError:
    return StoreError(
        Message("{path} exists.", path=path), Message("Choose another name: a backup never replaces a file.")
    )


def _name(part: Path, path: Path) -> None:
    """Give a whole backup its name, which a cut off one never has; a file that came there meanwhile stays."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without hard links
        if path.exists():
            raise _exists(path) from None
        part.rename(path)
    part.unlink(missing_ok=True)


def _write_archive(
    engine: Engine, file: BinaryIO, version: str, keys_dir: Path | None, progress: Progress | None
) -> dict[str, int]:
    counts: dict[str, int] = {}
    tables: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive, one_view(engine) as connection:
        for table in tables_of(connection):
            digest, count = hashlib.sha256(), 0
            with archive.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as member:
                for line in rows_of(connection, table):
                    digest.update(line)
                    member.write(line)
                    count += 1
                    if progress and count % 50_000 == 0:
                        progress(table.name, count)
            columns = [column.name for column in table.columns]
            tables[table.name] = {"rows": count, "columns": columns, "sha256": digest.hexdigest()}
            counts[table.name] = count
        keys = []
        for key_file in sorted(keys_dir.iterdir()) if keys_dir is not None and keys_dir.is_dir() else []:
            archive.write(key_file, f"keys/{key_file.name}")
            keys.append(key_file.name)
        manifest = {"format": FORMAT, "version": version, "day": today(), "tables": tables, "keys": keys}
        archive.writestr("manifest.json", json.dumps(manifest, indent=1))
    return counts


@contextlib.contextmanager
def one_view(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one state of the store from beginning to end."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            yield connection
    else:
        with read(engine) as connection:
            yield connection


def read_manifest(path: Path, opener: Opener | None = None) -> dict[str, Any]:
    """A backup's manifest. Raises `StoreError` for a file that is none, does not open, or is of a newer program."""
    with opened(path, opener) as plain:
        return manifest_of(plain, path)


def manifest_of(plain: BinaryIO, path: Path) -> dict[str, Any]:
    """The manifest of an opened backup; `path`: how it is called. Raises as `read_manifest`."""
    try:
        with zipfile.ZipFile(plain) as archive:
            manifest: dict[str, Any] = json.loads(archive.read("manifest.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, RecursionError):
        raise StoreError(
            Message("{path} is no backup of this program, or damaged.", path=path), Message("Choose another backup.")
        ) from None
    if manifest.get("format") != FORMAT or manifest.get("version") not in versions():
        raise StoreError(
            Message("{path} was made by a newer program.", path=path), Message("Install that version, then restore.")
        )
    return manifest


def restore(
    engine: Engine,
    path: Path,
    keys_dir: Path | None = None,
    progress: Progress | None = None,
    *,
    opener: Opener | None = None,
    plain: BinaryIO | None = None,
    replace: bool = False,
) -> dict[str, int]:
    """Fill an empty store from a backup, upgrade it, and return rows by table. All or nothing. `replace`: also one that
    is not empty, of whatever version it is. `plain`: what is in it, where the caller has opened it.

    Raises `StoreError` where the store is not empty, or the backup is damaged or does not open."""
    if plain is None:
        with opened(path, opener) as found:
            return restore(engine, path, keys_dir, progress, plain=found, replace=replace)
    return _replace(engine, plain, path, progress) if replace else _restore(engine, plain, path, keys_dir, progress)


def _replace(engine: Engine, plain: BinaryIO, path: Path, progress: Progress | None) -> dict[str, int]:
    manifest = manifest_of(plain, path)
    try:
        with zipfile.ZipFile(plain) as archive, rebuilding(engine) as connection:
            _drop_own(connection)
            upgrade_on(connection, manifest["version"])
            counts = _fill_all(connection, archive, manifest, progress)
            upgrade_on(connection)
    except _DAMAGE as error:
        raise _damaged(path, error, replace=True) from None
    return counts


def _drop_own(connection: Connection) -> None:
    """Take away every table of the store, also those of a newer program; on PostgreSQL none that another role owns."""
    own = MetaData()
    own.reflect(connection, only=_names(connection, "pg_get_userbyid(relowner) = current_user"))
    own.drop_all(connection)


def _restore(
    engine: Engine, plain: BinaryIO, path: Path, keys_dir: Path | None, progress: Progress | None
) -> dict[str, int]:
    manifest = manifest_of(plain, path)
    if store_version(engine) is not None:
        raise StoreError(
            Message("The store is not empty."), Message("Restore into a new one: give --store or --data-dir.")
        )
    if keys_dir is not None and manifest["keys"] and keys_dir.exists():
        raise StoreError(
            Message("{keys_dir} exists.", keys_dir=keys_dir), Message("Move it away, or restore without --with-keys.")
        )
    upgrade(engine, manifest["version"])
    try:
        with zipfile.ZipFile(plain) as archive, write(engine) as connection:
            counts = _fill_all(connection, archive, manifest, progress)
    except _DAMAGE as error:
        _empty(engine)
        raise _damaged(path, error) from None
    upgrade(engine, newest_version())
    if keys_dir is not None and manifest["keys"]:
        _restore_keys(plain, path, keys_dir, manifest["keys"])
    return counts


def _damaged(path: Path, error: Exception, *, replace: bool = False) -> StoreError:
    reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    said = (
        Message("{path} is damaged ({reason}); the store is as it was.", path=path, reason=reason)
        if replace
        else Message("{path} is damaged ({reason}); nothing was restored.", path=path, reason=reason)
    )
    return StoreError(said, Message("Choose another backup."))


def _fill_all(
    connection: Connection, archive: zipfile.ZipFile, manifest: dict[str, Any], progress: Progress | None
) -> dict[str, int]:
    tables = tables_of(connection)
    for table in reversed(tables):  # a new store holds what every store holds: the codes of channels
        connection.execute(table.delete())
    return {table.name: _fill(connection, archive, table, manifest["tables"], progress) for table in tables}


def _fill(
    connection: Connection, archive: zipfile.ZipFile, table: Table, tables: dict[str, Any], progress: Progress | None
) -> int:
    expected = tables[table.name]
    digest, count = hashlib.sha256(), 0
    batch: list[dict[str, Any]] = []
    with archive.open(f"tables/{table.name}.jsonl") as member:
        for line in member:
            digest.update(line)
            batch.append(dict(zip(expected["columns"], json.loads(line), strict=True)))
            count += 1
            if len(batch) == _BATCH:
                connection.execute(table.insert(), batch)
                batch.clear()
                if progress:
                    progress(table.name, count)
    if batch:
        connection.execute(table.insert(), batch)
    if digest.hexdigest() != expected["sha256"] or count != expected["rows"]:
        raise ValueError(f"the rows of {table.name} are not those of the manifest")
    if connection.dialect.name == "postgresql" and "id" in table.c and count:
        # rows brought their ids with them: the next new row must get the one after
        newest = connection.execute(select(func.max(table.c.id))).scalar_one()
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), newest)))
    return count


def _empty(engine: Engine) -> None:
    """Take the tables away again, so that the store is as empty as it was."""
    with write(engine) as connection:
        _drop_own(connection)


def _restore_keys(plain: BinaryIO, path: Path, keys_dir: Path, names: list[str]) -> None:
    keys_dir.mkdir(parents=True, mode=0o700)
    with zipfile.ZipFile(plain) as archive:
        for name in names:
            if Path(name).name != name:
                raise StoreError(
                    Message("{path} names a key file outside its folder.", path=path),
                    Message("Do not trust this backup."),
                )
            handle = os.open(keys_dir / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(archive.read(f"keys/{name}"))
