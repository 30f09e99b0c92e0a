"""What the noise costs, simulated on the grid that is really released, and the recommendation that follows from it.

One agency-month: a share of visits is satisfied, each visit has a level or is abstained, some citizens rate. The
explicit index is the mean of the ratings; the fused one is the control-variate (PPI++) estimate with the response
curve known and lambda tuned with the noise known (Angelopoulos, Duchi, Zrnic 2023), from noisy 6 x 3 tables and exact
ratings. All figures are public planning figures; nothing here sees live data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.language import Message
from pipeline.privacy.mechanism import noise_variance
from pipeline.privacy.policy import PulsePeriod

LEVEL_SHARES = (0.10, 0.15, 0.25, 0.30, 0.20)
"""Distribution over the five levels of the visits that have one: a planning assumption, stated with every result."""
TOTAL_EPSILON = 2.0
PULSE_EPSILON = 0.5
PULSE_TOLERANCE = 0.05
"""A pulse is worth its epsilon where noise moves a share of its window by no more than this (root mean square)."""
EVIDENCE_STEPS = (1.0, 1.5, 2.0)
"""Not below 1: the simulation takes the response curve as known, and corrections by level (lambda = 1) pay the noise
in full."""
EVIDENCE_TOLERANCE = 0.02
"""The least epsilon is taken whose ratio of mean squared errors comes this near to the ratio without noise."""
HOURS_PER_DAY = 8
_PULSE_HOURS = {PulsePeriod.HOUR: 1, PulsePeriod.FOUR_HOURS: 4, PulsePeriod.DAY: HOURS_PER_DAY}


@dataclass(frozen=True, slots=True)
class Figures:
    """Public planning figures of one agency. `visits_per_day`: of each box, all its counters together."""

    visits_per_day: float
    counters: int = 1
    response: float = 0.15
    boxes: int = 1
    days: int = 22
    satisfied: float = 0.83
    rho: float = 0.6
    """Correlation between the stated satisfaction and its best prediction from the level."""
    abstained: float = 0.1
    runs: int = 4_000
    seed: int = 20_200_101

    @property
    def visits(self) -> int:
        """Visits of the agency's boxes in a month."""
        return round(self.visits_per_day * self.days * self.boxes)


@dataclass(frozen=True, slots=True)
class ScoreError:
    """Errors of the agency's index in points of 100, and the ratio of mean squared errors with its Monte Carlo
    standard error."""

    explicit_points: float
    fused_points: float
    ratio: float
    ratio_error: float


def response_curve(figures: Figures) -> NDArray[np.float64]:
    """P(satisfied | level), float64 [5] in (0, 1): logistic in the level, with the given mean and correlation.

    Raises `ConfigError` where no such curve exists."""
    shares, level = np.array(LEVEL_SHARES), np.arange(5) - 2.0

    def curve(slope: float) -> NDArray[np.float64]:
        low, high = -60.0, 60.0
        for _ in range(80):
            middle = (low + high) / 2
            values = 1.0 / (1.0 + np.exp(-np.clip(middle + slope * level, -700, 700)))
            low, high = (middle, high) if float(shares @ values) < figures.satisfied else (low, middle)
        return np.asarray(values, dtype=np.float64)

    def correlation(values: NDArray[np.float64]) -> float:
        mean = float(shares @ values)
        return math.sqrt(float(shares @ (values - mean) ** 2) / (mean * (1.0 - mean)))

    low, high = 0.0, 30.0
    if correlation(curve(high)) < figures.rho:
        raise ConfigError(Message("No response curve has so high a correlation."), Message("Plan with a lower --rho."))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if correlation(curve(middle)) < figures.rho else (low, middle)
    return curve(high)


