"""Import of answer sheets (paper, and files of the SMS and 1022 gateways).

Two passes over the file: the first reads and checks every row and writes nothing; only where all are good does the
second write (`server/ratings/batches.py`). Memory does not grow with the file: keys seen are kept in a temporary
data base on disk, bad rows are counted and the first thousand told.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from pipeline.calendar import month_of_day, today
from pipeline.errors import ConfigError, ImportRowError
from pipeline.instruments import OVERALL, Instrument, RatingFlag, check_answers, drop_unasked
from pipeline.words import Words, join, reason_of
from server.catalogue.reading import Catalogue, Named, read_catalogue
from server.catalogue.writing import NOUNS
from server.core.progress import Progress
from server.ratings.batches import FileRecord, store_batches, stored_origins
from server.ratings.suspicion import RepeatWatch, SuspicionRules
from server.store.engine import read
from server.store.tables.ratings import ANSWER_COLUMNS, Channel, RatingState, answer_values
from server.tabular.columns import CHANNELS, is_answer_column, looks_like_item, read_answer, read_day, recognise
from server.tabular.labels import plain
from server.tabular.tables import SEE_COLUMNS, TableRow, clean, no_file, read_rows

BATCH = 2_000
SHOWN_ERRORS = 1_000
FULL_FORM = frozenset({str(Channel.PAPER), str(Channel.ONLINE), str(Channel.HOTLINE)})
_COMPARED = ("agency_id", "day", "channel", "instrument", "instrument_version", *ANSWER_COLUMNS)


@dataclass(frozen=True, slots=True)
class RatingImport:
    """What an import did, or in a preview would do. `there`: rows that the store already holds."""

    rows: int
    added: int
    existing: int
    set_aside: int
    preview: bool
    by_agency: dict[str, int] = field(default_factory=dict)
    first_day: int | None = None
    last_day: int | None = None


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hex. Raises `ConfigError` where it is missing."""
    if not path.is_file():
        raise no_file(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


NO_CHANNEL = Words("the channel is missing (a column, or --channel)", "thiếu kênh (cột kênh, hoặc chọn kênh khi nhập)")


class _Sheets:
    """Reads rows of a file into values of `ratings`; raises `ValueError` with the reason for one that does not fit."""

    def __init__(
        self,
        catalogue: Catalogue,
        province_id: int,
        instrument: Instrument,
        channel: str | None,
        batch: str,
        rules: SuspicionRules,
    ) -> None:
        self.rules = rules
        self._province_id = province_id
        self._instrument = instrument
        self._channel = channel
        self._batch = batch
        self._agencies = by_text(catalogue.agencies)
        self._groups = by_text(catalogue.groups)
        self._services = by_text(catalogue.services)
        self._service_group = {service.id: service.parent for service in catalogue.services.values()}
        self._facts = {item.code for item in instrument.facts}
        self._reasons = {reason.code: reason.bit for reason in instrument.reasons}
        self._reasons |= {plain(reason.vi): reason.bit for reason in instrument.reasons}
        self._today = today()

    def values(self, row: TableRow) -> dict[str, Any]:
        """Column values of one sheet."""
        if row.problem:
            raise ValueError(row.problem)
        cells = row.cells
        agency = find(self._agencies, cells.get("agency", ""), NOUNS["agency"])
        day = read_day(cells.get("day", "") or fail(Words("the day is missing", "thiếu ngày")))
        if day > self._today:
            raise ValueError(Words("the day lies in the future", "ngày ở tương lai"))
        channel = self._read_channel(cells.get("channel", ""))
        service = find(self._services, cells["service"], NOUNS["service"]) if cells.get("service") else None
        group = 0 if service is None else self._service_group[service]
        if cells.get("service_group"):
            group = find(self._groups, cells["service_group"], NOUNS["service_group"])
        answers = [0] * len(ANSWER_COLUMNS)
        for name, cell in cells.items():
            if name.startswith("item:"):
                code = name[5:]
                try:
                    answers[self._instrument.slot_of(code)] = read_answer(cell, code in self._facts)
                except ValueError as error:
                    raise ValueError(join((code, reason_of(error)), ": ")) from None
        reasons = self._read_reasons(cells.get("reasons", ""))
        kept = drop_unasked(self._instrument, answers)
        problems = check_answers(self._instrument, kept, full_form=channel in FULL_FORM, reasons=reasons)
        if problems:
            raise ValueError(join(problem.words for problem in problems))
        form = cells.get("form", "").upper()
        if len(form) > 40:
            raise ValueError(Words("the form's code has more than 40 characters", "mã phiếu dài hơn 40 ký tự"))
        return {
            "province_id": self._province_id,
            "agency_id": agency,
            "counter_id": None,
            "service_id": service,
            "service_group": group,
            "channel": channel,
            "day": day,
            "month": month_of_day(day),
            "instrument": self._instrument.code,
            "instrument_version": self._instrument.version,
            **answer_values(kept),
            "reasons": reasons,
            "flag": int(RatingFlag.NONE),
            "state": int(RatingState.COUNTED),
            "origin": f"form:{form}" if form else f"file:{self._batch}:{row.number}",
        }

    def _read_channel(self, cell: str) -> str:
        if not cell:
            return self._channel or fail(NO_CHANNEL)
        channel = CHANNELS.get(cell) or CHANNELS.get(plain(cell))
        if channel is None:
            raise ValueError(Words(f"unknown channel: {cell[:30]!r}", f"không có kênh “{cell[:30]}”"))
        if channel == Channel.COUNTER_TABLET:
            raise ValueError(
                Words(
                    "answers of tablets come from the boxes, not from files", "phiếu của máy tính bảng đến từ thiết bị"
                )
            )
        return channel

    def _read_reasons(self, cell: str) -> int:
        mask = 0
        for part in cell.replace(";", ",").split(",") if cell else ():
            key = part.strip()
            bit = self._reasons.get(key, self._reasons.get(plain(key)))
            if bit is None:
                raise ValueError(Words(f"unknown reason: {key[:30]!r}", f"không có lý do “{key[:30]}”"))
            mask |= 1 << bit
        return mask


def fail(reason: Words) -> Any:
    """Raise `ValueError`; for the end of an `or`."""
    raise ValueError(reason)


def by_text(named: dict[int, Named]) -> dict[str, int]:
    """Code, and Vietnamese and English name, to id; names that two share are left out."""
    found: dict[str, int] = {}
    shared: set[str] = set()
    for number, one in named.items():
        for text in {one.code.casefold(), one.name_vi.casefold(), one.name_en.casefold()}:
            shared |= {text} if found.get(clean(text), number) != number else set()
            found[clean(text)] = number
    return {text: number for text, number in found.items() if text not in shared}


def find(known: dict[str, int], text: str, what: Words) -> int:
    """The id of a code or name. Raises `ValueError`."""
    if not text:
        raise ValueError(Words(f"the {what} is missing", f"thiếu {what.vi}"))
    number = known.get(text.casefold())
    if number is None:
        raise ValueError(Words(f"unknown {what}: {text[:40]!r}", f"không có {what.vi} “{text[:40]}”"))
    return number


class _Keys:
    """Keys seen in the file, in a temporary data base on disk: the row of a key's first appearance."""

    def __init__(self) -> None:
        self._store = sqlite3.connect("")  # SQLite's temporary on-disk data base, deleted when closed
        self._store.execute("CREATE TABLE keys (key TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID")

    def add(self, key: str, row: int) -> int | None:
        """None for a new key, else the row where it was seen first."""
        done = self._store.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (key, row))
        if done.rowcount:
            return None
        return int(self._store.execute("SELECT row FROM keys WHERE key = ?", (key,)).fetchone()[0])

    def close(self) -> None:
        self._store.close()


