"""What `--help` says of a command, taken apart into the sentences that the catalogues translate.

A command's description is its module's docstring: paragraphs, and lines that show how it is called, with what that
does behind at least two spaces:

      hailong demo                   runs until Ctrl-C
      hailong demo --once --json     one pass
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

MIN_TEXT: Final = 34
"""Columns that a text beside another has at least, or it goes below."""
_SHOWN = re.compile(r"^( *)(\S.*?)(?:( {2,})(\S.*))?$")
_COMMAND = re.compile(r"hailong[ -]|journalctl |systemctl ")
_PLACEHOLDER = re.compile(r"(?<![\w$-])[A-Z]{3,}(?![\w$-])")


@dataclass(frozen=True, slots=True)
class Shown:
    """One line that shows a command or a name, and what it does (may be empty)."""

    line: str
    meaning: str


def paragraphs(description: str) -> list[list[str | Shown]]:
    """A description's parts by paragraph: sentences without their line breaks, and lines that show something."""
    found: list[list[str | Shown]] = []
    for block in re.split(r"\n[ ]*\n", description.strip("\n")):
        parts: list[str | Shown] = []
        column = -1  # where the meaning of the line above begins
        for line in block.splitlines():
            if not line.strip():
                continue
            indent = len(line) - len(line.lstrip())
            last = parts[-1] if parts else None
            if isinstance(last, Shown) and (indent == column if last.meaning else _is_below(line, last.line)):
                parts[-1], column = Shown(last.line, f"{last.meaning} {line.strip()}".strip()), indent
            elif indent or (_COMMAND.match(line) and not isinstance(last, str)):
                shown = _SHOWN.match(line)
                assert shown is not None
                column = shown.start(4) if shown[4] else -1
                parts.append(Shown(shown[1] + shown[2], shown[4] or ""))
            elif isinstance(last, str):
                parts[-1] = f"{last} {line.strip()}"
            else:
                parts.append(line.strip())
        if parts:
            found.append(parts)
    return found


def _is_below(line: str, above: str) -> bool:
    """Whether a line says what the one above does: deeper in, and nothing to type itself."""
    deeper = len(line) - len(line.lstrip()) > len(above) - len(above.lstrip())
    return deeper and not above.endswith("\\") and not _COMMAND.match(line.lstrip())


def sentences(description: str) -> Iterator[str]:
    """What of a description is translated."""
    for parts in paragraphs(description):
        for part in parts:
            if text := part.meaning if isinstance(part, Shown) else part:
                yield text


def in_words(description: str, say: Callable[[str], str], width: int) -> str:
    """A description said by `say`, in lines of at most `width` columns; what is typed is not broken."""
    return "\n\n".join("\n".join(_lines(parts, say, width)) for parts in paragraphs(description))


def _lines(parts: list[str | Shown], say: Callable[[str], str], width: int) -> Iterator[str]:
    shown = [(_typed(part.line, say), part.meaning) for part in parts if isinstance(part, Shown)]
    column = max((columns(line) for line, meaning in shown if meaning), default=0) + 3
    for part in parts:
        if isinstance(part, str):
            yield from wrapped(say(part), width)
        else:
            yield from beside(_typed(part.line, say), say(part.meaning) if part.meaning else "", column, width)


def _typed(line: str, say: Callable[[str], str]) -> str:
    """A line to type: what somebody puts in the place of FILE or KEY is called as in the list of options."""
    return _PLACEHOLDER.sub(lambda word: one_word(say(word[0])), line) if _COMMAND.match(line.lstrip()) else line


def one_word(placeholder: str) -> str:
    """A placeholder as one word, so that nobody takes it for two arguments."""
    return placeholder.replace(" ", "_")


def beside(line: str, meaning: str, column: int, width: int) -> Iterator[str]:
    """A line with its meaning from `column` on, or below it where that leaves too little."""
    if not meaning:
        yield line
        return
    below = width - column < MIN_TEXT
    indent = " " * (len(line) - len(line.lstrip()) + 6 if below else column)
    texts = list(wrapped(meaning, width - len(indent)))
    if below:
        yield line
    else:
        yield line + " " * (column - columns(line)) + texts.pop(0)
    yield from (indent + text for text in texts)


def wrapped(text: str, width: int) -> Iterator[str]:
    """Lines of at most `width` columns, broken at spaces; a longer word has a line of its own."""
    line: list[str] = []
    taken = 0
    for word in text.split():
        wide = columns(word)
        if line and taken + 1 + wide > width:
            yield " ".join(line)
            line, taken = [word], wide
        else:
            taken += wide + (1 if line else 0)
            line.append(word)
    if line:
        yield " ".join(line)


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: a mark above or below a letter none, a wide character two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(each) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )
