"""A generator of figures that shares no assumption with the estimators: 0/1 answers of visits, areas that differ on the
logit scale or in two lumps, days that move every counter and hang together, ratings that meet no visit, response by
satisfaction, signals whose meaning changes. Written from the field's description, not from `calibration.simulate`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def areas(
    rng: np.random.Generator, share: float, count: int, mean_answers: int, spread: float, shape: str = "logit"
) -> tuple[IntArray, IntArray, FloatArray]:
    """(satisfied, rated, truth) [count]: rated is Poisson with at least three; truth by `shape`.

    logit: normal on the logit scale with sd `spread`; beta: a beta distribution with sd `spread`; lumps: 15 % of the
    areas lie `spread` lower than the others."""
    rated = 3 + rng.poisson(mean_answers - 3, count)
    if shape == "logit":
        truth = expit(logit(share) + spread * rng.normal(size=count))
    elif shape == "beta":
        size = share * (1 - share) / spread**2 - 1
        truth = rng.beta(share * size, (1 - share) * size, count)
    else:
        truth = np.where(rng.random(count) < 0.15, share - spread, share)
    return rng.binomial(rated, truth), rated, truth
