"""Recommend periods and epsilons from public planning figures, and say what they will cost.

Simulates the 6 x 3 grid that a box really releases (Monte Carlo, seeded; the error of the simulation is printed).
Figures are plans, such as last year's number of transactions, never live counts: the choice itself must tell nothing
about anybody.

Examples:
  hailong privacy plan --visits-per-day 12 --counters 3 --response 0.15
  hailong privacy plan --visits-per-day 120 --boxes 3 --rho 0.3 --compare --json
  hailong privacy plan --pool so-tu-phap=8x33 --pool so-y-te=3x40 --rho 0.5    a hall: counters x visits a day of each
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from pipeline.errors import ConfigError
from pipeline.language import Joined, Message, Number, Sentence, Spoken
from pipeline.language.console import say
from pipeline.privacy.alternatives import alternatives
from pipeline.privacy.plan import (
    HOURS_PER_DAY,
    LEVEL_SHARES,
    PULSE_EPSILON,
    PULSE_TOLERANCE,
    TOTAL_EPSILON,
    Figures,
    Recommendation,
    recommend,
)
from pipeline.privacy.plan_hall import PlannedPool, hall_text, recommend_hall, toml_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong privacy plan`."""
    add = parser.add_argument
    add("--visits-per-day", type=float, default=0.0, help="visits a day at one box, all its counters together")
    add(
        "--pool", action="append", default=[], metavar="NAME=NxV", help="a hall's pool: N counters, V visits a day each"
    )
    add("--counters", type=int, default=2, help="counters (clerks) that one box serves (default 2)")
    add("--response", type=float, default=0.15, help="share of visits that rate (default 0.15)")
    add("--boxes", type=int, default=1, help="boxes of the agency; each adds its own noise (default 1)")
    add("--days", type=int, default=22, help="working days in a month (default 22)")
    add("--satisfied", type=float, default=0.83, help="expected share of satisfied visits (default 0.83)")
    add("--rho", type=float, default=0.6, help="correlation of rating and signal (default 0.6; the field: 0.1 to 0.4)")
    add("--abstained", type=float, default=0.1, help="share of visits without a level (default 0.1)")
    add("--runs", type=int, default=4_000, help="simulated months (default 4000)")
    add("--seed", type=int, default=20_200_101, help="seed of the simulation (20200101)")
    add("--compare", action="store_true", help="also compare other mechanisms at the same guarantee")
    add("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Entry point."""
    figures = Figures(
        args.visits_per_day, args.counters, args.response, args.boxes, args.days, args.satisfied, args.rho,
        args.abstained, args.runs, args.seed,
    )  # fmt: skip
    if args.pool:
        return _plan_hall(args, figures)
    _check(figures)
    if not args.json:
        say(Message("simulating ..."), aside=True)
    advice = recommend(figures)
    others = alternatives(figures, advice.evidence_epsilon) if args.compare else []
    if args.json:
        print(json.dumps({**_as_json(figures, advice), "alternatives": [asdict(each) for each in others]}))
        return 0
    say(_as_text(figures, advice))
    if others:
        epsilon = f"{advice.evidence_epsilon:g}"
        print()
        say(Message("Other mechanisms at epsilon {epsilon} per visit (closed form):", epsilon=epsilon))
        for each in others:
            say(
                Message(
                    "{mechanism}: variance of a number {variance}, ratio {ratio}; {remark}",
                    mechanism=each.name,
                    variance=Number(each.number_variance, 2),
                    ratio=Number(each.ratio, 2),
                    remark=each.remark,
                ),
                indent=2,
            )
    return 0


def _plan_hall(args: argparse.Namespace, figures: Figures) -> int:
    pools = tuple(PlannedPool.parse(text) for text in args.pool)
    if args.visits_per_day or args.compare or args.boxes != 1:
        raise ConfigError(Message("A hall is planned by its pools alone."), Message("See hailong privacy plan --help."))
    for pool in pools:
        _check(pool.figures(figures))
    advice = recommend_hall(pools, figures)
    if args.json:
        print(json.dumps(asdict(advice) | {"figures": asdict(figures)}))
    else:
        say(hall_text(advice))
    return 0


def _check(figures: Figures) -> None:
    shares = (figures.response, figures.satisfied, figures.rho)
    if figures.visits_per_day <= 0 or min(figures.counters, figures.boxes, figures.days) < 1:
        raise ConfigError(
            Message("Visits, counters, boxes and days must be positive."), Message("See hailong privacy plan --help.")
        )
    in_range = (
        all(0 < share < 1 for share in shares) and 0 <= figures.abstained < 1 and 100 <= figures.runs <= 1_000_000
    )
    if not in_range:
        raise ConfigError(
            Message(
                "Response, satisfied, rho and abstained are shares between 0 and 1; runs lie between 100 and 1000000."
            ),
            Message("See hailong privacy plan --help."),
        )


def _settings(figures: Figures, advice: Recommendation) -> dict[str, object]:
    settings: dict[str, object] = {
        "pulse_epsilon_milli": round(1_000 * advice.pulse_epsilon),
        "evidence_epsilon_milli": round(1_000 * advice.evidence_epsilon),
        "budget_epsilon_milli": round(1_000 * (advice.pulse_epsilon + advice.evidence_epsilon)),
        "clerks_per_box": figures.counters,
    }
    if advice.pulse is not None:
        settings["pulse_period"] = advice.pulse.value
    return settings


def _as_json(figures: Figures, advice: Recommendation) -> dict[str, object]:
    return {
        "figures": asdict(figures),
        "visits_per_month": figures.visits,
        "level_shares": LEVEL_SHARES,
        "settings": _settings(figures, advice),
        "pulse_period": advice.pulse.value if advice.pulse else None,
        "pulse_share_rmse": {period.value: error for period, error in advice.pulse_errors.items()},
        "score": {f"{epsilon:g}": asdict(error) for epsilon, error in advice.evidence_errors.items()},
        "score_without_noise": asdict(advice.no_noise),
        "recommended_evidence_epsilon": advice.evidence_epsilon,
        "recommended_pulse_epsilon": advice.pulse_epsilon,
        "staff_protected": figures.counters >= 2,
        "alternatives": [],
    }


def _as_text(figures: Figures, advice: Recommendation) -> Sentence:
    planned = Message(
        "Planned: {boxes} box(es), {visits} visits a day each, {month} a month; {response} % rate, {satisfied} % "
        "satisfied, rho {rho}, {abstained} % abstained, level shares {shares}; {runs} simulated months, seed {seed}.",
        boxes=figures.boxes,
        visits=f"{figures.visits_per_day:g}",
        month=Number(figures.visits),
        response=f"{100 * figures.response:g}",
        satisfied=f"{100 * figures.satisfied:g}",
        rho=f"{figures.rho:g}",
        abstained=f"{100 * figures.abstained:g}",
        shares=LEVEL_SHARES,
        runs=Number(figures.runs),
        seed=figures.seed,
    )
    settings = toml_table("[privacy]", _settings(figures, advice))
    total = advice.pulse_epsilon + advice.evidence_epsilon
    lines: list[Spoken | str] = [planned, "", *_pulse_lines(advice), "", *_evidence_lines(advice), "", *settings, ""]
    lines += [
        Message(
            "A visit costs {total} at most (of {all}); against somebody who knows that it took place (replace-one) "
            "{replaced}.",
            total=f"{total:g}",
            all=f"{TOTAL_EPSILON:g}",
            replaced=f"{2 * total:g}",
        ),
        Message(
            "A window of a day is taken as {hours} hours. The response curve is taken as known; in the field it is "
            "learnt.",
            hours=HOURS_PER_DAY,
        ),
    ]
    if figures.counters < 2:
        lines.append(
            Message("One clerk: the table would be that person's score, and the box refuses (docs/privacy.md).")
        )
    return Joined(lines, "\n")


def _pulse_lines(advice: Recommendation) -> list[Spoken | str]:
    lines: list[Spoken | str] = [
        Message(
            "Pulse (epsilon {epsilon}): error that noise alone adds to the share of high levels in a window of one box",
            epsilon=f"{PULSE_EPSILON:g}",
        )
    ]
    for period, error in advice.pulse_errors.items():
        points = Message("{points} points", points=Number(100 * error, 1))
        lines.append(Joined((f"  {period.value:<12} ", points, *_mark(period is advice.pulse)), ""))
    if advice.pulse is None:
        points_allowed = f"{100 * PULSE_TOLERANCE:g}"
        none = Message("none within {points} points: no pulse; its epsilon goes to the evidence", points=points_allowed)
        lines.append(Joined(("  ", none), ""))
    return lines


def _evidence_lines(advice: Recommendation) -> list[Spoken | str]:
    free = advice.no_noise
    lines: list[Spoken | str] = [
        Message("Evidence (one 6 x 3 table a box and month): root mean square error of the index in points of 100"),
        Joined(("  ", Message("ratings alone {points}", points=Number(free.explicit_points, 2))), ""),
    ]
    without = Message(
        "without noise fused {points}, ratio {ratio}", points=Number(free.fused_points, 2), ratio=Number(free.ratio, 3)
    )
    lines.append(Joined(("  ", without), ""))
    for epsilon, score in advice.evidence_errors.items():
        fused = Message(
            "epsilon {epsilon} fused {points}, ratio of mean squared errors {ratio} +- {error} (Monte Carlo)",
            epsilon=f"{epsilon:<4g}",
            points=Number(score.fused_points, 2),
            ratio=Number(score.ratio, 3),
            error=Number(score.ratio_error, 3),
        )
        lines.append(Joined(("  ", fused, *_mark(epsilon == advice.evidence_epsilon)), ""))
    if advice.chosen.ratio > 0.95:
        little = Message("The implicit signal adds next to nothing here: collect more ratings, or pool counters.")
        lines.append(Joined(("  ", little), ""))
    return lines


def _mark(recommended: bool) -> tuple[Spoken | str, ...]:
    return ("  <- ", Message("recommended")) if recommended else ()
