"""What goes with the overall answer: each criterion's share of what all of them together explain of it (not causal).

Criteria hang together, so that a regression's coefficients share what they have in common by accident. LMG (Lindeman,
Merenda, Gold 1980; the Shapley value of R2) averages what a criterion adds over all orders in which the criteria can
come. With C the covariance of (criteria in one order, overall answer) and L its Cholesky factor, the squares of L's
last row are just these additions, so that an order costs one factorisation. Up to six criteria all orders are gone
through; beyond, `ORDERS` drawn ones and each one's reverse.

An agency has few complete sheets, so that its own shares are rough. They are read beside those of the province's other
agencies (Fay and Herriot 1979, `small_areas.py`): the figure of a small agency is mostly the province's mean, and its
interval is as wide as agencies are seen to differ. The sampling variance comes from resampled days, as sheets of one
day hang together; it is pooled over agencies per sheet, so that no agency's own accident decides how far its
figure is believed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.intervals import normal_quantile, t_quantile
from calibration.reasons import Reason, Why
from calibration.small_areas import fay_herriot
from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]
ORDERS: Final = 128
"""Drawn orders of more than six criteria; each one's reverse is taken too."""
EXACT: Final = 6
RESAMPLES: Final = 1000
"""Resampled sets of days, over all agencies together; at least `MIN_RESAMPLES` of each."""
MIN_RESAMPLES: Final = 20
MIN_SHEETS: Final = 100
"""Complete sheets of a province below which nothing is said."""
MIN_OWN: Final = 30
"""Complete sheets of an agency below which its figure is the other agencies' mean."""
MIN_EXPLAINED: Final = 0.05
"""R2 of the province's agencies taken together below which there is nothing to share out."""
MIN_AREAS: Final = 5
"""Agencies with figures of their own below which nothing is borrowed."""
RIDGE: Final = 1e-3
"""Part of its own variance added to each criterion, since one that repeats another makes the matrix singular."""


@dataclass(frozen=True, slots=True)
class Sheets:
    """Complete and incomplete sheets of one agency.

    overall: float64 [n], in any unit; NaN where it was not answered. criteria: float64 [n, k], likewise.
    cluster: int [n], what hangs together (the day)."""

    overall: FloatArray
    criteria: FloatArray
    cluster: NDArray[np.int64]

    @classmethod
    def of(cls, overall: ArrayLike, criteria: ArrayLike, cluster: ArrayLike) -> Sheets:
        """Checked sheets; raises `StatisticsError` where shapes disagree."""
        y, x = np.asarray(overall, dtype=np.float64), np.asarray(criteria, dtype=np.float64)
        days = np.asarray(cluster, dtype=np.int64)
        if y.ndim != 1 or x.ndim != 2 or len(x) != len(y) or days.shape != y.shape:
            raise StatisticsError(Message("Drivers: one overall answer, one row of criteria and one day per sheet."))
        return cls(y, x, days)

    def complete(self) -> Sheets:
        """The sheets in which every criterion and the overall question were answered."""
        kept = np.isfinite(self.overall) & np.isfinite(self.criteria).all(axis=1)
        return Sheets(self.overall[kept], self.criteria[kept], self.cluster[kept])


@dataclass(frozen=True, slots=True)
class Driver:
    """A criterion's share (0..1) of what all criteria together explain of the overall answer, with its interval."""

    name: str
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Drivers:
    """Drivers of one agency, the largest first; their shares sum to one. `reasons` says why there are none."""

    sheets: int
    complete: int
    explained: float
    explained_low: float
    explained_high: float
    """R2 of all criteria together, 0..1, with its interval; NaN where there are no drivers."""
    own_weight: float
    """How much of the figure is the agency's own, 0..1; the rest is the province's."""
    drivers: tuple[Driver, ...]
    reasons: tuple[Reason, ...] = ()

    @property
    def leads(self) -> bool:
        """Whether the first one surely goes with the overall answer more than any other: intervals do not overlap."""
        return len(self.drivers) > 1 and self.drivers[0].low > max(driver.high for driver in self.drivers[1:])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "sheets": self.sheets,
            "complete": self.complete,
            "explained": None if np.isnan(self.explained) else self.explained,
            "own_weight": self.own_weight,
            "drivers": [{"name": d.name, "share": d.share, "low": d.low, "high": d.high} for d in self.drivers],
            "reasons": [str(reason.why) for reason in self.reasons],
        }


