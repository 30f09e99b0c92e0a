"""Coverage, width and bias of the estimators on simulated months with a known truth.

Beside ours, in the same run and on the same months: the naive mean of ratings, the naive average of implicit and
explicit, Wilson's interval, and PPI++ as the package ppi-python computes it. Sections: `grid` (assumptions hold),
`finite` (the month itself as estimand), `response` (response depends on the level), `clusters`, `threats`, and
`province` (the whole analysis on provinces whose agencies differ, days cluster and curves are learnt month by month).
Tables of a foreign generator, which shares no assumption with the estimators: small_areas, days, unmet, plan,
stale_curve, communes, call_back, looks.

    hailong bench statistics --json > statistics.json     10,000 replications a cell, about three quarters of an hour
    hailong bench statistics --tables communes,looks       tables of the foreign generator alone
    hailong bench statistics --quick                       a coarse grid, a few seconds
    hailong bench statistics --scale                       time and memory against the number of agencies
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import statistics_foreign, statistics_scale
from benchmarks.provenance import provenance
from calibration.coverage import METHODS, Cell, Clusters, ppi_mean, row, score_cell, score_clustered
from calibration.province_check import score_provinces
from calibration.simulate import Scenario, Threat, threatened_world
from calibration.verdicts import Estimand
from calibration.worlds import draw_cells, joint_distribution
from pipeline.errors import ConfigError
from pipeline.language import Message

SIZES: Final = ((15, 300), (30, 600), (40, 264), (100, 5000), (200, 5000), (400, 8000))
RHOS: Final = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6)
NOISES: Final = ((None, 1), (1.5, 1), (1.5, 3))
"""(epsilon of a table, tables of the agency and month)."""
SHARES: Final = tuple(round(0.70 + 0.03 * i, 2) for i in range(10))
NOMINAL: Final = 0.95
QUICK: Final = 400
QUICK_FOREIGN: Final = 50
"""Replications of `--quick`: of a cell, and those of which a foreign table takes its part."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run."""

    replications: int
    sizes: tuple[tuple[int, int], ...]
    rhos: tuple[float, ...]
    noises: tuple[tuple[float | None, int], ...]
    shares: tuple[float, ...]
    seed: int


def _numbers(text: str) -> list[int]:
    """Whole numbers with commas between them."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"whole numbers with commas between them, not {text!r}") from None


def _names(text: str) -> list[str]:
    """Names of foreign tables with commas between them."""
    names = text.split(",")
    if wrong := [name for name in names if name not in statistics_foreign.TABLES]:
        known = ", ".join(statistics_foreign.TABLES)
        raise argparse.ArgumentTypeError(f"there is no table {wrong[0]!r}; known: {known}")
    return names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hailong bench statistics`."""
    parser.add_argument("--replications", type=int, default=10_000, help="simulated months per cell (default 10000)")
    parser.add_argument("--quick", action="store_true", help="coarse grid, 400 replications: a smoke test")
    parser.add_argument("--scale", action="store_true", help="time and memory against the number of agencies instead")
    parser.add_argument(
        "--agencies",
        type=_numbers,
        default=list(statistics_scale.AGENCIES),
        metavar="N,N",
        help="with --scale: numbers of agencies (default 26,300,3000)",
    )
    parser.add_argument(
        "--tables",
        type=_names,
        metavar="NAME,NAME",
        help="tables of the foreign generator, and nothing else",
    )
    parser.add_argument("--seed", type=int, default=2026, help="seed of the simulation (default 2026)")
    parser.add_argument("--json", action="store_true", help="all rows and claims as JSON on standard output")
    parser.add_argument("--output", type=Path, help="write the JSON to this file as well")


