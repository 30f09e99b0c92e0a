"""The frame that every evaluation on somebody's own labelled data has: an index in, a table and measures out.

An index is a CSV file (UTF-8, with or without a byte-order mark) with named columns. What is wrong with the index is an
error that says what to do; what is wrong with one row is that row's reason, and never stops the run.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models import across, catalogue, metrics
from pipeline.errors import SourceError
from pipeline.language import Message

Case = TypeVar("Case")
Json = dict[str, Any]


def read_index(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> list[dict[str, str]]:
    """The named columns of every row, stripped; "" where a row ends early or an optional column is missing.

    Raises `SourceError` where the file cannot be read or a needed column is missing.
    """
    columns = ",".join((*needed, *optional))
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
            if not set(needed) <= names.keys():
                raise SourceError(
                    Message(
                        "{name} needs the columns {columns}; its first line has {value}.",
                        name=path.name,
                        columns=columns,
                        value=", ".join(names) or "none",
                    ),
                    Message("Separate columns by commas and name them in the first line."),
                )
            wanted = {name: names.get(name) for name in (*needed, *optional)}
            return [
                {name: (row.get(column) or "").strip() if column else "" for name, column in wanted.items()}
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            Message("{path} cannot be read: {error}.", path=path, error=error),
            Message("Give a UTF-8 file with the columns {columns}.", columns=columns),
        ) from error


def with_progress(cases: Sequence[Case], noun: str, shown_from: int) -> Iterator[Case]:
    """The cases one by one; from `shown_from` of them on, how many are done is told on stderr."""
    for done, case in enumerate(cases, 1):
        yield case
        if len(cases) >= shown_from and (done % max(1, len(cases) // 100) == 0 or done == len(cases)):
            print(f"\r{done}/{len(cases)} {noun}", end="\n" if done == len(cases) else "", file=sys.stderr, flush=True)


def write_table(out: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The table of predictions; floats with six digits, and no name that a spreadsheet would run. Raises `SourceError`
    where it cannot be written."""
    try:
        with out.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows([_cell(cell) for cell in row] for row in rows)
    except OSError as error:
        raise SourceError(
            Message("{out} cannot be written: {error}.", out=out, error=error),
            Message("Give --out a file in a folder that exists."),
        ) from error


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6f}"
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(("=", "+", "-", "@")) else value


def counts(names: Sequence[str]) -> dict[str, int]:
    """How often each name occurs, in the order of names."""
    return {name: names.count(name) for name in sorted(set(names))}


def coverage(correct: NDArray[np.bool_], uncertainty: NDArray[np.float64]) -> list[dict[str, float]]:
    """Accuracy when only the least uncertain tenth, two tenths, ... answer, and the largest uncertainty among them."""
    return [
        {
            "coverage": round(point.coverage, 3),
            "accuracy": round(point.accuracy, 4),
            "uncertainty": round(point.threshold, 4),
        }
        for point in metrics.accuracy_coverage(correct, uncertainty)
    ]


def add_arguments(parser: argparse.ArgumentParser, columns: str, model: str) -> None:
    """Declare the options that all evaluations share."""
    parser.add_argument("--index", type=Path, metavar="FILE.csv", help=Message("columns {columns}", columns=columns))
    parser.add_argument("--out", type=Path, metavar="PREDICTIONS.csv", help="table to write")
    parser.add_argument("--json", action="store_true", help="print the measures as JSON")
    parser.add_argument(
        "--weights", type=Path, help=Message("another .onnx of {model}'s form (of a training run)", model=model)
    )
    across.add_arguments(parser)
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples (default 1000)")


def index_and_out(args: argparse.Namespace) -> tuple[Path, Path]:
    """`--index` and `--out`, which only `--across` does without. Raises `SourceError` where one is missing."""
    if args.index is None or args.out is None:
        raise SourceError(
            Message("--index and --out are needed."), Message("Give both, or --across with --data and --cache.")
        )
    return args.index, args.out


def weights_of(model: str, own: Path | None) -> Path:
    """The weights to evaluate: one's own, or the shipped ones with the notice of their restriction on stderr."""
    if own is not None:
        return own
    notice = catalogue.check_licence(catalogue.card(model), (), demo=True)
    if notice:
        print(notice, file=sys.stderr)
    return next(path for name, path in catalogue.model_files(model).items() if name.endswith((".onnx", ".toml")))


def show(summary: Json, as_json: bool) -> None:
    """Print the measures, for a program or for a person."""
    print(json.dumps(summary, indent=2, ensure_ascii=False) if as_json else "\n".join(_lines(summary, "")))


def _lines(summary: Json, indent: str) -> Iterator[str]:
    """One line for each measure; a table of measures is a paragraph of its own."""
    for name, value in summary.items():
        if isinstance(value, dict) and "measured" in value:
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{name:<{33 - len(indent)}} {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "  ".join(f"{point['coverage']:.0%} {_plain(point['accuracy']):.3f}" for point in value)
    if not isinstance(value, dict):
        return "-" if value is None else str(value)
    if "low" not in value:
        return "  ".join(f"{key or '(empty)'} {_shown(each)}" for key, each in value.items()) or "-"
    if value["value"] is None:
        return "-"
    if value["low"] is None:
        return f"{value['value']:.3f}"
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def _plain(value: Any) -> float:
    return float(value["value"] if isinstance(value, dict) else value)


def interval(
    measure: Callable[..., float], *arrays: NDArray[Any], resamples: int, clusters: NDArray[np.int64] | None = None
) -> dict[str, float | None]:
    """`metrics.bootstrap` as JSON."""
    return metrics.bootstrap(measure, *arrays, clusters=clusters, resamples=resamples).as_json()
