"""The web application: one place that puts routers, middleware and error pages together."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from pipeline.bad_values import words_of
from pipeline.errors import ConflictError, HailongError
from pipeline.instruments import use_folder
from pipeline.language import Joined, Message, in_language, is_spoken
from server.auth.provider import provider_of
from server.channels.gateway.sealed_keys import seal_open_keys
from server.channels.pages import CITIZENS, FORMS, NO_FORM
from server.core.config import ServerConfig
from server.core.limits import RateLimiter
from server.core.long_work import LongWork
from server.core.secret_keys import COOKIE_KEY, FACTOR_KEY, GATEWAY_KEY, RECEIPT_KEY, SHEET_KEY, read_secret
from server.ratings.origins import seal_open_origins
from server.store.engine import is_taken
from server.web.bodies import BodyGuard, refuse_other_parts
from server.web.confirm import AskFirst
from server.web.context import (
    AccountUnfinishedError,
    LogInNeededError,
    WebState,
    check_csrf,
    error_text,
    language,
    make_templates,
    render,
)
from server.web.middleware import HEADERS, WebMiddleware
from server.web.packing import Packing
from server.web.refill import Mistake, form_again

ROUTERS = (
    "server.accounts.session_page",
    "server.accounts.factor_page",
    "server.accounts.provider_page",
    "server.home.overview_page",
    "server.home.screen_page",
    "server.scores.agency_page",
    "server.scores.reasons_page",
    "server.scores.comments_page",
    "server.scores.compare_page",
    "server.scores.heat_page",
    "server.scores.place_page",
    "server.boxes.page",
    "server.boxes.updates_page",
    "server.scores.before_after",
    "server.alerts.page",
    "server.scores.analysis_page",
    "server.catalogue.page",
    "server.accounts.users_page",
    "server.accounts.settings_page",
    "server.retention.page",
    "server.rights.page",
    "server.scores.api",
    "server.channels.online.page",
    "server.channels.online.receipts_page",
    "server.channels.gateway.page",
    "server.feedback.page",
    "server.scores.figure_files",
    "server.web.table_files",
    "server.scores.index_page",
    "server.scores.questions_page",
    "server.scores.raked_page",
    "server.scores.bridge_page",
    "server.indicators.page",
    "server.reports.page",
    "server.instruments.page",
    "server.channels.rounds_page",
    "server.channels.paper.page",
    "server.ratings.review_page",
    "server.sampling.households_page",
    "server.sampling.page",
    "server.imports.page",
    "server.ratings.exports",
)
"""Modules with a `router`, in the order in which their paths are tried."""

MAX_BODY_BYTES = 1 << 20
"""A request larger than that is refused, unless its route says more: only the import of files does."""
STATIC = Path(__file__).parent / "web" / "static"


def create_app(engine: Engine, config: ServerConfig) -> FastAPI:
    """The application on a store that has the newest schema."""
    use_folder(config.data_dir / "instruments")
    app = FastAPI(
        title="Hài Lòng",
        version="1",
        description="Scores of agencies from explicit ratings and anonymous implicit signals. "
        "Every answer stays within the caller's province.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        dependencies=[Depends(check_csrf)],
        max_body_size=MAX_BODY_BYTES,
    )
    state = WebState(
        engine=engine,
        config=config,
        secret=read_secret(config, COOKIE_KEY),
        receipt_key=read_secret(config, RECEIPT_KEY),
        gateway_key=read_secret(config, GATEWAY_KEY),
        factor_key=read_secret(config, FACTOR_KEY),
        sheet_key=read_secret(config, SHEET_KEY),
        templates=make_templates(),
        log_in_here=RateLimiter(5, 900.0),
        log_in_by_name=RateLimiter(50, 900.0),
        log_in_by_address=RateLimiter(30, 900.0),
        ended_by_address=RateLimiter(300, 60.0),
        long_work=LongWork(),
        provider=provider_of(config),
    )
    app.state.web = state
    seal_open_keys(engine, lambda: state.gateway_key)
    seal_open_origins(engine, lambda: state.sheet_key)
    for name in ROUTERS:
        app.include_router(importlib.import_module(name).router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    refuse_other_parts()
    app.add_middleware(Packing)
    app.add_middleware(BodyGuard)
    app.add_middleware(WebMiddleware, state=state)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(config.web.trusted_proxies))
    _add_error_pages(app)
    return app


_STATUS_WORDS = {
    404: Message("There is no such page."),
    405: Message("This page does not take that."),
    408: Message("What was sent took too long to arrive. Try again."),
    413: Message("What was sent is too large."),
}
_OTHER_STATUS = Message("This request could not be carried out.")
_FAULT = Message("The server made a mistake; nothing was changed. The administrator finds it in the log.")
_MET = (
    Message("Somebody stored the same at the same moment; nothing was changed by this."),
    Message("Load the page again."),
)


def _place(problem: Mapping[str, Any]) -> str:
    """The field that one problem of a request is about."""
    return ".".join(str(part) for part in problem["loc"][1:])


async def _refused(request: Request, status: int, detail: str, mistakes: Sequence[Mistake] = ()) -> Response:
    """The form again, with what was typed in it, or the page of errors."""
    again = await form_again(request, status, mistakes or [("", detail)])
    return await run_in_threadpool(_error_page, request, status, detail) if again is None else again


def _error_page(request: Request, status: int, detail: str) -> Response:
    """An error for whoever asked: to a citizen in the citizen's frame, without the staff's menu and log-in."""
    path = request.url.path
    if path.startswith(CITIZENS):
        lost = status == HTTPStatus.NOT_FOUND
        detail = in_language(NO_FORM, language(request)) if lost and path.startswith(FORMS) else detail
        begins = next(one for one in CITIZENS if path.startswith(one))
        values = {
            "gone": detail,
            "lost": begins if lost else "",
            "embed": begins == "/embed/",
            "simulated_survey": False,
        }
        return render(request, "survey_gone.html", status, **values)
    return render(request, "error.html", status, status_code=status, detail=detail)


def _wants_json(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/gateway/"))


def _add_error_pages(app: FastAPI) -> None:
    @app.exception_handler(LogInNeededError)
    def log_in_needed(request: Request, _error: LogInNeededError) -> Response:
        if _wants_json(request):
            return JSONResponse({"error": "log-in needed"}, 401)
        after = request.url.path if request.method == "GET" else "/"
        return RedirectResponse(f"/log-in?after={after}", 303)

    @app.exception_handler(AccountUnfinishedError)
    def account_unfinished(request: Request, error: AccountUnfinishedError) -> Response:
        if _wants_json(request):
            return JSONResponse({"error": str(error)}, 403)
        return RedirectResponse("/account", 303)

    @app.exception_handler(AskFirst)
    def ask_first(request: Request, asked: AskFirst) -> Response:
        return render(request, "confirm.html", asked=asked)

    @app.exception_handler(StarletteHTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if _wants_json(request):
            return JSONResponse({"error": error.detail}, error.status_code)
        words = error.detail
        if not is_spoken(words):
            words = _STATUS_WORDS.get(error.status_code, _OTHER_STATUS)
        return await _refused(request, error.status_code, in_language(words, language(request)))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, _error: ClientDisconnect) -> Response:
        """Whoever sent half a body and then nothing has gone, or is told so: no fault of ours."""
        return await http_error(request, HTTPException(HTTPStatus.REQUEST_TIMEOUT))

    @app.exception_handler(IntegrityError)
    async def met(request: Request, error: IntegrityError) -> Response:
        """Two who store the same at one moment: the second is told so. Anything else that a constraint refuses is a
        fault of ours."""
        if not is_taken(error):
            raise error
        return await our_error(request, ConflictError(*_MET))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        mistakes = [(_place(problem), words_of(problem)) for problem in error.errors()]
        found = Joined(Joined((place, words), ": ") for place, words in mistakes)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if _wants_json(request):
            return JSONResponse({"error": found}, status)
        return await _refused(request, int(status), in_language(found, language(request)), mistakes)

    @app.exception_handler(Exception)
    def fault(request: Request, _error: Exception) -> Response:
        """A fault of ours: told in a sentence here, with its traceback in the server's own log."""
        if _wants_json(request):
            return JSONResponse({"error": "internal error"}, 500, HEADERS)
        detail = in_language(_FAULT, language(request))
        page = _error_page(request, 500, detail)
        page.headers.update(HEADERS)  # this answer comes from outside the middleware that sets them
        return page

    @app.exception_handler(HailongError)
    async def our_error(request: Request, error: HailongError) -> Response:
        status = error.status
        if _wants_json(request):
            return JSONResponse({"error": str(error)}, status)
        return await _refused(request, status, error_text(request, error))
