"""Figures of the index as plain rows: what the pages' files and the neighbour's copy hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.language import in_language
from server.scores.figures import Place
from server.tabular.metadata import Column, CsvTable

Row = dict[str, Any]
COLUMNS = (
    Column("period", "text", "Kỳ: năm, quý hoặc tháng", "Period: year, quarter or month"),
    Column("dimension", "text", "Chiều phân tích của dòng", "Dimension that the row is of"),
    Column("code", "text", "Mã của nơi hoặc nhóm", "Code of the place or group"),
    Column("name_vi", "text", "Tên", "Name in Vietnamese"),
    Column("figure", "text", "Mã tiêu chí, yếu tố, hoặc chỉ số chung", "Criterion, factor, or the whole"),
    Column("figure_kind", "text", "Loại số liệu", "Kind of the figure"),
    Column("valid", "integer", "Số câu trả lời hợp lệ", "Valid answers"),
    Column("index", "number", "Chỉ số, 0 đến 100", "Index, 0 to 100"),
    Column("low", "number", "Cận dưới của khoảng tin cậy", "Lower bound of the interval"),
    Column("high", "number", "Cận trên của khoảng tin cậy", "Upper bound of the interval"),
    Column("weighted", "number", "Chỉ số có quyền số theo hồ sơ", "Index weighted to the transactions"),
    Column("adjusted", "number", "Chỉ số điều chỉnh theo kênh", "Index adjusted to the province's mix of channels"),
)
"""What a row holds, in order."""


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


def described_figures(url: str) -> CsvTable:
    """What a file of such rows is, for the programs that read it."""
    return CsvTable(url, "Chỉ số hài lòng", "Satisfaction index", COLUMNS)
