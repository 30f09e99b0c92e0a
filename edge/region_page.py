"""The page on which a counter's region is drawn over one picture of its camera.

The one place where a picture is shown to anybody: on this machine's own address, to the browser that has confirmed
that no citizen is before the camera, once. The picture is never written, and goes with the page.
"""

from __future__ import annotations

import json
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

from edge.capture.camera import Camera
from edge.counters import CameraSection, CounterSection
from edge.tablet.guard import Guard
from pipeline.errors import SourceError
from pipeline.language import translator

_TABLET = Path(__file__).parent / "tablet"
MAX_CORNERS = 32
Region = list[list[float]]


class RegionPage:
    """The page of one counter. `wait` gives what was drawn."""

    def __init__(self, counter: CounterSection, lang: str) -> None:
        self._counter, self._lang = counter, lang
        self._picture: bytes | None = None
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
        self._picture = None

    def _show(self, _request: Request) -> Response:
        return self._page(problem="")

    def _page(self, problem: str, status: int = 200) -> Response:
        page = self._templates.get_template("region.html").render(
            _=translator(self._lang),
            language=self._lang,
            counter=self._counter.label or self._counter.name,
            token=self._token,
            has_picture=self._picture is not None,
            drawn=self._drawn.is_set(),
            problem=problem,
        )
        return HTMLResponse(page, status)

    async def _take(self, request: Request) -> Response:
        """One picture, once it is confirmed that nobody is there who has not agreed."""
        form = await request.form()
        if not self._is_own(str(form.get("token", ""))) or form.get("nobody") != "yes" or form.get("staff") != "yes":
            return self._page(problem="", status=403)
        try:
            self._picture = await run_in_threadpool(self._read)
        except SourceError as error:
            return self._page(problem=error.in_language(self._lang), status=503)
        return RedirectResponse("/", 303)

    def _read(self) -> bytes:
        import cv2

        frame = Camera(self._counter.camera.stream).check()
        return bytes(cv2.imencode(".jpg", frame.pixels)[1])

    async def _give(self, request: Request) -> Response:
        if self._picture is None or not self._is_own(request.path_params["token"]):
            return Response(status_code=404)
        return Response(self._picture, media_type="image/jpeg")

    async def _take_region(self, request: Request) -> Response:
        form = await request.form()
        if not self._is_own(str(form.get("token", ""))):
            return PlainTextResponse("refused", 403)
        try:
            corners = json.loads(str(form.get("region", "")))
            region = [[round(float(x), 3), round(float(y), 3)] for x, y in corners[:MAX_CORNERS]]
            CameraSection.model_validate({"source": "none", "region": region})
            if len(region) < 3:
                raise ValueError("too few corners")
        except (ValueError, TypeError, KeyError):
            return PlainTextResponse("a region is at least three corners within the picture", 422)
        self._region = region
        self.forget()
        self._drawn.set()
        return RedirectResponse("/", 303)

    def _is_own(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(), self._token.encode())
