"""Who issues a province's documents, from its settings."""

from __future__ import annotations

from sqlalchemy import Connection

from server.core.provinces import read_settings
from server.documents.frame import Office

NAMES = ("office_superior", "office_issuer", "office_symbol", "office_place", "office_signer_title")


def read_office(connection: Connection, province_id: int) -> Office:
    """What the province's settings say."""
    values = read_settings(connection, province_id, NAMES)
    return Office(**{name.removeprefix("office_"): str(values[name]) for name in NAMES})
