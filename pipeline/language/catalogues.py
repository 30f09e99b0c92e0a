"""The catalogues: one gettext file for each language, `vi.po` and `en.po` and whatever lies beside them.

A file's name is the language's code (BCP 47 or ISO 639-3). Its header may say more:

    X-Language-Name: Tày      how the language calls itself, where Babel does not know it
    X-Locale: vi              whose numbers and dates it writes, where Babel does not know it (or it means another one)

What a catalogue lacks is said in Vietnamese, the language of every counter; English is the language of the identifiers.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

DEFAULT: Final = "vi"
SOURCE: Final = "en"
FOLDERS: list[Path] = [Path(__file__).parent]
"""Where catalogues are looked for; a later folder's file takes the place of an earlier one's of the same name."""

VARIABLES: Final = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
_CODE = re.compile(r"^[a-z]{2,3}(_[A-Za-z0-9]{2,8})*$")


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """One language: how it is called by its own speakers, how it writes figures, and its sentences."""

    code: str
    name: str
    locale: Locale
    translations: gettext.NullTranslations


def paths() -> dict[str, Path]:
    """The catalogue of every language, the default first, then by code."""
    found = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.po")) if _CODE.match(path.stem)}
    return {code: found[code] for code in sorted(found, key=lambda code: (code != DEFAULT, code))}


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The codes of the languages that there are, Vietnamese first."""
    return tuple(paths())


@lru_cache(maxsize=64)
def language(code: str) -> Language:
    """A language by its code; the default one where there is no such catalogue, and the English of the code where there
    is none at all (software that has just removed itself still says so)."""
    path = paths().get(code)
    if path is not None:
        return _load(code, path)
    if code != DEFAULT:
        return language(DEFAULT)
    return Language(SOURCE, "English", _locale(SOURCE), gettext.NullTranslations())


def of_environment(environment: Mapping[str, str]) -> str:
    """The language of a command line, as gettext takes it from the environment; English where it names none of ours."""
    named = next((found for name in VARIABLES if (found := environment.get(name))), "")
    wanted = (part.split(".")[0].split("@")[0] for part in named.split(":"))
    codes = (code for part in wanted for code in (part, part.split("_")[0]))
    return next((code for code in codes if code in languages()), SOURCE)


def forget() -> None:
    """Reads the catalogues anew at the next use, after a file or folder was added."""
    languages.cache_clear()
    language.cache_clear()


def _load(code: str, path: Path) -> Language:
    with path.open("rb") as file:
        catalogue = read_po(file, abort_invalid=True)
    header = _header(catalogue)
    locale = _locale(header.get("x-locale") or code)
    name = header.get("x-language-name") or locale.get_display_name(locale) or code
    if header.get("x-locale") and "x-language-name" not in header:
        name = _locale(code).get_display_name(_locale(code)) or name
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    translations = gettext.GNUTranslations(compiled)
    if code == SOURCE:
        translations.add_fallback(gettext.NullTranslations())
    elif code != DEFAULT:
        translations.add_fallback(language(DEFAULT).translations)
    return Language(code, name[0].upper() + name[1:], locale, translations)


def _header(catalogue: Catalog) -> dict[str, str]:
    lines = (line.partition(":") for line in catalogue.header_comment.splitlines())
    return {name.lstrip("# ").casefold(): value.strip() for name, _, value in lines}


def _locale(code: str) -> Locale:
    try:
        return Locale.parse(code)
    except (UnknownLocaleError, ValueError):
        return Locale.parse(DEFAULT)
