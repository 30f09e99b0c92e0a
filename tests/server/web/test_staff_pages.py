"""What staff do in the browser: links, templates of files, rounds' returns, reports, places, comparison."""

from __future__ import annotations

import io
import re
import time
import zipfile
from pathlib import Path

import pytest
from openpyxl import load_workbook
from sqlalchemy import Engine, insert, select, update

from pipeline.calendar import today
from pipeline.language import Text
from server.core.changes import record_change
from server.imports.kinds import KINDS
from server.rounds.returns import round_returns
from server.rounds.rounds import all_rounds, make_round
from server.scores.within import clerks_of
from server.store.engine import insert_row, read, write
from server.store.tables.boxes import boxes
from server.store.tables.counters import counters
from server.store.tables.plans import plan_strata, plans
from server.store.tables.ratings import ratings
from server.store.tables.rounds import invitations
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import PERIOD, Province, add_ratings, application, fill_province


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1")


@pytest.fixture
def analyst(store: Engine, province: Province, tmp_path: Path) -> Browser:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    return browser


def _round(store: Engine, province: Province) -> int:
    with write(store) as connection:
        return make_round(connection, province.province_id, code="dot", name=Text.named(vi="Đợt"), instrument="2640",
                          first_day=today() - 9, last_day=today() + 9, user_id=None).id  # fmt: skip


def test_one_issue_of_links_gives_a_table_and_the_codes_of_the_same_links(
    store: Engine, province: Province, analyst: Browser
) -> None:
    number = _round(store, province)
    form = {"agency": province.agencies["p1-a"], "count": 7}
    answer = analyst.post(f"/survey/rounds/{number}/links", form, form=f"/survey/rounds/{number}")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        table, codes = (archive.read(name) for name in sorted(archive.namelist()))
    assert codes.startswith(b"%PDF")
    assert len(set(re.findall(r"/s/([a-z2-9]{22})", table.decode("utf-8-sig")))) == 7
    with read(store) as connection:
        assert len(connection.execute(select(invitations)).all()) == 7, "one issue, not two"


def test_a_round_says_how_far_it_is(store: Engine, province: Province, analyst: Browser) -> None:
    number = _round(store, province)
    with write(store) as connection:
        ids = {"province_id": province.province_id}
        plan = insert_row(
            connection, plans, {**ids, "round_id": number, "code": "p", "seed": 1, "settings": "{}", "made_day": 1}
        )
        stratum = {"plan_id": plan, "agency_id": province.agencies["p1-a"], "service_group": 1, "transactions": 900}
        connection.execute(
            insert(plan_strata).values(**ids, **stratum, drawn=True, forms=100, probability=0.1, picks="")
        )
        connection.execute(update(ratings).where(ratings.c.id % 2 == 0).values(day=today() - 2))
        connection.execute(update(ratings).where(ratings.c.id == 2).values(day=today()))
        found = round_returns(connection, province.province_id, all_rounds(connection, province.province_id))[number]
    assert (found.received, found.planned, found.days_left, found.missing) == (39, 100, 10, 61), "not today's sheet"
    assert found.a_day == 7
    page = analyst.get("/survey/rounds").text
    assert "39 / 100" in page
    assert "7 phiếu mỗi ngày" in page


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_template_is_a_file_that_is_understood(kind: str, store: Engine, province: Province, tmp_path: Path) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    table = browser.get(f"/survey/import/template/{kind}.csv").content.decode("utf-8-sig").strip()
    book = load_workbook(io.BytesIO(browser.get(f"/survey/import/template/{kind}.xlsx").content))
    assert [cell.value for cell in book.active[1]] == table.split(",")  # type: ignore[index]
    assert set(KINDS[kind].required) <= set(table.split(","))
    page = browser.get(f"/survey/import?kind={kind}").text
    for column in table.split(",")[:5]:
        assert f"<code>{column}</code>" in page


