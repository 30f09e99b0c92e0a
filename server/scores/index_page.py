"""The SIPAS index as a page, as JSON, and as a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from pipeline.calendar import parse_period
from pipeline.errors import InvalidError
from pipeline.instruments import Instrument, load_instrument, shipped_instruments
from pipeline.language import Message, in_language
from server.auth.roles import User
from server.catalogue.reading import exists, read_catalogue
from server.core.labels import DIMENSION_NAMES, POOLING_NAMES
from server.feedback.feedback import counts
from server.ratings.batches import unfinished
from server.scores.figures import Place
from server.scores.fused import newest_period, rated_quarters
from server.scores.index import DIMENSIONS, WHOLE, IndexResult, compute_index
from server.scores.standings import held_index, known_standings
from server.store.channels import CHANNELS
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, render
from server.web.listing import holds, listing

router = APIRouter()

PeriodText = Annotated[str, Query(max_length=30)]
Code = Annotated[str, Query(max_length=40)]
Number = Annotated[int, Query(ge=1, le=100_000)]
PATH = "/survey/index"


def index_for(
    connection: Connection, user: User, period_text: str, instrument: Instrument, by: str | None = None
) -> IndexResult:
    """The index that a user may see: of the province and the places of a dimension, or None: of all dimensions; an
    agency reader's own agency alone."""
    period = parse_period(period_text) if period_text else newest_period(connection, user.province_id)
    if user.agency_id is None:
        if by is None:
            return compute_index(connection, user.province_id, instrument, period)
        return held_index(connection, user.province_id, instrument, period, by)
    result = held_index(connection, user.province_id, instrument, period)
    own = read_catalogue(connection, user.province_id).agencies[user.agency_id].code
    return IndexResult(
        **{name: getattr(result, name) for name in IndexResult.__slots__ if name not in _NARROWED},
        places=tuple(place for place in result.places if place.key == own),
        effects=(),
        set_aside=tuple(one for one in result.set_aside if one.agency == own),
    )


_NARROWED = ("places", "effects", "set_aside")


@router.get(PATH, include_in_schema=False)
def index_page(
    request: Request,
    user: ScoreReader,
    period: PeriodText = "",
    instrument: Code = "2640",
    by: Code = "agency",
    item: Code = WHOLE,
    q: Annotated[str, Query(max_length=80)] = "",
    sort: Code = "",
    page: Number = 1,
    cases: Number = 1,
    aside: Number = 1,
) -> Response:
    """The table of one dimension and figure, the criteria of all, effects of channels, what is set aside."""
    questionnaire = load_instrument(instrument)
    if by not in DIMENSIONS:
        raise InvalidError(
            Message("There is no dimension '{by}'.", by=by),
            Message("Known: {dimensions}.", dimensions=", ".join(DIMENSIONS)),
        )
    with read(engine_of(request)) as connection:
        result = index_for(connection, user, period, questionnaire, by)
        periods = rated_quarters(connection, user.province_id)
        missing = unfinished(connection, user.province_id)
        agencies = read_catalogue(connection, user.province_id).agencies
        complaints = counts(connection, user.province_id, parse_period(result.period))
        standing = None
        if user.agency_id is None and (by, item, q, page) == ("agency", WHOLE, "", 1):
            standing = known_standings(connection, user.province_id, parse_period(result.period))
            if standing and standing.instrument != questionnaire:
                standing = None
    if user.agency_id is not None:
        by = "agency"
        complaints = [one for one in complaints if one.agency_id == user.agency_id]
    items = [
        WHOLE,
        "overall",
        *(b.code for b in questionnaire.blocks if questionnaire.of_block(b.code)),
        *(f.code for f in questionnaire.factors),
        *(i.code for i in questionnaire.scored),
    ]
    if item not in items:
        raise InvalidError(
            Message("There is no figure '{item}'.", item=item),
            Message("Choose one from the list."),
        )
    head = result.of("province") or result.of("agency")
    asked = {"period": period, "instrument": "" if instrument == "2640" else instrument, "q": q, "sort": sort}
    asked |= {"by": "" if by == "agency" else by, "item": "" if item == WHOLE else item}
    asked |= {name: str(n) for name, n in (("page", page), ("cases", cases), ("aside", aside)) if n > 1}
    lang = language(request)
    keys: dict[str, Callable[[Place], float | str | None]] = {
        "name": lambda place: in_language(place.name, lang).casefold(),
        "sheets": lambda place: place.sheets,
        "response": lambda place: place.response_rate,
        "index": lambda place: place.figure(item).index,
    }
    by_code = {agency.code: agency for agency in agencies.values()}
    first_day = parse_period(result.period).first_day
    ended = {one.code for one in agencies.values() if not exists(None, one.last_day, first_day)}
    found = [
        place
        for place in result.of(by)
        if holds(q, *place.name.texts, place.key) and (by != "agency" or place.sheets or place.key not in ended)
    ]
    return render(
        request,
        "survey_index.html",
        result=result,
        period=parse_period(result.period),
        instrument=questionnaire,
        instruments=shipped_instruments(),
        unfinished=missing,
        periods=periods,
        by=by,
        item=item,
        items=items,
        whole=head[0] if head else None,
        standing=standing,
        q=q,
        table=listing(PATH, asked, found, keys, sort=sort, page=page),
        dimensions=DIMENSION_NAMES,
        channels=CHANNELS.names,
        pooling=POOLING_NAMES[result.pooling],
        complaints=listing(PATH, asked, complaints, {}, sort="", page=cases, name="cases"),
        set_aside=listing(PATH, asked, result.set_aside, {}, sort="", page=aside, name="aside"),
        agencies=agencies,
        by_code=by_code,
    )


@router.get("/api/v1/index", tags=["index"])
def index_json(
    request: Request, user: ScoreReader, period: PeriodText = "", instrument: Code = "2640"
) -> dict[str, Any]:
    """The whole index: every dimension and figure, as `hailong server score --json` prints it (without the fused)."""
    with read(engine_of(request)) as connection:
        return index_for(connection, user, period, load_instrument(instrument)).to_dict()
