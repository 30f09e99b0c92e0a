"""One's own second factor: set up by a QR code, recovery codes, taken away."""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated, Literal

import segno
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from pipeline.errors import InvalidError, NotFoundError, RequestError
from pipeline.language import Message
from server.accounts.session_page import account_form, count_guess, forget_guesses
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
from server.store.engine import read, write
from server.web.context import (
    SESSION_COOKIE,
    LogInNeededError,
    current_user,
    error_text,
    render,
    web,
)
from server.web.cookies import cookie
from server.web.middleware import read_session

router = APIRouter(include_in_schema=False)
Code = Annotated[str, Form(max_length=60)]
SET_UP_S = 900
"""So long after the password a key that was begun may be shown again and put into force."""


def _owner(request: Request) -> User:
    user = current_user(request)
    if user is None or user.user_id is None:
        raise LogInNeededError
    return user


def _ticket(request: Request) -> URLSafeTimedSerializer:
    """Signs that this browser has shown the password for this key."""
    return URLSafeTimedSerializer(web(request).secret, f"set up {request.scope.get('hailong.browser', '')}")


def _begun_here(request: Request, user: User, ticket: str) -> bytes:
    """The key that this browser has begun. Raises `NotFoundError`: whoever finds the page open is not shown it."""
    try:
        said = _ticket(request).loads(ticket, max_age=SET_UP_S)
    except BadSignature:
        said = None
    with read(web(request).engine) as connection:
        secret = pending_secret(connection, user, web(request).factor_key)
    if secret is None or said != [user.user_id, hashlib.sha256(secret).hexdigest()]:
        raise NotFoundError(Message("Nothing was begun that could be confirmed."), Message("Begin again."))
    return secret


def _set_up_page(request: Request, user: User, secret: bytes, status: int = 200, problem: str = "") -> Response:
    key = base64.b32encode(secret).decode()
    qr = segno.make(uri(secret, user.name, "Hài Lòng"), error="m").svg_data_uri(scale=4, border=2)
    groups = " ".join(key[at : at + 4] for at in range(0, len(key), 4))
    ticket = _ticket(request).dumps([user.user_id, hashlib.sha256(secret).hexdigest()])
    return render(request, "account_factor.html", status, qr=qr, key=groups, problem=problem, ticket=ticket)


@router.post("/account/factor")
def begin(request: Request, password: Annotated[str, Form(max_length=400)] = "") -> Response:
    """Begin: a new key, shown to whoever knows the password as well, if there is one."""
    user, state = _owner(request), web(request)
    try:
        count_guess(request, user.name)
        with read(state.engine) as connection:
            require_password(connection, user, password)
        forget_guesses(request, user.name)
        with write(state.engine) as connection:
            secret = begin_factor(connection, user, state.factor_key)
    except RequestError as error:
        return account_form(request, error.status, error_text(request, error))
    return _set_up_page(request, user, secret)


@router.post("/account/factor/confirm")
def confirm(request: Request, code: Code, ticket: Annotated[str, Form(max_length=400)] = "") -> Response:
    """Put it into force with a first code; every other session of this user ends."""
    user, state = _owner(request), web(request)
    secret = None
    try:
        secret = _begun_here(request, user, ticket)
        count_guess(request, user.name)
        with write(state.engine) as connection:
            codes = confirm_factor(connection, user, code, state.factor_key)
            if codes is not None:
                here = read_session(state.secret, cookie(request, state.config, SESSION_COOKIE)) or ""
                close_sessions(connection, user.province_id, user.user_id or 0, but=here)
        if codes is None:
            raise InvalidError(WRONG_CODE)
        forget_guesses(request, user.name)
    except RequestError as error:
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
        count_guess(request, user.name)
        codes: list[str] = []
        with write(state.engine) as connection:
            fits = take_code(connection, user.province_id, user.user_id or 0, code, state.factor_key)
            if fits and what == "codes":
                codes = new_recovery_codes(connection, user)
            elif fits:
                remove_factor(connection, user)
        if not fits:  # behind the transaction: the guess counts
            raise InvalidError(WRONG_CODE)
        forget_guesses(request, user.name)
    except RequestError as error:
        return account_form(request, error.status, error_text(request, error))
    if codes:
        return render(request, "account_codes.html", codes=codes)
    return RedirectResponse("/account", 303)