def explained_by(covariance: ArrayLike, orders: NDArray[np.int64]) -> FloatArray:
    """What each of k criteria adds to R2, mean over `orders` [m, k]: float64 [..., k], its sum is R2.

    covariance: float64 [..., k + 1, k + 1], positive definite, the overall answer last."""
    c = np.asarray(covariance, dtype=np.float64)
    k = c.shape[-1] - 1
    total = np.zeros((*c.shape[:-2], k))
    for order in orders:
        whole = np.append(order, k)
        factor = np.linalg.cholesky(c[..., whole[:, None], whole])
        total[..., order] += factor[..., k, :k] ** 2
    return np.asarray(total / len(orders) / c[..., k, k][..., None])


def orders_of(k: int, seed: int) -> NDArray[np.int64]:
    """All orders of up to `EXACT` criteria, else `ORDERS` drawn ones and their reverses: int64 [m, k]."""
    if k <= EXACT:
        return np.array(list(itertools.permutations(range(k))), dtype=np.int64)
    rng = np.random.default_rng(seed)
    drawn = np.argsort(rng.random((ORDERS, k)), axis=1)
    return np.concatenate([drawn, drawn[:, ::-1]]).astype(np.int64)


def analyse_drivers(
    sheets: Mapping[str, Sheets], names: Sequence[str], level: float = 0.95, seed: int = 0
) -> dict[str, Drivers]:
    """Drivers by agency; `names` [k] are the criteria's. All agencies' sheets are of one period and instrument.

    Criteria that do not vary in the province are left out (share 0). Raises `StatisticsError` where an agency's
    criteria are not k."""
    k = len(names)
    if any(found.criteria.shape[1] != k for found in sheets.values()):
        raise StatisticsError(Message("Drivers: one overall answer, one row of criteria and one day per sheet."))
    days = {name: Days.of(found.complete()) for name, found in sheets.items()}
    freedom = sum(max(0.0, found.n - 1) for found in days.values())
    pooled = sum((found.scatter() for found in days.values()), np.zeros((k + 1, k + 1))) / max(1.0, freedom)
    kept = np.flatnonzero(np.diag(pooled) > 1e-9)
    if freedom < MIN_SHEETS or len(kept) < 3 or kept[-1] != k:
        few = Reason.of(Why.FEW_SHEETS, sheets=int(sum(found.n for found in days.values())))
        return {name: _nothing(found, days[name], few) for name, found in sheets.items()}
    orders = orders_of(len(kept) - 1, seed)
    pooled = pooled[np.ix_(kept, kept)]
    ridge = np.diag(RIDGE * np.diag(pooled))
    if explained_by(pooled + ridge, orders).sum() < MIN_EXPLAINED:
        return {name: _nothing(found, days[name], Reason.of(Why.NOTHING_EXPLAINED)) for name, found in sheets.items()}

    def figures(scatter: FloatArray, n: float) -> FloatArray:
        """Shares of R2 of the criteria kept, and R2 itself: float64 [..., criteria kept + 1]."""
        added = explained_by(scatter[..., kept[:, None], kept] / n + ridge, orders)
        r2 = added.sum(axis=-1, keepdims=True)
        return np.concatenate([added / r2, r2], axis=-1)

    own = [name for name, found in days.items() if found.n >= MIN_OWN and len(found.counts) > 1]
    rng = np.random.default_rng(seed)
    times = max(MIN_RESAMPLES, RESAMPLES // max(1, len(own)))
    direct = (
        np.stack([figures(days[name].scatter(), days[name].n) for name in own]) if own else np.empty((0, len(kept)))
    )
    per_sheet = np.zeros(len(kept))
    for name in own:
        again = figures(days[name].resampled(rng, times), days[name].n)
        per_sheet += days[name].n * again.var(axis=0, ddof=1)
    per_sheet /= max(1, len(own))
    return {
        name: _drivers(found, days[name], names, kept, place)
        for (name, found), place in zip(
            sheets.items(),
            _places(list(sheets), own, direct, np.array([days[name].n for name in own]), per_sheet, level),
            strict=True,
        )
    }


@dataclass(frozen=True, slots=True)
class Days:
    """Complete sheets of an agency, by day: counts float64 [d], sums [d, k + 1], products [d, k + 1, k + 1]."""

    counts: FloatArray
    sums: FloatArray
    products: FloatArray

    @classmethod
    def of(cls, complete: Sheets) -> Days:
        """Sums by day, about the agency's mean."""
        joint = np.column_stack([complete.criteria, complete.overall])
        joint = joint - joint.mean(axis=0) if len(joint) else joint
        day = np.unique(complete.cluster, return_inverse=True)[1]
        size, width = int(day.max()) + 1 if len(day) else 0, joint.shape[1]
        counts, sums, products = np.zeros(size), np.zeros((size, width)), np.zeros((size, width, width))
        np.add.at(counts, day, 1.0)
        np.add.at(sums, day, joint)
        np.add.at(products, day, joint[:, :, None] * joint[:, None, :])
        return cls(counts, sums, products)

    @property
    def n(self) -> float:
        """Complete sheets."""
        return float(self.counts.sum())

    def scatter(self, weights: FloatArray | None = None) -> FloatArray:
        """Squares and products about the mean [..., k + 1, k + 1]; `weights` [..., d]: how often each day is taken."""
        w = np.ones(len(self.counts)) if weights is None else weights
        n, total = w @ self.counts, w @ self.sums
        about = total[..., :, None] * total[..., None, :] / np.maximum(n, 1.0)[..., None, None]
        return np.asarray(np.tensordot(w, self.products, axes=(-1, 0)) - about)

    def resampled(self, rng: np.random.Generator, times: int) -> FloatArray:
        """`scatter` [times, k + 1, k + 1] of as many days drawn with replacement."""
        d = len(self.counts)
        return self.scatter(rng.multinomial(d, np.full(d, 1 / d), size=times).astype(np.float64))


@dataclass(frozen=True, slots=True)
class _Place:
    """Estimates of one agency, their lower and upper ends [criteria kept + 1] (R2 last), and the own part's weight."""

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    own_weight: float


def _places(
    names: Sequence[str], own: Sequence[str], direct: FloatArray, n: FloatArray, per_sheet: FloatArray, level: float
) -> list[_Place | None]:
    """Each agency's figures: its own beside the others' where at least `MIN_AREAS` have any, else its own alone."""
    found: dict[str, _Place] = {}
    width = len(per_sheet)
    if len(own) < MIN_AREAS:
        for i, name in enumerate(own):
            half = normal_quantile(level) * np.sqrt(per_sheet / n[i])
            found[name] = _Place(direct[i], direct[i] - half, direct[i] + half, 1.0)
        return [found.get(name) for name in names]
    fits = [fay_herriot(direct[:, j], np.maximum(per_sheet[j], 1e-12) / n) for j in range(width)]
    low, high = np.stack([fit.interval(level)[0] for fit in fits]), np.stack([fit.interval(level)[1] for fit in fits])
    for i, name in enumerate(own):
        estimate = np.array([fit.estimate[i] for fit in fits])
        weight = float(np.mean([fit.trust[i] for fit in fits[:-1]]))
        found[name] = _Place(estimate, low[:, i], high[:, i], weight)
    mean = np.array([fit.coefficients[0] for fit in fits])
    error = np.sqrt([fit.model_variance + fit.coefficient_errors[0] ** 2 for fit in fits])
    half = t_quantile(len(own) - 1, level) * error
    others = _Place(mean, mean - half, mean + half, 0.0)
    return [found.get(name, others) for name in names]


def _drivers(found: Sheets, days: Days, names: Sequence[str], kept: NDArray[np.int64], place: _Place | None) -> Drivers:
    """An agency's drivers, shares made to sum to one and intervals cut to 0..1."""
    if place is None:
        return _nothing(found, days, Reason.of(Why.FEW_SHEETS, sheets=int(days.n)))
    share = np.clip(place.estimate[:-1], 0.0, 1.0)
    share = share / share.sum()
    low, high = np.clip(place.low, 0.0, 1.0), np.clip(place.high, 0.0, 1.0)
    at = {int(column): i for i, column in enumerate(kept[:-1])}
    drivers = [
        Driver(name, float(share[at[i]]), float(min(low[at[i]], share[at[i]])), float(max(high[at[i]], share[at[i]])))
        if i in at
        else Driver(name, 0.0, 0.0, 0.0)
        for i, name in enumerate(names)
    ]
    return Drivers(
        sheets=len(found.overall),
        complete=int(days.n),
        explained=float(np.clip(place.estimate[-1], 0.0, 1.0)),
        explained_low=float(low[-1]),
        explained_high=float(high[-1]),
        own_weight=place.own_weight,
        drivers=tuple(sorted(drivers, key=lambda driver: -driver.share)),
    )


def _nothing(found: Sheets, days: Days, reason: Reason) -> Drivers:
    nan = float("nan")
    return Drivers(len(found.overall), int(days.n), nan, nan, nan, 0.0, (), (reason,))
