"""What form programs say of a sheet besides its answers, and times of which they do not say the zone."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from pipeline.calendar import day_date
from pipeline.errors import ImportRowError, InvalidError
from pipeline.instruments import load_instrument
from server.imports.balance_text import notes
from server.ratings.imports import RatingImport, import_ratings
from server.ratings.sent import Sent
from server.store.engine import read, write
from server.store.tables.ratings import ratings
from server.tabular.balance import Balance
from server.tabular.spec import Options
from server.tabular.times import find_zone
from server.tabular.values import check_code
from tests.server.worlds import small_province


@pytest.fixture
def province(store: Engine) -> int:
    with write(store) as connection:
        return small_province(connection)


def _import(store: Engine, province: int, path: Path, *lines: str, **more: str) -> Balance:
    if lines:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = Options(zone=find_zone(more.get("zone", "")), ignored=tuple(filter(None, (more.get("ignored", ""),))))
    result: RatingImport = import_ratings(
        store, province, path, load_instrument("2640"), channel="sms", options=options, key=bytes(32)
    )
    assert result.balance is not None
    return result.balance


def _told(balance: Balance) -> dict[str, str]:
    return {str(title): value for title, value in notes(balance)}


@pytest.mark.parametrize(
    ("heading", "text"),
    [
        ("Status", "Survey Preview"),
        ("Status", "Survey Test"),
        ("Status", "Spam"),
        ("Response Status", "Partial"),
        ("Response Status", "Disqualified"),
        ("response_status", "Deleted"),
        ("Response Type", "partial"),
        ("DistributionChannel", "preview"),
        ("collection_mode", "survey_preview"),
        ("disposition", "Test case"),
        ("interview__status", "Draft"),
        ("is_test", "1"),
        ("is_test", "TRUE"),
        ("Is Test Data", "yes"),
        ("Test", "x"),
        ("Phiếu thử", "có"),
        ("Trạng thái", "Thử nghiệm"),
        ("Trạng thái phiếu", "Phiếu thử"),
        ("Tình trạng", "Nháp"),
        ("Trạng thái", "KHÔNG HỢP LỆ"),
        ("Trạng thái", "Chưa hoàn thành"),
        ("Status", "Over Quota"),
        ("Submission Status", "DELETED"),
        ("review_status", "REJECTED"),
        ("survey_complete", "0"),
        ("Tình trạng phiếu khảo sát", "Bỏ dở"),
        ("meta_test", "test"),
        ("Tags", "vip test"),
        ("review_quality", "FAKE"),
        ("Status", "Rejected by supervisor"),
        ("_validation_status", "{uid: validation_status_not_approved; label: Not Approved}"),
        ("interview__status", "65"),
        ("interview__status", "125"),
        ("interview__status", "60"),
    ],
)
def test_a_test_a_draft_or_what_is_void_is_no_sheet(
    store: Engine, province: int, tmp_path: Path, heading: str, text: str
) -> None:
    lines = (f"agency,day,overall,{heading}", f"so-a,5/7/2026,5,{text}", "so-a,5/7/2026,4,")
    with pytest.raises(ImportRowError) as caught:
        _import(store, province, tmp_path / "in.csv", *lines)
    ((row, reason),) = caught.value.rows
    assert (row, text[:30] in str(reason)) == (2, True)
    let_in = _import(store, province, tmp_path / "in.csv", *lines, ignored=heading)
    assert (let_in.rows_used, let_in.ignored_columns) == (2, [heading])


@pytest.mark.parametrize(
    ("number", "is_sheet"), [(0, 1), (1, 0), (2, 0), (4, 1), (8, 0), (9, 0), (12, 0), (16, 1), (17, 0)]
)
def test_states_in_numbers_are_those_of_their_program(number: int, is_sheet: int) -> None:
    sent = Sent()
    sent.know([("ResponseId", "instance"), ("Status", "status")])
    if is_sheet:
        sent.check({"status": str(number)})
        assert sent.states == {str(number): 1}
        return
    with pytest.raises(ValueError, match="test"):
        sent.check({"status": str(number)})
    other = Sent()
    other.know([("Status", "status")])
    other.check({"status": str(number)})
    assert other.states == {str(number): 1}, "another program's 1 may mean anything: told"


def test_what_a_reviewer_says_is_counted(store: Engine, province: int, tmp_path: Path) -> None:
    lines = (
        "agency,day,overall,ReviewState",
        "so-a,5/7/2026,5,hasIssues",
        "so-a,5/7/2026,4,approved",
        "so-a,6/7/2026,4,",
    )
    balance = _import(store, province, tmp_path / "in.csv", *lines)
    assert balance.states == {"hasIssues": 1, "approved": 1}


def test_interviews_that_are_complete_are_sheets(store: Engine, province: int, tmp_path: Path) -> None:
    lines = ("agency,day,overall,interview__status", *(f"so-a,5/7/2026,5,{state}" for state in (100, 120, 130)))
    assert _import(store, province, tmp_path / "in.csv", *lines).rows_used == 3


@pytest.mark.parametrize("heading", ["Respondent ID", "respondent_id", "record_id"])
def test_further_programs_numbers_are_known_again(store: Engine, province: int, tmp_path: Path, heading: str) -> None:
    lines = (f"{heading},agency,day,overall", "118,so-a,5/7/2026,5", "118,so-a,5/7/2026,5")
    with pytest.raises(ImportRowError, match="1 of 2"):
        _import(store, province, tmp_path / "in.csv", *lines)


def test_other_states_are_counted_by_their_words(store: Engine, province: int, tmp_path: Path) -> None:
    states = ("IP Address", "IP Address", "Hoàn thành", "Complete", "Đã trả kết quả", "Latest version")
    lines = ("agency,day,overall,Status,is_test", *(f"so-a,5/7/2026,5,{state},0" for state in states))
    balance = _import(store, province, tmp_path / "in.csv", *lines)
    assert balance.states == {"IP Address": 2, "Hoàn thành": 1, "Complete": 1, "Đã trả kết quả": 1, "Latest version": 1}
    told = _told(balance)["What the program that they come from says of the sheets"]
    assert told.startswith("IP Address (2), ")
    assert balance.to_dict()["states"]["Complete"] == 1


TIMES = ("2026-06-30 18:30:00", "30/06/2026 17:00", "30/06/2026 11:30 PM", "2026-06-30T16:59:59", "2026-06-30 00:00:00",
         "30/06/2026", "2026-06-30T18:30:00Z")  # fmt: skip


def test_a_time_without_a_zone_is_told_and_its_zone_can_be_said(store: Engine, province: int, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    lines = ("form,agency,day,overall", *(f"{n},so-a,{time},5" for n, time in enumerate(TIMES)))
    balance = _import(store, province, path, *lines)
    assert (balance.times_open, balance.times_moved) == (4, 3)
    assert [value for title, value in _told(balance).items() if "--zone" in title] == ["3"]
    assert _days(store) == [*["2026-06-30"] * 6, "2026-07-01"]
    with write(store) as connection:
        connection.execute(ratings.delete())
    balance = _import(store, province, path, zone="UTC")
    assert (balance.times_open, balance.times_moved) == (4, 0)
    assert _days(store) == [*["2026-07-01"] * 3, *["2026-06-30"] * 3, "2026-07-01"]


def test_a_workbooks_times_are_times(store: Engine, province: int, tmp_path: Path) -> None:
    """A spreadsheet's moment was cut to its day, so that nobody could say or see its zone."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["form", "agency", "day", "overall"])
    book.active.append(["1", "so-a", datetime(2026, 6, 30, 18, 30), 5])  # noqa: DTZ001 - Excel has no time zones
    book.active.append(["2", "so-a", datetime(2026, 6, 30), 5])  # noqa: DTZ001
    book.save(tmp_path / "in.xlsx")
    balance = _import(store, province, tmp_path / "in.xlsx", zone="UTC")
    assert (balance.times_open, _days(store)) == (1, ["2026-07-01", "2026-06-30"])


