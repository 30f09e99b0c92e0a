"""The tables of docs/statistics.md are the ones that the benchmark's JSON makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import statistics_foreign
from benchmarks.bench_statistics import Plan, claims, over_shares, simulate
from benchmarks.statistics_tables import FOREIGN, TABLES, with_tables

PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_run_makes_every_table_of_the_page() -> None:
    """Each table of the page is replaced: its head stays, its figures come from the run, the words around it stay."""
    sections = simulate(Plan(100, ((100, 5000),), (0.5,), ((None, 1),), (0.82,), 1), quiet=True)
    foreign = statistics_foreign.tables(list(statistics_foreign.TABLES), 1, 1, lambda _: None)
    result = {
        "claims": claims(sections, 100),
        "grid_means": over_shares(sections["grid"]),
        "sections": sections,
        "foreign": {"claims": statistics_foreign.claims(foreign), "tables": foreign},
    }
    page = with_tables(PAGE, result)
    words = [line for line in PAGE.split("\n") if not line.startswith("|")]
    assert [line for line in page.split("\n") if not line.startswith("|")] == words
    for heading in (*TABLES, *FOREIGN):
        before, after = (text.split(f"{heading}\n")[1].split("\n|---")[0] for text in (PAGE, page))
        assert before == after, "the page's table has other columns than the run makes"
    assert page != PAGE
    assert page.count("\n| 100 of 5000 | 0.5 | none |") == 1


def test_a_page_without_a_table_is_told() -> None:
    with pytest.raises(ValueError, match="## Measured"):
        with_tables("# Statistics\n", {"claims": []})
