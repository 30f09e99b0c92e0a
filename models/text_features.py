"""What the sentiment network sees of a sentence: a bag of hashed pieces that knows of negation, of `but`, and of how
it ends.

Hashing (Weinberger et al. 2009, Feature hashing for large scale multitask learning) needs no vocabulary file, so an
unseen word, a typing error or a missing tone mark still shares its pieces with what was seen in training. Nothing
is cached between calls: what was said is gone when the call returns."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from models.text_normalise import strip_marks, syllables

BUCKETS = 1 << 18

NEGATIONS = frozenset(("không", "chẳng", "chả", "chưa", "đừng", "đâu", "khong", "chang", "chua"))
CONTRASTS = frozenset(("nhưng", "nhung", "song", "mỗi", "tuy"))
_SCOPE = 4


def pieces_of(text: str) -> npt.NDArray[np.int64]:
    """Hashed pieces of a sentence, int64 [k], sorted, without repeats; empty where it has no syllable."""
    return pieces_of_syllables(syllables(text))


def pieces_of_syllables(words: list[str], strip: Callable[[str], str] = strip_marks) -> npt.NDArray[np.int64]:
    """The same of a sentence that was already cut into syllables by `text_normalise.syllables`.

    `strip` takes the marks off a syllable; training passes one that remembers, which a box must not.
    """
    bare = [strip(word) for word in words]
    return np.array(sorted({zlib.crc32(piece.encode()) % BUCKETS for piece in _pieces(words, bare)}), dtype=np.int64)


def _pieces(words: list[str], bare: list[str]) -> list[str]:
    if not words:
        return []
    pieces: list[str] = []
    for mark, row in (("", ["<", *words, ">"]), ("~", ["<", *bare, ">"])):
        for size in (2, 3):
            pieces += [f"{mark}{size}{' '.join(row[at : at + size])}" for at in range(len(row) - size + 1)]
    pieces += [f"s{one} _ {two}" for one, two in zip(bare, bare[2:], strict=False)]
    pieces += [f"z{word}" for word in bare[-3:]]
    pieces.append(f"l{len(words) if len(words) < 12 else 12 + len(words) // 10}")
    return pieces + _scoped(words, bare)


def _scoped(words: list[str], bare: list[str]) -> list[str]:
    """Single syllables, those within reach of a negation as other pieces than elsewhere, and those after `but`."""
    pieces: list[str] = []
    remaining, negations, turned = 0, 0, False
    for at, (word, simple) in enumerate(zip(words, bare, strict=True)):
        if word in NEGATIONS:
            remaining = _SCOPE + 1
            negations += 1
        elif word in CONTRASTS:
            remaining, turned = 0, True
        elif remaining:
            pieces += [f"n{word}", f"na{simple}"]
            if at + 1 < len(bare):
                pieces.append(f"n2{simple} {bare[at + 1]}")
        pieces.append(f"1{word}")
        if word in NEGATIONS or not remaining:
            pieces.append(f"a{simple}")
            pieces += [f"g{simple[start : start + 3]}" for start in range(len(simple) - 2)]
        if turned:
            pieces.append(f"w{simple}")
        remaining = max(0, remaining - 1)
    pieces.append(f"count of negations {min(negations, 3)}")
    return pieces
