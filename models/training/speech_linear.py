"""Linear members: ridge-penalised logistic regression on summaries, every corpus, class and emotion weighing the same.

Two things keep the corpora out of the decision. The middle between the classes is taken away in each corpus before the
fit, so that a figure is not used for telling corpora apart. And every utterance is also seen subdued: drawn towards its
speaker's calm voice by a random share. Actors differ in how much they act, and people at a counter act less than any of
them; the calm end is what corpora agree on, so the threshold moves towards it.

Sources: Hastie et al., The Elements of Statistical Learning, 4.4 (Newton's method for the logistic likelihood, with a
penalty); interpolating between examples as augmentation: Zhang et al. (2018), mixup, here within a speaker and with the
label kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.speech_summary import GROUPS, columns
from models.training.speech_data import CALM, Classes, Corpus, classes_of

Float64 = npt.NDArray[np.float64]
CLIP = 4.0
"""Standardised figures are cut here: one odd figure must not decide."""
_STEPS = 15


@dataclass(frozen=True, slots=True)
class Scaling:
    """Standardises summaries: float64 [126] each."""

    mean: Float64
    spread: Float64

    def apply(self, summaries: npt.NDArray[np.floating]) -> Float64:
        """Summaries in units of their spread, cut at `CLIP`."""
        scaled: Float64 = np.clip((summaries - self.mean) / self.spread, -CLIP, CLIP)
        return scaled


@dataclass(frozen=True, slots=True)
class LinearMember:
    """`score = scaled summary @ weights + offset`, in log-odds; figures not seen have weight 0."""

    weights: Float64
    offset: float

    def score(self, scaled: Float64) -> Float64:
        """Scores [n] of scaled summaries [n, 126]."""
        result: Float64 = scaled @ self.weights + self.offset
        return result


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the members of one decision are fitted: `what` of `classes_of`, the groups of figures that each member sees
    (none: all), the penalty, and the least share of itself that a subdued utterance keeps (1: none is subdued)."""

    what: str
    members: tuple[tuple[str, ...], ...]
    penalty: float
    subdued_to: float = 1.0


def balanced_weights(classes: Classes, emotion: npt.NDArray[np.str_]) -> Float64:
    """Weights [n] that sum to 1: half for each class, within a class the same for each emotion; 0 for rows of no
    class."""
    weights = np.zeros(len(classes))
    for one in (0, 1):
        names = np.unique(emotion[classes == one])
        for name in names:
            rows = (emotion == name) & (classes == one)
            weights[rows] = 0.5 / (len(names) * rows.sum())
    return weights / max(weights.sum(), 1e-12)


def scaling(corpora: Sequence[Corpus]) -> Scaling:
    """Mean and spread over all copies of the corpora, each emotion of each corpus weighing the same."""
    mean, square = np.zeros((2, corpora[0].summaries.shape[2]))
    for one in corpora:
        names, where, counts = np.unique(one.emotion, return_inverse=True, return_counts=True)
        weight = 1.0 / (len(names) * counts[where] * len(one.summaries) * len(corpora))
        for copy in one.summaries.astype(np.float64):
            mean += weight @ copy
            square += weight @ copy**2
    return Scaling(mean, np.sqrt(np.maximum(square - mean**2, 0.0)) + 1e-6)


def subdue(scaled: Float64, corpus: Corpus, least: float, rng: np.random.Generator) -> Float64:
    """Scaled summaries [n, 126] drawn towards the mean of their speaker's calm ones; `least` of 1 leaves them."""
    if least >= 1.0:
        return scaled
    calm = np.isin(corpus.emotion, CALM)
    middles = np.empty_like(scaled)
    for name in np.unique(corpus.speaker):
        rows = corpus.speaker == name
        middles[rows] = scaled[rows & calm].mean(axis=0) if (rows & calm).any() else scaled[calm].mean(axis=0)
    share = rng.uniform(least, 1.0, len(scaled))[:, None]
    return middles + share * (scaled - middles)


def fit(corpora: Sequence[Corpus], scale: Scaling, recipe: Recipe, seed: int) -> list[LinearMember]:
    """Fits the members of one decision on all copies; corpora that lack one of the classes are left out."""
    used = [one for one in corpora if set(classes_of(one.emotion, recipe.what)) >= {0, 1}]
    rng = np.random.default_rng(seed)
    centred, weights, classes, middle = [], [], [], np.zeros(len(scale.mean))
    for one in used:
        truth = classes_of(one.emotion, recipe.what)
        weight = balanced_weights(truth, one.emotion)
        rows = truth >= 0
        for copy in one.summaries:
            scaled = subdue(scale.apply(copy), one, recipe.subdued_to, rng)
            own = weight @ scaled
            middle += own / (len(used) * len(one.summaries))
            centred.append(scaled[rows] - own)
            weights.append(weight[rows] / (len(used) * len(one.summaries)))
            classes.append(truth[rows])
    table, weight, truth = np.concatenate(centred), np.concatenate(weights), np.concatenate(classes)
    members = []
    for groups in recipe.members:
        seen = columns(*(groups or GROUPS))
        found, offset = _logistic(table[:, seen], truth, weight, recipe.penalty)
        full = np.zeros(len(scale.mean))
        full[seen] = found
        members.append(LinearMember(full, offset - float(middle @ full)))
    return members


def _logistic(table: Float64, truth: Classes, weight: Float64, penalty: float) -> tuple[Float64, float]:
    """Weights and offset of least penalised log-loss, by Newton's steps; the offset is not penalised."""
    rows = np.column_stack([table, np.ones(len(table))])
    ridge = np.diag([*np.full(table.shape[1], penalty), 1e-9])
    found = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        probability = 1.0 / (1.0 + np.exp(-np.clip(rows @ found, -30.0, 30.0)))
        bend = np.maximum(probability * (1.0 - probability), 1e-4) * weight
        slope = rows.T @ (weight * (probability - truth)) + ridge @ found
        step = np.linalg.solve((rows * bend[:, None]).T @ rows + ridge, slope)
        found -= step
        if np.abs(step).max() < 1e-5:
            break
    return found[:-1], float(found[-1])
