"""`--help` and wrong usage, said in the language of the terminal; in English as argparse writes them.

Commands declare their options in English, as argparse wants it; `pipeline.language.update` takes what they say of them
into the catalogues. Nothing is looked up before somebody reads it: a command that just runs loads no catalogue here.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from pipeline.language import SOURCE, Message, as_typed_here, translator
from pipeline.language.console import console_language
from pipeline.language.help import in_words, one_word, wrapped

USAGE: Final = Message("usage:")
OF_ARGPARSE: Final = (
    Message("positional arguments"), Message("options"), Message("show this help message and exit"),
)  # fmt: skip
"""What argparse itself says in every help."""
WRONG: Final = (
    (r"the following arguments are required: (?P<names>.+)", Message("missing: {names}.")),
    (r"one of the arguments (?P<names>.+) is required", Message("one of these is needed: {names}.")),
    (r"unrecognized arguments: (?P<words>.+)", Message("not understood: {words}. Look at the spelling.")),
    (r"ambiguous option: (?P<word>.+) could match (?P<names>.+)", Message("{word} is too short: {names}?")),
    (r"expected one argument", Message("a value must follow.")),
    (r"expected at least one argument", Message("at least one value must follow.")),
    (r"expected at most one argument", Message("at most one value may follow.")),
    (r"expected (?P<count>\d+) arguments?", Message("as many values must follow as this: {count}.")),
    (r"ignored explicit argument '(?P<value>.*)'", Message("it takes no value, and '{value}' was given.")),
    (r"not allowed with argument (?P<name>.+)", Message("it cannot stand together with {name}.")),
    (
        r"invalid choice: '?(?P<value>.*?)'? \(choose from (?P<names>.+)\).*",
        Message("'{value}' is not among these: {names}."),
    ),
    (r"invalid int value: '(?P<value>.*)'", Message("'{value}' is no whole number.")),
    (r"invalid float value: '(?P<value>.*)'", Message("'{value}' is no number (such as 0.5, with a point).")),
    (r"invalid fromisoformat value: '(?P<value>.*)'", Message("'{value}' is no day (such as 2026-11-30).")),
    (r"invalid .+ value: '(?P<value>.*)'", Message("'{value}' is not written as it must be.")),
)
"""What argparse finds wrong, as it says it, and what is said instead in every other language."""


class Parser(argparse.ArgumentParser):
    """One whose help and complaints are in the language of the terminal, and name commands as this machine has them.
    `description`: a docstring, whose lines stay as they are."""

    def __init__(self, prog: str, description: str | None = None) -> None:
        super().__init__(prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)

    def format_help(self) -> str:
        self._choose_formatter()
        return as_typed_here(super().format_help())

    def format_usage(self) -> str:
        self._choose_formatter()
        return super().format_usage()

    def error(self, message: str) -> NoReturn:
        lang = console_language()
        if lang == SOURCE:
            super().error(message)
        say = translator(lang)
        self.print_usage(sys.stderr)
        more = say(Message("Help: {command}", command=f"{self.prog} --help"))
        self.exit(2, f"{self.prog}: {self._wrong(message, say)}\n{more}\n")

    def _choose_formatter(self) -> None:
        # Not before: argparse asks for a formatter at each option that is added, too.
        lang = console_language()
        if lang != SOURCE:
            self.formatter_class = partial(_Formatter, say=translator(lang))

    def _wrong(self, message: str, say: Callable[..., str]) -> str:
        found = re.fullmatch(r"argument (?P<argument>[^:]+): (?P<what>.+)", message, re.DOTALL)
        argument, what = (found["argument"], found["what"]) if found else ("", message)
        for pattern, sentence in WRONG:
            if wrong := re.fullmatch(pattern, what, re.DOTALL):
                params = {name: self._names(said, say) if name == "names" else said for name, said in
                          wrong.groupdict().items()}  # fmt: skip
                what = say(sentence.with_params(**params))
                break
        return f"{self._names(argument, say)}: {what}" if argument else what

    def _names(self, listed: str, say: Callable[..., str]) -> str:
        """Names of arguments as the usage has them."""
        shown = {action.dest: _positional(action, say) for action in self._actions if not action.option_strings}
        return re.sub(r"[^ ,/]+", lambda name: shown.get(name[0], name[0]), listed)


def _positional(action: argparse.Action, say: Callable[..., str]) -> str:
    if action.choices:
        return "{" + ",".join(str(choice) for choice in action.choices) + "}"
    return one_word(say(action.dest))


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help said by `say`, in lines as wide as the terminal counts columns."""

    def __init__(self, prog: str, say: Callable[..., str]) -> None:
        super().__init__(prog)
        self._say = say

    def add_usage(self, usage, actions, groups, prefix=None):  # type: ignore[no-untyped-def]
        super().add_usage(usage, actions, groups, f"{self._say(USAGE)} " if prefix is None else prefix)

    def start_section(self, heading: str | None) -> None:
        super().start_section(self._say(heading) if heading else heading)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return in_words(text, self._say, width) + "\n"

    def _split_lines(self, text: str, width: int) -> list[str]:
        return list(wrapped(text, width))

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return self._say(action.help) if action.help else action.help

    def _metavar_formatter(self, action, default_metavar):  # type: ignore[no-untyped-def]
        plain = super()._metavar_formatter(action, default_metavar)
        if not isinstance(action.metavar, str):
            return plain
        return lambda size: (one_word(self._say(action.metavar)),) * size

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        if action.type in (int, float):
            return self._say("NUMBER")
        return self._say("PATH") if action.type is Path else self._say(Message("VALUE"))

    def _get_default_metavar_for_positional(self, action: argparse.Action) -> str:
        return _positional(action, self._say)
