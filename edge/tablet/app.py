"""The tablet's pages (Starlette, rendered here, no external asset) and the queue system's events.

A page's forms carry a token: the sheet's own, or the one of this run of the box. What else is refused stands in
`edge.tablet.guard`.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from edge.capture.quality import NOTICES
from edge.capture.queue_events import QueueEvents
from edge.config import EdgeConfig
from edge.counters import CounterSection
from edge.tablet.aloud import can_read_aloud, read_aloud
from edge.tablet.counter import Begin, Counter, Sheet
from edge.tablet.guard import Guard
from edge.tablet.notice import notice_qr
from edge.tablet.pairing import COOKIE, COOKIE_S, PairedOnly, Pairing
from edge.tablet.texts import BECAME, EXPLAINED, TITLE, NoticeFacts, notice_parts, steps
from models.catalogue import all_cards
from pipeline.box_states import STATE_ADVICE, STATE_WORDS
from pipeline.errors import StoreError
from pipeline.faces import face_svg
from pipeline.instruments.instrument import ScalePoint
from pipeline.instruments.questionnaire import minutes_for
from pipeline.language import DEFAULT, Message, Plural, Text, in_language, language, languages, translator
from pipeline.wire import BoxState

_HERE = Path(__file__).parent
_LANGUAGE_COOKIE = "language"
_TEXT_COOKIE = "text"
_FACES = frozenset("12345")
_WARN_S = 20
"""The page warns so long before it goes back to the start (WCAG 2.2.1: at least 20 s to stay by one touch)."""


@dataclass(frozen=True, slots=True)
class TabletPages:
    """What one counter's pages show that does not change while the box runs. `base`: what stands before their
    addresses: empty, or `/quay/NAME` where several counters are served at one address."""

    agency: str
    counter: str
    language: str
    idle_s: int
    analysing: bool
    demo: bool
    notice_url: str
    contact: str
    facts: NoticeFacts = NoticeFacts()  # noqa: RUF009  (frozen)
    base: str = ""

    @property
    def asks_consent(self) -> bool:
        """Whether nothing is opened before a yes."""
        return self.facts.legal.asks_consent

    @classmethod
    def of(cls, config: EdgeConfig, counter: CounterSection, analysing: bool) -> TabletPages:
        """Those of a counter, from the box's configuration."""
        return cls(
            counter.agency_label or config.box.agency_label,
            counter.label or (counter.name if config.counter else ""),
            config.tablet.language,
            config.tablet.idle_s,
            analysing,
            config.box.demo,
            config.notice.url,
            config.notice.contact,
            NoticeFacts.of(config, counter),
            page_base(config, counter),
        )


def page_base(config: EdgeConfig, counter: CounterSection) -> str:
    """What stands before the addresses of a counter's pages."""
    return f"/quay/{counter.name}" if config.counter and counter.tablet.port is None else ""


@dataclass(frozen=True, slots=True)
class CounterTablet:
    """One counter's tablet. `pairing`: whom the pages are for; None: whoever reaches them."""

    pages: TabletPages
    counter: Counter
    pairing: Pairing | None = None


