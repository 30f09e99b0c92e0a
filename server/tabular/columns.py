"""Names of columns as people write them, in Vietnamese and English, and how cells are read."""

from __future__ import annotations

import re
from datetime import date

from pipeline.calendar import day_index
from pipeline.instruments import OVERALL, Instrument
from pipeline.words import Words
from server.tabular.labels import plain

ALIASES: dict[str, tuple[str, ...]] = {
    "form": ("form", "form_code", "mã phiếu", "số phiếu", "mã phiếu khảo sát", "id"),
    "agency": ("agency", "agency_code", "cơ quan", "mã cơ quan", "đơn vị", "mã đơn vị", "tên cơ quan"),
    "counter": ("counter", "quầy", "mã quầy"),
    "day": ("day", "date", "ngày", "ngày trả lời", "ngày khảo sát", "ngày phỏng vấn"),
    "channel": ("channel", "kênh", "hình thức"),
    "service_group": ("service_group", "group", "lĩnh vực", "nhóm thủ tục", "mã lĩnh vực"),
    "service": ("service", "thủ tục", "mã thủ tục"),
    "reasons": ("reasons", "lý do", "lý do không hài lòng"),
    "month": ("month", "tháng"),
    "count": ("count", "transactions", "số giao dịch", "số hồ sơ", "số lượng", "số lượng hồ sơ"),
    "code": ("code", "mã"),
    "name_vi": ("name_vi", "name", "tên", "tên tiếng việt", "họ và tên", "họ tên"),
    "name_en": ("name_en", "tên tiếng anh"),
    "level": ("level", "cấp", "cấp hành chính"),
    "rank": ("rank", "thứ bậc", "thứ tự"),
    "number": ("number", "số"),
    "field": ("field", "ngành", "mã ngành"),
    "phone": ("phone", "điện thoại", "số điện thoại", "sđt"),
    "organisation": ("organisation", "organization", "tổ chức", "đơn vị công tác", "bưu cục"),
    "expectation": ("expectation", "mong đợi", "kỳ vọng"),
    "suggestion": ("suggestion", "giải pháp", "đề xuất", "kiến nghị giải pháp"),
}
_BY_TEXT = {plain(text): name for name, texts in ALIASES.items() for text in texts}
_ITEM = re.compile(r"^[A-Z]\d{1,2}$")
_SLOT = re.compile(r"^a(\d\d)$")
_DAY = re.compile(r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})(?: .*)?$")
_ISO = re.compile(r"^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?$")
_MONTH = re.compile(r"^(?:(\d{4})[-/](\d{1,2})|(\d{1,2})[-/](\d{4}))$")

SCALE = {
    **{str(n): n for n in range(1, 6)},
    **{plain(t): 1 for t in ("Rất không hài lòng", "very dissatisfied")},
    **{plain(t): 2 for t in ("Không hài lòng", "dissatisfied")},
    **{plain(t): 3 for t in ("Bình thường", "neutral")},
    **{plain(t): 4 for t in ("Hài lòng", "satisfied")},
    **{plain(t): 5 for t in ("Rất hài lòng", "very satisfied")},
}
YES_NO = {
    "6": 6,
    "7": 7,
    **dict.fromkeys(("co", "yes", "dung", "y"), 6),
    **dict.fromkeys(("khong", "no", "sai", "n"), 7),
}
EMPTY = frozenset({"", "-", "–", ".", "0", "x", "na", "n/a", "kotl"})
"""What stands for no answer; `x` because forms are crossed out so."""
CHANNELS = {
    **{c: c for c in ("counter_tablet", "online", "sms", "call_1022", "hotline", "paper")},
    "maytinhbang": "counter_tablet",
    "maytinhbangtaiquay": "counter_tablet",
    "kiosk": "counter_tablet",
    "tructuyen": "online",
    "tinnhan": "sms",
    "tinnhansms": "sms",
    "1022": "call_1022",
    "goitudong": "call_1022",
    "cuocgoitudong1022": "call_1022",
    "duongdaynong": "hotline",
    "phieugiay": "paper",
    "giay": "paper",
}


def recognise(instrument: Instrument | None = None) -> dict[str, str]:
    """Plain header text -> column name; the instrument's items as `item:CODE`."""
    known = dict(_BY_TEXT)
    if instrument is not None:
        known[plain("hài lòng chung")] = known[OVERALL] = known["a00"] = f"item:{OVERALL}"
        for item in instrument.items:
            known[plain(item.code)] = known[f"a{item.slot:02d}"] = known[plain(item.vi)] = f"item:{item.code}"
    return known


def is_answer_column(name: str | None) -> bool:
    """Whether a recognised column holds answers."""
    return name is not None and (name.startswith("item:") or name == "reasons")


def looks_like_item(header: str) -> bool:
    """Whether a header that was not recognised looks like an answer column: then it is a mistake, not a remark."""
    return bool(_ITEM.match(header) or _SLOT.match(header))


def read_day(text: str) -> int:
    """Day index of `31/12/2026` (day first, always), `31-12-26`, or ISO `2026-12-31`. Raises `ValueError`."""
    if match := _DAY.match(text):
        day, month, year = int(match[1]), int(match[2]), int(match[3])
        year += 2000 if year < 100 else 0
    elif match := _ISO.match(text):
        year, month, day = int(match[1]), int(match[2]), int(match[3])
    else:
        raise ValueError(
            Words(
                f"no day: {text[:20]!r} (write day/month/year)",
                f"không phải ngày: “{text[:20]}” (hãy viết ngày/tháng/năm)",
            )
        )
    try:
        index = day_index(date(year, month, day))
    except ValueError:
        raise ValueError(
            Words(
                f"no such day: {text[:20]!r} (write day/month/year)",
                f"không có ngày “{text[:20]}” (hãy viết ngày/tháng/năm)",
            )
        ) from None
    if index < 0:
        raise ValueError(Words(f"the day {text[:20]!r} lies before 2020", f"ngày “{text[:20]}” trước năm 2020"))
    return index


def read_month(text: str) -> int:
    """Month index of `2026-07`, `07/2026`, or of a day. Raises `ValueError`."""
    from pipeline.calendar import month_of_day

    match = _MONTH.match(text)
    if match is None:
        return month_of_day(read_day(text))
    year, month = (int(match[1]), int(match[2])) if match[1] else (int(match[4]), int(match[3]))
    if not 1 <= month <= 12:
        raise ValueError(Words(f"no such month: {text[:20]!r}", f"không có tháng “{text[:20]}”"))
    return month_of_day(read_day(f"1/{month}/{year}"))


def read_answer(text: str, fact: bool) -> int:
    """An answer from a cell: 1..5 or its wording, yes or no for a fact, 0 for nothing. Raises `ValueError`."""
    key = plain(text) if text not in EMPTY else ""
    if not key or text.casefold() in EMPTY:
        return 0
    known = YES_NO if fact else SCALE
    if key not in known:
        raise ValueError(
            Words(
                f"{text[:20]!r} is not {'yes or no' if fact else 'on the scale 1 to 5'}",
                f"“{text[:20]}” không phải {'có hoặc không' if fact else 'mức từ 1 đến 5'}",
            )
        )
    return known[key]
