"""What cells mean: whole numbers, answers, days, months, telephone numbers. Each is read whole, or refused.

Nothing is dropped before a value is read: a sign, a unit, a second number in the cell makes it another text, and the
row is told. Every function raises `ValueError` with the reason in both languages.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from pipeline.calendar import INDOCHINA, day_index, month_of_day, read_year_month
from pipeline.language import Message
from pipeline.text import match_key, one_line, without_marks

MAX_COUNT = 10_000_000

_GROUPED = re.compile(r"^[1-9]\d{0,2}(?:([.,  \u00a0\u202f'])\d{3})(?:\1\d{3})*(?:[.,]0+)?$")
_PLAIN = re.compile(r"^(?!0(?=\d*[1-9])\d*[.,]000$)\d+(?:[.,]0+)?$")
"""Not `025.000`: three digits after a sign are a group, and no group begins with zero; 25 would be a guess."""
_TIME = (
    r"(?:[T ](?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?"
    r"(?: ?(?P<half>AM|PM|SA|CH))?(?: ?(?P<zone>Z|UTC|GMT|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?))?)?"
)
_DAY = re.compile(r"^(?P<day>\d{1,2})[/.-](?P<month>\d{1,2})[/.-](?P<year>\d{4}|\d{2})" + _TIME + "$", re.IGNORECASE)
_ISO = re.compile(r"^(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})" + _TIME + "$", re.IGNORECASE)
_IN_WORDS = re.compile(r"^(?:ngay )?(?P<day>\d{1,2}) thang (?P<month>\d{1,2}) nam (?P<year>\d{4})$")
_SHORTENED = re.compile(r"[+-]?\d(?:[.,]\d+)?E\+\d{2,3}", re.IGNORECASE)

LEVELS = 5
"""From very dissatisfied to very satisfied."""
SCALE = {
    **{str(n): n for n in range(1, 6)},
    **{without_marks(t): 1 for t in ("Rất không hài lòng", "very dissatisfied")},
    **{without_marks(t): 2 for t in ("Không hài lòng", "dissatisfied")},
    **{without_marks(t): 3 for t in ("Bình thường", "neutral")},
    **{without_marks(t): 4 for t in ("Hài lòng", "satisfied")},
    **{without_marks(t): 5 for t in ("Rất hài lòng", "very satisfied")},
}
YES_NO = {
    "6": 6,
    "7": 7,
    **dict.fromkeys(("co", "yes", "dung", "y", "true"), 6),
    **dict.fromkeys(("khong", "no", "sai", "n", "false"), 7),
}
NOT_ANSWERED = frozenset({"", "-", "–", ".", "0", "x", "na", "n/a", "kotl"})
"""What stands for no answer unless an import says more; `x` because forms are crossed out so."""
_LABELLED = re.compile(r"^([1-5])(?: ?[-.:=)] ?| ?\( ?| )(.*?)\)?$")
_OUT_OF_FIVE = re.compile(r"^([1-5]) ?/ ?5$")
_DECIMAL_ZERO = re.compile(r"^([0-7])[.,]0+$")
_FRACTION = re.compile(r"^(\d{1,3})[.,](\d{1,6})$")


def read_whole(text: str, low: int = 0, high: int = MAX_COUNT) -> int:
    """`1234`, `1.234`, `1,234`, `1 234`, `1234.0`, `1.234,0`: groups of three digits under one sign, and decimals only
    where all are zero. A point or comma before exactly three digits groups, as Vietnamese files write it."""
    given = digits_of(text)
    match = _GROUPED.match(given)
    whole = ""
    if match:
        sign = match[1]
        head, _, tail = _decimals(given, sign)
        whole = head.replace(sign, "") if not tail.strip("0") else ""
    elif _PLAIN.match(given):
        whole = re.split("[.,]", given)[0]
    if not whole or len(whole) > 12:
        raise ValueError(_no_whole_number(text, given))
    number = int(whole)
    if not low <= number <= high:
        raise ValueError(Message("{number} is not from {low} to {high}", number=number, low=low, high=high))
    return number


def _no_whole_number(text: str, given: str) -> Message:
    """What is wrong with it; of a fraction also which number a spreadsheet may have made it of: it takes the point of
    `1.650` for a decimal one, and drops noughts at the end."""
    fraction = _FRACTION.match(given)
    digits = fraction[2].rstrip("0") if fraction else ""
    if fraction is None or not digits or fraction[1].startswith("0"):
        return Message("no whole number: '{text}'", text=text[:20])
    groups = -(-len(digits) // 3)
    meant = fraction[1] + digits.ljust(3 * groups, "0")
    return Message(
        "no whole number: '{text}' (where {meant} is meant, a spreadsheet took the point for a decimal one: write "
        "{digits})",
        text=text[:20],
        meant=".".join([fraction[1], *(meant[len(fraction[1]) :][i : i + 3] for i in range(0, 3 * groups, 3))]),
        digits=meant,
    )


def _decimals(given: str, group_sign: str) -> tuple[str, str, str]:
    """(whole part, sign, decimals) of a grouped number: decimals follow the other sign."""
    for sign in ".,":
        if sign != group_sign and sign in given:
            return given.rpartition(sign)
    parts = given.split(group_sign)
    if len(parts[-1]) == 3:
        return given, "", ""
    return "", "", "1"  # 1.234.00: the same sign groups and divides


def digits_of(text: str) -> str:
    """The text with digits of other scripts and widths as 0 to 9; everything else stays."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)


