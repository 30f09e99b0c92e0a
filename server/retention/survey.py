"""Deleting what may not be kept: phone numbers, contacts, names of enumerators, conversations, texts of feedback."""

from __future__ import annotations

from sqlalchemy import Connection, delete, or_, select, update

from pipeline.calendar import today
from server.channels.gateway.gateway import expire_conversations
from server.core.changes import record_change
from server.store.tables.contacts import enumerators, phone_contacts
from server.store.tables.feedback import feedback, feedback_contacts


def enforce_survey_retention(connection: Connection, province_id: int) -> dict[str, int]:
    """Delete what has reached its day in one province; what was deleted, by kind. Run daily by the server."""
    now = today()
    done = {"conversations": expire_conversations(connection, province_id)}
    old = phone_contacts.c.province_id == province_id, phone_contacts.c.expires_day < now
    done["phones"] = connection.execute(delete(phone_contacts).where(*old)).rowcount
    expired = feedback_contacts.c.province_id == province_id, feedback_contacts.c.expires_day < now
    done["contacts"] = connection.execute(delete(feedback_contacts).where(*expired)).rowcount
    # Words can name people: the text of an answered complaint goes when no contact is left to answer to.
    kept = select(feedback_contacts.c.feedback_id).where(feedback_contacts.c.province_id == province_id)
    texts = (
        feedback.c.province_id == province_id,
        feedback.c.status.in_(("answered", "rejected")),
        feedback.c.due_day < now,
        feedback.c.text != "",
        feedback.c.id.not_in(kept),
    )
    done["texts"] = connection.execute(update(feedback).where(*texts).values(text="")).rowcount
    people = (
        enumerators.c.province_id == province_id,
        enumerators.c.expires_day < now,
        or_(enumerators.c.name != "", enumerators.c.phone != ""),
    )
    wiped = {"name": "", "phone": "", "active": False}
    done["enumerators"] = connection.execute(update(enumerators).where(*people).values(**wiped)).rowcount
    if any(done.values()):
        record_change(connection, province_id, None, "retention", done)
    return done
