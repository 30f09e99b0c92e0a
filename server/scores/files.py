"""Tables as files, and what their columns mean."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]

COLUMNS: dict[str, tuple[str, str]] = {
    "period": ("Kỳ: năm, quý hoặc tháng", "Period: year, quarter or month"),
    "agency": ("Mã cơ quan", "Code of the agency"),
    "name_vi": ("Tên tiếng Việt", "Name in Vietnamese"),
    "name_en": ("Tên tiếng Anh", "Name in English"),
    "agency_level": ("Cấp hành chính", "Level of the administration"),
    "service_group": ("Nhóm thủ tục; trống: toàn cơ quan", "Service group; empty: the whole agency"),
    "method": ("Cách ước lượng", "Estimator: explicit, efficiency, correction, small_area"),
    "index": ("Chỉ số 0–100", "Index, 0..100"),
    "low": ("Cận dưới 0–100", "Lower bound, 0..100"),
    "high": ("Cận trên 0–100", "Upper bound, 0..100"),
    "level": ("Độ tin cậy của khoảng", "Confidence level of the interval"),
    "n": ("Số phiếu", "Ratings used"),
    "visits": ("Số giao dịch, hoặc tổng có nhiễu của bảng", "Known transactions, or the tables' noisy total"),
    "n_eff": ("Cỡ mẫu hiệu dụng", "Ratings that a simple random sample would need for the same interval"),
    "rho": ("Tương quan phiếu với tín hiệu đã hiệu chuẩn", "Correlation of rating and calibrated signal, shrunken"),
    "lam": ("Trọng số của tín hiệu ngầm", "Weight of the signal, 0..1"),
    "labels_saved": ("Số phiếu tiết kiệm được", "Ratings that need not be collected"),
    "verdict": ("Kết luận", "Verdict on the signal: see docs/statistics.md"),
    "estimand": ("Đại lượng được ước lượng", "What the interval claims to cover"),
    "design_effect": ("Hiệu ứng thiết kế", "Design effect, from dated ratings"),
    "reasons": (
        "Lý do",
        "Codes of why it is wide, missing or was not fused",
    ),
    "naive_shift": ("Chênh so với phiếu (điểm)", "Corrected minus explicit index, in points"),
    "response_z": ("Độ lệch của người trả lời (sai số chuẩn)", "Standard errors by which respondents' levels differ"),
    "abstained_low": ("Cận dưới do lượt không kết luận", "Lower bound over visits without a level"),
    "abstained_high": ("Cận trên do lượt không kết luận", "Upper bound over visits without a level"),
    "worst_low": ("Cận dưới xấu nhất", "Lower bound that assumes nothing about unrated visits"),
    "worst_high": ("Cận trên xấu nhất", "Upper bound that assumes nothing about unrated visits"),
    "odds_1.5_low": ("Cận dưới nếu người hài lòng trả lời gấp 1,5", "Lower bound at response odds ratio 1.5"),
    "odds_1.5_high": ("Cận trên nếu người hài lòng trả lời gấp 1,5", "Upper bound at response odds ratio 1.5"),
    "odds_2_low": ("Cận dưới nếu người hài lòng trả lời gấp 2", "Lower bound at response odds ratio 2"),
    "odds_2_high": ("Cận trên nếu người hài lòng trả lời gấp 2", "Upper bound at response odds ratio 2"),
    "group": ("Nhóm cơ quan chung đường cong", "Agencies that share a response curve"),
    "calibrated": ("Đã hiệu chuẩn", "Whether enough pairs were seen to use the curve"),
    "implicit_level": ("Mức ngầm 0–4; 5: không kết luận", "Implicit level 0..4; 5: abstained"),
    "satisfied": ("Tỷ lệ hài lòng ở mức này (%)", "Share satisfied at this level, per cent"),
    "share_of_visits": ("Tỷ lệ lượt ở mức này (%)", "Share of visits at this level, per cent"),
    "pairs": ("Số cặp mức – phiếu (có nhiễu)", "Pairs of level and rating (noisy)"),
    "pearson": ("Tương quan Pearson", "Pearson's correlation"),
    "spearman": ("Tương quan Spearman", "Spearman's correlation"),
    "kappa": ("Kappa của Cohen", "Cohen's kappa of 'looks content' with 'satisfied'"),
    "alpha": ("Alpha của Krippendorff", "Krippendorff's alpha of the same"),
    "abstained": ("Tỷ lệ lượt không kết luận", "Share of visits without a level"),
    "agencies": ("Số cơ quan", "Agencies compared"),
    "measure": ("Thước đo", "Measure: pearson, spearman, ccc, mean_difference, limits"),
    "value": ("Giá trị", "Value"),
    "explicit": ("Chỉ số từ phiếu", "Explicit index"),
    "implicit": ("Chỉ số từ tín hiệu ngầm", "Implicit index: the curve's mean over all visits"),
    "mean": ("Trung bình hai chỉ số", "Mean of both indices"),
    "difference": ("Hiệu: ngầm trừ phiếu", "Implicit minus explicit"),
    "best": ("Hạng cao nhất có thể", "Best rank that the figures allow"),
    "worst": ("Hạng thấp nhất có thể", "Worst rank that the figures allow"),
    "of": ("Trong số", "Among so many agencies of the level"),
    "kind": ("Loại trôi lệch", "What was tested for drift: levels, abstention, calibration, slow_change"),
    "statistic": ("Thống kê kiểm định", "Test statistic"),
    "degrees": ("Bậc tự do", "Degrees of freedom"),
    "p_value": ("Giá trị p", "P-value, before Holm's adjustment; empty for the CUSUM"),
    "alarm": ("Báo động", "Whether it rang, at a known rate of false alarms"),
    "index_explicit": ("Chỉ số từ phiếu", "Explicit index"),
}
"""Data dictionary: column -> (Vietnamese, English). `X_low`, `X_high` of a measure X are its bounds."""


def described(column: str) -> tuple[str, str]:
    """What a column means. Raises `KeyError` for one that nobody described."""
    if column in COLUMNS:
        return COLUMNS[column]
    for ending, vi, en in (("_low", "cận dưới", "lower bound"), ("_high", "cận trên", "upper bound")):
        base = column.removesuffix(ending)
        if base != column and base in COLUMNS:
            return f"{COLUMNS[base][0]}, {vi}", f"{COLUMNS[base][1]}, {en}"
    raise KeyError(column)


def columns_of(rows: Sequence[Row]) -> list[str]:
    """All columns, in the order in which they first occur."""
    return list(dict.fromkeys(name for row in rows for name in row))


def as_csv(rows: Sequence[Row]) -> bytes:
    """CSV in UTF-8 with a byte-order mark, which spreadsheets need for Vietnamese; a missing value is empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns_of(rows), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: safe_cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig")


def safe_cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe (OWASP, CSV injection)."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def as_parquet(rows: Sequence[Row], *, simulated: bool) -> bytes:
    """Parquet; each column's meaning, and whether the figures are simulated, stand in its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = columns_of(rows)
    table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
    fields = [field.with_metadata({"description": described(field.name)[1]}) for field in table.schema]
    metadata = {"simulated": str(simulated).lower(), "program": "hailong"}
    out = io.BytesIO()
    pq.write_table(table.cast(pa.schema(fields, metadata)), out)
    return out.getvalue()
