"""What a kind of file is: its columns, how a row is read, where it goes; and the one way in that every kind takes.

A file is read and every row checked first, in a process of its own and without a transaction; only where all rows are
good does a short transaction write them, by upserts: two imports at once end as if one had followed the other. All or
nothing; a repeated import changes nothing. Answer sheets come in too large files for that and have a writer of their
own (`server.ratings.imports`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine

from pipeline.calendar import Period
from pipeline.errors import HailongError, ImportRowError, StoppingError
from pipeline.instruments import Instrument
from pipeline.language import Message, Text, reason_of
from pipeline.text import match_key
from server.core.changes import record_change
from server.core.progress import Progress
from server.core.scope import Scope
from server.store.engine import read, upsert, write
from server.tabular.balance import Balance
from server.tabular.columns import recognise, recogniser
from server.tabular.outcomes import note_failure, note_success
from server.tabular.reading import opened
from server.tabular.records import Bounds
from server.tabular.scales import Scale
from server.tabular.tables import Table
from server.tabular.values import NOT_ANSWERED

T = TypeVar("T")
Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Options:
    """What a person says about a file: the instrument and channel of answer sheets, the delivery's name, the period of
    figures whose rows name none, the round of phone numbers; codes that stand for no answer; which numbers the answers
    are written in, None where nobody has said; headings and worksheets to
    leave out; the zone of times that name none. `sheet_key` [32 bytes]: what origins of answer sheets are sealed
    under; `key_lost`: another one than before may be used. `name`: the file's own, where its path has
    another. `preview`: write nothing. `patience`: how much longer than an upload the reading may take."""

    instrument: Instrument | None = None
    channel: str = ""
    batch: str = ""
    period: Period | None = None
    round_code: str = ""
    not_answered: frozenset[str] = NOT_ANSWERED
    scale: Scale | None = None
    ignored: tuple[str, ...] = ()
    zone: tzinfo | None = None
    sheet_key: bytes = b""
    key_lost: bool = False
    name: str = ""
    preview: bool = False
    patience: float = 1.0


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, or in a preview would do; `balance`: what became of every row and cell of the file."""

    added: int
    changed: int
    unchanged: int
    balance: Balance | None = field(default=None, compare=False)


class RowProblemsError(ValueError):
    """Everything that is wrong with a row."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(*reasons)
        self.reasons = reasons


class Problems:
    """Collects what is wrong with a row, so that all of it is told at once."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def of(self, read_value: Callable[..., T], *arguments: Any, otherwise: T) -> T:
        """What the function returns, or `otherwise` and its reason kept."""
        try:
            return read_value(*arguments)
        except ValueError as error:
            self.reasons += reasons_of(error)
            return otherwise

    def add(self, reason: str) -> None:
        """One more reason."""
        self.reasons.append(reason)

    def end(self) -> None:
        """Raise `RowProblemsError` where something is wrong."""
        if self.reasons:
            raise RowProblemsError(self.reasons)


def reasons_of(error: ValueError) -> list[str]:
    """All reasons that an error holds."""
    return error.reasons if isinstance(error, RowProblemsError) else [reason_of(error)]


class RowReader(Protocol):
    """Reads the rows of one kind. `key`: the columns, besides the province, by which a row is known again; `change`:
    those that a repeated row may change (none: what is there stays). `known_by`: the key in words."""

    table: sqlalchemy.Table
    key: tuple[str, ...]
    change: tuple[str, ...]
    known_by: Message

    def values(self, cells: Cells) -> dict[str, Any]:
        """Column values of a row, without the province. Raises `ValueError` with what is wrong."""


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """One kind of file. `understood`: columns of other programs, which no template offers. `options`: names of
    `Options` that mean something for it. `own`: imports it where the common way does not fit, as for answer sheets.
    `any_name`: a column `name_<language>` of any language belongs to it, whether it is listed or not."""

    kind: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    reader: Callable[[Connection, Scope, Options], RowReader] | None = None
    own: Callable[[Engine, Scope, ImportSpec, Path, Options, int | None, Progress], Any] | None = None
    options: tuple[str, ...] = ()
    any_name: bool = False
    understood: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """Names of all columns, required or not."""
        return frozenset((*self.required, *self.optional, *self.understood))


