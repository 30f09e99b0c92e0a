"""A sentence with its identifier and parameters; said in a language only where somebody reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeGuard

from babel.numbers import format_decimal

from pipeline.language.catalogues import SOURCE, language

PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
PACKAGED = "/var/lib/hailong-server"
"""`$HAILONG_SERVER_DIR` where the server's Debian package runs (hailong/debian_server/)."""
_SERVER_COMMAND = re.compile(r"\bhailong (?:server |(?=(?:audit|analyze)\b))")


def as_typed_here(text: str) -> str:
    """A text that names a server's command, as this machine has it: the package has `hailong-server` alone. Every
    `Message` is said so."""
    if "hailong " not in text or os.environ.get("HAILONG_SERVER_DIR") != PACKAGED:
        return text
    return _SERVER_COMMAND.sub("hailong-server ", text)


class Spoken(Protocol):
    """What reads differently in each language: a message, a name of the data, a figure, a day."""

    def in_language(self, lang: str) -> str:
        """The words in a language."""


class Message(str):
    """A sentence: `msgid` is its English, with `{name}` for each parameter; as a string it is the English, filled in.

    A parameter that is itself `Spoken` (another message, a `Number`, a `Text`) is said in the language of the sentence;
    any other is written as `str()` has it. Two senses of one English word are two sentences: write them differently."""

    __slots__ = ("msgid", "params")
    msgid: str
    params: Mapping[str, Any]

    def __new__(cls, msgid: str, /, **params: Any) -> Message:
        text = super().__new__(cls, _filled(msgid, params, SOURCE))
        text.msgid, text.params = msgid, params
        return text

    def __reduce__(self) -> tuple[Any, ...]:  # for copies, as `dataclasses.asdict` makes
        return _message, (self.msgid, dict(self.params))

    @classmethod
    def marked(cls, msgid: str, **params: Any) -> Message:
        """A sentence whose English was marked for the catalogues elsewhere, where there is no language yet."""
        return cls(msgid, **params)

    def with_params(self, **params: Any) -> Message:
        """The same sentence with more parameters."""
        return Message(self.msgid, **{**self.params, **params})

    def in_language(self, lang: str) -> str:
        """The sentence in a language."""
        # gettext's own translation of nothing is the catalogue's header
        text = language(lang).translations.gettext(self.msgid) if self.msgid else ""
        return _filled(text, self.params, lang)


class Plural(str):
    """A sentence about `count` things: its English for one and for more; the catalogue knows each language's forms."""

    __slots__ = ("msgid", "number", "params", "plural")
    msgid: str
    plural: str
    number: int
    params: Mapping[str, Any]

    def __new__(cls, one: str, more: str, /, count: int, **params: Any) -> Plural:
        params = {"count": count, **params}
        text = super().__new__(cls, _filled(one if count == 1 else more, _counted(params, SOURCE), SOURCE))
        text.msgid, text.plural, text.number, text.params = one, more, count, params
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return _plural, (self.msgid, self.plural, dict(self.params))

    def in_language(self, lang: str) -> str:
        """The sentence in a language."""
        sentence = language(lang).translations.ngettext(self.msgid, self.plural, self.number)
        return _filled(sentence, _counted(self.params, lang), lang)


class Joined(str):
    """Several texts as one."""

    __slots__ = ("between", "texts")
    texts: tuple[object, ...]
    between: str

    def __new__(cls, texts: Iterable[object], between: str = "; ") -> Joined:
        found = tuple(texts)
        text = super().__new__(cls, between.join(in_language(each, SOURCE) for each in found))
        text.texts, text.between = found, between
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return Joined, (self.texts, self.between)

    def in_language(self, lang: str) -> str:
        """All of them in a language."""
        return self.between.join(in_language(each, lang) for each in self.texts)


Sentence = Message | Plural | Joined
"""What an error is raised with: never a plain text, which would be English on every page."""
NOTHING: Final = Joined(())


def _message(msgid: str, params: Mapping[str, Any]) -> Message:
    return Message(msgid, **params)


def _plural(one: str, more: str, params: Mapping[str, Any]) -> Plural:
    return Plural(one, more, **params)


def _counted(params: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """With the count as a number of the language: `1.191 hồ sơ`."""
    return {**params, "count": format_decimal(params["count"], locale=language(lang).locale)}


def _filled(text: str, params: Mapping[str, Any], lang: str) -> str:
    # No str.format: a sentence may hold braces that are none of ours, and a translator's slip must not raise.
    filled = PLACEHOLDER.sub(
        lambda found: in_language(params[found[1]], lang) if found[1] in params else found[0], text
    )
    return as_typed_here(filled)


def is_spoken(text: object) -> TypeGuard[Spoken]:
    """Whether this reads differently in each language."""
    return hasattr(type(text), "in_language")


def in_language(text: object, lang: str) -> str:
    """The text in a language; what has but one form (a code, a file's name) stays as it is."""
    return text.in_language(lang) if is_spoken(text) else str(text)


def translator(lang: str) -> Callable[..., str]:
    """`_ = translator(lang)`, for a place that says many sentences: `_("Month")`, `_("{count} visits", count=3)`."""

    def say(text: str, /, **params: Any) -> str:
        return in_language(text if is_spoken(text) else Message(text, **params), lang)

    return say


def reason_of(error: ValueError) -> str:
    """What a `ValueError` was raised with, its identifier and parameters included."""
    return error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
