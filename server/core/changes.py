"""The server's tamper-evident log of changes: a hash chain by province.

chain_i = SHA-256(chain_{i-1} || canonical JSON of row i), chain_0 = 64 zeros. Whoever keeps the newest chain value
(it stands on the privacy page and in every report) sees any later change of an older row. The boxes' own logs are
Merkle trees; here one writer and short logs make a chain enough.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from pipeline.calendar import today
from pipeline.errors import LogError
from pipeline.language import Message
from pipeline.text import tidy
from server.core.scope import Scope
from server.store.tables.changes import changes
from server.store.tables.provinces import provinces
from server.store.tables.users import users

START = "0" * 64

ACTIONS: dict[str, Message] = {
    "agency_active": Message("Agency taken in or out"),
    "agencies_imported": Message("Agencies imported"),
    "alert_opened": Message("Alert opened"),
    "alert_closed": Message("Alert over"),
    "box clerks stated": Message("Clerks of a box stated"),
    "box code issued": Message("Enrolment code issued"),
    "box enrolled": Message("Box enrolled"),
    "box made": Message("Box added"),
    "box pool stated": Message("Agency of a box's pool stated"),
    "box pool unknown": Message("A pool of a box that is no agency's yet"),
    "box terms seen": Message("Terms of a box seen for the first time"),
    "box terms stated": Message("Terms of a box stated"),
    "box ring stated": Message("Ring of a box stated"),
    "release held": Message("Release of a box held back"),
    "box revoked": Message("Key of a box revoked"),
    "catalogue": Message("Catalogue changed"),
    "comment_coded": Message("Comment coded"),
    "counters_imported": Message("Counters imported"),
    "entry_decided": Message("Differing double entry decided"),
    "enumerator_added": Message("Enumerator added"),
    "enumerators_imported": Message("Enumerators imported"),
    "factor_removed": Message("Second factor taken away by its user"),
    "factor_reset": Message("A user's second factor reset"),
    "factor_set": Message("Second factor set up"),
    "feedback_escalated": Message("Cases past their day, handed to the administrators"),
    "feedback_reminded": Message("Cases whose day is near"),
    "feedback_status": Message("State of a feedback changed"),
    "fields_imported": Message("Fields imported"),
    "figures_pushed": Message("Published figures of a period sent to the neighbour"),
    "figures_received": Message("Published figures of a period taken by the neighbour"),
    "form_rechecked": Message("Form re-checked"),
    "forms_printed": Message("Forms printed"),
    "gateway_made": Message("Gateway added"),
    "gateway_key_renewed": Message("Gateway key renewed"),
    "indicators766_imported": Message("Counts of Decision 766 imported"),
    "invitations_issued": Message("One-time links issued"),
    "levels_imported": Message("Levels imported"),
    "margins_kept": Message("A period's sheets weighted to the margins known on that day"),
    "margins_imported": Message("Known margins of the population imported"),
    "objects_changed": Message("Entries changed, with old and new values"),
    "password_reset": Message("A user's password reset"),
    "phones_imported": Message("Phone numbers imported"),
    "plan_made": Message("Sampling plan made"),
    "rating_entered": Message("Ratings entered by staff"),
    "rating_restored": Message("Rating counted again"),
    "rating_set_aside": Message("Rating set aside"),
    "ratings_exported": Message("Ratings exported"),
    "ratings_imported": Message("Ratings imported"),
    "provider_linked": Message("Account linked with the log-in service"),
    "provider_unlinked": Message("An account's link with the log-in service taken away"),
    "recovery_code_used": Message("Recovery code used at the log-in"),
    "recovery_codes_made": Message("New recovery codes made"),
    "rights_request": Message("Request of a data subject received"),
    "rights_answered": Message("Request of a data subject answered"),
    "rights_closed": Message("Request of a data subject closed"),
    "rights_erased": Message("Feedback erased on request"),
    "incident": Message("Incident entered"),
    "incident_notified": Message("Incident notified"),
    "incident_closed": Message("Incident closed"),
    "retention": Message("Data past its retention deleted"),
    "role_by_provider": Message("Role changed by the log-in service"),
    "round_closed": Message("Round closed"),
    "instrument_cloned": Message("Draft of an instrument begun"),
    "instrument_removed": Message("Draft of an instrument thrown away"),
    "instrument_signed": Message("Instrument signed"),
    "round_bridged": Message("Half of a round's links ask with another instrument"),
    "round_made": Message("Round made"),
    "round_opened": Message("Round opened again"),
    "sheets_unfit": Message("Sheets that do not fit, kept apart"),
    "service_groups_imported": Message("Service groups imported"),
    "scores61_imported": Message("Points of the quarterly sheet imported"),
    "services_imported": Message("Services imported"),
    "settings": Message("Settings changed"),
    "successors_imported": Message("Successors of agencies imported"),
    "transactions_imported": Message("Transactions imported"),
    "update laid ready": Message("Update of the boxes laid ready on the server"),
    "update offered": Message("Update of the boxes offered"),
    "update resumed": Message("Update of the boxes goes on"),
    "update ring opened": Message("Update of the boxes offered to more of them"),
    "update stopped": Message("Update of the boxes stopped"),
    "update withdrawn": Message("Update of the boxes withdrawn"),
    "user_active": Message("User let in again"),
    "user_inactive": Message("User shut out"),
    "user_made": Message("User added"),
    "period_closed": Message("Period closed"),
    "ratings_sealed": Message("Ratings of a day sealed"),
    "withdrawal_asked": Message("Withdrawal of a rating asked for"),
}
"""What an action of the log means, in Vietnamese and English; the log keeps the code."""


def _chain(before: str, position: int, day: int, user_id: int | None, action: str, detail: str) -> str:
    row = json.dumps([position, day, user_id, action, detail], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(before.encode() + row.encode()).hexdigest()


def detail_text(detail: Mapping[str, Any]) -> str:
    """A change's detail as the log keeps it."""
    return json.dumps(dict(detail), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def record_change(
    connection: Connection, province_id: int, user_id: int | None, action: str, detail: Mapping[str, Any]
) -> str:
    """Append a change, in the caller's transaction, and return the new head of the chain.

    `detail` names the object, its old and its new value. It never holds a person's name, a phone number or an
    answer."""
    if connection.dialect.name == "postgresql":  # one after the other; SQLite's writers wait for each other anyway
        connection.execute(select(provinces.c.id).where(provinces.c.id == province_id).with_for_update(key_share=True))
    query = Scope(province_id).select(changes, changes.c.position, changes.c.chain)
    last = connection.execute(query.order_by(changes.c.position.desc()).limit(1)).first()
    position, before = (last.position + 1, last.chain) if last else (1, START)
    text = tidy(detail_text(detail))  # as the store keeps it, or the chain would not fit
    day = today()
    head = _chain(before, position, day, user_id, action, text)
    row = {"position": position, "day": day, "user_id": user_id, "action": action, "detail": text, "chain": head}
    connection.execute(insert(changes).values(province_id=province_id, **row))
    return head


def newest_changes(connection: Connection, scope: Scope, limit: int) -> list[Row[Any]]:
    """The newest entries of the log with their authors' names."""
    query = scope.select(changes, changes, users.c.name).outerjoin(users, users.c.id == changes.c.user_id)
    return list(connection.execute(query.order_by(changes.c.position.desc()).limit(limit)))


def verify_changes(connection: Connection, province_id: int) -> tuple[int, str]:
    """(number of entries, head) of a province's log. Raises `LogError` at the first entry that does not fit."""
    head, position = START, 0
    query = Scope(province_id).select(changes).order_by(changes.c.position)
    for row in connection.execute(query):
        position += 1
        expected = _chain(head, position, row.day, row.user_id, row.action, row.detail)
        if row.position != position or row.chain != expected:
            raise LogError(
                Message("The log of changes was altered at entry {position}.", position=position),
                Message("Compare with a backup."),
            )
        head = expected
    return position, head
