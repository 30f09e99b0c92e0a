"""Writes a document's sentences and figures in one language."""

from __future__ import annotations

from typing import Any

from pipeline.calendar import Period
from pipeline.language import Message, Number, Spoken, in_language, is_spoken, translator

SIMULATED = Message("SIMULATED DATA: they say nothing about an agency that exists")
NO_BREAK = "\N{NO-BREAK SPACE}"
"""Between the ends of an interval, which a line is not to cut."""


_QUARTERS = (
    Message("the first quarter of {year}"),
    Message("the second quarter of {year}"),
    Message("the third quarter of {year}"),
    Message("the fourth quarter of {year}"),
)


class Writer:
    """Writes sentences and figures in one language: `_("Month")`, `_.number(82.25)`."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._say = translator(lang)

    def __call__(self, text: str | Spoken, /, **params: Any) -> str:
        """A sentence, or what speaks for itself, in the language."""
        return in_language(text, self.lang) if is_spoken(text) else self._say(str(text), **params)

    def number(self, value: float | None, digits: int = 1) -> str:
        """A figure; a dash for None."""
        return in_language(Number(value, digits), self.lang)

    def change(self, value: float) -> str:
        """A figure with its sign."""
        return f"{'+' if value > 0 else ''}{self.number(value)}"

    def limits(self, low: float | None, high: float | None) -> str:
        """The ends of an interval, or a dash."""
        return "–" if low is None else f"{self.number(low)}{NO_BREAK}–{NO_BREAK}{self.number(high)}"

    def within(self, period: Period) -> str:
        """A period within a sentence."""
        _ = self
        year, dash, quarter = period.name.partition("-Q")
        if dash:
            return _(_QUARTERS[int(quarter) - 1].with_params(year=year))
        if len(period.name) == 4:
            return _("the year {year}", year=period.name)
        return _("the period {period}", period=period.name)
