"""The assistant's pages: one for each step, in order, left and taken up again at will; and the code before them."""

from __future__ import annotations

import asyncio
import copy
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from edge.assistant.devices import Devices, Eyes
from edge.assistant.door import COOKIE, Door, Ending, OwnNames
from edge.assistant.draft import ASKED, STEPS, Draft, forget_draft, save_draft
from edge.assistant.forms import TAKERS, Form, Seen, add_counter, require_right, take_server
from edge.assistant.hands import Hands, Row, TabletPage
from edge.capture.redaction import redacted
from edge.config import complaints
from edge.counters import is_loopback
from edge.legal import LegalSection
from edge.one_picture import OnePicture
from edge.tablet.aloud import can_read_aloud, read_aloud
from edge.tablet.app import TabletPages
from edge.tablet.notice import notice_qr
from edge.tablet.texts import TITLE, NoticeFacts, Part, notice_parts
from pipeline.errors import HailongError, InvalidError
from pipeline.language import DEFAULT, NOTHING, Message, Sentence, in_language, language, languages, translator

MAX_PICTURE_S = 300.0
"""A picture over which no region is drawn is forgotten after so long."""
LINGER_S = 5.0
"""So long the last page may fetch its style sheet, before nothing answers any more."""
_TABLET = Path(__file__).parents[1] / "tablet"
_TITLES = {
    "place": Message("The place"),
    "devices": Message("Camera and microphone"),
    "region": Message("The citizen's place in the picture"),
    "basis": Message("Legal basis"),
    "notice": Message("The notice"),
    "tablet": Message("The tablet"),
    "server": Message("The server"),
    "review": Message("Look over and write"),
    "finish": Message("Enrol, check, start"),
}
_ENDINGS = {
    Ending.DONE: Message("The box is set up. The assistant has ended."),
    Ending.GUESSED: Message("A wrong code was typed too often. The assistant has ended."),
    Ending.IDLE: Message("Nobody has used these pages for a while. The assistant has ended."),
}


