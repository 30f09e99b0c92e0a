"""The bridge between two instruments as a page: links with their errors, and the line with its break drawn."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup

from pipeline.errors import InvalidError, NotFoundError
from pipeline.instruments import load_by_wire_code
from pipeline.language import Message, translator
from server.auth.roles import User
from server.scores.bridge import Point, both_asked, bridge, line
from server.scores.index import WHOLE
from server.scores.plots import EXPLICIT_COLOUR, FUSED_COLOUR, chart_of, svg
from server.store.channels import CHANNELS
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, render

router = APIRouter(include_in_schema=False)
WireCode = Annotated[int, Query(ge=1, le=65_535)]


@router.get("/survey/bridge")
def bridge_page(
    request: Request,
    user: ScoreReader,
    new: WireCode,
    old: WireCode,
    period: Annotated[str, Query(max_length=30)] = "",
    item: Annotated[str, Query(max_length=40)] = WHOLE,
) -> Response:
    """The link of every figure that both instruments have, and one of them as a line."""
    _whole_province(user)
    first, second = load_by_wire_code(old), load_by_wire_code(new)
    if first.wire_code == second.wire_code:
        raise InvalidError(Message("A bridge needs two different instruments."))
    with read(engine_of(request)) as connection:
        quarters = both_asked(connection, user.province_id, first, second)
        chosen = next((one for one in quarters if one.name == period), quarters[0] if quarters else None)
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
        quarters=quarters,
        period=chosen,
        links=links,
        shown=shown,
        points=points,
        channels=CHANNELS.names,
        plot=bridge_plot(points, chosen.words(language(request)) if chosen else "", language(request)),
    )


def _whole_province(user: User) -> None:
    if user.agency_id is not None:
        raise NotFoundError(Message("There is no such page."))


def bridge_plot(points: list[Point], bridging: str, lang: str) -> Markup:
    """Each instrument's line with its intervals, the old one carried over the link hollow and dashed, and the break."""
    import altair as alt

    if not points:
        return Markup("")
    _ = translator(lang)
    names = list(dict.fromkeys(_(point.instrument) for point in points))
    rows = [
        {
            "quarter": point.period.words(lang),
            "instrument": _(point.instrument),
            "index": round(point.value, 2),
            "low": round(point.low, 2),
            "high": round(point.high, 2),
            "carried": point.carried,
        }
        for point in points
    ]
    quarters = sorted({point.period.first_month: point.period.words(lang) for point in points}.items())
    order = [words for _month, words in quarters]
    x = alt.X("quarter:O", sort=order, scale=alt.Scale(domain=order), title=_("Quarter"), axis=alt.Axis(labelAngle=0))
    floor = max(0, int(min(point.low for point in points)) // 10 * 10)
    y = alt.Y("index:Q", scale=alt.Scale(domain=[floor, 100]), title=_("Index"))
    colours = alt.Scale(domain=names, range=[EXPLICIT_COLOUR, FUSED_COLOUR])
    base = chart_of(rows).encode(x=x, color=alt.Color("instrument:N", title=None, scale=colours))
    published, carried = "!datum.carried", "datum.carried"
    layers = [
        base.mark_rule(strokeWidth=6, opacity=0.3).encode(y=alt.Y("low:Q", title=_("Index")), y2="high:Q"),
        base.transform_filter(published).mark_line().encode(y=y),
        base.transform_filter(published).mark_point(filled=True, size=60).encode(y=y),
        base.transform_filter(carried).mark_line(strokeDash=[6, 4]).encode(y=y),
        base.transform_filter(carried).mark_point(filled=False, size=60).encode(y=y),
    ]
    if bridging in order:
        mark = chart_of([{"quarter": bridging, "text": _("another instrument")}])
        layers.append(mark.mark_rule(color="#8a4b00", strokeDash=[6, 4], strokeWidth=2).encode(x=x))
        layers.append(
            mark.mark_text(color="#8a4b00", align="left", dx=4, baseline="top", fontSize=12).encode(
                x=x, y=alt.value(2), text="text:N"
            )
        )
    chart = alt.layer(*layers).properties(width=860, height=260)
    return svg(chart, _("The index by quarter under each instrument; the figures stand in the table below."))
