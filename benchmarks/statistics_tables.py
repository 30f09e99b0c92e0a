"""The tables of `docs/statistics.md` from the JSON of `hailong bench statistics`: nobody copies a figure by hand.

hailong bench statistics --output statistics.json      (or with --tables: the foreign generator's alone)
python -m benchmarks.statistics_tables statistics.json docs/statistics.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from calibration.simulate import Threat

Row = dict[str, Any]

_GRID_RHOS: Final = (0.0, 0.3, 0.5, 0.6)
_CLUSTER_KEYS: Final = {"day": "day", "day_counter": "day x counter", "counter": "counter", "none": "none"}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def _noise(row: Row, three: str = "{epsilon}, {boxes} table{s}") -> str:
    if row["epsilon"] is None:
        return "none"
    return three.format(epsilon=row["epsilon"], boxes=row["boxes"], s="" if row["boxes"] == 1 else "s")


def _mean(rows: Iterable[Row], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


def _groups(rows: Iterable[Row], *keys: str) -> list[list[Row]]:
    """Rows that agree in `keys`, in the order in which they first come."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return list(found.values())


def _claims(result: Row) -> list[str]:
    rows = ((c["claim"], f"{c['value']:.4f}", c["aim"], "yes" if c["holds"] else "**no**") for c in result["claims"])
    return _table(("claim", "measured", "aim", "holds"), rows)


def _grid(result: Row) -> list[str]:
    head = (
        "n of N", "rho", "noise", "naive", "Wilson", "ppi-python", "**ours**", "width", "squared error", "used"
    )  # fmt: skip
    rows = []
    for g in result["grid_means"]:
        if g["rho"] not in _GRID_RHOS or (g["boxes"] > 1 and g["rho"] != 0.5):
            continue
        coverage = [f"{g[f'{method}_coverage']:.3f}" for method in ("naive_mean", "wilson", "ppi_python")]
        ours = [f"**{g['efficiency_coverage']:.3f}**", *(f"{g[k]:.2f}" for k in ("width_ratio", "mse_ratio", "used"))]
        rows.append((f"{g['rated']} of {g['visits']}", str(g["rho"]), _noise(g), *coverage, *ours))
    return _table(head, rows)


def _finite(result: Row) -> list[str]:
    head = (
        "n of N",
        "noise",
        "Wilson (superpopulation)",
        "explicit, finite month",
        "efficiency, finite month",
        "its width over explicit",
    )
    rows = []
    for cells in _groups(result["sections"]["finite"], "rated", "visits", "epsilon"):
        first = cells[0]
        coverage = [f"{_mean(cells, f'{m}_coverage'):.3f}" for m in ("wilson", "explicit_finite", "efficiency")]
        width = np.mean([c["efficiency_width"] / c["explicit_finite_width"] for c in cells])
        rows.append((f"{first['rated']} of {first['visits']}", _noise(first, "{epsilon}"), *coverage, f"{width:.2f}"))
    return _table(head, rows)


def _response(result: Row) -> list[str]:
    head = (
        "n of N",
        "noise",
        "rho",
        "naive bias",
        "naive covers",
        "post-stratified bias",
        "correction's bias",
        "covers",
        "error (rmse) against naive's",
    )
    rows = []
    for r in result["sections"]["response"]:
        if r["p"] != 0.82 or r["rho"] != 0.47:
            continue
        rows.append(
            (
                f"{r['rated']} of {r['visits']}",
                _noise(r, "{epsilon} x {boxes}"),
                str(r["rho"]),
                f"{100 * r['wilson_bias']:+.1f}",
                f"{r['wilson_coverage']:.2f}",
                f"{100 * r['post_stratified_bias']:+.2f}",
                f"**{100 * r['correction_bias']:+.2f}**",
                f"{r['correction_coverage']:.3f}",
                f"{100 * r['correction_mse'] ** 0.5:.1f} / {100 * r['wilson_mse'] ** 0.5:.1f}",
            )
        )
    return _table(head, rows)


def _clusters(result: Row) -> list[str]:
    methods = ("wilson", "explicit_clustered", "efficiency", "correction")
    head = (
        "truth varies by", "ratings show", "ICC", "n", "Wilson", "explicit with design effect", "efficiency",
        "correction",
    )  # fmt: skip
    rows = []
    for cells in _groups(result["sections"]["clusters"], "days", "counters", "icc", "varies_by", "key", "rated"):
        r = cells[0]
        varies = f"counter ({r['counters']})" if r["varies_by"] == "counter" else f"day ({r['days']})"
        lowest = (f"{min(c[f'{method}_coverage'] for c in cells):.3f}" for method in methods)
        rows.append((varies, _CLUSTER_KEYS[r["key"]], str(r["icc"]), str(r["rated"]), *lowest))
    return _table(head, rows)


def _province(result: Row) -> list[str]:
    said = {Threat.NONE: "at random", Threat.RESPONSE_BY_LEVEL: "by level"}
    rows = (
        (
            f"{r['rho']}, {said[Threat(r['threat'])]}",
            r["size"],
            r["method"],
            f"{r['coverage']:.3f}",
            f"{100 * r['width']:.1f}",
            f"{100 * r['bias']:+.2f}",
            f"{100 * r['mse'] ** 0.5:.2f}",
            f"{r['helped']:.2f}",
        )
        for r in result["sections"]["province"]
    )
    head = ("rho, response", "agencies", "estimator", "coverage", "width", "bias", "rmse", "helped")
    return _table(head, rows)


