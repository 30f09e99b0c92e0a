"""Who may be among the first, and one agency's own ranks, as pages show them."""

from __future__ import annotations

from server.scores.analysis_page import first_agencies
from server.scores.comparing import own_ranks
from server.scores.figures import Figure


def _row(level: str, agency: str, best: int, worst: int, of: int) -> dict[str, object]:
    return {"agency_level": level, "agency": agency, "best": best, "worst": worst, "of": of}


def test_the_first_of_every_level_that_has_more() -> None:
    rows = [
        _row("xa", "a", 1, 2, 4),
        _row("xa", "b", 1, 4, 4),
        _row("xa", "c", 2, 4, 4),
        _row("xa", "d", 3, 4, 4),
        _row("tinh", "e", 1, 2, 2),
        _row("tinh", "f", 1, 2, 2),
    ]
    (found,) = first_agencies(rows, 2)
    assert (found.level, found.of) == ("xa", 4)
    assert [row["agency"] for row in found.possible] == ["a", "b", "c"]
    assert [row["agency"] for row in found.sure] == ["a"]
    assert first_agencies(rows, 4) == []


def _figure(index: float | None, valid: int = 400) -> Figure:
    nothing = (None,) * 7
    return Figure("index", "index", valid, None, index, *nothing, suppressed=index is None)


def test_an_agencys_own_ranks() -> None:
    figures = [("a", _figure(95.0)), ("b", _figure(60.0)), ("c", _figure(80.0)), ("d", _figure(None))]
    found = own_ranks(figures, "c")
    assert found is not None
    assert (found.best, found.worst, found.of) == (2, 2, 3)
    assert own_ranks(figures, "d") is None, "no figure, no rank"
    assert own_ranks(figures[:1], "a") is None, "alone"
