"""Provinces: making one, finding the one that a command or page means, and its settings."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from pipeline.calendar import today
from pipeline.errors import ConflictError, InvalidError, NotFoundError
from pipeline.language import Message, Text
from server.core.scope import Scope
from server.store.engine import insert_row
from server.store.tables.agencies import levels
from server.store.tables.provinces import provinces, settings

LEVELS: dict[int, tuple[tuple[str, str, str], ...]] = {
    2: (("tinh", "Cấp tỉnh", "Province"), ("xa", "Cấp xã", "Commune")),
    3: (("tinh", "Cấp tỉnh", "Province"), ("huyen", "Cấp huyện", "District"), ("xa", "Cấp xã", "Commune")),
}
"""Number of tiers -> levels made with a province, the highest first: code, Vietnamese, English. Since 1 July 2025 there
are two. They can be changed and added to: levels are data."""
TIERS = 2
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""What keys, file names and addresses are made of: no sign of theirs may stand in a code."""

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?", re.ASCII)

SETTINGS: dict[str, Any] = {
    "access_log_days": 365,
    "contact_days": 90,
    "late_days": 5,
    "admit_days_box": 31,
    "admit_days_staff": 92,
    "admit_days_files": 3_660,
    "closed_through": "",
    "case_refuse_days": 2,
    "case_supplement_days": 5,
    "case_answer_days": 15,
    "case_publish_days": 2,
    "case_reminder_days": 2,
    "case_reopen_days": 15,
    "min_answers": 30,
    "confidence": 0.95,
    "portal_origin": "",
    "reminder_days": 7,
    "digest_mail": "",
    "alert_mail": "",
    "alert_webhook": "",
    "alert_quiet_hours": "21:00-06:30",
    "alert_silent_minutes": 60,
    "alert_tablet_days": 3,
    "alert_backup_days": 2,
    "alert_fall_points": 5.0,
    "alert_fall_false_a_year": 1.0,
    "neighbour_url": "",
    "office_superior": "",
    "office_issuer": "",
    "office_symbol": "",
    "office_place": "",
    "office_signer_title": "",
    "second_factor_roles": "",
    "suspicion_fastest_s": 0.8,
    "suspicion_straight_s": 2.5,
    "suspicion_straight_answers": 8,
    "suspicion_device_a_day": 3,
    "suspicion_burst_ratings": 30,
    "suspicion_burst_window_s": 600.0,
    "suspicion_staff_ratings": 5,
    "suspicion_repeats": 5,
}
"""Names and defaults of a province's settings. `access_log_days`: kept that long, enforced daily. `contact_days`: phone
numbers and lists of enumerators, likewise. `late_days`: a release is late when it comes later after its period's end.
`admit_days_*`: how many days back a rating may lie that a box delivers, the staff enters, a file brings; older ones
are set aside. `closed_through`: the newest closed month (`2026-09`), up to which no rating counts any more; see
`server.ratings.closing`. `case_*_days`: working days in which a case is refused,
more is asked for, it is answered, its answer is published; before its day, in which it is reminded of; after its
answer, in which whoever wrote may reopen it. `min_answers`: below, an index is suppressed in reports. `confidence`: of
every interval.
`portal_origin`: the one origin that may show the online form in a frame, such as https://dichvucong.example.vn.
`reminder_days`: after so many days without an answer a telephone number is asked once more; 0: never. `digest_mail`:
addresses that get the week's digest. `alert_mail`, `alert_webhook`: where alerts go (`server.alerts`), addresses with
commas between, one URL; empty: the page alone has them. `alert_quiet_hours`: when nothing is sent.
`alert_silent_minutes`, `alert_tablet_days` (working days), `alert_backup_days`: from when a box, a tablet is silent, a
backup old; 0: never. `alert_fall_points`: how much ratings have to have fallen; `alert_fall_false_a_year`: false
alarms about that in a year and province, at most, on average. `neighbour_url`: where the published figures of each
closed quarter go (`server.reports.neighbour`); empty: nowhere. `office_*`: head and signature of documents
(`server.documents.frame`), empty where nobody has said it.
`second_factor_roles`: roles, with a space between, that have to log in with a second factor (`server.auth.factors`).
`suspicion_*`: thresholds of `server.ratings.suspicion.SuspicionRules`; a change is in the log of changes."""


def is_origin(text: str) -> bool:
    """Whether a text is a scheme, a host and perhaps a port: what a frame's page is known by."""
    return bool(_ORIGIN.fullmatch(text))


@dataclass(frozen=True, slots=True)
class Province:
    """One tenant of the server."""

    province_id: int
    code: str
    name: Text
    simulated: bool


