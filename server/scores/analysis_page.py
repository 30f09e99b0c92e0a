"""The analyst's page: implicit against explicit with intervals, what the signal saved, where it misleads; downloads."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from pipeline.calendar import parse_period
from pipeline.language import Message, Text, in_language
from server.catalogue.reading import listing
from server.scores.analysis_plots import curve_plot, difference_plot, rank_plot
from server.scores.asked import asked_period
from server.scores.clerks import LEFT_OUT
from server.scores.files import as_csv, as_parquet, columns_of, described
from server.scores.fused import agency_scores, rated_quarters
from server.scores.plots import agency_plot
from server.scores.tables import TABLES, drift_words, material
from server.scores.words import reason_words, verdict_words
from server.store.engine import read
from server.web.context import Analyst, ScoreReader, download, engine_of, language, province_of, render, web

router = APIRouter(include_in_schema=False)
PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv; charset=utf-8"


@router.get("/analysis")
def analysis_page(request: Request, user: Analyst, period: str = "") -> Response:
    """All figures of a period on one page."""
    chosen = asked_period(request, user, period)
    engine, lang = engine_of(request), language(request)
    found = material(engine, user.province_id, chosen)
    rows = {name: make(found) for name, make in TABLES.items()}
    scores = agency_scores(engine, user.province_id, chosen)
    place = {score.id: position for position, score in enumerate(scores)}  # the catalogue's order, as on the overview
    for name in ("estimates", "agreement", "small-areas"):
        rows[name] = sorted(rows[name], key=lambda row: place.get(row["agency"], len(place)))
    of_agencies = [row for row in rows["estimates"] if row["service_group"] == ""]
    efficiency = {row["agency"]: row for row in of_agencies if row["method"] == "efficiency"}
    corrected = {row["agency"]: row for row in of_agencies if row["method"] == "correction"}
    with read(engine) as connection:
        periods = rated_quarters(connection, user.province_id)
        named = listing(connection, user.scope)["levels"]
    return render(
        request,
        "analysis.html",
        period=chosen,
        periods=periods,
        rows=rows,
        explicit=[row for row in of_agencies if row["method"] == "explicit"],
        efficiency=efficiency,
        corrected=corrected,
        verdicts=Counter(verdict_words(row["verdict"]) for row in efficiency.values()).most_common(),
        labels_saved=sum(row["labels_saved"] for row in efficiency.values()),
        verdict_words=verdict_words,
        reason_words=reason_words,
        left_out={found.agencies[key].code for key in found.left_out if key in found.agencies},
        left_out_words=LEFT_OUT,
        alarms=[row for row in rows["drift"] if row["alarm"]],
        parse_period=parse_period,
        drift_words=drift_words,
        agency_plot=agency_plot(scores, lang),
        curve_plot=curve_plot(
            rows["curves"], lang, {row.code: in_language(Text.of_row(row._mapping), lang) for row in named}
        ),
        difference_plot=difference_plot(rows["differences"], rows["agencies"], lang),
        rank_plot=rank_plot(rows["ranks"], lang),
        dictionary=[(name, described(name)) for name in columns_of([r for t in rows.values() for r in t])],
    )


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
        return download(as_csv(rows), name, CSV)
    simulated = web(request).config.demo or province_of(request, user).simulated
    return download(as_parquet(rows, simulated=simulated), name, PARQUET)


@router.get("/scores.csv")
def scores_file(request: Request, user: ScoreReader, period: str = "") -> Response:
    """The overview's table as CSV."""
    chosen = asked_period(request, user, period)
    found = agency_scores(engine_of(request), user.province_id, chosen, user.agency_id)
    rows = [{"period": chosen.name, **score.to_dict()} for score in found]
    return download(as_csv(rows), f"scores-{chosen.name}.csv", CSV)
