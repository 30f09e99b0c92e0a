"""One language system: every sentence that a person reads is a `Message`, and every language is one `.po` file.

    raise ConfigError(Message("There is no plan {code}.", code=code))       # in Python
    {{ _("There is no plan {code}.", code=code) }}                          # in a template

The sentence in English is its identifier. `vi.po` beside this file holds the Vietnamese; `make messages` adds what is
missing and removes what nothing uses. Where a sentence is shown, `in_language(message, "vi")` says it.
"""

from pipeline.language.catalogues import DEFAULT, SOURCE, Language, language, languages
from pipeline.language.message import Joined, Message, Plural, Spoken, in_language, is_spoken, reason_of, translator
from pipeline.language.values import Day, Month, Number, Text

__all__ = [
    "DEFAULT",
    "SOURCE",
    "Day",
    "Joined",
    "Language",
    "Message",
    "Month",
    "Number",
    "Plural",
    "Spoken",
    "Text",
    "in_language",
    "is_spoken",
    "language",
    "languages",
    "reason_of",
    "translator",
]
