"""What the papers are filled from: the server's store, the boxes' configurations, the cards, the audits' results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func

from edge.config import EdgeConfig
from hailong.papers.checks import AuditFact, bounds_of
from models.catalogue import Card
from pipeline.calendar import Period, day_date, month_of_date
from pipeline.language import Text
from server.boxes.agreed import Agreed
from server.catalogue.reading import frame_counts, read_catalogue
from server.core.changes import verify_changes
from server.core.provinces import Province, province_by_id, read_settings
from server.core.scope import Scope
from server.documents.frame import Office
from server.documents.office import read_office
from server.retention.policy import findings
from server.rights import incidents, requests
from server.rights.incidents import Incident
from server.scores.agreed import agreed_at
from server.store.tables.boxes import boxes, heartbeats
from server.store.tables.feedback import feedback
from server.store.tables.ratings import ratings
from server.store.tables.releases import releases
from server.store.tables.users import users

MONTHS = 12
"""How far back the figures of the papers go."""


def audit_fact(result: dict[str, Any], content: bytes | None = None) -> AuditFact:
    """From an audit's JSON; `content`: the file as it was given, else the result is hashed as canonical JSON."""
    canonical = json.dumps(result, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    figures = result.get("facts", {}) if result["audit"] == "attack" else {}
    return AuditFact(
        name=str(result["audit"]),
        date=str(result.get("date", "")),
        exit_code=0 if result["holds"] else 1,
        sha256=hashlib.sha256(canonical if content is None else content).hexdigest(),
        claim=Text.of_row(result, "claim_"),
        problems=tuple(str(problem) for problem in result.get("problems", [])),
        bounds=bounds_of(figures),
        confidence=figures.get("confidence"),
    )


@dataclass(frozen=True, slots=True)
class BoxFact:
    """One enrolled box. Epsilons in thousandths; None where its terms are not known yet."""

    label: str
    agency_id: int
    clerks: int
    pool: str
    pulse_epsilon_milli: int | None
    evidence_epsilon_milli: int | None
    software: str
    enrolled: date | None
    demo: bool


@dataclass(frozen=True, slots=True)
class AgencyFact:
    """What is known of one agency that has boxes: visits and ratings of a month, on average over the months known."""

    name: Text
    boxes: tuple[BoxFact, ...]
    visits_a_month: float | None
    ratings_a_month: float
    agreed: Agreed | None = None
    """How many agreed to be analysed in the months known, where its boxes count that."""


@dataclass(frozen=True, slots=True)
class ConfigFact:
    """A box's configuration file: its name, its checksum, what it says."""

    name: str
    sha256: str
    config: EdgeConfig

    @property
    def place(self) -> str:
        """Where the box stands, as people say it."""
        return " – ".join(filter(None, (self.config.box.agency_label, self.config.box.counter_label)))


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """Everything that a paper is filled from."""

    province: Province
    office: Office
    today: date
    version: str
    agencies: tuple[AgencyFact, ...]
    agencies_in_all: int
    transactions_a_year: int
    ratings_a_year: int
    releases_a_year: int
    releases_held: int
    feedback_a_year: int
    users_by_role: tuple[tuple[str, int], ...]
    settings: dict[str, Any]
    log_entries: int
    log_head: str
    findings: tuple[Any, ...]
    configs: tuple[ConfigFact, ...]
    cards: tuple[Card, ...]
    audits: tuple[AuditFact, ...]
    requests: tuple[requests.YearCount, ...]
    incidents: tuple[int, int]
    """Noticed in the year of `today`, and notified within 72 hours."""
    incident: Incident | None

    @property
    def boxes(self) -> tuple[BoxFact, ...]:
        """Every enrolled box."""
        return tuple(box for agency in self.agencies for box in agency.boxes)


def gather_facts(
    connection: Connection,
    province_id: int,
    today: date,
    version: str,
    configs: Sequence[ConfigFact] = (),
    cards: Sequence[Card] = (),
    audits: Sequence[AuditFact] = (),
    incident: int | None = None,
) -> PaperFacts:
    """The facts of one province over the twelve months before `today`. `incident`: number of the one that a form is
    about. Raises `NotFoundError`."""
    scope, month = Scope(province_id), month_of_date(today)
    year = Period("", month - MONTHS, month - 1)
    catalogue = read_catalogue(connection, province_id)
    by_agency: dict[int, int] = {}
    for (agency, _), count in frame_counts(connection, province_id, year).items():
        by_agency[agency] = by_agency.get(agency, 0) + count
    in_year = ratings.c.day.between(year.first_day, year.last_day)
    answered = dict(_rows(connection, scope.select(ratings, ratings.c.agency_id, func.count()).where(in_year), ratings))
    seen = connection.execute(scope.select(heartbeats, heartbeats.c.box_id, heartbeats.c.software))
    software = {int(box): str(version) for box, version in seen}
    found: dict[int, list[BoxFact]] = {}
    query = scope.select(boxes).where(boxes.c.public_key.is_not(None), boxes.c.revoked_day.is_(None))
    for row in connection.execute(query.order_by(boxes.c.agency_id, boxes.c.label)):
        found.setdefault(row.agency_id, []).append(
            BoxFact(
                label=row.label,
                agency_id=row.agency_id,
                clerks=row.clerks,
                pool=row.pool,
                pulse_epsilon_milli=row.pulse_epsilon_milli,
                evidence_epsilon_milli=row.evidence_epsilon_milli,
                software=software.get(row.id, ""),
                enrolled=None if row.enrolled_day is None else day_date(row.enrolled_day),
                demo=bool(row.demo),
            )
        )
    received = releases.c.received_day.between(year.first_day, year.last_day + 31)
    entries, head = verify_changes(connection, province_id)
    roles = connection.execute(
        scope.select(users, users.c.role, func.count()).where(users.c.active).group_by(users.c.role)
    )
    return PaperFacts(
        province=province_by_id(connection, province_id),
        office=read_office(connection, province_id),
        today=today,
        version=version,
        agencies=tuple(
            AgencyFact(
                name=catalogue.agencies[agency].name,
                boxes=tuple(of_agency),
                visits_a_month=by_agency[agency] / MONTHS if by_agency.get(agency) else None,
                ratings_a_month=answered.get(agency, 0) / MONTHS,
                agreed=agreed_at(connection, province_id, agency, year),
            )
            for agency, of_agency in found.items()
            if agency in catalogue.agencies
        ),
        agencies_in_all=len(catalogue.agencies),
        transactions_a_year=sum(by_agency.values()),
        ratings_a_year=sum(answered.values()),
        releases_a_year=_count(connection, scope.select(releases, func.count()).where(received)),
        releases_held=_count(connection, scope.select(releases, func.count()).where(received, releases.c.held != "")),
        feedback_a_year=_count(
            connection,
            scope.select(feedback, func.count()).where(feedback.c.received_day.between(year.first_day, year.last_day)),
        ),
        users_by_role=tuple((str(role), int(count)) for role, count in roles),
        settings=read_settings(connection, province_id, ("access_log_days", "contact_days", "min_answers")),
        log_entries=entries,
        log_head=head,
        findings=tuple(finding.words for finding in findings(connection, province_id)),
        configs=tuple(configs),
        cards=tuple(cards),
        audits=tuple(audits),
        requests=tuple(requests.year_counts(connection, scope, today.year)),
        incidents=incidents.year_counts(connection, scope, today.year),
        incident=None if incident is None else incidents.find(connection, scope, incident),
    )


def _rows(connection: Connection, query: Any, table: Any) -> list[tuple[int, int]]:
    return [(int(agency), int(count)) for agency, count in connection.execute(query.group_by(table.c.agency_id))]


def _count(connection: Connection, query: Any) -> int:
    return int(connection.execute(query).scalar_one())


def config_fact(path: Path) -> ConfigFact:
    """A box's configuration with the checksum of its file."""
    from edge.config import load_config

    return ConfigFact(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), load_config(path))
