"""Which numbers a file's answers are written in: other programs count from nought, or from the best.

A number says nothing of its scale: 0 may be "very dissatisfied" or no answer, 5 the best or the worst. What the file
itself shows to be in doubt is refused with the way out, a setting; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.errors import InvalidError
from pipeline.instruments import OVERALL, Instrument
from pipeline.language import Message
from pipeline.text import without_marks
from server.tabular.legends import legend_of_another, tells_of_another
from server.tabular.values import LEVELS, YES_NO, digits_of


@dataclass(frozen=True, slots=True)
class Scale:
    """Five levels. `lowest`: the number of "very dissatisfied"; `highest`: of "very satisfied"."""

    lowest: int
    highest: int

    @property
    def code(self) -> str:
        """As it is set: worst-best."""
        return f"{self.lowest}-{self.highest}"

    @property
    def has_zero(self) -> bool:
        """Whether 0 is one of its levels."""
        return 0 in (self.lowest, self.highest)

    def level(self, number: int) -> int:
        """1 to 5; 0 for a number that is none of it."""
        found = number - self.lowest if self.lowest < self.highest else self.lowest - number
        return found + 1 if 0 <= found <= LEVELS - 1 else 0


USUAL = Scale(1, 5)
SCALES = {one.code: one for one in (USUAL, Scale(5, 1), Scale(0, 4), Scale(4, 0))}
NAMES = {
    "1-5": Message("1 very dissatisfied ... 5 very satisfied; 0 no answer"),
    "5-1": Message("1 very satisfied ... 5 very dissatisfied; 0 no answer"),
    "0-4": Message("0 very dissatisfied ... 4 very satisfied"),
    "4-0": Message("0 very satisfied ... 4 very dissatisfied"),
}


def find_scale(code: str) -> Scale | None:
    """The scale of a setting, None for an empty one. Raises `InvalidError`."""
    if not code:
        return None
    if code not in SCALES:
        raise InvalidError(
            Message("There is no scale '{code}'.", code=code[:20]),
            Message(
                "One of {codes}, the worst first. A scale of more or fewer levels cannot be turned into five without "
                "guessing.",
                codes=", ".join(SCALES),
            ),
        )
    return SCALES[code]


_WHOLE = re.compile(r"^\d{1,3}(?:[.,]0+)?$")


class ScaleWatch:
    """What the answers of one file are written in. `scale`: as somebody has said, None where nobody has."""

    def __init__(self, instrument: Instrument, scale: Scale | None) -> None:
        self._instrument, self._scale = instrument, scale
        self._kinds = {item.code: item.kind for item in instrument.items} | {OVERALL: "criterion"}
        self._seen: dict[str, set[str]] = {
            code: set() for code, kind in self._kinds.items() if kind in ("criterion", "fact", "three", "single")
        }
        self._reasons: dict[bool, tuple[int, int]] = {}
        self.is_ours = False
        """Whether rows are those of our own export, in which 0 is no answer."""

    def note(self, code: str, cell: str) -> None:
        """A cell of an item."""
        seen = self._seen.get(code)
        if seen is not None and len(seen) < 1_000:
            seen.add(cell)

    def note_reasons(self, overall: int, reasons: int) -> None:
        """A sheet's overall answer as it was read (0: none), and its mask of reasons for not being satisfied."""
        if overall:
            count, total = self._reasons.get(reasons > 0, (0, 0))
            self._reasons[reasons > 0] = (count + 1, total + overall)

    def doubts(self, levels: Mapping[int, int]) -> list[tuple[Message, str]]:
        """What in the levels that were read makes the scale doubtful: (in words, a figure)."""
        whole = sum(levels.values())
        if self._scale is not None or self.is_ours or whole < MIN_ANSWERS:
            return []
        found = []
        low = levels.get(1, 0) + levels.get(2, 0)
        if 2 * low > whole:
            found.append((_DOUBT_LOW, f"{100 * low / whole:.0f} %"))
        if not levels.get(LEVELS, 0):
            found.append((_DOUBT_TOP, str(whole)))
        return found

    def check(
        self,
        headings: Iterable[tuple[str, str]],
        around: Iterable[str] = (),
        beside: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Raise `InvalidError` where it is in doubt what the file's numbers mean. `headings`: (heading, column).
        `around`: lines of text that stand about the table, such as a title or a legend. `beside`: (text, column) of
        comments and prompts, which may hold what a person wrote and are not told."""
        if self.is_ours:
            return
        if self._scale is None:
            others = list(around)
            for heading, column in headings:
                if self._is_criterion(column):
                    if tells_of_another(heading):
                        raise InvalidError(_ANOTHER.with_params(heading=heading[:120]), _SAY)
                elif not column:
                    others.append(heading)
            for text, column in beside:
                if self._is_criterion(column) and tells_of_another(text):
                    raise InvalidError(_BESIDE.with_params(item=column.removeprefix("item:")), _SAY)
                others.append(text)
            if legend := legend_of_another(others):
                raise InvalidError(
                    Message("“{text}”, beside the table, tells of another scale than 1 to 5.", text=legend[:120]), _SAY
                )
            self._check_levels()
            self._check_reasons()
        if self._scale is not USUAL:
            self._check_choices()

    def _is_criterion(self, column: str) -> bool:
        return column.startswith("item:") and self._kinds.get(column.removeprefix("item:")) == "criterion"

    def _check_levels(self) -> None:
        criteria = [seen for code, seen in self._seen.items() if self._kinds[code] == "criterion"]
        numbers = _numbers(cell for seen in criteria for cell in seen)
        if 0 in numbers and 5 not in numbers and numbers & {1, 2, 3, 4}:
            raise InvalidError(
                Message("The file's answers hold 0 and no 5: 0 may be the lowest level, or no answer."), _SAY
            )

    def _check_reasons(self) -> None:
        """Who names reasons for not being satisfied has not answered best: 5 is the worst, or the columns are mixed."""
        (with_one, total), (without, others) = (self._reasons.get(key, (0, 0)) for key in (True, False))
        if min(with_one, without) < MIN_SHEETS:
            return
        mean, mean_of_others = total / with_one, others / without
        if mean >= LEVELS - 1 and mean - mean_of_others >= 1:
            raise InvalidError(
                Message(
                    "Sheets that name reasons for not being satisfied answer {mean}, the others {others}: 5 may be the "
                    "worst.",
                    mean=f"{mean:.1f}",
                    others=f"{mean_of_others:.1f}",
                ),
                _SAY,
            )

    def _check_choices(self) -> None:
        for item in self._instrument.items:
            seen = self._seen.get(item.code, set())
            numbers = _numbers(seen)
            if 0 not in numbers or item.kind == "criterion":
                continue
            if item.kind == "fact":
                is_clear = any(without_marks(cell) in YES_NO for cell in seen)
            else:
                last = max(item.choices, key=lambda choice: choice.number)
                others = numbers - {0}
                is_clear = not others or last.number in others
            if not is_clear:
                raise InvalidError(
                    Message(
                        "The answers of {item} hold 0 and never the last choice: 0 may be its first, or no answer.",
                        item=item.code,
                    ),
                    Message(
                        "Write choices as the instrument numbers them and leave empty what was not answered; or say "
                        "that 0 is no answer: --scale 1-5 (on the page: Numbers of the answers)."
                    ),
                )


_ANOTHER = Message("The heading “{heading}” tells of another scale than 1 to 5.")
_BESIDE = Message("A comment, or what a field may hold, at the column {item} tells of another scale than 1 to 5.")
MIN_SHEETS = 5
"""With reasons, and without: fewer say nothing of the scale."""
MIN_ANSWERS = 100
"""Fewer answers raise no doubts by their levels."""
_DOUBT_LOW = Message(
    "More than half of the answers were read as 1 or 2. If 1 is the best in this file, say --scale 5-1"
)
_DOUBT_TOP = Message(
    "No answer is 5. If the file has another scale, say it (--scale), or take it to five levels; answers"
)
_SAY = Message(
    "Say what the numbers mean: --scale 1-5 (0 is no answer), 0-4, 5-1 or 4-0, the worst first (on the page: Numbers "
    "of the answers). A scale of more or fewer levels cannot be turned into five without guessing."
)


def _numbers(cells: Iterable[str]) -> set[int]:
    """Those of the cells that are whole numbers."""
    plain = (digits_of(cell).strip() for cell in cells)
    return {int(re.split("[.,]", cell)[0]) for cell in plain if _WHOLE.match(cell)}


def told_levels(levels: Mapping[int, int]) -> str:
    """How many answers were read as each level, the lowest first; empty where none was."""
    found = [levels.get(level, 0) for level in range(1, LEVELS + 1)]
    return " · ".join(f"{level}: {count}" for level, count in enumerate(found, start=1)) if any(found) else ""
