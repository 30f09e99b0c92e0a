"""A form that was refused comes back filled, with its mistake; what no page shows gets the page of errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipeline.language import Message
from server.store.tables.users import Role
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
