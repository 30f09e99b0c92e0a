"""What headings, titles and legends say of the numbers of a scale: `(0-10)`, `7-point scale`, `1 = tốt nhất`.

Only what contradicts "1 the worst, 5 the best" matters; a text that says nothing of it is passed over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain

from pipeline.text import without_marks
from server.tabular.values import LEVELS

_UNITS = r"(?! ?(?:ngay|thang|nam|nguoi|tuoi|gio|phut|trieu|dong|km|lan|days?|months?|years?|hours?|minutes?|times)\b)"
_TO = r" ?(?:-|–|—|->|→|\.\.+|den|toi|to|and) ?"
_SPANS = (
    re.compile(
        r"(?:[(\[](?:(?:muc do|muc|diem|cham|danh gia|hai long|scores?|ratings?|satisfaction|scale):? )*"
        r"|thang d(?:iem|o):? ?|\b(?:scale|likert):? ?)(?:tu |from )?(\d{1,3})"
        rf"{_TO}(\d{{1,3}})(?= ?(?:[)\]]|diem|muc|points?|$))"
    ),
    re.compile(
        rf"\b(?:tu|from|between) (?:muc |diem )?(\d{{1,3}}){_TO}(?:muc |diem )?(\d{{1,3}})\b{_UNITS}(?![/.-]\d)"
    ),
)
_POINTS = (
    re.compile(r"\bthang (?:do )?diem (\d{1,3})\b(?! ?(?:-|–|den|/))"),
    re.compile(r"\bthang (?:do )?(?:likert )?(\d{1,3}) (?:diem|muc|bac)\b"),
    re.compile(r"\b(\d{1,3})[- ]points?\b"),
    re.compile(r"\b(?:likert|scale of) (\d{1,3})\b(?! ?(?:-|–|to))"),
)
"""How many points a scale has, in whatever text."""
_OUT_OF = (
    re.compile(r"\b(?:toi da|max(?:imum)?)[: ]+(\d{1,3})(?= ?(?:[)\]]|diem|points?|$))"),
    re.compile(r"\bout of (\d{1,3})\b"),
    re.compile(r"(?<![\d ])[ (\[]?/ ?(\d{1,3})(?: ?diem)? ?[)\]]?$"),
)
"""The same in a question's own heading: elsewhere it may be of a total."""
_STRENGTH = (
    r"(?:(?:la|is|means|muc|diem|rat|cuc ky|hoan toan|vo cung|very|extremely|completely|totally|strongly|highly) )*"
)
_BAD = (
    r"(?:khong (?:he )?(?:hai long|tot|dong y|dat|thich)|chua (?:hai long|tot|dat)|it hai long|kem|te|thap nhat|xau"
    r"|dissatisfied|unsatisfied|unhappy|not (?:at all )?(?:satisfied|happy|good)|disagree|poor|bad|worst|lowest|least"
    r"|terrible|awful)\b"
)
_GOOD = (
    r"(?:hai long|tot(?! nghiep)|cao nhat|xuat sac|tuyet voi|dong y|satisfied|happy|agree|good|great|best|highest|most"
    r"|excellent|outstanding)\b"
)
_NUMBER_FIRST = re.compile(
    rf"(?<![\w.,/-])(\d{{1,3}}) ?(?:=|:|-|–|→|->|\)|\bla\b|\bis\b)? ?[(\"']?{_STRENGTH}"
    rf"(?:(?P<bad>{_BAD})|(?P<good>{_GOOD}))"
)
_NUMBER_LAST = re.compile(rf"\b(?:(?P<bad>{_BAD})|(?P<good>{_GOOD})) ?(?:=|:|\() ?(\d{{1,3}})(?![\w/%])")
_LOW_IS_GOOD = re.compile(
    r"\b(?:thap|nho)(?: hon)?,? (?:la |thi )?(?:cang )?(?:hai long|tot)\b"
    r"|\blower (?:score |number |value )?(?:is |= ?)better"
    r"|\b(?:cao|lon)(?: hon)?,? (?:la |thi )?(?:cang )?(?:khong hai long|kem|te)\b|\bhigher (?:score )?is worse"
)
_OWN_NUMBER = re.compile(
    r"^\W*(?:(?:cau hoi|cau|tieu chi|muc|chi so|question|item|q)[ .]*)?[a-z]?\d{1,2}(?:\.\d+)*\b[ .):-]*"
)
_OF_ANSWERS = re.compile(
    r"\b(?:thang d(?:iem|o)|cham|danh gia|muc do|muc diem|hai long|likert|scale|scores?|ratings?|satisfaction)\b"
)
"""What makes two numbers in a title or a comment those of a scale, and not of days or pages."""
_ODD_TOPS = (3, 4, 6, 7, 9, 10, 100)
_FAR = 3
"""Numbers between the two poles of a scale of answers; of "1 agree, 2 disagree" nothing is said."""


