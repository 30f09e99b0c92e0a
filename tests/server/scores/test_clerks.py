"""No figure of one clerk: a lone one-clerk box shows nowhere, two of them do, pools count for themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hailong.cli import main
from pipeline.calendar import day_index, month_date, parse_period
from pipeline.errors import InvalidError, NotFoundError
from pipeline.language import in_language
from pipeline.release_kind import EVIDENCE
from pipeline.release_kind import PULSE as PULSE_KIND
from server.boxes.registry import list_boxes, new_box, state_clerks
from server.scores.clerks import LEFT_OUT, PULSES_LEFT_OUT, left_out
from server.scores.evidence import agency_months
from server.scores.fused import agency_scores
from server.scores.tables import TABLES, material
from server.scores.trends import pulses
from server.store.engine import connect, insert_row, read, write
from server.store.tables.boxes import boxes
from server.store.tables.ratings import ratings
from server.store.tables.releases import cell_values, releases
from server.store.tables.users import Role
from server.store.upgrade import newest_version, upgrade
from tests.server.client import Browser
from tests.server.province import PERIOD, TABLE, Province, application, fill_province

MONTH = PERIOD.first_month
PULSE = (4_001, 4_002, 4_003, 4_004)
"""Counts that no other figure of a page has."""


def _serving(connection: Any, province: Province, clerks: int, pool: str = "") -> None:
    """What the boxes that the province has serve."""
    mine = boxes.c.province_id == province.province_id
    connection.execute(update(boxes).where(mine).values(clerks=clerks, pool=pool))


def _box(connection: Any, province: Province, name: str, clerks: int, pool: str = "") -> int:
    """One more box of the first agency."""
    place: dict[str, Any] = {"province_id": province.province_id, "agency_id": province.agencies["p1-a"]}
    return insert_row(connection, boxes, {**place, "label": name, "epoch": 1, "clerks": clerks, "pool": pool})


def _send(connection: Any, province: Province, box: int, sequence: int, *, month: int = MONTH, epoch: int = 1) -> None:
    """A month's evidence of a box of the first agency."""
    sent: dict[str, Any] = {"province_id": province.province_id, "agency_id": province.agencies["p1-a"]}
    sent |= {"box_id": box, "epoch": epoch}
    sent |= {"sequence": sequence, "kind": "evidence", "period_kind": 4, "period_index": month, "epsilon_milli": 1500}
    connection.execute(insert(releases).values(**sent, received_day=PERIOD.last_day, **cell_values(TABLE)))
    _seen(connection, province, month)


def _seen(connection: Any, province: Province, month: int) -> None:
    """The tablet's ratings that `TABLE` rests on, set aside: they move no figure, and the table is believed."""
    rating: dict[str, Any] = {"province_id": province.province_id, "agency_id": province.agencies["p1-a"]}
    rating |= {"day": day_index(month_date(month)), "month": month, "channel": "counter_tablet", "instrument": "2640"}
    rating |= {"service_group": 1, "instrument_version": 1, "state": 1}
    answers = [2] * sum(TABLE[1::3]) + [5] * sum(TABLE[2::3])
    connection.execute(insert(ratings), [{**rating, "a00": answer} for answer in answers])


def _pulse(connection: Any, province: Province, box: int, sequence: int, index: int) -> None:
    sent: dict[str, Any] = {"province_id": province.province_id, "agency_id": province.agencies["p1-a"]}
    sent |= {"box_id": box, "epoch": 1}
    sent |= {"sequence": sequence, "kind": "pulse", "period_kind": 3, "period_index": index, "epsilon_milli": 500}
    connection.execute(insert(releases).values(**sent, received_day=index + 1, **cell_values(PULSE)))


def _visits(engine: Engine, province: Province) -> int:
    """Visits in the tables that the first agency's score rests on."""
    return agency_scores(engine, province.province_id, PERIOD)[0].n_implicit


