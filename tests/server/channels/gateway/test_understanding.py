"""Answers as people write them: some hundreds, with what each must be taken for."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.instruments import load_instrument
from server.channels.gateway.understanding import SKIP, STOP, read_input

ASKED = load_instrument("2640")

LEVELS: dict[int, str] = {
    1: (
        "1|1.|1!| 1 |１|1 ạ|1 sao|1/5|1 / 5|1 điểm|1đ|một|Một|MỘT|mot|một điểm|mức 1|chọn 1|chọn số 1|"
        "1 - rất không hài lòng|1. Rất không hài lòng|1 (rất không hài lòng)|1 – rất không hài lòng|rất không hài lòng|"
        "RẤT KHÔNG HÀI LÒNG|rat khong hai long|Rat khong hai long.|rất ko hài lòng|"
        "rất k hài lòng|very dissatisfied|one|1 star|1️⃣|⭐|1,0|1.0|dạ 1|em chọn 1 ạ|1 nhé|"
        "rất không hài lòng ạ"
    ),
    2: (
        "2|2.|２|2 sao|2/5|hai|Hai|HAI|2 điểm|số hai|không hài lòng|Không hài lòng!|"
        "khong hai long|KHONG HAI LONG|ko hài lòng|k hai long|kg hai long|hok hài lòng|"
        "2 không hài lòng|2: không hài lòng|2 khong hai long|dissatisfied|two|2 stars|⭐⭐|"
        "hai sao|mức 2 ạ|dạ không hài lòng ạ|tôi không hài lòng|em không hài lòng|2 trên 5|2️⃣|"
        "không hài lòng nhé"
    ),
    3: (
        "3|3.|３|3 sao|3/5|ba|Ba|BA|3 điểm|bình thường|Bình thường|BINH THUONG|binh thuong|"
        "bình thường ạ|3 bình thường|3 - Bình thường|neutral|three|3 points|⭐⭐⭐|ba điểm|"
        "chọn 3|số 3 ạ|dạ bình thường|3️⃣|3, bình thường"
    ),
    4: (
        "4|4.|４|4 sao|4/5|bốn|Bốn|BỐN|bon|tư|4 điểm|hài lòng|Hài lòng|HÀI LÒNG|hai long|"
        "Hai long ạ|hài lòng.|4 hài lòng|4-hài lòng|4 (Hài lòng)|satisfied|four|⭐⭐⭐⭐|bốn sao|"
        "mức bốn|tôi hài lòng|dạ hài lòng ạ|em hài lòng|4️⃣|4 tren 5|đánh giá 4"
    ),
    5: (
        "5|5.|5!!|５|5 sao|5/5|5 / 5|5/5 ạ|năm|Năm|NĂM|năm sao|năm điểm|5 ạ|5 a|5 nhé|5 em ạ|"
        "5 điểm|5 diem|5đ|5*|rất hài lòng|Rất hài lòng|RẤT HÀI LÒNG|rat hai long|Rat hai long!|"
        "rất hài lòng ạ|5 rất hài lòng|5 - rất hài lòng|5 – rất hài lòng|5—Rất hài lòng|5. Rất hài lòng|"
        "5 (rất hài lòng)|"
        "very satisfied|five|five stars|5 stars|⭐⭐⭐⭐⭐|★★★★★|5️⃣|dạ 5 ạ|chọn 5|chọn số 5|mức 5|"
        "số năm|5 out of 5|5,0|5.0|tôi rất hài lòng|dạ rất hài lòng ạ|đánh giá 5 sao|cho 5 điểm|"
        "trả lời: 5|5 thôi|5 nha|5;|5, ạ|​5|٥|(5)|⑤|toi rat hai long|em chấm 5 điểm|mức độ 5|cham 5"
    ),
}
STOPS = (
    "DUNG|dung|Dung|dừng|Dừng|DỪNG|dừng lại|dừng ạ|stop|STOP|Stop.|TU CHOI|tu choi|từ chối|"
    "Từ chối|TỪ CHỐI|từ chối trả lời|tôi từ chối|xin dừng|dừng khảo sát|stop!|xin từ chối ạ|"
    "dung lai|#|＃|dừng nhắn tin|ngừng nhắn tin|hủy đăng ký|huỷ đăng ký ạ|HUY DANG KY|unsubscribe|"
    "đừng nhắn nữa|đừng gửi tin nữa|xin đừng nhắn tin nữa|khong nhan tin nua"
)
SKIPS = "0|０|bỏ qua|Bỏ qua|bo qua|skip|0.|không biết|0 ạ"
UNCLEAR = (
    "số 1|Số 1!|so 1|số một|Số một ạ|rất số 1|number one|"  # also: nobody is better
    "Không|không|KHONG|khong|ko|k|không ạ|Có|có|co|vâng|dạ|Đúng|đúng|ĐÚNG|dùng|Dùng|đừng|"
    "đứng|Nam|nam|Tú|tú|Tu|tu|Hải|hải|Bà|bà|Bá|Mốt|Nấm|nằm|bón|tự|tứ|ok|oke|tốt|tot|rất tốt|"
    "cũng được|tạm được|6|7|9|10|55|45|4.5|4,5|-1|-5|+5|<3|>3|1-5|4-5|1 2 3|5 4 3 2 1|4/10|"
    "8/10|5/4|5/10|0/10|5%|50|05|005|1.5|?|!|...|x|✓|👍|😀|không biết gì|hài lòng lắm|"
    "không hài lòng lắm|không bình thường|cũng hài lòng|hơi hài lòng|5 - hài lòng|"
    "4 (rất hài lòng)|1 rất hài lòng|hủy|huỷ|huy|thôi|thoi|ngừng|không từ chối|"
    "tôi không từ chối|Từ chối?|dừng?|đừng dừng|chưa dừng|5 không|năm nay|hai bà|ba mẹ|"
    "một cửa|bốn mùa|năm 2026|12|21|33|0912345678|ai đấy|gọi lại sau|sai số|đang bận|"
    "dung roi|dung a|da dung|toi dung|em dung rồi|dung vay|"
    "không dùng|rất|lòng|hài|long|satisfied?|one two|TRUE|null|½|²"
)


def _texts(joined: str) -> list[str]:
    return joined.split("|")


@pytest.mark.parametrize(
    ("level", "text"), [(level, text) for level, joined in LEVELS.items() for text in _texts(joined)]
)
def test_levels(level: int, text: str) -> None:
    assert read_input(text, ASKED) == level
    assert read_input(unicodedata.normalize("NFD", text)) == level, "the regulation's scale needs no instrument"


@pytest.mark.parametrize("text", _texts(STOPS))
def test_words_for_leaving(text: str) -> None:
    assert read_input(text, ASKED) == STOP


@pytest.mark.parametrize("text", _texts(SKIPS))
def test_words_for_passing_over(text: str) -> None:
    assert read_input(text, ASKED) == SKIP


@pytest.mark.parametrize("text", _texts(UNCLEAR))
def test_what_is_asked_again(text: str) -> None:
    assert read_input(text, ASKED) is None


def test_some_hundreds_were_tried() -> None:
    assert sum(len(_texts(joined)) for joined in (*LEVELS.values(), STOPS, SKIPS, UNCLEAR)) > 300


@given(st.text(max_size=40))
def test_only_words_for_leaving_leave(text: str) -> None:
    if read_input(text, ASKED) == STOP:
        plain = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text)).casefold()
        assert any(word in plain for word in ("dừng", "dung", "stop", "từ chối", "tu choi", "#"))


@given(st.integers(-(10**6), 10**6).filter(lambda number: not 0 <= number <= 5))
def test_no_other_number_is_a_level(number: int) -> None:
    assert read_input(str(number), ASKED) is None
