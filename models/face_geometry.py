"""Affect of a face from where its landmarks are, by published tables: no photograph was used to make it.

The landmarks (MediaPipe's face mesh, Apache-2.0) are turned upright and scaled onto its canonical face, so that a
turned head or another distance changes nothing that it can help. Twelve distances are left, in cm of that face: how
high the mouth's corners and the brows are, how wide the mouth and the eyes are open, how much of the lips is seen. Each
is compared with the same person's at rest, in the visit's first seconds (`pipeline.visit.RestingFace`); without these,
with the canonical face's. A movement large enough is an action unit (Ekman, Friesen & Hager 2002, Facial Action
Coding System), and how often people show which action units in which emotion is a published table:

    likelihood(emotion) ~ product over action units of  p_a P(a | emotion) + (1 - p_a) (1 - P(a | emotion))

with p_a the logistic function of how far the movement is beyond its own limit. The table, `models/weights/
face_geometry.toml`, is of posed emotions; at a counter they are weaker, so an action unit is counted on with a part of
its share only, and the product is taken to a power, because action units come together.

Everything here was written down before it was measured on anybody's photographs, and nothing was fitted
(docs/models/face.md has what came out). Whoever asks can be told in a sentence: it sees whether the corners of your
mouth and your brows go up or down against when you came.

Sources: action units by emotion: Du, Tao & Martinez (2014), Compound Facial Expressions of Emotion, PNAS 111 (15),
table 1 (230 people; shown by more than 70 of 100: taken as .85). Contempt: Ekman & Heider (1988), Motivation and
Emotion 12: one corner of the mouth. Canonical face: MediaPipe's face geometry module (Apache-2.0).
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.face_affect import uncertainty_of
from models.likelihoods import ratios
from pipeline.errors import ModelError
from pipeline.language import Message
from pipeline.records import EMOTIONS, FaceAffect

Array = NDArray[np.float32]

RIGID = (33, 263, 133, 362, 168, 6, 197, 195, 5, 4, 127, 356, 234, 454)
"""Corners of the eyes, ridge of the nose, temples, ears: what no expression moves."""
CANONICAL_CM = np.array(
    [
        (-4.446, 2.664, 3.173),
        (4.446, 2.664, 3.173),
        (-1.856, 2.585, 3.758),
        (1.856, 2.585, 3.758),
        (0.0, 3.271, 5.236),
        (0.0, 2.473, 5.789),
        (0.0, 1.728, 6.317),
        (0.0, 1.059, 6.775),
        (0.0, 0.366, 7.243),
        (0.0, -0.463, 7.587),
        (-7.743, 2.365, -2.005),
        (7.743, 2.365, -2.005),
        (-7.664, 0.673, -2.436),
        (7.664, 0.673, -2.436),
    ]
)
"""The same points of the canonical face: x to the person's left, y up, z towards the camera."""

MEASURES = (
    "corner_right_up",
    "corner_left_up",
    "mouth_width",
    "brow_inner_up",
    "brow_outer_up",
    "brow_gap",
    "eye_open",
    "lower_lid_up",
    "nostril_up",
    "lips_apart",
    "lips_seen",
    "lower_lip_up",
)
CANONICAL_MEASURES: Array = np.array(
    # the canonical face's lips are 5 mm apart; a mouth at rest is shut
    [-4.343, -4.343, 4.912, 4.577, 4.682, 2.442, 0.670, 2.294, -0.978, 0.1, 1.411, -5.2],
    np.float32,
)
"""Of a face at rest, in cm, in the order of `MEASURES`."""


NEGATIVE = ("sadness", "anger", "disgust", "fear", "contempt")
ELSEWHERE = 0.05
"""Share of people who show an action unit where no table says that they do."""
LARGEST_TURN = (25.0, 45.0)
"""Degrees of turning up to which points are trusted fully, and from which they are not at all (the landmarks' card)."""
_WITHIN: Array = np.array([1 / len(NEGATIVE) if name in NEGATIVE else 1.0 for name in EMOTIONS], np.float32)
"""Negative, neutral, positive and surprise are even beforehand (`models.likelihoods`): five emotions share a part."""