def ppi_check(seed: int, months: int = 200) -> dict[str, Any]:
    """Largest difference between our vectorised PPI++ and the installed ppi-python on `months` months."""
    if importlib.util.find_spec("ppi_py") is None:
        return {"installed": False}
    from importlib.metadata import version

    from ppi_py import ppi_mean_ci

    rng = np.random.default_rng(seed)
    table, _, _ = draw_cells(rng, joint_distribution(0.83, 0.4), 60, 900, months)
    score = np.array([0.4, 0.6, 0.8, 0.9, 0.97, 0.83])
    _, low, high = ppi_mean(table[..., 1:].astype(float), table[..., 0].astype(float), score)
    worst = 0.0
    for index, cells in enumerate(table):
        y = np.concatenate([np.zeros(cells[:, 1].sum()), np.ones(cells[:, 2].sum())])
        f = np.concatenate([np.repeat(score, cells[:, 1]), np.repeat(score, cells[:, 2])])
        theirs = ppi_mean_ci(y, f, np.repeat(score, cells[:, 0]), alpha=1 - NOMINAL)
        worst = max(worst, abs(float(theirs[0][0]) - low[index]), abs(float(theirs[1][0]) - high[index]))
    return {"installed": True, "version": version("ppi-python"), "months": months, "largest_difference": worst}


def _progress(done: int, of: int, started: float, quiet: bool) -> None:
    if not quiet:
        elapsed = time.perf_counter() - started
        print(f"\r{done}/{of} cells, {elapsed:.0f} s", end="", file=sys.stderr, flush=True)


