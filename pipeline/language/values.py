"""Figures, days and names as a language writes them. The grammar of each language is Babel's (CLDR)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from babel.dates import format_date, get_month_names
from babel.numbers import format_decimal

from pipeline.language.catalogues import DEFAULT, SOURCE, language, languages
from pipeline.language.message import Message, Spoken, in_language

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Number:
    """A number with the language's separators, rounded half to even; a dash for None. Below zero it has a minus sign
    (U+2212): no line breaks at it, and nobody takes it for the dash of an interval. Files for machines are without."""

    value: float | None
    digits: int = 0

    def in_language(self, lang: str) -> str:
        """`1.234,5` or `1,234.5`."""
        if self.value is None:
            return "–"
        rounded = round(self.value, self.digits) + 0.0  # + 0.0: no minus before a zero
        pattern = "#,##0" + ("." + "0" * self.digits if self.digits else "")
        return str(format_decimal(rounded, pattern, language(lang).locale)).replace("-", MINUS)

    def __str__(self) -> str:
        return self.in_language(SOURCE)


def measured(value: float, figures: int = 4) -> Number:
    """A figure with the decimals that it has, of so many significant ones: 0.0123, 12.5, 3."""
    rounded = f"{value:.{figures}g}"
    return Number(float(rounded), max(0, -int(Decimal(rounded).as_tuple().exponent)))


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day in figures. Its pattern, in the notation of CLDR, stands in the catalogue: CLDR's own short form
    has no zero before a day or month, which Vietnamese offices write."""

    day: date

    def in_language(self, lang: str) -> str:
        """`31/07/2026`."""
        pattern = Message("dd/MM/y").in_language(lang)
        return str(format_date(self.day, pattern, language(lang).locale))

    def __str__(self) -> str:
        return self.in_language(SOURCE)


@dataclass(frozen=True, slots=True)
class Month:
    """The name of a month (1 to 12), as it stands alone: `Tháng 7`, `Jul`."""

    number: int

    def in_language(self, lang: str) -> str:
        """The name."""
        name = str(get_month_names("abbreviated", "stand-alone", language(lang).locale)[self.number])
        return name[0].upper() + name[1:]

    def __str__(self) -> str:
        return self.in_language(SOURCE)


@dataclass(frozen=True, slots=True)
class Text:
    """A name in the data (an agency, a service, a round) in every language that somebody wrote it in: pairs of a
    language's code and the name, Vietnamese first. Vietnamese must be there, and stands in for a language that is not;
    so a name that reads as the Vietnamese one is not kept beside it, and two texts that read the same are equal."""

    words: tuple[tuple[str, str], ...]

    @classmethod
    def named(cls, **words: str) -> Text:
        """`Text.named(vi="Sở Nội vụ", en="Department of Home Affairs")`."""
        first = words.get(DEFAULT, "")
        held = {lang: name for lang, name in sorted(words.items()) if name and (lang == DEFAULT or name != first)}
        return cls(tuple(sorted(held.items(), key=lambda one: one[0] != DEFAULT)))

    @classmethod
    def of_row(cls, row: Mapping[Any, Any], prefix: str = "name_") -> Text:
        """From the values `name_vi`, `name_en`, ... of a row, as `columns` wrote them."""
        return cls.named(**{key.removeprefix(prefix): str(row[key]) for key in row if key.startswith(prefix)})

    @classmethod
    def said(cls, spoken: Spoken | str) -> Text:
        """What reads differently in each language, written down in all that there are now."""
        return cls.named(**{lang: in_language(spoken, lang) for lang in languages()})

    @property
    def texts(self) -> tuple[str, ...]:
        """The name in every language that it has, the Vietnamese one first."""
        return tuple(name for _, name in self.words)

    def columns(self, prefix: str = "name_") -> dict[str, str]:
        """For files and JSON: `name_vi` and `name_en` always, each further language where the name has it."""
        always = {lang: self.in_language(lang) for lang in (DEFAULT, SOURCE)}
        return {prefix + lang: name for lang, name in {**always, **dict(self.words)}.items()}

    def in_language(self, lang: str) -> str:
        """The name in a language."""
        words = dict(self.words)
        return words.get(lang) or words.get(DEFAULT) or next(iter(words.values()), "")

    def __bool__(self) -> bool:
        """Whether there is a name at all."""
        return bool(self.words)

    def __str__(self) -> str:
        return self.in_language(DEFAULT)
