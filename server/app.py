"""The web application: one place that puts routers, middleware and error pages together."""

from __future__ import annotations

import importlib
import os
import secrets
from http import HTTPStatus
from pathlib import Path

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy import Engine
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from pipeline.errors import HailongError, StoreError
from pipeline.instruments import use_folder
from server.auth.limits import RateLimiter
from server.config import ServerConfig
from server.middleware import WebMiddleware
from server.web import LogInNeededError, PasswordChangeNeededError, WebState, check_csrf, make_templates, render

ROUTERS = (
    "server.pages.session",
    "server.pages.dashboard",
    "server.pages.analysis",
    "server.pages.catalogue",
    "server.pages.users",
    "server.pages.settings",
    "server.pages.privacy",
    "server.pages.api",
    "server.survey.pages.online",
    "server.survey.pages.gateway",
    "server.survey.pages.feedback",
    "server.survey.pages.index",
    "server.survey.pages.rounds",
    "server.survey.pages.paper",
    "server.survey.pages.review",
    "server.survey.pages.plan",
    "server.survey.pages.uploads",
    "server.survey.pages.exports",
)
"""Modules with a `router`, in the order in which their paths are tried."""

MAX_BODY_BYTES = 200_000_000
"""A request larger than that is refused: an import of 500,000 rows is about 60 MB."""
STATIC = Path(__file__).parent / "static"


def read_secret(config: ServerConfig) -> bytes:
    """The secret that signs cookies: made at the first start, readable by its owner alone."""
    path = config.data_dir / "cookie.secret"
    if not path.exists():
        config.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return read_secret(config)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
    secret = path.read_bytes()
    if len(secret) != 32:
        raise StoreError(f"{path} is damaged.", "Delete it: everybody has to log in again, nothing else is lost.")
    return secret


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
        secret=read_secret(config),
        templates=make_templates(),
        log_in_by_name=RateLimiter(5, 900.0),
        log_in_by_address=RateLimiter(30, 900.0),
    )
    app.state.web = state
    for name in ROUTERS:
        app.include_router(importlib.import_module(name).router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(WebMiddleware, state=state)
    _add_error_pages(app)
    return app


def _wants_json(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _add_error_pages(app: FastAPI) -> None:
    @app.exception_handler(LogInNeededError)
    def log_in_needed(request: Request, _error: LogInNeededError) -> Response:
        if _wants_json(request):
            return JSONResponse({"error": "log-in needed"}, 401)
        after = request.url.path if request.method == "GET" else "/"
        return RedirectResponse(f"/log-in?after={after}", 303)

    @app.exception_handler(PasswordChangeNeededError)
    def password_change_needed(request: Request, _error: PasswordChangeNeededError) -> Response:
        if _wants_json(request):
            return JSONResponse({"error": "change the one-time password first"}, 403)
        return RedirectResponse("/account", 303)

    @app.exception_handler(StarletteHTTPException)
    def http_error(request: Request, error: HTTPException) -> Response:
        if _wants_json(request):
            return JSONResponse({"error": error.detail}, error.status_code)
        return render(request, "error.html", error.status_code, status_code=error.status_code, detail=str(error.detail))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        problems = [".".join(str(part) for part in e["loc"][1:]) + ": " + e["msg"] for e in error.errors()]
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if _wants_json(request):
            return JSONResponse({"error": "; ".join(problems)}, status)
        return render(request, "error.html", status, status_code=int(status), detail="; ".join(problems))

    @app.exception_handler(HailongError)
    def our_error(request: Request, error: HailongError) -> Response:
        status = 503 if isinstance(error, StoreError) else 400
        if _wants_json(request):
            return JSONResponse({"error": str(error)}, status)
        return render(request, "error.html", status, status_code=status, detail=str(error))
