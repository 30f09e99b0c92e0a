"""The search of memory finds what a plain search finds, wherever it lies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.audit.haystack import PAGE, Haystack

BYTES = st.sampled_from([0, 1, 2, 255])
STRINGS = st.lists(BYTES, min_size=4, max_size=9).map(bytes).filter(lambda string: len(set(string)) > 1)


@given(st.lists(STRINGS, min_size=1, max_size=6), st.lists(BYTES, max_size=300).map(bytes))
def test_as_one_string_after_the_other(strings: list[bytes], block: bytes) -> None:
    """Few different bytes, so that strings overlap, share their anchors and nearly fit."""
    assert Haystack(strings).found_in(block) == {string for string in strings if string in block}


@given(st.integers(0, 5 * PAGE), st.integers(0, 3 * PAGE), st.sampled_from([b"\0", b"\xaa"]))
def test_across_pages_of_one_byte(before: int, after: int, filler: bytes) -> None:
    string = bytes(range(1, 97))
    block = filler * before + string + b"\0" * after
    assert Haystack([string, b"none of that"]).found_in(block) == {string}
    assert Haystack([string]).found_in(block[: before + 95]) == set()


def test_across_two_pages_of_one_byte_each() -> None:
    assert Haystack([b"aaab"]).found_in(b"a" * 3 * PAGE + b"b" * 3 * PAGE) == {b"aaab"}


def test_a_pattern_that_repeats_is_no_plain_page() -> None:
    assert Haystack([b"abcdefgh"]).found_in(b"abcdefgh" * PAGE) == {b"abcdefgh"}


@pytest.mark.parametrize("string", [b"", b"abc", b"\0" * 48])
def test_what_would_be_everywhere_is_not_searched_for(string: bytes) -> None:
    with pytest.raises(ValueError, match="at least four bytes"):
        Haystack([string])
