"""Faces by source, for measuring what carries over: FER+ as it is and under other conditions, RAF-DB's held-out part.

A *source* is what was collected and labelled by the same people in the same way. FER+'s validation faces that are dark,
of low contrast or blurred by nature, and those that were turned, made small or dark, are parts of one source: they are
reported each, and left out together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training import face_augment as change
from models.training.face_data import load_split
from models.training.face_rafdb import FILE, held_out, load_rafdb

Images = NDArray[np.uint8]
FERPLUS, RAFDB = "ferplus", "rafdb"
NATURAL_SHARE = 0.15
"""The darkest, flattest and most blurred share of FER+'s faces is a part of its own."""


@dataclass(frozen=True, slots=True)
class Part:
    """Faces of one source under one condition: `images` uint8 [n, framings, 48, 48], `labels` [n] (-1: none)."""

    source: str
    name: str
    images: Images
    labels: NDArray[np.int64]


def load_parts(folder: Path, cache: Path) -> list[Part]:
    """All parts of all sources that lie in `folder`, in one order."""
    parts = _ferplus(folder)
    if (folder / FILE).exists():
        faces = load_rafdb(folder, cache)
        left_out = faces.take(held_out(len(faces.labels)))
        parts.append(Part(RAFDB, "rafdb, both framings", left_out.images, left_out.labels))
        parts.append(Part(RAFDB, "rafdb, as the box cuts", left_out.images[:, :1], left_out.labels))
    return parts


def _ferplus(folder: Path) -> list[Part]:
    split = load_split(folder, "valid")
    labels = split.majority()
    kept = labels >= 0
    images, labels = split.images[kept], labels[kept]
    rng = np.random.default_rng(0)
    pixels = images.astype(np.float32)
    sharpness = np.array([cv2.Laplacian(image, cv2.CV_32F).var() for image in images]) / (pixels.var((1, 2)) + 1)
    parts = [Part(FERPLUS, FERPLUS, images[:, None], labels)]
    for name, figure in (
        ("dark", pixels.mean((1, 2))),
        ("low contrast", pixels.std((1, 2))),
        ("blurred", sharpness),
    ):
        rows = figure <= np.quantile(figure, NATURAL_SHARE)
        parts.append(Part(FERPLUS, f"{FERPLUS}, {name}", images[rows, None], labels[rows]))
    changes: dict[str, Callable[[Images], Images]] = {
        "turned by 30 degrees": lambda image: change.yawed(image, 30.0 * rng.choice((-1, 1))),
        "24 px": lambda image: change.few_pixels(image, 24),
        "a quarter of the light": lambda image: change.low_light(image, 0.25, 12.0, rng),
    }
    for name, changed in changes.items():
        made = np.stack([changed(image) for image in images])
        parts.append(Part(FERPLUS, f"{FERPLUS}, {name}", made[:, None], labels))
    return parts
