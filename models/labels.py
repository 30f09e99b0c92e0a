"""The one table that maps every label to negative, neutral, positive (and high or low arousal), for face and speech.

`None` means that a label takes no part in that measure: surprise is neither good nor bad. `smile` and `non_smile` are
labels of photographs that were sorted only by whether the person smiles: a smile counts as positive, and its absence
as neutral, which is the weaker claim."""

from __future__ import annotations

from typing import Literal

Polarity = Literal["negative", "neutral", "positive"]
POLARITIES: tuple[Polarity, ...] = ("negative", "neutral", "positive")

POLARITY_OF: dict[str, Polarity | None] = {
    "neutral": "neutral",
    "happiness": "positive",
    "surprise": None,
    "sadness": "negative",
    "anger": "negative",
    "disgust": "negative",
    "fear": "negative",
    "contempt": "negative",
    "smile": "positive",
    "non_smile": "neutral",
    "calm": "neutral",
    "boredom": "negative",
}
"""Label -> polarity. Speech valence is negative against not negative, of the same table."""

HIGH_AROUSAL: dict[str, bool | None] = {
    "anger": True,
    "happiness": True,
    "fear": True,
    "surprise": True,
    "sadness": False,
    "neutral": False,
    "calm": False,
    "boredom": False,
    "disgust": None,
    "contempt": None,
    "smile": None,
    "non_smile": None,
}
"""Label -> high arousal. Disgust and contempt are heard at any arousal, and take no part."""

FACE_LABELS = (
    "neutral",
    "happiness",
    "sadness",
    "anger",
    "fear",
    "disgust",
    "surprise",
    "contempt",
    "smile",
    "non_smile",
)
"""Labels that the evaluation of faces accepts."""
