"""Names in any language: one column of JSON in place of one column for Vietnamese and one for English."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_LENGTHS = {
    "provinces": 200,
    "levels": 200,
    "agencies": 200,
    "counters": 200,
    "fields": 200,
    "service_groups": 200,
    "services": 300,
    "rounds": 200,
}


def upgrade() -> None:
    for table in _LENGTHS:
        op.add_column(table, sa.Column("name", sa.Text(), nullable=True))
        _each(table, ("name_vi", "name_en"), _together)
        with op.batch_alter_table(table) as batch:
            batch.alter_column("name", existing_type=sa.Text(), nullable=False)
            batch.drop_column("name_vi")
            batch.drop_column("name_en")


def downgrade() -> None:
    for table, length in _LENGTHS.items():
        for column in ("name_vi", "name_en"):
            op.add_column(table, sa.Column(column, sa.String(length=length), nullable=True))
        _each(table, ("name",), _apart)
        with op.batch_alter_table(table) as batch:
            for column in ("name_vi", "name_en"):
                batch.alter_column(column, existing_type=sa.String(length=length), nullable=False)
            batch.drop_column("name")


def _together(row: Any) -> dict[str, str]:
    """A name in English that is the Vietnamese one again says nothing of its own."""
    words = {"vi": row.name_vi}
    if row.name_en and row.name_en != row.name_vi:
        words["en"] = row.name_en
    return {"name": json.dumps(words, ensure_ascii=False, sort_keys=True)}


def _apart(row: Any) -> dict[str, str]:
    """Before, every name had an English one; a further language has no column then and is lost."""
    words = json.loads(row.name)
    first = words.get("vi") or next(iter(words.values()), "")
    return {"name_vi": first, "name_en": words.get("en") or first}


def _each(table: str, read: tuple[str, ...], made: Callable[[Any], dict[str, str]]) -> None:
    """Fill new columns of every row from those that are read."""
    connection = op.get_bind()
    found = sa.table(table, sa.column("id"), *map(sa.column, ("name", "name_vi", "name_en")))
    rows = connection.execute(sa.select(found.c.id, *(found.c[name] for name in read))).all()
    if not rows:
        return
    values = [{"key": row.id, **made(row)} for row in rows]
    names = [name for name in values[0] if name != "key"]
    change = sa.update(found).where(found.c.id == sa.bindparam("key")).values({n: sa.bindparam(n) for n in names})
    connection.execute(change, values)
