"""Figures of the index as plain rows: what the pages' files and the neighbour's copy hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.language import in_language
from server.scores.figures import Place

Row = dict[str, Any]


def figure_rows(period: str, places: Iterable[Place]) -> list[Row]:
    """A row a place and figure; what is hidden has no row."""
    return [
        {
            "period": period,
            "dimension": place.dimension,
            "code": place.key,
            "name_vi": in_language(place.name, "vi"),
            "figure": figure.item,
            "figure_kind": figure.kind,
            "valid": figure.valid,
            "index": figure.index,
            "low": figure.low,
            "high": figure.high,
            "weighted": figure.weighted,
            "adjusted": figure.adjusted,
        }
        for place in places
        for figure in place.figures
        if figure.index is not None
    ]
