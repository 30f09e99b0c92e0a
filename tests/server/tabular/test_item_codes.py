"""Headings that hold an item's code and more: never read as the item that they are without what stands between."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.instruments import load_instrument, shipped_instruments
from server.tabular.columns import is_answer_column, recogniser

NAME = recogniser(load_instrument("2640"))


@pytest.mark.parametrize("heading", ["A1.1", "A1-1", "A1_1", "a1 1", "A1/1", "A1 (1)", "A1[1]", "A1#1", "a0.1"])
def test_a_part_of_an_item_is_no_other_item(heading: str) -> None:
    """Two columns `A1`, which pandas names `A1` and `A1.1`: the second was stored as the answers to C2, whose place in
    a row is `a11`."""
    assert NAME(heading) == f"?{heading}"


@pytest.mark.parametrize("heading", ["A11", "a11", "a05", "A17", "a29"])
def test_a_place_in_our_rows_is_no_heading(heading: str) -> None:
    """What another form calls A11 is not our C2."""
    assert NAME(heading) == f"?{heading}"


@pytest.mark.parametrize(
    ("heading", "code"), [("A01", "A1"), ("d02", "D2"), ("A 1", "A1"), ("A.1", "A1"), ("1.A1", "A1")]
)
def test_a_code_may_be_written_otherwise(heading: str, code: str) -> None:
    assert NAME(heading) == f"item:{code}"


def test_an_item_s_own_code_may_have_a_hyphen() -> None:
    instrument = load_instrument("2640")
    first, *rest = instrument.items
    name = recogniser(msgspec.structs.replace(instrument, items=(msgspec.structs.replace(first, code="A1-1"), *rest)))
    assert name("A1-1") == "item:A1-1"
    assert name("a1-1") == "item:A1-1"
    assert name("A1.1") == "?A1.1"


@given(
    instrument=st.sampled_from(shipped_instruments()),
    letters=st.sampled_from("ABCDEFabcdef"),
    first=st.integers(0, 40),
    between=st.sampled_from(["", ".", "-", "_", " ", "/", " (", "[", "#", ",", ":", "·", " - "]),
    second=st.none() | st.integers(0, 40),
)
def test_a_heading_that_is_a_code_is_that_code_or_none(
    instrument: object, letters: str, first: int, between: str, second: int | None
) -> None:
    """Whatever stands in a heading beside letters and digits: if it is an item, it is the one whose letter and number
    it shows, with nothing but a zero before the number."""
    heading = f"{letters}{first}" + ("" if second is None else f"{between}{second}")
    found = recogniser(instrument)(heading)  # type: ignore[arg-type]
    if is_answer_column(found):
        assert found is not None
        shown = re.fullmatch(r"([A-Za-z])0?(\d+)", heading)
        assert shown is not None, f"{heading} was read as {found}"
        assert found == f"item:{shown[1].upper()}{int(shown[2])}"
