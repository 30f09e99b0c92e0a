"""Export of answer sheets to CSV and Parquet with a data dictionary, for R, SPSS and notebooks; in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection, func, literal

from pipeline.calendar import Period, day_date, month_name
from pipeline.errors import InvalidError
from pipeline.instruments import (
    KINDS,
    OVERALL,
    WITHOUT_NAMES,
    WITHOUT_VALUES,
    Instrument,
    Item,
    RatingFlag,
)
from pipeline.language import Message, in_language
from server.core.disclosure import Published, known_day
from server.core.scope import Scope
from server.ratings.sheet_answers import answers_of
from server.store.channels import CHANNELS
from server.store.tables.agencies import agencies
from server.store.tables.counters import counters
from server.store.tables.ratings import RatingState, ratings
from server.store.tables.services import services
from server.tabular.answers import write_item
from server.tabular.metadata import Column, CsvTable
from server.tabular.writing import CsvWriter

BATCH = 5_000
FORMATS = ("csv", "parquet")
BODIES = (
    ("handling", "Mã cơ quan giải quyết, nếu khác", "Code of the handling body, where it is another"),
    ("deciding", "Mã cơ quan quyết định, nếu khác", "Code of the deciding body, where it is another"),
)


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column of the export: `kind` text, integer or day (ISO text in CSV, date32 in Parquet); `values`: code ->
    label."""

    name: str
    kind: str
    vi: str
    en: str
    values: tuple[tuple[str, str], ...] = ()


def columns(instrument: Instrument) -> list[ExportColumn]:
    """The export's columns for one instrument: every item under its own code. Of several choices, their numbers with
    semicolons between them; who answers (a demographic block) is empty but for the operator at the store."""
    scale = tuple((str(point.answer), point.vi) for point in instrument.scale)
    answer = (("0", "không trả lời"), *scale)
    fact = (("0", "không trả lời"), ("6", "có"), ("7", "không"))
    found = [
        ExportColumn("agency", "text", "Mã cơ quan", "Code of the agency"),
        ExportColumn("level", "text", "Mã cấp hành chính", "Code of the level"),
        ExportColumn("counter", "text", "Mã quầy", "Code of the counter"),
        ExportColumn("service_group", "integer", "Số nhóm thủ tục (lĩnh vực)", "Number of the service group"),
        ExportColumn("service", "text", "Mã thủ tục", "Code of the service"),
        ExportColumn(
            "channel", "text", "Kênh", "Channel", tuple((c, in_language(n, "vi")) for c, n in CHANNELS.names.items())
        ),
        ExportColumn("day", "day", "Ngày trả lời", "Day of the answer"),
        ExportColumn("month", "text", "Tháng (năm-tháng)", "Month (year-month)"),
        ExportColumn("instrument", "text", "Bộ câu hỏi", "Instrument"),
        ExportColumn("instrument_version", "integer", "Phiên bản", "Version of the instrument"),
        ExportColumn(OVERALL, "integer", instrument.overall.vi, instrument.overall.en, answer),
    ]
    for item in instrument.items:
        if item.kind == "text":
            continue
        if KINDS[item.kind].on_box:
            values = fact if item.kind == "fact" else answer
            without = [(str(WITHOUT_VALUES[name]), in_language(WITHOUT_NAMES[name], "vi")) for name in item.without]
            found.append(ExportColumn(item.code, "integer", item.vi, item.en, (*values, *without)))
        else:
            choices = tuple((str(choice.number), choice.vi) for choice in item.choices)
            found.append(ExportColumn(item.code, "text", item.vi, item.en, choices))
    reasons = tuple((str(1 << reason.bit), reason.vi) for reason in instrument.reasons)
    found.append(ExportColumn("reasons", "integer", "Lý do (tổng các mã)", "Reasons (sum of codes)", reasons))
    flags = tuple((str(int(flag)), in_language(flag.label, "vi")) for flag in RatingFlag)
    found.append(ExportColumn("flag", "integer", "Nghi vấn", "Suspicion", flags))
    counted = (("1", "được tính vào chỉ số"), ("0", "để riêng, không tính"))
    found.append(ExportColumn("counted", "integer", "Được tính", "Counted in the index", counted))
    for name, vi, en in BODIES:
        found.append(ExportColumn(name, "text", vi, en))
    return found


