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
from pipeline.errors import ForbiddenError, ProviderError, RequestError
from pipeline.language import Message
from server.auth.access_log import log_failed_log_in
from server.auth.devices import PLACES
from server.auth.factors import WRONG_CODE, has_factor, recovery_codes_left, take_code, wrong_codes
from server.auth.passwords import password_fits, stand_in_hash
from server.auth.provider_accounts import linked_users, may_use_password
from server.auth.users import (
    BY_PASSWORD,
    NO_PASSWORD,
    Began,
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
from server.web.cookies import cookie, drop_cookie, keep_cookie
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


def count_guess(request: Request, name: str) -> None:
    """A page that is left open is no place to guess at, either. Raises `ForbiddenError`."""
    wait_s = wait_for_all(*limits_of_log_in(request, name))
    if wait_s > 0:
        raise ForbiddenError(too_many(wait_s))


def forget_guesses(request: Request, name: str) -> None:
    """After one that fitted."""
    _forget(limits_of_log_in(request, name))


@router.get("/log-in")
def log_in_page(request: Request, after: str = "/", changed: bool = False) -> Response:
    """The log-in form. `changed`: to whoever has just changed the password, and comes here for it."""
    return log_in_form(request, 200, "", after=after, changed=changed)


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
        return log_in_form(request, 429, too_many(wait_s), name, after)
    with read(state.engine) as connection:
        row = connection.execute(users.select().where(users.c.name == name)).first()
        asks_code = row is not None and has_factor(connection, row.province_id, row.id)
        may = row is not None and may_use_password(connection, state.config.oidc, row.province_id, row.id)
    hashed = row.password_hash if row and row.password_hash != NO_PASSWORD else _stand_in()
    fits = password_fits(hashed, password)
    if row is None or not fits or not may or not row.active:
        with write(state.engine) as connection:
            log_failed_log_in(connection, name, "/log-in")
        return log_in_form(request, 401, Message("The name or the password does not fit."), name, after)
    if asks_code:  # the guess stays counted until the code fits, or a known password would allow any number of codes
        return code_form(request, 200, "", [row.id, mark_of(row), ""], after)
    _forget(limits)
    return let_in(request, row, after)


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
        shown = _of_ticket(request, connection, ticket)
    if shown is None:
        return log_in_form(request, 401, Message("That took too long: begin again."), after=after)
    row, began = shown
    limits = limits_of_log_in(request, row.name)
    wait_s = wait_for_all(*limits)
    if wait_s > 0:
        return code_form(request, 429, too_many(wait_s), ticket, after)
    status = 401
    refused: Message | str = WRONG_CODE
    with write(state.engine) as connection:
        try:
            fits = take_code(connection, row.province_id, row.id, code, state.factor_key)
        except ForbiddenError as error:
            fits, status, refused = False, 429, error.said
        if not fits:
            log_failed_log_in(connection, row.name, "/log-in/code")
    if not fits:
        return code_form(request, status, refused, ticket, after)
    _forget(limits)
    return let_in(request, row, after, began, code_shown=True)


def _forget(limits: Limits) -> None:
    """The guesses, after one that fitted."""
    (by_address, its_address), (here, name_here), (by_name, name) = limits
    here.forget(name_here)
    by_name.take_back(name)
    by_address.take_back(its_address)


def let_in(
    request: Request, row: Row[Any], after: str, began: Began = BY_PASSWORD, *, code_shown: bool = False
) -> Response:
    """Open a new session, whatever cookie the browser brought; unless the user (`row`, as it was read before the
    password was looked at) has been shut out, or got another password or a second factor since: what ends the sessions
    of before ends those that are about to begin, too."""
    state = web(request)
    hours = state.config.web.session_hours
    with write(state.engine) as connection:
        now = connection.execute(users.select().where(users.c.id == row.id).with_for_update(read=True)).first()
        skips_code = not (code_shown or began.factor_shown) and has_factor(connection, row.province_id, row.id)
        if now is None or not now.active or mark_of(now) != mark_of(row) or skips_code:
            return log_in_form(request, 401, Message("That took too long: begin again."), after=after)
        brought = read_session(state.secret, cookie(request, state.config, SESSION_COOKIE))
        if brought:
            close_session(connection, brought)
        address = request.client.host if request.client else ""
        said = request.headers.get("user-agent", "")
        life_s = hours * 3600
        token = open_session(connection, row.province_id, row.id, life_s, address=address, user_agent=said, began=began)
        user = session_user(connection, token)
    unfinished = user is None or user.must_change_password or user.must_set_factor
    onward = home_path(user) if local_path(after) == "/" else local_path(after)
    response = RedirectResponse("/account" if unfinished else onward, 303)
    keep_cookie(response, state.config, SESSION_COOKIE, sign_session(state.secret, token), max_age_s=hours * 3600)
    return response


def log_in_form(
    request: Request, status: int, problem: Message | str, name: str = "", after: str = "/", changed: bool = False
) -> Response:
    """The log-in page, with what went wrong."""
    provider = web(request).config.oidc.shown_name
    values = {"problem": problem, "name": name, "after": local_path(after), "provider": provider, "changed": changed}
    return render(request, "log_in.html", status, **values)


def code_form(
    request: Request, status: int, problem: Message | str, ticket: str | list[object], after: str
) -> Response:
    """The page of the second factor's code. `ticket`: what an earlier page held, or what it is made of: user,
    `mark_of`, and the provider's session where there is one."""
    signed = ticket if isinstance(ticket, str) else _ticket(request).dumps(ticket)
    return render(request, "log_in_code.html", status, problem=problem, ticket=signed, after=local_path(after))


def _ticket(request: Request) -> URLSafeTimedSerializer:
    """Signs that this browser has shown a user's password, or has come back from the provider as this user."""
    return URLSafeTimedSerializer(web(request).secret, f"second factor {request.scope.get('hailong.browser', '')}")


def _of_ticket(request: Request, connection: Connection, ticket: str) -> tuple[Row[Any], Began] | None:
    """The user whose password was shown in the last minutes, and is still the same; and how the session begins."""
    try:
        user_id, mark, provider_session = _ticket(request).loads(ticket, max_age=TICKET_S)
    except BadSignature:
        return None
    row = connection.execute(users.select().where(users.c.id == user_id, users.c.active)).first()
    return (row, Began(provider_session)) if row is not None and mark_of(row) == mark else None


def mark_of(row: Row[Any]) -> str:
    """Changes with the user's password."""
    return hashlib.sha256(row.password_hash.encode()).hexdigest()[:16]


@router.post("/log-out")
def log_out(request: Request) -> Response:
    """Close this session, and go on to the provider's where it began there."""
    state = web(request)
    token = read_session(state.secret, cookie(request, state.config, SESSION_COOKIE))
    response: Response = RedirectResponse("/log-in", 303)
    if token:
        with write(state.engine) as connection:
            by_provider = close_session(connection, token)
        if by_provider and state.provider is not None:
            try:
                place = state.provider.log_out_address()
            except ProviderError:
                place = ""
            response = leave(request, place) if place else response
    drop_cookie(response, web(request).config, SESSION_COOKIE)
    return response


def leave(request: Request, place: str) -> Response:
    """A page that leads to the provider by itself: our forms may send nothing elsewhere, not by a redirect either."""
    return render(request, "leave.html", place=place, provider=web(request).config.oidc.shown_name)


def account_form(request: Request, status: int = 200, problem: str = "") -> Response:
    user = current_user(request)
    if user is None or user.user_id is None:
        raise LogInNeededError
    with read(web(request).engine) as connection:
        told = resets(connection, user.province_id, user.user_id)
        factor = has_factor(connection, user.province_id, user.user_id)
        codes_left = recovery_codes_left(connection, user)
        wrong = wrong_codes(connection, user)
        here = read_session(web(request).secret, cookie(request, web(request).config, SESSION_COOKIE)) or ""
        mine = open_sessions(connection, user, here)
        linked = linked_users(connection, user.scope).get(user.user_id)
        own = connection.execute(users.select().where(users.c.id == user.user_id)).one()
    return render(
        request,
        "account.html",
        status,
        problem=problem,
        resets=told,
        factor=factor,
        codes_left=codes_left,
        wrong=wrong,
        provider=web(request).config.oidc.shown_name,
        linked=linked,
        has_password=own.password_hash != NO_PASSWORD,
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
        count_guess(request, user.name)
        with write(web(request).engine) as connection:
            change_password(connection, user, old, new)
        forget_guesses(request, user.name)
    except RequestError as error:
        return account_form(request, error.status, error_text(request, error))
    response = RedirectResponse("/log-in?changed=true", 303)
    drop_cookie(response, web(request).config, SESSION_COOKIE)
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
