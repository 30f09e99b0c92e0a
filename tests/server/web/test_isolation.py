"""Provinces, roles and agencies are kept apart on every route: the routes are enumerated, none can be forgotten."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Engine, select

from server.auth.roles import PERMISSIONS, Permission
from server.store.engine import read
from server.store.tables.users import Role, users
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province

OPEN = {
    "/log-in": "the log-in itself",
    "/log-in/code": "the second half of the log-in",
    "/log-in/provider": "the way to the provider of log-ins",
    "/log-in/provider/done": "the way back: the provider's signed token is the proof",
    "/log-in/provider/ended": "the provider signs its calls",
    "/account/provider": "one's own account, checked in the route",
    "/log-out": "closes the session of whoever asks",
    "/account": "one's own account, checked in the route",
    "/account/sessions": "one's own sessions, checked in the route",
    "/account/factor": "one's own second factor, checked in the route",
    "/account/factor/confirm": "one's own second factor, checked in the route",
    "/account/factor/change": "one's own second factor, checked in the route",
    "/api/v1/alive": "says that the server answers, and nothing else",
    "/s/{token}": "a citizen answers: the one-time link is the proof",
    "/embed/{token}": "the same form within the province's portal",
    "/thanks/{province}": "says thanks to whoever has answered, and nothing else",
    "/embed/thanks/{province}": "says thanks to whoever has answered, and nothing else",
    "/gateway/{code}/events": "a gateway signs its calls",
    "/gateway/{code}/next": "a gateway signs its calls",
    "/gateway/{code}/links": "a gateway signs its calls",
    "/api/receipts": "a gateway signs its calls",
    "/tv/{token}": "a hall's screen: its address is signed, and it shows one agency's published figures",
    "/feedback/{province}/answer": "whoever holds the code of a case judges its answer",
    "/feedback/{province}": "a citizen writes; what is there is read by its code alone",
}
"""Routes that ask for no permission, each with its reason."""


@pytest.fixture
def two(store: Engine) -> tuple[Province, Province]:
    return fill_province(store, "aaa"), fill_province(store, "bbb", share=0.5)


@pytest.fixture
def app(store: Engine, two: tuple[Province, Province], tmp_path: Path) -> FastAPI:
    return application(store, tmp_path)


def routes(app: FastAPI) -> list[APIRoute]:
    """Every route that code of ours answers (FastAPI keeps those of an included router in it)."""
    flat: list[APIRoute] = []
    for route in app.routes:
        if isinstance(route, APIRoute):
            flat.append(route)
        elif hasattr(route, "original_router"):
            flat += [inner for inner in route.original_router.routes if isinstance(inner, APIRoute)]
    return flat


def methods(route: APIRoute) -> set[str]:
    """GET, POST and so on, without HEAD."""
    return set(route.methods or ()) - {"HEAD"}


def permission_of(route: APIRoute) -> Permission | None:
    """The permission that a route asks for."""
    for dependency in route.dependant.dependencies:
        permission = getattr(dependency.call, "permission", None)
        if permission is not None:
            return Permission(permission)
    return None


def test_every_route_asks_for_a_permission_or_says_why_not(app: FastAPI) -> None:
    found = routes(app)
    assert len(found) > 20
    for route in found:
        assert permission_of(route) is not None or route.path in OPEN, f"{route.path} asks for nothing"


def test_every_unsafe_route_checks_the_forgery_token(
    app: FastAPI, store: Engine, two: tuple[Province, Province]
) -> None:
    mine = two[0]
    before = _everything(store, mine.province_id)
    for role in Role:
        browser = Browser(app)
        browser.log_in(mine.users[role])
        for route in routes(app):
            if not methods(route) - {"GET"} or getattr(route.endpoint, "no_csrf", False):
                continue
            path = _fill(route.path, mine, store)
            answer = browser.http.request(sorted(methods(route))[-1], path, data=FORMS.get(route.path, {}))
            assert answer.status_code == 403, f"{role} {path}: {answer.status_code}"
    after = _everything(store, mine.province_id)
    for watched in set(before) - {"sessions", "access_log"}:
        assert after[watched] == before[watched], watched


def _fill(path: str, province: Province, store: Engine) -> str:
    """A path's parameters filled with what belongs to `province`."""
    agency = next(iter(province.agencies))
    with read(store) as connection:
        user_id = (
            connection.execute(select(users.c.id).where(users.c.province_id == province.province_id)).scalars().first()
        )
    known: dict[str, Any] = {
        "code": agency,
        "agency_id": province.agencies[agency],
        "user_id": user_id,
        "box_id": next(iter(province.boxes.values())),
        "table": "estimates",
        "ending": "csv",
    }
    return re.sub(r"{(\w+)(?::\w+)?}", lambda m: str(known.get(m[1], 1)), path)


@pytest.mark.parametrize("role", list(Role))
def test_nobody_reaches_another_province(
    app: FastAPI, store: Engine, two: tuple[Province, Province], role: Role
) -> None:
    mine, other = two
    browser = Browser(app)
    browser.log_in(mine.users[role])
    for route in routes(app):
        if "GET" not in methods(route) or permission_of(route) is None:
            continue
        path = _fill(route.path, other, store)
        answer = browser.get(path + "?period=2026-Q3")
        allowed = permission_of(route) in PERMISSIONS[role]
        if not allowed:
            assert answer.status_code == 403, f"{role} {path}: {answer.status_code}"
            continue
        assert answer.status_code in (200, 303, 400, 404, 422), f"{role} {path}: {answer.status_code}"
        for trace in ("bbb-a", "bbb-b", "Sở bbb", "Tỉnh bbb", "Province bbb", "box bbb", ".bbb"):
            asked_for = trace in path
            assert trace not in answer.text or (asked_for and answer.status_code >= 400), f"{role} {path} shows {trace}"


