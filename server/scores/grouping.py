"""The places of a dimension: agencies, levels, fields ..., and which rows of the sums are whose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.design import distinct
from pipeline.calendar import Period, month_name, month_spoken
from pipeline.language import Text
from server.catalogue.reading import Catalogue, Named
from server.scores.sheets import Sheets
from server.store.channels import CHANNELS


@dataclass(frozen=True, slots=True)
class Grouped:
    """Places of one dimension: names, `place` int64 [rows] of every row (-1: of none), `sheets` and `transactions` (0
    where the frame does not tell) of each."""

    names: list[Named]
    place: NDArray[np.int64]
    sheets: NDArray[np.int64]
    transactions: list[int]

    @classmethod
    def by(
        cls,
        names: Mapping[Any, Named],
        keys: NDArray[Any],
        frame: Mapping[Any, int],
    ) -> Grouped:
        """`keys` [rows]: of which name each row is."""
        number = {key: position for position, key in enumerate(names)}
        known, row = np.unique(keys, return_inverse=True)
        place = np.array([number.get(key, -1) for key in known.tolist()], dtype=np.int64)[row]
        sheets = np.bincount(place[place >= 0], minlength=len(names)).astype(np.int64)
        return cls(list(names.values()), place, sheets, [frame.get(key, 0) for key in names])


def grouped(
    dimension: str,
    catalogue: Catalogue,
    sheets: Sheets,
    period: Period,
    frame: dict[tuple[int, int], int],
    counters: Mapping[int, Named] | None = None,
) -> Grouped:
    """The places of a dimension, and which rows are theirs. `counters`: of the agency whose counters are asked for."""
    level_of = {agency.id: agency.parent for agency in catalogue.agencies.values()}
    field_of = {group.id: group.parent for group in catalogue.groups.values()}
    every = unknown = -1
    of_pair: dict[str, tuple[Mapping[Any, Named], Callable[[int, int], int]]] = {
        "province": ({every: catalogue.province}, lambda _agency, _group: every),
        "agency": (catalogue.agencies, lambda agency, _group: agency),
        "level": (catalogue.levels, lambda agency, _group: level_of.get(agency, unknown)),
        "field": (catalogue.fields, lambda _agency, group: field_of.get(group, unknown)),
        "service_group": (catalogue.groups, lambda _agency, group: group),
    }
    if dimension in of_pair:
        names, belongs = of_pair[dimension]
        totals: Counter[Any] = Counter()
        for pair, count in frame.items():
            totals[belongs(*pair)] += count
        pairs, row, _ = distinct(sheets.agency, sheets.service_group)
        keys = np.array([belongs(*pair) for pair in zip(*pairs.tolist(), strict=True)], dtype=np.int64)
        return Grouped.by(names, keys[row], totals)
    if dimension == "service":
        return Grouped.by({one.id: one for one in catalogue.services.values()}, sheets.service, {})
    if dimension == "counter":
        return Grouped.by(counters or {}, sheets.counter, {})
    if dimension == "channel":
        channels = {code: Named(0, code, Text.said(name)) for code, name in CHANNELS.names.items()}
        return Grouped.by(channels, sheets.channel, {})
    months = {month: Named(month, month_name(month), Text.said(month_spoken(month))) for month in period.months}
    return Grouped.by(months, sheets.month, {})
