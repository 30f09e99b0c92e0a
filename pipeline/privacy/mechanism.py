"""The noise: discrete Laplace on integers, by OpenDP, from the operating system's generator; there is no seed.

One visit adds one to exactly one cell, so the L1 sensitivity under add/remove of a visit is 1, and noise of scale
1/epsilon on every cell of the fixed grid gives pure epsilon-differential privacy (Ghosh, Roughgarden, Sundararajan
2009; sampled exactly as in Canonne, Kamath, Steinke 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from pipeline.errors import BudgetError
from pipeline.language import Message

CELL_LIMIT = 1_000_000
"""Bound of `pipeline.wire.Cell`; clamping a noisy value is post-processing."""


class Mechanism(Protocol):
    """Adds noise to a vector of counts. The audits put a deliberately wrong one in place to see that it is caught."""

    def release(self, counts: Sequence[int]) -> tuple[int, ...]:
        """Noisy counts; drawn anew at every call, so call it once per period."""


class DiscreteLaplace:
    """P(noise = k) proportional to exp(-epsilon |k|), independently per cell. `epsilon_milli`: thousandths, 1..20000.

    Raises `BudgetError` where OpenDP's own map of this measurement says that it costs more than epsilon."""

    def __init__(self, epsilon_milli: int) -> None:
        # Not `opendp.prelude`, which imports scikit-learn and pandas where they are installed.
        from opendp.domains import atom_domain, vector_domain
        from opendp.measurements import make_laplace
        from opendp.metrics import l1_distance
        from opendp.mod import enable_features

        if not 1 <= epsilon_milli <= 20_000:
            raise BudgetError(
                Message("An epsilon must lie between 0.001 and 20."),
                Message("Check the [privacy] table of the configuration."),
            )
        enable_features("contrib")
        epsilon = epsilon_milli / 1_000
        scale = 1.0 / epsilon
        for _ in range(8):  # 1/epsilon may round down: then the map says a hair too much
            self._measurement = make_laplace(vector_domain(atom_domain(T=int)), l1_distance(T=int), scale=scale)
            if float(self._measurement.map(1)) <= epsilon:  # type: ignore[no-untyped-call]
                break
            scale = math.nextafter(scale, math.inf)
        else:
            raise BudgetError(
                Message("The noise would cost more than its epsilon."),
                Message("This is a defect: report it; nothing was released."),
            )
        self.epsilon_milli = epsilon_milli

    def release(self, counts: Sequence[int]) -> tuple[int, ...]:
        """Noisy counts, clamped to the wire's range."""
        noisy = self._measurement([int(count) for count in counts])
        return tuple(max(-CELL_LIMIT, min(CELL_LIMIT, int(value))) for value in noisy)


def noise_variance(epsilon: float) -> float:
    """Variance of discrete Laplace noise of one cell: 2 e^-eps / (1 - e^-eps)^2."""
    return 2.0 * math.exp(-epsilon) / (-math.expm1(-epsilon)) ** 2