def import_ratings(
    engine: Engine,
    province_id: int,
    path: Path,
    instrument: Instrument,
    *,
    channel: str | None = None,
    batch: str | None = None,
    preview: bool = False,
    user_id: int | None = None,
    progress: Progress | None = None,
) -> RatingImport:
    """Import answer sheets from CSV or XLSX: all or nothing; a repeated import adds nothing.

    A row's key is its form code where the file has that column, else the file (or `batch`) and the row's number.
    `channel`: of rows that name none. Raises `ImportRowError` with numbers and reasons of bad rows, `ConfigError` for a
    file that cannot be read at all."""
    progress = progress or Progress("", quiet=True)
    digest = file_digest(path)
    with read(engine) as connection:
        catalogue = read_catalogue(connection, province_id)
        rules = SuspicionRules.of(connection, province_id)
        sheets = _Sheets(catalogue, province_id, instrument, channel, (batch or digest)[:20], rules)
        checked = _check(connection, path, sheets, instrument, catalogue, progress, preview)
    if preview:
        return checked
    detail = {"file": digest[:16], "rows": checked.rows, "added": checked.added, "set_aside": checked.set_aside}
    record = FileRecord(province_id, digest, batch or "", checked.rows, checked.added, user_id, detail)
    store_batches(engine, record, _batches(path, sheets, instrument, progress))
    return checked


