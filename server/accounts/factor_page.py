"""One's own second factor: set up by a QR code, recovery codes, taken away."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import segno
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from pipeline.errors import ForbiddenError, InvalidError, RequestError
from server.accounts.session_page import account_form, too_many
from server.auth.factors import (
    WRONG_CODE,
    begin_factor,
    confirm_factor,
    new_recovery_codes,
    pending_secret,
    remove_factor,
    take_code,
    uri,
)
from server.auth.roles import User
from server.auth.users import close_sessions, require_password
from server.core.limits import wait_for_all
from server.store.engine import read, write
from server.web.context import (
    SESSION_COOKIE,
    LogInNeededError,
    current_user,
    error_text,
    limits_of_log_in,
    render,
    web,
)
from server.web.cookies import cookie
from server.web.middleware import read_session

router = APIRouter(include_in_schema=False)
Code = Annotated[str, Form(max_length=60)]


def _owner(request: Request) -> User:
    user = current_user(request)
    if user is None or user.user_id is None:
        raise LogInNeededError
    return user


def _count_guess(request: Request, user: User) -> None:
    """A page that is left open is no place to guess at, either. Raises `ForbiddenError`."""
    wait_s = wait_for_all(*limits_of_log_in(request, user.name))
    if wait_s > 0:
        raise ForbiddenError(too_many(wait_s))


def _forget_guesses(request: Request, user: User) -> None:
    (by_address, address), (here, name_here), (by_name, name) = limits_of_log_in(request, user.name)
    here.forget(name_here)
    by_name.take_back(name)
    by_address.take_back(address)


def _set_up_page(request: Request, user: User, secret: bytes, status: int = 200, problem: str = "") -> Response:
    key = base64.b32encode(secret).decode()
    qr = segno.make(uri(secret, user.name, "Hài Lòng"), error="m").svg_data_uri(scale=4, border=2)
    groups = " ".join(key[at : at + 4] for at in range(0, len(key), 4))
    return render(request, "account_factor.html", status, qr=qr, key=groups, problem=problem)


@router.post("/account/factor")
def begin(request: Request, password: Annotated[str, Form(max_length=400)] = "") -> Response:
    """Begin: a new key, shown to whoever knows the password as well, if there is one."""
    user, state = _owner(request), web(request)
    try:
        _count_guess(request, user)
        with read(state.engine) as connection:
            require_password(connection, user, password)
        _forget_guesses(request, user)
        with write(state.engine) as connection:
            secret = begin_factor(connection, user, state.factor_key)
    except RequestError as error:
        return account_form(request, error.status, error_text(request, error))
    return _set_up_page(request, user, secret)


@router.post("/account/factor/confirm")
def confirm(request: Request, code: Code) -> Response:
    """Put it into force with a first code; every other session of this user ends."""
    user, state = _owner(request), web(request)
    try:
        with write(state.engine) as connection:
            codes = confirm_factor(connection, user, code, state.factor_key)
            here = read_session(state.secret, cookie(request, state.config, SESSION_COOKIE)) or ""
            close_sessions(connection, user.province_id, user.user_id or 0, but=here)
    except RequestError as error:
        with read(state.engine) as connection:
            secret = pending_secret(connection, user, state.factor_key)
        words = error_text(request, error)
        if secret is None:
            return account_form(request, error.status, words)
        return _set_up_page(request, user, secret, error.status, words)
    return render(request, "account_codes.html", codes=codes)


@router.post("/account/factor/change")
def change(request: Request, code: Code, what: Annotated[Literal["codes", "remove"], Form()]) -> Response:
    """New recovery codes, or no factor any more: for whoever shows a code."""
    user, state = _owner(request), web(request)
    try:
        _count_guess(request, user)
        with write(state.engine) as connection:
            if not take_code(connection, user.province_id, user.user_id or 0, code, state.factor_key):
                raise InvalidError(WRONG_CODE)
            codes = new_recovery_codes(connection, user) if what == "codes" else []
            if what == "remove":
                remove_factor(connection, user)
        _forget_guesses(request, user)
    except RequestError as error:
        return account_form(request, error.status, error_text(request, error))
    if codes:
        return render(request, "account_codes.html", codes=codes)
    return RedirectResponse("/account", 303)
