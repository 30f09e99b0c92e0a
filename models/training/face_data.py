"""The crowd's votes on FER2013's faces (FERPlus), as training targets.

Source: Barsoum et al. (2016), Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution, ICMI. Ten people voted on each 48 x 48 grey face; the columns of `votes` are the eight emotions in the
order of `pipeline.records.EMOTIONS`, then `unknown` and `not_a_face`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

EMOTION_COUNT = 8


@dataclass(frozen=True, slots=True)
class FaceVotes:
    """One split.

    Attributes:
        images: uint8 [n, 48, 48], grey.
        votes: uint8 [n, 10].
    """

    images: NDArray[np.uint8]
    votes: NDArray[np.uint8]

    def emotion_targets(self, drop_single_votes: bool = True) -> NDArray[np.float32]:
        """Share of votes for each emotion [n, 8]; rows sum to one, or to zero where nobody named an emotion.

        A single vote among ten is more often a slip than an opinion, so the paper drops it; where that would leave
        nothing, it stays."""
        votes = self.votes[:, :EMOTION_COUNT].astype(np.float32)
        if drop_single_votes:
            kept = np.where(votes > 1, votes, 0)
            votes = np.where(kept.sum(1, keepdims=True) > 0, kept, votes)
        total = votes.sum(1, keepdims=True)
        return (votes / np.maximum(total, 1)).astype(np.float32)

    def usable_targets(self) -> NDArray[np.float32]:
        """Share of votes [n] that named an emotion at all, rather than `unknown` or `not_a_face`."""
        votes = self.votes.astype(np.float32)
        return (votes[:, :EMOTION_COUNT].sum(1) / np.maximum(votes.sum(1), 1)).astype(np.float32)

    def majority(self) -> NDArray[np.int64]:
        """Class with the most votes [n]; -1 for a tie, and where `unknown` or `not_a_face` leads."""
        order = np.sort(self.votes, axis=1)
        winner = self.votes.argmax(1).astype(np.int64)
        return np.where((order[:, -1] == order[:, -2]) | (winner >= EMOTION_COUNT), -1, winner)


def load_split(folder: Path, split: str) -> FaceVotes:
    """Read `ferplus_{split}.npz` (train, valid, test)."""
    with np.load(folder / f"ferplus_{split}.npz") as stored:
        images, votes = stored["images"], stored["votes"]
    if images.ndim != 3 or images.shape[1:] != (48, 48) or votes.shape != (len(images), 10):
        raise ValueError(
            f"ferplus_{split}.npz: images {images.shape} and votes {votes.shape} are not [n,48,48] and [n,10]"
        )
    return FaceVotes(images, votes)
