"""What a page without figures says, and that a demonstration has some on its first day."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from pipeline.calendar import day_date, day_index, month_of_day, quarter_of_month, today
from pipeline.errors import InvalidError
from pipeline.language import Text
from server.core.disclosure import known_day, published
from server.core.provinces import make_province
from server.scores.fused import newest_period
from server.simulation.past import SHEETS, simulate_past
from server.store.engine import write
from server.store.tables.ratings import ratings
from server.store.tables.users import Role, users
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province


@pytest.fixture
def province(store: Engine) -> Province:
    """Without a single rating."""
    made = fill_province(store, "p1")
    with write(store) as connection:
        connection.execute(ratings.delete())
    return made


def test_a_new_province_reads_its_first_steps(store: Engine, province: Province, tmp_path: Path) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    page = browser.get("/").text
    steps = page.split('id="first-steps"')[1].split("</ol>")[0]
    assert steps.count(">xong<") == 3, "agencies, users, boxes"
    assert 'href="/survey/rounds"' in steps
    earliest = f"{day_date(today() + 2):%d/%m/%Y}"
    assert earliest in page, "two days with enough sheets, and the day after"
    assert "/survey/import?kind=ratings" in page
    assert "Không có cơ quan nào chắc chắn" not in page, "without a figure nobody can know"
    assert page.count("Chưa thể kết luận: chưa có chỉ số.") == 2


def test_a_province_without_agencies_is_told_what_to_do_and_nothing_that_is_not_so(
    store: Engine, province: Province, tmp_path: Path
) -> None:
    with write(store) as connection:
        new = make_province(connection, "moi", Text.named(vi="Tỉnh Mới"), simulated=False)
        mine = users.c.name == province.users[Role.ADMINISTRATOR]
        connection.execute(users.update().where(mine).values(province_id=new.province_id))
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    page = browser.get("/").text
    assert 'id="first-steps"' in page
    assert "Mọi cơ quan đều có đủ phiếu" not in page, "there is none"
    assert "Không có việc gấp" not in page, "nothing has begun"
    table = page.split('<table id="agencies"')[1]
    assert 'href="/survey/import?kind=agencies"' in table
    assert 'href="/survey/import?kind=agencies"' in browser.get("/heatmap").text
    plan = browser.get("/survey/plan").text
    assert 'href="/survey/rounds#new"' in plan
    assert 'name="seed"' not in plan, "a form that cannot be sent"
    assert "enroll" in browser.get("/health").text
    rounds = browser.get("/survey/rounds").text
    assert rounds.index('id="new"') < rounds.index("Chốt sổ"), "a round is opened before anything is closed"
    assert '<option value="2640" selected>' in rounds
    assert ">Chốt số liệu</button>" in rounds, "the button closes figures, not a round"


def test_a_demonstration_shows_figures_on_its_first_day(store: Engine, province: Province, tmp_path: Path) -> None:
    with write(store) as connection:
        assert simulate_past(connection, province.province_id) == 5 * 2 * SHEETS
    browser = Browser(application(store, tmp_path, demo=True))
    page = browser.get("/").text
    assert re.search(r'id="province-index">\d\d,\d<', page)
    assert "Số liệu mô phỏng" in page
    last = quarter_of_month(month_of_day(today())).before()
    assert last.words("vi") in page
    assert 'id="reasons"' in browser.get("/reasons").text


@pytest.mark.parametrize("day", [date(2027, 1, 1), date(2027, 1, 2), date(2028, 2, 29), date(2027, 3, 31)], ids=str)
def test_a_demonstration_shows_figures_on_any_day(
    day: date, store: Engine, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the first day of a quarter all sheets of the one before had come the day before: nothing was shown."""
    for module in ("pipeline.calendar", "server.simulation.past", "server.core.disclosure", "server.scores.fused"):
        monkeypatch.setattr(f"{module}.today", lambda: day_index(day))
    with write(store) as connection:
        simulate_past(connection, province.province_id)
        opened = newest_period(connection, province.province_id)
        shown = published(connection, province.province_id, opened)
        assert opened == quarter_of_month(month_of_day(day_index(day))).before()
        may_be_seen = shown.condition(ratings.c, known_day(connection), "in_")
        assert may_be_seen is not None, opened.name
        per_agency = select(ratings.c.agency_id, func.count()).where(may_be_seen).group_by(ratings.c.agency_id)
        counts = [count for _, count in connection.execute(per_agency)]
        assert len(counts) == 2
        assert min(counts) >= SHEETS / 2


def test_answers_of_the_past_are_for_simulated_provinces_alone(store: Engine) -> None:
    real = fill_province(store, "real", simulated=False)
    with write(store) as connection, pytest.raises(InvalidError, match="simulated"):
        simulate_past(connection, real.province_id)


def test_what_to_do_first_stands_beside_the_figure(store: Engine, province: Province, tmp_path: Path) -> None:
    """A leader with five seconds reads the index, what changed and the first step on the first screen."""
    with write(store) as connection:
        simulate_past(connection, province.province_id)
    browser = Browser(application(store, tmp_path, demo=True))
    for path in ("/", "/agencies/p1-a"):
        page = browser.get(path).text
        headline = page[page.index('class="card headline"') :].partition("</section>")[0]
        first = re.search(r'class="first-step"><b>Việc cần làm trước:</b> <a href="([^"]+)">([^<]+)<', headline)
        assert first is not None, path
        assert first[0] not in headline.partition('class="what"')[2], "before the explanations"
        listed = re.search(r'<h2 id="next">.*?<li><a href="([^"]+)">([^<]+)<', page, re.DOTALL)
        assert listed is not None
        assert first.groups() == listed.groups()
