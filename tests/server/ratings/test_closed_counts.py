"""Counts of transactions weigh the figures: those of a closed month stay as they were when it was closed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from pipeline.calendar import Period, month_name, month_of_day, period_of_months, today
from pipeline.errors import ImportRowError
from server.core.scope import Scope
from server.imports.kinds import find_kind
from server.ratings.closing import close_period
from server.store.engine import read, write
from server.store.tables.transactions import transactions
from server.tabular.spec import ImportResult, Options, import_file
from tests.server.worlds import small_province

HEADER = "agency,service_group,month,count"


@pytest.fixture
def province(store: Engine) -> int:
    with write(store) as connection:
        return small_province(connection)


def _month(back: int) -> Period:
    month = month_of_day(today()) - back
    return period_of_months(month, month)


def _close(store: Engine, province: int, back: int) -> str:
    with write(store) as connection:
        close_period(connection, Scope(province), _month(back), None)
    return month_name(_month(back).last_month)


def _file(store: Engine, province: int, tmp_path: Path, *rows: str, header: str = HEADER) -> ImportResult:
    path = tmp_path / "counts.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    result: ImportResult = import_file(store, Scope(province), find_kind("transactions"), path, Options())
    return result


def _stored(store: Engine) -> list[tuple[int | None, ...]]:
    columns = [transactions.c[name] for name in ("month", "service_group", "count", "late", "complained")]
    with read(store) as connection:
        return sorted(tuple(row) for row in connection.execute(select(*columns)))


def test_counts_of_a_closed_month_stay(any_store: Engine, tmp_path: Path) -> None:
    """Another count, and a line more, moved the weighted figures of a quarter that had been closed for good."""
    store = any_store
    with write(store) as connection:
        province = small_province(connection)
    month = month_name(_month(2).first_month)
    assert _file(store, province, tmp_path, f"so-a,1,{month},100").added == 1
    _close(store, province, 2)
    before = _stored(store)
    for row in (f"so-a,1,{month},101", f"so-a,2,{month},1", f"so-b,1,{month},1", f"so-b,,{month},1"):
        with pytest.raises(ImportRowError) as told:
            _file(store, province, tmp_path, row)
        assert str(told.value.rows[0][1]) == f"{month} is closed: its counts stay as they are"
    assert _stored(store) == before
    assert _file(store, province, tmp_path, f"so-a,1,{month},100").unchanged == 1
    after = month_name(_month(1).first_month)
    assert _file(store, province, tmp_path, f"so-a,1,{after},100").added == 1
    assert _file(store, province, tmp_path, f"so-a,1,{after},90").changed == 1


def test_one_row_of_a_closed_month_refuses_the_file(store: Engine, province: int, tmp_path: Path) -> None:
    closed, later = month_name(_month(2).first_month), month_name(_month(1).first_month)
    _file(store, province, tmp_path, f"so-a,1,{closed},100", f"so-a,1,{later},100")
    _close(store, province, 2)
    before = _stored(store)
    with pytest.raises(ImportRowError):
        _file(store, province, tmp_path, f"so-a,1,{later},120", f"so-a,1,{closed},120")
    assert _stored(store) == before


def test_what_a_closed_month_never_had_is_filled_once(store: Engine, province: int, tmp_path: Path) -> None:
    """An office's counts come after its quarter has been closed, those of late dossiers later still."""
    closed = _close(store, province, 2)
    assert _file(store, province, tmp_path, f"so-a,1,{closed},100", f"so-a,2,{closed},50").added == 2
    with pytest.raises(ImportRowError):
        _file(store, province, tmp_path, f"so-a,1,{closed},90")
    late = f"{HEADER},late"
    assert _file(store, province, tmp_path, f"so-a,1,{closed},100,7", header=late).changed == 1
    for row in (f"so-a,1,{closed},100,6", f"so-a,2,{closed},50,6", f"so-a,1,{closed},101,7"):
        with pytest.raises(ImportRowError):
            _file(store, province, tmp_path, row, header=late)
    assert _file(store, province, tmp_path, f"so-a,1,{closed},100,7", header=late).unchanged == 1
    # a file without that column leaves it
    assert _file(store, province, tmp_path, f"so-a,1,{closed},100").unchanged == 1
    assert [row[2:] for row in _stored(store)] == [(100, 7, None), (50, None, None)]
