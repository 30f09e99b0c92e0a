"""Damage that typing and recognising do to Vietnamese: lost marks, teencode, confused sounds; and other people and
things.

All functions take and give lists of syllables (see `models.text_normalise.syllables`), seeded by the caller.
"""

from __future__ import annotations

import random
import unicodedata

from models.text_normalise import strip_marks

_HOOK, _TILDE = "\u0309", "\u0303"
_TONES = {"\u0300", "\u0301", _HOOK, _TILDE, "\u0323"}
_INITIALS = (("ch", "tr"), ("s", "x"), ("d", "gi"), ("r", "d"), ("l", "n"), ("v", "d"))
_FINALS = (("n", "ng"), ("t", "c"), ("i", "y"), ("nh", "n"))
_PEOPLE = frozenset(("thầy", "cô", "thầy cô", "giảng viên", "giáo viên"))
_THINGS = frozenset(
    ("môn", "môn học", "bài giảng", "máy", "điện thoại", "pin", "sản phẩm", "khóa học", "bài tập", "con này", "em này")
)
_OTHER_PEOPLE = (
    "nhân viên",
    "cán bộ",
    "bác sĩ",
    "lễ tân",
    "tài xế",
    "chủ quán",
    "shop",
    "bạn ấy",
    "chị ấy",
    "anh ấy",
    "phục vụ",
    "y tá",
)
_OTHER_THINGS = (
    "dịch vụ",
    "phòng",
    "quán",
    "món ăn",
    "đồ ăn",
    "hàng",
    "áo",
    "xe",
    "thủ tục",
    "khách sạn",
    "chỗ này",
    "ứng dụng",
    "hồ sơ",
)


def lose_marks(words: list[str], chance: float, rng: random.Random) -> list[str]:
    """Each syllable loses all its marks with the given chance."""
    return [strip_marks(word) if rng.random() < chance else word for word in words]


def mishear(words: list[str], chance: float, rng: random.Random) -> list[str]:
    """Each syllable is confused with a near one with the given chance: tone, initial or final consonant."""
    return [_near(word, rng) if rng.random() < chance else word for word in words]


def drop(words: list[str], chance: float, rng: random.Random) -> list[str]:
    """Each syllable but a negation is left out with the given chance; at least one remains."""
    keep = ("không", "chẳng", "chưa", "chả", "đừng")
    return [word for word in words if word in keep or rng.random() >= chance] or words[:1]


def other_place(words: list[str], chance: float, rng: random.Random) -> list[str]:
    """Teachers, courses and telephones become clerks, rooms and dishes, with the given chance for each mention."""
    result: list[str] = []
    at = 0
    while at < len(words):
        pair = " ".join(words[at : at + 2])
        taken = 2 if pair in _PEOPLE | _THINGS else 1
        noun = pair if taken == 2 else words[at]
        if noun in _PEOPLE and rng.random() < chance:
            result += rng.choice(_OTHER_PEOPLE).split()
        elif noun in _THINGS and rng.random() < chance:
            result += rng.choice(_OTHER_THINGS).split()
        else:
            result += words[at : at + taken]
        at += taken
    return result


def damage(words: list[str], rng: random.Random) -> list[str]:
    """One random chain, as in training: about half of the sentences come out as they were."""
    if rng.random() < 0.3:
        words = other_place(words, 0.6, rng)
    roll = rng.random()
    if roll < 0.15:
        words = lose_marks(words, 1.0, rng)
    elif roll < 0.22:
        words = lose_marks(words, 0.3, rng)
    elif roll < 0.34:
        words = mishear(words, 0.15, rng)
    if rng.random() < 0.25:
        words = drop(words, 0.08, rng)
    return words


def _near(word: str, rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.5:
        signs = list(unicodedata.normalize("NFD", word))
        tones = [at for at, sign in enumerate(signs) if sign in _TONES]
        if tones:
            signs[tones[0]] = rng.choice([*sorted(_TONES), ""])
        return unicodedata.normalize("NFC", "".join(signs))
    if roll < 0.75:
        for one, two in rng.sample(_INITIALS, len(_INITIALS)):
            for old, new in ((one, two), (two, one)):
                if word.startswith(old) and len(word) > len(old) + 1:
                    return new + word[len(old) :]
    for one, two in rng.sample(_FINALS, len(_FINALS)):
        for old, new in ((two, one), (one, two)):
            if word.endswith(old) and len(word) > len(old) + 1:
                return word[: -len(old)] + new
    return word