def _province(row: Any) -> Province:
    return Province(row.id, row.code, row.name, bool(row.simulated))


def make_province(
    connection: Connection, code: str, name: Text, *, simulated: bool = False, tiers: int = TIERS
) -> Province:
    """A new province with the levels of `tiers` (2 or 3). Raises `InvalidError` for what is no code, `ConflictError`
    where it is taken."""
    if not _CODE.fullmatch(code):
        raise InvalidError(
            Message("'{province}' is no code.", province=code), Message("Use up to 40 of a-z, 0-9 and dash.")
        )
    if connection.execute(select(provinces.c.id).where(provinces.c.code == code)).first():
        raise ConflictError(
            Message("There is a province with the code '{code}'.", code=code), Message("Choose another code.")
        )
    values = {"code": code, "name": name, "simulated": simulated}
    province_id = insert_row(connection, provinces, {**values, "created_day": today()})
    for rank, (level_code, vi, en) in enumerate(LEVELS[tiers], start=1):
        connection.execute(
            insert(levels).values(province_id=province_id, code=level_code, name=Text.named(vi=vi, en=en), rank=rank)
        )
    return Province(province_id, code, name, simulated)


def all_provinces(connection: Connection) -> list[Province]:
    """Every province, by code."""
    return [_province(row) for row in connection.execute(select(provinces).order_by(provinces.c.code))]


def province_by_id(connection: Connection, province_id: int) -> Province:
    """The province of an id that came from a row of ours."""
    return _province(connection.execute(select(provinces).where(provinces.c.id == province_id)).one())


def province_by_code(connection: Connection, code: str) -> Province | None:
    """The province of a code that somebody wrote, or None."""
    row = connection.execute(select(provinces).where(provinces.c.code == code)).first()
    return None if row is None else _province(row)


def find_province(connection: Connection, code: str | None) -> Province:
    """The province of a code; without one the only province. Raises `NotFoundError`, `InvalidError`."""
    found = all_provinces(connection)
    if not found:
        raise NotFoundError(Message("The server has no province."), Message("Run `hailong server init`."))
    if code is None:
        if len(found) > 1:
            codes = ", ".join(p.code for p in found)
            raise InvalidError(
                Message("The server has several provinces."), Message("Name one with --province: {codes}.", codes=codes)
            )
        return found[0]
    for province in found:
        if province.code == code:
            return province
    raise NotFoundError(
        Message("There is no province '{code}'.", code=code),
        Message("Known: {code}.", code=", ".join(p.code for p in found)),
    )


def read_setting(connection: Connection, province_id: int, name: str) -> Any:
    """A setting's value, or its default. Raises `KeyError` for an unknown name."""
    default = SETTINGS[name]
    query = Scope(province_id).select(settings, settings.c.value).where(settings.c.name == name)
    value = connection.execute(query).scalar_one_or_none()
    return default if value is None else json.loads(value)


def read_settings(connection: Connection, province_id: int, names: Collection[str]) -> dict[str, Any]:
    """Several settings at once. Raises `KeyError` for an unknown name."""
    query = Scope(province_id).select(settings, settings.c.name, settings.c.value)
    found = connection.execute(query.where(settings.c.name.in_(names)))
    stored = {name: json.loads(value) for name, value in found}
    return {name: stored.get(name, SETTINGS[name]) for name in names}


def read_setting_of_all(connection: Connection, name: str) -> Mapping[int, Any]:
    """A setting by the id of every province, in one statement; the default of those that have not set it. Raises
    `KeyError` for an unknown name."""
    default = SETTINGS[name]
    found = connection.execute(select(settings.c.province_id, settings.c.value).where(settings.c.name == name))
    stored = {province_id: json.loads(value) for province_id, value in found}
    return defaultdict(lambda: default, stored)


def write_setting(connection: Connection, province_id: int, name: str, value: Any) -> None:
    """Set a setting. Raises `InvalidError` for an unknown name or another type than the default's."""
    if name not in SETTINGS:
        raise InvalidError(
            Message("There is no setting '{name}'.", name=name),
            Message("Known: {settings}.", settings=", ".join(SETTINGS)),
        )
    if type(value) is not type(SETTINGS[name]):
        raise InvalidError(
            Message("The setting {name} takes a {name_2}.", name=name, name_2=type(SETTINGS[name]).__name__)
        )
    changed = Scope(province_id).update(settings).where(settings.c.name == name)
    done = connection.execute(changed.values(value=json.dumps(value)))
    if done.rowcount == 0:
        connection.execute(insert(settings).values(province_id=province_id, name=name, value=json.dumps(value)))