def _everything(store: Engine, province_id: int) -> dict[str, list[Any]]:
    from server.store.schema import metadata

    with read(store) as connection:
        return {
            table.name: list(
                connection.execute(
                    select(table).where(table.c.province_id == province_id).order_by(*table.primary_key.columns)
                )
            )
            for table in metadata.sorted_tables
            if "province_id" in table.c
        }


FORMS: dict[str, dict[str, Any]] = {
    "/users": {"name": "x.y.z", "role": "analyst"},
    "/catalogue/agencies": {"code": "bbb-a", "name_vi": "Đổi tên", "level": "tinh"},
    "/catalogue/counters": {"agency": "bbb-a", "code": "q", "name_vi": "Quầy"},
    "/catalogue/services": {"code": "s", "name_vi": "Thủ tục"},
    "/catalogue/agencies/{agency_id}/active": {"active": "false"},
    "/users/{user_id}/active": {"active": "false"},
}


@pytest.mark.parametrize("role", list(Role))
def test_nobody_changes_another_province(
    app: FastAPI, store: Engine, two: tuple[Province, Province], role: Role
) -> None:
    mine, other = two
    browser = Browser(app)
    browser.log_in(mine.users[role])
    token = browser.token("/") if role is not Role.DATA_ENTRY else browser.token("/account")
    before = _everything(store, other.province_id)
    for route in routes(app):
        unsafe = sorted(methods(route) - {"GET"})
        if not unsafe or permission_of(route) is None:
            continue
        path = _fill(route.path, other, store)
        form = {**FORMS.get(route.path, {}), "csrf": token}
        answer = browser.http.request(unsafe[0], path, data=form)
        if permission_of(route) not in PERMISSIONS[role]:
            assert answer.status_code in (403, 422), f"{role} {path}: {answer.status_code}"
        assert answer.status_code < 500, f"{role} {path}: {answer.status_code}"
    assert _everything(store, other.province_id) == before


@pytest.mark.parametrize("path", ["/", "/api/v1/scores", "/scores.csv", "/agencies/aaa-a"])
def test_an_agency_reader_sees_one_agency(app: FastAPI, two: tuple[Province, Province], path: str) -> None:
    browser = Browser(app)
    browser.log_in(two[0].users[Role.AGENCY_READER])
    answer = browser.get(path + "?period=2026-Q3")
    assert answer.status_code == 200
    assert "aaa-a" in answer.text
    assert "aaa-b" not in answer.text
    assert browser.get("/agencies/aaa-b").status_code == 404


@pytest.mark.slow
def test_another_agency_s_code_opens_nothing_on_any_route(
    app: FastAPI, store: Engine, two: tuple[Province, Province]
) -> None:
    """Of the same province, in the path and in every query that names one: the routes are enumerated."""
    mine = two[0]
    browser = Browser(app)
    browser.log_in(mine.users[Role.AGENCY_READER])
    asked = 0
    for route in routes(app):
        if "GET" not in methods(route) or permission_of(route) is not Permission.READ_SCORES:
            continue
        names = {one.name for one in route.dependant.query_params}
        for other in ("aaa-b", str(mine.agencies["aaa-b"])):
            path = re.sub(r"{code(?::\w+)?}", other, route.path).replace("{dimension}", "agency")
            query = {name: other for name in ("agency", "a", "b", "q", "place") if name in names}
            answer = browser.get(_fill(path, mine, store), params={"period": "2026-Q3", **query})
            asked += 1
            told = answer.text.replace(f'value="{other}"', "").replace("=aaa-b", "")
            assert answer.status_code != 200 or "aaa-b" not in told, f"{path} {query}"
            assert answer.status_code in (200, 303, 404, 422), f"{path} {query}: {answer.status_code}"
            assert "Sở aaa b" not in answer.text, f"{path} {query}"
    assert asked > 40


def test_without_log_in_there_is_nothing(app: FastAPI, store: Engine, two: tuple[Province, Province]) -> None:
    browser = Browser(app)
    for route in routes(app):
        if "GET" in methods(route) and permission_of(route) is not None:
            path = _fill(route.path, two[0], store)
            answer = browser.get(path)
            expected = 401 if path.startswith("/api/") else 303
            assert answer.status_code == expected, f"{path}: {answer.status_code}"


def test_demo_is_for_one_simulated_province_only(store: Engine, tmp_path: Path) -> None:
    fill_province(store, "real", simulated=False)
    browser = Browser(application(store, tmp_path, demo=True))
    assert browser.get("/").status_code == 303
    fill_province(store, "sim")
    assert browser.get("/").status_code == 303, "two provinces: nobody can tell which is meant"


def test_demo_reads_and_never_writes(store: Engine, tmp_path: Path) -> None:
    fill_province(store, "sim")
    app = application(store, tmp_path, demo=True)
    browser = Browser(app)
    answer = browser.get("/?period=2026-Q3")
    assert answer.status_code == 200
    assert "Số liệu mô phỏng" in answer.text
    for route in routes(app):
        if methods(route) - {"GET"} and permission_of(route) is not None:
            form = {**FORMS.get(route.path, {}), "csrf": browser.token()}
            path = re.sub(r"{\w+(?::\w+)?}", "1", route.path)
            assert browser.http.post(path, data=form).status_code in (403, 405, 422), path
