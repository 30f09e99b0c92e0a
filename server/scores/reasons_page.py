"""Why people are not satisfied, for the province and by agency, criterion, channel and month."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup

from pipeline.errors import InvalidError
from pipeline.language import Message, in_language
from server.catalogue.agencies import read_agencies
from server.core.labels import COMMENT_CODES
from server.ratings.comments import coded_counts
from server.scores.asked import asked_period, own_agency
from server.scores.fused import rated_quarters
from server.scores.interval_svg import Interval, interval_plot
from server.scores.reasons import DIMENSIONS, ReasonPlace, reasons_of
from server.scores.standings import main_instrument
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, render
from server.web.listing import listing
from server.web.table_files import table_file

router = APIRouter(include_in_schema=False)
CSV = "text/csv; charset=utf-8"
Words = Annotated[str, Query(max_length=80)]
BY: dict[str, Message] = {
    "criterion": Message("Criterion"),
    "agency": Message("Agency"),
    "channel": Message("Channel"),
    "month": Message("Month"),
}


def reasons_plot(place: ReasonPlace, lang: str, key: str = "reasons-plot") -> Markup:
    """The reasons of a place, the most frequent first."""
    rows = [Interval(in_language(one.name, lang), one.share, one.low, one.high) for one in place.reasons]
    highest = max((row.high for row in rows), default=0.0)
    return interval_plot(rows, lang, key=key, bottom=0.0, top=min(100.0, 10 * (highest // 10 + 1)))


@router.get("/reasons")
def reasons_page(
    request: Request,
    user: ScoreReader,
    period: Words = "",
    by: Words = "criterion",
    agency: Words = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """The reasons of the province (or of one agency), and broken down once."""
    if by not in BY:
        raise InvalidError(
            Message("There is no dimension '{by}'.", by=by),
            Message("Known: {dimensions}.", dimensions=", ".join(DIMENSIONS)),
        )
    chosen = asked_period(request, user, period)
    lang = language(request)
    own = own_agency(request, user, agency or None) if agency or user.agency_id is not None else None
    of = None if own is None else own.agency_id
    by = "criterion" if own is not None and by == "agency" else by
    with read(engine_of(request)) as connection:
        instrument = main_instrument(connection, user.province_id, chosen)
        found = reasons_of(connection, user.province_id, instrument, chosen, "province", of)
        places = reasons_of(connection, user.province_id, instrument, chosen, by, of)
        periods = rated_quarters(connection, user.province_id)
        agencies = read_agencies(connection, user.province_id, user.agency_id)
        wishes = coded_counts(connection, user.scope if own is None else user.scope.of_agency(own.agency_id), chosen)
    head = found[0] if found else None
    asked = {"period": period, "by": by, "agency": agency}
    return render(
        request,
        "reasons.html",
        period=chosen,
        periods=periods,
        instrument=instrument,
        head=head,
        plot=reasons_plot(head, lang) if head else "",
        by=by,
        dimensions={key: name for key, name in BY.items() if own is None or key != "agency"},
        own=own,
        agency=agency,
        agencies=agencies,
        table=listing("/reasons", asked, places, {}, sort="", page=page),
        wishes=[(kind, COMMENT_CODES.get(code, code), count) for kind, code, count in wishes],
    )


@router.get("/reasons.csv")
def reasons_file(
    request: Request, user: ScoreReader, period: Words = "", by: Words = "criterion", agency: Words = ""
) -> Response:
    """The same as a file: a row a place and reason."""
    if by not in DIMENSIONS:
        raise InvalidError(Message("There is no dimension '{by}'.", by=by))
    chosen = asked_period(request, user, period)
    own = own_agency(request, user, agency or None) if agency or user.agency_id is not None else None
    if own is not None and by == "agency":
        by = "province"
    with read(engine_of(request)) as connection:
        instrument = main_instrument(connection, user.province_id, chosen)
        of = None if own is None else own.agency_id
        places = reasons_of(connection, user.province_id, instrument, chosen, by, of)
    rows = [
        {
            "period": chosen.name,
            "dimension": by,
            "name_vi": in_language(place.name, "vi"),
            "reason": reason.code,
            "reason_vi": in_language(reason.name, "vi"),
            "unsatisfied": place.unsatisfied,
            "sheets": reason.sheets,
            "share": round(reason.share, 4),
            "low": round(reason.low, 4),
            "high": round(reason.high, 4),
        }
        for place in places
        for reason in place.reasons
    ]
    return table_file(request, rows, f"ly-do-{chosen.name}.csv")