def _rows(path: Path, instrument: Instrument) -> Iterator[TableRow]:
    known = recognise(instrument)

    def name(header: str) -> str | None:
        return known.get(plain(header)) or (f"?{header}" if looks_like_item(header) else None)

    for number, row in enumerate(read_rows(path, name)):
        if number == 0:
            missing = {"agency", "day"} - set(row.cells)
            if missing:
                columns = ", ".join(sorted(missing))
                raise ConfigError(
                    Words(f"{path.name} has no column {columns}.", f"Tệp thiếu cột {columns}."), SEE_COLUMNS
                )
            if not any(is_answer_column(column) for column in row.cells):
                raise ConfigError(
                    Words(f"{path.name} has no column of answers.", "Tệp không có cột câu trả lời nào."),
                    Words(f"Such as {OVERALL}, A1, C1.", f"Chẳng hạn {OVERALL}, A1, C1."),
                )
            unknown = ", ".join(column[1:] for column in row.cells if column.startswith("?"))
            if unknown:
                raise ConfigError(
                    Words(
                        f"{path.name} has columns that instrument {instrument.code} lacks: {unknown}.",
                        f"Tệp có cột mà bộ câu hỏi {instrument.code} không có: {unknown}.",
                    ),
                    Words(
                        "Choose the right --instrument, or remove them.",
                        "Hãy chọn đúng bộ câu hỏi, hoặc bỏ các cột ấy.",
                    ),
                )
        yield row


def _check(
    connection: Connection,
    path: Path,
    sheets: _Sheets,
    instrument: Instrument,
    catalogue: Catalogue,
    progress: Progress,
    preview: bool,
) -> RatingImport:
    """The first pass: every row read and compared with the store; nothing written."""
    errors: list[tuple[int, str]] = []
    bad = rows = existing = aside = 0
    by_agency: dict[str, int] = {}
    first = last = None
    keys, watch = _Keys(), RepeatWatch(instrument, sheets.rules)
    pending: list[tuple[int, dict[str, Any]]] = []

    def report(number: int, reason: str) -> None:
        nonlocal bad
        bad += 1
        if len(errors) < SHOWN_ERRORS:
            errors.append((number, reason))

    def compare() -> None:
        nonlocal existing
        stored = stored_origins(connection, [values for _, values in pending], _COMPARED)
        for number, values in pending:
            held = stored.get(values["origin"])
            if held is None:
                continue
            if all(held[name] == values[name] for name in _COMPARED):
                existing += 1
            else:
                form = values["origin"].partition(":")[2]
                report(
                    number,
                    Words(
                        f"form {form} is in the store with other answers",
                        f"phiếu {form} đã có trong kho với câu trả lời khác",
                    ),
                )
        pending.clear()

    for row in _rows(path, instrument):
        rows += 1
        progress.update(row.done / (1 if preview else 2), f"{rows:,} rows")
        try:
            values = sheets.values(row)
            before = keys.add(values["origin"], row.number)
            if before is not None:
                raise ValueError(Words(f"the same form as in row {before}", f"trùng phiếu với dòng {before}"))
        except ValueError as error:
            report(row.number, reason_of(error))
            continue
        aside += watch.flag(values) is not RatingFlag.NONE
        code = catalogue.agencies[values["agency_id"]].code
        by_agency[code] = by_agency.get(code, 0) + 1
        first = values["day"] if first is None else min(first, values["day"])
        last = values["day"] if last is None else max(last, values["day"])
        pending.append((row.number, values))
        if len(pending) >= BATCH:
            compare()
    compare()
    keys.close()
    if bad:
        more = bad > SHOWN_ERRORS
        shown = f" The first {SHOWN_ERRORS} are listed." if more else ""
        shown_vi = f" Chỉ liệt kê {SHOWN_ERRORS} dòng đầu." if more else ""
        raise ImportRowError(
            Words(
                f"{bad} of {rows} rows do not fit; nothing was imported.{shown}",
                f"{bad} trong {rows} dòng không hợp lệ; chưa nhập gì.{shown_vi}",
            ),
            sorted(errors),
            Words("Correct these rows and import the file again.", "Hãy sửa các dòng này rồi nhập lại tệp."),
        )
    return RatingImport(rows, rows - existing, existing, aside, preview, dict(sorted(by_agency.items())), first, last)


def _batches(
    path: Path, sheets: _Sheets, instrument: Instrument, progress: Progress
) -> Iterator[Sequence[dict[str, Any]]]:
    watch = RepeatWatch(instrument, sheets.rules)
    batch: list[dict[str, Any]] = []
    for rows, row in enumerate(_rows(path, instrument), start=1):
        progress.update(0.5 + row.done / 2, f"{rows:,} rows")
        values = sheets.values(row)
        flag = watch.flag(values)
        if flag is not RatingFlag.NONE:
            values |= {"flag": int(flag), "state": int(RatingState.SET_ASIDE)}
        batch.append(values)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
