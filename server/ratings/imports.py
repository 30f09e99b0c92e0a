"""Import of answer sheets (paper, and files of the SMS and 1022 gateways).

Two passes over the file: the first reads and checks every row and writes nothing; only where all are good does the
second write (`server/ratings/batches.py`). Memory does not grow with the file: keys seen are kept in a temporary
data base on disk, bad rows are counted and the first thousand told.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine

from pipeline.calendar import today
from pipeline.instruments import OVERALL, Instrument, RatingFlag, Sheet
from pipeline.language import Joined, Message, reason_of
from pipeline.text import match_key
from server.catalogue.reading import Catalogue, known_agencies, known_groups, known_services, read_catalogue
from server.core.progress import Progress
from server.core.scope import Scope
from server.ratings.admission import Admitted, Gate
from server.ratings.again import Again
from server.ratings.batches import FileRecord, store_batches
from server.ratings.origins import OriginKey, Origins, check_origin_key, find_origins, printed_codes
from server.ratings.rating import Place, Rating, UnfitSheetError
from server.ratings.sent import INSTANCES, STATES, Sent, form_of
from server.ratings.sheet_answers import answers_of
from server.ratings.source import Source, SourceKind
from server.ratings.suspicion import RepeatWatch, SuspicionRules
from server.store.channels import CHANNELS, Channel
from server.store.engine import read
from server.store.tables.ratings import ANSWER_COLUMNS
from server.tabular.answers import read_item
from server.tabular.balance import Balance
from server.tabular.columns import recognise, recogniser
from server.tabular.labels import plain
from server.tabular.reading import no_file, opened
from server.tabular.scales import USUAL, ScaleWatch
from server.tabular.spec import ImportSpec, Options, Problems, RowProblemsError, file_bounds, reasons_of
from server.tabular.tables import Table, TableRow
from server.tabular.times import Clock
from server.tabular.values import LEVELS, check_code, read_answer, read_whole

BATCH = 2_000
_COMPARED = (
    "agency_id",
    "handling_id",
    "deciding_id",
    "day",
    "channel",
    "instrument",
    "instrument_version",
    *ANSWER_COLUMNS,
)


@dataclass(frozen=True, slots=True)
class RatingImport:
    """What an import did, or in a preview would do. `existing`: rows that the store already holds."""

    rows: int
    added: int
    existing: int
    set_aside: int
    preview: bool
    by_agency: dict[str, int] = field(default_factory=dict)
    first_day: int | None = None
    last_day: int | None = None
    balance: Balance | None = None


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hex. Raises `InvalidError` where it is missing."""
    if not path.is_file():
        raise no_file(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


NO_CHANNEL = Message("the channel is missing (a column, or --channel)")


class _Sheets:
    """Reads rows of a file into ratings; raises `ValueError` with the reason for one that does not fit."""

    def __init__(
        self,
        catalogue: Catalogue,
        province_id: int,
        instrument: Instrument,
        channel: str | None,
        batch: str,
        origins: Origins,
        rules: SuspicionRules,
        options: Options,
    ) -> None:
        self.rules = rules
        self.province_id = province_id
        self._instrument = instrument
        self._channel = channel
        self._batch, self._origins = batch, origins
        self.is_named = False
        """Whether somebody has named the delivery."""
        self._not_answered, self._scale = options.not_answered, options.scale or USUAL
        self._agencies, self._groups = known_agencies(catalogue), known_groups(catalogue)
        self._services = known_services(catalogue)
        self._service_group = {service.id: service.parent for service in catalogue.services.values()}
        self._items = {item.code: item for item in instrument.items}
        self._reasons = {match_key(reason.code): reason.bit for reason in instrument.reasons}
        self._reasons |= {match_key(reason.vi): reason.bit for reason in instrument.reasons}
        self._channels = CHANNELS.by_text(plain)
        self._today = today()
        self.not_answered: Counter[str] = Counter()
        """Codes of no answer that were met, and how often."""
        self.levels: Counter[int] = Counter()
        """How many answers were read as each level."""
        self.sent, self.clock = Sent(), Clock(options.zone)
        self.scales = ScaleWatch(instrument, options.scale)

    def rating(self, row: TableRow) -> Rating:
        """The rating of one row. Raises `RowProblemsError` with everything that is wrong."""
        if row.problems:
            raise RowProblemsError(list(row.problems))
        problems, cells = Problems(), row.cells
        agency = problems.of(self._agencies.find, cells.get("agency", ""), otherwise=0)
        day = problems.of(self.clock.day, cells.get("day", ""), otherwise=0)
        channel = problems.of(self._read_channel, cells.get("channel", ""), otherwise=None)
        service = problems.of(self._services.find, cells["service"], otherwise=None) if cells.get("service") else None
        group = 0 if service is None else self._service_group[service]
        if cells.get("service_group") not in (None, "", "0"):
            group = problems.of(self._groups.find, cells["service_group"], otherwise=0)
        handling, deciding = (
            problems.of(self._agencies.find, cells[name], otherwise=None) if cells.get(name) else None
            for name in ("handling", "deciding")
        )
        is_ours = bool(cells.get("counted"))
        self.scales.is_ours = self.scales.is_ours or is_ours
        answers, more = self._read_answers(cells, problems)
        reasons = problems.of(self._read_reasons, cells.get("reasons", ""), is_ours, otherwise=0)
        self.scales.note_reasons(answers[0], reasons)
        problems.of(self.sent.check, cells, otherwise=None)
        flag = problems.of(_flag, cells.get("counted", ""), cells.get("flag", ""), otherwise=0)
        problems.of(self._check_instrument, cells, otherwise=None)
        form = form_of(cells)
        if len(form) > 40:
            problems.add(Message("the form's code has more than 40 characters"))
        problems.of(check_code, form, otherwise=None)
        problems.end()
        assert channel is not None
        try:
            return Rating.checked(
                self._instrument,
                Sheet(tuple(answers), more),
                place=Place(self.province_id, agency, None, service, group, handling, deciding),
                channel=channel,
                day=day,
                today=self._today,
                reasons=reasons,
                flag=flag,
                origin=self._origins.of_form(form) if form else self._origins.of_row(self._batch, row.key),
            )
        except UnfitSheetError as error:
            raise ValueError(error.message) from None

    def _read_answers(self, cells: Mapping[str, str], problems: Problems) -> tuple[list[int], dict[int, int]]:
        answers, more = [0] * len(ANSWER_COLUMNS), dict[int, int]()
        for name, cell in cells.items():
            if not name.startswith("item:"):
                continue
            code = name[5:]
            self.scales.note(code, cell)
            try:
                answer = self._read_answer(code, cell)
            except ValueError as error:
                problems.add(Joined((code, reason_of(error)), ": "))
                continue
            slot = self._instrument.slot_of(code)
            if answer is None:
                if cell:
                    self.not_answered[cell] += 1
            elif slot < len(answers) and answer >= 0:
                answers[slot] = answer
            else:
                more[slot] = answer
        self.levels.update(level for level in answers if 1 <= level <= LEVELS)
        return answers, more

    def _read_answer(self, code: str, cell: str) -> int | None:
        if code == OVERALL:
            scale = self._scale
            return read_answer(cell, False, self._not_answered, scale.lowest, scale.highest) or None
        return read_item(self._items[code], cell, self._not_answered, self._scale)

    def _read_channel(self, cell: str) -> Channel:
        text = cell or self._channel or ""
        if not text:
            raise ValueError(NO_CHANNEL)
        channel = self._channels.get(text) or self._channels.get(plain(text))
        if channel is None:
            raise ValueError(Message("unknown channel: '{text}'", text=text[:30]))
        if not channel.in_files:
            raise ValueError(Message("answers of tablets come from the boxes, not from files"))
        return channel

    def _read_reasons(self, cell: str, is_ours: bool) -> int:
        """Codes or wordings with commas between them; in our own export the sum of codes that it writes. In another
        program's file a number is that of a choice."""
        if is_ours and cell.isascii() and cell.isdigit() and len(cell) <= 9:
            return int(cell)
        mask, parts = 0, cell.replace(";", ",").split(",") if cell else []
        while parts:
            # a wording may have a comma of its own
            takes = (n for n in range(len(parts), 0, -1) if match_key(",".join(parts[:n])) in self._reasons)
            if not (taken := next(takes, 0)):
                raise ValueError(Message("unknown reason: '{key}'", key=parts[0].strip()[:30]))
            mask |= 1 << self._reasons[match_key(",".join(parts[:taken]))]
            del parts[:taken]
        return mask

    def _check_instrument(self, cells: Mapping[str, str]) -> None:
        mine = self._instrument
        code, version = cells.get("instrument", ""), cells.get("instrument_version", "")
        if (code and match_key(code) != match_key(mine.code)) or (version and read_whole(version) != mine.version):
            given = f"{code} {version}".strip()
            raise ValueError(
                Message(
                    "the row is of instrument {given}, not {code} {version}",
                    given=given,
                    code=mine.code,
                    version=mine.version,
                )
            )


def _flag(counted: str, flag: str) -> int:
    """The suspicion of a row that an export says was set aside. One that was counted is judged anew, as every row of a
    file: nobody can write suspicion away."""
    if not counted or read_whole(counted, 0, 1) == 1:
        return int(RatingFlag.NONE)
    found = read_whole(flag or "0", 0, max(RatingFlag))
    if found == RatingFlag.NONE:
        raise ValueError(Message("set aside without a reason (column flag)"))
    return found


class _Keys:
    """Keys seen in the file, in a temporary data base on disk, until `close`: the row of a key's first appearance."""

    def __init__(self) -> None:
        self._store = sqlite3.connect("")  # SQLite's temporary on-disk data base, deleted when closed
        self.close = self._store.close
        self._store.execute("CREATE TABLE keys (key TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID")

    def add(self, key: str, row: int) -> int | None:
        """None for a new key, else the row where it was seen first."""
        done = self._store.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (key, row))
        if done.rowcount:
            return None
        return int(self._store.execute("SELECT row FROM keys WHERE key = ?", (key,)).fetchone()[0])


