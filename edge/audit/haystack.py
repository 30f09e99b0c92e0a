"""Many byte strings searched for at once in a process's memory: hundreds of megabytes, mostly of one byte."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

PAGE = 4_096
SMALLEST = 4
"""Bytes of the shortest string that can be searched for."""
_WORDS_AT_ONCE = 1 << 18
_MIX = np.uint32(2_654_435_761)
_BITS = 16


class Haystack:
    """Finds strings of at least `SMALLEST` bytes in blocks of bytes.

    Four bytes of each string, those that differ most among themselves, are looked up at every place of a block; where
    they stand, the whole string is compared. Pages of one byte only, which hold no string of several different bytes,
    are passed over. On the memory of a box that is a tenth of the time of a search for one string after the other."""

    def __init__(self, strings: Iterable[bytes]) -> None:
        """Raises `ValueError` for a string that is too short, or of one byte only."""
        self._anchored: dict[int, list[tuple[bytes, int]]] = defaultdict(list)
        self._longest = 0
        for string in set(strings):
            if len(string) < SMALLEST or len(set(string)) < 2:
                raise ValueError("a string to search for has at least four bytes, not all the same")
            at = max(range(len(string) - SMALLEST + 1), key=lambda at: len(set(string[at : at + SMALLEST])))
            self._anchored[int.from_bytes(string[at : at + SMALLEST], "little")].append((string, at))
            self._longest = max(self._longest, len(string))
        self._may_be = np.zeros(1 << _BITS, bool)
        self._may_be[_mixed(np.fromiter(self._anchored, np.uint32, len(self._anchored)))] = True

    def found_in(self, block: bytes) -> set[bytes]:
        """Which of the strings occur in the block."""
        found: set[bytes] = set()
        for start, end in self._worth_a_look(block):
            for shift in range(min(SMALLEST, end - start - SMALLEST + 1)):
                words = np.frombuffer(block, "<u4", (end - start - shift) // SMALLEST, start + shift)
                for first in range(0, len(words), _WORDS_AT_ONCE):
                    some = words[first : first + _WORDS_AT_ONCE]
                    for place in np.flatnonzero(self._may_be[_mixed(some)]).tolist():
                        for string, at in self._anchored.get(int(some[place]), ()):
                            begins = start + shift + SMALLEST * (first + place) - at
                            if begins >= 0 and block.startswith(string, begins):
                                found.add(string)
        return found

    def _worth_a_look(self, block: bytes) -> Iterator[tuple[int, int]]:
        """Spans of the block without pages of one byte, each with as much of its neighbours as a string may reach."""
        pages, plain = len(block) // PAGE, np.empty(0, bool)
        if pages:
            words = np.frombuffer(block, "<u8", pages * PAGE // 8).reshape(pages, PAGE // 8)
            first = words[:, 0]
            one_byte = first == (first & np.uint64(255)) * np.uint64(0x0101010101010101)
            plain = one_byte & (words == first[:, None]).all(axis=1)
            plain[1:] &= first[1:] == first[:-1]  # a string may lie across two pages of one byte each
        edges = np.flatnonzero(np.diff(np.concatenate([[True], plain, [True]]).astype(np.int8))).tolist()
        if len(block) % PAGE:  # the rest is looked at in any case
            edges = [*edges[:-1], pages + 1] if edges and edges[-1] == pages else [*edges, pages, pages + 1]
        for begins, ends in zip(edges[::2], edges[1::2], strict=True):
            yield max(0, begins * PAGE - self._longest), min(len(block), ends * PAGE + self._longest)


def _mixed(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """[n] numbers below 2**`_BITS` of words [n]."""
    return (words.astype(np.uint32, copy=False) * _MIX) >> np.uint32(32 - _BITS)
