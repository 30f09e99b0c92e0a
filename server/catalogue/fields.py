"""Fields of public service (lĩnh vực) as departments have them since 2025: data, to begin a catalogue with."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `groups`: numbers of the service groups that it holds (1..255); each group stands in one field."""

    code: str
    vi: str
    en: str
    groups: tuple[int, ...]


@cache
def load_fields() -> tuple[Field, ...]:
    """The fields that ship (`fields.toml`)."""
    text = resources.files("server.catalogue").joinpath("fields.toml").read_text("utf-8")
    return tuple(
        Field(table["code"], table["vi"], table["en"], tuple(table["groups"]))
        for table in tomllib.loads(text)["fields"]
    )