@lru_cache(maxsize=10_000)
def read_answer(
    text: str, fact: bool, missing: frozenset[str] = NOT_ANSWERED, lowest: int = 1, highest: int = LEVELS
) -> int:
    """An answer: 1..5, its wording (with or without marks), `5 - Rất hài lòng`, `5/5`, `5.0`; yes or no for a fact;
    0 for one of the codes `missing`. `lowest`, `highest`: the numbers that the file has for 1 and 5 (`server.tabular.
    scales`)."""
    is_usual = fact or (lowest, highest) == (1, LEVELS)
    if match_key(text) in missing and (is_usual or text != "0" or 0 not in (lowest, highest)):
        return 0
    key = digits_of(without_marks(text)).rstrip(".!") if text.rstrip(".!") else text
    if decimal := _DECIMAL_ZERO.match(key):
        key = decimal[1]
    if not is_usual:
        return _other_scale(text, key, lowest, highest)
    known = YES_NO if fact else SCALE
    if key in known:
        return known[key]
    if not fact:
        if out_of := _OUT_OF_FIVE.match(key):
            return int(out_of[1])
        if (labelled := _LABELLED.match(key)) and SCALE.get(labelled[2].rstrip(".!")) == int(labelled[1]):
            return int(labelled[1])
    raise ValueError(
        Message("'{text}' is not yes or no", text=text[:20])
        if fact
        else Message("'{text}' is not on the scale 1 to 5", text=text[:20])
    )


def _other_scale(text: str, key: str, lowest: int, highest: int) -> int:
    """The level of a number of another scale, or of a wording, with or without its number before it."""
    numbers = range(lowest, highest + 1) if lowest < highest else range(lowest, highest - 1, -1)
    levels = {str(number): level for level, number in enumerate(numbers, start=1)}
    if key in levels:
        return levels[key]
    if not key.isdigit() and key in SCALE:
        return SCALE[key]
    number, _, words = key.partition(" ")
    words = words.lstrip("-.:=( ").rstrip(") .!")
    if levels.get(number.rstrip("-.:=)")) == SCALE.get(words, 0):
        return SCALE[words]
    raise ValueError(
        Message("'{text}' is not on the scale {low} to {high}", text=text[:20], low=numbers[0], high=numbers[-1])
    )


def read_missing(text: str) -> frozenset[str]:
    """Codes of "not answered" from a setting such as `-1, -99, ?`, with those that always hold."""
    return NOT_ANSWERED | {match_key(code) for code in re.split(r"[,;\s]+", text) if code}


def read_day(text: str, zone: tzinfo | None = None) -> int:
    """Day index of `31/12/2026` (day first, always), `31-12-26`, ISO `2026-12-31`, `ngày 31 tháng 12 năm 2026`.

    A time may follow; one with `Z` or an offset, or where `zone` is that of times without one, is taken to Indochina
    time (UTC+7), which can be another day. Before
    AM or PM stands what a program for America wrote, month first, or not: what may be both is refused."""
    plain = digits_of(one_line(text))
    match = _DAY.match(plain) or _ISO.match(plain) or _IN_WORDS.match(digits_of(without_marks(text)))
    if match is None:
        raise ValueError(Message("no day: '{text}' (write day/month/year)", text=text[:30]))
    year = int(match["year"]) + (2000 if len(match["year"]) == 2 else 0)
    try:
        found = date(year, int(match["month"]), int(match["day"]))
        if "hour" in match.re.groupindex and match["hour"]:
            if match.re is _DAY and (match["half"] or "").upper() in ("AM", "PM") and found.month != found.day <= 12:
                raise ValueError(
                    Message("'{text}' may be day/month or month/day: write it as 2026-12-31", text=text[:30])
                )
            found = _local_day(found, match, zone)
        index = day_index(found)
    except (ValueError, OverflowError) as error:
        if error.args and isinstance(error.args[0], Message):
            raise
        raise ValueError(Message("no such day: '{text}' (write day/month/year)", text=text[:30])) from None
    if index < 0:
        raise ValueError(Message("the day '{text}' lies before 2020", text=text[:30]))
    return index