def _jobs(plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    """(section, arguments) of every cell."""
    for n, visits in plan.sizes:
        for rho in plan.rhos:
            for epsilon, boxes in plan.noises:
                for p in plan.shares:
                    yield "grid", {"cell": Cell(n, visits, epsilon, boxes), "rho": rho, "p": p, "threat": Threat.NONE}
    some_p = tuple(p for p in (0.76, 0.82, 0.91) if p in SHARES)
    for n, visits in ((40, 80), (100, 200), (100, 264)):
        for epsilon, boxes in plan.noises[:2]:
            for p in some_p:
                yield "finite", {"cell": Cell(n, visits, epsilon, boxes), "rho": 0.5, "p": p, "threat": Threat.NONE}
    for n, visits in ((40, 264), (100, 792), (100, 5000), (200, 5000), (400, 8000)):
        for epsilon, boxes in plan.noises:
            for p in some_p:
                for rho in (0.3, 0.47, 0.6):
                    arguments = {"cell": Cell(n, visits, epsilon, boxes), "rho": rho, "p": p}
                    yield "response", {**arguments, "threat": Threat.RESPONSE_BY_LEVEL}
    for clusters, n in (
        (Clusters(22, 1, 0.05), 100),
        (Clusters(22, 1, 0.10), 100),
        (Clusters(22, 1, 0.10), 200),
        (Clusters(22, 3, 0.05, key="day_counter"), 108),
        (Clusters(22, 3, 0.05, by_counter=True, key="counter"), 108),
        (Clusters(22, 8, 0.05, by_counter=True, key="counter"), 200),
        (Clusters(22, 3, 0.05, by_counter=True, key="day"), 108),
        (Clusters(22, 1, 0.05, key="none"), 100),
    ):
        for epsilon, boxes in plan.noises[:2]:
            for p in some_p:
                yield "clusters", {"cell": Cell(n, 5000, epsilon, boxes), "rho": 0.5, "p": p, "clusters": clusters}
    for threat in Threat:
        for epsilon, boxes in plan.noises[:2]:
            for n, visits in ((40, 264), (100, 5000), (400, 8000)):
                yield "threats", {"cell": Cell(n, visits, epsilon, boxes), "rho": 0.4, "p": 0.82, "threat": threat}


def simulate(plan: Plan, quiet: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Rows by section; every cell has a stream of random numbers of its own, so that cells can be rerun alone."""
    jobs = list(_jobs(plan))
    streams = np.random.SeedSequence(plan.seed).spawn(len(jobs))
    sections: dict[str, list[dict[str, Any]]] = {}
    started = time.perf_counter()
    for done, ((section, job), stream) in enumerate(zip(jobs, streams, strict=True), 1):
        rng = np.random.default_rng(stream)
        cell, rho, p = job["cell"], job["rho"], job["p"]
        if section == "clusters":
            clusters = job["clusters"]
            scores = score_clustered(rng, p, rho, cell, clusters, plan.replications)
            labels = {
                "days": clusters.days,
                "counters": clusters.counters,
                "icc": clusters.icc,
                "varies_by": "counter" if clusters.by_counter else "day",
                "key": clusters.key,
            }
        else:
            world = threatened_world(p, rho, job["threat"], cell.rated / cell.visits)
            estimand = Estimand.FINITE_MONTH if section == "finite" else Estimand.SUPERPOPULATION
            scores = score_cell(rng, world, cell, plan.replications, estimand)
            labels = {"threat": str(job["threat"])}
        sections.setdefault(section, []).append(row(cell, scores, p=p, rho=rho, **labels))
        _progress(done, len(jobs), started, quiet)
    sections["province"] = []
    for rho, threat in ((0.4, Threat.NONE), (0.1, Threat.NONE), (0.4, Threat.RESPONSE_BY_LEVEL)):
        scenario = Scenario(rho=rho, threat=threat, seed=plan.seed)
        for found in score_provinces(scenario, max(plan.replications // 50, 5)):
            sections["province"].append({"rho": rho, "threat": str(threat), **found})
    if not quiet:
        print(file=sys.stderr)
    return sections


def over_shares(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over p of each (n, N, rho, noise) of the grid, and the worst share's gap to Wilson."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for r in rows:
        groups.setdefault((r["rated"], r["visits"], r["rho"], r["epsilon"], r["boxes"]), []).append(r)
    summary = []
    for (n, visits, rho, epsilon, boxes), cells in groups.items():
        gaps = [c["efficiency_coverage"] - c["wilson_coverage"] for c in cells]
        entry: dict[str, Any] = {"rated": n, "visits": visits, "rho": rho, "epsilon": epsilon, "boxes": boxes}
        for method in ("naive_mean", "wilson", "ppi_python", "efficiency", "correction"):
            entry[f"{method}_coverage"] = float(np.mean([c[f"{method}_coverage"] for c in cells]))
        entry["worst_gap_to_wilson"] = min(gaps)
        entry["worst_gap_at"] = cells[int(np.argmin(gaps))]["p"]
        entry["mean_gap_to_wilson"] = float(np.mean(gaps))
        entry["widest_ratio"] = max(c["efficiency_width"] / c["wilson_width"] for c in cells)
        entry["width_ratio"] = float(np.mean([c["efficiency_width"] / c["wilson_width"] for c in cells]))
        entry["mse_ratio"] = float(np.mean([c["efficiency_mse"] / c["wilson_mse"] for c in cells]))
        entry["ppi_width_ratio"] = float(np.mean([c["ppi_python_width"] / c["wilson_width"] for c in cells]))
        entry["used"] = float(np.mean([c["efficiency_used"] for c in cells]))
        summary.append(entry)
    return summary


def _claim(name: str, value: float, aim: str, holds: bool) -> dict[str, Any]:
    return {"claim": name, "value": round(value, 4), "aim": aim, "holds": bool(holds)}


def claims(sections: dict[str, list[dict[str, Any]]], replications: int) -> list[dict[str, Any]]:
    """What was aimed at, what was measured, and whether it holds (allowing four Monte Carlo standard errors)."""
    grid = over_shares(sections["grid"])
    error = 4 * (0.95 * 0.05 / replications) ** 0.5
    coverage = [g["efficiency_coverage"] for g in grid]
    found = [
        _claim("grid: lowest mean coverage over p", min(coverage), ">= .94", min(coverage) >= 0.94 - error),
        _claim("grid: highest mean coverage over p", max(coverage), "<= .97", max(coverage) <= 0.97 + error),
    ]
    mean_gap = min(g["mean_gap_to_wilson"] for g in grid)
    found.append(_claim("grid: mean coverage below Wilson's, worst", mean_gap, ">= -.01", mean_gap >= -0.01 - error))
    worst = min(g["worst_gap_to_wilson"] for g in grid)
    found.append(_claim("grid: coverage below Wilson's at one p, worst", worst, ">= -.01", worst >= -0.01 - error))
    wide = max(g["widest_ratio"] for g in grid)
    found.append(_claim("grid: width over explicit, widest", wide, "<= 1.03", wide <= 1.03))
    for epsilon, boxes, most in ((None, 1, 0.80), (1.5, 1, 0.88)):
        for g in grid:
            if (g["rated"], g["visits"], g["rho"], g["epsilon"], g["boxes"]) == (100, 5000, 0.5, epsilon, boxes):
                name = f"rho .5, n 100 of 5000, epsilon {epsilon}: squared error over explicit"
                found.append(_claim(name, g["mse_ratio"], f"<= {most}", g["mse_ratio"] <= most))
    keyed = [r for r in sections["clusters"] if r["key"] != "none" and r["varies_by"] in r["key"]]
    low = min(r["efficiency_coverage"] for r in keyed)
    found.append(_claim("clusters that ratings show: lowest coverage", low, ">= .92", low >= 0.92 - error))
    for label, noisy in (("no noise", False), ("noise", True)):
        rows = [
            r
            for r in sections["response"]
            if r["rated"] >= 100 and (r["epsilon"] is not None) == noisy and r["wilson_bias"] >= 0.05
        ]
        bias = max((abs(r["correction_bias"]) for r in rows), default=0.0)
        aim = "< .005" if not noisy else "reported"
        name = f"response by level, n >= 100, naive off by 5 points or more, {label}: correction's largest bias"
        found.append(_claim(name, bias, aim, noisy or bias < 0.005))
    return found


def _print_claims(found: list[dict[str, Any]]) -> None:
    print("claim".ljust(90), "measured", "aim".ljust(10), "holds")
    for claim in found:
        print(claim["claim"].ljust(90), f"{claim['value']:8.4f}", claim["aim"].ljust(10), claim["holds"])


def _print_foreign(result: dict[str, Any]) -> None:
    print(f"a foreign generator, seed {result['seed']}; each figure with its Monte Carlo error\n")
    _print_claims(result["foreign"]["claims"])
    for name, rows in result["foreign"]["tables"].items():
        print(f"\n{name}")
        for one in rows:
            said = [
                f"{key} {value:.4g} ({one[f'{key}_error']:.2g})"
                if one.get(f"{key}_error") is not None
                else f"{key} {value}"
                for key, value in one.items()
                if not key.endswith("_error")
            ]
            print("  " + ", ".join(said))


def _print(result: dict[str, Any]) -> None:
    print(f"{result['replications']} replications a cell, {result['seconds']:.0f} s, seed {result['seed']}\n")
    _print_claims(result["claims"])
    print("\nassumptions hold: mean coverage over p, width and squared error over the explicit one's")
    print("   n     N  rho  noise        naive Wilson    PPI   ours   width   error   used")
    for g in result["grid_means"]:
        noise = "none" if g["epsilon"] is None else f"{g['epsilon']} x {g['boxes']}"
        print(
            f"{g['rated']:4d} {g['visits']:5d} {g['rho']:4.1f}  {noise:<10} {g['naive_mean_coverage']:7.3f}"
            f"{g['wilson_coverage']:7.3f}{g['ppi_python_coverage']:7.3f}{g['efficiency_coverage']:7.3f}"
            f"{g['width_ratio']:8.3f}{g['mse_ratio']:8.3f}{g['used']:7.2f}"
        )
    print("\nwhole provinces (a dozen agencies, six months, epsilon 1.5, clustered days): the last month")
    for r in result["sections"]["province"]:
        print(
            f"rho {r['rho']} {r['threat']:<18} {r['size']:<7} {r['method']:<11} coverage {r['coverage']:.3f} "
            f"width {100 * r['width']:5.1f} bias {100 * r['bias']:+5.2f} error {100 * r['mse'] ** 0.5:5.2f}"
        )
    print("\nthreats, p = .82, rho = .4: bias in points / coverage")
    print(
        "threat".ljust(27), "   n noise", *(m.rjust(16) for m in METHODS if m not in ("naive_mean", "post_stratified"))
    )
    for r in result["sections"]["threats"]:
        cells = [
            f"{100 * r[f'{m}_bias']:+7.1f} / {r[f'{m}_coverage']:.3f}"
            for m in METHODS
            if m not in ("naive_mean", "post_stratified")
        ]
        print(r["threat"].ljust(27), f"{r['rated']:4d} {r['epsilon'] or 'none':<5}", *cells)


def _run_scale(args: argparse.Namespace) -> int:
    """0 where no estimator's time grows faster than aimed at, else 1."""
    sizes, least = tuple(sorted(set(args.agencies))), statistics_scale.MIN_AGENCIES
    if len(sizes) < 2 or sizes[0] < least:
        raise ConfigError(Message("--agencies has two numbers or more, each at least {least}.", least=least))
    rows = statistics_scale.measure(sizes, args.seed, say=lambda line: print(line, file=sys.stderr, flush=True))
    result = {**provenance(("numpy", "scipy")), "benchmark": "statistics --scale", "seed": args.seed, "rows": rows}
    if args.output is not None:
        args.output.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result, indent=1) if args.json else statistics_scale.as_table(rows))
    return 0 if all(row["seconds_exponent"] <= statistics_scale.MOST for row in rows) else 1


