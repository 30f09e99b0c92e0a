"""A province whose clock a test turns, and what can go wrong in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, insert, select, update

from pipeline.calendar import INDOCHINA, day_at, month_of_day
from pipeline.errors import HailongError
from pipeline.language import Text
from server.alerts.alarm import Alarm
from server.core.config import make_config
from server.core.provinces import write_setting
from server.core.scope import Scope
from server.imports.kinds import KINDS as FILES
from server.store.channels import COUNTER_TABLET
from server.store.engine import insert_row, read, write
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes, heartbeats
from server.store.tables.feedback import feedback
from server.store.tables.letters import alerts, failed_imports
from server.store.tables.ratings import ratings
from server.tabular.spec import import_file
from tests.server.worlds import agency_id

START = int(datetime(2026, 11, 25, 10, 0, tzinfo=INDOCHINA).timestamp())
TODAY = day_at(START)
HOUR = 3_600
SECRET_WORDS = "Cán bộ Nguyễn Thị Thử đòi thêm tiền"


@dataclass(slots=True)
class World:
    """A province whose clock the test turns."""

    engine: Engine
    folder: Path
    province: int
    now: int = START
    boxes: dict[str, int] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    alarm: Alarm = field(init=False)

    def begin(self) -> None:
        """The server starts."""
        config = make_config({"data_dir": self.folder, **self.config}, "test")
        self.alarm = Alarm(self.engine, config, lambda: self.now)

    def settings(self, **values: Any) -> None:
        """Settings of the province."""
        with write(self.engine) as connection:
            for name, value in values.items():
                write_setting(connection, self.province, name, value)

    def add_agency(self, code: str) -> int:
        """One more agency, with a box that was heard just now."""
        with write(self.engine) as connection:
            like = connection.execute(
                select(agencies).where(agencies.c.id == agency_id(connection, self.province, "so-a"))
            ).one()
            names = {"name": Text.named(vi=f"Cơ quan {code}", en=code), "level_id": like.level_id}
            made = insert_row(connection, agencies, {"province_id": self.province, "code": code, **names})
            box = {
                "province_id": self.province,
                "agency_id": made,
                "label": f"hộp {code}",
                "public_key": f"{code:x<40}",
            }
            self.boxes[code] = insert_row(connection, boxes, box)
            beat = {"state": 0, "software": "0.1.0", "provider": 0, "received_s": self.now}
            connection.execute(insert(heartbeats).values(box_id=self.boxes[code], province_id=self.province, **beat))
        return made

    def hear(self, *codes: str) -> None:
        """Heartbeats of now."""
        with write(self.engine) as connection:
            mine = heartbeats.c.box_id.in_([self.boxes[code] for code in codes])
            connection.execute(update(heartbeats).where(mine).values(received_s=self.now))

    def add_sheets(self, agency: int, by_day: Iterable[tuple[int, int, int]]) -> None:
        """Sheets of the tablet: (day, how many, how many of them satisfied)."""
        rows = []
        for day, asked, good in by_day:
            row: dict[str, object] = {"province_id": self.province, "agency_id": agency, "day": day}
            row |= {
                "month": month_of_day(day),
                "channel": COUNTER_TABLET.code,
                "instrument": "2640",
                "instrument_version": 1,
                "received_day": day,
            }
            rows += [{**row, "a00": 5 if number < good else 2} for number in range(asked)]
        with write(self.engine) as connection:
            connection.execute(insert(ratings), rows)

    def add_case(self, due_in: int) -> int:
        """An open case, due in so many days."""
        with write(self.engine) as connection:
            agency = agency_id(connection, self.province, "so-a")
            row = {"province_id": self.province, "code_hash": f"{due_in}-{np.random.default_rng().integers(1 << 60)}"}
            row |= {"agency_id": agency, "channel": "web", "category": "cost", "received_day": TODAY - 9}
            return insert_row(connection, feedback, {**row, "due_day": TODAY + due_in, "text": SECRET_WORDS})

    def fail_import(self, kind: str) -> None:
        """A file that is none of the kind."""
        path = self.folder / f"{kind}.csv"
        path.write_text("khong_co_cot\n1\n", encoding="utf-8")
        with pytest.raises(HailongError):
            import_file(self.engine, Scope(self.province), FILES[kind], path)
        with write(self.engine) as connection:
            mine = failed_imports.c.kind == kind
            connection.execute(update(failed_imports).where(mine).values(failed_s=self.now))

    def looks(self, count: int, every_s: int = 60) -> tuple[int, int]:
        """(opened, closed) in so many looks, the clock going on before each."""
        opened = closed = 0
        for _ in range(count):
            self.now += every_s
            done = self.alarm.look()
            opened, closed = opened + done.opened, closed + done.closed
        return opened, closed

    def kinds(self, *, over: bool = False) -> dict[str, int]:
        """Alerts by kind: those that are open, or over."""
        found: dict[str, int] = {}
        with read(self.engine) as connection:
            for row in connection.execute(select(alerts).where(alerts.c.opened_s.is_not(None))):
                if (row.closed_s is not None) == over:
                    found[row.kind] = found.get(row.kind, 0) + 1
        return found