@dataclass(frozen=True, slots=True)
class ActionUnits:
    """The table, for n action units: `weights` float32 [n, 12] of the measures' changes, `from_cm` [n], `one_sided`
    bool [n] (the movement's sign does not matter), `shares` [n, 8] of people who show it by emotion."""

    names: tuple[str, ...]
    weights: Array
    from_cm: Array
    one_sided: NDArray[np.bool_]
    shares: Array
    temperature: float
    soft: float

    @classmethod
    def read(cls, path: Path) -> ActionUnits:
        """From `models/weights/face_geometry.toml`. Raises `ModelError` for a table that does not fit."""
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            units = table["unit"]
            elsewhere = [unit.get("elsewhere", ELSEWHERE) for unit in units]
            shown_in = [
                [unit["shown_in"].get(name, other) for name in EMOTIONS]
                for unit, other in zip(units, elsewhere, strict=True)
            ]
            known = all(
                set(unit["measures"]) <= set(MEASURES) and set(unit["shown_in"]) <= set(EMOTIONS) for unit in units
            )
            base = np.array(elsewhere, np.float32)[:, None]
            found = cls(
                tuple(unit["name"] for unit in units),
                np.array([[unit["measures"].get(name, 0.0) for name in MEASURES] for unit in units], np.float32),
                np.array([unit["from_cm"] for unit in units], np.float32),
                np.array([unit.get("one_sided", False) for unit in units]),
                np.asarray(base + table["shown"] * (np.array(shown_in, np.float32) - base), np.float32),
                float(table["temperature"]),
                float(table["soft"]),
            )
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(Message("The table of action units {name} cannot be read.", name=path.name)) from error
        if not known or not 0 < found.shares.min() <= found.shares.max() < 1 or not found.from_cm.min() > 0:
            raise ModelError(Message("The table of action units {name} does not fit.", name=path.name))
        return found

    def presence(self, changes: Array) -> Array:
        """How surely each action unit is there [m, n], from changes of the measures [m, 12] in cm."""
        moved = changes @ self.weights.T
        moved = np.where(self.one_sided, np.abs(moved), moved)
        return np.asarray(1 / (1 + np.exp(-self.soft * (moved / self.from_cm - 1).clip(-10, 10))), np.float32)

    def likelihoods(self, there: Array) -> Array:
        """Likelihoods of the eight emotions [m, 8], rows sum to 1, from what is there [m, n]."""
        part = there[:, :, None]
        logs = np.log(part * self.shares + (1 - part) * (1 - self.shares)).sum(1) / self.temperature
        raised = np.exp(logs - logs.max(1, keepdims=True)) * _WITHIN
        return np.asarray(raised / raised.sum(1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True)
class Upright:
    """Landmarks on the canonical face: `points_cm` [468, 3] and how far the head is turned, in degrees."""

    points_cm: NDArray[np.float64]
    turned_deg: float


def upright(points: NDArray[np.float32]) -> Upright:
    """Turn, scale and move landmarks [468, 3] (px of a picture: x right, y down, z away) onto the canonical face, by
    its rigid points alone (Umeyama 1991, least squares of a similarity)."""
    if points.shape != (468, 3):
        raise ValueError(f"landmarks are [468, 3], not {points.shape}")
    seen = np.asarray(points, np.float64) * (1, -1, -1)
    rigid = seen[list(RIGID)]
    middle, target_middle = rigid.mean(0), CANONICAL_CM.mean(0)
    centred, target = rigid - middle, CANONICAL_CM - target_middle
    left, singular, right = np.linalg.svd(target.T @ centred)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right)) or 1.0])
    rotation = (left * sign) @ right
    scale = float((singular * sign).sum()) / max(float((centred**2).sum()), 1e-9)
    # the angle between where the face looks and where the camera is
    turned = float(np.degrees(np.arccos(np.clip(rotation[2, 2], -1, 1))))
    return Upright(scale * (seen - middle) @ rotation.T + target_middle, turned)


def measures_of(points_cm: NDArray[np.float64]) -> Array:
    """The `MEASURES`, float32 [12] in cm, of landmarks on the canonical face [468, 3]."""
    x, y = points_cm[:, 0], points_cm[:, 1]
    return np.array(
        [
            y[61],
            y[291],
            x[291] - x[61],
            y[[55, 107, 285, 336]].mean(),
            y[[105, 70, 334, 300]].mean(),
            x[285] - x[55],
            (y[159] - y[145] + y[386] - y[374]) / 2,
            (y[145] + y[374]) / 2,
            (y[129] + y[358]) / 2,
            y[13] - y[14],
            y[0] - y[13] + y[14] - y[17],
            y[17],
        ],
        np.float32,
    )


class FaceGeometry:
    """The landmarks' reader: an `AffectNetwork` without a network. What it takes of a face are its measures.

    `table`: face_geometry.toml, checked by the catalogue."""

    carries = False
    compares = True
    mirrors = False

    def __init__(self, table: Path) -> None:
        self._units = ActionUnits.read(table)

    def crop(
        self, pixels: NDArray[np.uint8], keypoints: NDArray[np.float32], points: NDArray[np.float32] | None = None
    ) -> Array:
        """float32 [13]: the measures in cm, and the share in [0, 1] that the points are to be trusted. `pixels` are
        not read; without `points` [468, 3] nothing is to be trusted."""
        if points is None:
            return np.append(CANONICAL_MEASURES, np.float32(0))
        placed = upright(points)
        least, most = LARGEST_TURN
        trust = np.clip((most - placed.turned_deg) / (most - least), 0, 1)
        found = np.append(measures_of(placed.points_cm), np.float32(trust))
        return np.asarray(found if np.isfinite(found).all() else np.append(CANONICAL_MEASURES, 0), np.float32)

    def infer(self, crops: Sequence[NDArray[Any]]) -> list[FaceAffect]:
        """Affect of faces' measures: float32 [13] each, or [2, 13] with the same person's at rest below them.

        A movement counts where it is one against the person's own rest and against the canonical face: who came with a
        smile and stops smiling does not frown by that, and whose mouth always hangs does not either."""
        if not len(crops):
            return []
        seen = np.stack([crop[0] if crop.ndim == 2 else crop for crop in crops]).astype(np.float32)
        there = self._units.presence(seen[:, :-1] - CANONICAL_MEASURES)
        for row, crop in enumerate(crops):
            if crop.ndim == 2:
                there[row] = np.minimum(there[row], self._units.presence(crop[:1, :-1] - crop[1:, :-1])[0])
        likelihoods = self._units.likelihoods(there)
        doubt = uncertainty_of(likelihoods, seen[:, -1])
        return [
            FaceAffect(row, of_row, float(each))
            for row, of_row, each in zip(likelihoods, ratios(likelihoods), doubt, strict=True)
        ]