class _Pages:
    """Handlers of one tablet's addresses."""

    def __init__(self, tablet: CounterTablet) -> None:
        self._pages = tablet.pages
        self._pairing = tablet.pairing
        self._counter = tablet.counter
        self._page_token = secrets.token_urlsafe(16)
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
        )
        self._templates.globals["face_svg"] = face_svg

    def routes(self) -> list[Route]:
        """Addresses."""
        sheet = "/sheet/{token:str}"
        return [
            Route("/", self.start),
            Route("/notice", self.notice),
            Route("/notice/print", self.notice_print),
            Route("/machine", self.machine),
            Route("/machine/aloud", self.machine_aloud),
            Route("/models", self.models),
            Route("/language", self.switch_language, methods=["POST"]),
            Route("/text-size", self.switch_text_size, methods=["POST"]),
            Route("/opt-out", self.opt_out_holds),
            Route("/opt-out", self.opt_out, methods=["POST"]),
            Route("/consent", self.consent_stands),
            Route("/consent", self.consent, methods=["POST"]),
            Route("/begin", self.begin, methods=["POST"]),
            Route("/question/{number:int}/aloud", self.aloud),
            Route("/pair", self.pair),
            Route("/pair", self.take_code, methods=["POST"]),
            *(Route(path, self.became) for path in BECAME),
            Route(sheet, self.sheet),
            Route(sheet + "/answer", self.answer, methods=["POST"]),
            Route(sheet + "/back", self.back, methods=["POST"]),
            Route(sheet + "/cancel", self.cancel, methods=["POST"]),
            Route(sheet + "/left", self.left, methods=["POST"]),
            Route(sheet + "/stay", self.stay, methods=["POST"]),
            Route(sheet + "/send", self.send, methods=["POST"]),
        ]

    def _language(self, request: Request) -> str:
        asked = request.cookies.get(_LANGUAGE_COOKIE)
        return asked if asked in languages() else self._pages.language

    def _render(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        lang = self._language(request)
        # to a citizen's telephone, which may read the notice, nothing is told of visits
        tells = self._pages.analysing and self._is_tablet(request)
        page = self._templates.get_template(template).render(
            _=translator(lang),
            language=lang,
            languages=[(code, language(code).name) for code in languages() if code != lang],
            pages=self._pages,
            page_token=self._page_token,
            analysed=tells and self._counter.is_analysed,
            opted_out=tells and self._counter.has_opted_out,
            asked=tells and self._counter.asks_consent,
            told_of=tells or not self._pages.analysing,
            path=self._path(request),
            base=self._pages.base,
            aloud=can_read_aloud(),
            large=request.cookies.get(_TEXT_COOKIE) == "large",
            warn_s=min(_WARN_S, self._pages.idle_s - 5) if self._pages.idle_s > 10 else 5,
            **values,
        )
        return HTMLResponse(page, status)

    def _path(self, request: Request) -> str:
        """Within this counter's pages."""
        return request.url.path.removeprefix(self._pages.base) or "/"

    def _go(self, path: str) -> RedirectResponse:
        """To another of this counter's pages."""
        return RedirectResponse(self._pages.base + path, 303)

    def _give(self, answer: Response, token: str) -> None:
        """The tablet's secret, for this counter's pages alone."""
        path = self._pages.base + "/" if self._pages.base else "/"
        answer.set_cookie(COOKIE, token, max_age=COOKIE_S, path=path, samesite="strict", httponly=True)

    def _is_tablet(self, request: Request) -> bool:
        return self._pairing is None or self._pairing.knows(request.cookies.get(COOKIE, ""))

    async def start(self, request: Request) -> Response:
        """The first page."""
        count = len(self._counter.questionnaire.questions)
        more = Plural(
            "Then 1 more question (about {minutes} min); you may stop after any of them.",
            "Then {count} more questions (about {minutes} min); you may stop after any of them.",
            count=count - 1,
            minutes=minutes_for(count - 1),
        )
        answer = self._render(
            request,
            "start.html",
            scale=self._counter.questionnaire.scale,
            question=self._counter.questionnaire.questions[0],
            more=more if count > 1 else None,
        )
        if self._pairing is not None:
            self._give(answer, request.cookies[COOKIE])
        return answer

    def status(self, request: Request, told: Mapping[str, str | bool]) -> Response:
        """How the box is, for whoever looks after it; nothing that visits move."""
        notices = [NOTICES[key] for key in str(told.get("notices", "")).split() if key in NOTICES]
        state = STATE_WORDS[BoxState[str(told.get("state", "OK"))]]
        advice = STATE_ADVICE.get(BoxState[str(told.get("state", "OK"))], ())
        return self._render(request, "status.html", state=state, advice=advice, told=told, notices=notices)

    async def pair(self, request: Request) -> Response:
        """Where the one-time code is typed."""
        return self._render(request, "pair.html", wrong=False)

    async def take_code(self, request: Request) -> Response:
        """Pair this browser, where the code is right."""
        form = await request.form()
        token = (
            None if self._pairing is None else await run_in_threadpool(self._pairing.pair, str(form.get("code", "")))
        )
        if token is None:
            return self._render(request, "pair.html", 403, wrong=True)
        answer = self._go("/")
        self._give(answer, token)
        return answer

    async def notice(self, request: Request) -> Response:
        """The notice, on the screen."""
        parts = notice_parts(self._pages.facts, self._pages.analysing)
        return self._render(request, "notice.html", title=TITLE, parts=parts, qr=self._qr(request))

    async def notice_print(self, request: Request) -> Response:
        """The notice for the wall: a page A4 for each language."""
        page = self._templates.get_template("notice_print.html").render(
            title=in_language(TITLE, DEFAULT),
            parts=notice_parts(self._pages.facts, self._pages.analysing),
            pages=self._pages,
            qr=self._qr(request),
            languages=[(code, language(code).name, translator(code)) for code in languages()],
        )
        return HTMLResponse(page)

    async def machine(self, request: Request) -> Response:
        """What the machine does, in pictures, for everybody."""
        return self._render(
            request,
            "machine.html",
            title=EXPLAINED,
            steps=steps(self._pages.facts.legal),
            qr=self._qr(request),
        )

    async def machine_aloud(self, request: Request) -> Response:
        """That page's sentences, read by a machine."""
        return await self._read(request, [EXPLAINED, *(step.text for step in steps(self._pages.facts.legal))])

    async def _read(self, request: Request, words: Sequence[Message | Text | ScalePoint]) -> Response:
        asked = request.query_params.get("language", "")
        lang = asked if asked in languages() else self._pages.language
        said = await run_in_threadpool(read_aloud, "\n".join(in_language(text, lang) for text in words), lang)
        return Response(status_code=404) if said is None else Response(said, media_type="audio/wav")

    async def switch_text_size(self, request: Request) -> Response:
        """Large text or not, for this browser until it is closed, and back to the page."""
        form = await request.form()
        answer = self._go(_own_path(form))
        answer.set_cookie(
            _TEXT_COOKIE, "large" if form.get("size") == "large" else "usual", samesite="strict", httponly=True
        )
        return answer

    async def models(self, request: Request) -> Response:
        """The cards of the models that this box may load."""
        return self._render(request, "models.html", cards=list(all_cards().values()))

    def _qr(self, request: Request) -> str:
        return notice_qr(
            self._pages.notice_url or str(request.url.replace(path=self._pages.base + "/notice", query=""))
        )

    async def switch_language(self, request: Request) -> Response:
        """The language chosen, for this browser until it is closed, and back to the page."""
        form = await request.form()
        answer = self._go(_own_path(form))
        chosen = str(form.get("language", ""))
        if chosen in languages():
            answer.set_cookie(_LANGUAGE_COOKIE, chosen, samesite="strict", httponly=True)
        return answer

    def _own_page(self, form: FormData) -> bool:
        return secrets.compare_digest(str(form.get("page_token", "")).encode(), self._page_token.encode())

    async def opt_out(self, request: Request) -> Response:
        """Stop analysing this visit."""
        form = await request.form()
        if not self._own_page(form):
            return self._go("/")
        await run_in_threadpool(self._counter.opt_out)
        target = str(form.get("path", "/"))
        return self._go(target if target.startswith("/sheet/") else "/")

    async def opt_out_holds(self, request: Request) -> Response:
        """Whether the opt-out that the page tells of still holds: 204, or 410 where it does not."""
        return Response(status_code=204 if self._counter.has_opted_out else 410)

    async def consent(self, request: Request) -> Response:
        """Yes, for this visit: the one way to it. No event of the queue system, command or setting says it."""
        form = await request.form()
        if not self._own_page(form):
            return self._go("/")
        if not await run_in_threadpool(self._counter.agree):
            return self._go("/not-yet")
        return self._go("/")

    async def consent_stands(self, request: Request) -> Response:
        """Whether the yes that the page tells of still holds: 204, or 410 where it does not."""
        return Response(status_code=204 if self._counter.is_analysed else 410)

    async def begin(self, request: Request) -> Response:
        """A face was touched: the overall answer, and the next question. No face: the overall question."""
        form = await request.form()
        if not self._own_page(form):
            return self._go("/")
        touched = str(form.get("value", ""))
        overall = int(touched) if touched in _FACES else None
        sheet = await run_in_threadpool(self._counter.begin, overall)
        if isinstance(sheet, Begin):
            return self._go("/already" if sheet is Begin.ALREADY_RATED else "/over")
        return await self._next(request, sheet)

    async def sheet(self, request: Request) -> Response:
        """The next question of a sheet, or its reasons."""
        sheet = self._counter.sheet(request.path_params["token"])
        if sheet is None:
            return self._go("/over")
        questionnaire = self._counter.questionnaire
        question = self._counter.next_question(sheet)
        given = next((point for point in questionnaire.scale if point.answer == sheet.answers.get(0)), None)
        if question is None:
            return self._render(request, "reasons.html", sheet=sheet, reasons=questionnaire.reasons, given=given)
        number = questionnaire.questions.index(question) + 1
        count = len(questionnaire.questions)
        return self._render(
            request,
            "question.html",
            sheet=sheet,
            question=question,
            scale=questionnaire.scale,
            number=number,
            count=count,
            given=given,
        )

    async def answer(self, request: Request) -> Response:
        """Take an answer; complete the sheet where it was the last and no reasons are asked."""
        form = await request.form()
        token = request.path_params["token"]
        try:
            sheet = self._counter.answer(token, int(str(form.get("slot"))), int(str(form.get("value"))))
        except ValueError:
            return PlainTextResponse("no such question or answer", 400)
        if sheet is None:
            return self._go("/over")
        return await self._next(request, sheet)

    async def _next(self, request: Request, sheet: Sheet) -> Response:
        if self._counter.next_question(sheet) is None and not self._counter.wants_reasons(sheet):
            return await self._complete(request, sheet, frozenset())
        return self._go(f"/sheet/{sheet.token}")

    async def send(self, request: Request) -> Response:
        """Complete a sheet with its reasons, or early, with what has been answered."""
        form = await request.form()
        sheet = self._counter.sheet(request.path_params["token"])
        if sheet is None:
            return self._go("/over")
        bits = frozenset(int(str(bit)) for bit in form.getlist("reason") if str(bit).isdecimal() and len(str(bit)) < 3)
        return await self._complete(request, sheet, bits, early=form.get("early") == "yes")

    async def _complete(self, request: Request, sheet: Sheet, bits: frozenset[int], *, early: bool = False) -> Response:
        try:
            done = await run_in_threadpool(partial(self._counter.complete, sheet.token, bits, early=early))
        except ValueError:
            return self._go(f"/sheet/{sheet.token}")
        except StoreError:
            return self._render(request, "failed.html", 503, sheet=sheet)
        return self._go("/thanks" if done else "/over")

    async def back(self, request: Request) -> Response:
        """Show the question before."""
        sheet = self._counter.go_back(request.path_params["token"])
        return self._go("/over" if sheet is None else f"/sheet/{sheet.token}")

    async def cancel(self, request: Request) -> Response:
        """Leave without rating, by the button."""
        self._counter.abandon(request.path_params["token"])
        return self._go("/")

    async def left(self, request: Request) -> Response:
        """Nobody is there any more, says the page: the overall answer is kept."""
        await run_in_threadpool(self._counter.leave, request.path_params["token"])
        return self._go("/")

    async def aloud(self, request: Request) -> Response:
        """A question and its scale, read by a machine. Public words alone: which answer was touched is not in them."""
        number = request.path_params["number"]
        questionnaire = self._counter.questionnaire
        if not 1 <= number <= len(questionnaire.questions):
            return Response(status_code=404)
        asked = [questionnaire.questions[number - 1].text, *questionnaire.scale]
        return await self._read(request, asked)

    async def stay(self, request: Request) -> Response:
        """Somebody touched the screen."""
        sheet = self._counter.sheet(request.path_params["token"])
        return Response(status_code=204 if sheet is not None else 410)

    async def became(self, request: Request) -> Response:
        """A sentence about what became of a touch."""
        heading, hint, mood = BECAME[self._path(request)]
        return self._render(request, "message.html", heading=heading, hint=hint, mood=mood)


def _own_path(form: FormData) -> str:
    """The page that a form came from, where it is one of this box's."""
    target = str(form.get("path", "/"))
    return target if target.startswith("/") and not target.startswith("//") else "/"


def make_app(
    tablets: CounterTablet | Sequence[CounterTablet],
    events: QueueEvents | None = None,
    status: Callable[[], Mapping[str, Any]] = dict,
    host: str = "",
) -> Starlette:
    """The application of one address: the pages of one tablet, or of several, each below its `base`, with a page at `/`
    that names them. `events`: the queue system's are taken here; None: not here. `status`: told at `/status`. `host`:
    the configured address."""

    first = tablets if isinstance(tablets, CounterTablet) else next(iter(tablets), None)

    async def show_status(request: Request) -> Response:
        """For programs as JSON; for a technician's browser as a page."""
        told = dict(status())
        if first is not None and "text/html" in request.headers.get("accept", ""):
            return _Pages(first).status(request, told)
        return JSONResponse(told)

    routes: list[BaseRoute] = [Route("/status", show_status), Mount("/static", StaticFiles(directory=_HERE / "static"))]
    if events is not None:
        routes += events.routes()
    middleware = [Middleware(Guard, host=host)]
    if isinstance(tablets, CounterTablet):
        routes += _Pages(tablets).routes()
        if tablets.pairing is not None:
            middleware.append(Middleware(PairedOnly, pairing=tablets.pairing))
        return Starlette(routes=routes, middleware=middleware)
    for tablet in tablets:
        own = [] if tablet.pairing is None else [Middleware(PairedOnly, pairing=tablet.pairing, base=tablet.pages.base)]
        routes.append(Mount(tablet.pages.base, routes=_Pages(tablet).routes(), middleware=own))
    routes.append(Route("/", _which_counter(tablets)))
    return Starlette(routes=routes, middleware=middleware)


def _which_counter(tablets: Sequence[CounterTablet]) -> Callable[[Request], Awaitable[Response]]:
    """The page at `/` of several counters, for whoever sets a tablet up: it names them, and nothing of them."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )

    async def show(_request: Request) -> Response:
        pages = [tablet.pages for tablet in tablets]
        lang = pages[0].language if pages else DEFAULT
        return HTMLResponse(
            templates.get_template("counters.html").render(_=translator(lang), language=lang, all=pages)
        )

    return show
