"""None of several breakdowns of the same sheets, less another, tells a few of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.calendar import month_name
from pipeline.language import Text
from server.catalogue.reading import Catalogue, Named
from server.core.disclosure import hidden_places
from server.scores.breakdowns import DIMENSIONS, hidden_breakdowns
from server.scores.sheets import Sheets

BELOW = 30
MONTH = 24_318
Hidden = dict[str, frozenset[str]]


def _named(number: int, letter: str, parent: int = 0) -> Named:
    return Named(number, f"{letter}{number}", Text.named(vi="x"), parent)


def catalogue(groups: list[int], services: list[int], agencies: int) -> Catalogue:
    """Groups by their field, services by their group, agencies of one level."""
    return Catalogue(
        _named(1, "p"),
        False,
        {1: _named(1, "l")},
        {one: _named(one, "a", 1) for one in range(1, agencies + 1)},
        {one: _named(one, "f") for one in {field for field in groups if field}},
        {number: _named(number, "g", field) for number, field in enumerate(groups, start=1)},
        {number: _named(number, "s", group) for number, group in enumerate(services, start=1)},
    )


def sheets_of(rows: list[tuple[int, int, int, int, int, int]]) -> Sheets:
    """Rows of agency, group, service, channel, month and how many."""
    found = np.repeat(np.array([row[:5] for row in rows]), [row[5] for row in rows], axis=0)
    none = np.zeros(len(found), np.int64)
    channel = np.array([f"c{one}" for one in found[:, 3]])
    answers = np.zeros((len(found), 1), np.uint8)
    return Sheets(none, found[:, 0], found[:, 1], found[:, 2], channel, found[:, 4], none, none, none, answers, none)


def keys_of(sheets: Sheets, known: Catalogue) -> dict[str, tuple[NDArray[Any], Callable[[Any], str]]]:
    """Every breakdown's keys of the sheets, and the code of a key; empty: of no place."""
    field = np.array([known.groups[one].parent if one in known.groups else 0 for one in sheets.service_group.tolist()])
    names = {"agency": known.agencies, "service": known.services, "service_group": known.groups, "field": known.fields}
    keys = {"agency": sheets.agency, "service": sheets.service, "service_group": sheets.service_group, "field": field}

    def coded(places: dict[int, Named]) -> Callable[[Any], str]:
        return lambda one: places[one].code if one in places else ""

    return {
        **{kind: (keys[kind], coded(places)) for kind, places in names.items()},
        "channel": (sheets.channel, str),
        "month": (sheets.month, month_name),
    }


def alone(sheets: Sheets, known: Catalogue) -> Hidden:
    """What each breakdown by itself hides."""
    parents = {one.code: one.parent for places in (known.groups, known.services) for one in places.values()}
    found = {}
    for kind, (keys, code) in keys_of(sheets, known).items():
        counts: dict[str, int] = {}
        for key, count in zip(*np.unique(keys, return_counts=True), strict=True):
            counts[code(key.item())] = counts.get(code(key.item()), 0) + int(count)
        groups = {one: parents[one] for one in counts if one in parents}
        found[kind] = frozenset(hidden_places(counts, BELOW, groups)) - {""}
    return found


def told(sheets: Sheets, known: Catalogue, hidden: Hidden, kinds: tuple[str, ...]) -> set[tuple[str, int]]:
    """Cells of two breakdowns with fewer than `BELOW` sheets that the shown totals of `kinds` tell exactly: those that
    lie in the space that the totals span."""
    every = keys_of(sheets, known)
    found = set()
    for other in ("agency", "month", "channel"):
        ways = [*(every[kind][0] for kind in ("service", "service_group", "field")), every[other][0]]
        codes = np.stack([np.unique(way, return_inverse=True)[1] for way in ways], axis=1)
        cells, cell, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
        totals = [np.ones(len(cells))]
        for kind in {"service", "service_group", "field", other} & set(kinds):
            keys, code = every[kind]
            for key in np.unique(keys).tolist():
                if (named := code(key)) and named not in hidden[kind]:
                    line = np.zeros(len(cells))
                    line[np.unique(cell.ravel()[keys == key])] = 1
                    totals.append(line)
        _, sizes, space = np.linalg.svd(np.array(totals), full_matrices=False)
        known_space = space[sizes > 1e-8 * sizes[0]]
        lengths = (known_space**2).sum(axis=0)  # of every cell's share in that space: 1 where it is told
        found |= {(other, one) for one in np.flatnonzero((lengths > 1 - 1e-7) & (counts < BELOW)).tolist()}
    return found


def drawn(seed: int) -> tuple[Sheets, Catalogue]:
    """A province by chance, with many empty cells."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 3, rng.integers(1, 6)).tolist()
    services = rng.integers(1, len(groups) + 1, rng.integers(1, 8)).tolist()
    known = catalogue(groups, services, int(rng.integers(2, 6)))
    rows = [
        (agency, services[service - 1] if service else int(rng.integers(0, len(groups) + 1)), service, channel,
         MONTH + int(rng.integers(3)), int(rng.choice([1, 3, 8, 40, 100, 400])))
        for agency in known.agencies
        for service in range(len(services) + 1)
        for channel in range(int(rng.integers(1, 5)))
        if rng.random() < 0.35
    ]  # fmt: skip
    return sheets_of(rows or [(1, 1, 1, 0, MONTH, 40)]), known


@pytest.mark.parametrize("seed", range(30))
def test_no_two_breakdowns_tell_a_few_sheets(seed: int) -> None:
    """Of 400 provinces drawn so, each breakdown by itself told a cell in 226."""
    sheets, known = drawn(seed)
    before = alone(sheets, known)
    hidden = {**before, **hidden_breakdowns(sheets, known, before, BELOW)}
    assert all(before[kind] <= hidden[kind] for kind in DIMENSIONS)
    stay = told(sheets, known, hidden, ("agency", "month"))
    assert told(sheets, known, hidden, (*DIMENSIONS, "agency", "month")) <= stay


def test_a_field_that_is_nearly_one_agency_is_hidden_with_another() -> None:
    """500 sheets of the first field at its own agency, 5 at another: the field less the agency were these 5."""
    known = catalogue([1, 2, 2], [], 3)
    rows = [(1, 1, 0, 0, MONTH, 500), (2, 1, 0, 0, MONTH, 5), (2, 2, 0, 0, MONTH, 300), (3, 3, 0, 0, MONTH, 300)]
    sheets = sheets_of(rows)
    before = alone(sheets, known)
    assert not any(before.values())
    assert told(sheets, known, before, ("field", "agency"))
    hidden = {**before, **hidden_breakdowns(sheets, known, before, BELOW)}
    assert hidden["field"] == {"f1", "f2"}
    assert not told(sheets, known, hidden, (*DIMENSIONS, "agency", "month"))


def test_breakdowns_with_enough_everywhere_stay_whole() -> None:
    known = catalogue([1, 1, 2], [1, 2, 3], 3)
    rows = [
        (agency, one, one, channel, MONTH + channel, 40)
        for agency in (1, 2, 3)
        for one in (1, 2, 3)
        for channel in (0, 1)
    ]
    sheets = sheets_of(rows)
    assert not any(hidden_breakdowns(sheets, known, alone(sheets, known), BELOW).values())
