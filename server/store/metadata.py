"""The one `MetaData` on which every table of the server stands.

Every table carries `province_id`, and foreign keys between tables of one province include it, so that the data base
itself refuses a row that joins two provinces. Times of citizens' answers are days (`day`: days since 2020-01-01,
UTC+7); months are counted from January 2020. Times of the staff's own doings (log-in, access) are Unix seconds (`_s`).
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKeyConstraint, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key() -> Column[int]:
    """The integer primary key of a table."""
    return Column("id", Integer, primary_key=True)


def province_column() -> Column[int]:
    """`province_id`, present in every table that belongs to a province."""
    return Column("province_id", Integer, nullable=False)


def province_key() -> ForeignKeyConstraint:
    """The foreign key of `province_id`."""
    return ForeignKeyConstraint(["province_id"], ["provinces.id"])


def same_province(column: str, table: str) -> ForeignKeyConstraint:
    """Foreign key (province_id, `column`) to `table` (province_id, id): a row can only point into its own province.

    The table pointed to needs `UniqueConstraint("province_id", "id")`."""
    return ForeignKeyConstraint(["province_id", column], [f"{table}.province_id", f"{table}.id"])
