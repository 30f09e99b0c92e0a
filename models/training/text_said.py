"""Sentences of a second writer, as citizens and clerks say them: `text_said.csv` (`text,label,situation,form`).

2,526 whole sentences of this project's own, written one by one on 29 November 2026, without templates and without a
look at the phrases (`text_phrases`), the turns of speech (`text_turns`), the fresh 80 or the 300 of three regions: 53
situations from birth certificates to fishing boats, North, Centre and South; mocking praise, thanks before a complaint,
a mishap that is mended, relief told by a negation, praise by comparison, understatement, anger in polite form, and
plain talk. `form`: as `written`, `bare` (without marks), `heard` (small letters, no signs).

A fifth is never trained on. It was chosen by situation, not at random: what is said at one counter is said in much the
same words by its neighbours, so a random fifth would flatter.
"""

from __future__ import annotations

import csv
from pathlib import Path

from models.training.text_templates import Row

SENTENCES = Path(__file__).parent / "text_said.csv"
HELD_OUT = frozenset(
    ("evening", "guards", "idcard", "kids", "labour", "landtransfer", "merger", "portal", "tax", "welfare")
)
"""Situations that are selected by and never trained on; `evening` is what people say on leaving."""
_LABELS = ("negative", "neutral", "positive")


def said(held_out: bool) -> list[Row]:
    """Sentences with their class (0 negative, 1 neutral, 2 positive): to train on, or those that are held out."""
    with SENTENCES.open(encoding="utf-8", newline="") as lines:
        return [
            (row["text"], _LABELS.index(row["label"]))
            for row in csv.DictReader(lines)
            if (row["situation"] in HELD_OUT) is held_out
        ]
