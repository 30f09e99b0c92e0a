"""Cells are read whole or refused: no value becomes another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calendar import INDOCHINA, day_date, day_index
from pipeline.text import without_marks
from server.tabular.values import (
    NOT_ANSWERED,
    SCALE,
    read_answer,
    read_day,
    read_missing,
    read_month,
    read_phone,
    read_whole,
)

Reader = Callable[[str], int]


def _refused(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1234", 1234),
        ("1.234", 1234),
        ("1,234", 1234),
        ("1 234", 1234),
        ("1\u00a0234", 1234),
        ("1234.0", 1234),
        ("1234,00", 1234),
        ("1.234,0", 1234),
        ("1,234.00", 1234),
        ("1.234.567", 1_234_567),
        ("１２", 12),
        ("0", 0),
    ],
)
def test_whole_numbers(text: str, count: int) -> None:
    assert read_whole(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-5",
        "+5",
        "12.5",
        "0.5",
        "12.5 forms",
        "12 hồ sơ",
        "1e3",
        "1.2.3",
        "1.234.00",
        "1.234,5",
        "1,234.567",
        "TRUE",
        "<3",
        "≈12",
        "12/7",
        "1 2",
        "1.2340",
        "12,34,567",
        "9" * 30,
        "½",
        "Ⅳ",
        "①",
    ],
)
def test_what_is_no_whole_number(text: str) -> None:
    assert _refused(read_whole, text)


@given(st.integers(0, 10_000_000), st.sampled_from(["", ".", ",", " "]), st.sampled_from(["", ",0", ".00"]))
def test_every_way_of_writing_a_count_reads_as_it(number: int, group: str, decimals: str) -> None:
    if group and decimals.startswith(group):
        return
    text = f"{number:,}".replace(",", group) + decimals
    assert read_whole(text) == number


@given(st.text(st.sampled_from("0123456789.,+-eE %<>≥½x²①  \u00a0'\u200b"), max_size=12))
def test_a_count_has_the_digits_of_its_cell_and_no_sign(text: str) -> None:
    if _refused(read_whole, text):
        return
    whole = re.sub(r"[.,]0*$", "", text) if not re.search(r"[., \u00a0']\d{3}$", text) else text
    assert str(read_whole(text)) == (re.sub(r"\D", "", whole).lstrip("0") or "0")
    assert not re.search(r"[^\d., \u00a0']", text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("5", 5),
        ("５", 5),
        ("5.0", 5),
        ("5,0", 5),
        ("5/5", 5),
        ("2 / 5", 2),
        ("5 - Rất hài lòng", 5),
        ("4. Hài lòng", 4),
        ("1 (rất không hài lòng)", 1),
        ("RẤT HÀI LÒNG", 5),
        ("rat hai long", 5),
        ("Không hài lòng.", 2),
        ("Bình thường", 3),
        ("", 0),
        ("-", 0),
        ("x", 0),
        ("0", 0),
        ("N/A", 0),
    ],
)
def test_answers(text: str, answer: int) -> None:
    assert read_answer(text, fact=False) == answer


@pytest.mark.parametrize(
    "text",
    ["-1", "-5", "+4", "TRUE", "FALSE", "<3", ">=4", "?", "✓", "4.5", "6", "9", "5 - Hài lòng", "4/10", "05", "tốt"],
)
def test_what_is_no_answer_of_the_scale(text: str) -> None:
    assert _refused(lambda cell: read_answer(cell, fact=False), text)


@pytest.mark.parametrize(
    ("text", "answer"), [("Có", 6), ("không", 7), ("TRUE", 6), ("FALSE", 7), ("yes", 6), ("6", 6), ("", 0)]
)
def test_facts(text: str, answer: int) -> None:
    assert read_answer(text, fact=True) == answer
    assert _refused(lambda cell: read_answer(cell, fact=True), f"-{text or 1}")


@given(st.text(max_size=20) | st.from_regex(r"[-+<>=~?(]*[0-9.,/]{1,4}[)%!]*", fullmatch=True))
def test_an_answer_stands_in_its_cell(text: str) -> None:
    try:
        answer = read_answer(text, fact=False)
    except ValueError:
        return
    plain = without_marks(text)
    digits = [str(unicodedata.digit(c)) for c in text if c.isdecimal()]
    if answer == 0:
        assert plain in NOT_ANSWERED
    elif digits:
        assert digits[0] == str(answer)
        assert not re.search(r"[-+<>~?]\s*\d", text)
    else:
        assert SCALE[plain.rstrip(".!")] == answer


def test_codes_of_no_answer_are_a_setting() -> None:
    codes = read_missing("-1, -99 ?")
    assert [read_answer(text, False, codes) for text in ("-1", "-99", "?", "", "4")] == [0, 0, 0, 0, 4]
    assert _refused(lambda cell: read_answer(cell, False, codes), "-2")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-06-30T18:30:00.000Z", "2026-07-01"),
        ("2026-06-30 18:30:00+00:00", "2026-07-01"),
        ("2026-07-01T00:30:00+07:00", "2026-07-01"),
        ("2026-07-01T00:30:00+0900", "2026-06-30"),
        ("2026-07-01T00:30", "2026-07-01"),
        ("30/06/2026 17:00 UTC", "2026-07-01"),
        ("30/06/2026 11:30 CH", "2026-06-30"),
        ("ngày 5 tháng 7 năm 2026", "2026-07-05"),
        ("2026/07/05", "2026-07-05"),
    ],
)
def test_days_in_indochina_time(text: str, day: str) -> None:
    assert day_date(read_day(text)).isoformat() == day


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-30Z",
        "2026-06-30T18:30 x",
        "5/7/2026 abc",
        "46208",
        "31/6/2026",
        "1/1/2019",
        "5/7",
        "2026-07-05T25:00",
        "2026-07-05T10:00+99:00",
    ],
)
def test_what_is_no_day(text: str) -> None:
    assert _refused(read_day, text)


@given(st.datetimes(datetime(2020, 1, 3), datetime(2031, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_an_instant_falls_on_its_indochina_day(moment: datetime, minutes: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)), microsecond=0)
    expected = day_index(zoned.astimezone(INDOCHINA).date())
    assert read_day(zoned.isoformat()) == expected
    assert read_day(zoned.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Tháng 7/2026",
        "tháng 07 năm 2026",
        "T7/2026",
        "thang 7 2026",
        "2026-07",
        "7-2026",
        "Jul 2026",
        "July 2026",
        "15/7/2026",
        "2026-07-31T10:00:00+07:00",
    ],
)
def test_months(text: str) -> None:
    assert read_month(text) == 78


@pytest.mark.parametrize(
    "text",
    [
        *("Tháng 13/2026", "Tháng 7", "7.2026", "202607", "Ju 2026", "-7/2026", ""),
        *("8/1/2026", "08/01/2026 00:00"),  # August where the month stands first
    ],
)
def test_what_is_no_month(text: str) -> None:
    assert _refused(read_month, text)


@pytest.mark.parametrize(
    "text",
    [
        "0912345678",
        "+84912345678",
        "+840912345678",
        "+84 (0) 912 345 678",
        "0912345678.0",
        "912345678.0",
        "0084912345678",
        "84912345678",
        "912345678",
        "0912.345.678",
        "(091) 234-5678",
        "０９１２３４５６７８",
        "\u202a0912 345 678\u202c",
    ],
)
def test_a_number_written_in_many_ways(text: str) -> None:
    assert read_phone(text) == "0912345678"


@pytest.mark.parametrize(
    ("text", "number"), [("841234567", "0841234567"), ("024 3825 1234", "02438251234"), ("2438251234", "02438251234")]
)
def test_a_dropped_zero_and_a_fixed_line(text: str, number: str) -> None:
    assert read_phone(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "09123456780",
        "091234567",
        "0912345678x",
        "<0912345678",
        "0912345678, 0913345678",
        "+1 912 345 678",
        "0112345678",
        "1022",
        "09 12345678 (2)",
        "+849123456789",
        "0912345678.5",
    ],
)
def test_what_is_no_number(text: str) -> None:
    assert _refused(read_phone, text)


@given(st.text(st.sampled_from("0123456789+-. ()x,/０"), max_size=16))
def test_a_number_ends_as_its_cell_does(text: str) -> None:
    try:
        number = read_phone(text)
    except ValueError:
        return
    digits = "".join(str(unicodedata.digit(c)) for c in re.sub(r"\.0$", "", text) if c.isdecimal())
    assert number.lstrip("0") == re.sub(r"^(0084|84(?=\d{9,})|0)?0?", "", digits) or digits.endswith(number[1:])
    assert re.fullmatch(r"0[35789]\d{8}|02\d{9}", number)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1.001650", "1.001.650"), ("1.00165", "1.001.650"), ("1.65", "1.650"), ("1,65", "1.650"), ("12.5", "12.500"),
        ("1.2340", "1.234"), ("2.0175", "2.017.500"),
    ],
)  # fmt: skip
def test_a_count_of_which_a_spreadsheet_made_a_fraction_is_refused_with_what_was_meant(text: str, meant: str) -> None:
    """Typed with points where a spreadsheet takes the point for a decimal one."""
    with pytest.raises(ValueError, match=f"where {re.escape(meant)} is meant"):
        read_whole(text)
    assert read_whole(meant) == int(meant.replace(".", ""))


@pytest.mark.parametrize("text", ["12 hồ sơ", "-5", "0.5", "1.234,5", "1.5.2", "x", "1234.5"])
def test_what_is_no_such_fraction_has_no_such_hint(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*is meant)"):
        read_whole(text)


@pytest.mark.parametrize("text", ["2026-01-08", "2026-01-12 00:00:00", "2026/1/2"])
def test_a_day_of_january_that_a_spreadsheet_may_have_made_of_a_month(text: str) -> None:
    """`1/8/2026` is August to who types it, and 8 January to a spreadsheet set to American days."""
    with pytest.raises(ValueError, match="or of another month"):
        read_month(text)
    assert read_month("2026-01-01") == read_month("2026-01-31") == read_month("2026-01")
