"""Log-in, log-out and one's own account."""

from __future__ import annotations

import functools
import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import Connection, Row

from pipeline.calendar import day_words
from pipeline.errors import RequestError
from pipeline.language import Message
from server.auth.access_log import log_failed_log_in
from server.auth.devices import PLACES
from server.auth.factors import WRONG_CODE, has_factor, recovery_codes_left, take_code
from server.auth.passwords import password_fits, stand_in_hash
from server.auth.users import (
    change_password,
    close_session,
    close_sessions,
    end_session,
    open_session,
    open_sessions,
    resets,
    session_user,
)
from server.core.limits import RateLimiter, wait_for_all
from server.store.engine import read, write
from server.store.tables.users import users
from server.web.context import (
    SESSION_COOKIE,
    LogInNeededError,
    current_user,
    error_text,
    limits_of_log_in,
    render,
    web,
)
from server.web.middleware import read_session, sign_session
from server.web.navigation import home_path

router = APIRouter(include_in_schema=False)
Limits = tuple[tuple[RateLimiter, str], ...]
TICKET_S = 300
"""So long after the password the code may come."""
_stand_in = functools.cache(stand_in_hash)


def too_many(wait_s: float) -> Message:
    """What is said to somebody who guesses too often."""
    return Message("Too many attempts. Wait {minutes} minutes.", minutes=int(wait_s // 60) + 1)


def local_path(path: str) -> str:
    """A path of this server; anything that could lead elsewhere becomes the overview."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


@router.get("/log-in")
def log_in_page(request: Request, after: str = "/") -> Response:
    """The log-in form."""
    return render(request, "log_in.html", problem="", name="", after=local_path(after))


@router.post("/log-in")
def log_in(
    request: Request,
    name: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=400)],
    after: Annotated[str, Form(max_length=400)] = "/",
) -> Response:
    """Open a session, or say only that name and password do not fit.

    Limited by network, by name from one network, and, much later, by name from anywhere: a stranger who guesses does
    not shut the name's owner out."""
    state = web(request)
    name = name.strip().lower()
    limits = limits_of_log_in(request, name)
    wait_s = wait_for_all(*limits)
    if wait_s > 0:
        return _form(request, 429, too_many(wait_s), name, after)
    with read(state.engine) as connection:
        row = connection.execute(users.select().where(users.c.name == name)).first()
        asks_code = row is not None and has_factor(connection, row.province_id, row.id)
    fits = password_fits(row.password_hash if row else _stand_in(), password)
    if row is None or not fits or not row.active:
        with write(state.engine) as connection:
            log_failed_log_in(connection, name, "/log-in")
        return _form(request, 401, Message("The name or the password does not fit."), name, after)
    if asks_code:  # the guess stays counted until the code fits, or a known password would allow any number of codes
        return _code_form(request, 200, "", _ticket(request).dumps([row.id, _mark(row)]), after)
    return _let_in(request, row, limits, after)


@router.post("/log-in/code")
def log_in_code(
    request: Request,
    ticket: Annotated[str, Form(max_length=400)],
    code: Annotated[str, Form(max_length=60)],
    after: Annotated[str, Form(max_length=400)] = "/",
) -> Response:
    """The second half of a log-in: a code of the telephone, or a recovery code. Counted as guesses at passwords are."""
    state = web(request)
    with read(state.engine) as connection:
        row = _of_ticket(request, connection, ticket)
    if row is None:
        return _form(request, 401, Message("That took too long: begin again."), "", after)
    limits = limits_of_log_in(request, row.name)
    wait_s = wait_for_all(*limits)
    if wait_s > 0:
        return _code_form(request, 429, too_many(wait_s), ticket, after)
    with write(state.engine) as connection:
        fits = take_code(connection, row.province_id, row.id, code, state.factor_key)
        if not fits:
            log_failed_log_in(connection, row.name, "/log-in/code")
    if not fits:
        return _code_form(request, 401, WRONG_CODE, ticket, after)
    return _let_in(request, row, limits, after)


def _let_in(request: Request, row: Row[Any], limits: Limits, after: str) -> Response:
    """Open a new session, whatever cookie the browser brought, and forget the guesses."""
    state = web(request)
    (by_address, its_address), (here, name_here), (by_name, name) = limits
    here.forget(name_here)
    by_name.take_back(name)
    by_address.take_back(its_address)
    hours = state.config.web.session_hours
    with write(state.engine) as connection:
        brought = read_session(state.secret, request.cookies.get(SESSION_COOKIE))
        if brought:
            close_session(connection, brought)
        address = request.client.host if request.client else ""
        said = request.headers.get("user-agent", "")
        token = open_session(connection, row.province_id, row.id, hours * 3600, address=address, user_agent=said)
        user = session_user(connection, token)
    unfinished = user is None or user.must_change_password or user.must_set_factor
    onward = home_path(user) if local_path(after) == "/" else local_path(after)
    response = RedirectResponse("/account" if unfinished else onward, 303)
    response.set_cookie(
        SESSION_COOKIE,
        sign_session(state.secret, token),
        max_age=hours * 3600,
        httponly=True,
        samesite="lax",
        secure=state.config.web.secure_cookies,
    )
    return response


def _form(request: Request, status: int, problem: Message, name: str, after: str) -> Response:
    return render(request, "log_in.html", status, problem=problem, name=name, after=local_path(after))


def _code_form(request: Request, status: int, problem: Message | str, ticket: str, after: str) -> Response:
    return render(request, "log_in_code.html", status, problem=problem, ticket=ticket, after=local_path(after))


def _ticket(request: Request) -> URLSafeTimedSerializer:
    """Signs that this browser has shown a user's password."""
    return URLSafeTimedSerializer(web(request).secret, f"second factor {request.scope.get('hailong.browser', '')}")


def _of_ticket(request: Request, connection: Connection, ticket: str) -> Row[Any] | None:
    """The user whose password was shown in the last minutes, and is still the same."""
    try:
        user_id, mark = _ticket(request).loads(ticket, max_age=TICKET_S)
    except BadSignature:
        return None
    row = connection.execute(users.select().where(users.c.id == user_id, users.c.active)).first()
    return row if row is not None and _mark(row) == mark else None


def _mark(row: Row[Any]) -> str:
    return hashlib.sha256(row.password_hash.encode()).hexdigest()[:16]


@router.post("/log-out")
def log_out(request: Request) -> Response:
    """Close this session."""
    state = web(request)
    token = read_session(state.secret, request.cookies.get(SESSION_COOKIE))
    if token:
        with write(state.engine) as connection:
            close_session(connection, token)
    response = RedirectResponse("/log-in", 303)
    response.delete_cookie(SESSION_COOKIE)
    return response


def account_form(request: Request, status: int = 200, problem: str = "") -> Response:
    user = current_user(request)
    if user is None or user.user_id is None:
        raise LogInNeededError
    with read(web(request).engine) as connection:
        told = resets(connection, user.province_id, user.user_id)
        factor = has_factor(connection, user.province_id, user.user_id)
        codes_left = recovery_codes_left(connection, user)
        here = read_session(web(request).secret, request.cookies.get(SESSION_COOKIE)) or ""
        mine = open_sessions(connection, user, here)
    return render(
        request,
        "account.html",
        status,
        problem=problem,
        resets=told,
        factor=factor,
        codes_left=codes_left,
        sessions=mine,
        places=PLACES,
        day_words=day_words,
    )


@router.get("/account")
def account_page(request: Request) -> Response:
    """One's own account."""
    return account_form(request)


@router.post("/account")
def account(
    request: Request, old: Annotated[str, Form(max_length=400)], new: Annotated[str, Form(max_length=400)]
) -> Response:
    """Change one's own password; all sessions are closed."""
    user = current_user(request)
    if user is None or user.user_id is None:
        raise LogInNeededError
    try:
        with write(web(request).engine) as connection:
            change_password(connection, user, old, new)
    except RequestError as error:
        return account_form(request, error.status, error_text(request, error))
    response = RedirectResponse("/log-in", 303)
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.post("/account/sessions")
def end_sessions(request: Request, number: Annotated[str, Form(max_length=64)]) -> Response:
    """End one of one's own sessions, or all of them (`all`), also this one."""
    user = current_user(request)
    if user is None or user.user_id is None:
        raise LogInNeededError
    try:
        with write(web(request).engine) as connection:
            if number == "all":
                close_sessions(connection, user.province_id, user.user_id)
            else:
                end_session(connection, user, number)
    except RequestError as error:
        return account_form(request, error.status, error_text(request, error))
    return RedirectResponse("/log-in" if number == "all" else "/account", 303)
