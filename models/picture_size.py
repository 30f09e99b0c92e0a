"""How large a picture says that it is, read from its head: before a decoder takes memory for it.

A file of a few kilobytes can hold a picture of a billion pixels. JPEG, PNG, WebP, BMP, GIF and TIFF; nothing else is
read.
"""

from __future__ import annotations

import struct

MAX_PIXELS = 120_000_000
"""Of a picture to be decoded: 360 MB in memory."""
_STARTS = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
"""JPEG's markers of a frame."""
_ALONE = frozenset((0x01, *range(0xD0, 0xDA)))
"""JPEG's markers without a length."""


def picture_size(stored: bytes) -> tuple[int, int] | None:
    """(width, height) [px]; None for a file that is none of these formats, or is cut off."""
    try:
        if stored[:8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack(">II", stored[16:24])
            return width, height
        if stored[:3] == b"\xff\xd8\xff":
            return _jpeg(stored)
        if stored[:4] == b"RIFF" and stored[8:12] == b"WEBP":
            return _webp(stored)
        if stored[:2] == b"BM":
            is_old = struct.unpack("<I", stored[14:18])[0] == 12
            width, height = struct.unpack(*(("<HH", stored[18:22]) if is_old else ("<ii", stored[18:26])))
            return abs(width), abs(height)
        if stored[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack("<HH", stored[6:10])
            return width, height
        if stored[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff(stored)
    except (struct.error, IndexError):
        pass
    return None


def _jpeg(stored: bytes) -> tuple[int, int] | None:
    at = 2
    while at < len(stored):
        if stored[at] != 0xFF:
            return None
        marker = stored[at + 1]
        if marker == 0xFF:  # filling
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _STARTS:
            height, width = struct.unpack(">HH", stored[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + int(struct.unpack(">H", stored[at + 2 : at + 4])[0])
    return None


def _webp(stored: bytes) -> tuple[int, int] | None:
    kind = stored[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(stored[24:27], "little"), 1 + int.from_bytes(stored[27:30], "little")
    if kind == b"VP8L":
        bits = struct.unpack("<I", stored[21:25])[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", stored[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _tiff(stored: bytes) -> tuple[int, int] | None:
    order, is_big = "<" if stored[:1] == b"I" else ">", stored[2:4] in (b"+\0", b"\0+")
    at = struct.unpack(order + ("Q" if is_big else "I"), stored[8:16] if is_big else stored[4:8])[0]
    size, count_bytes = (20, 8) if is_big else (12, 2)
    count = struct.unpack(order + ("Q" if is_big else "H"), stored[at : at + count_bytes])[0]
    found: dict[int, int] = {}
    for number in range(min(count, 1_000)):
        first = at + count_bytes + number * size
        tag, kind = struct.unpack(order + "HH", stored[first : first + 4])
        value = first + (12 if is_big else 8)
        if tag in (256, 257):
            sign, length = {3: ("H", 2), 4: ("I", 4), 16: ("Q", 8)}.get(kind, ("I", 4))
            found.setdefault(tag, struct.unpack(order + sign, stored[value : value + length])[0])
    return (found[256], found[257]) if len(found) == 2 else None