def _rows(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    agency_id: int | None,
    shown: Published | None,
) -> Iterator[list[dict[str, Any]]]:
    """Batches of rows in random order within a day: the order of arrival is not exported."""
    from server.store.tables.agencies import levels

    handling, deciding = agencies.alias("handling"), agencies.alias("deciding")
    query = (
        Scope(province_id)
        .select(
            ratings,
            ratings,
            agencies.c.code.label("agency"),
            levels.c.code.label("level"),
            counters.c.code.label("counter"),
            services.c.code.label("service"),
            handling.c.code.label("handling"),
            deciding.c.code.label("deciding"),
        )
        .join(agencies, agencies.c.id == ratings.c.agency_id)
        .join(levels, levels.c.id == agencies.c.level_id)
        .outerjoin(counters, counters.c.id == ratings.c.counter_id)
        .outerjoin(services, services.c.id == ratings.c.service_id)
        .outerjoin(handling, handling.c.id == ratings.c.handling_id)
        .outerjoin(deciding, deciding.c.id == ratings.c.deciding_id)
        .where(
            ratings.c.instrument == instrument.code,
            ratings.c.instrument_version == instrument.version,
            ratings.c.day.between(period.first_day, period.last_day),
        )
        .order_by(ratings.c.day, func.random())
        .execution_options(yield_per=BATCH)
    )
    if shown is not None:
        may_be_seen = shown.condition(ratings.c, known_day(connection), "in_")
        query = query.where(literal(False) if may_be_seen is None else may_be_seen)
        query = query.where(ratings.c.agency_id.not_in(shown.hidden_agencies()))
    if agency_id is not None:
        query = query.where(ratings.c.agency_id == agency_id)
    slots, scope = instrument.wide, Scope(province_id)
    further = [
        item
        for item in instrument.items
        if item.kind != "text" and not (shown is not None and _is_about_people(instrument, item))
    ]
    for part in connection.execute(query).mappings().partitions(BATCH):
        more = answers_of(connection, scope, [row["id"] for row in part])
        yield [
            {
                "agency": row["agency"],
                "level": row["level"],
                # with the day it would be one clerk's day
                "counter": row["counter"] or "" if shown is None else "",
                "service_group": row["service_group"],
                "service": row["service"] or "",
                "channel": row["channel"],
                "day": day_date(row["day"]),
                "month": month_name(row["month"]),
                "instrument": row["instrument"],
                "instrument_version": row["instrument_version"],
                **{code: row[f"a{slot:02d}"] for code, slot in slots.items()},
                **_further(further, dict(more.get(row["id"], ()))),
                "reasons": row["reasons"],
                "flag": row["flag"],
                "counted": int(row["state"] != RatingState.SET_ASIDE),
                # of what is published it would cut an agency's sheets into small groups
                "handling": row["handling"] or "" if shown is None else "",
                "deciding": row["deciding"] or "" if shown is None else "",
            }
            for row in part
        ]


def _is_about_people(instrument: Instrument, item: Item) -> bool:
    block = instrument.block_of(item)
    return block is not None and block.demographic


def _further(items: list[Item], more: dict[int, int]) -> dict[str, Any]:
    """The cells of further answers; a column of a short question keeps its own unless "don't know" was said."""
    found: dict[str, Any] = {}
    for item in items:
        value = more.get(item.slot)
        if not KINDS[item.kind].on_box:
            found[item.code] = write_item(item, value)
        elif value is not None or not item.is_wide:
            found[item.code] = value or 0
    return found


def export_ratings(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    path: Path,
    *,
    form: str = "csv",
    agency_id: int | None = None,
    shown: Published | None = None,
) -> int:
    """Write the sheets of a period (this version of the instrument) to `path`; the number of sheets.

    `shown`: what may be seen (every route says so); None: all of it, counters too, for the operator at the store.
    Set-aside sheets are in it with `counted` 0: the SIPAS index is 100 x (answers 4, 5) / (answers 1..5) over the
    rows with `counted` 1. Raises `InvalidError` for another format."""
    if form not in FORMATS:
        raise InvalidError(
            Message("There is no format '{form}'.", form=form),
            Message("Write one of: {formats}.", formats=", ".join(FORMATS)),
        )
    wanted = columns(instrument)
    batches = _rows(connection, province_id, instrument, period, agency_id, shown)
    if form == "parquet":
        return _parquet(path, wanted, batches)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        return _csv(file, wanted, batches)


def _csv(file: TextIO, wanted: list[ExportColumn], batches: Iterator[list[dict[str, Any]]]) -> int:
    writer = CsvWriter(file)
    names = [column.name for column in wanted]
    writer.row(names)
    count = 0
    for batch in batches:
        writer.rows([row.get(name, "") for name in names] for row in batch)
        count += len(batch)
    return count


def _parquet(path: Path, wanted: list[ExportColumn], batches: Iterator[list[dict[str, Any]]]) -> int:
    import pyarrow
    from pyarrow import parquet

    kinds = {"text": pyarrow.string(), "integer": pyarrow.int32(), "day": pyarrow.date32()}
    schema = pyarrow.schema([pyarrow.field(c.name, kinds[c.kind], metadata={"vi": c.vi, "en": c.en}) for c in wanted])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for batch in batches:
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


DICTIONARY = (
    Column("column", "text", "Tên cột", "Name of the column"),
    Column("kind", "text", "Kiểu dữ liệu; value: một giá trị của cột", "Type; value: one of the column's values"),
    Column("value", "text", "Giá trị", "The value"),
    Column("label_vi", "text", "Ý nghĩa", "Meaning in Vietnamese"),
    Column("label_en", "text", "Ý nghĩa bằng tiếng Anh", "Meaning in English"),
)
"""Columns of the data dictionary."""


def described_sheets(instrument: Instrument, url: str) -> CsvTable:
    """What the answer sheets' file is, for the programs that read it."""
    found = tuple(Column(one.name, one.kind, one.vi, one.en, one.values) for one in columns(instrument))
    return CsvTable(url, "Phiếu đánh giá", "Answer sheets", found)


def write_dictionary(instrument: Instrument, path: Path) -> None:
    """The data dictionary as CSV: a line for each column, and one for each of its values."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = CsvWriter(file)
        writer.row([column.name for column in DICTIONARY])
        for column in columns(instrument):
            writer.row([column.name, column.kind, "", column.vi, column.en])
            for value, label in column.values:
                writer.row([column.name, "value", value, label, ""])
