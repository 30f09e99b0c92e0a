"""Text of a bounded length that both data bases bound alike."""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine


class TooLongError(ValueError):
    """A text that its column cannot hold."""


class String(sqlalchemy.String):
    """`VARCHAR(n)`. SQLite would store any text in it, and such a store could not be restored on PostgreSQL, which
    refuses it: so whoever writes one is refused on both. Looking for a longer text finds nothing, on both."""

    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._most = length

    def bind_processor(self, dialect: Dialect) -> Any:
        """What every value goes through on its way to a column."""
        before, most = super().bind_processor(dialect), self._most

        def process(value: Any) -> Any:
            if isinstance(value, str) and len(value) > most:
                raise TooLongError
            return value if before is None else before(value)

        return process

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        """A text that is compared with a column is not written into it."""
        return sqlalchemy.String() if isinstance(value, str) else super().coerce_compared_value(op, value)
