"""RAF-DB's faces (training part) as the box would cut them, with its single labels as soft targets.

Source: Li, Deng & Du (2017), Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in
the Wild, CVPR: 12,271 aligned web faces, each with the label that most of about forty people gave. One face in five is
held out: those whose place in the file, hashed, is divisible by five. The same faces are held out in every run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.face_data import EMOTION_COUNT
from pipeline.records import EMOTIONS

FILE = "rafdb_train.parquet"
PARTS_IN_ONE_HELD_OUT = 5
TRUST = 0.9
"""Share of a target that the label has; the rest is spread as the labels are: what the crowd disagreed on is not
told."""


@dataclass(frozen=True, slots=True)
class LabelledFaces:
    """Faces with one label each, in one or two framings.

    Attributes:
        images: uint8 [n, 2, 48, 48], grey: as the finder cut it, and the picture as it is (the same twice where the
            picture could not be taken for a crop).
        labels: int64 [n], index in `EMOTIONS`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def take(self, rows: NDArray[np.bool_]) -> LabelledFaces:
        """The chosen rows."""
        return LabelledFaces(self.images[rows], self.labels[rows])

    def emotion_targets(self) -> NDArray[np.float32]:
        """Soft targets [n, 8]: `TRUST` for the label, the rest by the labels' shares."""
        shares = np.bincount(self.labels, minlength=EMOTION_COUNT) / len(self.labels)
        one_hot = np.eye(EMOTION_COUNT)[self.labels]
        return np.asarray(TRUST * one_hot + (1 - TRUST) * shares, np.float32)


def held_out(count: int) -> NDArray[np.bool_]:
    """Which of `count` rows are never trained on: one in five, by the hash of the row's place."""
    digests = (hashlib.sha256(str(row).encode()).digest() for row in range(count))
    return np.array([digest[0] % PARTS_IN_ONE_HELD_OUT == 0 for digest in digests], np.bool_)


def load_rafdb(folder: Path, cache: Path) -> LabelledFaces:
    """All faces of `folder/rafdb_train.parquet` that the finder finds, cut as `hailong models eval face` cuts them.

    Finding takes minutes: the crops are kept in the folder `cache` (outside the repository), by the file's digest.
    Rows that the finder does not find stay, as the whole picture, so that a row's place tells whether it is held out.
    """
    import pyarrow.parquet as pq

    stored = folder / FILE
    kept = cache / f"rafdb-{hashlib.sha256(stored.read_bytes()).hexdigest()[:16]}.npz"
    if not kept.exists():
        table = pq.read_table(stored, columns=["emotion", "image"])
        images = _cropped(table.column("image").to_pylist())
        labels = np.array([EMOTIONS.index(name) for name in table.column("emotion").to_pylist()], np.int64)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(kept, images=images, labels=labels)
    with np.load(kept) as found:
        return LabelledFaces(found["images"], found["labels"])


def _cropped(pictures: list[bytes]) -> NDArray[np.uint8]:
    import cv2
    from tqdm import tqdm

    from models.face_crop import whole_as_crop
    from models.face_find import shipped_finder

    finder = shipped_finder()
    crops = np.zeros((len(pictures), 2, 48, 48), np.uint8)
    for row, stored in enumerate(tqdm(pictures, desc="RAF-DB: finding faces", mininterval=5)):
        pixels = np.asarray(cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        found = finder.find(pixels)
        framings = (whole_as_crop(pixels),) if found is None else found.crops
        crops[row, 0], crops[row, 1] = framings[0].pixels, framings[-1].pixels
    return crops
