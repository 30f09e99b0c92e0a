"""The counter's prior of negative, neutral and positive, learnt from pairs of a level and a rating.

A box reads faces, voices and words against a stated prior (`pipeline.fusion.FusionParameters.prior`). Where enough
citizens have rated, the share of negative visits need not be stated: it is the share that was rated *not satisfied*. A
rating does not tell a plain visit from a pleased one, and the level would, but the level was made with the prior: what
is learnt from it would feed on itself. So neutral and positive keep their stated proportion.

    negative = (k + n0 * stated) / (n + n0)      k of n pairs not satisfied; n0 = `STATED_IS_WORTH` pairs

(posterior mean of a binomial share; Gelman et al., Bayesian Data Analysis, 3rd ed., 2.4.) Pairs are enough when the
interval of k / n, the noise of the releases included, is no wider than `MAX_HALF_WIDTH` to each side:

    z^2 (p (1 - p) / n + noise variance / n^2) <= MAX_HALF_WIDTH^2

Solved for n, with p as it is now, this tells how many pairs are needed. Only citizens who rate are counted: where
discontent drives people to rate, the prior is too dark, and no table of pairs can show that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from calibration.intervals import normal_quantile
from calibration.tables import SEEN_LEVELS, EvidenceTable
from pipeline.fusion import MIN_SHARE, FusionParameters
from pipeline.records import Outcome, Shares

MAX_HALF_WIDTH: Final = 0.05
STATED_IS_WORTH: Final = 50.0
"""Pairs that the stated prior is worth."""


@dataclass(frozen=True, slots=True)
class CounterPrior:
    """`prior` of (negative, neutral, positive): learnt where `enough`, else the stated one.

    `pairs`: noisy number of rated visits with a level; `needed`: how many are enough; `negative`: noisy share of those
    not satisfied, with the half width of its 95 % interval (NaN where there are no pairs)."""

    prior: Shares
    pairs: int
    needed: int
    negative: float
    half_width: float

    @property
    def enough(self) -> bool:
        """Whether the prior was learnt."""
        return self.pairs >= self.needed

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`; what does not exist is null."""
        return {
            "prior": dict(zip(("negative", "neutral", "positive"), self.prior, strict=True)),
            "learnt": self.enough,
            "pairs": self.pairs,
            "pairs_needed": self.needed,
            "not_satisfied": None if math.isnan(self.negative) else self.negative,
            "half_width": None if math.isnan(self.half_width) else self.half_width,
        }

    def as_toml(self) -> str:
        """A line for the file of the fusion's parameters (`pipeline.fusion.load_fusion`)."""
        return "prior = [" + ", ".join(f"{share:.6f}" for share in self.prior) + "]\n"


def counter_prior(table: EvidenceTable, stated: Shares | None = None) -> CounterPrior:
    """The prior of the counters whose releases are pooled in `table`; `stated`: default of the fusion."""
    before = stated or FusionParameters().prior
    pairs = table.counts[:SEEN_LEVELS, Outcome.NOT_SATISFIED :].astype(float)
    n, k = float(pairs.sum()), float(table.counts[:SEEN_LEVELS, Outcome.NOT_SATISFIED].sum())
    if n < 1:
        return CounterPrior(before, max(0, round(n)), _needed(before[0], table), math.nan, math.nan)
    share = min(max(k / n, 0.0), 1.0)
    half_width = normal_quantile() * math.sqrt(_variance(share, n, table))
    needed = _needed(share, table)
    if n < needed:
        return CounterPrior(before, round(n), needed, share, half_width)
    negative = (share * n + STATED_IS_WORTH * before[0]) / (n + STATED_IS_WORTH)
    least = MIN_SHARE * (before[1] + before[2]) / min(before[1], before[2])
    negative = min(max(negative, MIN_SHARE), 1.0 - least)
    rest = (1.0 - negative) / (before[1] + before[2])
    return CounterPrior((negative, before[1] * rest, before[2] * rest), round(n), needed, share, half_width)


def _noise(share: float, table: EvidenceTable) -> float:
    """Variance of (k - share * n) from the noise of the cells: a cell's noise counts 1 - share, or -share."""
    return table.cell_variance * SEEN_LEVELS * ((1 - share) ** 2 + share**2)


def _variance(share: float, n: float, table: EvidenceTable) -> float:
    return share * (1 - share) / n + _noise(share, table) / n**2


def _needed(share: float, table: EvidenceTable) -> int:
    """Least n with z^2 (p (1 - p) / n + noise / n^2) <= h^2: the positive root of a quadratic."""
    within = (MAX_HALF_WIDTH / normal_quantile()) ** 2
    spread = max(share * (1 - share), 0.01)  # nobody dissatisfied among three is no proof that nobody is
    root = spread + math.sqrt(spread**2 + 4 * within * _noise(share, table))
    return math.ceil(root / (2 * within))
