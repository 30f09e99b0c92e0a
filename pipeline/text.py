"""Text from outside, made safe once: what people type, what files hold, what a gateway hands on.

Three kinds of characters are not stored: controls (Unicode's Cc but for tab and line ends, and what XML 1.0 forbids:
an SVG or a spreadsheet with one of them cannot be written), the marks that turn the writing direction (a name could
show other letters than it holds), and noncharacters and lone surrogates (they cannot be encoded). `tidy` takes them out
and composes letters (NFC); `first_unsafe` finds one, for a caller who refuses and tells. `match_key` is how two texts
are compared that people mean to be the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from itertools import chain, compress, repeat
from operator import is_
from typing import Any

_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # surrogates and noncharacters of the first plane
    "\U0001fffe\U0001ffff\U0002fffe\U0002ffff\U0010fffe\U0010ffff]"
)
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN = dict.fromkeys(
    [
        *map(
            ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0" + "".join(_DIRECTION)
        ),
        *range(0x180B, 0x1810),  # Mongolian selectors and separator
        *range(0x2061, 0x2065),  # signs of mathematics that are not drawn
        *range(0x206A, 0x2070),
        *range(0xFE00, 0xFE10),  # variants of letters and signs
        *range(0xE0000, 0xE0200),  # tags and further variants
    ]
)
"""Characters of no width (Unicode's Default_Ignorable): a name made of them alone is none."""
_BLANKS = re.compile(r"[\s\u2800]+")
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_ALIKE = str.maketrans(
    {
        "Ð": "Đ",  # Eth and African D look like Đ and are what old fonts' converters write for it
        "ð": "đ",
        "Ɖ": "Đ",
        "ɖ": "đ",
        "‐": "-",
        "‑": "-",
        "‒": "-",
        "–": "-",
        "—": "-",
        "−": "-",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
    }
)


def tidy(text: str) -> str:
    """The text as it may be stored: composed (NFC), without characters that are unsafe. Line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("", unicodedata.normalize("NFC", text))


_WITHOUT_TEXT = frozenset((int, float, bool, bytes, type(None)))


_PLAIN = _WITHOUT_TEXT | {str}


def _are_tidy(values: Sequence[Any]) -> bool:
    """Whether these are numbers and texts as they may be stored: looked at together, without a step for each."""
    types = list(map(type, values))
    if not _PLAIN.issuperset(types):
        return False
    text = "".join(compress(values, map(is_, types, repeat(str))))
    return text.isascii() and text.isprintable()


def tidy_all(value: Any) -> Any:
    """Whatever holds texts (mappings, sequences, dataclasses) with every text tidy: the last guard before a plot, a
    document or a statement of the store."""
    if isinstance(value, str):
        return tidy(value)
    # statements of the store come here with hundreds of rows each, nearly all of them as they should be
    if isinstance(value, dict | Mapping):
        return {name: one if type(one) in _WITHOUT_TEXT else tidy_all(one) for name, one in value.items()}
    if isinstance(value, list):
        if set(map(type, value)) == {tuple} and _are_tidy(list(chain.from_iterable(value))):
            return value
        return [one if type(one) in _WITHOUT_TEXT else tidy_all(one) for one in value]
    if type(value) is tuple:
        return value if _are_tidy(value) else tuple([tidy_all(one) for one in value])
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: tidy_all(getattr(value, one.name)) for one in fields(value) if one.init})
    return value


def one_line(text: str) -> str:
    """A cell or a name: tidy, without characters of no width, blanks and line ends collapsed to one blank."""
    return _BLANKS.sub(" ", tidy(text.translate(_UNSEEN))).strip()


def first_unsafe(text: str) -> str:
    """The first control, noncharacter or surrogate as `U+0008`; empty where there is none. Marks of direction do not
    count: telephones and chat programs paste them, and taking them out changes no letter."""
    if text.isascii() and text.isprintable():
        return ""
    for found in _UNSAFE.finditer(text):
        if found[0] not in _DIRECTION:
            return f"U+{ord(found[0]):04X}"
    return ""


def has_unseen(text: str) -> bool:
    """Whether `one_line` takes out characters that nobody sees."""
    return not text.isascii() and any(ord(letter) in _UNSEEN for letter in text)


_LOOK_LATIN = ("CYRILLIC", "GREEK", "COPTIC", "ARMENIAN", "CHEROKEE", "LISU")


def first_alike(text: str) -> str:
    """The first letter of a script whose letters look like Latin ones, as `U+0430`; empty where there is none. Two
    names of Vietnamese or English that look the same could be two things."""
    if text.isascii():
        return ""
    for letter in text:
        if ord(letter) > 0x36F and unicodedata.name(letter, "").startswith(_LOOK_LATIN):
            return f"U+{ord(letter):04X}"
    return ""


def match_key(text: str) -> str:
    """The text for comparing: case, Unicode form, width, Ð for Đ, dashes and quotes, and the place of a tone mark
    within its syllable (`Hoà`, `Hòa`) make no difference; every letter, mark and sign does."""
    folded = one_line(unicodedata.normalize("NFKC", one_line(text)).translate(_ALIKE).casefold())
    if folded.isascii():
        return folded
    return " ".join(map(_tone_last, folded.split(" ")))


def _tone_last(word: str) -> str:
    """A word with its tone marks moved behind its letters: equal for both habits of placing them."""
    out, tones = [], []
    for letter in unicodedata.normalize("NFD", word):
        if letter in _TONES:
            tones.append(letter)
        elif unicodedata.combining(letter) or letter.isalpha():
            out.append(letter)
        else:  # a sign ends the syllable
            out += [*tones, letter]
            tones = []
    return "".join(out + tones)


def without_marks(text: str) -> str:
    """`match_key` without any mark: how somebody writes who has no Vietnamese keyboard. Signs and digits stay."""
    return "".join(
        letter
        for letter in unicodedata.normalize("NFD", match_key(text)).replace("đ", "d")
        if not unicodedata.combining(letter)
    )
