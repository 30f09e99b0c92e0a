"""Time and memory of every estimator against the number of agencies: a province, ten provinces, the nation.

Each is run on the same kind of figures for 26, 300 and 3,000 agencies; the exponent is that of a power law between the
last two. Time is the least of a few runs; memory is the peak that a run adds to what it was given, by tracemalloc
(which sees numpy's arrays), in a run of its own as counting slows it down.
"""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from calibration.agreement import index_agreement
from calibration.analysis import analyze
from calibration.areas_over_time import areas_over_time
from calibration.before_after import before_after
from calibration.call_back import corrected
from calibration.changes import changes
from calibration.curves import group_curves
from calibration.design import Design, Weights
from calibration.drift import detect_drift
from calibration.drivers import Sheets, analyse_drivers
from calibration.mode_effects import mode_effects
from calibration.months import AgencyMonth
from calibration.raking import Margin, rake
from calibration.ranks import marginal_rank_set, rank_shares, smoothed_error
from calibration.sampling import PlanSettings, draw_plan
from calibration.sequences import share_sequence
from calibration.simulate import Scenario, simulate_province
from calibration.small_areas import fay_herriot, pooled_variances, small_area_estimates
from calibration.survey_shares import Answers, days_of, place_shares

AGENCIES: Final = (26, 300, 3000)
MIN_AGENCIES: Final = 11
"""Of which three in four, as controls, are the eight that a comparison before and after needs."""
DAYS: Final = 22
FIGURES: Final = 8
GROUPS: Final = 3
SECONDS: Final = 0.3
"""A run that takes less is repeated up to this long,"""
RUNS: Final = 3
"""and so often at least, up to ten times as long: one run beside other work says little."""
MOST: Final = 1.1
"""Exponent of time that is aimed at."""


def _sheets(rng: np.random.Generator, agencies: int) -> tuple[Answers, Any]:
    """Three rows of sheets of every agency and day, by three channels, with a plan's chances; and their channels."""
    rows = agencies * DAYS * GROUPS
    stratum, day = np.repeat(np.arange(agencies), DAYS * GROUPS), np.tile(np.repeat(np.arange(DAYS), GROUPS), agencies)
    channel = np.array(["online", "paper", "tablet"])[rng.integers(0, 3, rows)]
    valid = rng.integers(1, 5, (rows, FIGURES)).astype(np.float64)
    satisfied = rng.binomial(valid.astype(np.int64), 0.85).astype(np.float64)
    cell = stratum * GROUPS + np.tile(np.arange(GROUPS), agencies * DAYS)
    size = rng.integers(200, 5000, agencies * GROUPS).astype(np.float64)
    chance = np.repeat(rng.uniform(0.3, 1.0, agencies), GROUPS)
    unit = np.repeat(np.arange(agencies), GROUPS)
    weights = Weights(cell, size, chance, unit, unit % 3)
    return Answers(satisfied, valid, valid.max(axis=1), Design(day, stratum, weights)), channel


