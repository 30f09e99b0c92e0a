"""Texts in both languages: what a person reads on a Vietnamese page must be Vietnamese, also when something is refused.

Errors are raised with English texts, for the command line, logs and programs. One that a page may show is raised with
`Words`, the same text with its Vietnamese: `ConfigError(Words("There is no plan.", "Không có kế hoạch."))`.
"""

from __future__ import annotations

from collections.abc import Iterable


class Words(str):
    """A text in English, the string itself, and the same in Vietnamese: `vi`."""

    __slots__ = ("vi",)
    vi: str

    def __new__(cls, en: str, vi: str) -> Words:
        text = super().__new__(cls, en)
        text.vi = vi
        return text

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # for copies, as `dataclasses.asdict` makes
        return str(self), self.vi


def in_language(text: str, lang: str) -> str:
    """The text in `vi` or `en`; one without Vietnamese stays as it is."""
    return text.vi if lang == "vi" and isinstance(text, Words) else str(text)


def join(texts: Iterable[str], between: str = "; ") -> Words:
    """Several texts as one."""
    found = list(texts)
    return Words(between.join(found), between.join(in_language(text, "vi") for text in found))


def reason_of(error: ValueError) -> str:
    """What a `ValueError` was raised with, its Vietnamese included."""
    return error.args[0] if error.args and isinstance(error.args[0], Words) else str(error)
