"""Leave one source out: every choice is judged by what it gives on sources that had no part in it.

A choice (a prior, a temperature, a threshold, a recipe) that is made on a source looks good on that source. So whatever
a choice has to learn, it learns on all sources but one, and is measured on that one; the choice with the best mean over
the sources left out is the one to take, and the spread between them says how much that mean can be trusted."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError, SourceError
from pipeline.language import Message

Json = dict[str, Any]
Figures = Mapping[str, float]
NAN = float("nan")


def summed_up(
    of_choices: Mapping[str, Mapping[str, Figures]],
    by: str,
    lowest: bool = False,
    judges: Collection[str] | None = None,
) -> Json:
    """Figures of each choice on each part left out -> with their mean and spread over sources, and the best choice.

    Args:
        of_choices: choice -> part -> figures. A part is named `source` or `source, condition`; the parts of a source
            are averaged first, so that a source counts once however often it was changed.
        by: the figure whose mean selects (`lowest`: least is best).
        judges: the sources whose mean selects; None or none: all.
    """
    choices: Json = {}
    judged: dict[str, float] = {}
    for choice, of_parts in of_choices.items():
        names = list(next(iter(of_parts.values()), {}))
        sources = _over_parts(of_parts)
        table = {name: np.array([figures[name] for figures in sources.values()], np.float64) for name in names}
        choices[choice] = {
            "left_out": {part: _rounded(figures) for part, figures in of_parts.items()},
            "mean": _rounded({name: _mean(values) for name, values in table.items()}),
            "spread": _rounded({name: _spread(values) for name, values in table.items()}),
        }
        judging = [source for source in sources if source in (judges or sources)]
        worth = _mean(np.array([sources[source][by] for source in judging], np.float64))
        if np.isfinite(worth):
            judged[choice] = worth if lowest else -worth
    of = ", ".join(sorted(judges or ["all sources"]))
    return {
        "selected": min(judged, key=lambda name: judged[name]) if judged else None,
        "selected_by": f"{'least' if lowest else 'greatest'} mean {by} over {of}",
        "choices": choices,
    }


def _over_parts(of_parts: Mapping[str, Figures]) -> dict[str, dict[str, float]]:
    """Source -> mean figures of its parts."""
    grouped: dict[str, list[Figures]] = {}
    for part, figures in of_parts.items():
        grouped.setdefault(part.split(",")[0], []).append(figures)
    return {
        source: {name: _mean(np.array([each[name] for each in rows], np.float64)) for name in rows[0]}
        for source, rows in grouped.items()
    }


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else NAN


def _spread(values: NDArray[np.float64]) -> float:
    """Standard deviation between sources; NaN for fewer than two."""
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else NAN


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `--across`."""
    parser.add_argument("--across", action="store_true", help="leave one source out, over the data sets in --data")
    parser.add_argument("--data", type=Path, help="with --across: folder of the data sets (docs/models/README.md)")
    parser.add_argument("--cache", type=Path, help="with --across: folder for what takes minutes to make")


def folders(args: argparse.Namespace) -> tuple[Path, Path]:
    """`--data` and `--cache`. Raises `SourceError` where one is missing."""
    if args.data is None or args.cache is None:
        raise SourceError(
            Message("--across needs --data and --cache."),
            Message("Give the folder of the data sets and one to write in."),
        )
    if not args.data.is_dir():
        raise SourceError(Message("{data} is no folder.", data=args.data), Message("Give the folder of the data sets."))
    return args.data, args.cache


def show(report: Callable[[], Json], as_json: bool) -> int:
    """Make the report and print it; what training needs and a box has not is an error that says so."""
    try:
        made = report()
    except ImportError as error:
        raise ModelError(
            Message("--across needs what training needs: {error}.", error=error),
            Message("Run: pip install 'hailong[train]'"),
        ) from None
    except OSError as error:
        raise SourceError(
            Message("A data set cannot be read: {error}.", error=error),
            Message("Compare --data with docs/models/README.md."),
        ) from None
    print(json.dumps(made, indent=2) if as_json else "\n".join(_lines(made)))
    return 0


def _lines(report: Json) -> list[str]:
    lines = [f"{name}: {value}" for name, value in report.items() if not isinstance(value, dict)]
    for name, block in report.items():
        if not isinstance(block, dict) or "choices" not in block:
            continue
        lines += ["", f"{name}: {block['selected']} ({block['selected_by']})"]
        for choice, row in block["choices"].items():
            lines.append(f"  {choice}")
            for source, figures in [*row["left_out"].items(), ("mean", row["mean"]), ("spread", row["spread"])]:
                shown = "  ".join(f"{key} {_shown(value)}" for key, value in figures.items())
                lines.append(f"    {source:<36} {shown}")
    return lines


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _rounded(figures: Figures) -> dict[str, float | None]:
    return {name: round(value, 4) if np.isfinite(value) else None for name, value in figures.items()}
