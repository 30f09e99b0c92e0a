"""Tables of `hailong bench statistics` on a generator that shares no assumption with the estimators.

`benchmarks.foreign` draws 0/1 answers of visits, days, agencies and communes; each table is what one procedure, as the
server runs it, makes of many of them. Every figure has its Monte Carlo error beside it (`..._error`), from the
replications themselves: provinces, or agencies, or months, whichever are independent of one another.

  small_areas   communes of 15 answers in one quarter: `hierarchical_shares`
  days          five counters that have their bad days together: the official index's interval, and the fused one
  unmet         ratings of which some met no visit: what the signal is said to save, and what it saves
  plan          agencies drawn by size: the weighted figure of the province
  stale_curve   a curve that dies: whether the correction is still made, and how far off it is
  communes      communes over five quarters, and one of them that falls: `areas_over_time`
  call_back     satisfied people answer more readily, and 300 of the others are called
  looks         an agency's running figure, looked at on each of 65 days
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from benchmarks import foreign
from benchmarks.foreign_trials import (
    SHARE,
    TWENTY_DAYS,
    called_back,
    fused_month,
    group_months,
    index_covers,
    try_months,
    weighted_figure,
)
from calibration.analysis import analyze
from calibration.areas_over_time import areas_over_time
from calibration.call_back import corrected
from calibration.intervals import wilson
from calibration.ratings import totals
from calibration.sampling import draw_by_size
from calibration.sequences import share_sequence
from calibration.small_areas import hierarchical_shares

Row = dict[str, Any]
LOOKS: Final = 65
"""Working days of a quarter."""
FEWEST: Final = 30
"""Replications of a row of which something is claimed."""
STAYS: Final = (2.0,) * 13
DIED: Final = (*(2.0,) * 12, 0.0)
DIES: Final = (*(2.0,) * 7, 1.67, 1.33, 1.0, 0.67, 0.33, 0.0)
"""Slope of the signal on satisfaction, month by month."""


def mean(name: str, values: ArrayLike) -> Row:
    """A figure of independent replications, and its error; nothing where there is no replication."""
    found = np.asarray(values, dtype=float)
    if not found.size:
        return {name: None, f"{name}_error": None}
    error = float(found.std(ddof=1) / np.sqrt(found.size)) if found.size > 1 else None
    return {name: float(found.mean()), f"{name}_error": error}


def ratio(name: str, above: ArrayLike, below: ArrayLike) -> Row:
    """The ratio of two means over the same replications, and its error (linearised)."""
    top, bottom = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    found = float(top.mean() / bottom.mean())
    rest = top - found * bottom
    error = float(rest.std(ddof=1) / np.sqrt(rest.size) / bottom.mean()) if rest.size > 1 else None
    return {name: found, f"{name}_error": error}


def _small_areas(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    for share, spread, shape in (
        (0.85, 0.4, "logit"), (0.92, 0.4, "logit"), (0.92, 0.6, "logit"), (0.92, 0.04, "beta"), (0.88, 0.2, "lumps"),
    ):  # fmt: skip
        bias, own, direct, inside = [], [], [], []
        for _ in range(runs):
            satisfied, rated, truth = foreign.areas(rng, share, 100, 15, spread, shape)
            found = hierarchical_shares(satisfied, rated)
            low, high = found.interval()
            bias.append(np.mean(found.estimate - truth))
            own.append(np.mean((found.estimate - truth) ** 2))
            direct.append(np.mean((satisfied / rated - truth) ** 2))
            inside.append(np.mean((low <= truth) & (truth <= high)))
        yield {
            "share": share, "spread": spread, "shape": shape, "areas": 100, "answers": 15, "replications": runs,
            **mean("coverage", inside), **mean("bias", bias), **ratio("squared_error_ratio", own, direct),
        }  # fmt: skip


def _days(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    for icc, hang in ((0.0, 0.0), (0.02, 0.0), (0.1, 0.0), (0.1, 0.7)):
        labels = {"icc": icc, "runs": hang, "counters": 5}
        for days, a_day in ((22, 5.0), (66, 2.0)):
            index = [
                np.mean(index_covers(foreign.agency_days(rng, 26, days, 5, a_day, icc=icc, runs=hang), (0, 8, 16, 24)))
                for _ in range(runs)
            ]
            yield {"engine": "index", "days": days, **labels, "replications": runs, **mean("coverage", index)}
        for groups in (1, 5):
            fused = []
            for _ in range(max(runs // 8, 2)):
                world = foreign.agency_days(rng, 12, 20, 5, 6, icc=icc, runs=hang)
                months = [fused_month(world, agency, TWENTY_DAYS, groups) for agency in range(12)]
                results = analyze(months, period=TWENTY_DAYS).agencies
                held = [world.truth[int(one.agency)] in one.fused.efficiency.interval for one in results]
                fused.append(np.mean(held))
            label = {"engine": "fused", "days": 20, **labels, "groups": groups}
            yield {**label, "replications": len(fused), **mean("coverage", fused)}


def _unmet(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    for epsilon, boxes in ((None, 1), (1.5, 1), (1.5, 3)):
        for met in (1.0, 0.8, 0.6, 0.4):
            found = try_months(rng, runs, foreign.Signal(2.5), epsilon, boxes, met=met)
            helped, errors = found.helped, found.efficiency.estimate - found.month.truth
            row = {"epsilon": epsilon, "boxes": boxes, "met": met, "replications": runs}
            row |= mean("coverage", found.inside) | mean("helped", helped)
            if helped.sum() > 1:
                row |= mean("claimed_n_eff_ratio", (found.efficiency.n_eff / found.month.rated)[helped])
                row |= ratio("real_n_eff_ratio", found.naive[helped] ** 2, errors[helped] ** 2)
            yield row


def _plan(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    for worse in (0.0, 0.4, 0.7):
        errors, ignored, inside, width = [], [], [], []
        for _ in range(runs):
            province = foreign.frame(rng, 60, 400, worse)
            drawn, chance = draw_by_size(province.transactions.tolist(), 24, rng)
            found, before = weighted_figure(rng, province, drawn, np.array(chance), dict.fromkeys(drawn, 40))
            if found.estimate is None or found.low is None or found.high is None:
                continue
            errors.append(found.estimate - province.truth)
            ignored.append(before - province.truth)
            inside.append(found.low <= province.truth <= found.high)
            width.append(found.high - found.low)
        yield {
            "worse_by_size": worse, "agencies": 60, "drawn": 24, "forms": 40, "replications": len(errors),
            **mean("coverage", inside), **mean("bias", errors), **mean("bias_without_chances", ignored),
            **mean("width", width),
        }  # fmt: skip


def _stale_curve(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    for name, slopes in (("stays", STAYS), ("died", DIED), ("dies in six months", DIES)):
        for by_level in (0.0, 0.3):
            made, plain, off, inside = [], [], [], []
            for _ in range(runs):
                months = group_months(rng, slopes, by_level)
                found = [one.fused.correction for one in analyze(months, period=months[-1].period).agencies]
                rated, satisfied = totals(
                    [day for month in months[-12:] for part in month.strata for day in part.ratings]
                )
                plain.append(satisfied / rated - SHARE)
                usable = [one.estimate for one in found if one is not None]
                made.append(len(usable) / len(found))
                if usable:
                    off.append(np.mean([(one.estimate or 0.0) - SHARE for one in usable]))
                    inside.append(np.mean([SHARE in one.interval for one in usable]))
            yield {
                "curve": name, "by_level": by_level, "replications": runs, **mean("corrected", made),
                **mean("plain_bias", plain), **mean("bias", off), **mean("coverage", inside),
            }  # fmt: skip


def _communes(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    for answers in (15, 60):
        for share in (0.75, 0.85, 0.92):
            for shape in ("steps", "walk"):
                own, direct, alone, inside, bias, flags = [], [], [], [], [], []
                for _ in range(runs):
                    satisfied, rated, truth = foreign.areas_in_time(rng, share, 100, answers, 5, shape=shape)
                    found, newest = areas_over_time(satisfied, rated), truth[:, -1]
                    quarter = hierarchical_shares(satisfied[:, -1], rated[:, -1]).estimate
                    own.append(np.mean((found.estimate - newest) ** 2))
                    direct.append(np.mean((found.direct - newest) ** 2))
                    alone.append(np.mean((quarter - newest) ** 2))
                    inside.append(np.mean((found.low <= newest) & (newest <= found.high)))
                    bias.append(np.mean(found.estimate - newest))
                    flags.append(np.mean(found.changed))
                yield {
                    "case": "no fall", "answers": answers, "share": share, "shape": shape, "replications": runs,
                    **ratio("squared_error_ratio", own, direct), **ratio("one_quarter_ratio", alone, direct),
                    **mean("coverage", inside), **mean("bias", bias), **mean("flagged", flags),
                }  # fmt: skip
    for answers, fall in ((15, 0.2), (15, 0.5), (60, 0.2), (60, 0.3)):
        seen, left, held = [], [], []
        for _ in range(2 * runs):
            satisfied, rated, truth = foreign.areas_in_time(rng, 0.85, 60, answers, 5)
            now = max(truth[7, -1] - fall, 0.02)
            satisfied[7, -1] = rng.binomial(rated[7, -1], now)
            found = areas_over_time(satisfied, rated)
            left.append(found.estimate[7] - now)
            seen.append(found.changed[7])
            held.append(found.low[7] <= now <= found.high[7])
        yield {
            "case": "one falls", "answers": answers, "share": 0.85, "fall": fall, "replications": 2 * runs,
            **mean("flagged", seen), **mean("bias", left), **mean("coverage", held),
        }  # fmt: skip


def _call_back(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    for odds in (1.0, 2.0, 3.0):
        for reached in (1.0, 0.6):
            off, plain, inside, plain_inside, width, plain_width = [], [], [], [], [], []
            for _ in range(runs):
                *counts, truth = called_back(rng, odds, reached)
                estimate, low, high, simple = corrected(*counts).province
                ends = wilson(simple, float(counts[2].sum()))
                off.append(estimate - truth)
                plain.append(simple - truth)
                inside.append(low <= truth <= high)
                plain_inside.append(ends[0] <= truth <= ends[1])
                width.append(high - low)
                plain_width.append(float(ends[1] - ends[0]))
            yield {
                "odds": odds, "reached": reached, "calls": 300, "agencies": 26, "asked": 120, "replications": runs,
                **mean("bias", off), **mean("coverage", inside), **mean("plain_bias", plain),
                **mean("plain_coverage", plain_inside), **ratio("width_ratio", width, plain_width),
            }  # fmt: skip


def _looks(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    for share in (0.75, 0.85, 0.93):
        for a_day in (1, 4, 10):
            asked = rng.poisson(a_day, (runs, LOOKS))
            n, k = asked.cumsum(axis=1), rng.binomial(asked, share).cumsum(axis=1)
            shown, row = k / np.maximum(n, 1), {"share": share, "answers_a_day": a_day, "replications": runs}
            for name, ends in (("ever_wrong", share_sequence), ("wilson_ever_wrong", wilson)):
                low, high = ends(shown, n)
                row |= mean(name, ((share < low) | (share > high)).any(axis=1))
            yield row


TABLES: Final[dict[str, tuple[Callable[[np.random.Generator, int], Iterator[Row]], int]]] = {
    "small_areas": (_small_areas, 2_000),
    "days": (_days, 500),
    "unmet": (_unmet, 10_000),
    "plan": (_plan, 2_000),
    "stale_curve": (_stale_curve, 300),
    "communes": (_communes, 200),
    "call_back": (_call_back, 2_000),
    "looks": (_looks, 10_000),
}
"""Name -> (what draws its rows, replications of a row where 10,000 are asked for): of provinces, but months in `unmet`
and agencies in `looks`."""


def tables(names: Sequence[str], replications: int, seed: int, say: Callable[[str], None]) -> dict[str, list[Row]]:
    """Rows of the named tables. A replication is what the table draws anew each time; of those that take long fewer
    are drawn. Each table has a stream of random numbers of its own, whichever others are drawn."""
    streams = dict(zip(TABLES, np.random.SeedSequence([seed, 1]).spawn(len(TABLES)), strict=True))
    found: dict[str, list[Row]] = {}
    for name in names:
        draw, most = TABLES[name]
        say(name)
        found[name] = list(draw(np.random.default_rng(streams[name]), max(2, most * replications // 10_000)))
    return found


def claims(found: dict[str, list[Row]]) -> list[Row]:
    """What was aimed at and whether it holds, four Monte Carlo errors allowed; of the tables that were drawn."""
    made: list[Row] = []

    def claim(name: str, rows: Sequence[Row], figure: str, least: float | None, most: float | None) -> None:
        rows = [row for row in rows if row.get(f"{figure}_error") is not None and row["replications"] >= FEWEST]
        if not rows:
            return
        kept = [
            (least is None or row[figure] >= least - 4 * row[f"{figure}_error"])
            and (most is None or row[figure] <= most + 4 * row[f"{figure}_error"])
            for row in rows
        ]

        def beyond(row: Row) -> float:
            under = -1.0 if least is None else least - row[figure]
            return max(under, -1.0 if most is None else row[figure] - most)

        worst = max(rows, key=beyond)
        aim = f"<= {most}" if least is None else f">= {least}" if most is None else f"{least} to {most}"
        made.append({"claim": name, "value": round(worst[figure], 4), "aim": aim, "holds": all(kept)})

    def of(name: str, **labels: Any) -> list[Row]:
        return [row for row in found.get(name, []) if all(row.get(key) == value for key, value in labels.items())]

    claim("small areas: coverage", of("small_areas"), "coverage", 0.93, None)
    claim("small areas: bias", of("small_areas"), "bias", -0.005, 0.005)
    claim("days: coverage of the index", of("days", engine="index"), "coverage", 0.93, None)
    claim("days: coverage of the fused figure", of("days", engine="fused"), "coverage", 0.93, None)
    claim("unmet: coverage", of("unmet"), "coverage", 0.94, None)
    claim("unmet: claimed answers over real ones", [
        {"gap": row["claimed_n_eff_ratio"] - row["real_n_eff_ratio"],
         "gap_error": np.hypot(row["claimed_n_eff_ratio_error"], row["real_n_eff_ratio_error"]),
         "replications": row["replications"]}
        for row in of("unmet") if row.get("real_n_eff_ratio_error") is not None and row["helped"] > 0.1
    ], "gap", -0.1, 0.1)  # fmt: skip
    claim("plan: coverage", of("plan"), "coverage", 0.94, None)
    claim("plan: bias", of("plan"), "bias", -0.005, 0.005)
    claim("stale curve: corrected in the month in which it has died", of("stale_curve", curve="died"), "corrected",
          None, 0.05)  # fmt: skip
    claim("stale curve: bias where it dies in six months", of("stale_curve", curve="dies in six months"), "bias",
          -0.01, 0.01)  # fmt: skip
    for answers, most in ((15, 0.20), (60, 0.42)):
        rows = of("communes", case="no fall", answers=answers)
        claim(f"communes of {answers} answers: squared error over the direct one", rows, "squared_error_ratio",
              None, most)  # fmt: skip
        claim(f"communes of {answers} answers: coverage", rows, "coverage", 0.93, 0.96)
    claim("call-back at odds 2: bias", of("call_back", odds=2.0), "bias", -0.01, 0.01)
    claim("call-back at odds 2: coverage", of("call_back", odds=2.0), "coverage", 0.93, None)
    claim("looks: ever wrong in a quarter", of("looks"), "ever_wrong", None, 0.05)
    return made
