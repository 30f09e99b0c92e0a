"""Mode effects: how much the same agency is answered higher or lower on one channel than on another.

A weighted least-squares fit of the share satisfied on agency and channel (both as indicators, weight = valid answers),
with sandwich errors clustered by agency and day (Liang, Zeger 1986). It compares channels *within* agencies, so it
mixes
how a channel makes people answer with who answers there; randomised assignment would be needed to tell these apart
(de Leeuw 2005). An agency's adjusted figure is what it would be if its answers came from the province's mix of
channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.survey.estimates import Answers, FloatArray


@dataclass(frozen=True, slots=True)
class ModeEffects:
    """Effects of channels on the share satisfied, against the mean over the province's answers.

    `effects`, `errors`: float64 [channels, k] (shares, not points); `valid`: [channels, k]; `usable`: bool [k], whether
    agencies and channels could be told apart."""

    channels: tuple[str, ...]
    effects: FloatArray
    errors: FloatArray
    valid: FloatArray
    usable: NDArray[np.bool_]

    def adjustment(self, channel: NDArray[np.str_], valid: FloatArray) -> FloatArray:
        """What to add to the plain share of sheets with these channels [rows] and `valid` answers [rows, k]: float64
        [k], NaN where the effects are not usable."""
        mix = np.stack([valid[channel == name].sum(axis=0) for name in self.channels])
        total = mix.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = -(mix / total * self.effects).sum(axis=0)
        return np.asarray(np.where(self.usable & (total > 0), shift, np.nan))


def mode_effects(answers: Answers, agency: NDArray[np.int64], channel: NDArray[np.str_]) -> ModeEffects | None:
    """Fit the effects; None where there are fewer than two channels."""
    channels, number = np.unique(channel, return_inverse=True)
    agencies, place = np.unique(agency, return_inverse=True)
    if len(channels) < 2:
        return None
    k = answers.valid.shape[1]
    effects, errors = np.zeros((len(channels), k)), np.zeros((len(channels), k))
    mix = np.stack([answers.valid[number == c].sum(axis=0) for c in range(len(channels))])
    usable = np.zeros(k, dtype=bool)
    design = np.zeros((len(place), len(agencies) + len(channels) - 1))
    design[np.arange(len(place)), place] = 1.0
    later = number > 0
    design[np.flatnonzero(later), len(agencies) + number[later] - 1] = 1.0
    _, cluster = np.unique(answers.cluster, return_inverse=True)
    for j in range(k):
        weight, outcome = answers.valid[:, j], answers.satisfied[:, j]
        seen = design[weight > 0].any(axis=0)
        gram = design[:, seen].T @ (design[:, seen] * weight[:, None])
        present: NDArray[np.bool_] = np.asarray(mix[:, j] > 0)
        if present.sum() < 2 or not present[0] or np.linalg.matrix_rank(gram) < len(gram):
            continue
        inverse = np.linalg.inv(gram)
        beta = inverse @ (design[:, seen].T @ outcome)
        scores = np.zeros((cluster.max() + 1, len(gram)))
        np.add.at(scores, cluster, design[:, seen] * (outcome - weight * (design[:, seen] @ beta))[:, None])
        covariance = inverse @ (scores.T @ scores) @ inverse
        # Contrasts of every channel against the mean channel of the province's answers.
        first = int(seen[: len(agencies)].sum())
        contrast = np.zeros((len(channels), len(gram)))
        for c, column in zip(np.flatnonzero(seen[len(agencies) :]) + 1, range(first, len(gram)), strict=True):
            contrast[c, column] = 1.0
        contrast -= (mix[:, j] / mix[:, j].sum()) @ contrast
        effects[:, j] = contrast @ beta * present
        errors[:, j] = np.sqrt(np.maximum(np.einsum("cp,pq,cq->c", contrast, covariance, contrast), 0.0)) * present
        usable[j] = True
    return ModeEffects(tuple(str(name) for name in channels), effects, errors, mix, usable)
