"""Log-in by a provider (OpenID Connect): the way there, the way back, linking one's own account, one log-out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from pipeline.calendar import now_s
from pipeline.errors import ForbiddenError, NotFoundError, ProviderError, RequestError
from pipeline.language import Message, in_language
from server.accounts.session_page import (
    account_form,
    code_form,
    leave,
    let_in,
    local_path,
    log_in_form,
    mark_of,
    too_many,
)
from server.auth.access_log import log_failed_log_in
from server.auth.factors import has_factor
from server.auth.provider import Attempt, Provider, Verified, new_attempt
from server.auth.provider_accounts import account_of, end_sessions, link, shows_factor, shut_out, unlink
from server.auth.users import Began, require_password, user_name
from server.core.limits import network, wait_for_all
from server.core.sealed import seal, unseal
from server.store.engine import read, write
from server.web.confirm import AskFirst, Sure
from server.web.context import (
    LogInNeededError,
    RowId,
    UserManager,
    back,
    current_user,
    engine_of,
    error_text,
    language,
    limits_of_log_in,
    no_csrf,
    web,
)
from server.web.cookies import cookie, drop_cookie, keep_cookie

router = APIRouter(include_in_schema=False)
ATTEMPT_COOKIE = "hl_attempt"
ATTEMPT_S = 600
_PATH = "/log-in/provider"
_DENIED = Message("The log-in service has let nobody in.")
_GONE = Message("That took too long, or was begun in another browser: begin again.")
Short = Annotated[str, Query(max_length=2_000)]


def _provider(request: Request) -> Provider:
    """Raises `NotFoundError` where there is none."""
    provider = web(request).provider
    if provider is None:
        raise NotFoundError(Message("This server has no log-in service."))
    return provider


@router.get(_PATH)
def go(request: Request, after: Short = "/") -> Response:
    """To the provider, with a state, a nonce and a challenge of this browser's own."""
    attempt = new_attempt(local_path(after))
    try:
        response = RedirectResponse(_provider(request).log_in_address(attempt), 303)
    except ProviderError as error:
        return log_in_form(request, error.status, error_text(request, error), after=after)
    _keep(request, response, attempt)
    return response


@router.get(f"{_PATH}/done")
def come_back(
    request: Request, code: Short = "", state: Short = "", iss: Short | None = None, error: Short = ""
) -> Response:
    """Back from the provider. Whatever the address says, what is shown is ours."""
    attempt = _kept(request)
    if attempt is None:
        answer = log_in_form(request, 401, _GONE)
    elif error or not code:
        answer = _denied(request, attempt)
    else:
        answer = _finish(request, attempt, code, state, iss)
    drop_cookie(answer, web(request).config, ATTEMPT_COOKIE)
    return answer


def _denied(request: Request, attempt: Attempt) -> Response:
    if attempt.link_user and current_user(request) is not None:
        return account_form(request, 401, in_language(_DENIED, language(request)))
    return log_in_form(request, 401, _DENIED, after=attempt.after)


def _finish(request: Request, attempt: Attempt, code: str, state: str, issuer: str | None) -> Response:
    state_of, provider = web(request), _provider(request)
    limit = (state_of.log_in_by_address, network(request.client.host) if request.client else "?")
    wait_s = wait_for_all(limit)
    if wait_s > 0:
        return log_in_form(request, 429, too_many(wait_s))
    try:
        verified = provider.finish(attempt, code=code, state=state, issuer=issuer)
        answer = _link(request, attempt, verified) if attempt.link_user else _enter(request, attempt, verified)
    except (ProviderError, RequestError) as error:
        words = error_text(request, error)
        if attempt.link_user and current_user(request) is not None:
            return account_form(request, error.status, words)
        return log_in_form(request, error.status, words, after=attempt.after)
    limit[0].take_back(limit[1])
    return answer


