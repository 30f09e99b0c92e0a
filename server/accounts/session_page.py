"""Log-in, log-out and one's own account."""

from __future__ import annotations

import functools
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from pipeline.calendar import day_words
from pipeline.errors import RequestError
from pipeline.language import Message
from server.auth.access_log import log_failed_log_in
from server.auth.passwords import password_fits, stand_in_hash
from server.auth.users import change_password, close_session, open_session, password_resets, session_user
from server.core.limits import network, wait_for_all
from server.store.engine import read, write
from server.store.tables.users import users
from server.web.context import SESSION_COOKIE, LogInNeededError, current_user, error_text, render, web
from server.web.middleware import read_session, sign_session
from server.web.navigation import home_path

router = APIRouter(include_in_schema=False)
_stand_in = functools.cache(stand_in_hash)


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
    address = network(request.client.host) if request.client else "?"
    name = name.strip().lower()
    here = f"{name} {address}"
    limits = (state.log_in_by_address, address), (state.log_in_here, here), (state.log_in_by_name, name)
    wait_s = wait_for_all(*limits)
    if wait_s > 0:
        minutes = int(wait_s // 60) + 1
        problem = Message("Too many attempts. Wait {minutes} minutes.", minutes=minutes)
        return render(
            request,
            "log_in.html",
            429,
            problem=problem,
            name=name,
            after=local_path(after),
        )
    with read(state.engine) as connection:
        row = connection.execute(users.select().where(users.c.name == name)).first()
    fits = password_fits(row.password_hash if row else _stand_in(), password)
    if row is None or not fits or not row.active:
        with write(state.engine) as connection:
            log_failed_log_in(connection, name)
        problem = Message("The name or the password does not fit.")
        return render(
            request,
            "log_in.html",
            401,
            problem=problem,
            name=name,
            after=local_path(after),
        )
    state.log_in_here.forget(here)
    state.log_in_by_name.take_back(name)
    state.log_in_by_address.take_back(address)
    hours = state.config.web.session_hours
    with write(state.engine) as connection:
        token = open_session(connection, row.province_id, row.id, hours * 3600)
        home = home_path(session_user(connection, token))
    onward = home if local_path(after) == "/" else local_path(after)
    response = RedirectResponse("/account" if row.must_change_password else onward, 303)
    response.set_cookie(
        SESSION_COOKIE,
        sign_session(state.secret, token),
        max_age=hours * 3600,
        httponly=True,
        samesite="lax",
        secure=state.config.web.secure_cookies,
    )
    return response


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


def _account(request: Request, status: int = 200, problem: str = "") -> Response:
    user = current_user(request)
    if user is None or user.user_id is None:
        raise LogInNeededError
    with read(web(request).engine) as connection:
        resets = password_resets(connection, user.province_id, user.user_id)
    return render(
        request,
        "account.html",
        status,
        problem=problem,
        resets=resets,
        day_words=day_words,
    )


@router.get("/account")
def account_page(request: Request) -> Response:
    """One's own account."""
    return _account(request)


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
        return _account(request, error.status, error_text(request, error))
    response = RedirectResponse("/log-in", 303)
    response.delete_cookie(SESSION_COOKIE)
    return response
