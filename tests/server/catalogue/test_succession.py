"""Official codes, validity and successors of agencies; and the province of two tiers or three."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select

from pipeline.calendar import day_index, parse_period
from pipeline.errors import ImportRowError, InvalidError
from pipeline.instruments import load_service_groups
from pipeline.language import Text
from server.catalogue.fields import load_fields
from server.catalogue.reading import read_catalogue
from server.catalogue.succession import SUCCESSORS, Line, line_of
from server.core.provinces import make_province, write_setting
from server.core.scope import Scope
from server.imports.kinds import KINDS
from server.scores.trends import trend
from server.simulation.places import DEPARTMENTS, place_names
from server.simulation.province import simulate_province
from server.store.engine import read, write
from server.store.tables.agencies import agencies, agency_successors
from server.store.tables.ratings import ratings
from server.tabular.spec import import_file
from tests.server.worlds import add_sheets, agency_id, small_province

MERGER = day_index(date(2025, 7, 1))


def _import(store: Engine, province: int, kind: str, folder: Path, text: str) -> int:
    path = folder / f"{kind}.csv"
    path.write_text(text, encoding="utf-8")
    return int(import_file(store, Scope(province), KINDS[kind], path).added)


@pytest.fixture
def merged(store: Engine, tmp_path: Path) -> tuple[Engine, int]:
    """`xa-c` took over from `xa-1` and `xa-2` on 1 July 2025; `xa-2` had taken over from `xa-0` before; `xa-s` was
    split among `xa-c` and `so-b`."""
    with write(store) as connection:
        province = small_province(connection)
    ends = "".join(f"xa-{one},Xã {one},xa,H1.{one},30/06/2025\n" for one in ("0", "1", "2", "s"))
    _import(store, province, "agencies", tmp_path, "code,name_vi,level,official_code,last_day\n" + ends)
    rows = "xa-1,xa-c,1/7/2025\nxa-2,xa-c,1/7/2025\nxa-0,xa-2,1/1/2020\nxa-s,xa-c,1/7/2025\nxa-s,so-b,1/7/2025\n"
    assert _import(store, province, "successors", tmp_path, "agency,successor,day\n" + rows) == 5
    return store, province


def test_a_line_goes_through_mergers_and_leaves_out_what_was_split(merged: tuple[Engine, int]) -> None:
    store, province = merged
    with read(store) as connection:
        ids = {code: agency_id(connection, province, code) for code in ("xa-0", "xa-1", "xa-2", "xa-s", "xa-c")}
        line = line_of(connection, Scope(province), ids["xa-c"])
        alone = line_of(connection, Scope(province), ids["xa-1"])
    first = day_index(date(2020, 1, 1))
    assert line.members == {ids["xa-c"]: None, ids["xa-1"]: MERGER, ids["xa-2"]: MERGER, ids["xa-0"]: first}
    assert line.split == {ids["xa-s"]}
    assert line.breaks == (first, MERGER)
    assert line.break_months == (0, 66)
    assert (alone.members, alone.breaks) == ({ids["xa-1"]: None}, ())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("xa-c,xa-c,1/7/2025", "come from itself"),
        ("xa-c,xa-0,1/7/2025", "come from itself"),
        ("xa-9,xa-c,1/7/2025", "unknown agency"),
        ("xa-1,so-a,", "the day is missing"),
        ("xa-1,so-a,31/6/2025", "day"),
    ],
)
def test_successors_that_cannot_be(merged: tuple[Engine, int], tmp_path: Path, row: str, reason: str) -> None:
    store, province = merged
    with pytest.raises(ImportRowError) as refused:
        _import(store, province, "successors", tmp_path, f"agency,successor,day\n{row}\n")
    assert reason in str(refused.value.rows[0][1])


@settings(max_examples=25, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_no_order_of_rows_makes_a_circle(pairs: list[tuple[int, int]]) -> None:
    """Whatever rows are taken, in whatever order, no agency ever comes from itself."""
    from collections import defaultdict

    from server.catalogue.succession import SuccessorReader

    reader = SuccessorReader.__new__(SuccessorReader)
    reader._after = defaultdict(set)
    taken = set()
    for old, new in pairs:
        if not reader._leads_to(new, old):
            reader._after[old].add(new)
            taken.add((old, new))
    for start in range(5):
        reached, waiting = set(), [new for old, new in taken if old == start]
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting += [new for old, new in taken if old == one]
        assert start not in reached


def test_a_row_without_codes_keeps_them_and_two_agencies_never_share_one(store: Engine, tmp_path: Path) -> None:
    with write(store) as connection:
        province = small_province(connection)
    _import(
        store,
        province,
        "agencies",
        tmp_path,
        "code,name_vi,level,official_code,area_code,first_day\nxa-c,Xã C,xa,h15.50.05.13,07894,1/7/2025\n",
    )
    _import(store, province, "agencies", tmp_path, "code,name_vi,level\nxa-c,Xã C mới,xa\n")
    with read(store) as connection:
        row = connection.execute(select(agencies).where(agencies.c.code == "xa-c")).one()
    assert (str(row.name), row.official_code, row.area_code) == ("Xã C mới", "H15.50.05.13", "07894")
    assert (row.first_day, row.last_day) == (MERGER, None)
    for text, reason in (
        ("so-a,A,tinh,H15.50.05.13,,", "another agency has the official code"),
        ("so-a,A,tinh,,2/1/2026,1/1/2026", "before the first"),
    ):
        header = "code,name_vi,level,official_code,first_day,last_day\n"
        with pytest.raises(ImportRowError) as refused:
            _import(store, province, "agencies", tmp_path, f"{header}{text}\n")
        assert reason in str(refused.value.rows[0][1])


@pytest.mark.parametrize(("tiers", "codes"), [(2, ["tinh", "xa"]), (3, ["tinh", "huyen", "xa"])])
def test_provinces_have_two_tiers_unless_three_are_asked_for(store: Engine, tiers: int, codes: list[str]) -> None:
    with write(store) as connection:
        made = make_province(connection, "p", Text.named(vi="Tỉnh P"), tiers=tiers)
        simulated = simulate_province(
            connection, seed=1, quarters=1, sheets_a_quarter=40, communes=3, tiers=tiers
        ).province_id
    with read(store) as connection:
        for province in (made.province_id, simulated):
            assert [level.code for level in read_catalogue(connection, province).levels.values()] == codes
        catalogue = read_catalogue(connection, simulated)
    assert len(catalogue.agencies) == 14 + 3 + (6 if tiers == 3 else 0)
    with pytest.raises(InvalidError, match="two or three tiers"), write(store) as connection:
        simulate_province(connection, seed=1, code="q", communes=0)


def test_names_and_codes_of_places_are_their_own() -> None:
    for tiers in (2, 3):
        names = place_names(200, tiers)
        for attribute in ("code", "vi", "official_code"):
            assert len({getattr(name, attribute) for name in names}) == len(names)
    assert {branch for name in place_names(100, 2) for branch in [name.branches]} == {0, 1, 2}


def test_every_group_stands_in_one_field_and_one_department() -> None:
    groups = sorted(group for field in load_fields() for group in field.groups)
    assert groups == [group.number for group in load_service_groups() if group.number]
    assert {group for *_, served in DEPARTMENTS for group in served} == set(groups)


def test_successors_are_a_kind_of_the_catalogue() -> None:
    assert KINDS["successors"] is SUCCESSORS


def test_an_agencys_months_go_on_through_a_merger_where_each_unit_may_be_shown(store: Engine) -> None:
    """Before it stood the successor's own sheets alone; a unit that is hidden by itself is in no sum."""
    with write(store) as connection:
        province = small_province(connection)
        old, new = (agency_id(connection, province, code) for code in ("so-b", "xa-c"))
        row = {"province_id": province, "agency_id": old, "successor_id": new}
        connection.execute(insert(agency_successors).values(**row, day=day_index(date(2026, 7, 1))))
        write_setting(connection, province, "min_answers", 30)
        for month, code, satisfied, others in (
            (4, "so-b", 40, 0),
            (4, "xa-c", 20, 20),
            (5, "so-b", 10, 0),  # hidden by itself
            (5, "xa-c", 40, 0),
            (6, "so-b", 60, 0),
            (7, "so-b", 50, 0),  # it has gone over: what is still entered under its name is not the line's
            (7, "xa-c", 30, 10),
        ):
            sheets = [{"overall": 5}] * satisfied + [{"overall": 1}] * others
            add_sheets(connection, province, code, sheets, day=date(2026, month, 3))
            connection.execute(ratings.update().values(received_day=ratings.c.day))
    with read(store) as connection:
        scope = Scope(province)
        found = {
            code: {
                point.month: (round(point.index, 6), point.rated)
                for point in trend(connection, province, line, parse_period("2026-07"), 6)
                if point.index is not None
            }
            for code, line in (
                ("alone", Line.alone(new)),
                ("line", line_of(connection, scope, new)),
                ("old", line_of(connection, scope, old)),
            )
        }
    assert found["alone"] == {75: (50.0, 40), 76: (100.0, 40), 78: (75.0, 40)}
    assert found["line"] == {75: (75.0, 80), 77: (100.0, 60), 78: (75.0, 40)}
    assert set(found["old"]) == {75, 77, 78}