def import_file(
    engine: Engine,
    scope: Scope,
    spec: ImportSpec,
    path: Path,
    options: Options | None = None,
    *,
    user_id: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """Import a file of a kind: all or nothing. Raises `ImportRowError` with every bad row, `InvalidError`."""
    options, progress = options or Options(), progress or Progress("", quiet=True)
    try:
        result = (spec.own or _import_rows)(engine, scope, spec, path, options, user_id, progress)
    except StoppingError:  # nothing is wrong with the file
        raise
    except HailongError:
        if not options.preview:
            with suppress(HailongError):  # the store itself may be what failed
                note_failure(engine, scope, spec.kind)
        raise
    if not options.preview:
        with suppress(HailongError):
            note_success(engine, scope, spec.kind)
    return result


def file_bounds(path: Path, options: Options) -> Bounds:
    """What reading the file may cost."""
    return Bounds.for_size(path.stat().st_size if path.is_file() else 0, options.patience)


def _import_rows(
    engine: Engine,
    scope: Scope,
    spec: ImportSpec,
    path: Path,
    options: Options,
    user_id: int | None,
    progress: Progress,
) -> ImportResult:
    assert spec.reader is not None
    with opened(path, recognise(), file_bounds(path, options), progress.update) as raw:
        table = Table(
            raw,
            options.name or path.name,
            recogniser(columns=spec.columns, any_name=spec.any_name),
            spec.required,
            ignored=options.ignored,
        )
        with read(engine) as connection:
            reader = spec.reader(connection, scope, options)
            rows = _checked(table, reader, progress)
            table.finish()
            if options.preview:
                return _compared(connection, scope, reader, rows, table.balance)[0]
    with write(engine) as connection:
        result, fresh, moves = _compared(connection, scope, reader, rows, table.balance)
        _store(connection, scope, reader, fresh)
        _log_moves(connection, scope, user_id, reader, moves)
        kind = spec.kind
        detail = {"added": result.added, "changed": result.changed, **table.balance.counts()}
        record_change(connection, scope.province_id, user_id, f"{kind}_imported", detail)
    return result


def _checked(table: Table, reader: RowReader, progress: Progress) -> list[dict[str, Any]]:
    seen: dict[tuple[Any, ...], int] = {}
    rows = []
    for row in table:
        progress.update(row.done)
        problems, values = Problems(), None
        problems.reasons += row.problems
        if not row.problems:
            values = problems.of(reader.values, row.cells, otherwise=None)
        if values is not None:
            key = tuple(values[name] for name in reader.key)
            if key in seen:
                problems.add(same_as(seen[key], reader.known_by))
            else:
                seen[key] = row.number
                rows.append(values)
        if problems.reasons:
            table.refuse(row, problems.reasons)
    return rows


def same_as(row: int, known_by: Message) -> Message:
    """The reason of a row that is there twice."""
    return Message("the same {known_by} as in row {row}", known_by=known_by, row=row)


def store_rows(
    connection: Connection,
    scope: Scope,
    reader: RowReader,
    rows: Iterable[tuple[int, Cells]],
    *,
    preview: bool = False,
    user_id: int | None = None,
) -> ImportResult:
    """Check and write rows that came by a page, in the caller's transaction. Raises `ImportRowError`."""
    seen: dict[tuple[Any, ...], int] = {}
    checked, errors = [], []
    for number, cells in rows:
        problems = Problems()
        values = problems.of(reader.values, cells, otherwise=None)
        key = tuple(values[name] for name in reader.key) if values is not None else ()
        if values is not None and key in seen:
            problems.add(same_as(seen[key], reader.known_by))
        if values is not None and not problems.reasons:
            seen[key] = number
            checked.append(values)
        errors += [(number, reason) for reason in problems.reasons]
    if errors:
        raise ImportRowError(
            Message("{count} rows do not fit; nothing was imported.", count=len(errors)),
            sorted(errors),
            Message("Correct them."),
        )
    result, fresh, moves = _compared(connection, scope, reader, checked, None)
    if not preview:
        _store(connection, scope, reader, fresh)
        _log_moves(connection, scope, user_id, reader, moves)
    return result


Move = dict[str, Any]
"""What of one object changes: its key, and for each column that differs [old, new]."""
MOVES_AN_ENTRY = 100


def _log_moves(
    connection: Connection, scope: Scope, user_id: int | None, reader: RowReader, moves: Sequence[Move]
) -> None:
    """The log of changes names every object that was changed, its old and its new values."""
    for first in range(0, len(moves), MOVES_AN_ENTRY):
        detail = {"kind": reader.table.name, "objects": moves[first : first + MOVES_AN_ENTRY]}
        record_change(connection, scope.province_id, user_id, "objects_changed", detail)


def _compared(
    connection: Connection, scope: Scope, reader: RowReader, rows: list[dict[str, Any]], balance: Balance | None
) -> tuple[ImportResult, list[dict[str, Any]], list[Move]]:
    """What the rows would add and change, those that do, and what changes of objects that are there."""
    table = reader.table
    named = [table.c[name] for name in (*reader.key, *reader.change)]
    size = len(reader.key)
    held = {tuple(row[:size]): tuple(row[size:]) for row in connection.execute(scope.select(table, *named))}
    fresh, moves, added, unchanged = [], [], 0, 0
    for values in rows:
        before = held.get(tuple(values[name] for name in reader.key))
        if before is not None and before == tuple(values[name] for name in reader.change):
            unchanged += 1
        else:
            added += before is None
            fresh.append(values)
            if before is not None:
                pairs = zip(reader.change, before, strict=True)
                differing = {name: (old, values[name]) for name, old in pairs if old != values[name]}
                moves.append({**{name: values[name] for name in reader.key}, **_old_and_new(differing)})
    return ImportResult(added, len(fresh) - added, unchanged, balance), fresh, moves


def _old_and_new(differing: Mapping[str, tuple[Any, Any]]) -> dict[str, list[Any]]:
    """Each value as [old, new]; of a name each language in which it reads otherwise, as `name_vi`."""
    told: dict[str, list[Any]] = {}
    for name, (old, new) in differing.items():
        if isinstance(old, Text) and isinstance(new, Text):
            before, after = dict(old.words), dict(new.words)
            for lang in {**before, **after}:
                if before.get(lang) != after.get(lang):
                    told[f"{name}_{lang}"] = [before.get(lang, ""), after.get(lang, "")]
        else:
            told[name] = [old, new]
    return told


def _store(connection: Connection, scope: Scope, reader: RowReader, rows: list[dict[str, Any]]) -> None:
    complete = [{"province_id": scope.province_id, **values} for values in rows]
    # in one order, so that two writers of the same rows wait for each other instead of blocking each other
    complete.sort(key=lambda values: tuple(str(values[name]) for name in reader.key))
    upsert(connection, reader.table, complete, ("province_id", *reader.key), reader.change)


class Known:
    """Codes and names of a kind of entry, however people write them: case, Unicode form, `Hoà` or `Hòa`."""

    def __init__(self, what: Message) -> None:
        self.what = what
        self._ids: dict[str, int] = {}
        self._shared: set[str] = set()
        self._met: dict[str, int] = {}

    def add(self, number: int, *texts: str) -> None:
        """One more entry; a name that two share finds neither, a code always finds its own."""
        for text in filter(None, map(match_key, texts)):
            if self._ids.setdefault(text, number) != number:
                self._shared.add(text)

    def add_codes(self, codes: Mapping[str, int]) -> None:
        """Codes go before names."""
        for code, number in codes.items():
            self._ids[match_key(code)] = number
            self._shared.discard(match_key(code))

    def find(self, text: str) -> int:
        """The id of a code or name. Raises `ValueError`."""
        if (found := self._met.get(text)) is not None:
            return found
        if not text:
            raise ValueError(Message("the {what} is missing", what=self.what))
        key = match_key(text)
        if key in self._shared:
            raise ValueError(
                Message("more than one {what} is called '{text}': write the code", what=self.what, text=text[:40])
            )
        if key not in self._ids:
            raise ValueError(Message("unknown {what}: '{text}'", what=self.what, text=text[:40]))
        if len(self._met) < 10_000:  # a file names the same few over and over
            self._met[text] = self._ids[key]
        return self._ids[key]
