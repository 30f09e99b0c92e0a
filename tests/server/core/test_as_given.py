"""Nothing that staff can read moves at the moment at which a citizen answers, nor counts who answered yesterday.

`test_disclosure.py` watches figures; here is what is not one: links and their use, sheets to be judged, texts to be
sorted, the log of changes and its head."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipeline.calendar import day_date, month_of_day, parse_period, today
from server.channels.online.invitations import LinkReturns, issue, returns
from server.channels.online.receipts import DossierCode, issue_receipt
from server.core.scope import Scope
from server.ratings.comments import store_comments, uncoded
from server.ratings.rating import Place
from server.scores.trends import channel_counts
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.comments import comments
from server.store.tables.rounds import invitations
from server.store.tables.users import Role
from tests.server.channels.test_pages import GOOD, World
from tests.server.province import PERIOD, Province, add_ratings, fill_province

CHANGES_HEAD = "/api/v1/changes-head"
READ_BY = {
    Role.ANALYST: (
        "/survey/rounds/1",
        "/survey/review",
        "/survey/comments",
        "/survey/response",
        "/api/v1/changes-head",
    ),
    Role.PRIVACY_OFFICER: ("/privacy",),
}
ACCESSES = "<h2>Nhật ký truy cập"
"""From here on the officer's page tells who of the staff has looked."""


def test_no_page_of_the_staff_moves_when_a_citizen_answers(store: Engine, tmp_path: Path) -> None:
    """One link was made for one citizen: the round's page told when it was used, the review what was answered."""
    world = World(store, tmp_path)
    mine, (first, second) = world.mine.province_id, world.mine.agencies.values()
    with write(store) as connection:
        connection.execute(agencies.update().where(agencies.c.id == first).values(official_code="H15.50.05.13"))
        links = [issue(connection, mine, world.round(world.mine).id, second, service_group=3)[0]]
        code = DossierCode.read(f"H15.50.05.13-{day_date(today()):%y%m%d}-0975")
        links.append(issue_receipt(connection, bytes(32), Scope(mine), code))
        issue(connection, mine, world.round(world.mine).id, first, count=40)
        connection.execute(invitations.update().values(issued_day=today() - 1))
    browsers = {role: world.browser(role) for role in READ_BY}

    def pages() -> dict[str, str]:
        every = [(browsers[role], page) for role, pages in READ_BY.items() for page in pages]
        texts = {page: browser.get(page).text.partition(ACCESSES)[0] for browser, page in every}
        return {page: re.sub(r'name="csrf" value="\w+"', "", text) for page, text in texts.items()}

    before = pages()
    assert "Bảng thay đổi" in before["/privacy"]
    for link in links:
        form = {**GOOD, "q_overall": "2", "comment_expectation": "Chậm"}
        assert world.browser().http.post(f"/s/{link}", data=form).status_code == 303
    after = pages()
    assert [page for page in before if before[page] != after[page]] == []


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "aaa")


def test_how_many_links_were_answered_is_told_of_enough(store: Engine, tmp_path: Path) -> None:
    world = World(store, tmp_path)
    mine, (first, second) = world.mine.province_id, world.mine.agencies.values()
    by_link = {"source": "link", "channel": "online", "service_group": 0, "day": today() - 1}
    by_link |= {"month": month_of_day(today() - 1), "received_day": today() - 1}
    with write(store) as connection:
        for agency, count in ((first, 31), (second, 29)):
            issue(connection, mine, world.round(world.mine).id, agency, count=40)
            add_ratings(connection, mine, agency, count, count, **by_link)
            add_ratings(connection, mine, agency, 5, 5, **{**by_link, "received_day": today()})
        found = returns(connection, Scope(mine), world.round(world.mine))
    assert found == {(first, 0): LinkReturns(40, 31), (second, 0): LinkReturns(40, None)}


def test_a_text_is_sorted_when_its_month_is_over(store: Engine, province: Province) -> None:
    scope, agency = Scope(province.province_id), next(iter(province.agencies.values()))
    with write(store) as connection:
        store_comments(connection, Place(province.province_id, agency), {"suggestion": "Vừa mới viết"})
        assert uncoded(connection, scope, 50) == [], "whoever sorts would see a citizen's words as they come"
        connection.execute(comments.update().values(month=comments.c.month - 1))
        assert [row["text"] for row in uncoded(connection, scope, 50)] == ["Vừa mới viết"]


def test_sheets_by_channel_come_in_blocks(store: Engine, province: Province) -> None:
    """An agency's head looked daily and counted who had answered yesterday, one by one."""
    agency = province.agencies["aaa-a"]
    this = parse_period(str(day_date(today()).year))
    assert PERIOD.last_month < month_of_day(today())

    def counts() -> list[tuple[str, int, int]]:
        with read(store) as connection:
            found = channel_counts(connection, province.province_id, agency, this)
        return [(one.channel, one.rated, one.set_aside) for one in found]

    before = counts()
    yesterday = {"day": today() - 1, "month": month_of_day(today() - 1), "received_day": today() - 1}
    with write(store) as connection:
        add_ratings(connection, province.province_id, agency, 1, 0, **yesterday)
        add_ratings(connection, province.province_id, agency, 1, 0, received_day=today() - 1)
    assert counts() == before
