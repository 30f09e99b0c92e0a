"""What deletion leaves behind: after rows of people's numbers have gone, their bytes must not lie in any file either.

`forget` makes the data base let go of what was deleted: SQLite writes its log back and cuts it to nothing (the freed
parts of pages are zeroed by `secure_delete`), PostgreSQL writes the small tables of contacts anew. `search` reads the
files as an attacker with the disk would: data base, write-ahead log, journals, backups, temporary files.
"""

from __future__ import annotations

import logging
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Engine

from pipeline.language import Message, Sentence
from server.core.temporary import temporary_folders
from server.store.engine import read
from server.store.sealing import is_sealed

_log = logging.getLogger(__name__)
TABLES_OF_PEOPLE = ("phone_contacts", "feedback_contacts", "feedback", "enumerators", "comments", "gateways")
"""Tables with what a person can be found by, words, or keys: small, and written anew after a deletion on PostgreSQL."""
_CHUNK = 4 << 20


def forget(engine: Engine) -> bool:
    """Let no deleted row lie in the data base's files. False where a reader kept it from being done now."""
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    if engine.dialect.name == "postgresql":
        with autocommit.connect() as connection:
            for table in TABLES_OF_PEOPLE:
                connection.exec_driver_sql(f"VACUUM FULL {table}")
            connection.exec_driver_sql("CHECKPOINT")
        return True
    raw = engine.raw_connection()
    try:
        # outside any transaction: the log is written back, then cut to nothing
        busy = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        raw.close()
    if busy:
        _log.warning("The write-ahead log could not be cut yet: somebody reads. It is tried again.")
    return not busy


@dataclass(frozen=True, slots=True)
class Trace:
    """A number that was found where none may be: the file, the place in it, and which of the numbers (by position in
    the list that was searched for, so that no message repeats it)."""

    path: str
    offset: int
    number: int


def forms(number: str) -> tuple[bytes, ...]:
    """How a telephone number can stand in a file: national, +84, 84; as text in UTF-8 and UTF-16."""
    digits = "".join(c for c in number if c.isdigit())
    national = "0" + digits[2:] if digits.startswith("84") and len(digits) > 10 else digits
    tail = national.removeprefix("0")  # is part of all three
    return tail.encode(), tail.encode("utf-16-le"), tail.encode("utf-16-be")


def files_of(engine: Engine, also: Iterable[Path] = ()) -> tuple[list[Path], list[Sentence]]:
    """Files that a search reads, and in words what it cannot read."""
    found: list[Path] = []
    left_out: list[Sentence] = []
    if engine.dialect.name == "sqlite":
        if engine.url.database:
            found += _below(Path(engine.url.database).resolve().parent)
    else:
        with read(engine) as connection:
            folder = Path(str(connection.exec_driver_sql("SHOW data_directory").scalar_one()))
        if os.access(folder, os.R_OK | os.X_OK):
            found += _below(folder)
        else:
            left_out.append(
                Message("{folder}: run this as the data base's own user to search its files", folder=folder)
            )
    found += [one for folder in temporary_folders() for one in _below(folder)]
    for path in also:
        found += _below(path)
    return sorted(set(found)), left_out


def _below(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [one for one in path.rglob("*") if one.is_file() and not one.is_symlink()]


def search(paths: Iterable[Path], numbers: Sequence[str]) -> Iterator[Trace]:
    """Every place where one of the numbers stands; the open backups among the files are looked into, too."""
    wanted = [forms(number) for number in numbers]
    for path in paths:
        try:
            with path.open("rb") as file:
                yield from _in_file(file, str(path), wanted)
            if not is_sealed(path) and zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    for name in archive.namelist():
                        with archive.open(name) as member:
                            yield from _in_file(member, f"{path}!{name}", wanted)  # type: ignore[arg-type]
        except (OSError, zipfile.BadZipFile):
            continue  # went away meanwhile, or is being written


def _in_file(file: BinaryIO, name: str, wanted: Sequence[tuple[bytes, ...]]) -> Iterator[Trace]:
    longest = max((len(form) for number in wanted for form in number), default=0)
    before, start = b"", 0
    while chunk := file.read(_CHUNK):
        data = before + chunk
        for position, number in enumerate(wanted):
            for form in number:
                at = data.find(form)
                while at >= 0:
                    if at + len(form) > len(before):  # else it was told with the chunk before
                        yield Trace(name, start + at, position)
                    at = data.find(form, at + 1)
        keep = max(0, longest - 1)
        start += len(data) - min(keep, len(data))
        before = data[len(data) - min(keep, len(data)) :]
