"""How often an interval of a period that is not over may be looked at, decided once for every one that is told.

An interval for one look, looked at every day of a quarter, is wrong at some look far more often than once in twenty.
`INTERVALS` names every place that tells intervals and what holds there; a test finds one that is not named.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pipeline.language import Message

ONE_LOOK: Final = Message(
    "Answers are still coming in: these intervals are right for one look. Read them as they stand, and conclude when "
    "all are in."
)
"""Beside intervals of `Holds.ONE_LOOK` while answers come in."""


class Holds(StrEnum):
    """When an interval is right."""

    EVERY_LOOK = "every look"
    """A confidence sequence while the period runs (`calibration.sequences`), or made of one."""
    ONE_LOOK = "one look"
    """Told with `ONE_LOOK` while the period runs."""
    WHEN_OVER = "when over"
    """Not told before the period is over or settled."""
    FIXED = "fixed"
    """Nothing of it comes in later: earlier months' figures, noise, or counts of all that there is."""
    NONE = "none"
    """No interval: the range of a question's answers, or a place's state."""


INTERVALS: Final[Mapping[str, frozenset[Holds]]] = {
    name: frozenset(holds)
    for name, holds in {
        # columns of the analysis' tables
        "estimates": (Holds.EVERY_LOOK,),
        "ranks": (Holds.EVERY_LOOK,),
        "small-areas": (Holds.EVERY_LOOK,),
        "curves": (Holds.FIXED,),
        "agreement": (Holds.ONE_LOOK,),
        "agencies": (Holds.ONE_LOOK,),
        # pages
        "agency.html": (Holds.EVERY_LOOK, Holds.ONE_LOOK, Holds.FIXED),
        "analysis.html": (Holds.EVERY_LOOK, Holds.ONE_LOOK),
        "before_after.html": (Holds.WHEN_OVER,),
        "drill.html": (Holds.EVERY_LOOK,),
        "indicators766_macros.html": (Holds.FIXED,),
        "instrument_editor.html": (Holds.NONE,),
        "macros.html": (Holds.EVERY_LOOK,),
        "overview.html": (Holds.EVERY_LOOK,),
        "place.html": (Holds.EVERY_LOOK,),
        "reasons.html": (Holds.EVERY_LOOK,),
        "screen.html": (Holds.EVERY_LOOK,),
        "survey_bridge.html": (Holds.EVERY_LOOK, Holds.WHEN_OVER),
        "survey_households.html": (Holds.ONE_LOOK,),
        "survey_index.html": (Holds.EVERY_LOOK,),
        "survey_macros.html": (Holds.NONE,),
        "survey_questions.html": (Holds.EVERY_LOOK,),
        "survey_raked.html": (Holds.WHEN_OVER,),
        # sentences
        "server/boxes/agreed.py": (Holds.FIXED,),
        "server/home/digest.py": (Holds.EVERY_LOOK,),
        "server/reports/compared.py": (Holds.EVERY_LOOK,),
        "server/reports/content.py": (Holds.EVERY_LOOK,),
        "server/sampling/call_back.py": (Holds.ONE_LOOK,),
        "server/sampling/households.py": (Holds.ONE_LOOK,),
        "server/scores/words.py": (Holds.EVERY_LOOK,),
    }.items()
}
"""Table, page, or module that says a sentence with an interval -> what holds of its intervals."""
