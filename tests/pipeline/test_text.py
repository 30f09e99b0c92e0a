"""Text from outside: what is never stored, and what is the same text for people."""

from __future__ import annotations

import unicodedata
import xml.dom.minidom
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import first_unsafe, match_key, one_line, tidy, tidy_all, without_marks


@given(st.text(st.characters(codec=None), max_size=80))
def test_a_tidy_text_can_be_encoded_and_stands_in_xml(text: str) -> None:
    kept = tidy(text)
    kept.encode()
    xml.dom.minidom.parseString(f"<a>{escape(kept)}</a>")
    assert "\x00" not in kept
    assert tidy(kept) == kept
    assert unicodedata.is_normalized("NFC", kept)


@given(st.text(max_size=80))
def test_nothing_else_is_taken_out(text: str) -> None:
    if not first_unsafe(text) and not any(0x200E <= ord(c) <= 0x2069 or c == "\u061c" for c in text):
        assert tidy(text) == unicodedata.normalize("NFC", text)


@given(st.text(max_size=60), st.text(max_size=60))
def test_texts_that_match_differ_in_form_alone(one: str, other: str) -> None:
    assert (match_key(one) == match_key(other)) or one_line(one) != one_line(other)
    assert match_key(match_key(one)) == match_key(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("UBND xã Đạo Viện", "UBND xã Ðạo Viện"),
        ("UBND phường Hòa Bình", "UBND PHƯỜNG HOÀ BÌNH"),
        ("Thủy Nguyên", "thuỷ  nguyên"),
        ("Sở Tư pháp", unicodedata.normalize("NFD", "Sở Tư pháp")),
        ("Ủy ban–A", "Uỷ ban-a"),
        ("ＳＴＰ", "stp"),
        ("Cư M’gar", "Cư M'gar"),
    ],
)
def test_one_name_written_in_two_ways(one: str, other: str) -> None:
    assert match_key(one) == match_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Hòa", "Hoa"), ("Hòa", "Hỏa"), ("a-1", "a1"), ("Đạo", "Dạo"), ("tờ", "tơ"), ("-1", "1")]
)
def test_different_names_stay_different(one: str, other: str) -> None:
    assert match_key(one) != match_key(other)


@pytest.mark.parametrize(
    ("text", "found"),
    [("Sở\x08", "U+0008"), ("a\x00", "U+0000"), ("a\u202eb", ""), ("a\tb\n", ""), ("\ufffe", "U+FFFE")],
)
def test_what_is_unsafe_is_named(text: str, found: str) -> None:
    assert first_unsafe(text) == found


def test_marks_of_direction_and_of_no_width_go() -> None:
    assert one_line("\u202a0912 345\u202c\u200b 678 \n") == "0912 345 678"
    assert without_marks("Rất hài lòng, Đắk Lắk") == "rat hai long, dak lak"


def test_rows_are_looked_at_together_and_mended_each() -> None:
    plain = [(1, "a", None), (2, "b", 0.5)]
    assert tidy_all(plain) is plain
    assert tidy_all([(1, "a"), (2, "b\x00"), (3, ["c\u202e"])]) == [(1, "a"), (2, "b"), (3, ["c"])]
    assert tidy_all((1, unicodedata.normalize("NFD", "Huế"))) == (1, "Huế")
