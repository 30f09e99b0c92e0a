"""No sum or difference of totals that are known tells fewer than `below` sheets."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from server.core.cuts import thin_cuts
from server.core.disclosure import hidden_cells

EDGES = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(5, 9)), st.sampled_from([0, 1, 2, 5, 8, 9, 12, 29, 30, 40]), max_size=14
)
Edges = dict[tuple[int, int], int]


def least_cut(edges: Edges) -> int:
    """Sheets of the smallest cut that has any, by looking at all; 0 where there is none."""
    ends = sorted({end for edge, count in edges.items() if count for end in edge})
    sides = (set(side) for number in range(1, len(ends)) for side in combinations(ends, number))
    found = (sum(count for (one, other), count in edges.items() if (one in side) != (other in side)) for side in sides)
    return min((count for count in found if count), default=0)


@settings(max_examples=150, deadline=None)
@given(EDGES, st.sampled_from([2, 10, 30]))
def test_thin_cuts_are_found_where_there_are_any_and_nowhere_else(edges: Edges, below: int) -> None:
    found = thin_cuts(edges, below)
    assert bool(found) == (0 < least_cut(edges) < below)
    for side in found:
        assert 0 < sum(count for (one, other), count in edges.items() if (one in side) != (other in side)) < below


CELLS = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(4, 7)), st.sampled_from([0, 0, 3, 10, 40, 80, 300]), max_size=16
)


@settings(max_examples=150, deadline=None)
@given(CELLS)
def test_no_rows_less_columns_tell_a_hidden_cell(sheets: Edges) -> None:
    """Each line by itself had sheets enough: of 2,000 tables drawn by chance 1,070 told a cell by two lines."""
    hidden = hidden_cells(sheets, 30)
    told = least_cut({cell: sheets[cell] for cell in hidden})
    assert not 0 < told < 30 or 0 < least_cut(sheets) < 30, "the totals alone tell it"


def test_a_column_of_one_cell_tells_the_next_of_its_row() -> None:
    sheets = {(0, 5): 40, (1, 4): 300, (1, 5): 1_000, (1, 6): 10, (2, 5): 1_000, (2, 6): 300}
    hidden = hidden_cells(sheets, 30)
    assert {(1, 6), (2, 6), (1, 5)} <= hidden, "300 of column 4 are known, and so had been the 10 beside"
    assert len(hidden & {(0, 5), (2, 5), (1, 5)}) >= 2