def _local_day(day: date, match: re.Match[str], zone_of_others: tzinfo | None) -> date:
    hour, half = int(match["hour"]), (match["half"] or "").upper()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if half in ("PM", "CH") else 0)
    local = datetime(day.year, day.month, day.day, hour, int(match["minute"]), int(match["second"] or 0))  # noqa: DTZ001
    zone = (match["zone"] or "").upper()
    if not zone:
        return (local if zone_of_others is None else local.replace(tzinfo=zone_of_others).astimezone(INDOCHINA)).date()
    offset = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", zone)
    minutes = 0 if offset is None else int(f"{offset[1]}1") * (60 * int(offset[2]) + int(offset[3] or 0))
    if abs(minutes) > 14 * 60:
        raise ValueError
    return local.replace(tzinfo=timezone(timedelta(minutes=minutes))).astimezone(INDOCHINA).date()


def read_month(text: str) -> int:
    """Month index of `2026-07`, `07/2026`, `Tháng 7/2026`, `T7/2026`, `tháng 7 năm 2026`, `Jul 2026`, or of a day."""
    plain = digits_of(without_marks(text))
    if found := read_year_month(plain):
        year, month = found
    elif match := _DAY.match(plain) or _ISO.match(plain) or _IN_WORDS.match(plain):
        # a date too: a spreadsheet set to American days makes it of `1/8/2026`
        if match.re is not _IN_WORDS and int(match["month"]) == 1 and 1 < int(match["day"]) <= 12:
            raise ValueError(
                Message("'{text}' may be a day of January, or of another month: write it as 2026-07", text=text[:30])
            )
        return month_of_day(read_day(text))
    else:
        raise ValueError(Message("no month: '{text}' (write 2026-07 or 07/2026)", text=text[:30]))
    if not 1 <= month <= 12:
        raise ValueError(Message("no such month: '{text}'", text=text[:20]))
    return month_of_day(read_day(f"1/{month}/{year}"))


_PHONE = re.compile(r"^(?:\(?(?P<prefix>\+84|0084)\)?)?(?P<rest>[\d .()\-]*)$")
_MOBILE = re.compile(r"0[35789]\d{8}")
_FIXED = re.compile(r"02\d{9}")


def read_phone(text: str) -> str:
    """A Vietnamese telephone number in national form: 03x, 05x, 07x, 08x, 09x and 10 digits in all, or 02x and 11.

    `+84`, `0084` and `84` may stand before it, with or without its zero; blanks, points, dashes and brackets between
    digits; a zero that a spreadsheet dropped is put back, as is one that it made of the number (`912345678.0`)."""
    refusal = ValueError(Message("no phone number"))
    given = digits_of(one_line(text)).translate({ord(c): "-" for c in "‐‑–"} | {ord("＋"): "+"})
    given = re.sub(r"^(\d{9,12})\.0$", r"\1", given)
    match = _PHONE.match(given)
    if match is None:
        raise refusal
    digits = re.sub(r"\D", "", match["rest"])
    if match["prefix"]:
        candidates = [digits if digits.startswith("0") else f"0{digits}"]
    else:
        candidates = [digits]
        if not digits.startswith("0"):
            candidates.append(f"0{digits}")
        if digits.startswith("84"):
            candidates.append(digits[2:] if digits[2:3] == "0" else f"0{digits[2:]}")
    fitting = {one for one in candidates if _MOBILE.fullmatch(one) or _FIXED.fullmatch(one)}
    if len(fitting) != 1:
        raise refusal
    return fitting.pop()


def check_code(code: str) -> None:
    """Raises `ValueError` for what a spreadsheet leaves of a code of many digits: of `2.02611E+14` the rest is lost."""
    if _SHORTENED.fullmatch(code):
        raise ValueError(
            Message(
                "a spreadsheet shortened the code '{text}': format its column as text, and write the codes anew",
                text=code[:40],
            )
        )
