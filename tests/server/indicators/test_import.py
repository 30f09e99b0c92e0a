"""Files of the national portal: its JSON, CSV and XLSX; every published row from file to page; bad input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from sqlalchemy import Engine, func, select

from pipeline.calendar import day_index, month_date, month_of_day, parse_period
from pipeline.errors import ImportRowError, InvalidError
from pipeline.language import Text
from server.core.scope import Scope
from server.imports.kinds import KINDS
from server.indicators.board import Board, make_board
from server.indicators.counts import Origin, held_periods
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.indicators import indicator_counts
from server.store.tables.provinces import provinces
from server.tabular.json_records import json_rows
from server.tabular.records import RefusedError
from server.tabular.spec import Options, import_file
from tests.calibration.test_decision766 import PUBLISHED
from tests.server.worlds import agency_id, small_province

NAMES = {"Sở Công Thương": "so-a", "Phường Việt Trì": "so-b", "Xã Hy Cương": "xa-c"}
YEAR = PUBLISHED[:6]


@pytest.fixture
def province(store: Engine) -> int:
    """The units of the published rows, by their names."""
    with write(store) as connection:
        number = small_province(connection)
        for name, code in NAMES.items():
            mine = agencies.c.id == agency_id(connection, number, code)
            connection.execute(
                agencies.update().where(mine).values(name=Text.named(vi=name), official_code=f"H44.{code}")
            )
    return number


def unit(name: str, dossiers: Sequence[int], petitions: Sequence[int], good: int, total: float) -> dict[str, Any]:
    """A unit of the portal's answer."""

    def metric(code: str, numerator: int, denominator: int) -> dict[str, Any]:
        ratio = 100 * numerator / denominator if denominator else 0
        return {"code": code, "name": code, "numerator": numerator, "denominator": denominator, "ratio": ratio}

    return {
        "departmentId": f"000.{len(name)}.{name}",
        "departmentName": name,
        "departmentType": "PROVINCE" if name == "province" else "COMMUNE_PEOPLE_COMMITTEE",
        "departmentLevel": 1,
        "totalScore": total,
        "totalMaxScore": 18,
        "scoreDelta": None,
        "metrics": [
            metric("DOSSIER_RECEIVING_SATISFACTION", *dossiers),
            metric("PETITION_PROCESSING_ON_TIME", *petitions),
            metric("PETITION_HANDLING_SATISFACTION", good, petitions[1]),
            metric("PETITION_CLASSIFICATION_TTHC", min(1, petitions[1]), petitions[1]),
            metric("PETITION_CLASSIFICATION_STAFF", 0, petitions[1]),
        ],
        "totalPetitions": petitions[1],
        "totalDossiers": dossiers[1],
    }


