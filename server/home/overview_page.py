"""The first page, for a leader with five seconds: the official index, what changed, who stands out, what to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from calibration.verdicts import Verdict
from pipeline.language import in_language
from server.auth.roles import Permission
from server.boxes.health import box_states
from server.home.first_steps import coming, first_steps
from server.home.next_steps import next_steps
from server.indicators.board import newest_month, province_score
from server.ratings.batches import unfinished
from server.scores.agency_page import agency_view
from server.scores.asked import asked_period, own_agency
from server.scores.fused import rated_quarters
from server.scores.interval_svg import Interval, interval_plot
from server.scores.signals import signals
from server.scores.standings import Standing, Standings, standings
from server.scores.trends import channel_counts
from server.scores.words import SHORT_VERDICTS, VERDICTS
from server.store.channels import CHANNELS
from server.store.engine import read
from server.web.context import ScoreReader, engine_of, language, refresh_s, render
from server.web.listing import Listing, holds, listing

router = APIRouter(include_in_schema=False)
NAMED = 5
"""Agencies that a short list names before it leads to the rest."""

Words = Annotated[str, Query(max_length=80)]
_ONLY: dict[str, Callable[[Standing], bool]] = {
    "": lambda one: True,
    "low": lambda one: one.low,
    "falling": lambda one: one.falling,
    "few": lambda one: one.few,
}
_KEYS: dict[str, Callable[[Standing], float | str | None]] = {
    "index": lambda one: one.figure.index,
    "last": lambda one: None if one.last.change is None else one.last.change.points,
    "year": lambda one: None if one.year.change is None else one.year.change.points,
    "sheets": lambda one: one.sheets,
}


@router.get("/")
def overview(
    request: Request,
    user: ScoreReader,
    period: Words = "",
    q: Words = "",
    level: Words = "",
    only: Words = "",
    sort: Words = "-index",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Where the province and its agencies stand; to the reader of one agency, that agency."""
    engine, lang, began_s = engine_of(request), language(request), time.monotonic()
    if user.agency_id is not None:
        agency = own_agency(request, user)
        with read(engine) as connection:
            monthly = newest_month(connection, user.scope)
        return agency_view(request, user, agency, period, monthly)
    chosen = asked_period(request, user, period)
    with read(engine) as connection:
        found = standings(connection, user.province_id, chosen)
        periods = rated_quarters(connection, user.province_id)
        states = box_states(connection, user.province_id) if user.may(Permission.READ_HEALTH) else []
        channels = channel_counts(connection, user.province_id, None, chosen)
        missing = unfinished(connection, user.province_id)
        steps = next_steps(connection, user, found, sum(not (s.fine or s.simulated or s.revoked) for s in states))
        points = province_score(connection, user.scope, chosen)
        first = first_steps(connection, user) if not found.sheets else []
        soon = coming(connection, user, found)
    asked = {"period": period, "q": q, "level": level, "only": only if only in _ONLY else ""}
    asked["sort"] = "" if sort == "-index" else sort
    keys = {**_KEYS, "name": lambda one: in_language(one.name, lang).casefold()}
    rows = [
        one
        for one in found.agencies
        if _ONLY.get(only, _ONLY[""])(one) and (not level or one.level == level) and holds(q, *one.name.texts, one.code)
    ]
    table = listing("/", asked, rows, keys, sort=sort, page=page)
    signal = signals(engine, user.province_id, chosen, began_s=began_s)
    verdict_of = {code: Verdict(score.verdict) for code, score in (signal or {}).items()}
    return render(
        request,
        "overview.html",
        period=chosen,
        periods=periods,
        found=found,
        lists=(("low", found.low), ("falling", found.falling), ("few", found.few)),
        named=NAMED,
        steps=steps,
        points=points,
        first_steps=first,
        soon=soon,
        table=table,
        q=q,
        level=level,
        only=asked["only"],
        levels={one.level: one.level_name for one in found.agencies},
        plot=_plot(found, table, lang),
        signal_waits=signal is None,
        signal={code: SHORT_VERDICTS[verdict] for code, verdict in verdict_of.items()},
        verdicts=[(SHORT_VERDICTS[verdict], VERDICTS[verdict]) for verdict in dict.fromkeys(verdict_of.values())],
        channels=channels,
        channel_names=CHANNELS.names,
        set_aside=sum(c.set_aside for c in channels),
        unfinished=missing,
        refresh_s=refresh_s(request),
    )


def _plot(found: Standings, table: Listing[Standing], lang: str) -> str:
    """The plot of the page's agencies, in the table's order."""
    rows = [
        Interval(
            name=in_language(one.name, lang),
            index=one.figure.index,
            low=one.figure.low or 0.0,
            high=100.0 if one.figure.high is None else one.figure.high,
            marked=one.low or one.falling,
            href=f"/agencies/{one.code}?period={found.period.name}",
        )
        for one in table.rows
        if one.figure.index is not None
    ]
    return interval_plot(rows, lang, key="agencies-plot", reference=found.figure.index)
