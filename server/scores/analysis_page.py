"""The analyst's page: implicit against explicit with intervals, what the signal saved, where it misleads; downloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from calibration.ranks import RankSet, top
from pipeline.calendar import parse_period
from pipeline.language import Message, in_language
from server.catalogue.reading import listing as catalogue_listing
from server.scores.analysis_plots import curve_plot, difference_plot, evidence_plot, rank_plot
from server.scores.analysis_tables import OF_AGENCIES, analysis_tables
from server.scores.asked import asked_period
from server.scores.clerks import LEFT_OUT
from server.scores.fused import agency_scores, rated_quarters
from server.scores.plots import agency_plot
from server.scores.tables import TABLES, Row, drift_words, material
from server.scores.words import SHORT_VERDICTS, reason_words, verdict_words
from server.store.engine import read
from server.tabular.row_files import as_parquet, described
from server.web.context import Analyst, ScoreReader, download, engine_of, language, province_of, render, web
from server.web.listing import holds, listing
from server.web.table_files import table_file

router = APIRouter(include_in_schema=False)
PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv; charset=utf-8"
FIRST, MAX_FIRST = 5, 100
"""How many first ranks the page asks about, unless somebody asks otherwise."""
POINTS = 400
"""Agencies in the plot of differences: of more, every second, every third ... is drawn; the download has all."""


@router.get("/analysis")
def analysis_page(
    request: Request,
    user: Analyst,
    period: str = "",
    q: Annotated[str, Query(max_length=80)] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    first: Annotated[int, Query(ge=1, le=MAX_FIRST)] = FIRST,
) -> Response:
    """All figures of a period on one page; of many agencies some at a time, the same in every table and plot."""
    chosen = asked_period(request, user, period)
    engine, lang = engine_of(request), language(request)
    found = analysis_tables(engine, user.province_id, chosen)
    with read(engine) as connection:
        periods = rated_quarters(connection, user.province_id)
        named = catalogue_listing(connection, user.scope)["levels"]
    if found is None:
        return render(request, "analysis_waits.html", period=chosen, periods=periods)
    fitting = [one for one in found.scores.values() if holds(q, *one.name.texts, one.id)]
    asked = {"period": period, "q": q, "first": "" if first == FIRST else str(first)}
    table = listing("/analysis", asked, fitting, {}, sort="", page=page)
    here = {one.id for one in table.rows}
    rows = {name: [r for r in of if name not in OF_AGENCIES or r["agency"] in here] for name, of in found.rows.items()}
    points = rows["differences"]
    return render(
        request,
        "analysis.html",
        period=chosen,
        periods=periods,
        q=q,
        table=table,
        rows=rows,
        found=found,
        verdict_words=verdict_words,
        short_verdicts=SHORT_VERDICTS,
        reason_words=reason_words,
        left_out_words=LEFT_OUT,
        parse_period=parse_period,
        drift_words=drift_words,
        agency_plot=agency_plot(table.rows, lang),
        curve_plot=curve_plot(rows["curves"], lang, {row.code: in_language(row.name, lang) for row in named}),
        difference_plot=difference_plot(points[:: -(-len(points) // POINTS) or 1], rows["agencies"], lang),
        rank_plot=rank_plot(rows["ranks"], lang, {row.code: in_language(row.name, lang) for row in named}),
        evidence_plot=evidence_plot(rows["drift-evidence"], lang),
        first=first,
        firsts=first_agencies(found.rows["ranks"], first),
        level_names={row.code: in_language(row.name, lang) for row in named},
        dictionary=[(name, described(name)) for name in found.columns],
    )


@dataclass(frozen=True, slots=True)
class First:
    """Of one level: rows of the agencies that may be among the first k, and of those that surely are."""

    level: str
    of: int
    possible: list[Row]
    sure: list[Row]


def first_agencies(rows: Sequence[Row], k: int) -> list[First]:
    """By level, from the rows of the rank sets. A level of k agencies or fewer says nothing and is left out."""
    levels: dict[str, dict[str, Row]] = {}
    for row in rows:
        levels.setdefault(row["agency_level"], {})[row["agency"]] = row
    found = []
    for level, of_level in levels.items():
        sets = [RankSet(code, row["best"], row["worst"], row["of"]) for code, row in of_level.items()]
        first = top(sets, k)
        if len(sets) > k:
            possible, sure = ([of_level[code] for code in codes] for codes in (first.possible, first.sure))
            found.append(First(level, len(sets), possible, sure))
    return found


@router.get("/analysis/{table}.{ending}")
def analysis_file(
    request: Request, user: Analyst, table: str, ending: Literal["csv", "parquet"], period: str = ""
) -> Response:
    """One table of the analysis as a file."""
    if table not in TABLES:
        raise HTTPException(404, Message("There is no such table."))
    chosen = asked_period(request, user, period)
    rows = TABLES[table](material(engine_of(request), user.province_id, chosen))
    name = f"{table}-{chosen.name}.{ending}"
    if ending == "csv":
        return table_file(request, rows, name)
    simulated = web(request).config.demo or province_of(request, user).simulated
    return download(as_parquet(rows, simulated=simulated), name, PARQUET)


@router.get("/scores.csv")
def scores_file(request: Request, user: ScoreReader, period: str = "") -> Response:
    """The overview's table as CSV."""
    chosen = asked_period(request, user, period)
    found = agency_scores(engine_of(request), user.province_id, chosen, user.agency_id)
    rows = [{"period": chosen.name, **score.to_dict()} for score in found]
    return table_file(request, rows, f"scores-{chosen.name}.csv")
