"""The province's own instruments (`instruments/*.toml` in the server's data folder), signed for the boxes. Those
that ship are on every box already."""

from __future__ import annotations

import logging
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.errors import ConfigError
from pipeline.instruments.instrument import MAX_BYTES, Instrument
from pipeline.instruments.library import load_by_wire_code
from pipeline.instruments.reading import parse_instrument
from pipeline.instruments.signed import sign_file
from pipeline.keys import KeyPair
from pipeline.wire import SignedFile

_log = logging.getLogger(__name__)


class InstrumentFiles:
    """Reads a file again when it has changed; a file that is no instrument is told once and left out. `folder` may
    not exist."""

    def __init__(self, folder: Path | None, keys: KeyPair) -> None:
        self._folder = folder
        self._key = Ed25519PrivateKey.from_private_bytes(keys.signing_secret)
        self._signed: dict[Path, tuple[tuple[int, int], SignedFile | None]] = {}
        self._known: dict[int, Instrument] = {}

    def signed(self) -> list[SignedFile]:
        """Every file of the folder with the server's signature, by name."""
        paths = sorted(self._folder.glob("*.toml")) if self._folder is not None else []
        return [file for path in paths if (file := self._sign(path)) is not None]

    def _sign(self, path: Path) -> SignedFile | None:
        try:
            status = path.stat()
            mark = (status.st_mtime_ns, status.st_size)
            if path not in self._signed or self._signed[path][0] != mark:
                self._signed[path] = (mark, None)
                with path.open("rb") as file:  # no more than it takes to see that it is too large
                    content = file.read(MAX_BYTES + 1)
                self._signed[path] = (mark, sign_file(path.name, content, self._key))
                self._known.clear()
        except (OSError, ConfigError) as error:
            _log.error("the instrument %s is not sent to the boxes: %s", path.name, error)
        return self._signed[path][1] if path in self._signed else None

    def by_wire_code(self, wire_code: int) -> Instrument:
        """The instrument that a rating names. Raises `ConfigError` where it is not installed here."""
        if wire_code not in self._known:
            own = {parse_instrument(file.content, file.name).wire_code: file for file in self.signed()}
            if wire_code in own:
                self._known[wire_code] = parse_instrument(own[wire_code].content, own[wire_code].name)
            else:
                self._known[wire_code] = load_by_wire_code(wire_code)
        return self._known[wire_code]
