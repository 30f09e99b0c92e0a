"""Types of columns that both data bases keep alike: text of a bounded length, and a name in any languages."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from pipeline.language import Text
from pipeline.text import tidy


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


class Name(TypeDecorator[Text]):
    """A name in any languages (`pipeline.language.Text`), kept as JSON: `{"vi": "Sở Nội vụ", "en": "..."}`, the
    languages in the order of their codes, so that equal names are equal texts. No name is longer than `length`."""

    impl = sqlalchemy.Text
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def process_bind_param(self, value: Text | None, dialect: Dialect) -> str | None:
        """The JSON of a name. Each name is made tidy here: within JSON a control character is written as letters, and
        the store's own guard would not see it."""
        if value is None:
            return None
        words = {lang: tidy(name) for lang, name in value.words}
        if any(len(name) > self.length for name in words.values()):
            raise TooLongError
        return json.dumps(words, ensure_ascii=False, sort_keys=True)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Text | None:
        """The name of a row."""
        return None if value is None else _name(value)


@lru_cache(maxsize=10_000)
def _name(text: str) -> Text:
    """Read once: a page reads the names of a whole province, the same in every request."""
    return Text.named(**json.loads(text))
