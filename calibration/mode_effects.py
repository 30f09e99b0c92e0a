"""Mode effects: how much the same agency is answered higher or lower on one channel than on another.

A weighted least-squares fit of the share satisfied on agency and channel (both as indicators, weight = valid answers),
with sandwich errors clustered by agency and day (Liang, Zeger 1986). It compares channels *within* agencies, so it
mixes how a channel makes people answer with who answers there; randomised assignment would be needed to tell these
apart (de Leeuw 2005). An agency's adjusted figure is what it would be if its answers came from the province's mix of
channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.survey_shares import Answers, FloatArray


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


def mode_effects(answers: Answers, channel: NDArray[np.str_]) -> ModeEffects | None:
    """Fit the effects of `channel` [rows] within the design's strata; None where there are fewer than two channels."""
    agency = answers.design.stratum
    channels, number = np.unique(channel, return_inverse=True)
    if len(channels) < 2:
        return None
    k = answers.valid.shape[1]
    effects, errors = np.zeros((len(channels), k)), np.zeros((len(channels), k))
    mix = np.stack([answers.valid[number == c].sum(axis=0) for c in range(len(channels))])
    by_agency = (agency[:, None] == np.unique(agency)[None, :]).astype(np.float64)
    by_channel = (number[:, None] == np.arange(len(channels))[None, :]).astype(np.float64)
    usable = np.zeros(k, dtype=bool)
    _, cluster = np.unique(answers.design.clusters, return_inverse=True)
    for j in range(k):
        weight, outcome = answers.valid[:, j], answers.satisfied[:, j]
        agencies = np.flatnonzero(weight @ by_agency > 0)
        present = np.flatnonzero(mix[:, j] > 0)
        # The first channel present is the reference: it has no column of its own.
        design = np.concatenate([by_agency[:, agencies], by_channel[:, present[1:]]], axis=1)
        gram = design.T @ (design * weight[:, None])
        if len(present) < 2 or np.linalg.matrix_rank(gram) < len(gram):
            continue
        inverse = np.linalg.inv(gram)
        beta = inverse @ (design.T @ outcome)
        scores = np.zeros((cluster.max() + 1, len(gram)))
        np.add.at(scores, cluster, design * (outcome - weight * (design @ beta))[:, None])
        covariance = inverse @ (scores.T @ scores) @ inverse
        # Contrasts of every channel against the mean of the province's answers.
        contrast = np.zeros((len(channels), len(gram)))
        contrast[present[1:], len(agencies) + np.arange(len(present) - 1)] = 1.0
        contrast[present] -= (mix[:, j] / mix[:, j].sum()) @ contrast
        effects[:, j] = contrast @ beta
        errors[:, j] = np.sqrt(np.maximum(np.einsum("cp,pq,cq->c", contrast, covariance, contrast), 0.0))
        usable[j] = True
    return ModeEffects(tuple(str(name) for name in channels), effects, errors, mix, usable)
