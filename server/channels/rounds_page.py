"""Home of the survey: rounds, one-time links and QR codes, gateways."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from pipeline.calendar import day_date, day_index, parse_period, today
from pipeline.errors import NotFoundError
from pipeline.instruments import shipped_instruments
from pipeline.language import Joined, Message, Text
from server.auth.roles import User
from server.catalogue.reading import Named, read_catalogue
from server.channels.gateway.gateway import gateways_of, make_gateway, renew_key
from server.channels.online.invitations import issue, returns
from server.core.labels import INSTRUMENT_PARTS
from server.ratings.closing import close_period, closed_through
from server.rounds.returns import round_returns
from server.rounds.rounds import Round, all_rounds, ask_half_with, find_round, make_round, switch_round
from server.store.engine import read, write
from server.tabular.writing import CsvWriter
from server.web.confirm import FOR_GOOD, AskFirst, Sure
from server.web.context import (
    GroupNumber,
    RowId,
    SurveyManager,
    back,
    download,
    engine_of,
    language,
    province_of,
    public_address,
    render,
    web,
)
from server.web.names import GivenNames, name_fields

router = APIRouter(prefix="/survey", include_in_schema=False)
_CLOSED_BOOKS = Message(
    "What comes later for these periods is set aside and does not count, and their counts of dossiers stay as they are."
)


@router.get("/rounds")
def rounds_page(request: Request, user: SurveyManager) -> Response:
    """The province's rounds and a form for a new one."""
    with read(engine_of(request)) as connection:
        found = all_rounds(connection, user.province_id)
        closed = closed_through(connection, user.scope)
        how_far = round_returns(connection, user.province_id, found)
    return render(
        request,
        "survey_rounds.html",
        rounds=found,
        name_fields=name_fields(),
        returns=how_far,
        instruments=shipped_instruments(),
        today=today(),
        closed="" if closed is None else closed.words(language(request)),
    )


@router.post("/closing")
def close_books(
    request: Request, user: SurveyManager, period: Annotated[str, Form(max_length=30)], sure: Sure = False
) -> Response:
    """Close everything up to the end of a period: what comes later for it is set aside."""
    chosen = parse_period(period)
    with write(engine_of(request)) as connection:
        close_period(connection, user.scope, chosen, user.user_id)
        if not sure:
            raise AskFirst(
                Message("Close all periods up to the end of {period}?", period=chosen.words(language(request))),
                then=Joined((_CLOSED_BOOKS, FOR_GOOD), " "),
                yes=Message("Close for good"),
                fields={"period": period},
                back="/survey/rounds",
            )
    return back("/survey/rounds")