class Assistant:
    """The pages of one run. `path`: the box's configuration, beside which the draft is kept. `addresses`: this
    machine's own, at which a tablet may reach it. `secure`: whether its pages are served by TLS."""

    def __init__(
        self,
        draft: Draft,
        path: Path,
        eyes: Eyes,
        hands: Hands,
        door: Door,
        *,
        host: str = "127.0.0.1",
        addresses: tuple[str, ...] = (),
        secure: bool = False,
        linger_s: float = LINGER_S,
    ) -> None:
        self._draft, self._path, self._eyes, self._hands, self._door = draft, path, eyes, hands, door
        self._host, self._addresses, self._secure, self._linger_s = host, addresses, secure, linger_s
        self._told = Seen(Devices())
        self._looked = False
        self._picture: OnePicture | None = None
        self._picture_of, self._picture_token, self._picture_s = "", "", 0.0
        self._checked: list[Row] | None = None
        self._lang = DEFAULT
        self._turn = asyncio.Lock()

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/", self._first),
            Route("/enter", self._enter, methods=["POST"]),
            Route("/step/{step:str}", self._inside(self._show)),
            Route("/step/{step:str}", self._inside(self._take), methods=["POST"]),
            Route("/find", self._inside(self._find), methods=["POST"]),
            Route("/counter", self._inside(self._add_counter), methods=["POST"]),
            Route("/picture", self._inside(self._take_picture), methods=["POST"]),
            Route("/picture/{token:str}", self._inside(self._give_picture)),
            Route("/label", self._inside(self._read_label), methods=["POST"]),
            Route("/notice/aloud", self._inside(self._aloud)),
            Route("/notice/print", self._inside(self._print)),
            Route("/language", self._inside(self._switch_language), methods=["POST"]),
            Route("/write", self._inside(self._write), methods=["POST"]),
            Route("/enrol", self._inside(self._enrol), methods=["POST"]),
            Route("/check", self._inside(self._check), methods=["POST"]),
            Route("/start", self._inside(self._start), methods=["POST"]),
            Mount("/static", StaticFiles(directory=_TABLET / "static")),
        ]
        return Starlette(routes=routes, middleware=[Middleware(OwnNames, host=self._host)])

    def forget(self) -> None:
        """Keep no picture and no code."""
        if self._picture is not None:
            self._picture.forget()
        self._picture, self._picture_of = None, ""

    # -- who comes in ----------------------------------------------------------------------------------------------

    def _inside(
        self, handler: Callable[[Request, Form], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """For the one browser that typed the code, one request after the other; a form has to be one of its pages'."""

        async def handle(request: Request) -> Response:
            if not self._door.knows(request.cookies.get(COOKIE, "")):
                return RedirectResponse("/", 303) if request.method == "GET" else PlainTextResponse("refused", 403)
            form: Form = {}
            if request.method == "POST":
                form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
                if not self._door.is_own_form(form.get("token", "")):
                    return PlainTextResponse("refused", 403)
            async with self._turn:
                return await handler(request, form)

        return handle

    async def _first(self, request: Request) -> Response:
        if self._door.knows(request.cookies.get(COOKIE, "")):
            return RedirectResponse(f"/step/{self._next_step()}", 303)
        ending = self._door.ending
        if not self._door.is_taken and request.query_params.get("language") in languages():
            self._lang = request.query_params["language"]
        return self._page(
            "enter.html",
            410 if ending else 200,
            ending=_ENDINGS[ending] if ending else NOTHING,
            taken=self._door.is_taken,
            wrong=False,
        )

    async def _enter(self, request: Request) -> Response:
        form = await request.form()
        session = self._door.enter(str(form.get("code", "")))
        if session is None:
            ending = self._door.ending
            said = _ENDINGS[ending] if ending else NOTHING
            return self._page("enter.html", 403, ending=said, taken=self._door.is_taken, wrong=True)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, session, samesite="strict", httponly=True, secure=self._secure)
        return answer

    async def _switch_language(self, _request: Request, form: Form) -> Response:
        if form.get("language") in languages():
            self._lang = form["language"]
        step = form.get("step", "")
        return RedirectResponse(f"/step/{step if step in STEPS else self._next_step()}", 303)

    # -- the steps -------------------------------------------------------------------------------------------------

    def _next_step(self) -> str:
        undone = self._draft.open_steps
        if undone:
            return undone[0]
        return "finish" if self._hands.is_written(self._draft.values()) else "review"

    async def _show(self, request: Request, _form: Form) -> Response:
        step = request.path_params["step"]
        if step not in STEPS:
            return PlainTextResponse("not here", 404)
        if step != "region" or request.query_params.get("counter", "") != self._picture_of:
            self.forget()
        if step == "devices" and not self._looked:
            await self._look()
        return self._step(step, counter=request.query_params.get("counter", ""))

    async def _take(self, request: Request, form: Form) -> Response:
        """Answer a step: taken whole, or shown again with what is wrong."""
        step = request.path_params["step"]
        if step not in TAKERS:
            return PlainTextResponse("not here", 404)
        draft = copy.deepcopy(self._draft)
        try:
            await run_in_threadpool(TAKERS[step], draft, form, self._told, self._eyes)
            require_right(draft, step)
            draft.done.add(step)
            await run_in_threadpool(save_draft, draft, self._path)
        except HailongError as error:
            return self._step(step, problem=error, draft=draft, counter=form.get("counter", ""))
        self._draft, self._checked = draft, None
        self.forget()
        following = self._next_of(step)
        return RedirectResponse(f"/step/{following}", 303)

    def _next_of(self, step: str) -> str:
        """Where to go from here: the next step; of the regions, the next counter's."""
        if step == "region" and self._draft.undrawn:
            return "region"
        following = STEPS[STEPS.index(step) + 1]
        return "basis" if following == "region" and not self._draft.cameras else following

    async def _add_counter(self, _request: Request, form: Form) -> Response:
        """One more, beside what was typed so far."""
        draft = copy.deepcopy(self._draft)
        try:
            for counter in draft.counters:
                if label := form.get(f"label-{counter['name']}", "").strip():
                    counter["label"] = label
            if agency := form.get("agency_label", "").strip():
                draft.table("box")["agency_label"] = agency
            add_counter(draft)
            draft.done -= {"place", "devices"}
            await run_in_threadpool(save_draft, draft, self._path)
        except HailongError as error:
            return self._step("place", problem=error)
        self._draft = draft
        return RedirectResponse("/step/place", 303)

    # -- devices and the picture -----------------------------------------------------------------------------------

    async def _look(self) -> None:
        self._told.devices = await run_in_threadpool(self._eyes.find, self._lang)
        self._looked = True

    async def _find(self, _request: Request, _form: Form) -> Response:
        await self._look()
        return RedirectResponse("/step/devices", 303)

    async def _take_picture(self, _request: Request, form: Form) -> Response:
        name = form.get("counter", "")
        self.forget()
        try:
            source = self._source(name)
            picture = OnePicture(lambda: self._eyes.picture(source, self._lang))
            await run_in_threadpool(picture.take, form)
        except HailongError as error:
            return self._step("region", problem=error, counter=name)
        self._picture, self._picture_of, self._picture_s = picture, name, time.monotonic()
        self._picture_token = secrets.token_urlsafe(16)
        return RedirectResponse(f"/step/region?counter={name}", 303)

    async def _give_picture(self, request: Request, _form: Form) -> Response:
        jpeg = None if self._picture is None else self._picture.jpeg
        if jpeg is None or not secrets.compare_digest(
            str(request.path_params["token"]).encode(), self._picture_token.encode()
        ):
            return Response(status_code=404)
        return Response(jpeg, media_type="image/jpeg")

    def _source(self, name: str) -> int | str:
        """What is opened for a counter's picture. Raises `InvalidError`."""
        camera = next((each["camera"] for each in self._draft.cameras if each["name"] == name), None)
        if camera is None:
            raise InvalidError(
                Message("This counter has no camera."), Message("Choose one under “{title}”.", title=_TITLES["devices"])
            )
        source: int | str = camera.get("sub_stream") or camera["source"]
        return source

    async def _read_label(self, _request: Request, form: Form) -> Response:
        """The label of the box, held before its camera; the text alone comes here, no picture."""
        draft = copy.deepcopy(self._draft)
        try:
            source = self._source(form.get("counter", ""))
            if form.get("nobody") != "yes":
                raise InvalidError(Message("Wait until no citizen is before the camera, and tick the statement."))
            text = await run_in_threadpool(self._eyes.label, source, self._lang)
            take_server(draft, {"label": text}, self._told, self._eyes)
            require_right(draft, "server")
            draft.done.add("server")
            await run_in_threadpool(save_draft, draft, self._path)
        except HailongError as error:
            return self._step("server", problem=error, draft=draft)
        self._draft = draft
        return RedirectResponse("/step/review", 303)

    # -- the notice ------------------------------------------------------------------------------------------------

    def _facts(self) -> NoticeFacts | None:
        """What the notice says, of the first counter that sees or hears; None while its legal basis is not stated."""
        tables, first = self._draft.tables, (self._draft.cameras or self._draft.counters)[0]
        if "basis" not in self._draft.done:
            return None
        return NoticeFacts(
            first.get("agency_label") or tables["box"].get("agency_label", ""),
            tables.get("notice", {}).get("contact", ""),
            tables.get("notice", {}).get("url", ""),
            LegalSection.model_validate(tables["legal"]),
            tables.get("models", {}).get("face", "face-affect") if self._draft.cameras else None,
            any("microphone" in each for each in self._draft.counters),
        )

    @property
    def _analysing(self) -> bool:
        return bool(self._draft.cameras) or any("microphone" in each for each in self._draft.counters)

    def _parts(self) -> list[Part]:
        facts = self._facts()
        return [] if facts is None else notice_parts(facts, self._analysing)

    async def _aloud(self, _request: Request, _form: Form) -> Response:
        texts = [TITLE, *(text for part in self._parts() for text in part)]
        said = await run_in_threadpool(
            read_aloud, "\n".join(in_language(text, self._lang) for text in texts), self._lang
        )
        return Response(status_code=404) if said is None else Response(said, media_type="audio/wav")

    async def _print(self, _request: Request, _form: Form) -> Response:
        """The notice for the wall. Its code leads to the agency's page, or to the tablet's, where others reach it."""
        facts = self._facts()
        if facts is None:
            return RedirectResponse("/step/basis", 303)
        tablet = self._draft.tables.get("tablet", {})
        host = tablet.get("host", "127.0.0.1")
        place = f"[{host}]" if ":" in host else host
        url = facts.url or ("" if is_loopback(host) else f"http://{place}:{tablet.get('port', 8090)}/notice")
        pages = TabletPages(facts.agency, "", DEFAULT, 30, self._analysing, False, facts.url, facts.contact, facts)
        page = (
            _templates()
            .get_template("notice_print.html")
            .render(
                title=in_language(TITLE, DEFAULT),
                parts=self._parts(),
                pages=pages,
                qr=notice_qr(url) if url else "",
                languages=[(code, language(code).name, translator(code)) for code in languages()],
            )
        )
        return HTMLResponse(page)

    # -- writing, and what comes after -----------------------------------------------------------------------------

    async def _write(self, _request: Request, _form: Form) -> Response:
        try:
            if self._draft.open_steps:
                raise InvalidError(
                    Message("Not everything is answered yet."), Message("Open the pages that are marked.")
                )
            await run_in_threadpool(self._hands.write, self._draft.values())
        except HailongError as error:
            return self._step("review", problem=error)
        return RedirectResponse("/step/finish", 303)

    def _require_written(self) -> None:
        if self._draft.open_steps or not self._hands.is_written(self._draft.values()):
            raise InvalidError(
                Message("The configuration is not written yet."),
                Message("Do that first, under “{title}”.", title=_TITLES["review"]),
            )

    async def _enrol(self, _request: Request, form: Form) -> Response:
        code = form.get("code", "").strip() or self._told.code
        try:
            self._require_written()
            if not code:
                raise InvalidError(
                    Message("There is no one-time code."), Message("Type the one that the server's operator gave you.")
                )
            await run_in_threadpool(self._hands.enrol, code, self._lang)
            self._told.code = ""
        except HailongError as error:
            return self._step("finish", problem=error)
        return RedirectResponse("/step/finish", 303)

    async def _check(self, _request: Request, _form: Form) -> Response:
        try:
            self._require_written()
            self._checked = await run_in_threadpool(self._hands.check, self._lang)
        except HailongError as error:
            return self._step("finish", problem=error)
        return RedirectResponse("/step/finish", 303)

    async def _start(self, _request: Request, _form: Form) -> Response:
        """Start the box. After that there is nothing here any more, until the technician begins anew."""
        try:
            self._require_written()
            if not self._hands.is_enrolled():
                raise InvalidError(Message("This box has not been enrolled."), Message("Enrol it first, above."))
            command = await run_in_threadpool(self._hands.start, self._lang)
            tablets = await run_in_threadpool(self._hands.tablets)
            await run_in_threadpool(forget_draft, self._path)
        except HailongError as error:
            return self._step("finish", problem=error)
        self.forget()
        self._door.shut(self._linger_s)
        return self._page("done.html", command=command, tablets=[(each, self._tablet_qr(each)) for each in tablets])

    @staticmethod
    def _tablet_qr(tablet: TabletPage) -> str:
        return notice_qr(tablet.address) if tablet.code else ""

    # -- what a page shows -----------------------------------------------------------------------------------------

    def _step(
        self, step: str, *, problem: HailongError | None = None, draft: Draft | None = None, counter: str = ""
    ) -> HTMLResponse:
        draft = draft or self._draft
        if self._picture is not None and time.monotonic() - self._picture_s > MAX_PICTURE_S:
            self.forget()
        if step == "region" and not counter:
            counter = next(iter([*draft.undrawn, *(each["name"] for each in draft.cameras)]), "")
        values: dict[str, Any] = {"problem": NOTHING if problem is None else problem.said, "counter": counter}
        if step == "notice":
            values |= {"parts": self._parts(), "aloud": can_read_aloud(), "basis_stated": self._facts() is not None}
        if step == "review":
            values |= {"wrong": self._wrong(), "written": self._hands.is_written(draft.values())}
        if step == "finish":
            written = not draft.open_steps and self._hands.is_written(draft.values())
            values |= {"written": written, "enrolled": written and self._hands.is_enrolled(), "rows": self._checked}
        return self._page(
            f"{step}.html",
            200 if problem is None else problem.status,
            step=step,
            steps=[(name, _TITLES[name], name in self._done(draft)) for name in STEPS],
            draft=draft,
            counters=_answers(draft.counters),
            cameras=_answers(draft.cameras),
            tables=_answers({"legal": {}, "notice": {}, "tablet": {}, "server": {}, **draft.tables}),
            devices=self._told.devices,
            code_known=bool(self._told.code),
            picture=self._picture_token if self._picture is not None and self._picture_of == counter else "",
            addresses=self._addresses,
            redacted=redacted,
            **values,
        )

    def _done(self, draft: Draft) -> set[str]:
        undone = set(draft.open_steps)
        return {name for name in ASKED if name not in undone}

    def _wrong(self) -> list[Sentence]:
        """What the reader says of the whole, once everything is answered."""
        return [] if self._draft.open_steps else [said for _section, said in complaints(self._draft.values())]

    def _page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        page = (
            _templates()
            .get_template(f"assistant_{template}")
            .render(
                _=translator(self._lang),
                language=self._lang,
                languages=[(code, language(code).name) for code in languages() if code != self._lang],
                token=self._door.form_token,
                minutes=round(MAX_PICTURE_S / 60),
                **values,
            )
        )
        return HTMLResponse(page, status)


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    folders = [Path(__file__).parent / "templates", _TABLET / "templates"]
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders), autoescape=True, undefined=jinja2.StrictUndefined
    )


class _Answers(dict[str, Any]):
    """A table as the pages read it: what is not answered is empty."""

    def __missing__(self, _name: str) -> str:
        return ""


def _answers(value: Any) -> Any:
    if isinstance(value, dict):
        return _Answers({name: _answers(each) for name, each in value.items()})
    return [_answers(each) for each in value] if isinstance(value, list) else value
