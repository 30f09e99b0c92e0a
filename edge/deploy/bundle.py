"""Offline, signed bundles of a box's software: how one is made (`collect`, `write_bundle`) and opened (`open_bundle`).

A bundle holds `manifest.json` (version, platform, Python, sha256 of every other file), `manifest.sig` (Ed25519 over
the manifest's bytes), `wheels/`, `requirements.lock` and `cache/` (third-party weights, as `hailong models fetch` laid
them). What opens it is `edge.deploy.archive`.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

from edge.deploy.archive import MANIFEST, SIGNATURE, BundleError, Manifest, UntrustedError, parse_manifest, unpack
from pipeline.errors import ConfigError, HailongError, KeyFileError
from pipeline.keys import KeyPair, verify
from pipeline.language import Message

_MANYLINUX = re.compile(r"manylinux_2_(\d+)_(x86_64|aarch64)")
_OLDEST_GLIBC_MINOR = 17
_ENTRY = re.compile(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", re.MULTILINE | re.DOTALL)
_WORDS_PACKAGE = "faster-whisper"


@dataclass(frozen=True, slots=True)
class Target:
    """The machine that a bundle is for. `tag`: "manylinux_2_28_aarch64" (glibc 2.28 or newer), None for one as this;
    `python`: "3.11"."""

    tag: str | None = None
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"

    def __post_init__(self) -> None:
        if self.tag is not None and not _MANYLINUX.fullmatch(self.tag):
            raise ConfigError(
                Message("'{tag}' is not a platform.", tag=self.tag), Message("Such as manylinux_2_28_aarch64.")
            )
        if not re.fullmatch(r"3\.\d{2}", self.python):
            raise ConfigError(
                Message("'{python}' is not a version of Python.", python=self.python),
                Message("Such as 3.11 (Debian 12), 3.13 (13)."),
            )

    @property
    def machine(self) -> str:
        """Such as "aarch64"."""
        found = _MANYLINUX.fullmatch(self.tag or "")
        return found[2] if found else platform.machine()

    @property
    def name(self) -> str:
        """What the manifest says."""
        return self.tag or self.machine

    def pip_options(self) -> list[str]:
        """For `pip download`: a wheel for an older glibc than the target's fits, too, which pip does not know."""
        tags = []
        if found := _MANYLINUX.fullmatch(self.tag or ""):
            minors = range(int(found[1]), _OLDEST_GLIBC_MINOR - 1, -1)
            tags = [*(f"manylinux_2_{minor}_{found[2]}" for minor in minors), f"manylinux2014_{found[2]}"]
        return ["--no-deps", f"--python-version={self.python}", *(f"--platform={tag}" for tag in tags)]

    def marker_values(self) -> dict[str, str]:
        """The target as the lock file's markers see it (PEP 508)."""
        return {
            "implementation_name": "cpython", "os_name": "posix", "platform_machine": self.machine,
            "platform_python_implementation": "CPython", "platform_system": "Linux", "sys_platform": "linux",
            "python_full_version": f"{self.python}.0", "python_version": self.python,
        }  # fmt: skip


def write_bundle(content: Path, out: Path, version: str, platform: str, keys: KeyPair, python: str = "") -> Manifest:
    """Write the manifest of a folder's files, sign it, and pack both and the files into `out`; the same content gives
    the same bytes. Raises `ConfigError` where a version or a path is one that no box would take."""
    files = {
        path.relative_to(content).as_posix(): _digest(path)
        for path in content.rglob("*")
        if path.is_file() and path.name not in (MANIFEST, SIGNATURE)
    }
    manifest = Manifest(version, platform, python or Target().python, files)
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True).encode()
    try:
        parse_manifest(text)
    except BundleError as error:
        raise bundle_error(Message("The bundle"), error) from None
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in ((MANIFEST, text), (SIGNATURE, keys.sign(text))):
            archive.addfile(_entry(name, len(data)), BytesIO(data))
        for name in sorted(files):
            with (content / name).open("rb") as file:
                archive.addfile(_entry(name, (content / name).stat().st_size), file)
    return manifest


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_bundle(bundle: Path, trust: bytes, folder: Path) -> Manifest:
    """Check a bundle and unpack it into the empty `folder`.

    Raises `ConfigError` where the file is no bundle or was altered, `KeyFileError` where somebody else signed it."""
    try:
        return unpack(bundle, trust, folder, verify)
    except BundleError as error:
        raise bundle_error(bundle, error) from None


def bundle_error(bundle: Path | Message, error: BundleError) -> HailongError:
    """What was wrong with a bundle, in the error tree."""
    kind = KeyFileError if isinstance(error, UntrustedError) else ConfigError
    said = Message.marked(error.text, bundle=bundle, **error.params)
    return kind(said, Message.marked(error.fix, bundle=bundle, **error.params))


def collect(content: Path, source: Path, lock: Path, target: Target, say: Callable[[Message], None]) -> None:
    """Fill `content` with wheels, lock and weights. `source`: the project's checkout. Weights for words come along
    only where the lock file has what recognises them.

    Raises `ConfigError` where a wheel cannot be had for the target, or weights are not in the cache."""
    entries = collect_wheels(content, source, lock, target, say)
    say(Message("adding weights"))
    _add_weights(content / "cache" / "models", words=_WORDS_PACKAGE in entries)


def collect_wheels(
    content: Path, source: Path, lock: Path, target: Target, say: Callable[[Message], None]
) -> dict[str, str]:
    """Fill `content` with `wheels/` and `requirements.lock`; returns the lock's entries that apply to the target.

    Raises `ConfigError` where a wheel cannot be had for it."""
    wheels = content / "wheels"
    wheels.mkdir(parents=True)
    entries = lock_entries(lock, target)
    (content / "requirements.lock").write_text("".join(entries.values()), encoding="utf-8")
    say(Message("fetching wheels"))
    command = ["download", "--quiet", "--require-hashes", "--only-binary=:all:", "-d", str(wheels)]
    _pip([*command, "-r", str(content / "requirements.lock"), *target.pip_options()])
    say(Message("building the project's own wheel"))
    with tempfile.TemporaryDirectory() as folder:
        # built from a copy: a build leaves files in its tree, and the next one would take up what is no longer there
        copy = Path(folder) / "source"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "tests", "docs"))
        _pip(["wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(copy)])
    return entries


def lock_entries(lock: Path, target: Target) -> dict[str, str]:
    """The entries of a universal lock file that apply to the target, without their markers, by package: pip would
    judge the markers by the machine that it runs on."""
    from packaging.markers import Marker

    found: dict[str, str] = {}
    for entry in _ENTRY.findall(lock.read_text(encoding="utf-8")):
        head, _, hashes = entry.partition("\\\n")
        wanted, _, marker = head.partition(";")
        if not marker or Marker(marker.strip()).evaluate(target.marker_values()):
            found[wanted.split("==")[0].strip()] = f"{wanted.strip()} \\\n{hashes}"
    return found


def _add_weights(folder: Path, words: bool) -> None:
    from models.catalogue import all_cards, model_files, model_folder

    folder.mkdir(parents=True)
    for name, card in all_cards().items():
        fetched = [file.name for file in card.files if file.parts or file.made_by]
        if fetched and (card.set == "default" or (card.set == "asr" and words)):
            model_files(name)  # by sha256: raises where one is missing or altered
            (folder / name).mkdir()
            for file in fetched:
                shutil.copyfile(model_folder(name) / file, folder / name / file)


def _pip(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], capture_output=True, text=True
    )
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "see pip's own output")
        raise ConfigError(Message("pip could not do `{arguments}`: {reason}", arguments=arguments[0], reason=reason))