@router.post("/rounds")
def new_round(
    request: Request,
    user: SurveyManager,
    code: Annotated[str, Form(max_length=40)],
    names: GivenNames,
    instrument: Annotated[str, Form(max_length=40)],
    first: Annotated[date, Form()],
    last: Annotated[date, Form()],
    second: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Make a round."""
    with write(engine_of(request)) as connection:
        made = make_round(
            connection,
            user.province_id,
            code=code.strip(),
            name=Text.of_row(names),
            instrument=instrument,
            first_day=day_index(first),
            last_day=day_index(last),
            user_id=user.user_id,
        )
        if second:
            ask_half_with(connection, user.province_id, made, second, user.user_id)
    return back(f"/survey/rounds/{made.id}")


@router.get("/rounds/{round_id}")
def round_page(request: Request, user: SurveyManager, round_id: RowId) -> Response:
    """One round: links, gateways, ways to the other pages."""
    with read(engine_of(request)) as connection:
        found = find_round(connection, user.province_id, round_id=round_id)
        catalogue = read_catalogue(connection, user.province_id)
        issued = returns(connection, user.scope, found)
        known = gateways_of(connection, user.scope, round_id)
        how_far = round_returns(connection, user.province_id, [found])[round_id]
    return render(
        request,
        "survey_round.html",
        parts=INSTRUMENT_PARTS,
        round=found,
        instrument=found.load_instrument(),
        catalogue=catalogue,
        agencies=catalogue.existing(today()),
        issued=issued,
        returns=how_far,
        gateways=known,
        key="",
    )


@router.post("/rounds/{round_id}/close")
def close(request: Request, user: SurveyManager, round_id: RowId, sure: Sure = False) -> Response:
    """Take no more answers."""
    with write(engine_of(request)) as connection:
        found = find_round(connection, user.province_id, round_id=round_id)
        switch_round(connection, user.province_id, round_id, False, user.user_id)
        if not sure:
            raise AskFirst(
                Message("Close the round “{round}”?", round=found.name),
                then=Message("Its links, QR codes and gateways take no more answers. You can open it again."),
                yes=Message("Close the round"),
                back=f"/survey/rounds/{round_id}",
            )
    return back(f"/survey/rounds/{round_id}")


@router.post("/rounds/{round_id}/open")
def open_again(request: Request, user: SurveyManager, round_id: RowId) -> Response:
    """Take answers again, within the round's days: what closing did is taken back."""
    with write(engine_of(request)) as connection:
        switch_round(connection, user.province_id, round_id, True, user.user_id)
    return back(f"/survey/rounds/{round_id}")


@router.post("/rounds/{round_id}/links")
def links(
    request: Request,
    user: SurveyManager,
    round_id: RowId,
    agency: Annotated[RowId, Form()],
    group: Annotated[GroupNumber, Form()] = 0,
    count: Annotated[int, Form(ge=1, le=10_000)] = 1,
    days: Annotated[int, Form(ge=1, le=366)] = 30,
) -> Response:
    """One-time links, as a table and as a sheet of QR codes of the same links, in one ZIP: they are shown this once
    and stored nowhere."""
    found, named, urls = _issued(request, user, round_id, agency, group, count, days)
    from server.channels.online.qr_print import qr_sheet

    out = io.StringIO()
    rows = CsvWriter(out)
    rows.row(["link", "agency", "service_group", "valid_until"])
    for url in urls:
        rows.row([url, named.code, group, day_date(today() + days).isoformat()])
    both = io.BytesIO()
    with zipfile.ZipFile(both, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"duong-dan-{named.code}.csv", "\ufeff" + out.getvalue())
        archive.writestr(f"ma-qr-{named.code}.pdf", qr_sheet(urls, named.name, found.name, language(request)))
    return download(both.getvalue(), f"duong-dan-{named.code}.zip", "application/zip")


@router.post("/rounds/{round_id}/poster")
def wall_poster(
    request: Request,
    user: SurveyManager,
    round_id: RowId,
    agency: Annotated[RowId, Form()],
    group: Annotated[GroupNumber, Form()] = 0,
    days: Annotated[int, Form(ge=1, le=366)] = 30,
) -> Response:
    """A poster for an agency's wall, with new one-time links to tear off."""
    from server.channels.online.qr_print import SLIPS, poster

    found, named, urls = _issued(request, user, round_id, agency, group, SLIPS, days)
    simulated = province_of(request, user).simulated
    made = poster(urls, named.name, found.name, language(request), simulated=simulated)
    return download(made, f"ap-phich-{named.code}.pdf", "application/pdf")


def _issued(
    request: Request, user: User, round_id: int, agency: int, group: int, count: int, days: int
) -> tuple[Round, Named, list[str]]:
    """New one-time links of an agency, by their addresses."""
    with write(engine_of(request)) as connection:
        found = find_round(connection, user.province_id, round_id=round_id)
        catalogue = read_catalogue(connection, user.province_id)
        named = catalogue.existing_one(agency, today())
        if group and group not in catalogue.groups:
            raise NotFoundError(Message("There is no such agency or field."))
        tokens = issue(
            connection,
            user.province_id,
            round_id,
            agency,
            service_group=group,
            count=count,
            days=days,
            user_id=user.user_id,
        )
    base = public_address(request)
    return found, named, [f"{base}/s/{token}" for token in tokens]


@router.post("/rounds/{round_id}/gateways")
def gateway(
    request: Request,
    user: SurveyManager,
    round_id: RowId,
    code: Annotated[str, Form(max_length=40)],
    kind: Annotated[str, Form(pattern="^(sms|call|portal|one_stop)$")],
) -> Response:
    """Make a gateway; its key is shown this once."""
    with write(engine_of(request)) as connection:
        sealed_under = web(request).gateway_key
        key = make_gateway(connection, user.province_id, code.strip(), kind, round_id, user.user_id, sealed_under)
    return render(request, "survey_gateway.html", code=code.strip(), kind=kind, key=key, round_id=round_id)


@router.post("/rounds/{round_id}/gateways/key")
def new_key(
    request: Request,
    user: SurveyManager,
    round_id: RowId,
    code: Annotated[str, Form(max_length=40)],
    sure: Sure = False,
) -> Response:
    """Give a gateway a new key, shown this once; the old one ends."""
    with write(engine_of(request)) as connection:
        kind, key = renew_key(connection, user.scope, round_id, code, user.user_id, web(request).gateway_key)
        if not sure:
            raise AskFirst(
                Message("Give the gateway {code} a new key?", code=code),
                then=Joined((Message("What signs with the old key is turned away from now on."), FOR_GOOD), " "),
                yes=Message("New key"),
                fields={"code": code},
                back=f"/survey/rounds/{round_id}",
            )
    return render(request, "survey_gateway.html", code=code, kind=kind, key=key, round_id=round_id)
