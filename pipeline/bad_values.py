"""What pydantic finds wrong with a value, in sentences: in files of settings and in what is sent to a page."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from pipeline.language import Message, Sentence, reason_of

_WHOLE, _FIGURE = Message("must be a whole number"), Message("must be a number")
_YES_NO, _DAY, _TEXT = Message("must be true or false"), Message("must be a day"), Message("must be text in quotes")
_WORDS: dict[str, Message] = {
    "missing": Message("is missing"),
    "extra_forbidden": Message("is not known here"),
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_parsing": _FIGURE,
    "float_type": _FIGURE,
    "finite_number": _FIGURE,
    "bool_parsing": _YES_NO,
    "bool_type": _YES_NO,
    "date_from_datetime_parsing": _DAY,
    "date_from_datetime_inexact": _DAY,
    "date_parsing": _DAY,
    "date_type": _DAY,
    "string_type": _TEXT,
    "path_type": _TEXT,
    "string_too_long": Message("is too long, at most {max_length} characters"),
    "string_too_short": Message("is too short, at least {min_length} characters"),
    "string_pattern_mismatch": Message("is not written as it has to be"),
    "greater_than_equal": Message("must be {ge} or more"),
    "greater_than": Message("must be more than {gt}"),
    "less_than_equal": Message("must be {le} or less"),
    "less_than": Message("must be less than {lt}"),
    "tuple_type": Message("must be a list in brackets"),
    "list_type": Message("must be a list in brackets"),
    "too_short": Message("has too few entries, at least {min_length}"),
    "too_long": Message("has too many entries, at most {max_length}"),
    "model_type": Message("must be a table of settings"),
    "dict_type": Message("must be a table of settings"),
}
_UNUSABLE = Message("is a value that cannot be used")


def words_of(problem: Mapping[str, Any]) -> str | Sentence:
    """One of pydantic's errors without its place and without the wrong value (it may be a secret)."""
    context = {name: _plain(value) for name, value in problem.get("ctx", {}).items()}
    raised = context.get("error")
    if isinstance(raised, ValueError):
        return reason_of(raised)
    if problem["type"] in ("literal_error", "enum"):  # only the word between the last two is English there
        return Message("must be one of {words}", words=context["expected"].replace(" or ", ", "))
    return _WORDS.get(problem["type"], _UNUSABLE).with_params(**context)


def _plain(value: Any) -> Any:
    """A bound as people write it: 1, not 1.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def words_of_toml(error: tomllib.TOMLDecodeError | UnicodeDecodeError) -> Sentence:
    """Where a file stops to be TOML."""
    if isinstance(error, UnicodeDecodeError):
        return Message("it is no text in UTF-8")
    found = re.search(r"line (\d+), column (\d+)", str(error))
    if found is None:
        return Message("something is not closed at its end")
    return Message("line {line}, column {column} is not written as it has to be", line=found[1], column=found[2])