def _foreign(names: Sequence[str], replications: int, seed: int, quiet: bool) -> dict[str, Any]:
    """Tables of the foreign generator and what they claim."""

    def say(name: str) -> None:
        if not quiet:
            print(f"foreign generator: {name}", file=sys.stderr, flush=True)

    found = statistics_foreign.tables(names, replications, seed, say)
    return {"claims": statistics_foreign.claims(found), "tables": found}


def run(args: argparse.Namespace) -> int:
    """Run the benchmark; 0 when every claim holds, else 1 (the table says which does not)."""
    if args.scale:
        return _run_scale(args)
    if args.replications < 100:
        raise ConfigError(Message("--replications is at least 100, else the figures say nothing."))
    quiet = args.json and not sys.stderr.isatty()
    result: dict[str, Any] = {
        **provenance(("numpy", "scipy", "ppi-python")),
        "benchmark": "statistics",
        "seed": args.seed,
        "replications": min(args.replications, QUICK) if args.quick else args.replications,
    }
    started = time.perf_counter()
    if args.tables is None:
        plan = Plan(args.replications, SIZES, RHOS, NOISES, SHARES, args.seed)
        if args.quick:
            plan = Plan(
                result["replications"], ((30, 600), (100, 5000)), (0.0, 0.5), NOISES[:2], SHARES[::3], args.seed
            )
        sections = simulate(plan, quiet)
        result |= {
            "ppi_python": ppi_check(plan.seed),
            "claims": claims(sections, plan.replications),
            "grid_means": over_shares(sections["grid"]),
            "sections": sections,
        }
    names = args.tables if args.tables is not None else list(statistics_foreign.TABLES)
    result["foreign"] = _foreign(names, QUICK_FOREIGN if args.quick else args.replications, args.seed, quiet)
    result["seconds"] = round(time.perf_counter() - started, 1)
    if args.output is not None:
        args.output.write_text(json.dumps(result, indent=1), encoding="utf-8")
    if args.json:
        print(json.dumps(result, indent=1))
    else:
        if args.tables is None:
            _print(result)
            print()
        _print_foreign(result)
    return 0 if all(claim["holds"] for claim in (*result.get("claims", ()), *result["foreign"]["claims"])) else 1