def answer(units: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The portal's answer."""
    return {"code": 200, "data": {"overview": units[0], "evaluation": list(units[1:])}}


def put(store: Engine, province: int, path: Path, period: str = "", **more: Any) -> Any:
    options = Options(period=parse_period(period) if period else None, **more)
    return import_file(store, Scope(province), KINDS["indicators766"], path, options)


def published_file(path: Path) -> Path:
    rows = [(row[0], row[1], row[2], row[3], row[5]) for row in YEAR if row[0] in {"province", *NAMES}]
    path.write_text(json.dumps(answer([unit(*row) for row in rows]), ensure_ascii=False), encoding="utf-8")
    return path


def board(store: Engine, province: int, period: str, origin: Origin = Origin.PORTAL) -> Board:
    with read(store) as connection:
        return make_board(connection, Scope(province), parse_period(period), origin)


def test_the_portals_answer_from_file_to_points(store: Engine, province: int, tmp_path: Path) -> None:
    path = published_file(tmp_path / "answer.json")
    done = put(store, province, path, "2025")
    assert (done.added, done.changed, done.balance.rows_used) == (4, 0, 4)
    assert put(store, province, path, "2025").unchanged == 4
    found = board(store, province, "2025")
    assert found.province is not None
    assert found.province.score.total.published == 11.43
    scores = {str(row.unit.name): row for row in found.rows}
    expected = {row[0]: row for row in YEAR}
    assert list(scores) == ["Xã Hy Cương", "Sở Công Thương", "Phường Việt Trì"]
    for name, row in scores.items():
        assert tuple(part.published for part in row.score.parts.values()) == expected[name][4]
        assert row.score.total.published == expected[name][5]
        assert not row.differs
    assert {(str(a.unit.name), str(b.unit.name)) for a, b, _ in found.unsupported} >= {
        ("Xã Hy Cương", "Phường Việt Trì")
    }
    assert str(found.moves[0].row.unit.name) in NAMES
    assert found.to_dict()["units"][0]["total"]["points"] == 17.37


def test_csv_and_xlsx_with_vietnamese_headings(store: Engine, province: int, tmp_path: Path) -> None:
    header = [
        "Đơn vị",
        "Kỳ",
        "Tổng số hồ sơ",
        "Hồ sơ hài lòng",
        "Tổng số phản ánh, kiến nghị",
        "Phản ánh, kiến nghị đúng hạn",
        "Phản ánh, kiến nghị hài lòng",
    ]
    row = ["Xã Hy Cương", "8/2025", "1.270", "854", "0", "0", "0"]
    text = tmp_path / "thang.csv"
    text.write_text("\n".join(";".join(cells) for cells in (header, row)), encoding="utf-8")
    assert put(store, province, text).added == 1
    book = Workbook()
    sheet: Any = book.active
    sheet.append(header)
    sheet.append(["Tỉnh nho", "2025-08", 184513, 144574, 247, 182, 137])
    book.save(tmp_path / "thang.xlsx")
    assert put(store, province, tmp_path / "thang.xlsx").added == 1
    found = board(store, province, "2025-08")
    assert found.province is not None
    assert (found.rows[0].score.total.published, found.province.score.total.published) == (16.48, 12.97)
    quarter = board(store, province, "2025-Q3")
    assert quarter.province is not None
    assert (quarter.province.told.months, quarter.province.score.total.published) == (1, 12.97)
    with read(store) as connection:
        assert [one.name for one in held_periods(connection, Scope(province))] == ["2025", "2025-Q3", "2025-08"]


GOOD = {
    "agency": "xa-c",
    "period": "2025-08",
    "dossiers": "10",
    "dossiers_good": "9",
    "petitions": "3",
    "petitions_in_time": "2",
    "petitions_good": "1",
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"agency": "Xã Không Có"}, "unknown agency"),
        ({"dossiers": "-1"}, "dossiers: no whole number"),
        ({"dossiers_good": ""}, "dossiers_good: the count is missing"),
        ({"dossiers_good": "11"}, "More dossiers without fault than dossiers"),
        ({"petitions_good": "4"}, "More petitions answered in time, or well"),
        ({"petitions_in_time": "1.5"}, "petitions_in_time: no whole number"),
        ({"period": ""}, "the period is missing"),
        ({"period": "2025-07..2025-08"}, "a month, a quarter or a year"),
        ({"period": "13/2025"}, "no period"),
        ({"period": "2099"}, "has not begun"),
        ({"total_score": "9"}, "the counts give"),
        ({"total_score": "x"}, "from 0 to 18"),
        ({"petitions_handled": "4"}, "denominators of petitions differ"),
        ({"petitions_staff": "4"}, "of a kind than petitions"),
    ],
)
def test_rows_that_cannot_be(store: Engine, province: int, tmp_path: Path, change: dict[str, str], reason: str) -> None:
    """Refused with the reason, and nothing of the file is stored, the good row neither."""
    row = {**GOOD, **change}
    good = {**dict.fromkeys(row, ""), **GOOD, "agency": "so-a"}
    path = tmp_path / "x.csv"
    lines = [";".join(row), ";".join(good[name] for name in row), ";".join(row.values())]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ImportRowError) as refused:
        put(store, province, path)
    assert [number for number, _ in refused.value.rows] == [3]
    assert reason in str(refused.value.rows[0][1])
    with read(store) as connection:
        assert connection.execute(select(func.count()).select_from(indicator_counts)).scalar() == 0


def test_one_unit_twice_in_a_month_however_it_is_written(store: Engine, province: int, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [GOOD, {**GOOD, "agency": "Xã Hy Cương", "period": "tháng 8/2025"}]
    path.write_text("\n".join([";".join(GOOD), *(";".join(row.values()) for row in rows)]), encoding="utf-8")
    with pytest.raises(ImportRowError) as refused:
        put(store, province, path)
    assert "the same unit and period as in row 2" in str(refused.value.rows[0][1])


def test_official_codes_go_before_names(store: Engine, province: int, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    row = {**GOOD, "agency": "Tên khác", "official_code": "h44.xa-c"}
    path.write_text("\n".join([";".join(row), ";".join(row.values())]), encoding="utf-8")
    assert put(store, province, path).added == 1
    assert board(store, province, "2025-08").rows[0].unit.code == "xa-c"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"data": {"overview": {"a": 1, "a": 2}}}',
        "[" * 5_000 + "]" * 5_000,
        '{"data": [{"metrics": [{"code": "X", "n": 1}, {"code": "X", "n": 2}]}]}',
        '{"data": [{"a.b": 1, "a": {"b": 2}}]}',
        '{"data": [{"X.n": 1, "metrics": [{"code": "X", "n": 2}]}]}',
        "\udcff",
    ],
)
def test_no_json(store: Engine, province: int, tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidError, match=r"no JSON|no header"):
        put(store, province, path, "2025-08")


