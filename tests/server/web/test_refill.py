"""A form that was refused comes back filled, with its mistake; what no page shows gets the page of errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from pipeline.calendar import today
from pipeline.language import Message, Text
from server.rounds.rounds import make_round
from server.store.engine import read, write
from server.store.tables.users import Role, access_log
from server.web.refill import refilled
from tests.server.client import Browser
from tests.server.province import application, fill_province

PAGE = """<!doctype html><p>1 &lt; 2 &amp; 3</p><form action="/other"><input name="a" value="x"></form>
<form method="post" action="/a?b=1"><input type="hidden" name="csrf" value="t"><label for="i">Tên &amp; họ</label>
<input id="i" name="a" value="old"><input type="password" name="p"><textarea name="w">old</textarea>
<select name="s"><option value="1" selected>one</option><option value="2">two</option></select>
<input type="checkbox" name="c" value="1" checked><input type="checkbox" name="c" value="2"></form>"""


def test_a_form_is_filled_and_nothing_else_is_touched() -> None:
    typed = {"csrf": ["no"], "a": ['"><script>'], "p": ["secret"], "w": ["</textarea><b>"], "s": ["2"], "c": ["2"]}
    text = refilled(PAGE, "/a", typed, [("a", Message("Kind")), ("", "<i>")], "en")
    assert text is not None
    assert not [one for one in ("secret", "<script>", "<b>") if one in text]
    assert text.startswith(PAGE[: PAGE.index("<input type=")])
    assert "Nothing was stored.<ul><li>Tên &amp; họ: Kind</li><li>&lt;i&gt;</li></ul></div>" in text
    assert '<input id="i" name="a" value="&quot;&gt;&lt;script&gt;" autofocus aria-describedby="mistake"' in text
    assert 'aria-invalid="true">' in text
    assert "&lt;/textarea&gt;&lt;b&gt;</textarea>" in text
    assert re.findall(r'value="(\d)" (?:selected|checked)', text) == ["2", "2"]
    assert refilled(PAGE, "/b", typed, [], "en") is None


ROWS = """<form method="get" action="/a"><input name="r"></form>
<form method="post" action="/a"><input type="hidden" name="code" value="1"><input name="r" value=""></form>
<form method="post" action="/a"><input type="hidden" name="code" value="2"><input name="r" value=""></form>
<form method="post" action="/b"><input name="other"></form>
<form method="post" action="/b"><input name="r" value=""><button formaction="/c" name="x" value="1">c</button></form>
<form method="post"><input name="r" value=""></form>
<form method="post" action="/d"><input name="code" autocomplete="one-time-code"><input name="r" value="">
<select name="s"><option value="1">1</option><option value="2">2</option></select>
<select name="s"><option value="1">1</option><option value="2">2</option></select></form>"""


@pytest.mark.parametrize(
    ("action", "typed", "place"),
    [
        ("/a", {"code": ["2"]}, 2),
        ("/a", {"code": ["3"]}, None),
        ("/a", {}, None),
        ("/b", {}, 4),
        ("/c", {"x": ["1"]}, 4),
        ("/page", {}, 5),
        ("/d", {"code": ["123456"], "s": ["2", "1"]}, 6),
    ],
)
def test_the_form_that_was_sent_is_filled_and_no_other(
    action: str, typed: dict[str, list[str]], place: int | None
) -> None:
    """Of rows with one address that whose hidden fields were sent; of an address of a button's, or the page's own."""
    text = refilled(ROWS, action, {"r": ["mine"], **typed}, [("r", "wrong")], "en", "/page")
    if place is None:
        assert text is None, "no mistake stands beside another row's thing"
        return
    assert text is not None
    forms = re.findall(r"<form.*?</form>", text, re.S)
    assert [n for n, form in enumerate(forms) if 'value="mine"' in form] == [place]
    assert [n for n, form in enumerate(forms) if 'id="mistake"' in form] == [place]
    assert "123456" not in text, "a code that lets somebody in is not sent back"
    assert re.findall(r'value="(.)" selected', text) == typed.get("s", [])


def test_a_page_that_comes_back_was_read_and_is_the_senders_own(store: Engine, tmp_path: Path) -> None:
    """A form without an address of its own; the page stands in the access log; whoever may not open it gets none."""
    made = fill_province(store, "p1")
    with write(store) as connection:
        days = {"first_day": today() - 5, "last_day": today() + 5}
        named = {"code": "r", "name": Text.named(vi="Đợt"), "instrument": "2640"}
        make_round(connection, made.province_id, **named, **days, user_id=None)  # type: ignore[arg-type]
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.DATA_ENTRY])
    answer = browser.post("/survey/hotline", {"round": "x", "text": "Lời của người gọi"}, form="/survey/hotline")
    assert answer.status_code == 422
    assert "Lời của người gọi</textarea>" in answer.text
    with read(store) as connection:
        found = connection.execute(select(access_log).order_by(access_log.c.id.desc()).limit(2)).all()
    assert [(row.method, row.route, row.status) for row in found] == [
        ("GET", "/survey/hotline", 200),
        ("POST", "/survey/hotline", 422),
    ]
    assert browser.http.post("/survey/hotline", data={"round": "x", "text": "Lời"}).status_code == 403, "no token"
    other = Browser(browser.http.app)  # type: ignore[arg-type]
    other.log_in(made.users[Role.AGENCY_READER])
    refused = other.post("/survey/hotline", {"round": "x", "text": "Lời"}, form="/account")
    assert refused.status_code == 403
    assert "Lời" not in refused.text


@pytest.mark.parametrize(
    ("role", "action", "page", "fields", "kept", "words"),
    [
        (
            Role.PRIVACY_OFFICER,
            "/privacy/rights",
            "/privacy/rights",
            {"kind": "erase", "reference": "12/CV", "received": "31/31/2026"},
            "12/CV",
            "ngày",
        ),
        (
            Role.PRIVACY_OFFICER,
            "/privacy/rights/incidents",
            "/privacy/rights",
            {"kind": "ai", "reference": "SC-1", "noticed": "", "hour": "25"},
            "SC-1",
            "Giờ (0–23)",
        ),
        (
            Role.ADMINISTRATOR,
            "/catalogue/agencies",
            "/catalogue",
            {"code": "p1-a x", "name_vi": "Sở Mới"},
            "Sở Mới",
            "",
        ),
    ],
)
def test_staff_type_once(
    store: Engine, tmp_path: Path, role: Role, action: str, page: str, fields: dict[str, str], kept: str, words: str
) -> None:
    made = fill_province(store, "p1")
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[role])
    answer = browser.post(action, fields, form=page)
    assert answer.status_code in (400, 409, 422)
    (form,) = (one for one in re.findall(r"<form.*?</form>", answer.text, re.S) if 'id="mistake"' in one)
    assert f'action="{action}"' in form
    assert f'value="{kept}"' in form
    said = re.search('id="mistake" role="alert">(.*?)</div>', form)
    assert said is not None
    assert words in said[1]
    nowhere = browser.post("/privacy/rights/erase/nowhere", {}, form=page)
    assert 'id="mistake"' not in nowhere.text
