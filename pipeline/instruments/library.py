"""Where instruments are found: those that ship, and those that a province adds in a folder of its own."""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

import msgspec

from pipeline.calendar import day_date, today
from pipeline.errors import ConfigError
from pipeline.instruments.instrument import Instrument, Worded
from pipeline.instruments.reading import parse_instrument
from pipeline.language import Day, Message

_SERVICE_GROUPS = "service_groups.toml"
_own: list[Path] = []


def use_folder(folder: Path | None) -> None:
    """Name the folder of a province's own instruments, once at a program's start: what the functions below read beside
    the shipped files where they are given no folder. A folder that is not there holds nothing."""
    _own[:] = [] if folder is None else [folder]


class ServiceGroup(Worded, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A field of public service (lĩnh vực): what `RatingRow.service_group` counts (0..255)."""

    number: int
    code: str


def _files(folder: Path | None) -> dict[str, bytes]:
    """Contents of every instrument file by name: shipped, then the folder's (a name may not be taken twice)."""
    folder = folder or next(iter(_own), None)
    found = {
        entry.name: entry.read_bytes()
        for entry in resources.files("pipeline.instruments").iterdir()
        if entry.name.endswith(".toml") and entry.name != _SERVICE_GROUPS
    }
    for path in sorted(folder.glob("*.toml")) if folder else ():
        if path.name in found:
            raise ConfigError(
                Message("{name} is the name of a shipped instrument.", name=path.name),
                Message("Give your file another name."),
            )
        found[path.name] = path.read_bytes()
    return found


@lru_cache(maxsize=256)
def _read(content: bytes, name: str) -> Instrument:
    """A file's instrument, read once for each content: a page asks for all of them several times."""
    return parse_instrument(content, name)


def shipped_instruments(folder: Path | None = None) -> tuple[Instrument, ...]:
    """Every instrument and version known here, by wire code.

    `folder`: a province's own files beside the shipped ones. Raises `ConfigError` for a file that is wrong or a wire
    code used twice."""
    known: dict[int, Instrument] = {}
    for name, content in _files(folder).items():
        instrument = _read(content, name)
        other = known.get(instrument.wire_code)
        if other is not None:
            raise ConfigError(
                Message(
                    "{name} has the wire code {wire_code} of {code} version {version}.",
                    name=name,
                    wire_code=instrument.wire_code,
                    code=other.code,
                    version=other.version,
                )
            )
        known[instrument.wire_code] = instrument
    named = [(instrument.code, instrument.version) for instrument in known.values()]
    if len(set(named)) < len(named):
        raise ConfigError(
            Message("Two instrument files have the same code and version."),
            Message("Raise the version of the newer one."),
        )
    return tuple(known[wire_code] for wire_code in sorted(known))


def load_instrument(
    code: str, version: int | None = None, folder: Path | None = None, *, on: date | None = None
) -> Instrument:
    """An instrument by its code: the newest version that has begun `on` that day (today), unless one is named.

    Raises `ConfigError` where there is none."""
    known = shipped_instruments(folder)
    day = day_date(today()) if on is None else on
    every = [i for i in known if i.code == code and version in (None, i.version)]
    fitting = [i for i in every if version is not None or i.starts is None or i.starts <= day]
    if every and not fitting:
        begins = min(i.starts for i in every if i.starts is not None)
        raise ConfigError(
            Message("Instrument {code} begins on {day}.", code=code, day=Day(begins)),
            Message("Choose another until then."),
        )
    if not fitting:
        names = ", ".join(sorted({instrument.code for instrument in known}))
        wanted = code if version is None else f"{code} version {version}"
        raise ConfigError(
            Message("There is no instrument {wanted}.", wanted=wanted),
            Message("Known: {names}.", names=names),
        )
    return max(fitting, key=lambda instrument: instrument.version)


def load_by_wire_code(wire_code: int, folder: Path | None = None) -> Instrument:
    """The instrument and version that a rating names. Raises `ConfigError` where there is none."""
    for instrument in shipped_instruments(folder):
        if instrument.wire_code == wire_code:
            return instrument
    raise ConfigError(
        Message("No instrument has the wire code {wire_code}.", wire_code=wire_code), Message("Install its file first.")
    )


def instrument_bytes(code: str, version: int | None = None, folder: Path | None = None) -> tuple[str, bytes]:
    """File name and content of an instrument, as a box gets it. Raises `ConfigError` where there is none."""
    wanted = load_instrument(code, version, folder)
    for name, content in _files(folder).items():
        if _read(content, name).wire_code == wanted.wire_code:
            return name, content
    raise ConfigError(Message("There is no file of instrument {code}.", code=code))


@cache
def load_service_groups() -> tuple[ServiceGroup, ...]:
    """The fields of public service by number, 0 first."""
    content = resources.files("pipeline.instruments").joinpath(_SERVICE_GROUPS).read_text("utf-8")
    return tuple(msgspec.convert(tomllib.loads(content)["groups"], tuple[ServiceGroup, ...]))
