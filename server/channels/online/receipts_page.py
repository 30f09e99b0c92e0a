"""The interface that the one-stop software calls for a receipt, and the page of response rates."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import Field

from pipeline.calendar import month_of_day, parse_period, period_of_months, today
from pipeline.errors import ConflictError, HailongError
from server.catalogue.reading import read_catalogue
from server.channels.gateway.page import SIGNED, Body, documented, signed
from server.channels.gateway.waves import wave_rates
from server.channels.online.receipts import (
    Bodies,
    DossierCode,
    issue_receipt,
    qr_svg,
    response_rates,
)
from server.core.scope import Scope
from server.store.channels import CHANNELS
from server.store.engine import read, write
from server.web.context import SurveyManager, engine_of, no_csrf, public_address, render, web

router = APIRouter()


class ReceiptWanted(Body):
    """A dossier has been received, or its result is handed over."""

    dossier: Annotated[str, Field(min_length=8, max_length=60)]
    """`H15.50.05.13-261008-0975`: it makes the token and is kept nowhere."""
    unit: Annotated[str, Field(max_length=40)] = ""
    """Official or own code of the receiving unit, where it is not the one in the dossier's code."""
    service: Annotated[str, Field(max_length=60)] = ""
    """Code of the procedure."""
    handling: Annotated[str, Field(max_length=40)] = ""
    """Official or own code of the body that works on the dossier, where it is another than the receiving unit."""
    deciding: Annotated[str, Field(max_length=40)] = ""
    """Official or own code of the body that decides, where it is another: the result counts there."""


class Receipt(Body):
    """What the receipt shows. The same for the same dossier; whether it was used is told to nobody."""

    url: str
    qr_svg: str


@router.post(
    "/api/receipts",
    tags=["gateways"],
    response_model=Receipt,
    responses=SIGNED,
    openapi_extra=documented(ReceiptWanted, named=True),
)
@no_csrf
async def receipt(request: Request) -> Receipt:
    """A short link and its QR code for a dossier (body: `ReceiptWanted`); the gateway is named by X-Hailong-Gateway."""
    code = request.headers.get("x-hailong-gateway", "")
    gateway, wanted = await signed(request, code, ReceiptWanted, ("one_stop",))

    def work() -> str:
        with write(engine_of(request)) as connection:
            try:
                dossier = DossierCode.read(wanted.dossier)
                scope = Scope(gateway.province_id)
                key = web(request).receipt_key
                bodies = Bodies(wanted.unit, wanted.handling, wanted.deciding)
                return issue_receipt(connection, key, scope, dossier, bodies, service=wanted.service)
            except ConflictError as error:
                raise HTTPException(409, error.message) from None
            except HailongError as error:
                raise HTTPException(422, error.message) from None

    token = await to_thread.run_sync(work)
    base = public_address(request)
    url = f"{base}/s/{token}"
    return Receipt(url=url, qr_svg=qr_svg(url))


@router.get("/survey/response", include_in_schema=False)
def response_page(request: Request, user: SurveyManager, period: Annotated[str, Query(max_length=30)] = "") -> Response:
    """Response rates of one-time links, by procedure and by channel."""
    month = month_of_day(today())
    chosen = parse_period(period) if period else period_of_months(month - month % 3, month - month % 3 + 2)
    with read(engine_of(request)) as connection:
        rates = response_rates(connection, user.scope, chosen)
        channels = response_rates(connection, user.scope, chosen, by_service=False)
        waves = wave_rates(connection, user.scope)
        catalogue = read_catalogue(connection, user.province_id)
    return render(
        request,
        "survey_response.html",
        period=chosen,
        rates=rates,
        channels=channels,
        waves=waves,
        names=CHANNELS.names,
        services=catalogue.services,
    )