@pytest.mark.parametrize("text", ['{"code": 401, "data": null}', "[]", "3", '{"data": {"x": 1}}', '{"data": [1, "a"]}'])
def test_json_of_another_shape_is_refused(store: Engine, province: int, tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidError, match="no header"):
        put(store, province, path, "2025-08")


@pytest.mark.parametrize(
    "more",
    [
        '"total": 500', '"totalElements": 4', '"data2": 0, "page": {"total_pages": 4}', '"next": "?page=2"',
        '"hasNext": true', '"meta": {"pagination": 1, "totalCount": 9}',
    ],
)  # fmt: skip
def test_one_page_of_an_answer_that_has_more_is_refused(
    store: Engine, province: int, tmp_path: Path, more: str
) -> None:
    """Units on the other pages were left out without a word."""
    whole = json.dumps(answer([unit(*row) for row in [(r[0], r[1], r[2], r[3], r[5]) for r in YEAR if r[0] in NAMES]]))
    path = tmp_path / "x.json"
    path.write_text(whole[:-1] + f", {more}}}", encoding="utf-8")
    with pytest.raises(InvalidError, match="one page of an answer"):
        put(store, province, path, "2025")


@pytest.mark.parametrize("more", ['"total": 3', '"page": {"totalPages": 1, "hasNext": false}', '"next": null'])
def test_an_answer_that_is_whole_is_read(store: Engine, province: int, tmp_path: Path, more: str) -> None:
    path = published_file(tmp_path / "x.json")
    path.write_text(path.read_text(encoding="utf-8")[:-1] + f", {more}}}", encoding="utf-8")
    assert put(store, province, path, "2025").added == 4


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        ("UBND Tỉnh Phú Thọ", True), ("tinh Phú Thọ", True), ("Tỉnh Phú Thọ", True), ("Phú Thọ", True), ("", True),
        ("UBND tỉnh Lào Cai", False), ("Thành phố Huế", False), ("Tỉnh Phú Tho", False),
    ],
)  # fmt: skip
def test_another_provinces_row_is_not_ours(
    store: Engine, province: int, tmp_path: Path, name: str, is_ours: bool
) -> None:
    """What said that it is of a province was taken as ours, whatever its name."""
    with write(store) as connection:
        mine = provinces.c.id == province
        connection.execute(provinces.update().where(mine).values(name=Text.named(vi="Tỉnh Phú Thọ")))
    path = tmp_path / "x.csv"
    row = {**GOOD, "agency": name, "unit_type": "PROVINCE"}
    path.write_text("\n".join([";".join(row), ";".join(row.values())]), encoding="utf-8")
    if is_ours:
        assert put(store, province, path).added == 1
        return
    with pytest.raises(ImportRowError) as refused:
        put(store, province, path)
    assert "not of Tỉnh Phú Thọ" in str(refused.value.rows[0][1])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc") | st.just("code"), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(values)
