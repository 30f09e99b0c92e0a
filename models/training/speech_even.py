"""Decisions that lean less on whose voice it is: what tells women from men of the same class is weighed down.

Women's and men's voices differ in height and in their spectrum, and calm women were called aroused far more often than
calm men. A linear decision `w` is moved to the one nearest to it on the corpora's own utterances that tells the sexes
apart less:

    least (v - w)' S (v - w) + strength * mean over corpora and classes of (v' d)^2,

`S` the covariance of the figures, `d` the difference between the means of women and of men of one class of one corpus
(speakers weigh the same). The offset keeps the middle between the classes where it was. The second term is the
covariance of Zafar et al. (2017), Fairness constraints, asked for within each class (equalised odds: Hardt, Price &
Srebro 2016); nothing is known of a speaker when the decision is used. The trained members are not fitted again, so what
they learnt from damaged copies stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.training.speech_data import Corpus, classes_of
from models.training.speech_linear import Float64, LinearMember, Scaling, balanced_weights

STRENGTH = 1.0
"""Chosen on corpora left out: ten times as much evens them no further (docs/models/speech.md)."""
_RIDGE = 0.05


def evened(
    member: LinearMember, scale: Scaling, corpora: Sequence[Corpus], what: str, strength: float = STRENGTH
) -> LinearMember:
    """The decision `what` (see `classes_of`), evened on the corpora's clean copies; corpora that do not tell the sexes,
    or lack one of the classes, take no part."""
    used = [one for one in corpora if len(one.woman) and set(classes_of(one.emotion, what)) >= {0, 1}]
    differences: list[Float64] = []
    width = len(member.weights)
    covariance, middle = _RIDGE * np.eye(width), np.zeros(width)
    for one in used:
        truth = classes_of(one.emotion, what)
        weight = balanced_weights(truth, one.emotion)
        scaled = scale.apply(one.summaries[0])
        own = weight @ scaled
        middle += own / len(used)
        covariance += ((scaled - own) * weight[:, None]).T @ (scaled - own) / len(used)
        for each in (0, 1):
            women, men = (truth == each) & one.woman, (truth == each) & ~one.woman
            if women.any() and men.any():
                differences.append(_middle(scaled, one, women) - _middle(scaled, one, men))
    if not differences:
        return member
    apart = np.stack(differences)
    weights = np.linalg.solve(covariance + strength * apart.T @ apart / len(apart), covariance @ member.weights)
    return LinearMember(np.asarray(weights, np.float64), member.offset + float(middle @ (member.weights - weights)))


def _middle(scaled: Float64, corpus: Corpus, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Float64:
    """Mean of the speakers' means."""
    speakers = np.unique(corpus.speaker[rows])
    return np.asarray(np.mean([scaled[rows & (corpus.speaker == name)].mean(axis=0) for name in speakers], axis=0))
