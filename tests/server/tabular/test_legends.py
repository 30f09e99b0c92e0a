"""What headings, titles and legends say of the numbers: another scale than 1 the worst, 5 the best, is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.instruments import shipped_instruments
from server.tabular.legends import legend_of_another, tells_of_another

ANOTHER = (
    "C1 (1 = Tốt nhất, 5 = Kém nhất)",
    "C1 (1: rất tốt; 5: rất kém)",
    "C1. 1 là hài lòng nhất, 5 là kém hài lòng nhất",
    "C1 [1 = Very good ... 5 = Very poor]",
    "C1 (1 = Strongly agree, 5 = Strongly disagree)",
    "C1 (1 Rất hài lòng → 5 Rất không hài lòng)",
    "C1 (Rất hài lòng = 1)",
    "C1 (điểm càng thấp càng hài lòng)",
    "C1 - lower is better",
    "C1 - Trên thang điểm từ 1 đến 10, ông bà hài lòng thế nào?",
    "C1. Đánh giá từ 1 đến 7",
    "C1. How likely are you to recommend us, from 0 to 10?",
    "C1. Thang 7 điểm",
    "C1 (thang đo 10 mức)",
    "C1. 7-point scale",
    "C1 (/10)",
    "C1 (tối đa 10 điểm)",
    "C1 (10 = tốt nhất)",
)
THIS_ONE = (
    "C3. Chờ từ 1 đến 3 ngày",
    "Câu 1. Hài lòng với nơi chờ",
    "1. Tốt nghiệp",
    "C1 (1: rất không hài lòng ... 5: rất hài lòng)",
    "C1 (0 = không trả lời; 1 = kém ... 5 = tốt)",
    "C1 từ 1 (rất không hài lòng) đến 5 (rất hài lòng)",
    "C1 Very dissatisfied (1) - Very satisfied (5)",
    "C1 (1 điểm = kém; 5 điểm = tốt)",
    "C1 (từ 1 - 5 điểm)",
    "C1 (1-5, 6 = không biết)",
    "C1 (5/5)",
    "C2. Dịch vụ công mức 4",
    "C2. Tối đa 15 ngày",
    "B5 đúng hạn 100% hồ sơ",
    "C5. Trực 24/7",
)


@pytest.mark.parametrize("heading", ANOTHER)
def test_another_scale(heading: str) -> None:
    assert tells_of_another(heading)


@pytest.mark.parametrize("heading", THIS_ONE)
def test_this_scale(heading: str) -> None:
    assert not tells_of_another(heading)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["Ghi chú: 1 = Rất hài lòng; 5 = Rất không hài lòng"], True),
        (["Mã Ý nghĩa", "1 Rất hài lòng", "2 Hài lòng", "5 Rất không hài lòng"], True),
        (["Kết quả khảo sát theo thang điểm 10"], True),
        (["1 Rất không hài lòng", "5 Rất hài lòng"], False),
        (["Đồng ý lấy ý kiến: 1 = Đồng ý, 2 = Không đồng ý"], False),
        (["Khả năng giới thiệu (0 = không bao giờ, 10 = chắc chắn)"], False),
        (["Đợt 1 (1-7)", "Tháng 7 năm 2026"], False),
    ],
)
def test_a_legend_beside_the_table(lines: Sequence[str], told: bool) -> None:
    assert bool(legend_of_another(lines)) is told


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Bà Nguyễn Thị Lan 0912345678 thang điểm 10 của tôi", "thang điểm 10"),
        ("Ông Trần Văn Bình viết: 1 = rất tốt, 5 = rất kém", "5 = rất kém"),
        ("Nguyễn Văn A: điểm thấp hơn là tốt, gọi 0987654321", "thấp hơn là tốt"),
    ],
)
def test_of_a_line_only_the_words_about_the_scale_are_told(line: str, words: str) -> None:
    """They go into a message; other worksheets may hold names, numbers and what people wrote."""
    assert legend_of_another([line]) == words


_GOOD = ("hài lòng", "tốt nhất", "xuất sắc", "satisfied", "good")
_BAD = ("không hài lòng", "kém", "tệ", "thấp nhất", "dissatisfied", "poor")


@given(st.sampled_from(_GOOD), st.sampled_from(_BAD), st.sampled_from((" = ", ": ", " - ", " là ", "=")),
       st.sampled_from(("Rất ", "rất ", "")), st.booleans())  # fmt: skip
def test_the_poles_decide_in_any_words(good: str, bad: str, sign: str, very: str, best_first: bool) -> None:
    first, last = (good, bad) if best_first else (bad, good)
    assert tells_of_another(f"C1 (1{sign}{very}{first}; 5{sign}{very}{last})") is best_first


def test_no_wording_of_ours_tells_of_another() -> None:
    for instrument in shipped_instruments():
        for item in instrument.items:
            for text in (item.vi, item.en, f"{item.code}. {item.vi}", f"Câu 3. {item.vi}"):
                assert item.kind != "criterion" or not tells_of_another(text), text
