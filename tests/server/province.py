"""A small province with users of every role, for tests of pages."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import Connection, Engine, insert

from pipeline.calendar import month_of_day, parse_period, quarter_of_month, today
from pipeline.language import Text
from pipeline.wire import Machine
from server.app import create_app
from server.auth.passwords import hash_password
from server.boxes import updates
from server.catalogue.writing import import_catalogue
from server.core.config import make_config
from server.core.provinces import make_province
from server.store.channels import COUNTER_TABLET
from server.store.engine import insert_row, read, write
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes
from server.store.tables.ratings import ratings
from server.store.tables.releases import cell_values, deliveries, releases
from server.store.tables.users import Role, users

PASSWORD = "a long enough password"
PERIOD = parse_period("2026-Q3")
TABLE = [3, 1, 0, 5, 2, 1, 20, 2, 6, 30, 1, 12, 25, 0, 10, 8, 1, 2]


@dataclass(slots=True)
class Province:
    """What was made: ids by name."""

    province_id: int
    code: str
    agencies: dict[str, int]
    users: dict[Role, str]
    boxes: dict[str, int] = field(default_factory=dict)


@functools.cache
def _hash() -> str:
    """One hash for all: Argon2 is slow by design."""
    return hash_password(PASSWORD)


def fill_province(engine: Engine, code: str, *, simulated: bool = True, share: float = 0.8) -> Province:
    """Two agencies `CODE-a`, `CODE-b` with ratings of 2026-Q3, a box each with one table, and a user of every role."""
    with write(engine) as connection:
        province = make_province(
            connection, code, Text.named(vi=f"Tỉnh {code}", en=f"Province {code}"), simulated=simulated
        )
        rows = [
            (number, {"code": f"{code}-{letter}", "name_vi": f"Sở {code} {letter}", "level": "tinh"})
            for number, letter in enumerate("ab", start=2)
        ]
        import_catalogue(connection, province.province_id, "agencies", rows)
        found = connection.execute(agencies.select().where(agencies.c.province_id == province.province_id)).all()
        made = Province(province.province_id, code, {row.code: row.id for row in found}, {})
        for role in Role:
            made.users[role] = f"{role.value.replace('_', '-')}.{code}"
            reader_of = made.agencies[f"{code}-a"] if role is Role.AGENCY_READER else None
            row: dict[str, object] = {"province_id": province.province_id, "name": made.users[role], "role": role.value}
            row |= {"agency_id": reader_of, "password_hash": _hash(), "must_change_password": False, "created_day": 1}
            connection.execute(insert(users).values(**row))
        for agency_id in made.agencies.values():
            add_ratings(connection, made.province_id, agency_id, 40, round(40 * share))
        for name, agency_id in made.agencies.items():
            box: dict[str, object] = {
                "province_id": made.province_id,
                "agency_id": agency_id,
                "label": f"box {name}",
                "clerks": 2,
                "epoch": 1,
            }
            made.boxes[name] = insert_row(connection, boxes, {**box, "public_key": f"{name:x<40}"[:40]})
            sent: dict[str, object] = {
                "province_id": made.province_id,
                "box_id": made.boxes[name],
                "epoch": 1,
                "sequence": 1,
            }
            sent |= {"kind": "evidence", "received_day": PERIOD.last_day}
            connection.execute(insert(deliveries).values(**sent, digest="d"))
            period = {"period_kind": 4, "period_index": PERIOD.first_month, "epsilon_milli": 1500}
            connection.execute(insert(releases).values(agency_id=agency_id, **sent, **period, **cell_values(TABLE)))
    return made


def add_analyst(engine: Engine, province: Province, name: str = "second.analyst") -> str:
    """Another analyst of the province; the name to log in with."""
    row: dict[str, object] = {"province_id": province.province_id, "name": name, "role": Role.ANALYST.value}
    row |= {"agency_id": None, "password_hash": _hash(), "must_change_password": False, "created_day": 1}
    with write(engine) as connection:
        connection.execute(insert(users).values(**row))
    return name


def add_ratings(
    connection: Connection, province_id: int, agency_id: int, rated: int, satisfied: int, **more: object
) -> None:
    """`rated` tablet ratings spread over the quarter's first 20 days, the first `satisfied` of them satisfied."""
    rows = []
    for number in range(rated):
        day = PERIOD.first_day + number % 20
        row: dict[str, object] = {"province_id": province_id, "agency_id": agency_id, "service_group": 1, "day": day}
        row |= {"month": month_of_day(day), "channel": COUNTER_TABLET.code, "instrument": "2640"}
        rows.append({**row, "instrument_version": 1, "a00": 5 if number < satisfied else 2, **more})
    connection.execute(insert(ratings), rows)


def add_to_last_quarter(connection: Connection, made: Province, given: Mapping[str, tuple[int, int]]) -> None:
    """Whole sheets on each of two days of the last quarter that is over. `given`: (sheets, satisfied ones) of a day, by
    the agency's code."""
    last = quarter_of_month(month_of_day(today())).before()
    for day in (last.first_day + 3, last.first_day + 9):
        at = {"day": day, "month": month_of_day(day), **{f"a{slot:02d}": 4 for slot in range(1, 10)}}
        for code, (rated, satisfied) in given.items():
            add_ratings(connection, made.province_id, made.agencies[code], rated, satisfied, **at)


def application(engine: Engine, folder: Path, *, demo: bool = False) -> FastAPI:
    """The application, with cookies that go over plain HTTP."""
    config = make_config({"data_dir": folder, "demo": demo, "web": {"secure_cookies": False}}, "test")
    return create_app(engine, config)


def count(engine: Engine, table: str) -> int:
    """Rows of a table."""
    with read(engine) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def offer_updates(store: Engine, province: Province) -> None:
    """Two updates of the boxes: one that the pilot, the first box, is offered, and one that lies ready."""
    with write(store) as connection:
        updates.state_ring(connection, province.province_id, min(province.boxes.values()), updates.Ring.PILOT)
        for release, software, wait in ((0xAAAA0001, "1.1", False), (0xBBBB0002, "1.2", True)):
            machine = (Machine.X86_64, "3.11", 9, 1.0)
            updates.offer_release(connection, province.province_id, release, software, *machine, wait=wait)
