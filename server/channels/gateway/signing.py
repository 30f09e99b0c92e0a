"""What a gateway signs. The standard library alone: the machine of a call centre imports it for every call."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

_TIME = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class Call:
    """What a gateway signs. `time`: Unix seconds, as text; `nonce`: 16 to 64 letters and digits, new in every call."""

    method: str
    path: str
    time: str
    nonce: str
    body: bytes

    @property
    def is_well_formed(self) -> bool:
        """Whether time and nonce can be what they should."""
        return bool(_TIME.fullmatch(self.time)) and bool(_NONCE.fullmatch(self.nonce))

    def signature(self, secret: str) -> str:
        """HMAC-SHA-256, hex, over method, path, time and nonce, each ended by a line break, and the body."""
        head = f"{self.method}\n{self.path}\n{self.time}\n{self.nonce}\n"
        return hmac.new(bytes.fromhex(secret), head.encode() + self.body, hashlib.sha256).hexdigest()