def test_every_error_of_a_row_is_told_and_the_choices_stay(analyst: Browser) -> None:
    file = ("x.csv", b"agency,day,overall\nnowhere,99/99/2026,9\n", "text/csv")
    form = {"kind": "ratings", "what": "preview", "channel": "paper", "not_answered": "-9", "ignored": "Ghi chú"}
    page = analyst.post("/survey/import", form, form="/survey/import", files={"file": file}).text
    (row,) = re.findall(r'<li value="2">(.*?)</li>', page)
    assert row.count(";") >= 2, row
    assert '<option value="paper" selected>' in page
    assert 'value="-9"' in page
    assert "Ghi chú</textarea>" in page


def test_a_report_says_how_far_it_is_and_comes(analyst: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report itself is made in `tests/server/reports`: here a short one in its place."""
    import server.reports.making as making

    def short(_engine: object, *_: object) -> dict[str, bytes]:
        time.sleep(0.3)
        return {"bao-cao.pdf": b"%PDF", "bao-cao.docx": b"PK", "so-lieu.xlsx": b"PK"}

    monkeypatch.setattr(making, "make_files", short)
    assert "/reports/2026.pdf" in analyst.get("/reports").text
    first = analyst.get("/reports/2026.pdf")
    assert first.headers["refresh"]
    assert "Đang lập báo cáo" in first.text
    for _ in range(100):
        answer = analyst.get("/reports/2026.pdf")
        if answer.headers["content-type"] == "application/pdf":
            break
        time.sleep(0.1)
    assert answer.content == b"%PDF"
    assert analyst.get("/reports/2026-07.pdf").status_code == 422
    assert analyst.get("/reports/2026.exe").status_code in (404, 422)


def test_a_report_that_is_waited_for_comes_whatever_changes_meanwhile(
    analyst: Browser, store: Engine, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change of the figures had begun it anew: in a large province, where there is always one, it never came."""
    import server.reports.making as making

    begun: list[int] = []

    def slow(_engine: object, *_: object) -> dict[str, bytes]:
        begun.append(len(begun))
        time.sleep(0.5)
        return {"bao-cao.pdf": b"%PDF", "bao-cao.docx": b"PK", "so-lieu.xlsx": b"PK", "plot.png": b"PNG"}

    monkeypatch.setattr(making, "make_files", slow)
    address = "/reports/2025.pdf?lang=en"
    for turn in range(50):
        answer = analyst.get(address)
        if answer.headers["content-type"] == "application/pdf":
            break
        address = "/reports/2025.pdf" + answer.headers["refresh"].partition("url=")[2]
        assert "lang=en" in address
        assert "At work for 0 min" in answer.text
        with write(store) as connection:
            record_change(connection, province.province_id, None, "setting", {"name": "year", "turn": turn})
        time.sleep(0.1)
    assert answer.content == b"%PDF"
    assert begun == [0]
    held = [one for one in making.REPORTS._made.values() if one.key[3] == "2025"]
    assert [set(one.files) for one in held] == [{"bao-cao.pdf", "bao-cao.docx", "so-lieu.xlsx"}]
    assert "At work" in analyst.get("/reports/2025.pdf?lang=en").text, "who asks anew gets the figures of now"


def test_a_report_that_fails_says_so(analyst: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was begun anew each time that its page asked, and nobody was told why it did not come."""
    import server.reports.making as making

    def fails(_engine: object, *_: object) -> dict[str, bytes]:
        time.sleep(0.2)
        raise ValueError

    monkeypatch.setattr(making, "make_files", fails)
    answer = analyst.get("/reports/2024.pdf")
    for _ in range(50):
        if answer.status_code != 200:
            break
        time.sleep(0.1)
        answer = analyst.get("/reports/2024.pdf" + answer.headers["refresh"].partition("url=")[2])
    assert "Không lập được báo cáo" in answer.text
    assert answer.status_code == 422


def test_a_counter_is_shown_where_two_clerks_are_stated(store: Engine, province: Province, analyst: Browser) -> None:
    agency = province.agencies["p1-a"]
    with write(store) as connection:
        ids = {"province_id": province.province_id, "agency_id": agency}
        made = [
            insert_row(connection, counters, {**ids, "code": code, "name": Text.named(vi=f"Quầy {code}", en=code)})
            for code in ("mot", "hai", "ba")
        ]
        for counter, clerks in zip(made, (2, 1, 1), strict=True):
            label = {"label": f"box {counter}", "clerks": clerks, "counter_id": counter, "epoch": 1}
            insert_row(connection, boxes, {**ids, **label})
        assert clerks_of(connection, province.province_id, agency) == dict(zip(made, (2, 1, 1), strict=True))
        rows = connection.execute(select(ratings).where(ratings.c.agency_id == agency)).mappings().all()
        for counter in made:
            copies = [{**row, "counter_id": counter} for row in rows]
            for copy in copies:
                copy.pop("id")
            connection.execute(insert(ratings), copies)
    page = analyst.get("/agencies/p1-a?period=2026-Q3").text
    assert "Quầy mot" in page
    assert "Quầy hai" not in page
    assert "Quầy ba" not in page
    assert "Không hiện 2 phần" in page


def test_two_agencies_and_two_periods_are_compared(analyst: Browser) -> None:
    page = analyst.get("/compare?a=p1-a&b=p1-b&period=2026-Q3").text
    assert "Sở p1 a, Quý III/2026" in page
    assert "Sở p1 b, Quý III/2026" in page
    assert "Quý II/2026" in analyst.get("/compare?period=2026-Q3").text
    assert analyst.get("/compare.csv?a=p1-a&period=2026-Q3").text.startswith("\ufefffigure,")


def test_an_agency_is_typed_by_name_and_stands_in_the_list_once(analyst: Browser) -> None:
    """Of 3,000 agencies two lists were most of the page."""
    by_code = analyst.get("/compare?a=p1-a&b=p1-b&period=2026-Q3").text
    assert by_code.count("<option>Sở p1 b</option>") == 1
    assert by_code.count('value="Sở p1 b"') == 1
    for typed in ("Sở p1 b", "so p1 b", "P1 B"):
        assert "Sở p1 b, Quý III/2026" in analyst.get(f"/compare?a=p1-a&b={typed}&period=2026-Q3").text, typed
    several = analyst.get("/compare?a=so p1")
    assert several.status_code == 422
    assert "Có 2 cơ quan mang “so p1” trong tên. Hãy chọn trong danh sách." in several.text
    assert analyst.get("/compare?a=khong co").status_code == 404


def test_two_agencies_are_higher_or_lower_and_do_not_rise(analyst: Browser, store: Engine, province: Province) -> None:
    with write(store) as connection:
        add_ratings(connection, province.province_id, province.agencies["p1-b"], 400, 20)
        connection.exec_driver_sql("UPDATE ratings SET " + ", ".join(f"a{n:02d} = a00" for n in range(1, 32)))
    table = analyst.get("/compare?a=p1-a&b=p1-b&period=2026-Q3").text.split('id="compared"')[1].split("</table>")[0]
    assert "cao hơn" in table
    assert "tăng" not in table
    assert "thấp hơn" in analyst.get("/compare?a=p1-b&b=p1-a&period=2026-Q3").text


def test_a_breakdown_that_waits_is_not_called_too_few(
    analyst: Browser, store: Engine, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channels are shown with the settled quarter, however many sheets there are: that is what the page says."""
    with write(store) as connection:
        add_ratings(connection, province.province_id, province.agencies["p1-a"], 600, 400)
    monkeypatch.setattr("server.core.disclosure.today", lambda: PERIOD.last_day + 20)
    page = analyst.get("/survey/index?period=2026-Q3&by=channel").text
    table = page.split('id="places"')[1].split("</table>")[0]
    assert "chưa đến kỳ công bố" in table
    assert "quá ít câu trả lời" not in table
    assert "chỉ công bố cho trọn quý, sau khi quý kết thúc 45 ngày" in page


def test_the_reader_of_an_agency_has_no_other(store: Engine, province: Province, tmp_path: Path) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.AGENCY_READER])
    for path in ("/compare?b=p1-b", "/places/service_group/1", "/reports/2026.pdf"):
        assert browser.get(path).status_code == 404, path
    for path in ("/compare?period=2026-Q3", "/heatmap?period=2026-Q3", "/heatmap.csv?period=2026-Q3"):
        assert "p1-b" not in browser.get(path).text, path
        assert "Sở p1 b" not in browser.get(path).text, path