def cell_probabilities(figures: Figures, curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(level, outcome), float64 [6, 3]; the answer is independent of the level given satisfaction (response at
    random)."""
    shares = np.append(np.array(LEVEL_SHARES) * (1.0 - figures.abstained), figures.abstained)
    satisfied = np.append(curve, figures.satisfied)
    rated = figures.response
    return np.stack([shares * (1 - rated), shares * rated * (1 - satisfied), shares * rated * satisfied], axis=1)


def score_error(figures: Figures, epsilon: float | None, tables: int = 1) -> ScoreError:
    """Simulate `figures.runs` agency-months whose 6 x 3 grid is released as `tables` noisy tables in all (boxes x
    windows); None: no noise.

    Raises `ConfigError` where fewer than two ratings a month are to be expected."""
    expected = figures.visits * figures.response
    if expected < 2:
        raise ConfigError(
            Message("Fewer than two ratings a month are to be expected."),
            Message("Plan for a longer period or more counters."),
        )
    rng = np.random.default_rng(figures.seed)
    curve = response_curve(figures)
    probabilities = cell_probabilities(figures, curve)
    counts = (
        rng.multinomial(figures.visits, probabilities.ravel(), size=figures.runs).reshape(-1, 6, 3).astype(np.float64)
    )
    ratings = counts[:, :, 1:].sum(axis=1)
    n_rated = np.maximum(ratings.sum(axis=1), 1.0)
    explicit = ratings[:, 1] / n_rated

    variance = 0.0
    if epsilon is not None:
        # The sum of k independent discrete Laplace draws is the difference of two negative binomials.
        success = -math.expm1(-epsilon)
        shape = counts.shape
        counts += rng.negative_binomial(tables, success, shape) - rng.negative_binomial(tables, success, shape)
        variance = tables * noise_variance(epsilon)
    centred = curve - figures.satisfied
    levels = counts[:, :5]
    n_all = np.maximum(levels.sum(axis=(1, 2)), 1.0)
    n_seen = n_rated * (1.0 - figures.abstained)  # ratings are exact; the share of them with a level is planned
    mean_all = levels.sum(axis=2) @ centred / n_all
    mean_rated = levels[:, :, 1:].sum(axis=2) @ centred / n_seen
    difference = mean_all - mean_rated

    seen, all_seen = expected * (1 - figures.abstained), figures.visits * (1 - figures.abstained)
    curve_variance = float(np.array(LEVEL_SHARES) @ centred**2)
    gap = 1.0 / seen - 1.0 / all_seen
    spread = float((centred**2).sum()) * variance * (1.0 / all_seen**2 + 2.0 * gap**2)
    covariance = gap * curve_variance * (1.0 - figures.abstained)  # only rated visits with a level move both
    weight = covariance / (gap * curve_variance + spread)
    fused = explicit + weight * difference

    explicit_square = (explicit - figures.satisfied) ** 2
    fused_square = (fused - figures.satisfied) ** 2
    ratio = float(fused_square.mean() / explicit_square.mean())
    residual = fused_square - ratio * explicit_square
    error = float(residual.std(ddof=1) / math.sqrt(figures.runs) / explicit_square.mean())
    root = math.sqrt
    return ScoreError(100 * root(explicit_square.mean()), 100 * root(fused_square.mean()), ratio, error)


def pulse_error(figures: Figures, period: PulsePeriod, epsilon: float) -> float:
    """Root mean square error, by noise alone, of the share of high levels among all visits of one box's window
    (0..1)."""
    rng = np.random.default_rng(figures.seed)
    visits = figures.visits_per_day * _PULSE_HOURS[period] / HOURS_PER_DAY
    shares = np.array(LEVEL_SHARES)
    cells = (1 - figures.abstained) * np.array([shares[:2].sum(), shares[2], shares[3:].sum()])
    counts = rng.poisson(visits * np.append(cells, figures.abstained), size=(figures.runs, 4)).astype(np.float64)
    success = -math.expm1(-epsilon)
    noisy = counts + rng.geometric(success, counts.shape) - rng.geometric(success, counts.shape)

    def share(table: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.clip(table[:, 2] / np.maximum(table.sum(axis=1), 1.0), 0.0, 1.0))

    return math.sqrt(float(((share(noisy) - share(counts)) ** 2).mean()))


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to write into `[privacy]`, and what it costs. `pulse`: None for none."""

    pulse: PulsePeriod | None
    pulse_epsilon: float
    evidence_epsilon: float
    pulse_errors: dict[PulsePeriod, float]
    evidence_errors: dict[float, ScoreError]
    no_noise: ScoreError

    @property
    def chosen(self) -> ScoreError:
        """Error of the score under the recommended epsilon."""
        return self.evidence_errors[self.evidence_epsilon]


def recommend(figures: Figures) -> Recommendation:
    """The shortest pulse window whose error is tolerable, or none; and the least evidence epsilon that is as good as
    no noise, within the budget."""
    errors = {period: pulse_error(figures, period, PULSE_EPSILON) for period in PulsePeriod}
    pulse = next((period for period in PulsePeriod if errors[period] <= PULSE_TOLERANCE), None)
    pulse_epsilon = PULSE_EPSILON if pulse else 0.0
    free = score_error(figures, None)
    steps = [step for step in EVIDENCE_STEPS if step <= TOTAL_EPSILON - pulse_epsilon]
    scores = {step: score_error(figures, step, figures.boxes) for step in steps}
    evidence = next((step for step in steps if scores[step].ratio <= free.ratio + EVIDENCE_TOLERANCE), steps[-1])
    return Recommendation(pulse, pulse_epsilon, evidence, errors, scores, free)