def _enter(request: Request, attempt: Attempt, verified: Verified) -> Response:
    """A session, or first the code of our own second factor where the provider showed none."""
    state = web(request)
    began = Began(verified.session_hash, shows_factor(state.config.oidc, verified.claims))
    try:
        with write(state.engine) as connection:
            row = account_of(connection, state.config.oidc, verified)
    except ForbiddenError:  # who has no role any more has none in the sessions that are open, either
        with write(state.engine) as connection:
            shut_out(connection, state.config.oidc, verified)
        raise
    with read(state.engine) as connection:
        asks_code = not began.factor_shown and has_factor(connection, row.province_id, row.id)
    if not asks_code:
        return let_in(request, row, attempt.after, began)
    wait_s = wait_for_all(*limits_of_log_in(request, row.name))  # as after a password: a known one allows no more codes
    if wait_s > 0:
        with write(state.engine) as connection:
            log_failed_log_in(connection, row.name, f"{_PATH}/done")
        return log_in_form(request, 429, too_many(wait_s))
    return code_form(request, 200, "", [row.id, mark_of(row), began.provider_session], attempt.after)


def _link(request: Request, attempt: Attempt, verified: Verified) -> Response:
    user = current_user(request)
    if user is None or user.user_id != attempt.link_user:
        raise ForbiddenError(_GONE)
    with write(engine_of(request)) as connection:
        link(connection, web(request).config.oidc, user, verified)
    return back("/account", in_language(Message("The account is linked."), language(request)))


@router.post("/account/provider")
def begin_link(request: Request, password: Annotated[str, Form(max_length=400)] = "") -> Response:
    """Begin to link the own account: for whoever knows its password, and logs in at the provider anew."""
    user, state = current_user(request), web(request)
    if user is None or user.user_id is None:
        raise LogInNeededError
    limits = limits_of_log_in(request, user.name)
    try:
        wait_s = wait_for_all(*limits)
        if wait_s > 0:
            raise ForbiddenError(too_many(wait_s))
        with read(state.engine) as connection:
            require_password(connection, user, password)
        for limiter, key in limits:
            limiter.take_back(key)
        attempt = new_attempt("/account", user.user_id)
        response = leave(request, _provider(request).log_in_address(attempt))
    except (ProviderError, RequestError) as error:
        return account_form(request, error.status, error_text(request, error))
    _keep(request, response, attempt)
    return response


@router.post("/users/{user_id}/provider")
def take_link_away(request: Request, user: UserManager, user_id: RowId, sure: Sure = False) -> Response:
    """Take away the link of somebody who logs in by the provider."""
    with write(engine_of(request)) as connection:
        unlink(connection, user.province_id, user_id, by=user.user_id)
        if not sure:
            raise AskFirst(
                Message(
                    "Take the link of {name} with the log-in service away?",
                    name=user_name(connection, user.scope, user_id),
                ),
                then=Message(
                    "Whoever is logged in under this name is logged out, and can link it again with its password."
                ),
                yes=Message("Take the link away"),
                back="/users",
            )
    return RedirectResponse("/users", 303)


@router.post(f"{_PATH}/ended")
@no_csrf
def ended(request: Request, logout_token: Annotated[str, Form(max_length=16_384)]) -> Response:
    """The provider tells that a session, or all of a person, has ended there (Back-Channel Logout 1.0)."""
    state = web(request)
    address = network(request.client.host) if request.client else "?"
    if not state.ended_by_address.allow(address):
        return PlainTextResponse("too many", 429)
    try:
        what = _provider(request).ended(logout_token)
    except ProviderError:
        return PlainTextResponse("refused", 400)
    with write(state.engine) as connection:
        end_sessions(connection, what)
    return PlainTextResponse("")


def _key(request: Request) -> bytes:
    return hashlib.sha256(b"log-in attempts" + web(request).secret).digest()


def _keep(request: Request, response: Response, attempt: Attempt) -> None:
    """The attempt, sealed for this browser, for some minutes."""
    state = web(request)
    owner = f"attempt {request.scope.get('hailong.browser', '')}"
    sealed = seal(json.dumps({**asdict(attempt), "until_s": now_s() + ATTEMPT_S}).encode(), owner, _key(request))
    keep_cookie(response, state.config, ATTEMPT_COOKIE, sealed, max_age_s=ATTEMPT_S)


def _kept(request: Request) -> Attempt | None:
    owner = f"attempt {request.scope.get('hailong.browser', '')}"
    raw = unseal(cookie(request, web(request).config, ATTEMPT_COOKIE) or "", owner, _key(request))
    if raw is None:
        return None
    values = json.loads(raw)
    return Attempt(**values) if values.pop("until_s") >= now_s() else None
