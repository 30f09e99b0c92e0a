"""In which code a text was written: UTF-8, UTF-16, Windows-1258, and the font codes TCVN3 (ABC) and VNI.

The last three share their bytes. They are told apart by what comes out: in the right code nearly every word with a mark
is a possible Vietnamese syllable, in a wrong one hardly any is. What is not certain is refused, never guessed.
"""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from pipeline.text import one_line
from server.tabular.records import RefusedError

SAMPLE_BYTES = 4 << 20
_CHUNK = 1 << 20
CERTAIN = 0.9
"""Share of the words with marks that must be possible syllables."""
AHEAD = 0.3
"""By how much the best code must lead the second."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """`name`: as people call it. `codec`: Python's. `font_code`: `tcvn3` or `vni` where text is turned afterwards."""

    name: str
    codec: str
    font_code: str = ""

    def turned(self, text: str) -> str:
        """Decoded text in Unicode's letters."""
        return from_font_code(text, self.font_code) if self.font_code else text


UTF_8 = Encoding("UTF-8", "utf-8")
WINDOWS_1258 = Encoding("Windows-1258", "cp1258")
TCVN3 = Encoding("TCVN3 (ABC)", "latin-1", "tcvn3")
VNI = Encoding("VNI", "cp1252", "vni")
LEGACY = (WINDOWS_1258, TCVN3, VNI)
VISCII = (
    "ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲÕắằặấầẩậẽẹếềểễệốồổỗỠƠộờởịỰỨỪ"
    "ỬơớƯÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳĐứÒÓÔạỷừửÙÚỹỵÝỡưàáâãảăữẫèéêẻìíĩỉđựòóôõỏọụùúũủýợỮ"
)
"""What its bytes from 128 on are: no program writes it any more, but its files read in TCVN3 as other words."""
WESTERN = Encoding("Windows-1252", "cp1252")
"""Has not all Vietnamese letters, so nobody writes a whole file in it; but `Phòng Công chúng` reads in it as well as,
wrongly, in TCVN3 (`Phũng Cụng chỳng`). What may be that is refused."""

_UNREAD = "\ufffd"
_TCVN3 = {chr(byte): _UNREAD for byte in range(0x80, 0x100) if byte not in (0xA0, 0xB0, 0xAB, 0xBB)} | dict(
    zip(
        "µ¸¶·¹¨»¾¼½Æ©ÇÊÈÉË®ÌÐÎÏÑªÒÕÓÔÖ×ÝØÜÞßãáâä«åèæçé¬êíëìîïóñòô\u00adõøö÷ùúýûüþ¡¢§£¤¥¦",
        "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵĂÂĐÊÔƠƯ",
        strict=True,
    )
)
_VNI_BASES = {"ô": "ơ", "ö": "ư", "Ô": "Ơ", "Ö": "Ư"}
_VNI_TONES = ("\u0301", "\u0300", "\u0309", "\u0303", "\u0323")
_VNI_MARKS = (
    dict(zip("ùøûõï", _VNI_TONES, strict=True))
    | dict(zip("êéèúüë", ("\u0306" + tone for tone in ("", *_VNI_TONES)), strict=True))
    | dict(zip("âáàåãä", ("\u0302" + tone for tone in ("", *_VNI_TONES)), strict=True))
)
"""A sign behind a vowel: a tone; or the vowel's own mark (breve, circumflex), alone and with each tone."""
_VNI_SINGLE = dict(zip("ñíìæóòîÑÍÌÆÓÒÎôöÔÖ", "đíìỉĩịỵĐÍÌỈĨỊỴơưƠƯ", strict=True))
_VNI = re.compile(r"([AEOUYaeouyÔÖôö])([ùøûõïêéèúüëâáàåãäÙØÛÕÏÊÉÈÚÜËÂÁÀÅÃÄ])|[^\x00-\x7f]")

