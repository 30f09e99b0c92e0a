"""The technician's page: how every counter of the box is, in one table, on this machine's own address alone.

Never a picture: the citizen's region is drawn over a synthetic grid. Nothing that tells of one visit: figures are of
whole minutes, and where consent is asked there are none of a counter's camera and microphone, as they would tell who
agreed; what is lost is told there with the next day, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from edge.capture.quality import NOTICES
from edge.counters import CounterSection
from edge.tablet.app import page_base
from edge.tablet.guard import Guard
from pipeline.language import NOTHING, Joined, Message, Sentence, language, languages, translator
from pipeline.wire import BoxState

if TYPE_CHECKING:
    from edge.box import Box
    from edge.perception.watched import Watched

_TABLET = Path(__file__).parent / "tablet"
GRID = (16, 9)
"""Cells of the grid over which a region is drawn."""


@dataclass(frozen=True, slots=True)
class CounterState:
    """One counter's row. `pictures_per_s`: what its camera gave in the last whole minute, and `looked_share`: of the
    pictures that were due, those that somebody had time for; None where it is not known or not told."""

    name: str
    label: str
    agency: str
    pool: int
    page: str
    """Address of its tablet's page."""
    camera: Sentence
    microphone: Sentence
    tablet: Sentence
    problem: Sentence
    """What was told last, in words; empty where nothing is wrong."""
    notices: Sequence[Sentence] = ()
    """What is poor about the one picture that was read at the start."""
    region: tuple[tuple[float, float], ...] = ()
    pictures_per_s: float | None = None
    looked_share: float | None = None

    @property
    def polygon(self) -> str:
        """The region's corners, as an SVG polygon over the grid has them."""
        return " ".join(f"{x * GRID[0]:.3f},{y * GRID[1]:.3f}" for x, y in self.region)


@dataclass(frozen=True, slots=True)
class HallState:
    """The whole box. `provider`: where networks are computed; empty: nothing is analysed."""

    agency: str
    state: Sentence
    provider: str
    basis: str
    problem: str
    counters: Sequence[CounterState]


def make_hall_app(state: Callable[[], HallState], lang: str) -> Starlette:
    """The page, at `/`; `lang`: its language, unless the address asks for another one (`?language=en`)."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TABLET / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )

    def show(request: Request) -> Response:
        asked = request.query_params.get("language", "")
        chosen = asked if asked in languages() else lang
        page = templates.get_template("hall.html").render(
            _=translator(chosen),
            language=chosen,
            languages=[(code, language(code).name) for code in languages() if code != chosen],
            hall=state(),
            grid=GRID,
        )
        return HTMLResponse(page)

    routes = [Route("/", show), Mount("/static", StaticFiles(directory=_TABLET / "static"))]
    return Starlette(routes=routes, middleware=[Middleware(Guard)])


_STATES = {
    BoxState.OK: Message("Working"),
    BoxState.STARTING: Message("Starting"),
    BoxState.BUDGET_REFUSED: Message("Privacy budget refused"),
    BoxState.DISK_FULL: Message("Disk full"),
    BoxState.CLOCK_UNTRUSTED: Message("Clock not trusted"),
    BoxState.CAMERA_LOST: Message("Camera lost"),
    BoxState.MICROPHONE_LOST: Message("Microphone lost"),
    BoxState.ANALYSIS_OFF: Message("Analysis is off"),
}


def hall_state(box: Box) -> HallState:
    """How a box and its counters are now."""
    config = box.config
    return HallState(
        config.box.agency_label,
        _STATES[box.health.state],
        "" if box.analysis is None else ("CPU", "GPU")[box.analysis.provider],
        config.legal.basis,
        box.curator.problem or box.sender.problem or _queue_problem(box),
        [_counter_state(box, counter) for counter in config.counters],
    )


def _queue_problem(box: Box) -> str:
    """Why no call reaches the box, or what was odd in those that did, since it began."""
    way = box.queue_reader or box.events
    oddities = () if way is None else way.calls.oddities
    return box.queue_problem or (Joined(oddities, " ") if oddities else NOTHING)


def _counter_state(box: Box, counter: CounterSection) -> CounterState:
    config, watched = box.config, box.watched(counter.name)
    told = {} if watched is None else watched.told
    asks = config.legal.asks_consent
    server = box.own_tablets.get(counter.name, box.tablet)
    host = config.tablet_host(counter)
    minute = None if watched is None or asks else watched.minute
    return CounterState(
        name=counter.name,
        label=counter.label or counter.name,
        agency=counter.agency_label or config.box.agency_label,
        pool=config.pool_of(counter),
        page=f"http://{f'[{host}]' if ':' in host else host}:{server.port}{page_base(config, counter)}/",
        camera=_source_state(watched, counter.camera.source, BoxState.CAMERA_LOST, asks),
        microphone=_source_state(watched, counter.microphone.source, BoxState.MICROPHONE_LOST, asks),
        tablet=_tablet_state(box, counter),
        problem=Joined(told.values(), " ") if told else NOTHING,
        notices=[] if watched is None else [NOTICES[key] for key in watched.notices],
        region=counter.camera.region,
        pictures_per_s=None if minute is None else minute.pictures_per_s,
        looked_share=None if minute is None else minute.looked_share,
    )


def _source_state(watched: Watched | None, source: int | str, lost: BoxState, asks: bool) -> Sentence:
    if source == "none":
        return Message("none is named")
    if watched is None:
        return Message("closed: nothing is analysed")
    if lost in watched.told:
        return Message("lost")
    return Message("opened when the citizen agrees") if asks else Message("works")


def _tablet_state(box: Box, counter: CounterSection) -> Sentence:
    pairing = box.pairings.get(counter.name)
    if pairing is None:
        return Message("on this machine")
    if pairing.code:
        return Message("waits for its code")
    return Message("paired") if pairing.is_paired else Message("not paired")
