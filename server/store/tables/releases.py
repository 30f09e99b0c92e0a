"""What came over the wire: deliveries (for idempotence), releases with noise, and signed tree heads."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Boolean, Column, Index, Integer, SmallInteger, Table, UniqueConstraint

from pipeline.release_kind import KINDS
from server.store.metadata import key, metadata, province_column, province_key, same_province
from server.store.types import String

CELL_COLUMNS = tuple(f"c{slot:02d}" for slot in range(max(kind.cells for kind in KINDS)))
"""A release uses as many as its kind has cells, from the first on: a pulse four, an evidence table all, the
count of those who did not agree three."""
_GRIDS = frozenset(kind.cells for kind in KINDS)


def cell_values(counts: Sequence[int]) -> dict[str, int]:
    """Column values of the 3, 4 or 18 counts of a release; cells that its grid lacks are left out, and so NULL."""
    if len(counts) not in _GRIDS:
        raise ValueError("A release has 3, 4 or 18 counts.")
    return dict(zip(CELL_COLUMNS, counts, strict=False))


deliveries = Table(
    "deliveries",
    metadata,
    key(),
    province_column(),
    Column("box_id", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("received_day", Integer, nullable=False),
    province_key(),
    same_province("box_id", "boxes"),
    UniqueConstraint("box_id", "epoch", "sequence"),
)
"""One row for every stored message (pulse, evidence, not_agreed, ratings, tree_head). `digest`: SHA-256 of its
payload, hex."""

releases = Table(
    "releases",
    metadata,
    key(),
    province_column(),
    Column("agency_id", Integer, nullable=False),
    Column("box_id", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("pool", SmallInteger, nullable=False, default=1, server_default="1"),
    Column("kind", String(20), nullable=False),
    Column("period_kind", SmallInteger, nullable=False),
    Column("period_index", Integer, nullable=False),
    Column("epsilon_milli", Integer, nullable=False),
    *(Column(name, Integer) for name in CELL_COLUMNS),
    Column("late", Boolean, nullable=False, default=False),
    Column("received_day", Integer, nullable=False),
    Column("held", String(24)),
    province_key(),
    same_province("agency_id", "agencies"),
    same_province("box_id", "boxes"),
    UniqueConstraint("box_id", "epoch", "sequence"),
    Index(None, "province_id", "kind", "period_kind", "period_index"),
)
Index(
    "uq_releases_one_of_a_window",
    *(releases.c[name] for name in ("box_id", "epoch", "pool", "kind", "period_kind", "period_index")),
    unique=True,
    sqlite_where=releases.c.held.is_(None),
    postgresql_where=releases.c.held.is_(None),
)
"""`kind`: name of its `pipeline.release_kind.ReleaseKind`. `agency_id`: whose the box's pool is in that
window (`server.boxes.pools`), as known at the time of receipt.
`late`: stored after its period's due day. `held`: why it is in no figure (`server.boxes.release_gate.Held`), unset
where it is. Of one window of a box, epoch
and pool one release at most is in figures."""

tree_heads = Table(
    "tree_heads",
    metadata,
    key(),
    province_column(),
    Column("box_id", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("root", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("log_key", String(64)),
    Column("received_day", Integer, nullable=False),
    province_key(),
    same_province("box_id", "boxes"),
    UniqueConstraint("box_id", "epoch", "sequence"),
    Index(None, "log_key"),
)
"""`root` and `signature` in hex. `verified`: the signature fits the box's `log_key` of then, which is kept beside it: a
disk that comes back under another row still meets the heads of its log."""
