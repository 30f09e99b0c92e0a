"""Figures that may be looked at every day: confidence sequences for shares, e-values for drift.

A 95 % interval that is looked at daily is wrong at some look far more often than once in twenty. A confidence sequence
holds at all looks at once: whatever the day on which somebody acts on it, it was wrong there with at most 5 %.

*Shares.* Robbins' mixture: under share p the likelihood ratio of a beta mixture against p,

    M_n(p) = B(a + k, b + n - k) / B(a, b) / (p^k (1 - p)^(n - k)),

is a martingale that starts at 1, so it ever reaches 1 / alpha with probability alpha at most (Ville). The sequence is
the set of p where it has not. The mixture is fixed beforehand (`MIXTURE`, a share about .8 worth five answers): it
costs nothing in validity and is narrow where satisfaction usually lies. Where answers hang together, k and n are
divided by the design effect: then it holds as far as the effect does, as with every interval here.

*Drift.* A p-value becomes an e-value by the calibrator (1 - p + p ln p) / (p ln^2 p), which bets on all powers of p at
once; e-values of many agencies may be averaged whatever their dependence; month by month they are added up by
Shiryaev and Roberts' rule R_t = (1 + R_{t-1}) e_t, whose time to reach c is at least c months on average if nothing
drifts, by no approximation (an e-detector).

Sources: Robbins 1970; Ville 1939; Howard, Ramdas, McAuliffe, Sekhon 2021; Waudby-Smith, Ramdas 2024 (the beta-binomial
mixture beside betting); Vovk, Wang 2021 (calibrators, averages); Shin, Ramdas, Rinaldo 2024 (e-detectors).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, xlog1py, xlogy

from calibration.intervals import LEVEL, normal_quantile, t_quantile, wilson

FloatArray = NDArray[np.float64]
MIXTURE: Final = (4.0, 1.0)
"""a, b of the beta mixture."""
HALVINGS: Final = 60


def share_sequence(
    share: ArrayLike, n_eff: ArrayLike, level: float = LEVEL, mixture: tuple[float, float] = MIXTURE
) -> tuple[FloatArray, FloatArray]:
    """(low, high) [...] of the confidence sequence for `share` [...] in 0..1 at `n_eff` [...] >= 0 answers so far.

    Nothing answered: the whole scale. It always holds the share itself."""
    p, n = np.broadcast_arrays(
        np.clip(np.asarray(share, dtype=np.float64), 0.0, 1.0), np.maximum(np.asarray(n_eff, dtype=np.float64), 0.0)
    )
    a, b = mixture
    good, bad = p * n, (1 - p) * n
    # the set: k ln q + (n - k) ln(1 - q) > limit; the left side rises to q = k / n and falls after it
    limit = betaln(a + good, b + bad) - betaln(a, b) + np.log1p(-level)

    def end(outside: FloatArray) -> FloatArray:
        inside = p.copy()
        for _ in range(HALVINGS):
            middle = (inside + outside) / 2
            within = xlogy(good, middle) + xlog1py(bad, -middle) > limit
            inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
        return np.asarray(outside)

    low, high = end(np.zeros_like(p)), end(np.ones_like(p))
    return np.where(n > 0, np.minimum(low, p), 0.0), np.where(n > 0, np.maximum(high, p), 1.0)


def sure(n_eff: ArrayLike, degrees: ArrayLike, level: float = LEVEL) -> FloatArray:
    """`n_eff` [...] answers known with `degrees` [...] of freedom, as so many that are known for sure: fewer by the
    square of Student's quantile over the normal one."""
    return np.asarray(np.asarray(n_eff) * np.square(normal_quantile(level) / t_quantile(degrees, level)))


def at_every_look(share: ArrayLike, n_eff: ArrayLike, level: float = LEVEL) -> FloatArray:
    """`n_eff` [...] answers as so many as whose plain interval is as wide as the sequence of `share` [...]: for what is
    made of errors and not of intervals (ranks, means) and is looked at day by day."""
    (low, high), (plain_low, plain_high) = share_sequence(share, n_eff, level), wilson(share, n_eff, level=level)
    return np.asarray(np.asarray(n_eff) * np.square(np.minimum((plain_high - plain_low) / (high - low), 1.0)))


def e_value(p_value: ArrayLike) -> FloatArray:
    """Evidence against chance [...] of p-values [...] in 0..1: 1 is none, its mean over chance is at most 1."""
    p = np.clip(np.asarray(p_value, dtype=np.float64), 1e-300, 1.0)
    log = np.log(p)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (1.0 - p + p * log) / (p * log**2)
    # at p = 1 the limit is 1/2, and near it the formula loses its digits
    return np.asarray(np.where(p > 1 - 1e-4, 0.5, value))


def evidence_of_change(e_values: Iterable[float]) -> list[float]:
    """Shiryaev and Roberts' sum after each of the monthly `e_values`, oldest first. Where nothing changes it reaches c
    for the first time after c months or more, on average."""
    found, course = 0.0, []
    for value in e_values:
        found = (1.0 + found) * value
        course.append(found)
    return course
