"""What is wrong with a file of settings, in sentences: where, what is allowed, the nearest known name."""

from __future__ import annotations

import difflib
import re
from typing import Any, get_args

from pydantic import BaseModel

from edge.legal import NO_BASIS
from pipeline.bad_values import words_of
from pipeline.language import Joined, Message, Sentence


def is_unstated_basis(error: Any) -> bool:
    """Whether the legal basis is what is missing."""
    return error["type"] == "missing" and error["loc"] in (("legal",), ("legal", "basis"))


_REASONS = {
    "string_too_long": Message("is longer than {max_length} characters"),
    "string_too_short": Message("is empty"),
    "string_pattern_mismatch": Message(
        "is not written as it has to be: a space or an accent, perhaps (docs/guide/edge.toml shows how)"
    ),
}
"""What is said of a setting in words of its own."""


def describe(error: Any, text: str, whole: type[BaseModel]) -> Sentence:
    """One of pydantic's errors as a sentence with a line number; the wrong value is not repeated (it may be a
    secret). `whole`: the model of the file, whose names are offered for one that is not known."""
    place = [part for part in error["loc"] if isinstance(part, str)]
    name = ".".join(str(part) for part in error["loc"])
    line = _line_of(place, text)
    where = Message("line {line}: ", line=line) if line else ""
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], _known_names(place[:-1], whole), n=1, cutoff=0.5)
        unknown = Message("{where}'{name}' is not known.", where=where, name=name)
        if near:
            return Joined((unknown, Message("Did you mean '{near}'?", near=near[0])), " ")
        return Joined((unknown, Message("Known here: {names}.", names=", ".join(_known_names(place[:-1], whole)))), " ")
    if is_unstated_basis(error):
        return NO_BASIS
    if error["type"] == "missing":
        return Message("'{name}' is missing.", name=name)
    kept = _REASONS.get(error["type"])
    reason = words_of(error) if kept is None else kept.with_params(**error.get("ctx", {}))
    return Joined((where, name or Message("the file"), ": ", reason, "."), "")


def _known_names(place: list[str], whole: type[BaseModel]) -> list[str]:
    model: type[BaseModel] | None = whole
    for part in place:
        field = None if model is None else model.model_fields.get(part)
        if field is None:
            return []
        model = section_of(field.annotation)
    return [] if model is None else sorted(model.model_fields)


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The table that a setting is: itself, one that may be left out, or each of several; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (section_of(each) for each in get_args(annotation))
    return next((each for each in found if each is not None), None)


def _line_of(place: list[str], text: str) -> int | None:
    """Line of a key in the file: the key within its table's header, as TOML is usually written."""
    if not place:
        return None
    table, key = (place[0], place[1]) if len(place) > 1 else (None, place[0])
    current: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"^\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            current = header[1].strip("\"'")
            if table is None and current == key:
                return number
        elif current == table and re.match(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return None