ONE_TABLE = sum(TABLE)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("first", "others", "shown"),
    [
        ((1, ""), [], 0),
        ((2, ""), [], 1),
        ((1, ""), [(1, "")], 2),
        ((1, "p"), [], 0),
        ((2, "p"), [], 1),
        ((1, "p"), [(1, "p")], 2),
        ((1, "p"), [(1, "q")], 0),
        ((1, "p"), [(1, "")], 0),  # the pooled box is out, so the other is alone
        ((1, "p"), [(2, "")], 1),  # a pool of one stays out of a larger agency
        ((1, "p"), [(1, "p"), (1, "")], 3),
        ((1, ""), [(2, "p")], 2),
    ],
)
def test_clerks_of_a_window_add_up(
    any_store: Engine, first: tuple[int, str], others: list[tuple[int, str]], shown: int
) -> None:
    province = fill_province(any_store, "p1")
    with write(any_store) as connection:
        _serving(connection, province, *first)
        for number, (clerks, pool) in enumerate(others):
            _send(connection, province, _box(connection, province, f"other {number}", clerks, pool), 1)
    score = agency_scores(any_store, province.province_id, PERIOD)[0]
    assert score.n_implicit == shown * ONE_TABLE
    assert score.index_explicit == pytest.approx(80.0), "ratings stand in any case"
    complete = shown == 1 + len(others)
    said = in_language(score.verdict_words, "vi")
    assert (in_language(LEFT_OUT, "vi") in said, LEFT_OUT in score.verdict_words) == (not complete, not complete)


def test_a_box_counts_once_and_each_month_for_itself(store: Engine) -> None:
    province = fill_province(store, "p1")
    with write(store) as connection:
        _serving(connection, province, 1)
        _send(connection, province, province.boxes["p1-a"], 2, epoch=2)
        # a second box in another month of the quarter: less that month, the quarter would be one clerk's
        other = _box(connection, province, "other", 1)
        _send(connection, province, other, 1, month=MONTH + 1)
    assert _visits(store, province) == 0
    with write(store) as connection:
        _send(connection, province, other, 2)
    assert _visits(store, province) == 3 * ONE_TABLE
    with read(store) as connection:
        hidden = left_out(connection, province.province_id, EVIDENCE, province.agencies["p1-a"])
    assert [row.period_index for row in hidden] == [MONTH + 1]
    assert LEFT_OUT in agency_scores(store, province.province_id, PERIOD)[0].verdict_words
    only_last = agency_scores(store, province.province_id, parse_period("2026-07"))[0]
    assert LEFT_OUT not in only_last.verdict_words


def test_another_agency_or_province_gives_no_company(store: Engine) -> None:
    provinces = [fill_province(store, code) for code in ("p1", "p2")]
    with write(store) as connection:
        for province in provinces:
            _serving(connection, province, 1, "p")
    with read(store) as connection:
        for province in provinces:
            months = agency_months(connection, province.province_id, PERIOD)
            assert months
            assert not any(month.tables for month in months)


@pytest.mark.postgres
def test_a_lone_clerk_s_pulses_are_left_out(any_store: Engine) -> None:
    province = fill_province(any_store, "p1")
    agency = province.agencies["p1-a"]
    with write(any_store) as connection:
        _serving(connection, province, 1)
        _pulse(connection, province, province.boxes["p1-a"], 10, 2430)
        assert pulses(connection, province.province_id, agency) == []
        assert left_out(connection, province.province_id, PULSE_KIND, agency)
        _pulse(connection, province, _box(connection, province, "second", 1), 10, 2430)
        assert [found.low for found in pulses(connection, province.province_id, agency)] == [2 * PULSE[0]]


