"""What a report is made of: gathered from one view of the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func

from pipeline.calendar import Period
from pipeline.instruments import Instrument
from server.catalogue.reading import Catalogue, read_catalogue
from server.core.changes import verify_changes
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.documents.frame import Office
from server.documents.office import read_office
from server.feedback import feedback as complaints
from server.ratings.comments import coded_counts
from server.scores.fused import AgencyScore
from server.scores.index import IndexResult, compute_index
from server.scores.reasons import ReasonPlace, reasons_of
from server.store.tables.comments import comments


@dataclass(frozen=True, slots=True)
class ReportInput:
    """What a report is made of. `before`: a year ago; `last`: the period before."""

    result: IndexResult
    before: IndexResult
    last: IndexResult
    instrument: Instrument
    period: Period
    catalogue: Catalogue
    fused: tuple[AgencyScore, ...]
    feedback: tuple[complaints.FeedbackCount, ...]
    coded: tuple[tuple[str, str, int], ...]
    uncoded: int
    reasons: tuple[ReasonPlace, ...]
    reasons_by_agency: tuple[ReasonPlace, ...]
    log_entries: int
    log_head: str
    office: Office
    confidence: float
    """Of the intervals of `fused`."""


def gather(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    period: Period,
    fused: Sequence[AgencyScore] = (),
) -> ReportInput:
    """Everything that a report needs, from one view of the store."""
    scope = Scope(province_id)
    unread = scope.select(comments, func.count()).where(
        comments.c.month.between(period.first_month, period.last_month), comments.c.code.is_(None)
    )
    entries, head = verify_changes(connection, province_id)
    return ReportInput(
        result=compute_index(connection, province_id, instrument, period),
        before=compute_index(
            connection, province_id, instrument, period.year_before(), dimensions=("province", "agency")
        ),
        last=compute_index(connection, province_id, instrument, period.before(), dimensions=("province", "agency")),
        instrument=instrument,
        period=period,
        catalogue=read_catalogue(connection, province_id),
        fused=tuple(fused),
        feedback=tuple(complaints.counts(connection, province_id, period)),
        coded=tuple(coded_counts(connection, scope, period)),
        uncoded=int(connection.execute(unread).scalar_one()),
        reasons=tuple(reasons_of(connection, province_id, instrument, period)),
        reasons_by_agency=tuple(reasons_of(connection, province_id, instrument, period, "agency")),
        log_entries=entries,
        log_head=head,
        office=read_office(connection, province_id),
        confidence=float(read_setting(connection, province_id, "confidence")),
    )
