"""Deleting what may not be kept: phone numbers, contacts, names of enumerators, conversations, texts of feedback."""

from __future__ import annotations

from sqlalchemy import Connection, or_

from pipeline.calendar import today
from server.channels.gateway.gateway import expire_conversations
from server.core.changes import record_change
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.store.tables.contacts import enumerators, phone_contacts
from server.store.tables.feedback import feedback, feedback_contacts


def enforce_survey_retention(connection: Connection, province_id: int) -> dict[str, int]:
    """Delete what has reached its day in one province; what was deleted, by kind. Run daily by the server."""
    now, scope = today(), Scope(province_id)
    days = int(read_setting(connection, province_id, "contact_days"))
    # Words can name people: the text of an answered complaint goes when no contact is left to answer to.
    kept = scope.select(feedback_contacts, feedback_contacts.c.feedback_id)
    answered = (feedback.c.status.in_(("answered", "rejected")), feedback.c.due_day < now, feedback.c.text != "")
    named = or_(enumerators.c.name != "", enumerators.c.phone != "")
    steps = {
        "phones": scope.delete(phone_contacts).where(phone_contacts.c.expires_day < now),
        "contacts": scope.delete(feedback_contacts).where(feedback_contacts.c.expires_day < now),
        "texts": scope.update(feedback).where(*answered, feedback.c.id.not_in(kept)).values(text=""),
        "answers": scope.update(feedback)
        .where(feedback.c.answered_day < now - days, feedback.c.published_day.is_(None), feedback.c.answer != "")
        .values(answer=""),
        "enumerators": scope.update(enumerators)
        .where(enumerators.c.expires_day < now, named)
        .values(name="", phone="", active=False),
    }
    done = {"conversations": expire_conversations(connection, province_id)}
    for name, step in steps.items():
        done[name] = connection.execute(step).rowcount
    if any(done.values()):
        record_change(connection, province_id, None, "retention", done)
    return done
