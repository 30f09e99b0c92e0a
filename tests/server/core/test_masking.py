"""Texts of citizens are read without telling who somebody is: by a table, and by the kind (Hypothesis)."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.masking import ADDRESS, NAME, NUMBER, TIME, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Gọi tôi 0912 345 678 nhé", f"Gọi tôi {NUMBER} nhé"),
        ("Số +84 (91) 234-56-78.", f"Số {NUMBER}."),
        ("CCCD 001 099 012 345 của tôi", f"CCCD {NUMBER} của tôi"),
        ("Hồ sơ H99.24-251013-0002 bị trễ", f"Hồ sơ {NUMBER} bị trễ"),
        ("Hồ sơ 000.15.H99-261004-0012 bị trễ", f"Hồ sơ {NUMBER} bị trễ"),
        ("xe 29A-123.45 không có chỗ để", f"xe {NUMBER} không có chỗ để"),
        ("thư về an.nguyen@gmail.com", f"thư về {ADDRESS}"),
        ("an.nguyen (at) gmail.com", ADDRESS),
        ("xem https://fb.com/an.nguyen.9", f"xem {ADDRESS}"),
        ("Anh Dũng ở quầy 3 rất nhiệt tình", f"Anh {NAME} ở quầy 3 rất nhiệt tình"),
        ("chị hoa nói to", f"chị {NAME} nói to"),
        ("ông Nguyễn Văn An bảo chờ", f"ông {NAME} bảo chờ"),
        ("đồng chí Trần Thị Bích giải thích", f"đồng chí {NAME} giải thích"),
        ("đ/c Hùng tiếp dân chậm", f"đ/c {NAME} tiếp dân chậm"),
        ("tôi tên là Lê Thị Mận", f"tôi tên là {NAME}"),
        ("A. Dũng hẹn lại", f"A. {NAME} hẹn lại"),
        ("Nguyễn Thị Hồng Nhung làm rất chậm", f"{NAME} làm rất chậm"),
        ("CHỊ LAN NÓI TO", f"CHỊ {NAME} NÓI TO"),
        ("Tôi đến lúc 9h15 ngày 12/10/2026", f"Tôi đến lúc {TIME} ngày {TIME}"),
        ("nhà số 12/3 ngõ 5", f"{ADDRESS} {ADDRESS}"),
        ("không chín một hai ba bốn năm sáu bảy tám", NUMBER),
    ],
)
def test_what_tells_who_it_was_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Mong rút ngắn thời gian giải quyết hồ sơ.",
        "Anh ấy hướng dẫn rất kỹ, chị cán bộ quầy 3 cũng vậy.",
        "Bà con phải chờ 2 tiếng mới được 1 chữ ký.",
        "Bị đòi thêm 500.000 đồng ngoài lệ phí.",
        "Ông bà già đi lại 5 lần, quầy không có ghế.",
        "Năm 2025 làm nhanh hơn năm 2026.",
        "Cán bộ công an phường niềm nở.",
    ],
)
def test_what_the_service_is_like_stays(text: str) -> None:
    assert mask(text) == text


ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SEPARATORS = st.sampled_from(["", " ", ".", "-", " - ", "/"])
CAPITALS = "AĂÂBCDĐEÊGHIKLMNOÔƠPQRSTUƯVXYÁÀẢÃẠ"
SYLLABLE = st.builds(
    lambda a, b: a + b, st.sampled_from(CAPITALS), st.text("aeiouyngthêôươạảáà", min_size=1, max_size=5)
)
TITLES = st.sampled_from(["ông", "bà", "Anh", "chị", "cô", "chú", "bác", "đồng chí", "tên là", "Thầy"])


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter in string.digits)


@given(st.text(string.digits, min_size=8, max_size=12), SEPARATORS, st.integers(2, 4), st.booleans())
def test_no_long_number_is_left_however_it_is_cut(number: str, between: str, size: int, abroad: bool) -> None:
    cut = between.join(number[i : i + size] for i in range(0, len(number), size))
    said = mask(f"Xin gọi {'+84 ' if abroad else ''}{cut} để trả lời")
    assert len(_digits(said)) < 5, said


@given(st.text(string.ascii_letters + string.digits, min_size=1, max_size=20), st.sampled_from(["vnn.vn", "gmail.com"]))
def test_no_address_of_mail_is_left(name: str, host: str) -> None:
    said = mask(f"Gửi thư cho {name}@{host} giúp tôi")
    assert "@" not in said
    assert name not in said or name in "Gửi thư cho giúp tôi" or len(name) == 1


@given(TITLES, st.lists(SYLLABLE, min_size=1, max_size=4))
def test_no_capital_name_behind_a_form_of_address_is_left(title: str, name: list[str]) -> None:
    said = mask(f"Hôm nay {title} {' '.join(name)} làm việc tốt")
    assert said == f"Hôm nay {title} {NAME} làm việc tốt"


@given(ANY)
def test_masking_twice_is_masking_once(text: str) -> None:
    once = mask(text)
    assert mask(once) == once


@given(
    st.lists(
        st.sampled_from(
            [
                "anh",
                "chị",
                "Lan",
                "Nguyễn",
                "0912",
                "345",
                "678",
                "12/10",
                "9h",
                "a@b.vn",
                "[tên]",
                "[số]",
                "H99-1234",
                ".",
                ",",
                "là",
                "tên",
                "500.000",
                "đồng",
            ]
        ),
        max_size=10,
    )
)
def test_masking_twice_is_masking_once_of_what_people_write(parts: list[str]) -> None:
    once = mask(" ".join(parts))
    assert mask(once) == once
