"""What people write about a service, without what tells who somebody is.

People are asked to name nobody, and some do. Texts of the survey are masked before they are stored and again when they
are read (for those that came before this rule); words of a case, which has to be answered, only where somebody reads
them who does not answer it. Rather a word too many is masked than a name too few: what stays is what the service is
like.

Masked are addresses of mail and of the net, every run of seven digits or more however it is cut up (telephones,
identity numbers, accounts), digits that are spelt out, codes that mix letters and digits (dossiers, number plates),
days and hours (a visit's time tells whose it was), numbers of houses, and names: what follows a form of address or
"tên là", and a family name with given names. Sums of money stay, since a sum asked for is what a head has to know.
"""

from __future__ import annotations

import re

from pipeline.text import tidy, without_marks

NUMBER, NAME, ADDRESS, TIME = "[số]", "[tên]", "[địa chỉ]", "[thời gian]"
"""What stands in a text instead; in the language of the texts."""

_MAIL = re.compile(r"[^\s@\[\]<>,;:()]+\s?(?:@|\(at\)|\[at\]|\ba còng\b)\s?[^\s@\[\],;:()]+", re.I)
_NET = re.compile(r"(?:https?://|www\.|\b(?:fb|facebook|zalo)\.\w+/)\S+|(?<!\w)@\w[\w.]+", re.I)
_MONEY = re.compile(r"(?<![\w.,+-])[1-9]\d{0,2}(?:[.,]\d{3}){1,2}(?![\d])(?=\s?(?:đ|đồng|vnđ|vnd|dong)(?!\w))", re.I)
_CLOCK = re.compile(r"(?<![\w.,])(?:[01]?\d|2[0-3])\s?(?:h|g|giờ|:)\s?(?:[0-5]\d|\d)?(?:\s?(?:phút|p))?(?![\w])", re.I)
_DAY = re.compile(
    r"(?<![\w.,/-])(?:0?[1-9]|[12]\d|3[01])\s?[/.-]\s?(?:0?[1-9]|1[0-2])(?:\s?[/.-]\s?(?:\d{4}|\d{2}))?(?![\w/-])"
    r"|\bngày\s+\d{1,2}\s+tháng\s+\d{1,2}(?:\s+năm\s+\d{4})?",
    re.I,
)
_DIGITS = re.compile(r"(?<!\w)[+(]?\d(?:[\s.,()/_–-]{0,3}\d){6,}")
_CODE = re.compile(r"(?<!\w)(?=[^\s]*\d)[\w][\w./–-]*[\w](?!\w)")
_SPELT = re.compile(
    r"(?<!\w)(?:(?:không|một|mốt|hai|ba|bốn|tư|năm|lăm|sáu|bảy|bẩy|tám|chín|mười)[\s,.-]+){5,}"
    r"(?:không|một|mốt|hai|ba|bốn|tư|năm|lăm|sáu|bảy|bẩy|tám|chín|mười)(?!\w)",
    re.I,
)
_HOUSE = re.compile(r"(?<!\w)(?:số nhà|nhà số|sn|ngõ|ngách|hẻm|kiệt)\s*:?\s*\d+[\w/]*", re.I)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")

_TITLES_TEXT = "ông bà anh chị cô chú bác cậu mợ dì thím em cháu thầy ô b a c mr mrs ms miss sir madam"
_TITLES = frozenset(_TITLES_TEXT.split())
_TITLE_PAIRS = frozenset(
    {("đồng", "chí"), ("tên", "là"), ("tôi", "là"), ("em", "là"), ("tên", "tôi"), ("đ", "c"), ("họ", "tên")}
)
_SHORT_TITLES = frozenset({"ô", "b", "a", "c"})
"""Forms of address that count only with a dot behind them, as in "A. Dũng"."""
_COMMON_TEXT = """
    ấy ta này kia đó nào em ơi ạ nhé và với hoặc hay là thì mà của cho từ ở tại trong ngoài trên dưới bên cạnh về đến đi
    lại ra vào lên xuống qua theo như rất quá lắm hơi khá không chưa chẳng có đã đang sẽ vẫn còn cũng chỉ đều nên cần
    phải bị được do vì nếu khi lúc sau trước mỗi các những mấy nhiều ít hết cả tất toàn cán bộ công chức viên nhân nhận
    tiếp dân trực quầy phòng ban sở phường xã làm việc giải thích quyết hướng dẫn giúp đỡ nói bảo hỏi trả lời gọi điện
    yêu cầu nhắc thái độ nhiệt tình vui vẻ niềm nở thân thiện chu đáo tận chậm nhanh lâu tốt kém xin mong muốn đề nghị
    cảm ơn con nội ngoại hai ba tư năm sáu bảy tám chín mười nông công thương lãnh đạo trưởng phó giám đốc chủ tịch bảo
    vệ lễ tân giáo y tá sĩ đứng ngồi nhìn thấy biết hiểu chờ đợi đưa lấy mang nộp ký đọc viết ghi sửa in để hộ mình họ
    tôi chúng chúng nó bà ông anh chị cô chú bác người khách hàng già trẻ nữ nam mới cũ kia nọ thứ nhất trong tuổi
    không có gì làm ăn thu ngân văn thư tổ nào cùng luôn rồi thôi nữa đây đấy xong nha nhe dạ vâng
    """
_COMMON = frozenset(without_marks(word) for word in _COMMON_TEXT.split())
"""Words that follow a form of address and are no name, without marks; anything else behind one is taken for one."""
_FAMILY_TEXT = """
    Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý Đinh Trịnh Mai Đoàn Lâm Phùng Tạ Cao Châu Tô
    Hà Tống Lương Thái Quách Triệu Kiều Vương Thạch Lò Quàng Cầm Giàng Sùng Lù Lường Hứa Khổng Mạc Nông Bế Hoàng Đàm
    Nghiêm Viên Lục Từ Thân Chu Trương Doãn Văn Vi Ma Sầm Điêu Tòng Cà Bạc Kpă Siu Rơ Ksor Nay Y H'
    """
