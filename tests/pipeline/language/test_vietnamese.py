"""Words that a native official does not use for what is meant, and that came back more than once."""

from __future__ import annotations

import re

import pytest
from babel.messages.pofile import read_po

from pipeline.language.catalogues import DEFAULT, paths

NOT_SAID = {
    r"tín hiệu ngầm|lượt ngầm|mức ngầm": "tín hiệu gián tiếp (ngầm suggests covert recording)",
    r"ước lượng hợp nhất|chỉ từ phiếu": "ước lượng kết hợp; theo phiếu khảo sát",
    r"tạm gác|bị gác|để riêng": "tạm loại (do nghi vấn), không đưa vào tính",
    r"tính lại (một )?phiếu": "đưa vào tính",
    r"mã hóa ý kiến": "phân loại ý kiến (mã hóa is to encrypt)",
    r"\bnhịp\b": "số lượt theo khung giờ, diễn biến tại quầy",
    r"\bhộp\b": "thiết bị tại quầy; hàng chờ gửi",
    r"kho dữ liệu so với": "kiểm tra dữ liệu lưu trữ theo quy định",
    r"ai đã xem gì": "nhật ký truy cập",
    r"cán bộ quyền riêng tư": "cán bộ bảo vệ dữ liệu cá nhân",
    r"người đọc của một cơ quan": "lãnh đạo cơ quan (chỉ xem)",
    r"bạn không có quyền": "tài khoản không có quyền ...",
    r"về trang đầu": "về trang chủ",
    r"khoảng wilson|\bdeff\b": "khoảng tin cậy 95 %; hiệu ứng thiết kế",
    r"hạt giống|còn phải hỏi|danh sách rút": "số khởi tạo ngẫu nhiên; còn thiếu; danh sách mẫu được chọn",
    r"không phân tích tôi|thôi, không đánh giá": "tôi không đồng ý phân tích; dừng đánh giá",
    r"xin đừng ghi": "vui lòng không ghi họ tên cá nhân",
    r"phiếu dồn dập|nghi là cán bộ": "số phiếu tối đa ... trong khoảng thời gian dưới đây; nghi cán bộ tự chấm",
    r"mượn thông tin": "ước lượng cho cơ quan có ít phiếu",
    r"trôi lệch": "thay đổi bất thường theo thời gian",
    r"tất cả hoặc không": "chỉ ghi khi mọi dòng đều hợp lệ",
    r"không nói gì về một cơ quan": "không phản ánh cơ quan có thật",
    r"'\{\w+\}'": "“...” (as print and newspapers quote)",
}
"""What is not said (in lower case) -> what is."""


@pytest.mark.parametrize("words", NOT_SAID)
def test_no_sentence_says_it_so(words: str) -> None:
    with paths()[DEFAULT].open("rb") as file:
        catalogue = read_po(file, abort_invalid=True)
    said = [
        text
        for message in catalogue
        if message.id and message.string
        for text in ([message.string] if isinstance(message.string, str) else message.string)
    ]
    found = [text for text in said if re.search(words, text.lower())]
    assert not found, f"say {NOT_SAID[words]}:\n" + "\n".join(found)
