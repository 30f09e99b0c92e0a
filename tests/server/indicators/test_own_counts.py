"""Our own dossiers, ratings and feedback as counts of Decision 766; the line through a merger; the pages."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select

from pipeline import calendar
from pipeline.calendar import Period, day_index, month_of_day, parse_period, period_of_months
from server.core.scope import Scope
from server.imports.kinds import KINDS
from server.indicators import board as boards
from server.indicators import counts as making
from server.indicators.board import make_board, part_over, series
from server.indicators.counts import Origin, low_ratings
from server.store.engine import read, write
from server.store.tables.agencies import agencies, agency_successors
from server.store.tables.feedback import feedback
from server.store.tables.ratings import ratings
from server.store.tables.users import Role
from server.tabular.spec import Options, import_file
from tests.server.client import Browser
from tests.server.province import application, fill_province
from tests.server.worlds import add_sheets, agency_id, small_province

PERIOD = parse_period("2026-07")


def _dossiers(store: Engine, province: int, folder: Path, text: str) -> Any:
    path = folder / "hoso.csv"
    path.write_text(text, encoding="utf-8")
    return import_file(store, Scope(province), KINDS["transactions"], path)


def _petition(province: int, agency: int, received: date, answered: date | None, days: int = 15) -> dict[str, Any]:
    day = day_index(received)
    row: dict[str, Any] = {"province_id": province, "agency_id": agency, "channel": "online", "category": "delay"}
    row |= {"code_hash": f"X{province}{agency}{day}", "status": "answered" if answered else "received", "text": ""}
    return row | {"received_day": day, "due_day": day + days, "answered_day": day_index(answered) if answered else None}


@pytest.fixture
def province(store: Engine, tmp_path: Path) -> int:
    with write(store) as connection:
        number = small_province(connection)
        agency = agency_id(connection, number, "so-a")
        for row in (
            _petition(number, agency, date(2026, 7, 2), date(2026, 7, 10)),  # in time
            _petition(number, agency, date(2026, 7, 3), date(2026, 7, 31)),  # late
            _petition(number, agency, date(2026, 7, 4), None),  # never
            _petition(number, agency, date(2026, 7, 30), None, days=400),  # open, not yet due
            _petition(number, agency, date(2026, 6, 30), None),  # of another month
        ):
            connection.execute(insert(feedback).values(**row))
    _dossiers(
        store,
        number,
        tmp_path,
        "agency,month,count,service_group,late,complained\n"
        "so-a,2026-07,100,1,12,3\nso-a,2026-07,50,2,0,0\nxa-c,2026-07,200,1,10,\nso-b,2026-07,40,1,,\n",
    )
    return number


def test_own_counts(store: Engine, province: int) -> None:
    with read(store) as connection:
        board = make_board(connection, Scope(province), PERIOD, Origin.OWN)
    counts = {row.unit.code: row.told.counts.astuple() for row in board.rows}
    # late is not told of so-b: nothing is known of its dossiers
    assert counts == {"so-a": (150, 135, 3, 1, 1), "xa-c": (200, 190, 0, 0, 0)}
    told = {row.unit.code: row.told for row in board.rows}
    assert (told["so-a"].open_petitions, told["so-a"].months, told["so-a"].known_day) == (1, 1, None)
    assert board.province is not None
    assert board.province.told.counts.astuple() == (350, 325, 3, 1, 1)
    assert board.province.told.open_petitions == 1
    with read(store) as connection:
        agency = agency_id(connection, province, "so-a")
        own = make_board(connection, Scope(province, agency), PERIOD, Origin.OWN)
    assert [row.unit.code for row in own.rows] == ["so-a"]
    assert (own.province, own.rows[0].ranks) == (None, None)


def test_a_file_without_the_columns_leaves_what_is_there(store: Engine, province: int, tmp_path: Path) -> None:
    done = _dossiers(store, province, tmp_path, "agency,month,count,service_group\nso-a,2026-07,110,1\n")
    assert done.changed == 1
    with read(store) as connection:
        board = make_board(connection, Scope(province), PERIOD, Origin.OWN)
    assert {row.unit.code: row.told.counts.dossiers_good for row in board.rows}["so-a"] == 145
    with pytest.raises(Exception, match="do not fit"):
        _dossiers(store, province, tmp_path, "agency,month,count,late\nso-a,2026-07,5,6\n")


def test_low_ratings_of_too_few_sheets_are_in_no_figure(store: Engine, province: int, tmp_path: Path) -> None:
    """Ratings stand for dislikes where none are told; never below the province's `min_answers`."""
    with write(store) as connection:
        add_sheets(connection, province, "xa-c", [{"overall": 1}] * 5 + [{"overall": 4}] * 40)
        add_sheets(connection, province, "so-b", [{"overall": 1}] * 12)
        ids = {code: agency_id(connection, province, code) for code in ("xa-c", "so-b")}
    with read(store) as connection:
        quarter = low_ratings(connection, Scope(province), parse_period("2026-Q3"))
        month = low_ratings(connection, Scope(province), PERIOD)
    assert ids["so-b"] not in quarter
    assert ids["so-b"] not in month


