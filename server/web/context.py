"""What every page and HTTP route shares: the user, the language, the forgery token, templates, errors.

A router's module has `router`; `server.app.ROUTERS` lists the modules. A route that a person uses takes one of the
aliases below (`user: ScoreReader`); every query then filters by `user.province_id` (and `user.agency_id` where it is
set). Unsafe methods need the forgery token (`{{ csrf_field() }}` in a form, or the header X-CSRF-Token), checked for
all routes but those marked `@no_csrf` (gateways that sign their calls).
"""

from __future__ import annotations

import functools
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from itsdangerous import BadSignature, URLSafeSerializer
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Engine

from pipeline.calendar import day_words
from pipeline.errors import HailongError, ImportRowError, InvalidError
from pipeline.faces import face_svg
from pipeline.language import (
    DEFAULT,
    Message,
    Number,
    Text,
    as_typed_here,
    in_language,
    is_spoken,
    languages,
    translator,
)
from pipeline.language import language as language_of
from server.auth.provider import Provider
from server.auth.roles import Permission, User
from server.core.config import ServerConfig
from server.core.limits import RateLimiter, network
from server.core.long_work import LongWork
from server.core.looks import ONE_LOOK
from server.core.provinces import Province, province_by_id
from server.store.engine import read
from server.tabular.writing import disposition
from server.web.cookies import cookie, keep_cookie
from server.web.help import HELPS
from server.web.navigation import ENTRIES, home_path

SESSION_COOKIE = "hl_session"
BROWSER_COOKIE = "hl_browser"
LANGUAGE_COOKIE = "hl_lang"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEMO_REFRESH_S, REFRESH_S = 3, 60
_SALT_CHARS = 32
TEMPLATES = Path(__file__).parent / "templates"
_said = URLSafeSerializer(secrets.token_bytes(32), "said")
"""Signs what a page says after a change: whoever writes an address cannot make a page of this server say his words."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(slots=True)
class WebState:
    """What the application holds for its routes: `request.app.state.web`."""

    engine: Engine
    config: ServerConfig
    secret: bytes
    receipt_key: bytes
    gateway_key: bytes
    factor_key: bytes
    sheet_key: bytes
    templates: Environment
    log_in_here: RateLimiter
    log_in_by_name: RateLimiter
    log_in_by_address: RateLimiter
    ended_by_address: RateLimiter
    long_work: LongWork
    """What pages are at that may take minutes."""
    provider: Provider | None
    """The provider of log-ins beside the passwords."""


def web(request: Request) -> WebState:
    """The application's state."""
    state: WebState = request.app.state.web
    return state


def engine_of(request: Request) -> Engine:
    """The store."""
    return web(request).engine


def language(request: Request) -> str:
    """The code of one of the `languages()`: by `?lang=`, else by the cookie, else Vietnamese."""
    chosen = request.query_params.get("lang") or cookie(request, web(request).config, LANGUAGE_COOKIE)
    return chosen if chosen in languages() else DEFAULT


def refresh_s(request: Request) -> int:
    """How often a page that is left open asks for its newest state."""
    return DEMO_REFRESH_S if web(request).config.demo else REFRESH_S


def public_address(request: Request) -> str:
    """Where citizens find the pages, without a slash at its end: as configured, else as this request came."""
    return web(request).config.web.public_url.rstrip("/") or str(request.base_url).rstrip("/")


def current_user(request: Request) -> User | None:
    """The user of this request, set by the session middleware."""
    user: User | None = request.scope.get("hailong.user")
    return user


class LogInNeededError(Exception):
    """Raised by `needs`; the application answers with the log-in page, or 401 for the interface."""


class AccountUnfinishedError(Exception):
    """Raised by `needs` for a user who still has a one-time password, or lacks the second factor of the own role; says
    what to do first. The application leads to the account's page."""


