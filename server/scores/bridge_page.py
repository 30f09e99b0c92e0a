"""The bridge between two instruments as a page: links with their errors, and the line with its break drawn."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup

from pipeline.calendar import Period, parse_period
from pipeline.errors import InvalidError, NotFoundError
from pipeline.instruments import load_by_wire_code, shipped_instruments
from pipeline.language import Message, translator
from server.auth.roles import User
from server.scores.bridge import Point, asked_last, both_asked, bridge, line
from server.scores.course_plot import Drawn, Rule, course_plot
from server.scores.index import WHOLE
from server.scores.row_plot import Look
from server.store.channels import CHANNELS
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, render

router = APIRouter(include_in_schema=False)
WireCode = Annotated[int | None, Query(ge=1, le=65_535)]


@router.get("/survey/bridge")
def bridge_page(
    request: Request,
    user: ScoreReader,
    new: WireCode = None,
    old: WireCode = None,
    period: Annotated[str, Query(max_length=30)] = "",
    item: Annotated[str, Query(max_length=40)] = WHOLE,
) -> Response:
    """The link of every figure that both instruments have, and one of them as a line. `new`, `old`: by wire code; not
    told: those that the province was asked with last."""
    _whole_province(user)
    known = shipped_instruments()
    wanted = parse_period(period) if period else None
    with read(engine_of(request)) as connection:
        first, second = asked_last(connection, user.province_id, known)
        first = first if old is None else load_by_wire_code(old)
        second = second if new is None else load_by_wire_code(new)
        if first.wire_code == second.wire_code:
            raise InvalidError(Message("A bridge needs two different instruments."))
        quarters = both_asked(connection, user.province_id, first, second)
        chosen = next((one for one in quarters if one == wanted), quarters[0] if quarters else None)
        links = [] if chosen is None else bridge(connection, user.province_id, first, second, chosen)
        shown = next((one for one in links if one.code == item), links[0] if links else None)
        points = []
        if shown is not None:
            points = line(connection, user.province_id, first, second, shown.code, shown.link)
    return render(
        request,
        "survey_bridge.html",
        old=first,
        new=second,
        known=known,
        quarters=quarters,
        period=chosen,
        links=links,
        shown=shown,
        points=points,
        channels=CHANNELS.names,
        plot=bridge_plot(points, chosen, language(request)),
    )


def _whole_province(user: User) -> None:
    if user.agency_id is not None:
        raise NotFoundError(Message("There is no such page."))


def bridge_plot(points: list[Point], bridging: Period | None, lang: str) -> Markup:
    """Each instrument's line with its intervals, the old one carried over the link hollow and dashed, and the break."""
    if not points:
        return Markup("")
    _ = translator(lang)
    names = list(dict.fromkeys(_(point.instrument) for point in points))
    quarters = {
        point.period.first_month: point.period for point in sorted(points, key=lambda one: one.period.first_month)
    }
    courses, looks = [], []
    for name, look in zip(names, (Look.MAIN, Look.OTHER), strict=False):
        for carried in (False, True):
            own = sorted(
                (one for one in points if _(one.instrument) == name and one.carried == carried),
                key=lambda one: one.period.first_month,
            )
            courses.append(
                Drawn(
                    Look.HOLLOW if carried else look,
                    [(one.period.first_month, one.value) for one in own],
                    [(one.period.first_month, one.low, one.high) for one in own],
                    dashed=carried,
                )
            )
        looks.append((look, name))
    floor = max(0, int(min(point.low for point in points)) // 10 * 10)
    ends = list(dict.fromkeys((min(quarters), max(quarters))))
    shown = bridging is not None and bridging.first_month in quarters
    return course_plot(
        courses,
        _("The index by quarter under each instrument; the figures stand in the table below."),
        [quarters[month].words(lang) for month in ends],
        lang,
        key="bridge-plot",
        bounds=(floor, 100),
        rules=[Rule(x=bridging.first_month, words=_("another instrument"))] if bridging and shown else [],
        looks=looks,
        title=_("Index"),
    )