def _days(store: Engine) -> list[str]:
    with read(store) as connection:
        days = connection.execute(select(ratings.c.day).order_by(ratings.c.id)).scalars()
        return [day_date(day).isoformat() for day in days]


def test_zones_of_a_setting() -> None:
    assert find_zone("") is None
    assert find_zone("America/Denver") == ZoneInfo("America/Denver")
    moment = datetime(2026, 1, 1)  # noqa: DTZ001
    for text, hours in (("UTC", 0), ("utc+7", 7), ("-06:30", -6.5), ("GMT-5", -5), ("+0700", 7)):
        zone = find_zone(text)
        assert zone is not None
        assert zone.utcoffset(moment).total_seconds() == 3600 * hours  # type: ignore[union-attr]
    for text in ("UTC+15", "Hà Nội", "../../etc/passwd", "7", "America/Nowhere", "+1e9"):
        with pytest.raises(InvalidError):
            find_zone(text)


@pytest.mark.parametrize(
    ("days", "doubtful"),
    [
        (("7/1/2026", "7/2/2026", "7/3/2026", "7/7/2026"), 3),
        (("7/1/2026", "7/2/2026", "7/3/2026", "13/2/2026"), 0),
        (("2026-07-01", "2026-07-02", "2026-07-03"), 0),
        (("7/1/2026", "7/2/2026"), 2),
        (("26/07/20", "26/07/21", "26/07/22"), 3),
        (("26/07/20", "26/07/21", "26/07/22", "05/07/26"), 0),
        (("23/07/26", "24/07/26", "25/07/26"), 3),
    ],
)
def test_days_that_may_have_the_month_first_are_told(
    store: Engine, province: int, tmp_path: Path, days: tuple[str, ...], doubtful: int
) -> None:
    """A form program of America writes July's first days as 7/1, 7/2: read as January, February, with no word."""
    lines = ("agency,day,overall", *(f"so-a,{day},5" for day in days))
    balance = _import(store, province, tmp_path / "in.csv", *lines)
    assert balance.days_doubtful == doubtful
    assert any("month first" in title for title in _told(balance)) == bool(doubtful)