def _months(agencies: int, seed: int) -> list[AgencyMonth]:
    """Four months of so many agencies, all of one group: provinces of 26 of which no two are alike."""
    return [
        replace(
            month,
            agency=f"{month.agency}/{part}",
            shared_tables=tuple(replace(table, box=f"{table.box}/{part}") for table in month.shared_tables),
        )
        for part in range(-(-agencies // 26))
        for month in simulate_province(Scenario(agencies=26, months=4, visits=(300, 900), seed=seed + part)).months
        if int(month.agency[-2:]) + 26 * part <= agencies
    ]


def _estimators(agencies: int, seed: int) -> dict[str, Callable[[], object]]:
    """Every estimator, ready to run on figures of `agencies` agencies."""
    rng = np.random.default_rng(seed)
    answers, channel = _sheets(rng, agencies)
    place, combine, days = answers.design.stratum, np.eye(FIGURES), days_of(answers)
    rated = rng.integers(15, 400, agencies)
    satisfied = rng.binomial(rated, rng.beta(17, 3, agencies))
    share, psi = pooled_variances(satisfied, rated)
    covariate = np.stack([np.ones(agencies), share + rng.normal(0, 0.03, agencies)], axis=1)
    names = [str(number) for number in range(agencies)]
    months = _months(agencies, seed)
    period = months[-1].period
    frame = {(agency, group): int(n) for agency in range(agencies) for group, n in enumerate(rng.integers(50, 900, 3))}
    curves = group_curves(months, period)
    margins = [
        Margin(name, part, np.arange(1.0, 1 + count), tuple(map(str, range(count))))
        for name, part, count in (("tier", place % 2, 2), ("field", answers.design.cluster % 11, 11))
    ]
    quarters = rng.binomial(rated[:, None], share[:, None], (agencies, 8))
    over_time = np.repeat(rated[:, None], 8, axis=1)
    reached = np.full(agencies, 10)
    called_back = rng.binomial(reached, 0.7)
    sheets = {
        name: Sheets.of(np.rint(row[:, 0]), np.rint(row[:, 1:]), np.arange(60) % DAYS)
        for name, row in zip(names, rng.normal(4, 0.8, (agencies, 60, FIGURES + 1)), strict=True)
    }
    return {
        "index of every agency": lambda: place_shares(answers.unweighted(), place, agencies, combine, days),
        "weighted index of every agency": lambda: place_shares(answers, place, agencies, combine, days),
        "correlation of days": lambda: days_of(answers),
        "effects of channels": lambda: mode_effects(answers, channel),
        "rank sets": lambda: rank_shares(share, rated, names),
        "ranks of one agency": lambda: marginal_rank_set(share, smoothed_error(share, rated), names, 0),
        "raking to tier and field": lambda: rake(margins, np.ones(len(place))),
        "small areas": lambda: small_area_estimates(satisfied, rated, names),
        "Fay-Herriot": lambda: fay_herriot(share, psi, covariate),
        "changes": lambda: changes(share, rated, share, rated, lines=agencies),
        "curves": lambda: group_curves(months, period),
        "fused estimates (analyze)": lambda: analyze(months, period=period),
        "drift": lambda: detect_drift(months, period, curves),
        "agreement of indices": lambda: index_agreement(names, share, covariate[:, 1], psi, psi),
        "areas over time": lambda: areas_over_time(quarters, over_time),
        "before and after": lambda: before_after(quarters, over_time, np.arange(agencies) % 4 == 0, 4),
        "call-back": lambda: corrected(2 * rated, satisfied, rated, called_back, reached),
        "live sequences": lambda: share_sequence(satisfied / rated, rated),
        "drivers": lambda: analyse_drivers(sheets, tuple(map(str, range(FIGURES)))),
        "draw of a plan": lambda: draw_plan(frame, dict.fromkeys(range(agencies), "x"), PlanSettings("2026", seed)),
    }


def _seconds(run: Callable[[], object], at_least: float) -> float:
    """Processor time of the fastest of several runs: waiting for a busy machine is no part of it."""
    best, spent, runs = math.inf, 0.0, 0
    while spent < at_least or (runs < RUNS and spent < 10 * at_least):
        started = time.process_time()
        run()
        taken = time.process_time() - started
        best, spent, runs = min(best, taken), spent + taken, runs + 1
    return best


def _peak_mib(run: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def measure(
    sizes: tuple[int, ...] = AGENCIES,
    seed: int = 2026,
    at_least: float = SECONDS,
    say: Callable[[str], None] = lambda line: None,
) -> list[dict[str, Any]]:
    """One row per estimator: seconds and MiB at every size, exponents of both between the last two (ascending) sizes.

    `say` is told of each estimator as it is done, for the whole takes minutes."""
    found: dict[str, dict[str, Any]] = {}
    for agencies in sizes:
        for name, run in _estimators(agencies, seed).items():
            row = found.setdefault(name, {"estimator": name, "seconds": {}, "mib": {}})
            row["seconds"][agencies], row["mib"][agencies] = _seconds(run, at_least), _peak_mib(run)
            say(
                f"{agencies:>6} agencies  {name:<32}{row['seconds'][agencies]:>10.4f} s{row['mib'][agencies]:>9.1f} MiB"
            )
    for row in found.values():
        for what in ("seconds", "mib"):
            small, large = (row[what][size] for size in sizes[-2:])
            row[f"{what}_exponent"] = math.log(large / small) / math.log(sizes[-1] / sizes[-2])
    return list(found.values())


def as_table(rows: list[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    sizes = list(rows[0]["seconds"])
    lines = ["agencies".ljust(32) + "".join(f"{size:>9} s {size:>8} MiB" for size in sizes) + "   exponents"]
    for row in rows:
        cells = "".join(f"{row['seconds'][size]:>11.4f} {row['mib'][size]:>12.1f}" for size in sizes)
        lines.append(f"{row['estimator']:<32}{cells}   {row['seconds_exponent']:.2f}  {row['mib_exponent']:.2f}")
    return "\n".join(lines)
