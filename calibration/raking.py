"""Raking: weights under which a sample has the known margins of its population (age, sex, field, tier), and no answer
counts more than a cap.

Every answer's weight is its base weight times exp(sum over margins of lambda of its category), which is what iterative
proportional fitting converges to; lambda solves the margins' equations, here by Newton's method on the convex dual,
which also holds where weights are capped: w = min(d exp(x'lambda), cap times the mean weight) is calibration by a
truncated distance, and where margins and cap cannot both hold there is an error instead of weights that hold neither.

What the margins explain of a figure is no chance any more: its variance is that of the residuals of the regression of
the answers on the margins' categories by base weights, each residual weighted as raked (linearised). So has it R's
`survey::calibrate` with `calfun = "raking"`; `survey::rake` takes residuals without weights in ten rounds, which is the
same where base weights are equal.

Sources: Deming, Stephan 1940; Deville, Särndal 1992 (case 7: truncated); Deville, Särndal, Sautory 1993; Kish 1992
(effective number of answers); Lumley 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.design import sum_rows
from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
CAP: Final = 5.0
"""Times the mean weight. Uncapped, one answer of a rare kind could weigh more than all others of a day."""
TOLERANCE: Final = 1e-11
"""Largest miss of a margin's category, as a share of the population."""
STEPS: Final = 100
HALVINGS: Final = 25


@dataclass(frozen=True, slots=True)
class Margin:
    """A margin of the population. `category` int64 [rows]: of every answer, a number below len(target). `target`
    float64 [categories] >= 0: people or shares of each; only their proportions matter. `labels`: for errors."""

    name: str
    category: IntArray
    target: FloatArray
    labels: tuple[str, ...]

    @classmethod
    def of(cls, name: str, values: ArrayLike, target: dict[str, float]) -> Margin:
        """From labels [rows] and the population by label. Raises `StatisticsError` for a label not among them."""
        found, row = np.unique(np.asarray(values, dtype=np.str_), return_inverse=True)
        labels = tuple(target)
        unknown = [str(one) for one in found if one not in target]
        if unknown:
            raise StatisticsError(
                Message("The margin '{name}' does not have '{label}', which answers do.", name=name, label=unknown[0])
            )
        place = np.array([labels.index(str(one)) for one in found], dtype=np.int64)
        return cls(name, place[row] if len(place) else row, np.array(list(target.values()), dtype=np.float64), labels)

    def check(self, base: FloatArray) -> None:
        """Raise `StatisticsError` where answers weighing `base` [rows] cannot have this margin."""
        name = self.name
        sizes = (len(self.target), len(self.labels))
        if self.category.shape != base.shape or sizes[0] != sizes[1] or not sizes[0]:
            raise StatisticsError(Message("The margin '{name}' has a category for every answer, and names.", name=name))
        if np.any((self.category < 0) | (self.category >= sizes[0])):
            raise StatisticsError(Message("The margin '{name}' has a category for every answer, and names.", name=name))
        if not np.all(np.isfinite(self.target)) or np.any(self.target < 0) or not self.target.sum() > 0:
            raise StatisticsError(
                Message("The margin '{name}' has counts that are not negative, and not all zero.", name=name)
            )
        seen = np.bincount(self.category, weights=base, minlength=sizes[0]) > 0
        for wrong, text in (
            (~seen & (self.target > 0), Message("The margin '{name}': nobody who answered is '{label}'.")),
            (seen & (self.target == 0), Message("The margin '{name}' has nobody who is '{label}', answers do.")),
        ):
            if wrong.any():
                label = self.labels[int(np.flatnonzero(wrong)[0])]
                raise StatisticsError(
                    text.with_params(name=name, label=label), Message("Take categories together that few answer for.")
                )


@dataclass(frozen=True, slots=True)
class Raked:
    """`weight` float64 [rows], with the sum of the `base` weights [rows]. `free` bool [rows]: below the cap."""

    weight: FloatArray
    base: FloatArray
    free: NDArray[np.bool_]
    margins: tuple[Margin, ...]

    @property
    def n_eff(self) -> float:
        """Answers that as many equal weights would be worth where weights have nothing to do with answers (Kish)."""
        return float(self.weight.sum() ** 2 / np.square(self.weight).sum())

    @property
    def largest(self) -> float:
        """The largest weight over the mean."""
        return float(self.weight.max() * len(self.weight) / self.weight.sum())

    @property
    def capped(self) -> int:
        """Answers at the cap."""
        return int((~self.free).sum())

    def shares(self, margin: Margin) -> FloatArray:
        """[categories] of a margin as weighted: its targets' proportions."""
        found = np.bincount(margin.category, weights=self.weight, minlength=len(margin.target))
        return np.asarray(found / self.weight.sum(), dtype=np.float64)

    def contributions(self, linear: FloatArray) -> FloatArray:
        """[rows, k] what each answer adds to the error of sums of `linear` [rows, k]: the weighted residuals of the
        regression on the margins' categories."""
        places = _places(self.margins)
        size = sum(len(margin.target) for margin in self.margins)
        by_base = self.base[:, None] * linear
        right = np.concatenate([sum_rows(by_base, m.category, len(m.target)) for m in self.margins])
        slope, *_ = np.linalg.lstsq(_crossed(self.margins, self.base, places, size), right, rcond=1e-12)
        fitted = sum(slope[first + m.category] for m, first in zip(self.margins, places, strict=True))
        return np.asarray(self.weight[:, None] * (linear - fitted))


