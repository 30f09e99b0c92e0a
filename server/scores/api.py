"""The HTTP interface for other programs: JSON, described at /api/openapi.json."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from pipeline.language import in_language
from server.boxes.health import box_states
from server.scores.asked import asked_period
from server.scores.fused import agency_scores
from server.store.engine import read
from server.web.context import HealthReader, ScoreReader, engine_of, province_of, web

router = APIRouter(prefix="/api/v1", tags=["scores"])


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScoreAnswer(_Answer):
    """One agency in one period; indices and bounds in 0..100. A language that was added has a name and a verdict of its
    own, as `name_tyz`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    id: str
    name_vi: str
    name_en: str
    level: str
    index_explicit: float | None = Field(description="Index from ratings alone; null without a rating")
    explicit_low: float
    explicit_high: float
    index_fused: float | None = Field(description="Fused index; null while the implicit signal is not calibrated")
    fused_low: float | None
    fused_high: float | None
    index_corrected: float | None = Field(
        description="Re-weighted to the levels of all visits; the one to read where the verdict is not_at_random"
    )
    corrected_low: float | None
    corrected_high: float | None
    verdict: str = Field(description="Whether the implicit signal helped: see docs/statistics.md")
    verdict_vi: str
    verdict_en: str
    ci_low: float = Field(description="Lower bound of the fused index, or of the explicit one where nothing is fused")
    ci_high: float
    n_explicit: int
    n_implicit: int = Field(description="Noisy total of the evidence tables, at least 0")
    transactions: int | None
    response_rate: float | None
    labels_saved: float


class ScoresAnswer(_Answer):
    """All agencies of the caller's province in a period."""

    period: str
    simulated: bool
    agencies: list[ScoreAnswer]


class BoxAnswer(_Answer):
    """One box."""

    label: str
    agency: str
    state: str
    fine: bool
    heard_ago_s: int | None
    pulses: int
    evidence: int
    late: int
    held: dict[str, int]
    missing: int


class HealthAnswer(_Answer):
    """The boxes of the caller's province."""

    boxes: list[BoxAnswer]


class AliveAnswer(_Answer):
    """That the server answers and reaches its store; needs no log-in and says nothing else."""

    status: str


@router.get("/alive")
def alive(request: Request) -> AliveAnswer:
    """For a watchdog."""
    with read(engine_of(request)) as connection:
        connection.exec_driver_sql("SELECT 1")
    return AliveAnswer(status="ok")


@router.get("/scores")
def scores(request: Request, user: ScoreReader, period: str = "") -> ScoresAnswer:
    """Scores of a period: 2026, 2026-Q3 (default: the newest quarter with enough ratings) or 2026-07."""
    chosen = asked_period(request, user, period)
    found = agency_scores(engine_of(request), user.province_id, chosen, user.agency_id)
    simulated = web(request).config.demo or province_of(request, user).simulated
    return ScoresAnswer(
        period=chosen.name, simulated=simulated, agencies=[ScoreAnswer(**score.to_dict()) for score in found]
    )


@router.get("/health")
def health(request: Request, user: HealthReader) -> HealthAnswer:
    """The health of the boxes."""
    with read(engine_of(request)) as connection:
        states = box_states(connection, user.province_id)
    return HealthAnswer(
        boxes=[
            BoxAnswer(
                label=s.label,
                agency=in_language(s.agency, "en"),
                state=str(s.words),
                fine=s.fine,
                heard_ago_s=s.heard_ago_s,
                pulses=s.pulses,
                evidence=s.evidence,
                late=s.late,
                held=s.held,
                missing=s.missing,
            )
            for s in states
        ]
    )
