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
from scipy.sparse.csgraph import connected_components

from calibration.design import sum_rows
from calibration.survey_shares import Answers, FloatArray, IntArray


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

    def adjustments(self, channel: NDArray[np.str_], valid: FloatArray, place: IntArray, places: int) -> FloatArray:
        """What to add to each place's plain share: float64 [places, k], NaN where the effects are not usable.

        Of sheets with these channels [rows] and `valid` answers [rows, k], each in a `place` [rows]."""
        total, shift = np.zeros((places, valid.shape[1])), np.zeros((places, valid.shape[1]))
        for number, name in enumerate(self.channels):
            rows = channel == name
            of_channel = sum_rows(valid[rows], place[rows], places)
            total += of_channel
            shift -= of_channel * self.effects[number]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(self.usable & (total > 0), shift / total, np.nan))


def mode_effects(answers: Answers, channel: NDArray[np.str_]) -> ModeEffects | None:
    """Fit the effects of `channel` [rows] within the design's strata; None where there are fewer than two channels.

    Agencies are absorbed by centring (Frisch, Waugh 1933; Lovell 1963): what is left is a system of the size of the
    channels. Agencies and channels can be told apart where agencies link all channels that were used."""
    channels, number = np.unique(channel, return_inverse=True)
    many = len(channels)
    if many < 2:
        return None
    strata, agency = np.unique(answers.design.stratum, return_inverse=True)
    _, cluster = np.unique(answers.design.clusters, return_inverse=True)
    clusters = int(cluster.max()) + 1
    agency_of = np.zeros(clusters, dtype=np.int64)
    agency_of[cluster] = agency
    k = answers.valid.shape[1]
    effects, errors, mix = np.zeros((many, k)), np.zeros((many, k)), np.zeros((many, k))
    usable = np.zeros(k, dtype=bool)
    cell, cluster_cell = agency * many + number, cluster * many + number

    def by_cell(values: FloatArray) -> FloatArray:
        return sum_rows(values[:, None], cell, len(strata) * many).reshape(-1, many)

    for j in range(k):
        weight, outcome = answers.valid[:, j], answers.satisfied[:, j]
        of_cell, good = by_cell(weight), by_cell(outcome)
        mix[:, j] = of_cell.sum(axis=0)
        seen = of_cell.sum(axis=1) > 0
        present = np.flatnonzero(mix[:, j] > 0)
        linked = (of_cell[:, present] > 0).astype(np.float64)
        if len(present) < 2 or connected_components(linked.T @ linked, directed=False)[0] > 1:
            continue
        total = np.where(seen, of_cell.sum(axis=1), 1.0)
        share, mean = of_cell / total[:, None], good.sum(axis=1) / total
        # The first channel present is the reference: it has no column of its own.
        free = present[1:]
        gram = np.diag(mix[free, j]) - of_cell[:, free].T @ share[:, free]
        inverse = np.linalg.inv(gram)
        beta = np.zeros(many)
        beta[free] = inverse @ (good[:, free] - of_cell[:, free] * mean[:, None]).sum(axis=0)
        residual = outcome - weight * (mean[agency] + beta[number] - (share @ beta)[agency])
        by_cluster = np.bincount(cluster_cell, weights=residual, minlength=clusters * many).reshape(-1, many)
        scores = by_cluster[:, free] - by_cluster.sum(axis=1, keepdims=True) * share[agency_of][:, free]
        covariance = inverse @ (scores.T @ scores) @ inverse
        # Contrasts of every channel against the mean of the province's answers.
        contrast = np.zeros((many, len(free)))
        contrast[free, np.arange(len(free))] = 1.0
        contrast[present] -= (mix[:, j] / mix[:, j].sum()) @ contrast
        effects[:, j] = contrast @ beta[free]
        errors[:, j] = np.sqrt(np.maximum(np.einsum("cp,pq,cq->c", contrast, covariance, contrast), 0.0))
        usable[j] = True
    return ModeEffects(tuple(str(name) for name in channels), effects, errors, mix, usable)
