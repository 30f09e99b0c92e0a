"""All tables of the server, loaded: importing this module fills `metadata`."""

from __future__ import annotations

from server.store.metadata import metadata
from server.store.tables import (
    agencies,
    boxes,
    changes,
    channels,
    comments,
    contacts,
    counters,
    feedback,
    gateways,
    imports,
    paper,
    plans,
    provinces,
    rating_chains,
    ratings,
    releases,
    rounds,
    services,
    transactions,
    unfit_sheets,
    users,
)

__all__ = [
    "agencies",
    "boxes",
    "changes",
    "channels",
    "comments",
    "contacts",
    "counters",
    "feedback",
    "gateways",
    "imports",
    "metadata",
    "paper",
    "plans",
    "provinces",
    "rating_chains",
    "ratings",
    "releases",
    "rounds",
    "services",
    "transactions",
    "unfit_sheets",
    "users",
]
