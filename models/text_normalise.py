"""Vietnamese as people write it and as a recogniser hears it, brought to one form: lower case, syllables, no
teencode.

The teencode table is this project's own. A shortened form stands here only where it has one usual meaning; the others
(`m`, `t`, `a`, `e`) are left as they are, and the network has seen them.
"""

from __future__ import annotations

import re
import unicodedata

TEENCODE = {
    **dict.fromkeys(
        ("k", "ko", "kg", "kh", "khg", "khong", "hok", "hong", "hem", "hông", "kô", "kông", "khum", "hổng", "kp"),
        "không",
    ),
    **dict.fromkeys(("dc", "đc", "dk", "đk", "dx", "đx", "duoc", "đuợc", "đựơc"), "được"),
    **dict.fromkeys(("vs", "vz", "voi"), "với"),
    **dict.fromkeys(("j", "ji", "zì", "zi", "rì"), "gì"),
    **dict.fromkeys(("bt", "bth", "bthg", "btg", "bthường"), "bình thường"),
    **dict.fromkeys(("r", "rùi", "rui", "rồj", "roài", "roi"), "rồi"),
    **dict.fromkeys(("ntn", "nth", "nthn"), "như thế nào"),
    **dict.fromkeys(("cx", "cug", "cg", "cũg"), "cũng"),
    **dict.fromkeys(("lun", "lunn", "luônnn"), "luôn"),
    **dict.fromkeys(("nv", "nviên", "nvien"), "nhân viên"),
    **dict.fromkeys(("cb", "cbộ"), "cán bộ"),
    **dict.fromkeys(("dv", "dvụ"), "dịch vụ"),
    **dict.fromkeys(("sp", "sphẩm"), "sản phẩm"),
    **dict.fromkeys(("gv", "gviên"), "giảng viên"),
    **dict.fromkeys(("sv",), "sinh viên"),
    **dict.fromkeys(("ks", "khsan"), "khách sạn"),
    **dict.fromkeys(("hs", "hsơ"), "hồ sơ"),
    **dict.fromkeys(("gt", "gtờ"), "giấy tờ"),
    **dict.fromkeys(("cccd",), "căn cước"),
    **dict.fromkeys(("dth", "dthương", "cưng", "kute", "cute"), "dễ thương"),
    **dict.fromkeys(("tks", "thanks", "thank", "thanh kiu", "thks", "tk", "thankyou", "camon", "cámơn"), "cảm ơn"),
    **dict.fromkeys(("okie", "oke", "okê", "oki", "okela", "okla", "okey", "ôkê", "ok"), "ok"),
    **dict.fromkeys(("nhìu", "nhìuu", "nhiu", "nhju"), "nhiều"),
    **dict.fromkeys(("wa", "wá", "qá", "quáaa", "qua", "qa"), "quá"),
    **dict.fromkeys(("bik", "bjt", "pit", "bít", "bik"), "biết"),
    **dict.fromkeys(("z", "zậy", "dz", "dậy", "zay", "v", "vầy"), "vậy"),
    **dict.fromkeys(("ms",), "mới"),
    **dict.fromkeys(("trc", "trk", "trươc"), "trước"),
    **dict.fromkeys(("lm",), "làm"),
    **dict.fromkeys(("ng", "ngta", "nguoi"), "người"),
    **dict.fromkeys(("hjhj", "hihi", "hehe", "haha", "hì", "hihihi", "hehehe"), "hihi"),
    **dict.fromkeys(("mn", "mng", "mng"), "mọi người"),
    **dict.fromkeys(("mk", "mik", "mjk", "mìh"), "mình"),
    **dict.fromkeys(("kb",), "không biết"),
    **dict.fromkeys(("tl", "trl"), "trả lời"),
    **dict.fromkeys(("ctrinh", "ct"), "chương trình"),
    **dict.fromkeys(("vl", "vkl", "vcl", "vãi", "vch", "vãii"), "vãi"),
    **dict.fromkeys(("gđ",), "gia đình"),
    **dict.fromkeys(("sd", "sdụng"), "sử dụng"),
    **dict.fromkeys(("cl", "clượng"), "chất lượng"),
    **dict.fromkeys(("sdt", "sđt"), "số điện thoại"),
    **dict.fromkeys(("đt", "dt"), "điện thoại"),
    **dict.fromkeys(("ib", "inb"), "nhắn tin"),
    **dict.fromkeys(("tgian", "tg"), "thời gian"),
    **dict.fromkeys(("nhg", "nhưg", "nma", "nhma"), "nhưng"),
    **dict.fromkeys(("ny", "nì", "nàyy"), "này"),
    **dict.fromkeys(("thik", "thjk", "thích"), "thích"),
    **dict.fromkeys(("bùn", "bun"), "buồn"),
    **dict.fromkeys(("chánn", "chánnn"), "chán"),
    **dict.fromkeys(("đag", "dag"), "đang"),
    **dict.fromkeys(("gòi", "gồi"), "rồi"),
    **dict.fromkeys(("hẻm", "hổng"), "không"),
    **dict.fromkeys(("hem",), "không"),
    **dict.fromkeys(("iu", "êu", "iuuu"), "yêu"),
    **dict.fromkeys(("wen",), "quen"),
    **dict.fromkeys(("good", "gud", "gút"), "tốt"),
    **dict.fromkeys(("nice",), "đẹp"),
    **dict.fromkeys(("bad",), "tệ"),
    "cám": "cảm",
}
"""Shortened or English form -> the usual one. Keys are single syllables as they stand between spaces."""
for _ambiguous in (
    "qua",
    "hẻm",
    "hong",
    "voi",
    "bun",
    "dậy",
    "cưng",
    "tk",
    "ct",
    "roi",
    "tg",
    "nguoi",
    "duoc",
    "khong",
):
    TEENCODE.pop(_ambiguous, None)