def test_a_lone_clerk_shows_nowhere(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "p1")
    box = province.boxes["p1-a"]
    with write(store) as connection:
        _serving(connection, province, 1)
        _pulse(connection, province, box, 10, 2430)
    before = _everything(store, province, tmp_path)
    assert _figures(before["scores"]) == [0, 0]
    assert LEFT_OUT[1] in before["csv"]
    assert LEFT_OUT[0] in before["/"]
    assert LEFT_OUT[0] in before["/agencies/p1-a"]
    assert LEFT_OUT[0] in before["/analysis"]
    assert PULSES_LEFT_OUT[0] in before["/agencies/p1-a"]
    assert "4.001" not in before["/agencies/p1-a"]
    with write(store) as connection:  # whatever the lone box sent: no page, file or table moves
        mine = releases.c.province_id == province.province_id
        connection.execute(
            update(releases).where(mine).values(c00=90_001, c03=80_002, received_day=PERIOD.last_day - 1)
        )
    assert _everything(store, province, tmp_path) == before
    with write(store) as connection:
        second = _box(connection, province, "second", 1)
        _send(connection, province, second, 1)
        _pulse(connection, province, second, 10, 2430)
    after = _everything(store, province, tmp_path)
    assert _figures(after["scores"])[0] > 90_000
    assert _figures(after["scores"])[1] == 0
    assert in_language(PULSES_LEFT_OUT, "vi") not in after["/agencies/p1-a"]
    assert "8.004" in after["/agencies/p1-a"], "two boxes' pulses, added up"
    assert after["agreement"] != before["agreement"]


def _figures(scores: str) -> list[int]:
    return [agency["n_implicit"] for agency in json.loads(scores)["agencies"]]


def _everything(engine: Engine, province: Province, folder: Path) -> dict[str, str]:
    """All that a person or program can read of the quarter."""
    browser = Browser(application(engine, folder))
    browser.log_in(province.users[Role.ANALYST])
    found = {
        "scores": browser.get("/api/v1/scores?period=2026-Q3").text,
        "csv": browser.get("/scores.csv?period=2026-Q3").text,
    }
    for path in ("/", "/agencies/p1-a", "/analysis"):
        page = browser.get(f"{path}?period=2026-Q3").text
        found[path] = re.sub(r'name="csrf" value="[0-9a-f]+"', "", page)
    rows = material(engine, province.province_id, PERIOD)
    for name, make in TABLES.items():
        found[name] = browser.get(f"/analysis/{name}.csv?period=2026-Q3").text
        found[f"rows {name}"] = repr(make(rows))
    return found


def test_pulses_of_many_windows(store: Engine) -> None:
    province = fill_province(store, "p1")
    agency = province.agencies["p1-a"]
    with write(store) as connection:
        _serving(connection, province, 1)
        other = _box(connection, province, "other", 1)
        for index in range(50):
            _pulse(connection, province, province.boxes["p1-a"], 10 + index, 2400 + index)
            if index % 2:
                _pulse(connection, province, other, 10 + index, 2400 + index)
        found = pulses(connection, province.province_id, agency)
        hidden = left_out(connection, province.province_id, PULSE_KIND, agency)
    assert len(found) == 25
    assert {(p.low, p.abstained) for p in found} == {(2 * PULSE[0], 2 * PULSE[3])}
    assert sorted(row.period_index for row in hidden) == list(range(2400, 2450, 2))


def test_what_the_operator_states_counts_at_once(store: Engine) -> None:
    province = fill_province(store, "p1")
    with write(store) as connection:
        _serving(connection, province, 1)
    assert _visits(store, province) == 0
    state_clerks(store, province.province_id, province.boxes["p1-a"], 3)
    assert _visits(store, province) == ONE_TABLE
    state_clerks(store, province.province_id, province.boxes["p1-a"], 1, "p")
    assert _visits(store, province) == 0


@pytest.mark.parametrize(("clerks", "pool"), [(0, ""), (-1, ""), (65, ""), (1, "a b"), (1, "x" * 41), (1, "quầy")])
def test_statements_that_are_none(store: Engine, clerks: int, pool: str) -> None:
    province = fill_province(store, "p1")
    with pytest.raises(InvalidError):
        new_box(store, province.province_id, province.agencies["p1-a"], "new", clerks=clerks, pool=pool)
    with pytest.raises(InvalidError):
        state_clerks(store, province.province_id, province.boxes["p1-a"], clerks, pool)
    with pytest.raises(NotFoundError, match="no box 99"):
        state_clerks(store, province.province_id, 99, 2)
    assert len(list_boxes(store, province.province_id)) == 2


