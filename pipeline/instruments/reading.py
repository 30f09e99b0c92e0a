"""Reading an instrument from TOML: bounded before it is parsed, then each value, then how they fit together."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

import msgspec

from pipeline.errors import ConfigError
from pipeline.instruments.consistency import find_problems
from pipeline.instruments.instrument import MAX_BYTES, Instrument
from pipeline.language import Joined, Message

MAX_LINE_CHARS = 2_000
MAX_LINES = 3_000
MAX_LINE_DOTS = 32
"""In a line: a dotted key costs the square of its parts, so that 200 KB of one took 15.5 GB."""


def parse_instrument(content: bytes, name: str = "instrument") -> Instrument:
    """Read an instrument from TOML bytes (UTF-8). Unknown keys are refused.

    Raises `ConfigError` that names the file and what is wrong with it."""
    try:
        instrument = make_instrument(tomllib.loads(_bounded(content)))
    # a number of thousands of digits is a plain ValueError, brackets within brackets are a RecursionError
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ConfigError(
            Message("{name} is not an instrument: {error}.", name=name, error=error),
            Message("Compare it with the shipped 2640.toml."),
        ) from None
    problems = find_problems(instrument)
    if problems:
        raise ConfigError(
            Message("{name}: {problems}.", name=name, problems=Joined(problems)), Message("Correct the file.")
        )
    return instrument


def make_instrument(values: Mapping[str, object]) -> Instrument:
    """The record of plain values, each within its bounds; whether they fit together says `find_problems`.

    Raises `msgspec.ValidationError`."""
    return msgspec.convert(values, Instrument)


def _bounded(content: bytes) -> str:
    """The file's text, if it is small enough to be parsed. Raises `ValueError`."""
    if len(content) > MAX_BYTES:
        raise ValueError(f"{len(content)} bytes, at most {MAX_BYTES}")
    lines = content.decode("utf-8").split("\n")
    if len(lines) > MAX_LINES:
        raise ValueError(f"{len(lines)} lines, at most {MAX_LINES}")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_CHARS or line.count(".") > MAX_LINE_DOTS:
            raise ValueError(f"line {number} is too long, or has too many dots")
    return "\n".join(lines)