def test_low_ratings_are_counted_once_while_nothing_changes_and_where_they_are_needed(
    store: Engine, province: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []

    def count_and_note(connection: Connection, scope: Scope, period: Period) -> dict[int, int]:
        counted.append(period.name)
        return low_ratings(connection, scope, period)

    monkeypatch.setattr(making, "low_ratings", count_and_note)
    for _ in range(2):
        with read(store) as connection:
            making.own_counts(connection, Scope(province), PERIOD)
    assert counted == [PERIOD.name], "xa-c has told of none"
    with write(store) as connection:
        add_sheets(connection, province, "xa-c", [{"overall": 1}] * 40)
        connection.execute(ratings.update().values(received_day=ratings.c.day))
    with read(store) as connection:
        making.own_counts(connection, Scope(province), PERIOD)
        assert counted == [PERIOD.name] * 2, "sheets of days that are over are another version"
        making.own_counts(connection, Scope(province), parse_period("2026-09"))
    assert counted == [PERIOD.name] * 2, "without dossiers nothing is taken from them"


def test_a_line_through_a_merger_adds_up_what_was_merged(store: Engine, province: int, tmp_path: Path) -> None:
    _dossiers(
        store,
        province,
        tmp_path,
        "agency,month,count,late\nso-b,2026-05,100,10\nxa-c,2026-05,100,30\nso-b,2026-06,50,0\nxa-c,2026-06,150,15\n",
    )
    with write(store) as connection:
        old, new = (agency_id(connection, province, code) for code in ("so-b", "xa-c"))
        row = {"province_id": province, "agency_id": old, "successor_id": new}
        connection.execute(insert(agency_successors).values(**row, day=day_index(date(2026, 7, 1))))
    with read(store) as connection:
        line = series(connection, Scope(province), new, PERIOD, Origin.OWN)
    told = {point.month: point.counts for point in line.points if point.counts}
    assert {month: (one.dossiers_good, one.dossiers) for month, one in told.items()} == {
        76: (160, 200),
        77: (185, 200),
        78: (190, 200),
    }
    assert line.breaks == (78,)


def test_working_days_make_the_part_that_is_over() -> None:
    september = parse_period("2026-09")
    parts = [part_over(september, september.first_day + day) for day in range(-1, 30)]
    assert (parts[0], parts[-1], parts == sorted(parts)) == (0.0, 1.0, True)
    assert part_over(september, september.last_day + 9) == 1.0


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_pages_of_a_province_and_of_its_reader(store: Engine, tmp_path: Path, lang: str) -> None:
    made = fill_province(store, "aaa")
    text = "agency,month,count,late\naaa-a,2026-08,300,40\naaa-b,2026-08,200,60\n"
    _dossiers(store, made.province_id, tmp_path, text)
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.ANALYST])
    page = browser.get(f"/survey/766?period=2026-08&lang={lang}").text
    for words in {"vi": ("chưa đo được", "Điều chưa thể khẳng định"), "en": ("not measured", "What may not be said")}[
        lang
    ]:
        assert words in page
    assert page.count('<a href="/survey/766/') == 4, "each unit once in the table, once among what would move the score"
    unit = browser.get("/survey/766/aaa-b?period=2026-08").text
    assert "Sở aaa b" in unit
    assert browser.get("/survey/766/aaa-x?period=2026-08").status_code == 404
    assert browser.get("/survey/766?period=2026-13").status_code == 422
    told = browser.get("/api/v1/indicators766?period=2026-08").json()
    assert [(one["code"], one["total"]["points"]) for one in told["units"]] == [("aaa-a", 17.78), ("aaa-b", 16.67)]
    reader = Browser(application(store, tmp_path))
    reader.log_in(made.users[Role.AGENCY_READER])
    own = reader.get("/survey/766?period=2026-08").text
    assert "Sở aaa a" in own
    assert "Sở aaa b" not in own
    assert reader.get("/survey/766/aaa-b?period=2026-08").status_code == 404


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (date(2026, 8, 20), "Kỳ này chưa kết thúc: số đếm đến ngày 15/08/2026"),
        (date(2026, 9, 3), "Kỳ này đã kết thúc nhưng số đếm chỉ đến ngày 15/08/2026"),
    ],
)
def test_a_page_says_that_counts_are_of_a_part_of_the_period(
    now: date, words: str, store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month whose file came on its fifteenth was "still running" for ever."""
    made = fill_province(store, "aaa")
    for module in ("pipeline.calendar", *(f"server.indicators.{one}" for one in ("board", "counts", "imports"))):
        monkeypatch.setattr(f"{module}.today", lambda: day_index(now), raising=False)
    path = tmp_path / "x.csv"
    head = "agency,period,day,dossiers,dossiers_good,petitions,petitions_in_time,petitions_good"
    path.write_text(f"{head}\naaa-a,2026-08,15/08/2026,300,240,0,0,0\n", encoding="utf-8")
    import_file(store, Scope(made.province_id), KINDS["indicators766"], path, Options())
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.ANALYST])
    assert "<small>số đếm đến ngày 15/08/2026" in browser.get("/survey/766?period=2026-08&lang=vi").text
    assert words in browser.get("/survey/766/aaa-a?period=2026-08&lang=vi").text
    row = browser.get("/survey/766.csv?period=2026-08").text.splitlines()[1]
    assert "2026-08-15" in row


def test_a_units_page_leads_to_the_petitions_that_wait_and_says_what_is_not_so(store: Engine, tmp_path: Path) -> None:
    made = fill_province(store, "aaa")
    with write(store) as connection:
        for number, code in enumerate(("aaa-a", "aaa-b")):
            row = _petition(made.province_id, made.agencies[code], date(2026, 8, 3 + number), None)
            connection.execute(insert(feedback).values(**row))
        waits = connection.execute(select(feedback.c.id).where(feedback.c.agency_id == made.agencies["aaa-b"])).scalar()
    _dossiers(store, made.province_id, tmp_path, "agency,month,count,late\naaa-a,2026-08,300,40\naaa-b,2026-08,20,3\n")
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.ADMINISTRATOR])
    page = browser.get("/survey/766/aaa-b?period=2026-08").text
    list_of = page.split('id="waiting"')[1].split("</ul>")[0]
    assert list_of.count("<li>") == list_of.count(f'href="/survey/feedback/{waits}"') == 1
    assert "So với 1 trong 1 đơn vị khác" in page
    assert "mới có số liệu" not in page
    assert "Trong 12 tháng, mới có số liệu của 1 tháng" in browser.get("/survey/766/aaa-b?period=2026").text


@pytest.mark.parametrize("day", ["2026-12-01", "2026-12-02", "2026-12-31", "2027-02-06", "2028-02-01", "2028-02-29"])
def test_a_month_that_runs_says_so_and_is_forecast_on_each_of_its_days(
    store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: str
) -> None:
    """On its first day it looked like a month that is over: 12 points, without a word or a forecast."""
    now = date.fromisoformat(day)
    month = period_of_months(month_of_day(day_index(now)), month_of_day(day_index(now)))
    for module in (making, boards, calendar):
        monkeypatch.setattr(module, "today", lambda: day_index(now))
    made = fill_province(store, "aaa")
    with write(store) as connection:
        connection.execute(insert(feedback).values(**_petition(made.province_id, made.agencies["aaa-a"], now, None)))
        board = make_board(connection, Scope(made.province_id), month, Origin.OWN)
        over = make_board(connection, Scope(made.province_id), month.before(), Origin.OWN)
    assert board.province is not None
    assert board.province.told.known_day == day_index(now) - 1
    assert board.province.coming is not None
    assert 0 <= board.province.coming.low <= board.province.coming.high <= 18
    assert over.province is None or over.province.told.known_day is None


def test_no_unit_takes_all_the_lines_of_what_may_not_be_said(store: Engine, tmp_path: Path) -> None:
    """One unit without dossiers stands lowest, and its pairs with all others are the widest apart."""
    made = fill_province(store, "aaa")
    with write(store) as connection:
        like = connection.execute(select(agencies).where(agencies.c.code == "aaa-a")).mappings().one()
        more = [{**like, "id": None, "code": f"aaa-{n}"} for n in range(40)]
        connection.execute(insert(agencies), [{k: v for k, v in one.items() if k != "id"} for one in more])
        connection.execute(
            insert(feedback).values(
                **_petition(made.province_id, made.agencies["aaa-b"], date(2026, 8, 3), date(2026, 8, 5))
            )
        )
    rows = "".join(f"aaa-{n},2026-08,{40 + n},4\n" for n in range(40))
    _dossiers(store, made.province_id, tmp_path, f"agency,month,count,late\n{rows}")
    with read(store) as connection:
        board = make_board(connection, Scope(made.province_id), parse_period("2026-08"), Origin.OWN)
    listed = [row.unit.code for higher, lower, _ in board.unsupported for row in (higher, lower)]
    assert len(board.unsupported) == 20
    assert max(listed.count(code) for code in listed) == 3
    of_lowest = board.unsupported_of(board.rows[-1])
    assert len(of_lowest) == 40, "its own page tells all of them"


def test_a_reader_of_one_agency_reads_the_points_of_its_newest_month_first(store: Engine, tmp_path: Path) -> None:
    made = fill_province(store, "aaa")
    reader = Browser(application(store, tmp_path))
    reader.log_in(made.users[Role.AGENCY_READER])
    assert 'id="points766"' not in reader.get("/").text, "nothing is told of it"
    text = "agency,month,count,late\naaa-a,2026-07,300,10\naaa-a,2026-08,300,40\naaa-b,2026-09,300,40\n"
    _dossiers(store, made.province_id, tmp_path, text)
    said = reader.get("/").text.split('id="points766">')[1].split("</p>")[0]
    assert "Tháng 8/2026" in said
    assert "<b>17,78</b>" in said
    assert reader.get("/survey/766/aaa-a?period=2026-08").status_code == 200
    assert 'href="/survey/766/aaa-a?period=2026-08"' in said


def test_units_come_a_page_at_a_time(store: Engine, tmp_path: Path) -> None:
    made = fill_province(store, "aaa")
    with write(store) as connection:
        like = connection.execute(select(agencies).where(agencies.c.code == "aaa-a")).mappings().one()
        more = [{**like, "id": None, "code": f"aaa-{n}"} for n in range(60)]
        connection.execute(insert(agencies), [{k: v for k, v in one.items() if k != "id"} for one in more])
    rows = "".join(f"aaa-{n},2026-08,300,40\n" for n in range(60))
    _dossiers(store, made.province_id, tmp_path, f"agency,month,count,late\n{rows}")
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.ANALYST])

    def units(page: str) -> int:
        table = page[page.index('id="units"') :]
        return table[: table.index("</table>")].count('<th scope="row">')

    first = browser.get("/survey/766?period=2026-08").text
    assert (units(first), units(browser.get("/survey/766?period=2026-08&page=2").text)) == (50, 10)
    assert "/survey/766?period=2026-08&amp;page=2#units" in first
