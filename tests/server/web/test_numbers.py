"""The number of another province's thing does nothing, with a form that is whole: its owner's form is taken.

`test_isolation.py` asks every route, mostly with forms that end before a number is looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, insert, select

from pipeline.instruments import load_instrument
from server.channels.paper.paper import print_forms
from server.core.scope import Scope
from server.instruments.drafts import clone
from server.store.engine import write
from server.store.tables.comments import comments
from server.store.tables.ratings import ratings
from server.store.tables.users import Role, users
from tests.server.client import Browser
from tests.server.province import Province, fill_province
from tests.server.web import test_confirm
from tests.server.web.test_confirm import ASK, CODE
from tests.server.web.test_isolation import _everything, methods, routes

province, app = test_confirm.province, test_confirm.app
OWN = {"/survey/closing", "/survey/raked", "/settings"}
"""Routes that ask and take no number: whoever sends them means the own province."""
FORMS: dict[str, tuple[Role, str, dict[str, Any]]] = {
    "/survey/rounds/{round_id}/open": (Role.ANALYST, "/survey/rounds/1/open", {}),
    "/survey/rounds/{round_id}/links": (Role.ANALYST, "/survey/rounds/1/links", {"agency": "{agency}"}),
    "/survey/rounds/{round_id}/poster": (Role.ANALYST, "/survey/rounds/1/poster", {"agency": "{agency}"}),
    "/survey/rounds/{round_id}/gateways": (Role.ANALYST, "/survey/rounds/1/gateways", {"code": "moi", "kind": "sms"}),
    "/survey/rounds/{round_id}/paper": (Role.ANALYST, "/survey/rounds/1/paper", {"agency": "{agency}", "count": "1"}),
    "/survey/rounds/{round_id}/recheck": (
        Role.ANALYST, "/survey/rounds/1/recheck", {"code": "{form}", "result": "unreached"}
    ),
    "/survey/instruments/drafts/{number}/head": (
        Role.ANALYST, "/survey/instruments/drafts/{draft}/head", {"title_vi": "Đổi"}
    ),
    "/survey/review/{number}": (Role.ANALYST, "/survey/review/{rating}", {"what": "withdraw"}),
    "/survey/comments/{number}": (Role.ANALYST, "/survey/comments/7", {"code": "attitude"}),
    "/survey/feedback/{number}/undo": (Role.DATA_ENTRY, "/survey/feedback/1/undo", {}),
    "/survey/hotline": (
        Role.DATA_ENTRY, "/survey/hotline", {"round": "1", "agency": "{agency}", "group": "0", "text": "Lời"}
    ),
    "/health/updates/boxes/ring": (Role.ADMINISTRATOR, "/health/updates/boxes/ring", {"box": "{box}", "ring": "2"}),
}  # fmt: skip
"""Routes that do not ask and name a thing: whose form is sent, where, and what stands in it."""
BEHIND_THE_LOOK_UP = {
    "/survey/feedback/{number}/undo": 409,  # nobody has taken a step yet
    "/survey/rounds/{round_id}/recheck": 409,  # the form has not come back
    "/survey/instruments/drafts/{number}/head": 422,  # a title alone is no head
}
"""What the owner is told of a form that is refused after its number was found."""
UNTRIED = {
    "/survey/instruments/drafts/{number}/items": "as the head: one function finds the draft",
    "/feedback/{province}": "a citizen's",
    "/feedback/{province}/answer": "a citizen's, by a code",
    "/s/{token}": "a citizen's, by a link",
    "/embed/{token}": "a citizen's, by a link",
    "/gateway/{code}/events": "signed",
    "/gateway/{code}/next": "signed",
    "/gateway/{code}/links": "signed",
}


def test_every_route_with_a_number_is_tried(app: FastAPI) -> None:
    found = {route.path for route in routes(app) if methods(route) - {"GET"} and "{" in route.path}
    assert found <= set(ASK) | set(FORMS) | set(UNTRIED), found - set(ASK) - set(FORMS) - set(UNTRIED)


def _filled(store: Engine, province: Province) -> Callable[[Any], str]:
    """Things of a province, by the names that stand in `ASK` and `FORMS`."""
    scope = Scope(province.province_id)
    with write(store) as connection:
        analyst = users.c.name == province.users[Role.ANALYST]
        known = {
            "{user}": connection.execute(select(users.c.id).where(analyst)).scalar_one(),
            "{agency}": province.agencies["p1-a"],
            "{box}": province.boxes["p1-a"],
            "{code}": CODE,
            "{rating}": connection.execute(scope.select(ratings, ratings.c.id)).scalars().first(),
            "{form}": print_forms(connection, scope.province_id, 1, province.agencies["p1-a"], count=1)[0],
            "{draft}": clone(connection, scope, load_instrument("2640").wire_code, "thu", None),
        }
        text = {"id": 7, "kind": "suggestion", "month": 1, "text": "Chậm", "service_group": 0}
        connection.execute(insert(comments).values(**text, **scope_of(province)))

    def filled(value: Any) -> str:
        for key, thing in known.items():
            value = str(value).replace(key, str(thing))
        return str(value)

    return filled


def scope_of(province: Province) -> dict[str, int]:
    """Province and agency of a row."""
    return {"province_id": province.province_id, "agency_id": province.agencies["p1-a"]}


@pytest.mark.slow
def test_a_stranger_s_number_does_nothing_and_the_owner_s_form_is_whole(
    app: FastAPI, store: Engine, province: Province
) -> None:
    stranger, filled = fill_province(store, "p2"), _filled(store, province)
    tries = [(path, (one.role, one.path, one.fields)) for path, one in ASK.items() if path not in OWN]
    tries += list(FORMS.items())
    before, mine = _everything(store, province.province_id), _everything(store, stranger.province_id)
    sent: dict[str, dict[str, int]] = {}
    for who in (stranger, province):
        browsers: dict[Role, tuple[Browser, str]] = {}
        for name, (role, path, fields) in tries:
            if role not in browsers:
                browser = Browser(app)
                browser.log_in(who.users[role])
                browsers[role] = browser, browser.token("/account")
            browser, token = browsers[role]
            form = {key: filled(value) for key, value in fields.items()}
            answer = browser.http.post(filled(path), data={**form, "csrf": token})
            sent.setdefault(name, {})[who.code] = answer.status_code
        if who is stranger:
            after, theirs = _everything(store, province.province_id), _everything(store, stranger.province_id)
            assert after == before
            quiet = {"sessions", "access_log", "users"}
            assert {name: rows for name, rows in theirs.items() if name not in quiet} == {
                name: rows for name, rows in mine.items() if name not in quiet
            }, "nothing of the other's was copied over, either"
    assert {name: both["p2"] for name, both in sent.items() if both["p2"] not in (400, 404, 409)} == {}
    not_whole = {name: both["p1"] for name, both in sent.items() if both["p1"] not in (200, 303)}
    assert not_whole == BEHIND_THE_LOOK_UP