def test_any_json_is_rows_or_refused(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    """Every row has the header's width; nothing but our refusal is raised."""
    path = tmp_path_factory.mktemp("json") / "x.json"
    path.write_text(json.dumps({"data": value}), encoding="utf-8")
    try:
        rows = json_rows(path)
    except RefusedError:
        return
    assert all(len(row) == len(rows[0]) for row in rows)


@pytest.mark.parametrize(
    ("periods", "months", "dossiers"),
    [
        (("2025-Q1",), 3, 100),
        (("2025-Q1", "2025-Q2"), 6, 200),
        (("2025-Q1", "2025-01", "2025-02", "2025-03"), 3, 300),
        (("2025-Q1", "2025-01", "2025-02"), 3, 100),
        (("2025-Q1", "2025-01", "2025-06"), 4, 200),
        (("2025-01", "2025-06"), 2, 200),
    ],
)
def test_a_year_of_months_and_quarters_holds_no_month_twice_and_leaves_none_out(
    store: Engine, province: int, tmp_path: Path, periods: Sequence[str], months: int, dossiers: int
) -> None:
    """A year of quarters alone was offered, and empty."""
    rows = [{**GOOD, "period": period, "dossiers": "100", "dossiers_good": "80"} for period in periods]
    path = tmp_path / "x.csv"
    path.write_text("\n".join([";".join(GOOD), *(";".join(row.values()) for row in rows)]), encoding="utf-8")
    assert put(store, province, path).added == len(periods)
    (row,) = board(store, province, "2025").rows
    assert (row.told.months, row.score.counts.dossiers) == (months, dossiers)


MODULES = ("pipeline.calendar", "server.indicators.board", "server.indicators.counts", "server.indicators.imports")


def set_today(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    for module in MODULES:
        monkeypatch.setattr(f"{module}.today", lambda: day_index(day), raising=False)


@pytest.mark.parametrize(
    "day",
    [date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 1), date(2027, 2, 14), date(2028, 2, 29), date(2027, 9, 30)],
    ids=str,
)
def test_a_running_month_is_of_its_day_and_forecast(
    store: Engine, province: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: date
) -> None:
    """While the month runs a file is of the day it came, from the first day to the last; the forecast holds what the
    end may bring. On the first day the running month was refused as one that has not begun."""
    set_today(monkeypatch, day)
    now = day_index(day)
    first = month_date(month_of_day(now))
    months = [month_of_day(now) - back for back in range(6, -1, -1)]
    rows = [
        {**GOOD, "period": month_date(month).strftime("%Y-%m"), "dossiers": "300", "dossiers_good": "240"}
        for month in months
    ]
    rows[-1] |= {
        "dossiers": "90",
        "dossiers_good": "72",
        "petitions": "0",
        "petitions_in_time": "0",
        "petitions_good": "0",
    }
    path = tmp_path / "x.csv"
    path.write_text("\n".join([";".join(GOOD), *(";".join(row.values()) for row in rows)]), encoding="utf-8")
    assert put(store, province, path).added == 7
    (row,) = board(store, province, first.strftime("%Y-%m")).rows
    assert row.told.known_day == now
    assert row.score.total.published == 17.33
    if (day + timedelta(days=1)).month == first.month:  # on the last day nothing is left to come
        assert row.coming is not None
        assert row.coming.low <= row.coming.middle <= row.coming.high <= 18
    over = board(store, province, month_date(months[-2]).strftime("%Y-%m")).rows[0]
    assert (over.told.known_day, over.coming) == (None, None)
    rows[-1]["period"] = month_date(months[-1] + 1).strftime("%Y-%m")
    path.write_text("\n".join([";".join(GOOD), ";".join(rows[-1].values())]), encoding="utf-8")
    with pytest.raises(ImportRowError) as refused:
        put(store, province, path)
    assert "the period has not begun" in str(refused.value.rows)


@pytest.mark.parametrize(
    ("day", "until"),
    [("15/11/2026", "2026-11-15"), ("30/11/2026", None), ("02/12/2026", None), ("", None)],
)
def test_counts_of_a_part_of_a_month_that_is_over_stay_a_part(
    day: str, until: str | None, store: Engine, province: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the fifteenth, imported in the month after, was taken for the whole month without a word."""
    set_today(monkeypatch, date(2026, 12, 3))
    path = tmp_path / "x.csv"
    rows = [{**GOOD, "period": "2026-10", "day": ""}, {**GOOD, "period": "2026-11", "day": day}]
    path.write_text("\n".join(";".join(row) for row in [list(rows[0]), *(row.values() for row in rows)]), "utf-8")
    assert put(store, province, path).added == 2
    for period in ("2026-11", "2026-Q4", "2026"):
        made = board(store, province, period)
        assert made.to_dict()["units"][0]["counts_until"] == until, period
        assert made.rows[0].coming is None
        assert made.period.runs == (period != "2026-11")
    assert board(store, province, "2026-10").to_dict()["units"][0]["counts_until"] is None


@pytest.mark.parametrize(("day", "why"), [("04/12/2026", "has not come"), ("31/10/2026", "is before the period")])
def test_a_day_that_no_count_of_the_month_can_be_of(
    day: str, why: str, store: Engine, province: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_today(monkeypatch, date(2026, 12, 3))
    path = tmp_path / "x.csv"
    row = {**GOOD, "period": "2026-11", "day": day}
    path.write_text(f"{';'.join(row)}\n{';'.join(row.values())}", encoding="utf-8")
    with pytest.raises(ImportRowError) as refused:
        put(store, province, path)
    assert why in str(refused.value.rows)


def test_a_forecast_in_a_year_whose_holidays_no_file_knows(
    store: Engine, province: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was left out without a word; now Mondays to Fridays count, and the page says so."""
    set_today(monkeypatch, date(2031, 3, 12))
    path = tmp_path / "x.csv"
    rows = [{**GOOD, "period": period, "dossiers": "300", "dossiers_good": "240"} for period in ("2031-02", "2031-03")]
    path.write_text("\n".join([";".join(GOOD), *(";".join(row.values()) for row in rows)]), encoding="utf-8")
    assert put(store, province, path).added == 2
    made = board(store, province, "2031-03")
    assert made.rows[0].coming is not None
    assert made.holidays_missing
    assert made.to_dict()["holidays_missing"]
    assert not board(store, province, "2031-02").holidays_missing