def import_ratings(
    engine: Engine,
    province_id: int,
    path: Path,
    instrument: Instrument,
    *,
    key: bytes,
    channel: str | None = None,
    batch: str | None = None,
    preview: bool = False,
    user_id: int | None = None,
    progress: Progress | None = None,
    options: Options | None = None,
) -> RatingImport:
    """Import answer sheets from CSV or XLSX: all or nothing; a repeated import adds nothing.

    A row's key is its form code where the file has that column, else the file (or `batch`) and the row's number.
    `key`: what origins are sealed under (`server.ratings.origins`). `channel`: of rows that name none. Raises
    `ImportRowError` with numbers and reasons of bad rows, `InvalidError` for a file that cannot be read at all."""
    progress = progress or Progress("", quiet=True)
    options = options or Options()
    digest = file_digest(path)
    columns = RATINGS.columns | {"answers"}
    half = 1.0 if preview else 0.5
    with opened(path, recognise(instrument), file_bounds(path, options), lambda done: progress.update(done / 4)) as raw:
        table = Table(
            raw,
            options.name or path.name,
            recogniser(instrument, columns),
            RATINGS.required,
            any_answer=True,
            ignored=options.ignored,
        )
        with read(engine) as connection:
            catalogue = read_catalogue(connection, province_id)
            rules = SuspicionRules.of(connection, province_id)
            sealing = OriginKey(key, province_id)
            if not options.key_lost:
                check_origin_key(connection, Scope(province_id), sealing)
            origins = Origins(sealing, printed_codes(connection, Scope(province_id)))
            named = (batch or digest)[:20]
            sheets = _Sheets(catalogue, province_id, instrument, channel, named, origins, rules, options)
            sheets.is_named = bool(batch)
            first = _Part(progress, 0.25, half)
            with closing(_Keys()) as keys:
                checked = _check(connection, table, sheets, keys, instrument, catalogue, first, preview)
        if preview:
            return checked
        counts = table.balance.counts()
        detail = {"file": digest[:16], "rows": checked.rows, "added": checked.added, "set_aside": checked.set_aside}
        record = FileRecord(province_id, digest, batch or "", checked.rows, checked.added, user_id, detail | counts)
        second = _Part(progress, half, 1.0)
        store_batches(engine, record, lambda gate: _batches(table, sheets, instrument, second, gate))
    return checked


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of the whole work, told to its progress."""

    progress: Progress
    first: float
    last: float

    def update(self, done: float, note: str) -> None:
        """Tell a share of this stretch."""
        self.progress.update(self.first + done * (self.last - self.first), note)


def _check(
    connection: Connection,
    table: Table,
    sheets: _Sheets,
    keys: _Keys,
    instrument: Instrument,
    catalogue: Catalogue,
    progress: _Part,
    preview: bool,
) -> RatingImport:
    """The first pass: every row read and compared with the store; nothing written."""
    rows = existing = aside = 0
    by_agency: dict[str, int] = {}
    first = last = None
    watch, again = RepeatWatch(instrument, sheets.rules), Again(instrument)
    pending: list[tuple[TableRow, Rating]] = []
    scope = Scope(sheets.province_id)
    gate = Gate(connection, scope, Source(SourceKind.IMPORT))

    def compare() -> None:
        nonlocal existing
        stored = find_origins(connection, scope, [_origin(rating) for _, rating in pending], "id", *_COMPARED)
        more = answers_of(connection, scope, [held["id"] for held in stored.values()])
        for row, rating in pending:
            held = stored.get(_origin(rating))
            if held is None:
                if not sheets.is_named and not form_of(row.cells):
                    again.note(rating)
                continue
            values = rating.values()
            same = more.get(held["id"], ()) == rating.more
            if same and all(held[name] == values[name] for name in _COMPARED):
                existing += 1
            else:
                form = form_of(row.cells) or row.key
                reason = Message("form {form} is in the store with other answers", form=form)
                table.refuse(row, [reason])
        pending.clear()

    for row in table:
        rows += 1
        progress.update(row.done, f"{rows:,} rows")
        if rows == 1:  # the headers are known with the first row
            sheets.sent.know(column for one in table.balance.sheets for column in one.columns)
        try:
            rating = sheets.rating(row)
            before = keys.add(_origin(rating), row.number)
            for name in INSTANCES:
                if before is None and row.cells.get(name):
                    before = keys.add(f"{name}:{row.cells[name]}", row.number)
            if before is not None:
                raise ValueError(Message("the same form as in row {before}", before=before))
        except ValueError as error:
            table.refuse(row, reasons_of(error))
            continue
        aside += gate.verdict(rating, watch.flag(rating)) is not RatingFlag.NONE
        if not form_of(row.cells):
            again.note_part(rating, row.part)
        code = catalogue.agencies[rating.place.agency_id].code
        by_agency[code] = by_agency.get(code, 0) + 1
        first = rating.day if first is None else min(first, rating.day)
        last = rating.day if last is None else max(last, rating.day)
        pending.append((row, rating))
        if len(pending) >= BATCH:
            compare()
    compare()
    balance = table.balance
    balance.not_answered, balance.levels = Counter(sheets.not_answered), Counter(sheets.levels)
    balance.states, balance.doubts = Counter(sheets.sent.states), sheets.scales.doubts(sheets.levels)
    balance.times_open, balance.times_moved = sheets.clock.open, sheets.clock.moved
    balance.days_doubtful = sheets.clock.doubtful
    headings = (column for sheet in balance.sheets if sheet.used for column in sheet.columns)
    sheets.scales.check(headings, table.around, table.beside)
    sheets.clock.check()
    again.check_parts()
    if not existing:
        again.check(connection, scope)
    balance.again, balance.twice = again.count, again.twice
    table.finish()
    return RatingImport(
        rows, rows - existing, existing, aside, preview, dict(sorted(by_agency.items())), first, last, balance
    )


def _batches(
    table: Table, sheets: _Sheets, instrument: Instrument, progress: _Part, gate: Gate
) -> Iterator[Sequence[Admitted]]:
    """The second pass: every sheet through the gate."""
    watch = RepeatWatch(instrument, sheets.rules)
    batch: list[Admitted] = []
    for rows, row in enumerate(table, start=1):
        progress.update(row.done, f"{rows:,} rows")
        rating = sheets.rating(row)
        batch.append(gate.admit(rating, watch.flag(rating)))
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _origin(rating: Rating) -> str:
    return rating.origin or ""


def _import_own(
    engine: Engine,
    scope: Scope,
    _spec: ImportSpec,
    path: Path,
    options: Options,
    user_id: int | None,
    progress: Progress,
) -> RatingImport:
    assert options.instrument is not None
    return import_ratings(
        engine,
        scope.province_id,
        path,
        options.instrument,
        key=options.sheet_key,
        channel=options.channel or None,
        batch=options.batch or None,
        preview=options.preview,
        user_id=user_id,
        progress=progress,
        options=options,
    )


RATINGS = ImportSpec(
    "ratings",
    ("agency", "day"),
    (
        "form",
        "channel",
        "service_group",
        "service",
        "handling",
        "deciding",
        "reasons",
        "review",
        "flag",
        "counted",
        "instrument",
        "instrument_version",
    ),
    own=_import_own,
    understood=(*INSTANCES, *STATES, "finished", "submitted", "test"),
    options=("instrument", "channel", "batch", "not_answered", "scale", "zone"),
)
