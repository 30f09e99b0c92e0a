"""Events of the queue system over local HTTP: `POST /visit/start` and `POST /visit/end`, with the shared token.

    curl -X POST http://127.0.0.1:8090/visit/start -H "X-Queue-Token: ..." -d '{"service_group": 3}'
    curl -X POST http://127.0.0.1:8090/visit/end -H "X-Queue-Token: ..."

The group of the service (0..255, public list) is all that is taken: no ticket number, no name. Where the box has
several counters, an event names one (`{"counter": "A1", "service_group": 3}`); one that is not there is answered with
404 and counted. A sender that had no answer sends again: the same event of a counter within five seconds is the same
call, answered as the first was. Unknown keys are refused. They may have an address of their own (`[queue] port`), so
that the queue system's network reaches nothing of the tablet: whoever reaches that can rate and opt out.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.capture.queue_calls import COUNTER, FLOOD, MALFORMED, MAX_SERVICE_GROUP, Call, QueueCalls
from edge.queue_section import MAX_NAME
from edge.tablet.counter import Counter
from edge.tablet.guard import Guard

_MAX_BODY_BYTES = 1_024
TOKEN_HEADER = "x-queue-token"  # noqa: S105  (a header's name)


class VisitEvent(BaseModel):
    """Body of an event; may be left out where the box has one counter."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    counter: Annotated[str, Field(max_length=MAX_NAME)] = ""


class VisitStart(VisitEvent):
    """Body of `/visit/start`."""

    service_group: Annotated[int, Field(ge=0, le=MAX_SERVICE_GROUP)] = 0


Event = TypeVar("Event", bound=VisitEvent)


class QueueEvents:
    """The queue system's two addresses. `counters`: by the name that the queue system gives them; `token`: what it
    sends. `calls`: with what was handed on, and dropped by reason: `queue_token`, `queue_malformed`, `queue_counter`,
    `queue_duplicate`, `queue_flood`."""

    def __init__(self, counters: Mapping[str, Counter], token: str) -> None:
        self.calls, self._token = QueueCalls(counters), token
        self.tallies = self.calls.tallies

    def routes(self) -> list[Route]:
        """They answer 204, or 401 (token), 404 (counter), 413 or 422 (body), 429 (more than people can call)."""
        return [
            Route("/visit/start", self._start, methods=["POST"]),
            Route("/visit/end", self._end, methods=["POST"]),
        ]

    async def _start(self, request: Request) -> Response:
        event = await self._read(request, VisitStart)
        if isinstance(event, Response):
            return event
        return await self._hand_on(Call(event.counter, service_group=event.service_group))

    async def _end(self, request: Request) -> Response:
        event = await self._read(request, VisitEvent)
        return event if isinstance(event, Response) else await self._hand_on(Call(event.counter, ends=True))

    async def _hand_on(self, call: Call) -> Response:
        reason = await run_in_threadpool(self.calls.take, call, is_told_apart=False)
        if reason == COUNTER:
            return _problem(404, "There is no such counter at this box: name one of its queue_id.")
        if reason == FLOOD:
            return _problem(429, "More calls than people can make: those were passed over.")
        return Response(status_code=204)

    async def _read(self, request: Request, kind: type[Event]) -> Event | Response:
        """The event, or why it is not taken."""
        if not secrets.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), self._token.encode()):
            self.tallies.drop("queue_token")
            return _problem(401, "The token is missing or wrong: send it as X-Queue-Token.")
        body = await _body(request)
        if body is None:
            return _problem(413, "The body is too large.")
        try:
            return kind.model_validate_json(body or b"{}")
        except ValidationError:
            self.tallies.drop(MALFORMED)
            return _problem(422, 'The body is {"counter": "...", "service_group": 0..255}, nothing else.')


def make_queue_app(events: QueueEvents, host: str = "") -> Starlette:
    """The events alone, for an address of their own."""
    return Starlette(routes=events.routes(), middleware=[Middleware(Guard, host=host)])


async def _body(request: Request) -> bytes | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY_BYTES:
            return None
    return body


def _problem(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
