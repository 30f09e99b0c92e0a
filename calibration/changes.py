"""Changes between two periods: the difference of two shares, and of many agencies at once.

One difference has Newcombe's interval: the square-and-add of the distances of the two shares' Wilson ends (MOVER), each
at its effective number of answers and its own quantile. It keeps what Wilson's has near 1, where a normal interval of
the difference says a false change up to twice as often as it claims.

Many lines are read together, and the eye goes to the largest. Each is then judged at level^(1 / lines) (Sidak), so that
with probability `level` none of them tells a change that there was not. It holds for independent agencies exactly and,
by Sidak's inequality, for normal estimates with any correlation (factors of the same sheets) at least.

Sources: Newcombe 1998 (method 10); Zou, Donner 2008 (MOVER); Sidak 1967.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.intervals import LEVEL, t_quantile, wilson
from calibration.sequences import share_sequence, sure
from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]


def level_of_each(level: float, lines: int) -> float:
    """The level of each of `lines` intervals that are to hold all at once with `level`."""
    if lines < 1:
        raise StatisticsError(Message("Lines that are judged together: at least one, got {lines}.", lines=lines))
    return float(level ** (1.0 / lines))


def changes(
    now: ArrayLike,
    n_now: ArrayLike,
    before: ArrayLike,
    n_before: ArrayLike,
    *,
    degrees_now: ArrayLike = np.inf,
    degrees_before: ArrayLike = np.inf,
    level: float = LEVEL,
    lines: int = 1,
    watched: bool = False,
    watched_before: bool = False,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(now - before, low, high) [...] of shares in 0..1 at `n_*` [...] effective answers, -1..1.

    `degrees_*`: of freedom behind the effective numbers (infinite: known). `lines`: how many such differences are read
    together. `watched`, `watched_before`: that side is not over, and is looked at day by day (`calibration.sequences`).
    Raises `StatisticsError` for fewer than one line."""
    each = level_of_each(level, lines)
    one, other = np.asarray(now, dtype=np.float64), np.asarray(before, dtype=np.float64)
    (low_now, high_now), (low_before, high_before) = (
        share_sequence(share, sure(n, degrees, each), each) if runs else wilson(share, n, t_quantile(degrees, each))
        for share, n, degrees, runs in (
            (one, n_now, degrees_now, watched),
            (other, n_before, degrees_before, watched_before),
        )
    )
    change = one - other
    low = change - np.hypot(one - low_now, high_before - other)
    high = change + np.hypot(high_now - one, other - low_before)
    return change, np.maximum(low, -1.0), np.minimum(high, 1.0)
