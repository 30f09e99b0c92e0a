"""All tables of the server, loaded: importing this module fills `metadata`."""

from __future__ import annotations

from server.store.metadata import metadata
from server.store.tables import (
    agencies,
    boxes,
    changes,
    counters,
    provinces,
    ratings,
    releases,
    services,
    transactions,
    users,
)
from server.survey import tables as survey

__all__ = [
    "agencies",
    "boxes",
    "changes",
    "counters",
    "metadata",
    "provinces",
    "ratings",
    "releases",
    "services",
    "survey",
    "transactions",
    "users",
]
