"""What we export comes back with the same figures."""

from __future__ import annotations

import random
from pathlib import Path

from sqlalchemy import Engine

from pipeline.calendar import Period, parse_period
from pipeline.instruments import RatingFlag, load_instrument
from server.core.scope import Scope
from server.imports.kinds import find_kind
from server.ratings.export import export_ratings
from server.ratings.imports import RatingImport
from server.ratings.store import set_aside
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.ratings import ANSWER_COLUMNS, ratings
from server.tabular.spec import Options, import_file
from tests.server.worlds import small_province

INSTRUMENT = load_instrument("2640")
PERIOD: Period = parse_period("2026-Q3")


def _sheets(engine: Engine, province: int) -> list[tuple[object, ...]]:
    columns = (*ANSWER_COLUMNS, "day", "channel", "service_group", "reasons", "flag", "state")
    query = Scope(province).select(ratings, agencies.c.code, *(ratings.c[name] for name in columns))
    with read(engine) as connection:
        found = connection.execute(query.join(agencies, agencies.c.id == ratings.c.agency_id))
        return sorted(tuple(row) for row in found)


def test_exported_sheets_come_back_as_they_were(store: Engine, tmp_path: Path) -> None:
    draw = random.Random(7)
    with write(store) as connection:
        first, second = small_province(connection, "mot"), small_province(connection, "hai")
    codes = [item.code for item in INSTRUMENT.criteria]
    lines = ["form,agency,day,channel,service_group,reasons,overall," + ",".join(codes)]
    for n in range(80):
        answers = ",".join(str(draw.randint(1, 5)) for _ in codes)
        overall = draw.randint(1, 5)
        reasons = "waiting" if overall <= 2 and any(r.code == "waiting" for r in INSTRUMENT.reasons) else ""
        agency, channel = draw.choice(["so-a", "so-b", "xa-c"]), draw.choice(["paper", "online", "hotline"])
        lines.append(f"P{n},{agency},{n % 28 + 1}/8/2026,{channel},{n % 3},{reasons},{overall},{answers}")
    path = tmp_path / "in.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    options = Options(instrument=INSTRUMENT, sheet_key=bytes(32))
    import_file(store, Scope(first), find_kind("ratings"), path, options)
    with write(store) as connection:
        ids = list(connection.execute(Scope(first).select(ratings, ratings.c.id)).scalars())
        for rating in ids[:5]:
            set_aside(connection, Scope(first), rating, RatingFlag.BURST, None)
        exported = tmp_path / "out.csv"
        assert export_ratings(connection, first, INSTRUMENT, PERIOD, exported) == 80
    result: RatingImport = import_file(store, Scope(second), find_kind("ratings"), exported, options)
    assert (result.added, result.set_aside) == (80, 5)
    assert _sheets(store, first) == _sheets(store, second)
    assert result.balance is not None
    assert result.balance.adds_up
    assert set(result.balance.ignored_columns) == {"level", "counter", "month"}