@pytest.mark.postgres
def test_boxes_that_there_are_serve_one_clerk_unless_simulated(empty_store_url: str) -> None:
    engine = connect(empty_store_url)
    upgrade(engine, "0004")
    with write(engine) as connection:
        names = "id, code, name_vi, name_en, simulated, created_day"
        for number, simulated in ((1, "false"), (2, "true")):
            values = f"{number}, 'p{number}', 'x', 'x', {simulated}, 1"
            connection.exec_driver_sql(f"INSERT INTO provinces ({names}) VALUES ({values})")
            connection.exec_driver_sql(f"INSERT INTO levels VALUES ({number}, {number}, 'tinh', 'x', 'x', 1)")
            columns = "id, province_id, code, name_vi, name_en, level_id, active"
            values = f"{number}, {number}, 'so', 'x', 'x', {number}, true"
            connection.exec_driver_sql(f"INSERT INTO agencies ({columns}) VALUES ({values})")
            for label, demo in (("real", "false"), ("demo", "true")):
                columns = "province_id, agency_id, label, epoch, demo"
                values = f"{number}, {number}, '{label}', 0, {demo}"
                connection.exec_driver_sql(f"INSERT INTO boxes ({columns}) VALUES ({values})")
    assert upgrade(engine) == newest_version()
    with read(engine) as connection:
        found = connection.execute(select(boxes.c.province_id, boxes.c.label, boxes.c.clerks, boxes.c.pool)).all()
    assert {tuple(row) for row in found} == {
        (1, "real", 1, ""),
        (1, "demo", 2, ""),
        (2, "real", 2, ""),
        (2, "demo", 2, ""),
    }
    with pytest.raises(IntegrityError), write(engine) as connection:
        connection.execute(update(boxes).values(clerks=0))
    engine.dispose()


def test_the_command_states_clerks(store: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.keys import KEY_FILE_NAME, new_keys, save_keys

    fill_province(store, "p1")
    save_keys(new_keys("server"), tmp_path / "keys")
    assert (tmp_path / "keys" / KEY_FILE_NAME).exists()
    where = ["--data-dir", str(tmp_path), "--store", store.url.render_as_string(hide_password=False)]
    enroll = ["server", "enroll", *where]
    assert main([*enroll, "--agency", "p1-a", "--label", "alone"]) == 0
    said = capsys.readouterr().out
    assert "serves one clerk" in said
    assert "--box 3 --clerks N" in said
    assert main([*enroll, "--agency", "p1-a", "--label", "two", "--clerks", "2"]) == 0
    assert "serves one clerk" not in capsys.readouterr().out
    assert main([*enroll, "--agency", "p1-a", "--label", "pooled", "--clerks", "1", "--pool", "hall-1"]) == 0
    assert main([*enroll, "--box", "3", "--clerks", "4"]) == 0
    said = capsys.readouterr().out
    assert "Box 3 serves 4 clerks." in said
    assert main([*enroll, "--box", "5", "--clerks", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"box": 5, "clerks": 2, "pool": "hall-1"}
    for wrong in (["--clerks", "0"], ["--clerks", "2", "--replace"], ["--pool", "a b"]):
        assert main([*enroll, "--box", "3", *wrong]) == 1
    with read(store) as connection:
        query = select(boxes.c.id, boxes.c.clerks, boxes.c.enrol_code_hash.is_not(None)).where(boxes.c.id > 2)
        assert [tuple(row) for row in connection.execute(query.order_by(boxes.c.id))] == [
            (3, 4, True),
            (4, 2, True),
            (5, 2, True),
        ]
        assert connection.execute(select(func.count()).select_from(releases)).scalar_one() == 2
