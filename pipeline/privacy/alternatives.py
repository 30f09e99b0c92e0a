"""Other mechanisms at the same guarantee per visit, by the variance of what the score is made from (ADR 0005).

Closed forms, checked against the simulation of `pipeline.privacy.plan` for the table. g is the centred response
curve, N visits with a level, n of them rated; the fused index adds lambda * D with D = mean_N(g) - mean_n(g), and the
ratio of mean squared errors is 1 - cov^2 / (var(D) * var(explicit)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.language import Message, Number
from pipeline.privacy.mechanism import noise_variance
from pipeline.privacy.plan import LEVEL_SHARES, Figures, response_curve

GAUSSIAN_DELTA = 1e-6


@dataclass(frozen=True, slots=True)
class Alternative:
    """One mechanism: variance of one released number, and the expected ratio of mean squared errors of the score."""

    name: Message
    number_variance: float
    ratio: float
    remark: Message


def alternatives(figures: Figures, epsilon: float) -> list[Alternative]:
    """The table as released, and what else could be released with the same epsilon per visit."""
    curve = response_curve(figures)
    shares = np.array(LEVEL_SHARES)
    seen = figures.visits * (1 - figures.abstained)
    per_box = figures.visits / figures.boxes
    rated = seen * figures.response
    near, far = 1 / seen, 1 / rated - 1 / seen

    def ratio(values: np.ndarray, weights: np.ndarray, spread: float) -> float:
        curve_variance = float(weights @ (values - weights @ values) ** 2)
        covariance = far * curve_variance * (1 - figures.abstained)
        explicit = figures.satisfied * (1 - figures.satisfied) / (figures.visits * figures.response)
        return 1 - covariance**2 / ((far * curve_variance + spread) * explicit)

    def by_cell(values: np.ndarray, variance: float) -> float:
        centred = values - figures.satisfied
        return float((centred**2).sum()) * variance * (near**2 + 2 * far**2)

    cell = noise_variance(epsilon)
    groups = np.array([shares[:2].sum(), shares[2], shares[3:].sum()])
    coarse = np.array([shares[:2] @ curve[:2], shares[2] * curve[2], shares[3:] @ curve[3:]]) / groups
    reach = float(np.abs(curve - figures.satisfied).max())
    part = 0.9  # of epsilon for the sums, the rest for the counts of visits with a level
    sums = 2 * (reach / (part * epsilon)) ** 2 * figures.boxes
    keep = math.exp(epsilon) / (math.exp(epsilon) + 17)
    other = (1 - keep) / 17
    response = figures.visits * other * (1 - other) / (keep - other) ** 2
    rho = (math.sqrt(math.log(1 / GAUSSIAN_DELTA) + epsilon) - math.sqrt(math.log(1 / GAUSSIAN_DELTA))) ** 2
    gaussian = 1 / (2 * rho)
    after = cell * figures.boxes
    return [
        Alternative(
            Message("table 6 x 3 per box"), cell, ratio(curve, shares, by_cell(curve, after)), Message("released")
        ),
        Alternative(
            Message("table 6 x 3, boxes pooled before noise"),
            cell,
            ratio(curve, shares, by_cell(curve, cell)),
            Message("one box for several counters does this without a network path for counts that have no noise"),
        ),
        Alternative(
            Message("table 4 x 3 per box"),
            cell,
            ratio(coarse, groups, by_cell(coarse, after)),
            Message("levels merged to low, middle, high"),
        ),
        Alternative(
            Message("sums of a score, rated and not"),
            sums / figures.boxes,
            ratio(curve, shares, sums * (near**2 + far**2)),
            Message(
                "the curve must be known beforehand: it cannot be learnt, checked for drift, nor used for correction "
                "by level"
            ),
        ),
        Alternative(
            Message("Gaussian, zCDP"),
            gaussian,
            ratio(curve, shares, by_cell(curve, gaussian * figures.boxes)),
            Message(
                "(epsilon, {delta}) only, which is weaker; a visit is in one table, so there is nothing to compose",
                delta=f"{GAUSSIAN_DELTA:g}",
            ),
        ),
        Alternative(
            Message("randomised response at each visit"),
            response,
            ratio(curve, shares, by_cell(curve, response)),
            Message(
                "no trust in the box's memory needed; {visits} visits a box are far too few", visits=Number(per_box)
            ),
        ),
    ]