def needs(permission: Permission) -> Any:
    """A dependency: the user, who has this permission; otherwise log-in or 403."""

    def dependency(request: Request) -> User:
        user = current_user(request)
        if user is None:
            raise LogInNeededError
        if user.must_change_password:
            raise AccountUnfinishedError("change the one-time password first")
        if user.must_set_factor:
            raise AccountUnfinishedError("set up the second factor first")
        if not user.may(permission):
            raise HTTPException(403, Message("You lack this permission."))
        return user

    dependency.permission = permission  # type: ignore[attr-defined]
    return Depends(dependency)


RowId = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A number in a path or form that names a row of the store."""
GroupNumber = Annotated[int, Field(ge=0, le=255)]
"""The number of a service group; 0: not told."""

_ROW_ID = TypeAdapter(RowId)


def row_id(text: str) -> int | None:
    """A row's number in a field that may be empty. Raises `InvalidError`."""
    if not text:
        return None
    try:
        return _ROW_ID.validate_python(text)
    except ValidationError:
        raise InvalidError(Message("A number is out of range.")) from None


ScoreReader = Annotated[User, needs(Permission.READ_SCORES)]
HealthReader = Annotated[User, needs(Permission.READ_HEALTH)]
Analyst = Annotated[User, needs(Permission.ANALYSE)]
Exporter = Annotated[User, needs(Permission.EXPORT)]
DataClerk = Annotated[User, needs(Permission.ENTER_RATINGS)]
Reviewer = Annotated[User, needs(Permission.REVIEW_RATINGS)]
SurveyManager = Annotated[User, needs(Permission.MANAGE_SURVEY)]
CatalogueManager = Annotated[User, needs(Permission.MANAGE_CATALOGUE)]
BoxManager = Annotated[User, needs(Permission.MANAGE_BOXES)]
UserManager = Annotated[User, needs(Permission.MANAGE_USERS)]
PrivacyReader = Annotated[User, needs(Permission.READ_PRIVACY)]
RightsOfficer = Annotated[User, needs(Permission.HANDLE_RIGHTS)]
"""What a route's parameter `user` is annotated with: the user of the request, who has this permission."""


def no_csrf(endpoint: Endpoint) -> Endpoint:
    """Marks a route that proves its caller in another way (a gateway's signature)."""
    endpoint.no_csrf = True  # type: ignore[attr-defined]
    return endpoint


def limits_of_log_in(request: Request, name: str) -> tuple[tuple[RateLimiter, str], ...]:
    """The limits within which somebody at this address may guess what only the owner of a name knows: of the address,
    of the name from this network, and of the name from everywhere, in this order."""
    state = web(request)
    address = network(request.client.host) if request.client else "?"
    return (
        (state.log_in_by_address, address),
        (state.log_in_here, f"{name} {address}"),
        (state.log_in_by_name, name),
    )


def csrf_token(request: Request, salt: str | None = None) -> str:
    """The forgery token: a salt, and an HMAC over it, this browser's cookie and its session (signed double submit,
    OWASP). The salt is new on every page: pages are packed, and a secret that stays the same beside text that somebody
    else chooses could be guessed from their lengths (BREACH)."""
    salt = secrets.token_hex(_SALT_CHARS // 2) if salt is None else salt
    browser = request.scope.get("hailong.browser", "")
    session = cookie(request, web(request).config, SESSION_COOKIE) or ""
    return salt + hmac.new(web(request).secret, f"csrf|{salt}|{browser}|{session}".encode(), sha256).hexdigest()


async def check_csrf(request: Request) -> None:
    """A dependency of every router: refuses an unsafe request without its token (403)."""
    endpoint = request.scope.get("endpoint")
    if request.method in SAFE_METHODS or getattr(endpoint, "no_csrf", False):
        return
    given = request.headers.get("x-csrf-token")
    if given is None and "form" in request.headers.get("content-type", ""):
        value = (await request.form()).get("csrf")
        given = value if isinstance(value, str) else None
    if not given or not hmac.compare_digest(given.encode(), csrf_token(request, given[:_SALT_CHARS]).encode()):
        raise HTTPException(
            403,
            Message("The page has expired: load it again, then send again."),
        )


@pass_context
def _in_the_pages_language(context: Context, value: Any) -> Any:
    """What a template writes out: a message, a name or a figure says itself in the language of the page."""
    return in_language(value, context.get("lang", DEFAULT)) if is_spoken(value) else value


@functools.cache
def make_templates() -> Environment:
    """Jinja with autoescaping, one for the process, which compiles a template once; an unknown name is an error."""
    folders = [TEMPLATES]
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_in_the_pages_language,
    )
    environment.globals["typed"] = as_typed_here
    environment.globals["navigation"] = lambda: ENTRIES
    environment.globals["face_svg"] = lambda level: Markup(face_svg(level))  # noqa: S704  (our own drawing)
    return environment


