"""The Vietnamese of the Centre and the South, made of sentences in the common language, seeded.

What differs most at a counter are small words: questions, negations, pronouns and particles.  A sentence is put into
another region's words, as many of them as chance has it, because speakers mix.
"""

from __future__ import annotations

import random

CENTRE: dict[str, tuple[str, ...]] = {
    "gì": ("chi",), "sao": ("răng",), "thế": ("rứa",), "vậy": ("rứa",), "đâu": ("mô",), "nào": ("mô",), "này": ("ni",),
    "kia": ("tê",), "đấy": ("nớ",), "ấy": ("nớ",), "bây giờ": ("chừ", "bây chừ"), "giờ": ("chừ",), "tôi": ("tui",),
    "mình": ("tui",), "mẹ": ("mạ",), "bà": ("mệ",), "chị": ("o", "chị"), "cô": ("o",), "anh": ("eng", "anh"),
    "làm": ("mần", "làm"), "nhỉ": ("hè", "hỉ"), "nhé": ("hí", "nghe"), "ạ": ("hỉ", ""), "nói": ("nói",),
    "quá": ("quá", "dữ"), "lắm": ("lắm", "dễ sợ", "chi lạ"), "vào": ("vô",), "ra sao": ("ra răng",),
    "hôm nay": ("bữa ni",), "hôm qua": ("bữa qua",), "trẻ con": ("con nít",), "thật": ("thiệt",), "không": ("không",),
    "mãi": ("hoài",), "xem": ("coi",), "bảo": ("nói", "biểu"), "thế này": ("ri",), "nhìn": ("ngó",),
}  # fmt: skip
SOUTH: dict[str, tuple[str, ...]] = {
    "không": ("hông", "hổng", "không"), "chẳng": ("hổng",), "chả": ("hổng",), "thế": ("vậy",), "vậy": ("vậy", "dậy"),
    "tôi": ("tui",), "mình": ("tui",), "mẹ": ("má",), "bố": ("ba", "tía"), "bác": ("bác",), "ông ấy": ("ổng",),
    "bà ấy": ("bả",), "chị ấy": ("chỉ",), "anh ấy": ("ảnh",), "cô ấy": ("cổ",), "nhé": ("nha", "nghen"), "nhỉ": ("ha",),
    "ạ": ("nha", "à", ""), "quá": ("quá trời", "dữ thần", "quá chừng"), "lắm": ("lắm", "dữ lắm", "dữ thần"),
    "nhanh": ("lẹ", "nhanh"), "bảo": ("biểu",), "vào": ("vô",), "thật": ("thiệt",), "mãi": ("hoài",), "bao giờ":
    ("chừng nào",), "hôm nay": ("bữa nay",), "bây giờ": ("bây giờ", "giờ"), "tất cả": ("hết trơn",), "gì cả":
    ("gì hết trơn", "gì ráo"), "xem": ("coi",), "làm hộ": ("làm giùm",), "hộ": ("giùm", "dùm"), "trẻ con": ("con nít",),
    "bao nhiêu": ("nhiêu", "bao nhiêu"), "hỏng": ("hư",), "muộn": ("trễ",), "đắt": ("mắc",), "bẩn": ("dơ",),
    "gọi": ("kêu", "gọi"), "mà": ("mà",), "đấy": ("đó", "á"), "như thế": ("như vầy",), "thế này": ("vầy",),
}  # fmt: skip


def regional(words: list[str], rng: random.Random) -> list[str]:
    """The sentence's syllables with most of its small words as in the Centre or the South."""
    table = rng.choice((CENTRE, SOUTH))
    found: list[str] = []
    at = 0
    while at < len(words):
        pair = " ".join(words[at : at + 2])
        taken = 2 if len(words) > at + 1 and pair in table else 1
        form = " ".join(words[at : at + taken])
        said = rng.choice(table[form]) if form in table and rng.random() < 0.8 else form
        found += said.split()
        at += taken
    return found or words