def tells_of_another(heading: str) -> bool:
    """Whether the heading of a question says that its numbers are not 1, the worst, to 5, the best."""
    text = _OWN_NUMBER.sub("", without_marks(heading))
    if any(map(_is_another, _spans(text))):
        return True
    if any(int(points) != LEVELS for pattern in (*_POINTS, *_OUT_OF) for points in pattern.findall(text)):
        return True
    bad, good = _poles(text)
    return bool(_LOW_IS_GOOD.search(text)) or not bad <= {1, 2} or not good <= {LEVELS - 1, LEVELS}


def legend_of_another(lines: Iterable[str]) -> str:
    """Of titles, other headings and other worksheets the words that say that 1 is the best, or that a scale has not
    five points; empty where none do. These words alone: around them may stand what a person wrote. `lines`: the cells
    of each row, with blanks between them."""
    bad: set[int] = set()
    good: set[int] = set()
    for line in lines:
        text = without_marks(line)
        points = [found for one in _POINTS[:2] for found in one.finditer(text) if int(found[1]) != LEVELS]
        if told := _LOW_IS_GOOD.search(text) or next(iter(points), None):
            return _words(line, told)
        if _OF_ANSWERS.search(text) and (span := next(filter(_is_another, _spans(text)), None)):
            return _words(line, span)
        for told, number, is_bad in _told_poles(text):
            (bad if is_bad else good).add(number)
            is_wider = bad and good and max(good) - min(bad) >= _FAR and (0 in bad or max(good) > LEVELS)
            if is_wider or (bad and good and max(bad) - min(good) >= _FAR):
                return _words(line, told)
    return ""


def _spans(text: str) -> Iterator[re.Match[str]]:
    """Where a text tells from which to which number a scale goes."""
    return chain.from_iterable(pattern.finditer(text) for pattern in _SPANS)


def _is_another(span: re.Match[str]) -> bool:
    low, high = int(span[1]), int(span[2])
    return (low in (0, 1) and high in _ODD_TOPS) or (low, high) == (0, LEVELS) or low > high


def _words(line: str, told: re.Match[str]) -> str:
    """What was found in the text without marks, as the line has it where its letters stand in the same places."""
    given = unicodedata.normalize("NFC", line)
    return (given if len(given) == len(told.string) else told.string)[told.start() : told.end()]


def _poles(text: str) -> tuple[set[int], set[int]]:
    """Numbers that stand for bad and for good."""
    found = list(_told_poles(text))
    bad, good = ({number for _, number, is_bad in found if is_bad is wanted} for wanted in (True, False))
    return bad, good


def _told_poles(text: str) -> Iterator[tuple[re.Match[str], int, bool]]:
    """Where a number stands for bad or for good; the number; whether it is bad."""
    for pattern in (_NUMBER_FIRST, _NUMBER_LAST):
        for match in pattern.finditer(text):
            yield match, int(match[1] if pattern is _NUMBER_FIRST else match[3]), bool(match["bad"])