WRITTEN_SIGNS = {
    "colonsmile": ":)",
    "colonsad": ":(",
    "colonlove": "<3",
    "colonsurprise": ":o",
    "colonsmilesmile": ":))",
    "coloncontemn": ":/",
    "colonbigsmile": ":d",
    "colonhihi": ":)",
    "doubledot": " ",
    "dotdotdot": " ",
    "vdotv": " ",
    "fraction": " ",
}
"""Signs that one of the training corpora writes as words -> the sign itself."""

_SMILE = re.compile(
    r"[:=;]-?[)\]d>3]+|<3+|\^[_.\-]*\^|[\U0001F600-\U0001F60F\U0001F618\U0001F60D\U0001F44D\U0001F970\u2764\U0001F49C\U0001F495]"
)
_FROWN = re.compile(
    r"[:=;]-?['’]?[(\[/|]+|-_-+|[\U0001F612-\U0001F616\U0001F61E-\U0001F629\U0001F62D\U0001F620\U0001F621\U0001F44E\U0001F92C]"
)
_REPEATED = re.compile(r"([^\W\d])\1{2,}")
_SYLLABLE = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+")


def syllables(text: str) -> list[str]:
    """Syllables of a sentence: lower case, NFC, teencode resolved, punctuation gone, numbers as `0`.

    Smileys become the syllables `<smile>` and `<frown>`. At most 96 syllables; the rest is cut.
    """
    lowered = unicodedata.normalize("NFC", text).lower()
    for word, sign in WRITTEN_SIGNS.items():
        if word in lowered:
            lowered = lowered.replace(word, f" {sign} ")
    lowered = _SMILE.sub(" smileface ", lowered)
    lowered = _FROWN.sub(" frownface ", lowered)
    lowered = _REPEATED.sub(r"\1", lowered)
    found: list[str] = []
    for part in _SYLLABLE.findall(lowered):
        if part == "smileface":
            found.append("<smile>")
        elif part == "frownface":
            found.append("<frown>")
        elif _NUMBER.search(part):
            found.append("0")
        else:
            word = _unstretched(part)
            found.extend(TEENCODE.get(word, word).split(" "))
    return found[:96]


def _unstretched(word: str) -> str:
    """`quáa`, which is what is left of `quáaaa`, is `quá`."""
    if len(word) > 2 and word[-1] in "aeiouy" and word[-2] != word[-1] and strip_marks(word[-2]) == word[-1]:
        return word[:-1]
    return word


def strip_marks(syllable: str) -> str:
    """The syllable without tone and vowel marks (`được` -> `duoc`)."""
    decomposed = unicodedata.normalize("NFD", syllable.replace("đ", "d").replace("Đ", "D"))
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))