def _places(margins: Sequence[Margin]) -> list[int]:
    """Number of every margin's first category among all."""
    return [sum(len(one.target) for one in margins[:number]) for number in range(len(margins))]


def _crossed(margins: Sequence[Margin], weight: FloatArray, places: Sequence[int], size: int) -> FloatArray:
    """[categories, categories] weights of answers that are in both, over all margins."""
    found = np.zeros((size, size))
    for number, one in enumerate(margins):
        for other_number, other in enumerate(margins[: number + 1]):
            across = len(other.target)
            table = np.bincount(
                one.category * across + other.category, weights=weight, minlength=len(one.target) * across
            )
            table = table.reshape(len(one.target), across)
            rows = slice(places[number], places[number] + len(one.target))
            columns = slice(places[other_number], places[other_number] + across)
            found[rows, columns] = table
            found[columns, rows] = table.T
    return found


def rake(margins: Sequence[Margin], base: ArrayLike, cap: float = CAP) -> Raked:
    """Weights of answers with `base` weights [rows] > 0 under which every margin has its target's proportions, none
    above `cap` times the mean weight.

    Raises `StatisticsError` for margins that do not fit the answers, categories without an answer, margins that
    contradict each other, and a cap under which they cannot be reached."""
    d = np.asarray(base, dtype=np.float64)
    if not margins or d.ndim != 1 or not len(d) or not np.all(np.isfinite(d)) or not np.all(d > 0):
        raise StatisticsError(Message("Raking needs a margin, and answers with weights above zero."))
    if not cap > 1:
        raise StatisticsError(Message("The cap on weights is more than 1 times the mean."))
    for margin in margins:
        margin.check(d)
    total = float(d.sum())
    places = _places(margins)
    size = sum(len(margin.target) for margin in margins)
    target = np.concatenate([margin.target / margin.target.sum() for margin in margins])
    log_d, log_top = np.log(d / total), float(np.log(cap / len(d)))
    lam = np.zeros(size)
    for number, margin in enumerate(margins):
        # the first margin is met at the start: what is left is small
        if not number:
            share = np.bincount(margin.category, weights=d / total, minlength=len(margin.target))
            with np.errstate(divide="ignore"):
                lam[: len(share)] = np.where(share > 0, np.log(margin.target / margin.target.sum() / share), 0.0)
            lam[: len(share)] = np.where(np.isfinite(lam[: len(share)]), lam[: len(share)], 0.0)

    def state(at: FloatArray) -> tuple[FloatArray, NDArray[np.bool_], FloatArray, float]:
        """(weights summing to about 1, below the cap, what each category misses, the dual objective)."""
        log_w = log_d + sum(at[first + m.category] for m, first in zip(margins, places, strict=True))
        free = log_w < log_top
        weight = np.exp(np.minimum(log_w, log_top))
        miss = np.concatenate([np.bincount(m.category, weights=weight, minlength=len(m.target)) for m in margins])
        dual = float((weight * np.where(free, 1.0, 1.0 + log_w - log_top)).sum() - target @ at)
        return weight, free, miss - target, dual

    weight, free, miss, dual = state(lam)
    for _ in range(STEPS):
        if np.abs(miss).max() <= TOLERANCE:
            return Raked(weight / weight.sum() * total, d, free, tuple(margins))
        step, *_ = np.linalg.lstsq(_crossed(margins, np.where(free, weight, 0.0), places, size), miss, rcond=1e-12)
        slope, length = float(miss @ step), 1.0
        for _half in range(HALVINGS):
            after = state(lam - length * step)
            # at the end the objective's own rounding is larger than what is left to gain: then the miss decides
            if after[3] <= dual - 1e-4 * length * slope or np.abs(after[2]).max() < 0.9 * np.abs(miss).max():
                break
            length /= 2
        lam = lam - length * step
        weight, free, miss, dual = after
    raise _unreached(margins, places, miss, float((~free).mean()), cap)


def _unreached(
    margins: Sequence[Margin], places: Sequence[int], miss: FloatArray, capped: float, cap: float
) -> StatisticsError:
    worst = int(np.abs(miss).argmax())
    number = max(n for n, first in enumerate(places) if first <= worst)
    name, label = margins[number].name, margins[number].labels[worst - places[number]]
    if capped > 0:
        what = Message(
            "No weights of at most {cap} times the mean have these margins: '{name}', '{label}' is missed.",
            cap=f"{cap:g}", name=name, label=label,
        )  # fmt: skip
        return StatisticsError(what, Message("Take categories together that few answer for, or raise the cap."))
    return StatisticsError(
        Message("The margins contradict each other in these answers: '{name}', '{label}'.", name=name, label=label),
        Message("Take categories together that few answer for."),
    )
