"""Training sentences of this project's own, made by combining `text_phrases`: openly synthetic, seeded, no corpus."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from models.text_normalise import syllables
from models.training import text_phrases as p
from models.training import text_phrases_public as public

Row = tuple[str, int]
"""A sentence and its class: 0 negative, 1 neutral, 2 positive."""

NEGATIVE, NEUTRAL, POSITIVE = 0, 1, 2
_INTENSE_BEFORE = (
    "rất",
    "quá",
    "cực kỳ",
    "siêu",
    "vô cùng",
    "thật sự",
    "khá",
    "hơi",
    "thật là",
    "cực",
    "toàn",
    "đúng là",
)
_INTENSE_AFTER = (
    "lắm",
    "quá",
    "ghê",
    "thật",
    "thật sự",
    "vô cùng",
    "luôn",
    "lắm luôn",
    "kinh khủng",
    "dã man",
    "hết sức",
    "cực kỳ",
)
_NO = ("không", "chẳng", "chả", "đâu có", "không hề", "chưa", "có đâu mà", "không được")
_NOT_AT_ALL = ("chút nào", "tí nào", "gì cả", "lắm", "mấy", "cho lắm", "tẹo nào", "gì hết", "một chút nào", "")
_PARTICLES = (
    "ạ",
    "nhé",
    "nha",
    "luôn",
    "thật",
    "đấy",
    "á",
    "mà",
    "rồi",
    "nữa",
    "cả nhà ơi",
    "mọi người ạ",
    "em ạ",
    "ông ạ",
)
_AND = ("và", "lại còn", "mà", "với lại", "", "", "còn")
_BURDENS = (
    *(
        "phiền",
        "khó",
        "khó khăn",
        "lâu",
        "mất công",
        "tốn kém",
        "vất vả",
        "đông",
        "mệt",
        "tệ",
        "dở",
        "chán",
        "rườm rà",
        "chậm",
    ),
    *("đắt", "bẩn", "ồn", "phức tạp", "rắc rối", "lằng nhằng", "khó chịu", "xấu", "thất vọng", "hối hận", "bất tiện"),
)
_CALM = ("không", "không", "chẳng", "không hề", "không bị", "không còn", "không thấy", "đâu có", "không đến nỗi", "chả")
_CALM_END = ("", "", "chút nào", "gì cả", "tí nào", "đâu", "như trước", "lắm", "mấy")
_ALL = ("cả", "hết", "đâu")
_IS_IT = ("có", "đã", "có bị", "có hay")
_OR_NOT = ("không", "chưa", "không ạ", "không vậy")
_OPENERS = ("dạ", "vâng", "à", "thế", "em ơi", "chị ơi")
_WISHES = ("mong", "đề nghị", "yêu cầu", "nên", "cần", "hy vọng", "mong sao")
_BETTER = (
    "cải thiện",
    "xem lại",
    "khắc phục",
    "nhanh hơn",
    "bớt rườm rà",
    "lịch sự hơn",
    "rõ ràng hơn",
    "sửa lỗi sớm",
    "nâng cấp",
    "bỏ bớt giấy tờ",
)


class TemplateWriter:
    """Writes sentences from templates; the same seed gives the same sentences.

    `never`: sentences that must not come out, because something is measured on them (compared as syllables).
    """

    def __init__(self, seed: int, never: Iterable[str] = ()) -> None:
        self._random = random.Random(seed)
        self._never = {tuple(syllables(text)) for text in never}

    def write(self, count: int) -> list[Row]:
        """About `count` distinct sentences, two fifths of them neutral: that is what is mostly said at a counter."""
        kinds: list[tuple[float, Callable[[], Row]]] = [
            (0.12, self._staff),
            (0.14, self._thing),
            (0.05, self._felt),
            (0.16, self._said),
            (0.13, self._negated),
            (0.05, self._contrast),
            (0.03, self._wish),
            (0.07, self._told),
            (0.02, self._superlative),
            (0.05, self._mild),
            (0.15, self._question),
            (0.13, self._statement),
            (0.07, self._whole_neutral),
            (0.10, self._counter),
            (0.03, self._so_so),
            (0.09, self._everyday),
        ]
        weights = [weight for weight, _ in kinds]
        rows: dict[str, int] = {}
        for _ in range(count * 4):
            if len(rows) >= count:
                break
            text, label = self._random.choices(kinds, weights)[0][1]()
            if tuple(syllables(text)) not in self._never:
                rows.setdefault(" ".join(text.split()), label)
        return list(rows.items())

    def _pick(self, choices: Sequence[str]) -> str:
        return self._random.choice(choices)

    def _maybe(self, chance: float, choices: Sequence[str]) -> str:
        return self._random.choice(choices) if self._random.random() < chance else ""

    def _intensified(self, word: str) -> str:
        roll = self._random.random()
        if roll < 0.3:
            return f"{self._pick(_INTENSE_BEFORE)} {word}"
        if roll < 0.55:
            return f"{word} {self._pick(_INTENSE_AFTER)}"
        return word

    def _about(self) -> tuple[str, str, int]:
        """Who or what, what is said of it, and its class."""
        good = self._random.random() < 0.5
        label = POSITIVE if good else NEGATIVE
        if self._random.random() < 0.45:
            return self._pick(p.STAFF), self._pick(p.STAFF_GOOD if good else p.STAFF_BAD), label
        return self._pick(p.THINGS), self._pick(p.THINGS_GOOD if good else p.THINGS_BAD), label

    def _staff(self) -> Row:
        good = self._random.random() < 0.5
        words = p.STAFF_GOOD if good else p.STAFF_BAD
        subject = self._maybe(0.8, p.STAFF)
        second = f"{self._pick(_AND)} {self._pick(words)}" if self._random.random() < 0.35 else ""
        text = f"{subject} {self._intensified(self._pick(words))} {second} {self._maybe(0.25, _PARTICLES)}"
        return text, POSITIVE if good else NEGATIVE

    def _thing(self) -> Row:
        good = self._random.random() < 0.5
        words = p.THINGS_GOOD if good else p.THINGS_BAD
        parts = [f"{self._maybe(0.85, p.THINGS)} {self._intensified(self._pick(words))}"]
        while self._random.random() < 0.4 and len(parts) < 4:
            parts.append(f"{self._pick(_AND)} {self._maybe(0.7, p.THINGS)} {self._intensified(self._pick(words))}")
        return f"{' '.join(parts)} {self._maybe(0.25, _PARTICLES)}", POSITIVE if good else NEGATIVE

    def _felt(self) -> Row:
        good = self._random.random() < 0.5
        who = self._maybe(0.7, ("tôi", "mình", "em", "bác", "cả nhà", "khách", "người dân", "gia đình tôi", "tui"))
        about = self._maybe(
            0.4, tuple(f"với {thing}" for thing in p.THINGS) + tuple(f"về {thing}" for thing in p.STAFF)
        )
        feeling = self._intensified(self._pick(p.GOOD_FELT if good else p.BAD_FELT))
        return (
            f"{who} {self._maybe(0.3, ('thấy', 'cảm thấy', 'thật sự', 'hoàn toàn'))} {feeling} {about}",
            POSITIVE if good else NEGATIVE,
        )

    def _said(self) -> Row:
        good = self._random.random() < 0.42
        words = p.SAID_GOOD + public.PRAISE if good else p.SAID_BAD + public.COMPLAINT
        second = self._pick(words) if self._random.random() < 0.3 else ""
        opening = self._maybe(0.2, ("ôi", "trời ơi", "thôi", "nói thật", "thật sự", "ừ", "dạ", "ok", "đấy"))
        return f"{opening} {self._pick(words)} {second} {self._maybe(0.2, _PARTICLES)}", POSITIVE if good else NEGATIVE

    def _negated(self) -> Row:
        """Not good is negative; not bad is (mildly) positive; nothing to complain about is positive."""
        roll = self._random.random()
        no, end = self._pick(_NO), self._pick(_NOT_AT_ALL)
        if roll < 0.4:
            if self._random.random() < 0.5:
                return f"{self._maybe(0.7, p.STAFF)} {no} {self._pick(p.STAFF_GOOD)} {end}", NEGATIVE
            return f"{self._maybe(0.8, p.THINGS)} {no} {self._pick(p.THINGS_GOOD)} {end}", NEGATIVE
        if roll < 0.48:
            return f"{self._maybe(0.5, ('tôi', 'mình', 'em', 'bà con'))} {no} {self._pick(p.GOOD_FELT)} {end}", NEGATIVE
        if roll < 0.85:
            bad = self._pick(_BURDENS if self._random.random() < 0.6 else p.THINGS_BAD)
            return f"{self._maybe(0.7, p.THINGS)} {self._pick(_CALM)} {bad} {self._pick(_CALM_END)}", POSITIVE
        lacks = (
            "để chê",
            "phải phàn nàn",
            "phải chê",
            "để phàn nàn",
            "không hài lòng",
            "phải góp ý",
            "đáng chê",
            "phải bàn",
        )
        none = (
            "không có gì",
            "chẳng có gì",
            "không còn gì",
            "không có điểm nào",
            "chả có gì",
            "có gì đâu mà",
            "không có chỗ nào",
        )
        return (
            f"{self._maybe(0.4, p.THINGS)} {self._pick(none)} {self._pick(lacks)} {self._maybe(0.3, _ALL)}",
            POSITIVE,
        )

    def _contrast(self) -> Row:
        """Good, but bad: what follows `but` weighs more."""
        first, second = self._about(), self._about()
        but = self._pick(("nhưng", "nhưng mà", "có điều", "mỗi tội", "tuy nhiên", "chỉ có điều"))
        if first[2] == second[2]:
            return f"{first[0]} {first[1]} {second[0]} {self._intensified(second[1])}", first[2]
        return f"{first[0]} {first[1]} {but} {second[0]} {self._intensified(second[1])}", second[2]

    def _wish(self) -> Row:
        thing = self._pick(p.THINGS + p.STAFF)
        return f"{self._pick(_WISHES)} {thing} {self._pick(_BETTER)} {self._maybe(0.3, _PARTICLES)}", NEGATIVE

    def _object(self) -> str:
        return self._pick(p.PAPERS if self._random.random() < 0.65 else p.OBJECTS)

    def _question(self) -> Row:
        roll = self._random.random()
        if roll < 0.2:
            good = self._pick(p.THINGS_GOOD + p.THINGS_BAD)
            text = f"{self._pick(p.THINGS)} {self._pick(_IS_IT)} {good} {self._pick(_OR_NOT)}"
            return text, NEUTRAL
        text = self._pick(p.QUESTIONS).replace("{x}", self._object())
        return f"{self._maybe(0.4, p.ASKERS)} {text} {self._maybe(0.45, p.TAILS)}", NEUTRAL

    def _statement(self) -> Row:
        text = self._pick(p.STATEMENTS).replace("{x}", self._object())
        more = f"{self._pick(('rồi', 'thì', 'và', ''))} {self._pick(p.STATEMENTS).replace('{x}', self._object())}"
        return (
            f"{self._maybe(0.25, _OPENERS)} {text} {more if self._random.random() < 0.2 else ''}",
            NEUTRAL,
        )

    def _whole_neutral(self) -> Row:
        first = self._pick(p.NEUTRAL_WHOLE)
        second = self._pick(p.NEUTRAL_WHOLE) if self._random.random() < 0.35 else ""
        about = self._maybe(0.25, p.THINGS)
        return (
            f"{about if first.startswith(('bình', 'tạm', 'trung', 'cũng', 'ở mức')) else ''} {first} {second}",
            NEUTRAL,
        )

    def _counter(self) -> Row:
        """What clerks and citizens tell each other while the work goes on."""
        first = self._pick(public.CLERK_SAYS if self._random.random() < 0.5 else public.CITIZEN_SAYS)
        second = ""
        if self._random.random() < 0.3:
            second = f"{self._pick(p.JOINED)} {self._pick(public.CLERK_SAYS + public.CITIZEN_SAYS)}"
        return f"{self._maybe(0.25, _OPENERS)} {first} {second} {self._maybe(0.2, p.TAILS)}", NEUTRAL

    def _told(self) -> Row:
        """Praise and complaint without a word of feeling: how long it took, how often one had to come."""
        roll = self._random.random()
        if roll < 0.28:
            text = self._random.choice(
                (
                    f"{self._pick(public.WAITED)} {self._pick(public.LONG_SPANS)} {self._pick(public.UNFINISHED)}",
                    f"{self._maybe(0.4, ('tôi', 'dân'))} {self._pick(public.TRIPS)} {self._pick(public.TRIPS_FOR)}",
                    f"{self._pick(public.EACH_TIME)} {self._pick(public.DEMANDED)}",
                    f"{self._pick(public.PROMISED)} {self._pick(public.BROKEN)}",
                )
            )
            return f"{text} {self._maybe(0.2, _PARTICLES)}", NEGATIVE
        if roll < 0.64:
            text = self._random.choice(
                (
                    f"{self._pick(public.ONLY)} {self._pick(public.SHORT_SPANS)} {self._pick(public.DONE)}",
                    f"{self._pick(public.EARLY)} {self._maybe(0.6, public.EARLY_BY)}",
                    f"làm {self._object()} {self._maybe(0.5, ('giờ', 'bây giờ'))} {self._pick(public.EASIER)}",
                )
            )
            return f"{text} {self._maybe(0.2, _PARTICLES)}", POSITIVE
        text = f"{self._pick(public.WAITED)} {self._maybe(0.4, ('khoảng', 'chừng', 'thêm'))} {self._pick(public.TERMS)}"
        return f"{self._maybe(0.4, p.PAPERS)} {text} {self._pick(public.SOON)}", NEUTRAL

    def _superlative(self) -> Row:
        """`It could not be better` is praise, `it could not be worse` complaint."""
        good = self._random.random() < 0.5
        words = p.STAFF_GOOD + p.THINGS_GOOD if good else p.THINGS_BAD
        about, word = self._maybe(0.6, p.THINGS + p.STAFF), self._pick(words)
        text = self._pick(("không thể {} hơn", "không gì {} bằng", "chưa bao giờ {} đến thế", "không đâu {} bằng"))
        return f"{about} {text.format(word)} {self._maybe(0.2, _PARTICLES)}", POSITIVE if good else NEGATIVE

    def _mild(self) -> Row:
        """Understatement, which Vietnamese likes: `not bad at all` is praise."""
        about = self._maybe(0.7, p.THINGS + p.STAFF)
        return f"{about} {self._maybe(0.2, ('cũng', 'thấy', 'thì'))} {self._pick(public.MILD_PRAISE)}", POSITIVE

    def _so_so(self) -> Row:
        about = self._maybe(0.6, p.THINGS + p.STAFF)
        return f"{about} {self._pick(public.SO_SO)} {self._maybe(0.2, _PARTICLES)}", NEUTRAL

    def _everyday(self) -> Row:
        """What people tell of their lives while they wait: neither praise nor complaint."""
        parts = [self._maybe(0.4, p.WHEN), self._pick(p.PERSONS), self._maybe(0.6, p.MODALS), self._pick(p.DEEDS)]
        parts.append(self._maybe(0.4, p.WHERE))
        if self._random.random() < 0.4:
            parts += [
                self._pick(p.JOINED),
                self._maybe(0.5, p.PERSONS),
                self._maybe(0.4, p.MODALS),
                self._pick(p.DEEDS),
            ]
        return f"{' '.join(parts)} {self._maybe(0.15, p.TAILS)}", NEUTRAL
