"""Instruments on a box: those that ship, and the province's own, which the server sends signed. A new one is used
from the box's next start, one with a first day from that day on."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pipeline.errors import ConfigError, WireError
from pipeline.instruments.instrument import Instrument
from pipeline.instruments.library import load_instrument, shipped_instruments
from pipeline.instruments.reading import parse_instrument
from pipeline.instruments.signed import open_signed
from pipeline.language import Message
from pipeline.records import Tallies
from pipeline.wire import SignedFile

_log = logging.getLogger(__name__)
MAX_FILES = 64


class Instruments:
    """`folder`: where received files are kept. `server_signing`: the server's Ed25519 key, 32 bytes, from the
    enrolment."""

    def __init__(self, folder: Path, server_signing: bytes) -> None:
        self.tallies = Tallies()
        self._folder = folder
        self._key = Ed25519PublicKey.from_public_bytes(server_signing)

    def load(self, code: str, on: date | None = None) -> Instrument:
        """The newest version of an instrument that has begun `on` that day (today). Raises `ConfigError` where there is
        none."""
        return load_instrument(code, folder=self._folder, on=on)

    def take(self, file: SignedFile) -> bool:
        """Keep a signed file; false where it is refused (counted) or known already. Never raises for a bad file."""
        path = self._folder / file.name
        try:
            held = path.read_bytes() if path.exists() else None
            if held == file.content:
                return False
            before = parse_instrument(held, file.name) if held is not None else None
            instrument = open_signed(file, self._key, at_least=before)
            if held is None and len(list(self._folder.glob("*.toml"))) >= MAX_FILES:
                raise ConfigError(Message("There are too many instruments on this box."))
            self._keep(path, file.content)
        except (WireError, ConfigError, OSError) as error:
            self.tallies.drop("refused")
            _log.error("an instrument from the server was not taken: %s", error)
            return False
        self.tallies.forwarded += 1
        _log.info(
            "instrument %s version %d has come; it can be used from the next start", instrument.code, instrument.version
        )
        return True

    def _keep(self, path: Path, content: bytes) -> None:
        """Write through a neighbour; a file that clashes with a shipped one is taken back."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        before = path.read_bytes() if path.exists() else None
        part = path.with_suffix(".part")
        part.write_bytes(content)
        part.rename(path)
        try:
            shipped_instruments(self._folder)
        except ConfigError:
            path.unlink() if before is None else path.write_bytes(before)
            raise
