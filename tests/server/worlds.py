"""Small provinces for the survey's tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, insert, select

from pipeline.calendar import day_index, month_of_day, today
from pipeline.instruments import Instrument, load_instrument
from pipeline.language import Text
from server.store.engine import insert_row
from server.store.tables.agencies import agencies, levels
from server.store.tables.provinces import provinces
from server.store.tables.ratings import answer_values, ratings
from server.store.tables.services import fields, service_groups
from server.store.tables.transactions import transactions


def small_province(connection: Connection, code: str = "nho") -> int:
    """A province of two levels, three agencies (`so-a`, `so-b`, `xa-c`) and two service groups (1, 2) in two
    fields."""
    names = {"name": Text.named(vi=f"Tỉnh {code}", en=f"{code} Province")}
    province = insert_row(connection, provinces, {"code": code, **names, "simulated": True, "created_day": today()})
    place = {"province_id": province}
    for rank, level in enumerate(("tinh", "xa"), start=1):
        level_id = insert_row(
            connection, levels, {**place, "code": level, "name": Text.named(vi=level, en=level), "rank": rank}
        )
        for agency in ("so-a", "so-b") if rank == 1 else ("xa-c",):
            row = {**place, "code": agency, "name": Text.named(vi=f"Cơ quan {agency}", en=agency), "level_id": level_id}
            insert_row(connection, agencies, row)
    for number, name in ((1, "Hộ tịch"), (2, "Đất đai")):
        field = insert_row(connection, fields, {**place, "code": f"lv-{number}", "name": Text.named(vi=name, en=name)})
        insert_row(
            connection,
            service_groups,
            {**place, "number": number, "name": Text.named(vi=name, en=name), "field_id": field},
        )
    return province


def agency_id(connection: Connection, province: int, code: str) -> int:
    """Id of an agency by its code."""
    query = select(agencies.c.id).where(agencies.c.province_id == province, agencies.c.code == code)
    return int(connection.execute(query).scalar_one())


def add_sheets(
    connection: Connection,
    province: int,
    agency: str,
    sheets: Iterable[Mapping[str, int]],
    *,
    instrument: Instrument | None = None,
    channel: str = "paper",
    group: int = 1,
    day: date = date(2026, 7, 15),
    **more: Any,
) -> None:
    """Insert sheets given as code of item -> answer."""
    questionnaire = instrument or load_instrument("2640")
    rows = []
    for sheet in sheets:
        values = [0] * 32
        for code, answer in sheet.items():
            values[questionnaire.slot_of(code)] = answer
        rows.append(
            {
                "province_id": province,
                "agency_id": agency_id(connection, province, agency),
                "service_group": group,
                "channel": channel,
                "day": day_index(day),
                "month": month_of_day(day_index(day)),
                "instrument": questionnaire.code,
                "instrument_version": questionnaire.version,
                **answer_values(values),
                **more,
            }
        )
    connection.execute(insert(ratings), rows)


def add_transactions(connection: Connection, province: int, counts: Mapping[tuple[str, int], int]) -> None:
    """Transactions of July 2026 by (agency, service group)."""
    connection.execute(
        insert(transactions),
        [
            {
                "province_id": province,
                "agency_id": agency_id(connection, province, agency),
                "service_group": group,
                "month": month_of_day(day_index(date(2026, 7, 1))),
                "count": count,
            }
            for (agency, group), count in counts.items()
        ],
    )