_SYLLABLE = re.compile(
    "(?:ngh|ng|nh|kh|gh|gi|ch|ph|qu|th|tr|kr|pl|br|đr|[bcdđghklmnpqrstvx])?"
    "(?:iê|yê|uyê|uyu|uya|uôi|ươi|ươu|oai|oay|oao|oeo|uây|iêu|yêu|uô|ươ|oa|oă|oe|uâ|uê|uơ|uy|ai|ao|au|ay|âu|ây|eo|êu|ia|iu"
    "|oi|ôi|ơi|ua|ui|ưa|ưi|ưu|[aăâeêioôơuưy])"
    "(?:ng|nh|ch|[ckmnpt])?"  # k: Đắk Lắk
)
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_AFTER_STOPS = frozenset("\u0301\u0323")
"""The tones that a syllable that ends in a stop can have: `pháp`, `tập`, never `phảp`."""
_SIGNS = frozenset("\u00a0°±²³½¼¾")
"""What stands beside Vietnamese words without belonging to one."""
_WORD = re.compile("(?:[A-Za-z]|[^\\x00-\\x7f\u2000-\u2bff\u3000-\u303f])+")
"""Letters, and whatever a wrong code makes of them: a sign such as `¸` within a word belongs to it."""


def from_font_code(text: str, font_code: str) -> str:
    """Text of a font code, read as Latin letters, in Unicode."""
    if font_code == "tcvn3":
        return "".join(_TCVN3.get(letter, letter) for letter in text)
    return unicodedata.normalize("NFC", _VNI.sub(_vni_letter, text))


def _vni_letter(found: re.Match[str]) -> str:
    if found[1] is None:
        return _VNI_SINGLE.get(found[0], found[0] if found[0] in _SIGNS else _UNREAD)
    base, mark = found[1], _VNI_MARKS[found[2].lower()]
    return unicodedata.normalize("NFD", _VNI_BASES.get(base, base)) + mark


def is_syllable(word: str) -> bool:
    """Whether a word can be a Vietnamese syllable: letters in their order, at most one tone, after stops one of two."""
    decomposed = unicodedata.normalize("NFD", word.lower())
    tones = sum(1 for letter in decomposed if letter in _TONES)
    base = unicodedata.normalize("NFC", "".join(c for c in decomposed if c not in _TONES))
    is_stopped = base.endswith(("c", "ch", "k", "p", "t")) and tones == 1
    if is_stopped and not _AFTER_STOPS & set(decomposed):
        return False
    return tones <= 1 and _SYLLABLE.fullmatch(base) is not None


def _marked_words(text: str) -> list[str]:
    found = _WORD.findall(unicodedata.normalize("NFC", text))
    return [word for word in found if any(letter > "\x7f" and letter not in _SIGNS for letter in word)]


def syllables_share(text: str) -> tuple[float, int]:
    """(share of the words with marks that are possible syllables, number of such words)."""
    words = _marked_words(text)
    return (sum(map(is_syllable, words)) / len(words) if words else 1.0), len(words)


def font_code_of(text: str) -> Encoding | None:
    """The font code that a Unicode text was pasted from: its words cannot be Vietnamese, but all can in that code."""
    if text.isascii() or any(ord(letter) > 0x2FF for letter in text):
        return None
    if syllables_share(text)[0] == 1.0:
        return None
    for code in (TCVN3, VNI):
        turned = code.turned(text)
        share, number = syllables_share(turned)
        if turned != text and share == 1.0 and number:
            return code
    return None


def ungarbled(text: str) -> str:
    """What a text was before a program took its UTF-8 for a one-byte code; empty where it is sound."""
    if text.isascii():
        return ""
    for codec in ("cp1252", "cp1258", "latin-1"):
        try:
            found = _bytes_of(text, codec).decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
        if len(found) < len(text) and all(letter.isprintable() for letter in found):
            return found
    return ""


_ESCAPES = re.compile(
    r"&(?:#\d{2,6}|#[xX][0-9a-fA-F]{2,5}|amp|lt|gt|quot|apos|nbsp|[a-zA-Z](?:acute|grave|circ|tilde|uml));"
    r"|\\u[0-9a-fA-F]{4}|(?:%[0-9a-fA-F]{2}){2,}|(?:=[0-9A-F]{2}){2,}|\+[A-Za-z0-9+/]{3,}-?"
)
"""Letters as HTML, JSON, an address or a letter's body (quoted-printable, UTF-7) writes them."""


