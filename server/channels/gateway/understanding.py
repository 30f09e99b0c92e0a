"""What people write back by SMS, press on a telephone's keys, or say: a level, a wish to stop, or neither.

Words that are written with marks are compared with their marks: `dừng` stops, `đúng` (right) and `dùng` (use) do
not; `năm` is five, `Nam` is a name. Somebody leaves only with a word for leaving: to `có hài lòng không?` a bare
`Không` says how it was, not that nothing more may be asked; as it does not say which level, it is asked again.
"""

from __future__ import annotations

import re
import unicodedata

from pipeline.instruments import Instrument
from pipeline.text import one_line, without_marks

STOP = -1
SKIP = 0
LOW, HIGH = 1, 5

_NUMBERS = {"một": 1, "hai": 2, "ba": 3, "bốn": 4, "tư": 4, "năm": 5, "mot": 1, "bon": 4}
"""Without marks `tu` and `nam` are other words and names, too."""
_ENGLISH = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_LABELS = {
    "rất không hài lòng": 1,
    "không hài lòng": 2,
    "bình thường": 3,
    "hài lòng": 4,
    "rất hài lòng": 5,
    "very dissatisfied": 1,
    "dissatisfied": 2,
    "neutral": 3,
    "satisfied": 4,
    "very satisfied": 5,
}
"""Of the regulation's scale; an instrument's own wording goes before."""
_NO = frozenset({"không", "ko", "k", "kg", "kh", "hk", "hok", "hông", "khong", "hong"})
_SKIP = frozenset({"bỏ qua", "bo qua", "skip", "không biết", "khong biet"})
_LEAVING = re.compile(
    r"(?:(?:tôi|em|mình|xin|cho tôi|toi|minh) )*(?:dừng|stop|từ chối|tu choi)"
    r"(?: (?:lại|lai|trả lời|tra loi|khảo sát|khao sat|nhắn tin|nhan tin))?"
    r"|(?:(?:tôi|em|mình|xin|cho tôi|toi|minh) )*(?:hủy đăng ký|huỷ đăng ký|huy dang ky|unsubscribe|ngừng(?= ))"
    r"(?: (?:lại|trả lời|khảo sát|nhắn tin))?"
    r"|(?:(?:xin|làm ơn) )?(?:đừng|không|ngừng|dung|khong) (?:nhắn|gửi|nhan|gui)(?: tin)?(?: (?:nữa|nua))"
    r"|(?:xin )?dung (?:lại|lai|trả lời|tra loi|khảo sát|khao sat|nhắn tin|nhan tin)"
)
"""`dung` without its mark is `đúng` (right) and `dùng` (use) as well: alone it is the word that the greeting names,
with other words around it (`dung roi`, `dung a`) it leaves only where they say so."""
_POLITE = re.compile(r"(?:[ ,]+(?:ạ|a|nhé|nhe|nha|nghe|rồi|roi|thôi|em|anh|chị|bạn|ơi))+$")
_LEAD = re.compile(
    r"^(?:(?:dạ|da|vâng|thưa|thua|em|tôi|toi|mình|minh|xin|chọn|chon|chấm|cham"
    r"|mức độ|muc do|mức|muc|số|so|điểm|diem|đánh giá|danh gia|trả lời|tra loi|cho)[ ,:]+)+"
)
_THE_BEST = re.compile(r"(?:(?:rất|rat|quá|qua|tuyệt|tuyet|đúng|dung) )?(?:số|so|number|no\.?) ?(?:1|một|mot|one)")
"""`số 1` is a key, and how people say that nobody is better: it is asked again."""
_UNIT = re.compile(r" ?(?:sao|điểm|diem|đ|\*|⭐|stars?|points?)$")
_OUT_OF_FIVE = re.compile(r" ?(?:/|trên|tren|out of) ?5$")
_WITH_LABEL = re.compile(r"([1-5]) ?[-–—.:=,(]? ?([^\d]+?)\)?")
"""A telephone makes of two hyphens, or of one between spaces, a dash."""
_STARS = re.compile("[⭐★]{1,5}")
_ENDING = " .!,;"


def read_input(text: str, instrument: Instrument | None = None) -> int | None:
    """1 to 5, 0 to skip, `STOP`; None for what cannot be understood for certain."""
    key = _plain(text)
    bare = _POLITE.sub("", key).strip(_ENDING)
    if key in ("#", "dung") or _LEAVING.fullmatch(bare):
        return STOP
    if bare in _SKIP:
        return SKIP
    if _THE_BEST.fullmatch(bare):
        return None
    labels = _labels(instrument)
    for form in (key, bare, _LEAD.sub("", bare), bare.removeprefix("(").removesuffix(")")):
        if (found := _level(form, labels)) is not None:
            return found
    return None


def _plain(text: str) -> str:
    """One line in small letters, digits as 0 to 9, without variation of signs and what ends a sentence."""
    wide = (("\uff00", "\uffef"), ("\u2460", "\u2468"))  # of full width, and in circles
    narrow = (
        unicodedata.normalize("NFKC", c) if any(low <= c <= high for low, high in wide) else c for c in one_line(text)
    )
    folded = "".join(narrow).replace("\ufe0f", "").replace("\u20e3", "").casefold()
    digits = "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in folded)
    return " ".join(digits.split()).strip(_ENDING)


def _level(form: str, labels: dict[str, int]) -> int | None:
    if (found := labels.get(_unshortened(form))) is not None:
        return found
    if _STARS.fullmatch(form):
        return len(form)
    number = _UNIT.sub("", _OUT_OF_FIVE.sub("", form)).strip()
    if re.fullmatch(r"[0-5](?:[.,]0)?", number):
        return int(number[0])
    if (found := _NUMBERS.get(number, _ENGLISH.get(number))) is not None:
        return found
    labelled = _WITH_LABEL.fullmatch(form)
    if labelled and labels.get(_unshortened(labelled[2].strip())) == int(labelled[1]):
        return int(labelled[1])
    return None


def _unshortened(form: str) -> str:
    """`ko hài lòng` as `không hài lòng`."""
    words = form.split()
    return " ".join("không" if word in _NO else word for word in words) if len(words) > 1 else form


def _labels(instrument: Instrument | None) -> dict[str, int]:
    found = dict(_LABELS)
    if instrument is not None:
        for point in instrument.scale:
            found |= {_plain(point.vi): point.answer, _plain(point.en): point.answer}
    plain = {without_marks(label): level for label, level in found.items()}
    mixed = {label.replace("khong", "không"): level for label, level in plain.items()}
    return found | plain | mixed
