"""Writing an instrument as TOML: what `parse_instrument` reads back as the same record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from pipeline.errors import ConfigError
from pipeline.instruments.instrument import MAX_BYTES, Instrument
from pipeline.language import Message

_TABLES = ("title", "overall", "validity")
_LISTS = ("scale", "blocks", "factors", "items", "kiosk", "reasons")


def write_instrument(instrument: Instrument) -> bytes:
    """An instrument's file, UTF-8. What has its usual value is left out. Raises `ConfigError` where it is too large."""
    values = _without_defaults(instrument)
    lines = [f"{name} = {_value(value)}" for name, value in values.items() if name not in (*_TABLES, *_LISTS)]
    for name in _TABLES:
        if values.get(name):
            lines += ["", f"[{name}]", *_pairs(values[name])]
    for name in _LISTS:
        for one in values.get(name, ()):
            lines += ["", f"[[{name}]]", *_pairs(one)]
    content = ("\n".join(lines) + "\n").encode("utf-8")
    if len(content) > MAX_BYTES:
        raise ConfigError(
            Message("The instrument is too large: {size} bytes, at most {most}.", size=len(content), most=MAX_BYTES),
            Message("Ask less, or shorten the wording."),
        )
    return content


def _without_defaults(record: msgspec.Struct) -> dict[str, Any]:
    """Plain values of a record by name; `None` and what has its default are left out."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if value is None or (field.default is not msgspec.NODEFAULT and value == field.default):
            continue
        if isinstance(value, msgspec.Struct):
            value = _without_defaults(value)
        elif isinstance(value, tuple):
            value = [_without_defaults(each) if isinstance(each, msgspec.Struct) else each for each in value]
        found[field.name] = value
    return found


def _pairs(values: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_value(value)}" for name, value in values.items()]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        # a choice a line: a line's length is bounded
        inner = [_value(each) for each in value]
        if isinstance(value[0], dict):
            return "[\n" + "".join(f"  {each},\n" for each in inner) + "]"
        return f"[{', '.join(inner)}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(_pairs(value)) + " }"
    return repr(value)
