"""What a command says to whoever runs it: in the language of the environment (`LANGUAGE`, `LC_ALL`, ..., as gettext
takes it), and what it writes for programs, in which English stays.

    say(Message("{count} boxes.", count=3))                 # a sentence: mypy refuses a plain text here
    print(path)                                             # data, which has one form in every language
    json.dumps({**spoken("problems", found.problems)})      # "problems" in English, "problems_vi" beside it
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from pipeline.language.catalogues import SOURCE, languages, of_environment
from pipeline.language.message import Spoken, in_language, is_spoken, translator


def console_language() -> str:
    """The language of this process's command line."""
    return of_environment(os.environ)


def say(sentence: Spoken, *, indent: int = 0, aside: bool = False) -> None:
    """One line for a person. `aside`: to standard error, as progress and warnings are."""
    text = " " * indent + in_language(sentence, console_language())
    print(text, file=sys.stderr if aside else sys.stdout, flush=True)


def console_translator() -> Any:
    """`_ = console_translator()`: as `translator`, in the language of the command line."""
    return translator(console_language())


def said(value: object, lang: str) -> Any:
    """A value of plain data (lists, objects, texts, numbers) with every sentence in it, keys too, said in a
    language."""
    if isinstance(value, Mapping):
        return {said(key, lang): said(each, lang) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [said(each, lang) for each in value]
    return in_language(value, lang) if is_spoken(value) else value


def plain(value: object) -> Any:
    """The same in the English of the code: what programs compare does not change with a catalogue."""
    if isinstance(value, Mapping):
        return {plain(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return str.__str__(value) if isinstance(value, str) else str(value) if is_spoken(value) else value


def spoken(name: str, value: object) -> dict[str, Any]:
    """For JSON: `name` in English, and for every other language `name_vi`, where it reads otherwise in it."""
    found = {name: plain(value)}
    for lang in languages():
        if lang != SOURCE and (other := said(value, lang)) != found[name]:
            found[f"{name}_{lang}"] = other
    return found


def one_language(value: object, lang: str) -> Any:
    """What `spoken` wrote, read back in one language: each `name` with what `name_vi` says instead, and without it."""
    if isinstance(value, list):
        return [one_language(each, lang) for each in value]
    if not isinstance(value, dict):
        return value
    others = {name: {code: f"{name}_{code}" for code in languages()} for name in value}
    extra = {key for keys in others.values() for key in keys.values() if key in value}
    found = {}
    for name, each in value.items():
        if name not in extra:
            other = value.get(others[name].get(lang, ""), each)
            both = {**each, **other} if isinstance(each, dict) and isinstance(other, dict) else other
            found[name] = one_language(both, lang)
    return found
