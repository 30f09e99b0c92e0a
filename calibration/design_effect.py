"""The design effect of the explicit mean, from dated ratings: visits of one day (and counter) resemble each other.

ANOVA estimator of the intraclass correlation from cluster counts (n_i, k_i); the design effect of the mean is
1 + (m - 1) ICC with m = sum n_i^2 / n, never below 1; the degrees of freedom are those of the clusters. Monthly tables
have lost day and counter, so this is the only place where clustering can be seen; only dependence within the given
clusters is. Counters are seen as fixed (the agency has those counters) unless ratings carry the counter.

Sources: Kish 1965; Donner 1986 (ANOVA estimator for proportions); Rao, Scott 1992. Broadcasts over leading axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
FEW_CLUSTERS: Final = 6
"""Below so many clusters their degrees of freedom count even where no correlation shows: it could hardly show."""


@dataclass(frozen=True, slots=True)
class DesignEffect:
    """float64 [...] each: design effect >= 1, intraclass correlation, degrees of freedom >= 1, clusters."""

    value: FloatArray
    icc: FloatArray
    degrees: FloatArray
    clusters: FloatArray

    @classmethod
    def none(cls, n: ArrayLike) -> DesignEffect:
        """Of `n` [...] ratings that do not hang together."""
        rated = np.asarray(n, dtype=np.float64)
        return cls(np.ones_like(rated), np.zeros_like(rated), np.maximum(rated - 1.0, 1.0), rated)

    def at(self, place: int) -> DesignEffect:
        """Of one element."""
        return DesignEffect(self.value[place], self.icc[place], self.degrees[place], self.clusters[place])

    def times(self, factor: float) -> DesignEffect:
        """With unequal weights on top, which multiply the variance by `factor`; never below 1."""
        return replace(self, value=np.maximum(self.value * factor, 1.0))


def design_effect_arrays(rated: ArrayLike, satisfied: ArrayLike) -> DesignEffect:
    """From clusters' `rated` and `satisfied` [..., clusters]; empty clusters count for nothing.

    Fewer than two clusters, or no cluster with two ratings: the effect cannot be estimated and is 1."""
    n_i = np.asarray(rated, dtype=np.float64)
    k_i = np.asarray(satisfied, dtype=np.float64)
    n = n_i.sum(axis=-1)
    clusters = (n_i > 0).sum(axis=-1).astype(np.float64)
    n_safe = np.maximum(n, 1.0)
    p = k_i.sum(axis=-1) / n_safe
    p_i = np.divide(k_i, n_i, out=np.zeros_like(k_i), where=n_i > 0)
    between = (n_i * (p_i - p[..., None]) ** 2).sum(axis=-1) / np.maximum(clusters - 1, 1.0)
    within = (n_i * p_i * (1 - p_i)).sum(axis=-1) / np.maximum(n - clusters, 1.0)
    size = (n_safe - (n_i**2).sum(axis=-1) / n_safe) / np.maximum(clusters - 1, 1.0)
    denominator = between + (size - 1.0) * within
    icc = np.where(denominator > 0, (between - within) / np.where(denominator > 0, denominator, 1.0), 0.0)
    known = (clusters >= 2) & (n > clusters)
    icc = np.where(known, np.clip(icc, 0.0, 1.0), 0.0)
    mean_size = (n_i**2).sum(axis=-1) / n_safe
    value = 1.0 + np.maximum(mean_size - 1.0, 0.0) * icc
    few = known & (clusters < FEW_CLUSTERS) & (n > 2 * clusters)
    value = np.where(few, np.maximum(value, 1.0 + 1e-9), value)
    degrees = np.where((icc > 0) | few, np.maximum(clusters - 1.0, 1.0), np.maximum(n - 1.0, 1.0))
    return DesignEffect(value, icc, degrees, clusters)
