"""What of several breakdowns of the same sheets is hidden, so that none less another tells a few of them.

A field whose sheets are nearly all of one agency, less this agency, leaves the others' few; so do a channel and the
services that come by it. Pages show totals of agencies, months, channels and the catalogue of services; a place of a
channel, service, service group or field is hidden with another one until no sum or difference of the totals of two
breakdowns tells fewer than `below` sheets (`server.core.cuts`). Agencies and months stay as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from calibration.design import distinct
from pipeline.calendar import month_name
from pipeline.instruments import Instrument
from server.catalogue.reading import Catalogue
from server.core.cuts import thin_cuts
from server.core.disclosure import Published, added_months, hidden_places, looking_day
from server.scores.grouping import Grouped, grouped
from server.scores.held import Held, version_of
from server.scores.sheets import Sheets

DIMENSIONS = ("field", "service_group", "service", "channel")
"""Breakdowns of which places may be hidden so."""
OTHERS = ("agency", "month")
"""Those that stay."""
Atom = tuple[str, Any]
"""What a total is known of: a place that is shown, as ("service", id); or what is left of a total beside the places
within it that are shown, as ("in service_group", id), ("in level", id), ("in all", 0)."""
Path = tuple[int, int, int, int]
"""Service, group and field of a sheet, 0 where it has none, and 0 for all."""
_LADDER = ("service", "service_group", "field", "all")
_REST: Atom = ("in all", 0)


def hidden_breakdowns(
    sheets: Sheets, catalogue: Catalogue, hidden: Mapping[str, frozenset[str]], below: int
) -> dict[str, frozenset[str]]:
    """Codes of the places that are hidden in each of `DIMENSIONS`: those of `hidden` (codes of `DIMENSIONS` and
    `OTHERS`, as each breakdown by itself has it) and what has to be hidden with them."""
    if not len(sheets) or below <= 1:
        return {dimension: hidden[dimension] for dimension in DIMENSIONS}
    return _Breakdowns(sheets, catalogue, hidden, below).parted()


_held: Held[dict[str, frozenset[str]]] = Held(24)


def parted_places(
    connection: Connection,
    province_id: int,
    instrument: Instrument,
    shown: Published,
    catalogue: Catalogue,
    sheets: Sheets,
    held: bool,
) -> dict[str, frozenset[str]]:
    """Codes of the places that are hidden in each of `DIMENSIONS`, of a province's sheets that may be seen. `held`: may
    be held for the store's version."""

    def make() -> dict[str, frozenset[str]]:
        alone = {
            one: hidden_of(one, grouped(one, catalogue, sheets, shown.period, {}), shown, catalogue, instrument)
            for one in (*DIMENSIONS, *OTHERS)
        }
        if not shown.shows(DIMENSIONS[0]):
            return alone
        return hidden_breakdowns(sheets, catalogue, alone, shown.below)

    of = (province_id, instrument.code, instrument.version, shown.period, shown.below, looking_day())
    return _held.get(of, version_of(connection, province_id), make) if held else make()


def hidden_of(
    dimension: str, found: Grouped, shown: Published, catalogue: Catalogue, instrument: Instrument
) -> frozenset[str]:
    """Codes of the places of a dimension that are hidden, as it is by itself."""
    sheets = {named.code: int(count) for named, count in zip(found.names, found.sheets, strict=True)}
    if not shown.shows(dimension):
        return frozenset(sheets)
    groups = {named.code: named.parent for named in found.names}
    # sheets of no place (no procedure was named) are what the places leave of the whole
    hidden = set(hidden_places({**sheets, "": int((found.place < 0).sum())}, shown.below, groups)) - {""}
    within: dict[str, list[int]] = {}
    if dimension == "province":
        within = {named.code: list(catalogue.agencies) for named in found.names}
    elif dimension == "agency":
        within = {one.code: [one.id] for one in catalogue.agencies.values()}
    elif dimension == "level":
        within = {level.code: [] for level in catalogue.levels.values()}
        for one in catalogue.agencies.values():
            if one.parent in catalogue.levels:
                within[catalogue.levels[one.parent].code].append(one.id)
    months = shown.months_by_agency((instrument.code, instrument.version))
    for named in found.names:
        agencies = within.get(named.code)
        if agencies is not None and not shown.is_safe(added_months(months, agencies)):
            hidden.add(named.code)
    return frozenset(hidden)


