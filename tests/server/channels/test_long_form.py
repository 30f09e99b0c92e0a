"""A long instrument on the online form, by telephone and on paper: every kind of question asked, answered and kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from pipeline.calendar import today
from pipeline.instruments import DONT_KNOW, load_instrument
from pipeline.language import Text
from server.app import create_app
from server.channels.online.invitations import issue
from server.channels.paper.paper import Entered, enter_form, find_form, print_forms
from server.channels.paper.paper_print import forms_pdf
from server.core.config import make_config
from server.core.scope import Scope
from server.ratings.sheet_answers import answers_of
from server.rounds.rounds import make_round
from server.store.engine import read, write
from server.store.tables.comments import comments
from server.store.tables.ratings import ratings
from server.store.tables.users import Role, users
from tests.server.client import Browser
from tests.server.province import Province, fill_province

LONG = load_instrument("1001")
FULL = {f"q_{item.code}": "4" for item in LONG.criteria} | {"q_overall": "5"}


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> tuple[Province, int, Browser]:
    """A province with a round of 1001; its id, and a browser."""
    province = fill_province(store, "dai")
    with write(store) as connection:
        made = make_round(
            connection,
            province.province_id,
            code="r",
            name=Text.named(vi="Đợt"),
            instrument="1001",
            first_day=today() - 5,
            last_day=today() + 5,
            user_id=None,
        )
    app = create_app(store, make_config({"data_dir": tmp_path, "web": {"secure_cookies": False}}, "test"))
    return province, made.id, Browser(app)


def _token(store: Engine, province: Province, round_id: int) -> str:
    with write(store) as connection:
        return issue(connection, province.province_id, round_id, province.agencies["dai-a"])[0]


def _newest(store: Engine, province: Province) -> tuple[int, dict[int, int]]:
    """(overall, further answers) of the newest sheet of 1001."""
    scope = Scope(province.province_id)
    with read(store) as connection:
        query = scope.select(ratings).where(ratings.c.instrument == "1001").order_by(ratings.c.id.desc())
        row = connection.execute(query).first()
        assert row is not None
        return row.a00, dict(answers_of(connection, scope, [row.id]).get(row.id, ()))


def test_every_kind_of_question_goes_through_the_online_form(
    store: Engine, world: tuple[Province, int, Browser]
) -> None:
    province, round_id, browser = world
    address = f"/s/{_token(store, province, round_id)}?lang=vi"
    page = browser.get(address).text
    for name in ("q_N1_10", "q_K4", "q_K2", "q_G1", "t_N2", "q_P84"):
        assert f'name="{name}"' in page
    assert 'name="suggestion"' not in page, "the instrument asks for it itself"
    assert 'data-asked-if="K3" data-asked-for="6"' in page
    assert "Không biết" in page
    wrong = browser.http.post(address, data={**FULL, "q_K3": "6", "q_K4": "9999"})
    assert wrong.status_code == 422
    assert "K4" in wrong.text
    assert browser.http.post(address, data={**FULL, "q_K4": "many"}).status_code == 422
    shown = re.search(r'name="shown" value="([^"]+)"', page)
    assert shown
    given = {"q_N1_1": "1", "q_N1_3": "1", "q_K3": "6", "q_K4": "2", "q_P11": "-2", "q_G1": "4", "q_K6": "7"}
    words = {"t_N2": "Mở cửa thứ bảy", "expectation": "Nhanh hơn"}
    done = browser.http.post(address, data={**FULL, **given, **words, "shown": shown[1]})
    assert done.status_code == 303
    overall, more = _newest(store, province)
    told = {code: more.get(LONG.slot_of(code)) for code in ("N1", "K1", "K4", "P11", "P12", "G1", "G2", "K6")}
    assert overall == 5
    assert told == {"N1": 5, "K1": 0, "K4": 2, "P11": DONT_KNOW, "P12": 4, "G1": 4, "G2": None, "K6": 7}
    with read(store) as connection:
        held = {row.kind: row.text for row in connection.execute(select(comments))}
    assert held == {"expectation": "Nhanh hơn", "suggestion": "Mở cửa thứ bảy"}
    assert browser.http.post(address, data=FULL).status_code == 410


def test_the_other_channels_and_pages_show_it_too(store: Engine, world: tuple[Province, int, Browser]) -> None:
    province, round_id, browser = world
    browser.log_in(province.users[Role.DATA_ENTRY])
    hotline = browser.get("/survey/hotline").text
    assert 'name="q_N1_10"' in hotline
    assert browser.get("/survey/entry").status_code == 200
    with write(store) as connection:
        agency = province.agencies["dai-a"]
        code, twice = print_forms(
            connection, province.province_id, round_id, agency, count=2, double_share=0, recheck_share=0
        )
    fields = {one["code"]: one for one in browser.get(f"/survey/entry/forms/{code}").json()["fields"]}
    assert fields["P11"]["keys"] == "123459"
    assert (fields["N1"]["keys"], fields["K4"]["hint"]) == ("", "0 đến 50")
    token = {"X-CSRF-Token": browser.token("/survey/hotline")}
    answers = {**{item.code: 4 for item in LONG.criteria}, "overall": 2, "P11": 9, "N1": "1, 3", "K3": 6, "K4": "2"}
    bad = browser.http.post(
        "/survey/entry/forms", json={"code": code, "answers": {**answers, "N1": "11"}}, headers=token
    )
    assert bad.status_code == 422
    assert "N1" in bad.text
    for wrong in ({"answers": {**answers, "overall": True}}, {"reasons": ["9"]}, {"decide": 1}):
        sent = {"code": code, "answers": answers, **wrong}
        assert browser.http.post("/survey/entry/forms", json=sent, headers=token).status_code == 422, wrong
    done = browser.http.post("/survey/entry/forms", json={"code": code, "answers": answers}, headers=token)
    assert done.json()["result"] == "stored"
    overall, more = _newest(store, province)
    assert (overall, more[LONG.slot_of("N1")], more[LONG.slot_of("P11")]) == (2, 5, DONT_KNOW)
    name = Text.named(vi="Tỉnh", en="Province")
    pdf = forms_pdf(LONG, [code, twice], province=name, agency=name, round_name="r", simulated=True)
    assert pdf.startswith(b"%PDF")
    browser.log_in(province.users[Role.ANALYST])
    assert "Câu hỏi khác" in browser.get("/survey/questions?instrument=1001&lang=vi").text
    assert browser.get("/survey/index?instrument=1001&item=policy").status_code == 200


def test_two_entries_of_a_long_form_agree_in_all_of_it(store: Engine, world: tuple[Province, int, Browser]) -> None:
    province, round_id, _browser = world
    answers = (4, *([4] * 19), *([0] * 12))
    more = {item.slot: 4 for item in LONG.of_block("policy")}
    with write(store) as connection:
        clerks = list(connection.execute(select(users.c.id).order_by(users.c.id)).scalars())
        arguments = (connection, province.province_id, round_id, province.agencies["dai-a"])
        for changed, expected in ((0, Entered.AGREED), (1, Entered.DIFFERS)):
            (code,) = print_forms(*arguments, count=1, double_share=1, recheck_share=0)
            for clerk, value in ((clerks[0], 4), (clerks[1], 4 - changed)):
                form = find_form(connection, province.province_id, code)
                entered = enter_form(
                    connection,
                    province.province_id,
                    form,
                    answers,
                    more={**more, LONG.slot_of("P11"): value},
                    user_id=clerk,
                )
            assert entered is expected