def _threats(result: Row) -> list[str]:
    methods = ("naive_average", "wilson", "ppi_python", "efficiency", "correction")
    rows = (
        (
            r["threat"].replace("_", " "),
            _noise(r, "{epsilon}"),
            *(f"{100 * r[f'{m}_bias']:+.1f} / {r[f'{m}_coverage']:.2f}" for m in methods),
        )
        for r in result["sections"]["threats"]
        if r["rated"] == 100
    )
    return _table(("threat", "noise", "naive average", "Wilson", "ppi-python", "efficiency", "correction"), rows)


Columns = Mapping[str, tuple[str, ...]]


def _figure(row: Row, key: str) -> str:
    """A figure with its error: a bias in points with its sign, a share or a ratio as it is."""
    if row.get(key) is None:
        return "–"
    bias = "bias" in key
    scale, places, sign = (100.0, 2, "+") if bias else (1.0, 3, "")
    error = row.get(f"{key}_error")
    beside = "" if error is None else f" ({scale * error:.{places}f})"
    return f"{scale * row[key]:{sign}.{places}f}{beside}"


def _foreign(name: str, columns: Columns) -> Callable[[Row], list[str]]:
    """Of a foreign table: heading -> what stands below it, labels as they are, figures with their error."""

    def table(result: Row) -> list[str]:
        rows = []
        for row in result["foreign"]["tables"][name]:
            cells = []
            for keys in columns.values():
                if len(keys) == 1 and f"{keys[0]}_error" in row:
                    cells.append(_figure(row, keys[0]))
                else:
                    cells.append(", ".join(str(row[key]) for key in keys if row.get(key) is not None) or "–")
            rows.append(cells)
        return _table(list(columns), rows)

    return table


def _foreign_claims(result: Row) -> list[str]:
    return _claims(result["foreign"])


_COVERAGE: Final[dict[str, tuple[str, ...]]] = {"coverage": ("coverage",)}
_BIAS: Final[dict[str, tuple[str, ...]]] = {"bias, points": ("bias",)}
_ERROR: Final[dict[str, tuple[str, ...]]] = {"squared error over the direct one": ("squared_error_ratio",)}
_MANY: Final[dict[str, tuple[str, ...]]] = {"replications": ("replications",)}
FOREIGN: Final = {
    "### A foreign generator": _foreign_claims,
    "#### Small areas": _foreign(
        "small_areas", {"share": ("share",), "spread": ("shape", "spread"), **_MANY, **_COVERAGE, **_BIAS, **_ERROR}
    ),
    "#### Days that go bad at all counters": _foreign(
        "days",
        {"engine": ("engine",), "days": ("days",), "groups": ("groups",), "ICC": ("icc",), "runs": ("runs",), **_MANY}
        | _COVERAGE,
    ),
    "#### Ratings that met no visit": _foreign(
        "unmet",
        {"epsilon": ("epsilon",), "boxes": ("boxes",), "met": ("met",), **_MANY, **_COVERAGE, "helped": ("helped",)}
        | {"claimed n_eff over n": ("claimed_n_eff_ratio",), "real": ("real_n_eff_ratio",)},
    ),
    "#### A plan that draws agencies by size": _foreign(
        "plan",
        {"worse by log size": ("worse_by_size",), **_MANY, **_COVERAGE, **_BIAS}
        | {"bias without the plan's chances": ("bias_without_chances",), "width": ("width",)},
    ),
    "#### A curve that dies": _foreign(
        "stale_curve",
        {"curve": ("curve",), "response by level": ("by_level",), **_MANY, "corrected": ("corrected",)}
        | {"plain bias, points": ("plain_bias",), "corrected bias, points": ("bias",), **_COVERAGE},
    ),
    "#### Communes over time": _foreign(
        "communes",
        {"answers": ("answers",), "share": ("share",), "case": ("case", "shape", "fall"), **_MANY, **_ERROR}
        | {"one quarter's": ("one_quarter_ratio",), **_COVERAGE, **_BIAS, "flagged": ("flagged",)},
    ),
    "#### A call-back": _foreign(
        "call_back",
        {"odds": ("odds",), "reached": ("reached",), **_MANY, "plain bias, points": ("plain_bias",)}
        | {"its coverage": ("plain_coverage",), **_BIAS, **_COVERAGE, "width over Wilson's": ("width_ratio",)},
    ),
    "#### Figures that are looked at daily": _foreign(
        "looks",
        {"share": ("share",), "answers a day": ("answers_a_day",), **_MANY, "ever wrong": ("ever_wrong",)}
        | {"Wilson's ever wrong": ("wilson_ever_wrong",)},
    ),
}
"""Heading of the page -> its table, of a run with all foreign tables."""
TABLES: Final = {
    "## Measured": _claims,
    "### Where the assumptions hold": _grid,
    "### The finite month": _finite,
    "### Response depends on the level (p = .82)": _response,
    "### Clusters (lowest of three shares satisfied, with and without noise)": _clusters,
    "### Whole provinces through `analyze`": _province,
    "### Threats: where it breaks, and by how much": _threats,
}
"""Heading of the page -> its table."""


def with_tables(page: str, result: Row) -> str:
    """`page` (Markdown) with the first table below each heading made anew from `result`: those of `TABLES`, of
    `FOREIGN`, or both, as the run had them.

    Raises ValueError where a heading or its table is not in the page."""
    lines = page.split("\n")
    chosen = (TABLES if "claims" in result else {}) | (FOREIGN if "foreign" in result else {})
    for heading, table in chosen.items():
        try:
            start = next(i for i in range(lines.index(heading), len(lines)) if lines[i].startswith("|"))
        except (ValueError, StopIteration):
            raise ValueError(f"no table below {heading!r}") from None
        end = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
        lines[start:end] = table(result)
    return "\n".join(lines)


if __name__ == "__main__":
    document = Path(sys.argv[2])
    measured = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    document.write_text(with_tables(document.read_text(encoding="utf-8"), measured), encoding="utf-8")
