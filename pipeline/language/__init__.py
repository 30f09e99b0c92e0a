"""One language system: every sentence that a person reads is a `Message`, and every language is one `.po` file.

    raise ConfigError(Message("There is no plan {code}.", code=code))       # in Python
    {{ _("There is no plan {code}.", code=code) }}                          # in a template

The sentence in English is its identifier. `vi.po` beside this file holds the Vietnamese; `make messages` adds what is
missing and removes what nothing uses. Where a sentence is shown, `in_language(message, "vi")` says it.
"""

from pipeline.language.catalogues import DEFAULT, SOURCE, Language, language, languages, of_environment
from pipeline.language.message import (
    NOTHING,
    PACKAGED,
    Joined,
    Message,
    Plural,
    Sentence,
    Spoken,
    as_typed_here,
    in_language,
    is_spoken,
    reason_of,
    translator,
)
from pipeline.language.values import Day, Month, Number, Text, measured

__all__ = [
    "DEFAULT",
    "NOTHING",
    "PACKAGED",
    "SOURCE",
    "Day",
    "Joined",
    "Language",
    "Message",
    "Month",
    "Number",
    "Plural",
    "Sentence",
    "Spoken",
    "Text",
    "as_typed_here",
    "in_language",
    "is_spoken",
    "language",
    "languages",
    "measured",
    "of_environment",
    "reason_of",
    "translator",
]