class _Breakdowns:
    """The sheets by pairs of breakdowns, and what is hidden so far."""

    def __init__(self, sheets: Sheets, catalogue: Catalogue, hidden: Mapping[str, frozenset[str]], below: int) -> None:
        self._named = {"service": catalogue.services, "service_group": catalogue.groups, "field": catalogue.fields}
        self._hidden: dict[str, set[Any]] = {
            kind: {key for key, one in places.items() if one.code in hidden[kind]}
            for kind, places in self._named.items()
        }
        self._hidden["channel"] = set(hidden["channel"])
        self._below = below
        levels = {key: one.parent for key, one in catalogue.agencies.items() if one.code in hidden["agency"]}
        months = {month for month in np.unique(sheets.month).tolist() if month_name(month) in hidden["month"]}
        codes, channel = np.unique(sheets.channel, return_inverse=True)
        self._channels = [str(code) for code in codes]
        self._other: dict[str, tuple[NDArray[Any], Callable[[int], Atom]]] = {
            "agency": (sheets.agency, lambda key: ("in level", levels[key]) if key in levels else ("agency", key)),
            "month": (sheets.month, lambda key: _REST if key in months else ("month", key)),
            "channel": (channel, self._channel),
        }
        self._by_service = {name: self._counted(catalogue, sheets, keys) for name, (keys, _) in self._other.items()}
        self._by_channel = {name: [(a, b, n) for (a, b), n in _pairs(channel, self._other[name][0])] for name in OTHERS}

    def _counted(self, catalogue: Catalogue, sheets: Sheets, keys: NDArray[Any]) -> list[tuple[Path, int, int]]:
        found = []
        for (service, group, key), count in _pairs(sheets.service, sheets.service_group, keys):
            known = catalogue.groups.get(group)
            field = known.parent if known is not None and known.parent in catalogue.fields else 0
            path = (service if service in catalogue.services else 0, group if known is not None else 0, field, 0)
            found.append((path, key, count))
        return found

    def parted(self) -> dict[str, frozenset[str]]:
        """Hide until every cut has sheets enough."""
        while any([*map(self._part_services, self._other), *map(self._part_channels, OTHERS)]):
            pass
        found = {
            kind: frozenset(one.code for key, one in places.items() if key in self._hidden[kind])
            for kind, places in self._named.items()
        }
        return {**found, "channel": frozenset(self._hidden["channel"])}

    def _channel(self, key: int) -> Atom:
        code = self._channels[key]
        return _REST if code in self._hidden["channel"] else ("channel", code)

    def _service(self, path: Path) -> Atom:
        for step, (kind, place) in enumerate(zip(_LADDER, path, strict=True)):
            if step == 3 or (place and place not in self._hidden[kind]):
                return (f"in {kind}" if step else kind, place)
        raise AssertionError

    def _part_channels(self, other: str) -> bool:
        """Hide channels where a cut between them and another breakdown is thin; whether any was."""
        changed = False
        cells = [(self._channel(a), self._other[other][1](b), count) for a, b, count in self._by_channel[other]]
        for sides in _thin(cells, self._below):
            for side in sides:
                # with what is hidden across, or will be
                shown = sorted((count, code) for (kind, code), count in side.items() if kind == "channel")
                if _REST not in side and shown:
                    self._hidden["channel"].add(shown[0][1])
                    changed = True
        return changed

    def _part_services(self, other: str) -> bool:
        """The same of the catalogue's services, with the groups and fields that would tell them."""
        changed = False
        path_of: dict[Atom, Path] = {}
        cells = []
        for path, key, count in self._by_service[other]:
            atom = self._service(path)
            path_of.setdefault(atom, path)
            cells.append((atom, self._other[other][1](key), count))
        for sides in _thin(cells, self._below):
            for to in (1, 2, 3):  # within a group, within a field, within all
                one, across = (self._smallest(side, path_of, to) for side in sides)
                common = sorted((one[place][0] + across[place][0], place) for place in one.keys() & across.keys())
                if common:
                    for _, path in (one[common[0][1]], across[common[0][1]]):
                        for kind, place in zip(_LADDER[:to], path, strict=False):
                            changed |= bool(place) and place not in self._hidden[kind]
                            self._hidden[kind] |= {place} if place else set()
                    break
        return changed

    def _smallest(self, side: Mapping[Atom, int], path_of: Mapping[Atom, Path], to: int) -> dict[int, tuple[int, Path]]:
        """Of every place `to` steps up, the atom on a side with the fewest sheets."""
        found: dict[int, tuple[int, Path]] = {}
        for atom, count in side.items():
            path = path_of[atom]
            if (path[to] or to == 3) and (path[to] not in found or (count, path) < found[path[to]]):
                found[path[to]] = (count, path)
        return found


def _pairs(*keys: NDArray[Any]) -> list[tuple[tuple[int, ...], int]]:
    found, _, counts = distinct(*keys)
    return [(tuple(key), int(count)) for key, count in zip(found.T.tolist(), counts.tolist(), strict=True)]


def _thin(cells: list[tuple[Atom, Atom, int]], below: int) -> list[tuple[dict[Atom, int], dict[Atom, int]]]:
    """Of every thin cut that hiding can mend, the atoms of the first breakdown on either side, with their sheets."""
    edges: dict[tuple[tuple[int, Atom], tuple[int, Atom]], int] = defaultdict(int)
    total: dict[Atom, int] = defaultdict(int)
    for one, other, count in cells:
        edges[(0, one), (1, other)] += count
        total[one] += count
    while cuts := thin_cuts(edges, below):
        found = []
        for side in cuts:
            inside = {atom: count for atom, count in total.items() if (0, atom) in side}
            if inside and len(inside) < len(total):
                found.append((inside, {atom: count for atom, count in total.items() if atom not in inside}))
        if found:
            return found
        for side in cuts:  # agencies or months by themselves, which stay
            edges[next(edge for edge in edges if (edge[0] in side) != (edge[1] in side))] = below
    return []