def province_of(request: Request, user: User) -> Province:
    """The province of a user."""
    with read(engine_of(request)) as connection:
        return province_by_id(connection, user.province_id)


def error_text(request: Request, error: HailongError) -> str:
    """An error in the page's language."""
    return in_language(error, language(request))


def row_errors_text(request: Request, error: ImportRowError, limit: int) -> list[tuple[int, str]]:
    """The first rows of a file that do not fit, with their reasons in the page's language."""
    return [(number, in_language(reason, language(request))) for number, reason in error.rows[:limit]]


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. In every template: `_(text, name=...)` (a sentence in English, a `Message` or a `Text`, in the page's
    language), `lang`, `number(value, digits)`, `user`, `province`, `demo`, `path`, `home`, `csrf_field()`,
    `Permission`."""
    state = web(request)
    lang = language(request)
    user = current_user(request)
    province = province_of(request, user) if user else None

    def csrf_field() -> Markup:
        return Markup('<input type="hidden" name="csrf" value="{}">').format(csrf_token(request))

    def name_of(thing: Any) -> str:
        """The name of a row or record in the page's language."""
        if isinstance(thing, Mapping) and "name" not in thing:  # a row of a file, with a column for each language
            return in_language(Text.of_row(thing), lang)
        return in_language(thing["name"] if isinstance(thing, Mapping) else thing.name, lang)

    def number(value: float | None, digits: int = 0) -> str:
        return in_language(Number(value, digits), lang)

    common = {
        "_": translator(lang),
        "lang": lang,
        "user": user,
        "province": province,
        "demo": state.config.demo,
        "simulated": state.config.demo or (province is not None and province.simulated),
        "path": request.url.path,
        "home": home_path(user),
        "languages": _languages(request),
        "csrf_field": csrf_field,
        "name_of": name_of,
        "day": day_words,
        "number": number,
        "Permission": Permission,
        "helps": HELPS,
        "one_look_words": ONE_LOOK,
        "message": message_of(request),
    }
    text = state.templates.get_template(template).render(**common, **values)
    response = HTMLResponse(text, status)
    if request.query_params.get("lang") in languages():
        keep_cookie(response, state.config, LANGUAGE_COOKIE, lang, max_age_s=365 * 86_400)
    return response


def _languages(request: Request) -> list[tuple[str, str, str]]:
    """The menu of languages: code, name, and this page's address in it; without the language that it is in."""
    return [
        (code, language_of(code).name, str(request.url.include_query_params(lang=code).replace(scheme="", netloc="")))
        for code in languages()
        if code != language(request)
    ]


def new_browser_id() -> str:
    """A random value for the browser cookie that the forgery token hangs on."""
    return secrets.token_urlsafe(18)


def download(content: bytes | str, name: str, media_type: str) -> Response:
    """A file to keep."""
    return Response(content, media_type=media_type, headers={"Content-Disposition": disposition(name)})


def application(request: Request) -> FastAPI:
    """The application of a request."""
    app: FastAPI = request.app
    return app


def back(path: str, message: str = "") -> RedirectResponse:
    """To a page after a change, which then says `message`."""
    said = urlencode({"message": _said.dumps(message)})
    return RedirectResponse(f"{path}?{said}" if message else path, 303)


def message_of(request: Request) -> str:
    """What a page says after a change: words of `back` alone."""
    try:
        return str(_said.loads(request.query_params.get("message", "")))
    except BadSignature:
        return ""
