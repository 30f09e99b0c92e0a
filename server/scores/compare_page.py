"""Two agencies, or two periods, beside each other: index, factors and criteria, with what may be said of the
difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from pipeline.calendar import Period, parse_period
from pipeline.instruments import Instrument
from pipeline.language import Message, Text, in_language
from server.auth.roles import User
from server.catalogue.agencies import Agency, read_agencies
from server.scores.asked import agency_labels, asked_period, own_agency, typed_agency
from server.scores.comparing import Change, difference
from server.scores.figures import Figure, Place
from server.scores.fused import rated_quarters
from server.scores.index import WHOLE
from server.scores.lines import place_of
from server.scores.standings import held_index, main_instrument
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, render
from server.web.table_files import table_file

router = APIRouter(include_in_schema=False)
Words = Annotated[str, Query(max_length=450)]
CSV = "text/csv; charset=utf-8"
OVERALL_NAME = Message("Overall question")
WHOLE_NAME = Message("Index of the whole")


@dataclass(frozen=True, slots=True)
class Side:
    """One side: an agency (None: the province) in a period. `place`: its figures, None without any."""

    agency: Agency | None
    period: Period
    place: Place | None


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both sides, and the left less the right; the differences of all rows of a kind hold at once."""

    code: str
    name: Text | Message
    kind: str
    left: Figure
    right: Figure
    change: Change | None


def _side(connection: Connection, user: User, instrument: Instrument, agency: Agency | None, period: Period) -> Side:
    result = held_index(connection, user.province_id, instrument, period)
    if agency is None:
        return Side(None, period, result.of("province")[0])
    return Side(agency, period, place_of(result.of("agency"), agency.code))


def _rows(instrument: Instrument, left: Place | None, right: Place | None) -> list[Row]:
    if left is None or right is None:
        return []
    kinds: list[tuple[str, list[tuple[str, Text | Message]]]] = [
        ("index", [(WHOLE, WHOLE_NAME), ("overall", OVERALL_NAME)]),
        ("factor", [(f.code, f.named) for f in instrument.factors]),
        ("criterion", [(i.code, i.named) for i in instrument.criteria]),
    ]
    return [
        Row(
            code,
            name,
            kind,
            left.figure(code),
            right.figure(code),
            difference(left.figure(code), right.figure(code), len(named)),
        )
        for kind, named in kinds
        for code, name in named
    ]


@dataclass(frozen=True, slots=True)
class Compared:
    """Both sides, their rows, and what the page's choices offer."""

    instrument: Instrument
    left: Side
    right: Side
    rows: list[Row]

    @property
    def over_time(self) -> bool:
        """Whether one agency, or the province, is compared with itself."""
        return self.left.agency == self.right.agency


def _compared(request: Request, user: User, a: str, b: str, period: str, against: str) -> Compared:
    """What is compared. Left: an agency, or the province. Right: another agency; or the same in another period; or,
    for an agency, the province, and for the province and an agency's reader the period before."""
    chosen = asked_period(request, user, period)
    narrow = user.agency_id is not None
    left = typed_agency(request, user, a) if a else own_agency(request, user) if narrow else None
    right = typed_agency(request, user, b) if b else left if against or narrow else None
    same = (left and left.code) == (right and right.code)
    other = parse_period(against) if against else chosen.before() if same else chosen
    with read(engine_of(request)) as connection:
        instrument = main_instrument(connection, user.province_id, chosen)
        one = _side(connection, user, instrument, left, chosen)
        two = _side(connection, user, instrument, right, other)
    return Compared(instrument, one, two, _rows(instrument, one.place, two.place))


@router.get("/compare")
def compare_page(
    request: Request, user: ScoreReader, a: Words = "", b: Words = "", period: Words = "", against: Words = ""
) -> Response:
    """Two sides beside each other; the choices stand in the address."""
    found = _compared(request, user, a, b, period, against)
    with read(engine_of(request)) as connection:
        agencies = read_agencies(connection, user.province_id, user.agency_id)
        periods = rated_quarters(connection, user.province_id)
    labels = agency_labels(agencies, language(request))
    return render(
        request,
        "compare.html",
        found=found,
        a=labels.get(found.left.agency.code if found.left.agency else "", a),
        b=labels.get(found.right.agency.code, b) if b and found.right.agency else b,
        against=against,
        labels=labels,
        periods=periods,
        period=found.left.period,
    )


@router.get("/compare.csv")
def compare_file(
    request: Request, user: ScoreReader, a: Words = "", b: Words = "", period: Words = "", against: Words = ""
) -> Response:
    """The same as a file."""
    found = _compared(request, user, a, b, period, against)

    def side(name: str, one: Figure) -> dict[str, object]:
        return {f"{name}_index": one.index, f"{name}_low": one.low, f"{name}_high": one.high}

    rows = [
        {
            "figure": row.code,
            "figure_vi": in_language(row.name, "vi"),
            **side("left", row.left),
            **side("right", row.right),
            "difference": None if row.change is None else round(row.change.points, 4),
            "difference_low": None if row.change is None else round(row.change.low, 4),
            "difference_high": None if row.change is None else round(row.change.high, 4),
        }
        for row in found.rows
    ]
    return table_file(request, rows, f"so-sanh-{found.left.period.name}.csv")