def unescaped(text: str) -> str:
    """What a text was before a program wrote its letters for a page or a protocol (`S&#7903;`, `S\\u1edf`); empty where
    it is plain."""
    if not any(sign in text for sign in ("&", "\\u", "%", "=", "+")):
        return ""
    found = _ESCAPES.sub(_letter, text)
    return one_line(found) if found != text else ""


def _letter(found: re.Match[str]) -> str:
    given = found[0]
    if given[0] == "+":
        return _of_utf7(given)
    if given[0] in "%=":
        try:
            return bytes.fromhex(given.replace(given[0], "")).decode("utf-8")
        except UnicodeDecodeError:
            return given
    return chr(int(given[2:], 16)) if given.startswith("\\") else html.unescape(given)


def _of_utf7(given: str) -> str:
    """The letters of a piece of UTF-7, the piece itself where they are no Latin letters with marks."""
    try:
        letters = given.encode("ascii").decode("utf-7")
    except UnicodeDecodeError:
        return given
    is_latin = all(
        letter.isalpha() and "À" <= letter <= "ỹ" and "LATIN" in unicodedata.name(letter) for letter in letters
    )
    return letters if letters and is_latin else given


def _bytes_of(text: str, codec: str) -> bytes:
    """Bytes of a text; places that a code page leaves empty count as themselves, as programs treat them."""
    out = bytearray()
    for letter in text:
        out += letter.encode("latin-1") if 0x80 <= ord(letter) <= 0x9F else letter.encode(codec)
    return bytes(out)


def encoding_of(path: Path) -> Encoding:
    """The encoding of a text file. Raises `RefusedError` where it cannot be told for certain."""
    with path.open("rb") as file:
        head = file.read(4_096)
    if head.startswith(codecs.BOM_UTF8):
        return Encoding("UTF-8", "utf-8-sig")
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return Encoding("UTF-32", "utf-32")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Encoding("UTF-16", "utf-16")
    if head[:2] == b"PK":
        raise RefusedError("not_csv")
    # Latin letters in UTF-16 have a zero byte each: odd places for little endian, even for big endian.
    even, odd = head[::2].count(0), head[1::2].count(0)
    if even + odd > len(head) // 8 and 8 * min(even, odd) < max(even, odd):  # a file cut off has them everywhere
        return Encoding("UTF-16", "utf-16-le" if odd > even else "utf-16-be")
    sound, damaged, sample = _utf_8(path)
    if not damaged:
        return UTF_8
    if sound >= damaged:
        return UTF_8  # damaged in some places: their rows are told
    return _legacy(path, sample)


def _utf_8(path: Path) -> tuple[int, int, bytes]:
    """(letters beyond ASCII that are sound UTF-8, bytes that are not, the first lines beyond ASCII)."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    sound = damaged = 0
    sample = bytearray()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = decoder.decode(chunk)
            if not text.isascii():
                lost = text.count("\ufffd")
                damaged += lost
                sound += sum(1 for letter in text if letter > "\x7f") - lost
            if len(sample) < SAMPLE_BYTES and not chunk.isascii():
                sample += b"\n".join(line for line in chunk.splitlines() if not line.isascii())
    damaged += decoder.decode(b"", final=True).count("\ufffd")
    return sound, damaged, bytes(sample[:SAMPLE_BYTES])


def _viscii(sample: bytes) -> str:
    return "".join(VISCII[byte - 0x80] if byte >= 0x80 else chr(byte) for byte in sample)


def _legacy(path: Path, sample: bytes) -> Encoding:
    shares = []
    for encoding in LEGACY:
        share, _ = syllables_share(encoding.turned(sample.decode(encoding.codec, "replace")))
        shares.append((share, encoding))
    shares.sort(key=lambda pair: -pair[0])
    (best, encoding), (second, _) = shares[0], shares[1]
    western = sample.decode(WESTERN.codec, "replace")
    share, _ = syllables_share(western)
    if encoding.turned(sample.decode(encoding.codec, "replace")) == western:
        share = 0.0
    # Windows-1258 is what Windows writes in Vietnam: a word that it alone can read is enough
    told = best > share if not encoding.font_code else best - share >= AHEAD
    if encoding.font_code and syllables_share(_viscii(sample))[0] >= best:
        told = False
    if best >= CERTAIN and best - second >= AHEAD and told:
        return encoding
    raise RefusedError("unknown_code")
