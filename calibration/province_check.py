"""The facade on whole simulated provinces: agencies differ, days cluster, curves are learnt from the months before."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from calibration.analysis import analyze
from calibration.fuse import Settings
from calibration.results import Estimate
from calibration.simulate import Scenario, simulate_province
from calibration.verdicts import Verdict

SIZES = ("small", "middle", "large")


def score_provinces(scenario: Scenario, provinces: int, settings: Settings | None = None) -> list[dict[str, Any]]:
    """Coverage, width, bias and squared error of the last month's estimates, by estimator and size of agency.

    Truth: the share satisfied that an agency's way of serving produces. `provinces` are drawn with following seeds."""
    found: dict[tuple[str, str], list[tuple[float, float, float, float]]] = defaultdict(list)
    helped: dict[str, list[bool]] = defaultdict(list)
    for index in range(provinces):
        province = simulate_province(replace(scenario, seed=scenario.seed + index))
        period = province.months[-1].period
        analysis = analyze(province.months, period=period, settings=settings)
        for place, agency in enumerate(analysis.agencies):
            size = SIZES[min(3 * place // max(len(analysis.agencies), 1), 2)]
            estimates: list[Estimate] = [agency.fused.explicit, agency.fused.efficiency]
            if agency.fused.correction is not None:
                estimates.append(agency.fused.correction.estimate)
            helped[size].append(agency.verdict is Verdict.HELPED)
            for estimate in estimates:
                if estimate.estimate is None:
                    continue
                truth = province.truth[(agency.agency, period)]
                error = estimate.estimate - truth
                figures = (float(truth in estimate.interval), estimate.interval.width, error, error**2)
                found[(size, str(estimate.method))].append(figures)
    rows = []
    for (size, method), figures_of in sorted(found.items()):
        count = len(figures_of)
        coverage, width, bias, mse = (sum(column) / count for column in zip(*figures_of, strict=True))
        rows.append(
            {
                "size": size,
                "method": method,
                "estimates": count,
                "coverage": round(coverage, 4),
                "width": round(width, 4),
                "bias": round(bias, 4),
                "mse": round(mse, 6),
                "helped": round(sum(helped[size]) / len(helped[size]), 3),
            }
        )
    return rows
