"""What the notice says, part by part."""

from __future__ import annotations

import hashlib
import json

from pipeline.language import Message, in_language, languages

TITLE = Message("How satisfaction is measured here")
_IN_ANY_CASE = frozenset({"rating", "purpose"})
_PARTS: dict[str, tuple[Message, Message]] = {
    "what": (
        Message("What happens"),
        Message(
            "While you are at the counter, a device on the spot estimates satisfaction from the "
            "citizen's face and voice. It looks at and listens to the citizen's side only; the staff "
            "are not analysed."
        ),
    ),
    "kept": (
        Message("What is kept"),
        Message(
            "Pictures and sound exist in working memory only and are gone at once. No picture, "
            "sound, word or feature of a person is stored or sent. Only tables of counts for a "
            "period, with random noise added, are sent to the server."
        ),
    ),
    "rating": (
        Message("The rating"),
        Message(
            "The rating on the screen is voluntary and without a name. It is sent together with "
            "those of others, with the day only."
        ),
    ),
    "choice": (
        Message("Your choice"),
        Message(
            "Touch “Do not analyse me” at any time: the analysis of this visit stops at once. Your "
            "request is handled as usual. You can still rate."
        ),
    ),
    "purpose": (
        Message("Purpose"),
        Message(
            "To measure satisfaction with the agency. No civil servant is scored and nothing is decided about you."
        ),
    ),
}


def notice_parts(analysing: bool) -> list[tuple[Message, Message]]:
    """Headings and texts of the notice; where nothing is analysed, of the voluntary rating alone."""
    return [words for name, words in _PARTS.items() if analysing or name in _IN_ANY_CASE]


def notice_digest(contact: str, url: str) -> bytes:
    """SHA-256 (32 bytes) of what the notice says in every language, for the transparency log: its version."""
    words = [
        [in_language(text, lang) for part in ((TITLE, TITLE), *notice_parts(True)) for text in part]
        for lang in sorted(languages())
    ]
    return hashlib.sha256(json.dumps([words, contact, url], ensure_ascii=False).encode()).digest()
