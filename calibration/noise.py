"""How far the noise of a release can reach: bounds that hold but for a stated probability.

A cell carries discrete Laplace noise, P(X = x) proportional to a^|x| with a = exp(-epsilon), whose moment generating
function is (1 - a)^2 / ((1 - a e^t)(1 - a e^-t)) for |t| < epsilon. Chernoff's bound on a sum S of `cells` such numbers
is P(S >= s) <= min_t MGF(t)^cells e^(-t s).

Sources: Ghosh, Roughgarden, Sundararajan 2012 (the mechanism); Boucheron, Lugosi, Massart 2013, 2.2 (the bound).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from pipeline.errors import StatisticsError
from pipeline.language import Message


@lru_cache(maxsize=4096)  # every message of a box asks for one of a few
def noise_bound(cells: int, epsilon: float, tail: float = 1e-9) -> float:
    """What the noise of a sum of `cells` cells (1 or more) exceeds with a probability of at most `tail` (0 to 1).

    The same bound holds below zero. Raises `StatisticsError` for what is no epsilon, tail or number of cells.

    >>> noise_bound(1, 1.5) < 16 < noise_bound(18, 1.5) < 40
    True
    """
    if cells < 1 or not 0 < tail < 1 or not 0 < epsilon < math.inf:
        raise StatisticsError(
            Message(
                "No bound for {cells} cells at epsilon {epsilon} and tail {tail}.",
                cells=cells,
                epsilon=epsilon,
                tail=tail,
            )
        )
    decay = math.exp(-epsilon)
    t = epsilon * np.linspace(1e-4, 1 - 1e-6, 4_000)
    with np.errstate(divide="ignore"):
        log_mgf = 2 * math.log1p(-decay) - np.log1p(-np.exp(t - epsilon)) - np.log1p(-decay * np.exp(-t))
    return float(np.min((cells * log_mgf - math.log(tail)) / t))
