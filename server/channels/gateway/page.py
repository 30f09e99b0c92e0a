"""The interface that gateways call: SMS, the 1022 call centre, and the province's portal (one-time links)."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from anyio import to_thread
from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.calendar import today
from pipeline.errors import NotFoundError
from pipeline.language import Message
from server.catalogue.reading import read_catalogue
from server.catalogue.succession import existing_successor
from server.channels.gateway.gateway import Gateway, find_gateway, is_first, is_genuine, next_to_ask, receive
from server.channels.gateway.signing import Call
from server.channels.online.invitations import issue, links_of_portal
from server.channels.online.receipts import LINKS_A_DAY
from server.channels.pages import public_limit, watch_of
from server.core.scope import Scope
from server.store.engine import read, write
from server.tabular.values import read_phone
from server.web.context import engine_of, no_csrf, public_address, web

router = APIRouter(prefix="/gateway", tags=["gateways"])
MAX_BODY_BYTES = 8_192


class Body(BaseModel):
    """What a gateway sends or gets: nothing that is not named, and no `true` as the number 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Incoming(Body):
    """A message or key of a person."""

    event: Annotated[str, Field(min_length=1, max_length=200)]
    """The gateway's id of this event: a repeated one gets the same reply."""
    phone: Annotated[str, Field(min_length=8, max_length=20)]
    text: Annotated[str, Field(max_length=400)] = ""
    """Text of the message or the key pressed; empty when a call begins; `#` when it ends."""


class Spoken(Body):
    """What the gateway says."""

    reply: str
    end: bool


class Wanted(Body):
    """Numbers that the gateway is ready to ask."""

    count: Annotated[int, Field(ge=1, le=500)] = 50


class ToAsk(Body):
    """A number and its first message."""

    phone: str
    text: str


class LinkWanted(Body):
    """The portal wants a one-time link for somebody who has finished a transaction."""

    agency: Annotated[str, Field(max_length=40)]
    service_group: Annotated[int, Field(ge=0, le=255)] = 0


class Link(Body):
    """A one-time link, and the same page for a frame."""

    url: str
    embed: str


_Model = TypeVar("_Model", bound=Body)


async def signed(request: Request, code: str, model: type[_Model], kinds: tuple[str, ...]) -> tuple[Gateway, _Model]:
    """The gateway that signed this call, and its body. 401 for anything else."""
    public_limit(request, "gateway", 6_000, 60.0)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, "The body is too large.")

    def look_up() -> Gateway | None:
        with read(engine_of(request)) as connection:
            return find_gateway(connection, code, web(request).gateway_key)

    gateway = await to_thread.run_sync(look_up)
    names = ("x-hailong-time", "x-hailong-nonce", "x-hailong-signature")
    time_text, nonce, signature = (request.headers.get(name, "") for name in names)
    call = Call(request.method, request.url.path, time_text, nonce, body)
    if gateway is None or gateway.kind not in kinds or not is_genuine(gateway, call, signature):
        raise HTTPException(401, "The signature does not fit, or is older than five minutes.")

    def take() -> bool:
        with write(engine_of(request)) as connection:
            return is_first(connection, gateway, call)

    if not await to_thread.run_sync(take):
        raise HTTPException(409, "This call has been taken before: sign every call with a new nonce.")
    try:
        found = model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise HTTPException(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    said = [name for name, _ in json.loads(body, object_pairs_hook=list)]
    if len(said) != len(set(said)):
        raise HTTPException(422, "A name stands twice in the body.")
    return gateway, found


def documented(model: type[BaseModel], *, named: bool = False) -> dict[str, Any]:
    """What the OpenAPI description says about a signed call's headers and body (the body is read raw, to be signed).
    `named`: the gateway's code is a header, not a part of the path."""
    header = {"in": "header", "required": True, "schema": {"type": "string"}}
    return {
        "parameters": [
            *([{"name": "X-Hailong-Gateway", "description": "the gateway's code", **header}] if named else []),
            {"name": "X-Hailong-Time", "description": "Unix seconds, at most 300 s off", **header},
            {"name": "X-Hailong-Nonce", "description": "16 to 64 letters, digits, - or _, new in every call", **header},
            {
                "name": "X-Hailong-Signature",
                "description": "hex HMAC-SHA-256 under the gateway's key over method, path, time and nonce, each "
                "ended by a line break, and the body",
                **header,
            },
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}},
    }


SIGNED: dict[int | str, dict[str, Any]] = {
    401: {"description": "Signature missing, wrong or old"},
    409: {"description": "This call has been taken before"},
    422: {"description": "Body not understood"},
}


@router.post("/{code}/events", response_model=Spoken, responses=SIGNED, openapi_extra=documented(Incoming))
@no_csrf
async def event(request: Request, code: str) -> Spoken:
    """One inbound message or key (body: `Incoming`); the reply is to be sent or spoken."""
    gateway, incoming = await signed(request, code, Incoming, ("sms", "call"))
    try:
        phone = read_phone(incoming.phone)
    except ValueError:
        raise HTTPException(422, "phone: no phone number") from None

    def work() -> Spoken:
        with write(engine_of(request)) as connection:
            watch = watch_of(request, gateway.province_id)
            found = receive(connection, gateway, incoming.event, phone, incoming.text, watch)
        return Spoken(reply=found.reply, end=found.end)

    return await to_thread.run_sync(work)


@router.post("/{code}/next", response_model=list[ToAsk], responses=SIGNED, openapi_extra=documented(Wanted))
@no_csrf
async def to_ask(request: Request, code: str) -> list[ToAsk]:
    """Numbers to ask next (body: `Wanted`), each with its first message; they count as asked."""
    gateway, wanted = await signed(request, code, Wanted, ("sms", "call"))

    def work() -> list[ToAsk]:
        with write(engine_of(request)) as connection:
            return [ToAsk(**row) for row in next_to_ask(connection, gateway, wanted.count)]

    return await to_thread.run_sync(work)


@router.post("/{code}/links", response_model=Link, responses=SIGNED, openapi_extra=documented(LinkWanted))
@no_csrf
async def link(request: Request, code: str) -> Link:
    """A one-time link for the portal (body: `LinkWanted`)."""
    gateway, wanted = await signed(request, code, LinkWanted, ("portal",))

    def work() -> str:
        with write(engine_of(request)) as connection:
            try:
                named = read_catalogue(connection, gateway.province_id).agency(wanted.agency)
            except NotFoundError as error:
                raise HTTPException(422, error.message) from None
            scope = Scope(gateway.province_id)
            agency_id = existing_successor(connection, scope, named.id, today())
            if links_of_portal(connection, scope, gateway.round_id, agency_id) >= LINKS_A_DAY:
                raise HTTPException(409, Message("This unit has had {most} new links today.", most=LINKS_A_DAY))
            return issue(
                connection, gateway.province_id, gateway.round_id, agency_id, service_group=wanted.service_group
            )[0]

    token = await to_thread.run_sync(work)
    base = public_address(request)
    return Link(url=f"{base}/s/{token}", embed=f"{base}/embed/{token}")
