"""Z85, the text that keys are written in (ZeroMQ RFC 32): five characters for four bytes.

Needs nothing but Python's own library, since it is part of the installer too (`edge.deploy.installer`).
"""

from __future__ import annotations

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}


def encode_z85(data: bytes) -> str:
    """Text of `data` (a multiple of 4 bytes, else `ValueError`)."""
    if len(data) % 4:
        raise ValueError("Z85 needs a multiple of 4 bytes")
    text = []
    for start in range(0, len(data), 4):
        value = int.from_bytes(data[start : start + 4], "big")
        text.append("".join(_ALPHABET[value // 85**power % 85] for power in (4, 3, 2, 1, 0)))
    return "".join(text)


def decode_z85(text: str) -> bytes:
    """Bytes of a text. Raises `ValueError`, which does not show the text."""
    if len(text) % 5 or any(character not in _VALUE for character in text):
        raise ValueError("not Z85 text")
    data = bytearray()
    for start in range(0, len(text), 5):
        value = 0
        for character in text[start : start + 5]:
            value = value * 85 + _VALUE[character]
        if value >= 2**32:
            raise ValueError("not Z85 text")
        data += value.to_bytes(4, "big")
    return bytes(data)
