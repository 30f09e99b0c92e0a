"""Nothing irreversible at one touch: every route that changes something is asked whether it confirms, or why not."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, select, update

from pipeline.calendar import day_date, today
from pipeline.instruments import load_instrument, use_folder
from pipeline.keys import new_keys, save_keys
from pipeline.language import Text
from server.channels.gateway.gateway import make_gateway
from server.core.provinces import SETTINGS
from server.core.scope import Scope
from server.feedback.feedback import code_digest, receive
from server.instruments import drafts, editing
from server.rights import incidents, requests
from server.rounds.rounds import make_round
from server.store.engine import read, write
from server.store.tables.feedback import feedback
from server.store.tables.margins import margins
from server.store.tables.users import Role, provider_accounts, second_factors, users
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province, offer_updates
from tests.server.web.test_isolation import _everything, methods, routes


@dataclass(frozen=True, slots=True)
class Asked:
    """A route that asks first. `named`: what its question has to name; `form`: the page whose token is sent."""

    role: Role
    path: str
    fields: dict[str, Any]
    named: str
    form: str
    also: dict[str, Any] = field(default_factory=dict)


CODE = "ABCDEFGHJK23"
"""Of the case: what a citizen shows who wants it erased."""
ASK = {
    "/survey/closing": Asked(Role.ANALYST, "/survey/closing", {"period": "2026-Q3"}, "Quý III/2026", "/survey/rounds"),
    "/survey/raked": Asked(
        Role.ANALYST, "/survey/raked", {"period": "2026-Q1", "instrument": "1001"}, "Quý I/2026", "/survey/rounds"
    ),
    "/survey/rounds/{round_id}/close": Asked(
        Role.ANALYST, "/survey/rounds/1/close", {}, "Đợt thử", "/survey/rounds"
    ),
    "/survey/rounds/{round_id}/gateways/key": Asked(
        Role.ANALYST, "/survey/rounds/1/gateways/key", {"code": "motcua"}, "motcua", "/survey/rounds"
    ),
    "/survey/feedback/{number}": Asked(
        Role.DATA_ENTRY, "/survey/feedback/1", {"status": "answered", "answer": "Đã xong"}, "p1 a", "/survey/feedback"
    ),
    "/users/{user_id}/password": Asked(Role.ADMINISTRATOR, "/users/{user}/password", {}, "analyst.p1", "/users"),
    "/users/{user_id}/factor": Asked(Role.ADMINISTRATOR, "/users/{user}/factor", {}, "analyst.p1", "/users"),
    "/users/{user_id}/provider": Asked(Role.ADMINISTRATOR, "/users/{user}/provider", {}, "analyst.p1", "/users"),
    "/users/{user_id}/active": Asked(
        Role.ADMINISTRATOR, "/users/{user}/active", {"active": "false"}, "analyst.p1", "/users"
    ),
    "/catalogue/agencies/{agency_id}/active": Asked(
        Role.ADMINISTRATOR, "/catalogue/agencies/{agency}/active", {"active": "false"}, "Sở p1 a", "/catalogue"
    ),
    "/settings": Asked(
        Role.ADMINISTRATOR, "/settings", {**SETTINGS, "contact_days": "20"}, "20 ngày thay vì 90 ngày", "/settings"
    ),
    "/health/updates/{release}/offer": Asked(
        Role.ADMINISTRATOR, "/health/updates/bbbb0002/offer", {}, "1.2", "/health/updates"
    ),
    "/health/updates/{release}/stop": Asked(
        Role.ADMINISTRATOR, "/health/updates/aaaa0001/stop", {}, "1.1", "/health/updates"
    ),
    "/health/updates/{release}/open": Asked(
        Role.ADMINISTRATOR, "/health/updates/aaaa0001/open", {"ring": "3"}, "tất cả", "/health/updates"
    ),
    "/health/updates/{release}/withdraw": Asked(
        Role.ADMINISTRATOR, "/health/updates/aaaa0001/withdraw", {}, "1.1", "/health/updates"
    ),
    "/privacy/rights/{number}/answer": Asked(
        Role.PRIVACY_OFFICER, "/privacy/rights/1/answer", {}, "7/ĐN", "/privacy/rights"
    ),
    "/privacy/rights/{number}/close": Asked(
        Role.PRIVACY_OFFICER, "/privacy/rights/1/close", {"outcome": "explained"}, "7/ĐN", "/privacy/rights"
    ),
    "/privacy/rights/erase": Asked(
        Role.PRIVACY_OFFICER, "/privacy/rights/erase", {"code": "{code}"}, "{code}", "/privacy/rights"
    ),
    "/privacy/rights/incidents/{number}/notify": Asked(
        Role.PRIVACY_OFFICER, "/privacy/rights/incidents/1/notify", {}, "8/SC", "/privacy/rights"
    ),
    "/privacy/rights/incidents/{number}/close": Asked(
        Role.PRIVACY_OFFICER, "/privacy/rights/incidents/2/close", {}, "9/SC", "/privacy/rights"
    ),
    "/survey/instruments/drafts/{number}/items/{code}/{step}": Asked(
        Role.ANALYST, "/survey/instruments/drafts/1/items/A1/remove", {}, "A1: “", "/survey/instruments"
    ),
    "/survey/instruments/drafts/{number}/parts": Asked(
        Role.ANALYST, "/survey/instruments/drafts/1/parts", {"remove": "Z"}, "Z: “Phần thử”", "/survey/instruments"
    ),
    "/survey/instruments/drafts/{number}/remove": Asked(
        Role.ANALYST, "/survey/instruments/drafts/1/remove", {}, "2640-thu", "/survey/instruments"
    ),
    "/survey/instruments/drafts/{number}/sign": Asked(
        Role.ANALYST, "/survey/instruments/drafts/2/sign", {"first": day_date(today() + 9).isoformat()}, "2640-ky",
        "/survey/instruments",
    ),
}  # fmt: skip
"""Routes that close, lock, reset, erase or answer."""

UNASKED = {
    "/log-in": "begins a session",
    "/log-out": "one logs in again",
    "/account": "the old password is asked for",
    "/account/factor": "shows a key; nothing holds before a code of it was typed",
    "/account/factor/confirm": "a code of the new key is typed",
    "/account/factor/change": "a code is typed",
    "/settings/second-factor": "can be chosen back; nobody loses a factor",
    "/account/sessions": "one logs in again",
    "/log-in/code": "begins a session",
    "/log-in/provider/ended": "ends sessions; one logs in again",
    "/account/provider": "the password is asked for, and one logs in at the provider",
    "/users": "adds; a user can be shut out",
    "/health/updates/boxes/ring": "another ring can be chosen; the log keeps the old one",
    "/catalogue/agencies": "adds, or changes names; the log keeps the old ones",
    "/catalogue/counters": "adds, or changes names; the log keeps the old ones",
    "/catalogue/services": "adds, or changes names; the log keeps the old ones",
    "/survey/rounds": "adds; a round can be closed",
    "/survey/rounds/{round_id}/open": "takes closing back; the round can be closed again",
    "/survey/rounds/{round_id}/links": "adds links, which expire",
    "/survey/rounds/{round_id}/poster": "adds links, which expire",
    "/survey/rounds/{round_id}/gateways": "adds a gateway",
    "/survey/rounds/{round_id}/paper": "prints forms",
    "/survey/rounds/{round_id}/recheck": "notes what a second look found; the first entry stays",
    "/survey/entry/forms": "enters a sheet, twice where they differ",
    "/survey/enumerators": "adds",
    "/survey/hotline": "adds",
    "/survey/plan": "adds a plan",
    "/survey/plan/households": "reads files and shows what follows from them; nothing is kept",
    "/survey/instruments": "begins a draft",
    "/survey/instruments/drafts/{number}/head": "changes a draft",
    "/survey/instruments/drafts/{number}/items": "changes a draft",
    "/survey/import": "adds, all or nothing; a preview stands beside the button",
    "/survey/feedback/{number}/undo": "takes the last step back, which can be taken again",
    "/survey/review/{number}": "setting aside needs two people, counting again can be undone by them",
    "/survey/comments/{number}": "a topic; another can be given",
    "/privacy/rights": "adds a request",
    "/privacy/rights/incidents": "adds an incident",
    "/feedback/{province}": "a citizen writes",
    "/feedback/{province}/answer": "a citizen judges, and may judge otherwise",
    "/s/{token}": "a citizen answers",
    "/embed/{token}": "a citizen answers",
    "/gateway/{code}/events": "a program's signed call",
    "/gateway/{code}/next": "a program's signed call",
    "/gateway/{code}/links": "a program's signed call",
    "/api/receipts": "a program's signed call",
}
"""Routes that do not ask, each with its reason."""


@pytest.fixture
def province(store: Engine) -> Province:
    made = fill_province(store, "p1", simulated=False)
    scope = Scope(made.province_id)
    offer_updates(store, made)
    with write(store) as connection:
        make_round(connection, made.province_id, code="dot", name=Text.named(vi="Đợt thử"), instrument="2640",
                   first_day=today() - 9, last_day=today() + 9, user_id=None)  # fmt: skip
        code = receive(connection, made.province_id, made.agencies["p1-a"], category="delay", text="Trễ hẹn")
        assert code_digest(CODE) != code_digest(code)
        connection.execute(update(feedback).values(code_hash=code_digest(CODE)))
        make_gateway(connection, made.province_id, "motcua", "sms", 1, None, bytes(32))
        known = {"instrument": "1001", "item": "G1", "choice": 1, "year": 2024, "people": 5}
        scope.insert(connection, margins, known)
        requests.take_in(connection, scope, "view", "7/ĐN", today(), 1)
        for reference in ("8/SC", "9/SC"):
            incidents.report(connection, scope, kind="data", reference=reference, noticed_day=today(), noticed_hour=0,
                             people=None, user_id=1)  # fmt: skip
        incidents.notify(connection, scope, 2, 1)
        analyst = connection.execute(select(users.c.id).where(users.c.role == Role.ANALYST)).scalar_one()
        scope.insert(connection, second_factors, {"user_id": analyst, "secret": "begun", "confirmed": False})
        link = {"user_id": analyst, "subject_hash": "s", "linked_day": 1}
        scope.insert(connection, provider_accounts, link)
        base = load_instrument("2640")
        made_drafts = [drafts.clone(connection, scope, base.wire_code, code, 1) for code in ("2640-thu", "2640-ky")]
        assert made_drafts == [1, 2]
        draft = drafts.find_draft(connection, scope, 1)
        part = {"what": "factor", "code": "Z", "vi": "Phần thử"}
        drafts.save(connection, scope, draft, editing.put_part(draft.instrument, part), 1)
        if connection.execute(select(feedback.c.id)).scalar_one() != 1:
            connection.execute(update(feedback).values(id=1))
    return made


@pytest.fixture
def app(store: Engine, province: Province, tmp_path: Path) -> Iterator[FastAPI]:
    save_keys(new_keys("server"), tmp_path / "keys")
    yield application(store, tmp_path)
    use_folder(None)


def test_every_route_that_changes_something_asks_or_says_why_not(app: FastAPI) -> None:
    asking, all_of_them = set(), set()
    for route in routes(app):
        if not methods(route) - {"GET"}:
            continue
        all_of_them.add(route.path)
        known = inspect.signature(route.endpoint).parameters
        sent = known.get("sent")
        if "sure" in known or (sent is not None and "sure" in str(sent.annotation)) or route.path == "/settings":
            asking.add(route.path)
    assert asking == set(ASK)
    assert all_of_them == set(ASK) | set(UNASKED)
    for route in routes(app):
        if methods(route) - {"GET"} and re.search(
            "close|closing|key$|password|active|erase|notify|revoke|delete|remove|sign$", route.path
        ):
            assert route.path in ASK, f"{route.path} sounds as if it could not be taken back"


@pytest.mark.parametrize("name", list(ASK))
def test_it_is_asked_with_the_things_name_and_nothing_is_done_before(
    name: str, app: FastAPI, store: Engine, province: Province
) -> None:
    asked = ASK[name]
    with read(store) as connection:
        user = connection.execute(select(users.c.id).where(users.c.name == province.users[Role.ANALYST])).scalar_one()
    known = {"{user}": user, "{agency}": province.agencies["p1-a"], "{code}": CODE}

    def filled(text: str) -> str:
        for key, value in known.items():
            text = text.replace(key, str(value))
        return text

    browser = Browser(app)
    browser.log_in(province.users[asked.role])
    form = {key: filled(str(value)) for key, value in asked.fields.items()}
    before = _everything(store, province.province_id)
    page = browser.post(filled(asked.path), form, form=asked.form)
    assert page.status_code == 200
    question = html.unescape(re.search('id="question">(.*?)</p>', page.text, re.S)[1])  # type: ignore[index]
    assert filled(asked.named) in question
    after = _everything(store, province.province_id)
    assert {key for key in before if before[key] != after[key]} <= {"access_log", "sessions"}
    again = dict(re.findall('<input type="hidden" name="(\\w+)" value="([^"]*)"', page.text))
    done = browser.http.post(
        filled(asked.path), data={**{k: html.unescape(v) for k, v in again.items()}, "sure": "true"}
    )
    assert done.status_code in (200, 303), done.text
    now = _everything(store, province.province_id)
    assert {key for key in before if before[key] != now[key]} - {"access_log", "sessions"}, "confirmed, it is done"


def test_an_answer_is_taken_back_by_its_writer_until_it_is_judged(
    app: FastAPI, store: Engine, province: Province
) -> None:
    clerk = Browser(app)
    clerk.log_in(province.users[Role.DATA_ENTRY])
    case = "/survey/feedback/1"
    answer = {"status": "answered", "answer": "Gửi nhầm hồ sơ", "changed": "Đổi giờ trực", "public": "true"}
    clerk.post(case, {**answer, "sure": "true"}, form=case)
    assert clerk.post(f"{case}/undo", form="/survey/feedback?done=1").status_code == 303
    with read(store) as connection:
        row = connection.execute(select(feedback)).one()
    assert (row.status, row.answered_day, row.reopened) == ("received", None, 0)
    page = clerk.get(case).text
    assert "Gửi nhầm hồ sơ</textarea>" in page, "the words stay in the form, to be corrected"
    assert "Đổi giờ trực</textarea>" in page
    assert "chỉ người giữ mã xem được" not in page, "nobody sees it until it is given again"
    assert clerk.post(f"{case}/undo", form=case).status_code == 409, "once"
    clerk.post(case, answer, form=case)
    with write(store) as connection:
        connection.execute(update(feedback).values(liked=True))
    assert clerk.post(f"{case}/undo", form="/survey/feedback?done=1").status_code == 409
