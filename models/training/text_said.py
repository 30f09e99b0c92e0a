"""Sentences as citizens and clerks say them, by writers of this project's own: whole sentences, written one by one
without templates and without a look at the phrases (`text_phrases`), the turns of speech (`text_turns`), the sentences
that are reported on, or each other. Columns `text,label,situation,form`; `form`: as `written`, `bare` (without marks),
`heard` (small letters, no signs, some syllables wrong).

- `text_said.csv`: 2,526 of the second writer, 29 November 2026: 53 situations from birth certificates to fishing boats,
  North, Centre and South; mocking praise, thanks before a complaint, a mishap that is mended, relief told by a
  negation, praise by comparison, understatement, anger in polite form, and plain talk.
- `text_said_4.csv`, `_5`, `_7`, `_8`, `_9`: 1,500 each of five writers, 30 November 2026, half without a word of
  feeling, and plain talk with words that sound good or bad. The seventh: reviews, short answers, calls to a hotline;
  the eighth: old people of the countryside, speaking freely; the ninth: business people, with figures that judge.
- `_10`, `_11`: 1,400 and 1,399, the same day: mocking praise beside its sincere twin; and what is left in review pages,
  boxes and petitions, up to three sentences long. Both have fewer neutral sentences, so
  `_13`, `_14`, `_15`: 420, 420 and 300 of three writers of neutral sentences alone: two of plain talk, one of what is
  said of all other things.

An eighth to a fifth is never trained on. It was chosen by situation, not at random: what is said at one counter is said
in much the same words by its neighbours, so a random share would flatter.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path

from models.training.text_templates import Row

WRITERS = {
    "second": "text_said.csv",
    "fourth": "text_said_4.csv",
    "fifth": "text_said_5.csv",
    "seventh": "text_said_7.csv",
    "eighth": "text_said_8.csv",
    "ninth": "text_said_9.csv",
}
"""Files by writer. The first wrote the phrases; the third's, sixth's and twelfth's sentences are there to judge by."""
MORE = {
    "tenth": "text_said_10.csv",
    "eleventh": "text_said_11.csv",
    "thirteenth": "text_said_13.csv",
    "fourteenth": "text_said_14.csv",
    "fifteenth": "text_said_15.csv",
}
"""Writers whom the encoder's additions learnt from, and the shipped bag did not (`--more`; docs/models/text.md)."""
PLAIN = ("thirteenth", "fourteenth", "fifteenth")
"""Writers of neutral sentences alone."""
HELD_OUT = frozenset(
    ("evening", "guards", "idcard", "kids", "labour", "landtransfer", "merger", "portal", "tax", "welfare")
)
"""The second writer's situations that are selected by and never trained on; `evening` is what people say on leaving.
Of the others': those whose name, hashed, is divisible by five."""
_LABELS = ("negative", "neutral", "positive")


def writers_with(more: bool) -> tuple[str, ...]:
    """Names of the writers of the shipped networks, with the further ones where `more`."""
    return tuple(WRITERS | MORE) if more else tuple(WRITERS)


def said(held_out: bool, writers: Iterable[str] = tuple(WRITERS)) -> list[Row]:
    """Sentences with their class (0 negative, 1 neutral, 2 positive): to train on, or those that are held out."""
    found: list[Row] = []
    for name in writers:
        with (Path(__file__).parent / (WRITERS | MORE)[name]).open(encoding="utf-8", newline="") as lines:
            found += [
                (row["text"], _LABELS.index(row["label"]))
                for row in csv.DictReader(lines)
                if _held(name, row["situation"]) is held_out
            ]
    return found


def _held(writer: str, situation: str) -> bool:
    if writer == "second":
        return situation in HELD_OUT
    return hashlib.sha256(situation.encode()).digest()[0] % 5 == 0
