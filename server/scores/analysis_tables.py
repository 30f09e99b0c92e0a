"""What the analyst's page shows of a period: the tables' rows of whole agencies, held while nothing changes.

Rows of an agency's parts are in the downloads alone: for thousands of agencies they would fill the server's memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine

from pipeline.calendar import Period
from pipeline.language import Message
from server.scores.beside import beside
from server.scores.fused import AgencyScore, agency_scores
from server.scores.held import Held, version_of
from server.scores.tables import TABLES, Row, material
from server.scores.words import verdict_words
from server.store.engine import read
from server.tabular.row_files import columns_of

OF_AGENCIES = ("explicit", "support", "agreement", "ranks", "small-areas")
"""Tables with a row for each agency."""


@dataclass(frozen=True, slots=True)
class AnalysisTables:
    """`rows`: by table, the agencies in the catalogue's order; `explicit`, `efficiency` and `correction` are those of
    the estimates. `tests`: of drift; of its rows those that rang. `left_out`: codes of agencies whose evidence is not
    used. `columns`: of all tables, for the dictionary."""

    rows: Mapping[str, Sequence[Row]]
    scores: Mapping[str, AgencyScore]
    efficiency: Mapping[str, Row]
    corrected: Mapping[str, Row]
    verdicts: Sequence[tuple[Message, int]]
    labels_saved: float
    left_out: frozenset[str]
    tests: int
    columns: Sequence[str]


_held: Held[AnalysisTables] = Held(3)


def analysis_tables(
    engine: Engine, province_id: int, period: Period, wait_s: float | None = None
) -> AnalysisTables | None:
    """Of a province's period; None while it is still being made (`beside`)."""
    with read(engine) as connection:
        version = version_of(connection, province_id)
    made = partial(_analysis_tables, engine, province_id, period)
    return beside(_held, (province_id, period), version, made, wait_s)


def _analysis_tables(engine: Engine, province_id: int, period: Period) -> AnalysisTables:
    found = material(engine, province_id, period)
    rows = {name: make(found) for name, make in TABLES.items()}
    columns = columns_of([row for table in rows.values() for row in table])
    scores = {score.id: score for score in agency_scores(engine, province_id, period)}
    place = {code: position for position, code in enumerate(scores)}  # the catalogue's order, as on the overview
    for name in ("estimates", "agreement", "small-areas"):
        rows[name] = sorted(rows[name], key=lambda row: place.get(row["agency"], len(place)))
    of_agencies = [row for row in rows.pop("estimates") if row["service_group"] == ""]
    efficiency = {row["agency"]: row for row in of_agencies if row["method"] == "efficiency"}
    drift = rows["drift"]
    rows["drift"] = [row for row in drift if row["alarm"]]
    rows["explicit"] = [row for row in of_agencies if row["method"] == "explicit"]
    return AnalysisTables(
        rows=rows,
        scores=scores,
        efficiency=efficiency,
        corrected={row["agency"]: row for row in of_agencies if row["method"] == "correction"},
        verdicts=Counter(verdict_words(row["verdict"]) for row in efficiency.values()).most_common(),
        labels_saved=sum(row["labels_saved"] for row in efficiency.values()),
        left_out=frozenset(found.agencies[key].code for key in found.left_out if key in found.agencies),
        tests=len(drift),
        columns=columns,
    )