@pytest.mark.parametrize("between", [". ", ": ", " ["])
def test_a_columns_code_before_its_wording_is_that_column(
    store: Engine, province: int, tmp_path: Path, between: str
) -> None:
    """LimeSurvey writes both: what was never sent was counted, as nobody knew the column."""
    headings = (f"id{between}Response ID", f"submitdate{between}Date submitted", "agency", "day", "overall")
    rows = ("1,2026-07-05 10:00:00,so-a,5/7/2026,5", "2,,so-a,5/7/2026,4", "1,2026-07-05 10:00:00,so-a,5/7/2026,5")
    with pytest.raises(ImportRowError) as caught:
        _import(store, province, tmp_path / "in.csv", ",".join(headings), *rows)
    assert [(row, str(reason)[:8]) for row, reason in caught.value.rows] == [(3, "the shee"), (4, "the same")]


def _answer(path: Path, rows: list[dict[str, object]], envelope: str, **around: object) -> Path:
    """A JSON answer of a form program: a list of rows within an object."""
    rows = [{"agency": "so-a", "day": "2026-07-05", "overall": 5 - number % 2} | row for number, row in enumerate(rows)]
    path.write_text(json.dumps({**around, envelope: rows}), encoding="utf-8")
    return path


def _kobo(uid: str, label: str) -> dict[str, object]:
    return {"_validation_status": {"uid": uid, "label": label, "by_whom": "ann", "timestamp": 1_780_000_000}}


@pytest.mark.parametrize(
    ("envelope", "around"),
    [
        ("results", {"count": 2, "next": None, "previous": None}),
        ("value", {"@odata.context": "x", "@odata.count": 2}),
        ("data", {}),
    ],
)
def test_what_form_programs_answer_is_read(
    store: Engine, province: int, tmp_path: Path, envelope: str, around: dict[str, object]
) -> None:
    """An answer of KoboToolbox that was whole (`count` 2, `next` null) was called one page of more."""
    path = _answer(tmp_path / "in.json", [{}, {"_validation_status": {}}], envelope, **around)
    assert _import(store, province, path).levels == {4: 1, 5: 1}


@pytest.mark.parametrize(
    ("envelope", "around"),
    [
        ("results", {"count": 3, "next": None}),
        ("results", {"count": 2, "next": "https://x.example/?start=2"}),
        ("value", {"@odata.nextLink": "https://x.example/?skip=2"}),
        ("value", {"@odata.count": 3}),
    ],
)
def test_one_page_of_what_they_answer_is_refused(
    store: Engine, province: int, tmp_path: Path, envelope: str, around: dict[str, object]
) -> None:
    path = _answer(tmp_path / "in.json", [{}, {}], envelope, **around)
    with pytest.raises(InvalidError, match="one page of an answer"):
        _import(store, province, path)


@pytest.mark.parametrize(
    "refused",
    [
        {"__system": {"reviewState": "rejected", "edits": 0}},
        _kobo("validation_status_not_approved", "Not Approved"),
        {"_validation_status": {"label": "Not Approved"}},
    ],
)
def test_a_review_within_an_object_is_heard(
    store: Engine, province: int, tmp_path: Path, refused: dict[str, object]
) -> None:
    """What ODK Central's reviewer had rejected was counted; one sheet that was judged in KoboToolbox made the file
    one with the column twice."""
    path = _answer(tmp_path / "in.json", [{}, refused, {}], "data")
    with pytest.raises(ImportRowError) as caught:
        _import(store, province, path)
    assert [(row, str(reason)[:12]) for row, reason in caught.value.rows] == [(3, "its reviewer")]


def test_a_review_within_an_object_that_lets_in_is_counted(store: Engine, province: int, tmp_path: Path) -> None:
    rows = [{}, _kobo("validation_status_approved", "Approved"), {}]
    balance = _import(store, province, _answer(tmp_path / "in.json", rows, "results"))
    assert balance.states["validation_status_approved"] == 1
    assert not any("ann" in text for text in balance.states)


@pytest.mark.parametrize("code", ["2.02611E+14", "2,02611E+14", "2.02611e+14", "1E+20"])
def test_a_code_that_a_spreadsheet_shortened_is_refused(
    store: Engine, province: int, tmp_path: Path, code: str
) -> None:
    """The code that was on paper is lost: such a one was stored, and two of them were called the same form."""
    with pytest.raises(ImportRowError) as caught:
        _import(store, province, tmp_path / "in.csv", "form;agency;day;overall", f"{code};so-a;5/7/2026;5")
    assert [str(reason)[:26] for _, reason in caught.value.rows] == ["a spreadsheet shortened th"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(digits=st.integers(10**15, 10**38))
def test_every_number_that_is_shortened_is_known(digits: int) -> None:
    for shown in (f"{digits:.{places}E}" for places in range(6)):
        for text in (shown, shown.replace(".", ",")):
            with pytest.raises(ValueError, match="spreadsheet shortened"):
                check_code(text)
    check_code(str(digits))
    check_code(f"{digits}e03")
