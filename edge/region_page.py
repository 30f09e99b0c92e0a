"""The page on which a counter's region is drawn over one picture of its camera.

The one place where a picture is shown to anybody: on this machine's own address, to the browser that has confirmed
that no citizen is before the camera, once. The picture is never written, and goes with the page.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from edge.counters import CounterSection
from edge.one_picture import OnePicture, Region, drawn_region, read_jpeg
from edge.tablet.guard import Guard
from pipeline.errors import InvalidError, SourceError
from pipeline.language import translator

_TABLET = Path(__file__).parent / "tablet"


class RegionPage:
    """The page of one counter. `wait` gives what was drawn."""

    def __init__(self, counter: CounterSection, lang: str) -> None:
        self._counter, self._lang = counter, lang
        self._picture = OnePicture(lambda: read_jpeg(counter.camera.stream))
        self._token = secrets.token_urlsafe(16)
        self._region: Region | None = None
        self._drawn = threading.Event()
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TABLET / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
        )

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/", self._show),
            Route("/picture", self._take, methods=["POST"]),
            Route("/picture/{token:str}", self._give),
            Route("/region", self._take_region, methods=["POST"]),
            Mount("/static", StaticFiles(directory=_TABLET / "static")),
        ]
        return Starlette(routes=routes, middleware=[Middleware(Guard)])

    def wait(self, seconds: float) -> Region | None:
        """The region, when it has been drawn; None where it was not within so long."""
        self._drawn.wait(seconds)
        return self._region

    def forget(self) -> None:
        """Keep nothing of the picture."""
        self._picture.forget()

    def _show(self, _request: Request) -> Response:
        return self._page(problem="")

    def _page(self, problem: str, status: int = 200) -> Response:
        page = self._templates.get_template("region.html").render(
            _=translator(self._lang),
            language=self._lang,
            counter=self._counter.label or self._counter.name,
            token=self._token,
            has_picture=self._picture.jpeg is not None,
            drawn=self._drawn.is_set(),
            problem=problem,
        )
        return HTMLResponse(page, status)

    async def _take(self, request: Request) -> Response:
        """One picture, once it is confirmed that nobody is there who has not agreed."""
        form = await request.form()
        if not self._is_own(str(form.get("token", ""))):
            return self._page(problem="", status=403)
        try:
            await run_in_threadpool(self._picture.take, form)
        except InvalidError as error:
            return self._page(problem=error.in_language(self._lang), status=403)
        except SourceError as error:
            return self._page(problem=error.in_language(self._lang), status=503)
        return RedirectResponse("/", 303)

    async def _give(self, request: Request) -> Response:
        picture = self._picture.jpeg
        if picture is None or not self._is_own(request.path_params["token"]):
            return Response(status_code=404)
        return Response(picture, media_type="image/jpeg")

    async def _take_region(self, request: Request) -> Response:
        form = await request.form()
        if not self._is_own(str(form.get("token", ""))):
            return PlainTextResponse("refused", 403)
        try:
            self._region = drawn_region(str(form.get("region", "")))
        except InvalidError as error:
            return self._page(problem=error.in_language(self._lang), status=422)
        self.forget()
        self._drawn.set()
        return RedirectResponse("/", 303)

    def _is_own(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(), self._token.encode())
