"""What people wrote with their sheets, for those who are responsible: masked, by topic, in no order of arrival."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pipeline.calendar import month_words
from server.catalogue.agencies import read_agencies
from server.core.labels import COMMENT_CODES
from server.ratings.comments import Said, said
from server.scores.asked import asked_period, own_agency
from server.scores.fused import rated_quarters
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, render
from server.web.listing import holds, listing

router = APIRouter(include_in_schema=False)
Words = Annotated[str, Query(max_length=80)]
UNSORTED = "unsorted"
"""The topic of texts that nobody has sorted yet."""


@router.get("/comments")
def comments_page(
    request: Request,
    user: ScoreReader,
    period: Words = "",
    agency: Words = "",
    topic: Words = "",
    q: Words = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """The texts of a period that may be read, found by agency, topic and words."""
    chosen = asked_period(request, user, period)
    own = own_agency(request, user, agency or None) if agency or user.agency_id is not None else None
    scope = user.scope if own is None else user.scope.of_agency(own.agency_id)
    with read(engine_of(request)) as connection:
        found = said(connection, scope, chosen)
        periods = rated_quarters(connection, user.province_id)
        agencies = read_agencies(connection, user.province_id, user.agency_id)
    topics = {one.code or UNSORTED for one in found}

    def fits(one: Said) -> bool:
        return (not topic or topic == (one.code or UNSORTED)) and holds(q, one.text)

    asked = {"period": period, "agency": agency, "topic": topic, "q": q}
    return render(
        request,
        "comments.html",
        period=chosen,
        periods=periods,
        own=own,
        agency=agency,
        agencies=agencies,
        topic=topic,
        topics={code: name for code, name in COMMENT_CODES.items() if code in topics},
        names=COMMENT_CODES,
        unsorted=UNSORTED if UNSORTED in topics else "",
        q=q,
        table=listing("/comments", asked, [one for one in found if fits(one)], {}, sort="", page=page),
        month_words=month_words,
    )
