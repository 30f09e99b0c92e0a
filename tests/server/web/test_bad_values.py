"""Whatever number, text or period stands in a request, the answer is a sentence with its status, never a fault: every
route is enumerated, every parameter of it filled with what no row can have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Engine

from pipeline.errors import ConflictError, ForbiddenError, HailongError, InvalidError, NotFoundError, StoreError
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province
from tests.server.web.test_isolation import methods, permission_of, routes

BAD = ("99999999999999999999", "9223372036854775808", "-9223372036854775809", "-1", "1e400", "²", "", "x" * 5_000)
PERIODS = ("9" * 30, "2026-Q3..9999-12", "9999-Q4", "2026-13", "-2026", "٢٠٢٦", "0000", "2026-Q3.." + "9" * 20)


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "aaa")


@pytest.fixture
def app(store: Engine, province: Province, tmp_path: Path) -> FastAPI:
    return application(store, tmp_path)


def numbers(route: APIRoute) -> list[str]:
    """Names of the fields of a route, in its path, query or form, that are whole numbers."""
    dependant = route.dependant
    fields = [*dependant.path_params, *dependant.query_params, *dependant.body_params]
    return [field.alias for field in fields if "int" in str(field.field_info.annotation)]


def _browsers(app: FastAPI, province: Province) -> dict[Role, Browser]:
    browsers = {}
    for role in Role:
        browsers[role] = Browser(app)
        browsers[role].log_in(province.users[role])
    return browsers


def test_a_number_out_of_range_is_422_on_every_route(app: FastAPI, province: Province) -> None:
    browsers, seen = _browsers(app, province), 0
    for route in routes(app):
        wanted = numbers(route)
        if not wanted:
            continue
        role = next((role for role in Role if browsers[role] and _may(route, role)), Role.ADMINISTRATOR)
        browser = browsers[role]
        token = browser.token("/account")
        for value in BAD[:4]:
            path = route.path
            for name in re.findall(r"{(\w+)", route.path):
                path = re.sub(rf"{{{name}(:\w+)?}}", value if name in wanted else "x", path)
            form: dict[str, Any] = dict.fromkeys(wanted, value) | {"csrf": token}
            for method in methods(route):
                asked = {"params": form} if method == "GET" else {"data": form}
                answer: Any = browser.http.request(method, path, **asked)  # type: ignore[arg-type]
                status = answer.status_code
                assert status == 422 or (status == 401 and path.startswith("/gateway/")), (method, path, status)
                seen += 1
    assert seen > 60


def _may(route: APIRoute, role: Role) -> bool:
    from server.auth.roles import PERMISSIONS

    permission = permission_of(route)
    return permission is None or permission in PERMISSIONS[role]


@pytest.mark.parametrize("role", list(Role))
def test_no_value_makes_a_fault(app: FastAPI, province: Province, role: Role) -> None:
    """Every parameter of every route that the role may use, and every form with fields that fit nothing. The first role
    that may use a route tries all of the values, the others two."""
    browser = Browser(app)
    browser.log_in(province.users[role])
    token = browser.token("/account")
    for route in routes(app):
        if not _may(route, role):
            continue
        fields = [field.alias for field in (*route.dependant.query_params, *route.dependant.body_params)]
        first = next((other for other in Role if _may(route, other)), role) is role
        for value in BAD if first else BAD[3:5]:
            path = re.sub(r"{(\w+)(?::\w+)?}", value[:200] or "%00", route.path)
            for method in methods(route):
                if method == "GET":
                    answer = browser.get(path, params=dict.fromkeys(fields, value))
                else:
                    form = {**dict.fromkeys([*fields, "round", "agency", "group", "q_A1"], value), "csrf": token}
                    answer = browser.http.request(method, path, data=form)
                assert answer.status_code < 500, (method, path, answer.status_code)


@pytest.mark.parametrize("period", PERIODS)
def test_a_period_that_is_none_is_422(app: FastAPI, province: Province, period: str) -> None:
    browser = Browser(app)
    browser.log_in(province.users[Role.ANALYST])
    for route in routes(app):
        if "GET" in methods(route) and any(field.alias == "period" for field in route.dependant.query_params):
            if "{" in route.path and "{code}" not in route.path:
                continue
            path = route.path.replace("{dimension}", "service_group").replace("{code}", "aaa-a")
            assert browser.get(path, params={"period": period}).status_code == 422, path


def test_the_status_of_every_error() -> None:
    wanted = {NotFoundError: 404, ConflictError: 409, InvalidError: 422, ForbiddenError: 403, StoreError: 503}
    assert {kind: kind.status for kind in wanted} == wanted
    assert HailongError.status == 400


def test_a_fault_is_told_without_a_traceback(app: FastAPI, province: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    import server.home.overview_page as page
    import server.scores.api as api

    def fails(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(page, "asked_period", fails)
    monkeypatch.setattr(api, "asked_period", fails)
    browser = Browser(app)
    browser.http = type(browser.http)(app, follow_redirects=False, raise_server_exceptions=False)
    browser.log_in(province.users[Role.ANALYST])
    answer = browser.get("/")
    assert answer.status_code == 500
    assert "Máy chủ gặp lỗi" in answer.text
    assert answer.headers["content-security-policy"]
    for text in (answer.text, browser.get("/?lang=en").text, browser.get("/api/v1/scores").text):
        assert "secret of the inside" not in text
        assert "Traceback" not in text
