"""What has ended is asked no more: an agency that was merged or split gets no letter, no form, no link and no case."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, update

from pipeline.calendar import today
from pipeline.errors import ConflictError
from pipeline.language import Text
from server.catalogue.reading import exists, read_catalogue
from server.catalogue.succession import existing_successor
from server.channels.online.receipts import Bodies, DossierCode, issue_receipt
from server.core.scope import Scope
from server.feedback.cases import set_status
from server.feedback.feedback import items, receive
from server.rounds.rounds import make_round
from server.store.engine import insert_row, write
from server.store.tables.agencies import agencies, agency_successors
from server.store.tables.feedback import feedback
from server.store.tables.rounds import invitations
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province

YESTERDAY = today() - 1


@pytest.fixture
def province(store: Engine) -> Province:
    """`p1-a` was merged into `p1-b` today; `p1-s` was split among `p1-b` and `p1-t`; `p1-x` ended long ago, and nobody
    took over from it."""
    made = fill_province(store, "p1")
    with write(store) as connection:
        make_round(connection, made.province_id, code="R1", name=Text.named(vi="Đợt"), instrument="2640",
                   first_day=today() - 1, last_day=today() + 5, user_id=None)  # fmt: skip
        level = connection.execute(select(agencies.c.level_id)).scalars().first()
        for letter in "stx":
            row = {"province_id": made.province_id, "code": f"p1-{letter}", "level_id": level}
            named = {"name": Text.named(vi=f"Xã {letter}"), "official_code": f"H1.{letter}"}
            made.agencies[f"p1-{letter}"] = insert_row(connection, agencies, {**row, **named})
        ended = [made.agencies[f"p1-{letter}"] for letter in "asx"]
        connection.execute(update(agencies).where(agencies.c.id.in_(ended)).values(last_day=YESTERDAY))
        connection.execute(update(agencies).where(agencies.c.code == "p1-x").values(last_day=1))
        for old, new in (("a", "b"), ("s", "b"), ("s", "t")):
            pair = {"agency_id": made.agencies[f"p1-{old}"], "successor_id": made.agencies[f"p1-{new}"], "day": today()}
            connection.execute(insert(agency_successors).values(province_id=made.province_id, **pair))
    return made


def offered(page: str) -> set[int]:
    """The agencies that a form lets one choose."""
    chosen = re.search('<select id="(?:agency|responsible)".*?</select>', page, re.S)
    assert chosen
    return {int(number) for number in re.findall('<option value="([0-9]+)"', chosen[0])}


def test_no_form_offers_what_has_ended_and_none_takes_it(store: Engine, province: Province, tmp_path: Path) -> None:
    ended, going = province.agencies["p1-a"], province.agencies["p1-b"]
    with write(store) as connection:
        receive(connection, province.province_id, ended, category="delay", text="Trễ")
        (case,) = items(connection, province.province_id)
    app = application(store, tmp_path)
    citizen, clerk, analyst = Browser(app), Browser(app), Browser(app)
    clerk.log_in(province.users[Role.DATA_ENTRY])
    analyst.log_in(province.users[Role.ANALYST])
    forms = {
        "/feedback/p1": (citizen, "/feedback/p1", {"category": "delay", "text": "Trễ"}),
        "/survey/hotline": (clerk, "/survey/hotline", {"round": "1", "group": "0", "text": "Lời"}),
        f"/survey/feedback/{case.id}": (clerk, f"/survey/feedback/{case.id}", {"status": "forwarded"}),
        "/survey/rounds/1": (analyst, "/survey/rounds/1/links", {}),
        "/survey/rounds/1/paper": (analyst, "/survey/rounds/1/paper", {"count": "1"}),
    }
    for page, (browser, path, fields) in forms.items():
        assert offered(browser.get(page).text) == {going, province.agencies["p1-t"]}, page
        name = "responsible" if "forwarded" in fields.values() else "agency"
        for agency, good in ((ended, False), (going, True)):
            sent = browser.post(path, {**fields, name: str(agency)}, form=page)
            assert (sent.status_code in (200, 303)) == good, f"{path} {agency}: {sent.status_code}"


def test_programs_that_name_the_old_unit_reach_its_successor(store: Engine, province: Province) -> None:
    scope = Scope(province.province_id)
    with write(store) as connection:
        named_and_lands = (("p1-a", "p1-b"), ("p1-s", "p1-s"), ("p1-x", "p1-x"), ("p1-b", "p1-b"))
        for number, (named, lands) in enumerate(named_and_lands):
            code = DossierCode.read(f"H15.50.05.13-261008-{number:04d}")
            issue_receipt(connection, bytes(32), scope, code, Bodies(named, deciding=named))
            query = select(invitations).order_by(invitations.c.id.desc())
            row = connection.execute(query).first()
            assert row is not None
            assert (row.agency_id, row.deciding_id) == (province.agencies[lands], None)
        assert existing_successor(connection, scope, province.agencies["p1-a"], YESTERDAY) == province.agencies["p1-a"]


def test_a_case_is_forwarded_to_what_exists_and_the_refusal_says_why(store: Engine, province: Province) -> None:
    with write(store) as connection:
        receive(connection, province.province_id, province.agencies["p1-b"], category="delay", text="Trễ")
        number = connection.execute(select(feedback.c.id)).scalar_one()
        to = province.agencies["p1-a"]
        with pytest.raises(ConflictError, match="took over"):
            set_status(connection, province.province_id, number, "forwarded", None, responsible_id=to)


def test_the_page_of_what_has_ended_leads_to_its_successor_and_asks_nobody_for_more(
    store: Engine, province: Province, tmp_path: Path
) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    page = browser.get("/agencies/p1-a?period=2026-Q1").text
    assert re.search('id="ended">.*href="/agencies/p1-b', page)
    assert "mời đánh giá tại quầy" not in page
    assert re.search('id="before">.*href="/agencies/p1-a', browser.get("/agencies/p1-b").text)
    assert "mời đánh giá tại quầy" in browser.get("/agencies/p1-t").text
    for path in ("/?period=2026-Q3", "/survey/index?period=2026-Q3"):
        text = browser.get(path).text
        assert "/agencies/p1-x?" not in text, "it has no sheets, and ended before the period"
        assert "/agencies/p1-a" in text, "it existed, and has sheets"
        assert "/agencies/p1-t" in text


@given(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9), st.integers(0, 9))
def test_a_day_lies_within_or_not(first: int | None, last: int | None, day: int) -> None:
    assert exists(first, last, day) == (day in range(first or 0, (9 if last is None else last) + 1))


def test_a_catalogue_knows_the_days_of_its_agencies(store: Engine, province: Province) -> None:
    with write(store) as connection:
        known = read_catalogue(connection, province.province_id)
    assert {one.code for one in known.existing(today()).values()} == {"p1-b", "p1-t"}
    assert len(known.existing(YESTERDAY)) == len(known.agencies) - 1 == 4