_FAMILY = frozenset(without_marks(word) for word in _FAMILY_TEXT.split())
_LONGEST_NAME = 5


def mask(text: str) -> str:
    """The text with what tells who somebody is masked. Masking what is masked changes nothing."""
    text = tidy(text)
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\x00{chr(0xE000 + len(kept) - 1)}\x00"  # private use: matched by no rule below

    text = "".join(letter for letter in text if not 0xE000 <= ord(letter) <= 0xF8FF)
    text = re.sub(r"\[(?:số|tên|địa chỉ|thời gian)\]", keep, text)
    text = _MAIL.sub(ADDRESS, text)
    text = _NET.sub(ADDRESS, text)
    text = _MONEY.sub(keep, text)
    text = _CODE.sub(_code, text)
    text = _HOUSE.sub(ADDRESS, text)
    text = _DIGITS.sub(_long_number, text)
    text = _DAY.sub(TIME, text)
    text = _CLOCK.sub(TIME, text)
    text = _SPELT.sub(NUMBER, text)
    text = _names(text)
    for number, words in enumerate(kept):
        text = text.replace(f"\x00{chr(0xE000 + number)}\x00", words)
    return text


def _long_number(found: re.Match[str]) -> str:
    """Seven digits or more, unless they are days, or years with a dash between."""
    words = found[0]
    return words if _DAY.fullmatch(words) else NUMBER


def _code(found: re.Match[str]) -> str:
    """A token with four digits or more and a letter: a dossier, a plate; five digits or six without one."""
    token = found[0]
    if _CLOCK.fullmatch(token):
        return token
    digits = sum(letter.isdigit() for letter in token)
    lettered = any(letter.isalpha() for letter in token)
    return NUMBER if (lettered and digits >= 4) or (token.isdigit() and digits >= 5) else token


def _names(text: str) -> str:
    words = list(_WORD.finditer(text))
    loud = text.isupper()
    hidden: list[tuple[int, int]] = []
    at = 0
    while at < len(words):
        start = _name_at(text, words, at, loud)
        if start is None:
            at += 1
            continue
        first, last = start
        hidden.append((words[first].start(), words[last].end()))
        at = last + 1
    for begin, end in reversed(hidden):
        text = text[:begin] + NAME + text[end:]
    return text


def _name_at(text: str, words: list[re.Match[str]], at: int, loud: bool) -> tuple[int, int] | None:
    """First and last word of a name that a form of address at `at` announces, or that begins there by itself."""
    first = _announced(text, words, at)
    if first is not None:
        if first >= len(words):
            return None
        word = words[first][0]
        if loud or not word[0].isupper():
            # "chị hoa", or all in capitals: whatever is no common word
            common = without_marks(word) in _COMMON
            return None if common else (first, _last_small(text, words, first, loud))
        return first, _last_capital(text, words, first)
    if without_marks(words[at][0]) in _FAMILY and (words[at][0][0].isupper() or loud):
        last = _last_capital(text, words, at)
        return (at, last) if last > at else None
    return None


def _announced(text: str, words: list[re.Match[str]], at: int) -> int | None:
    """The word behind a form of address at `at`; None where none stands there."""
    word = words[at][0].casefold()
    after = at + 1
    if after < len(words) and (word, words[after][0].casefold()) in _TITLE_PAIRS and _near(text, words, at, "/.: "):
        after += 1
        while after < len(words) and words[after][0].casefold() in {"là", "tên"}:
            after += 1
        return after if _near(text, words, after - 1, ".: ") else None
    if word in _SHORT_TITLES:
        dotted = text[words[at].end() : words[at].end() + 1] == "."
        return after if dotted and after < len(words) and words[after][0][0].isupper() else None
    if word not in _TITLES or not _near(text, words, at, ".: "):
        return None
    while after < len(words) and words[after][0].casefold() in {"tên", "là"} and _near(text, words, after, ".: "):
        after += 1
    return after


def _near(text: str, words: list[re.Match[str]], at: int, between: str) -> bool:
    """Whether only blanks and these signs lie between a word and the next."""
    if at + 1 >= len(words):
        return False
    gap = text[words[at].end() : words[at + 1].start()]
    return bool(gap) and len(gap) <= 3 and not gap.strip(between)


def _last_capital(text: str, words: list[re.Match[str]], first: int) -> int:
    last = first
    while (
        last + 1 < len(words)
        and last - first < _LONGEST_NAME
        and words[last + 1][0][0].isupper()
        and _near(text, words, last, " .")
    ):
        last += 1
    return last


def _last_small(text: str, words: list[re.Match[str]], first: int, loud: bool) -> int:
    """Of a name without capitals: a family name takes what follows with it, up to a common word."""
    last = first
    if without_marks(words[first][0]) in _FAMILY or loud:
        while (
            last + 1 < len(words)
            and last - first < _LONGEST_NAME - 1
            and without_marks(words[last + 1][0]) not in _COMMON
            and _near(text, words, last, " ")
        ):
            last += 1
    return last


def tells_somebody(text: str) -> str:
    """The masked form of a text in which names, numbers or addresses were masked; '' where there were none. Days and
    hours alone, which an answer about opening hours holds, tell nobody."""
    masked = mask(text)
    return masked if any(masked.count(one) > text.count(one) for one in (NUMBER, NAME, ADDRESS)) else ""
