"""Events of the queue system over local HTTP: `POST /visit/start` and `POST /visit/end`, with the shared token.

    curl -X POST http://127.0.0.1:8090/visit/start -H "X-Queue-Token: ..." -d '{"service_group": 3}'
    curl -X POST http://127.0.0.1:8090/visit/end -H "X-Queue-Token: ..."

The group of the service (0..255, public list) is all that is taken: no ticket number, no name. Unknown keys are
refused. They may have an address of their own (`[queue] port`), so that the queue system's network reaches nothing of
the tablet: whoever reaches that can rate and opt out.
"""

from __future__ import annotations

import secrets
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.tablet.counter import Counter
from edge.tablet.guard import Guard

_MAX_BODY_BYTES = 1_024
TOKEN_HEADER = "x-queue-token"  # noqa: S105  (a header's name)


class VisitStart(BaseModel):
    """Body of `/visit/start`; may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    service_group: Annotated[int, Field(ge=0, le=255)] = 0


def make_queue_app(counter: Counter, token: str, host: str = "") -> Starlette:
    """The events alone, for an address of their own."""
    return Starlette(routes=queue_routes(counter, token), middleware=[Middleware(Guard, host=host)])


def queue_routes(counter: Counter, token: str) -> list[Route]:
    """The two addresses. Answers 204, or 401 (token), 413 or 422 (body)."""

    def is_known(request: Request) -> bool:
        return secrets.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), token.encode())

    async def start(request: Request) -> Response:
        if not is_known(request):
            counter.tallies.drop("queue_token")
            return _problem(401, "The token is missing or wrong: send it as X-Queue-Token.")
        body = await _body(request)
        if body is None:
            return _problem(413, "The body is too large.")
        try:
            event = VisitStart.model_validate_json(body or b"{}")
        except ValidationError:
            counter.tallies.drop("queue_malformed")
            return _problem(422, 'The body is {"service_group": 0..255}, nothing else.')
        await run_in_threadpool(counter.queue_started, event.service_group)
        return Response(status_code=204)

    async def end(request: Request) -> Response:
        if not is_known(request):
            counter.tallies.drop("queue_token")
            return _problem(401, "The token is missing or wrong: send it as X-Queue-Token.")
        await run_in_threadpool(counter.queue_ended)
        return Response(status_code=204)

    return [Route("/visit/start", start, methods=["POST"]), Route("/visit/end", end, methods=["POST"])]


async def _body(request: Request) -> bytes | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY_BYTES:
            return None
    return body


def _problem(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
