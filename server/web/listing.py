"""A long list on a page: filtered, sorted and cut into pages, all of it in the address, so that a link keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Query

from pipeline.text import without_marks

Sought = Annotated[str, Query(max_length=80)]
"""Words that somebody looks for."""
PageNumber = Annotated[int, Query(ge=1, le=100_000)]
T = TypeVar("T")
PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """The rows of one page. `found`: rows that passed the filters. `number`: of this page, from 1. `asked`: what the
    address asks for; empty: left at its default."""

    path: str
    asked: Mapping[str, str]
    rows: Sequence[T]
    found: int
    number: int
    pages: int
    sort: str
    name: str = "page"
    """Of the number in the address: a page may hold several lists."""

    def href(self, **changes: object) -> str:
        """This page's address with some choices changed; another choice leads to the first page."""
        wanted = {**self.asked, self.name: "", **{name: str(value) for name, value in changes.items()}}
        return f"{self.path}?{urlencode({name: value for name, value in wanted.items() if value})}"

    def page_href(self, number: int) -> str:
        """The address of another page of this list."""
        return self.href(**{self.name: number})

    def aria_sort(self, name: str) -> str:
        """What `aria-sort` says of a column."""
        return {name: "ascending", f"-{name}": "descending"}.get(self.sort, "none")

    def sort_href(self, name: str, first: str = "") -> str:
        """Where a column's head leads: sorted by it, the other way round where it is already. `first`: "-" where the
        greatest comes first."""
        once, again = (f"-{name}", name) if first == "-" else (name, f"-{name}")
        return self.href(sort=again if self.sort == once else once)


def listing(
    path: str,
    asked: Mapping[str, str],
    rows: Sequence[T],
    keys: Mapping[str, Callable[[T], float | str | None]],
    *,
    sort: str,
    page: int,
    page_rows: int = PAGE_ROWS,
    name: str = "page",
) -> Listing[T]:
    """Rows sorted by one of the `keys` (`-name`: the greatest first; an unknown name: as they come), rows without a
    value last."""
    key = keys.get(sort.removeprefix("-"))
    ordered = list(rows)
    if key is not None:
        known = [row for row in ordered if key(row) is not None]
        known.sort(key=key, reverse=sort.startswith("-"))  # type: ignore[arg-type]
        ordered = known + [row for row in ordered if key(row) is None]
    pages = max(1, -(-len(ordered) // page_rows))
    number = min(max(1, page), pages)
    shown = ordered[(number - 1) * page_rows : number * page_rows]
    return Listing(path, dict(asked), shown, len(ordered), number, pages, sort, name)


def holds(words: str, *names: str) -> bool:
    """Whether one of the names holds all the words that somebody looks for, with or without marks."""
    sought = without_marks(words).split()
    return not sought or any(all(word in without_marks(name) for word in sought) for name in names)
