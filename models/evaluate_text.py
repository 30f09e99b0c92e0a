"""Evaluate sentiment on labelled sentences of your own.

hailong models eval text --index FILE.csv --out predictions.csv [--json]

FILE.csv has the columns text,label; labels: negative, neutral, positive (another or empty label: predicted, but not
measured). The table that is written has one line for each row: row,found,p_negative,p_neutral,p_positive,valence,
uncertainty,reason - the row's number, not its text. The measures, each with a 95 % bootstrap interval:

  accuracy, macro_f1     most probable class against the label
  recall                 of each class
  auc_positive_negative  by valence (P(positive) - P(negative))
  ece                    top-class calibration
  coverage               accuracy when only the least uncertain share answers
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import catalog, metrics
from models.labels import POLARITIES
from models.text_sentiment import TextSentimentNetwork
from pipeline.errors import SourceError
from pipeline.records import WordsAffect

COLUMNS = ("row", "found", "p_negative", "p_neutral", "p_positive", "valence", "uncertainty", "reason")


def read_index(path: Path) -> list[tuple[str, str]]:
    """(text, label) of each row; raises `SourceError` where the file or its columns are missing."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if not {"text", "label"} <= set(reader.fieldnames or ()):
                raise SourceError(f"{path.name} needs the columns text,label; it has {reader.fieldnames}.")
            return [((row["text"] or "").strip(), (row["label"] or "").strip()) for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path} cannot be read: {error}.", "Give a UTF-8 file with the columns text,label."
        ) from error


def predict(network: TextSentimentNetwork, texts: list[str], progress: bool) -> list[WordsAffect | None]:
    """Sentiment of each sentence; None for an empty one."""
    found: list[WordsAffect | None] = []
    for number, text in enumerate(texts, 1):
        found.append(network.infer(text) if text else None)
        if progress and (number % 500 == 0 or number == len(texts)):
            print(f"\r{number}/{len(texts)} sentences", end="", file=sys.stderr, flush=True)
    if progress and texts:
        print(file=sys.stderr)
    return found


def write(affects: list[WordsAffect | None], out: Path) -> None:
    """The table of predictions, columns as in `COLUMNS`."""
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for number, affect in enumerate(affects, 1):
            if affect is None:
                writer.writerow([number, 0, *[""] * 5, "empty text"])
                continue
            figures = [*affect.probabilities, affect.valence, affect.uncertainty]
            writer.writerow([number, 1, *(f"{figure:.6f}" for figure in figures), ""])


def measure(labels: list[str], affects: list[WordsAffect | None], resamples: int = 1000) -> dict[str, Any]:
    """The measures as a table for JSON; empty rows and rows with another label are counted only."""
    pairs = [
        (POLARITIES.index(label), affect)
        for label, affect in zip(labels, affects, strict=True)
        if affect is not None and label in POLARITIES
    ]
    summary: dict[str, Any] = {
        "n": len(labels),
        "found": sum(affect is not None for affect in affects),
        "measured": len(pairs),
        "labels": {name: labels.count(name) for name in POLARITIES if name in labels},
    }
    if not pairs:
        return summary
    true = np.array([label for label, _ in pairs])
    probabilities = np.array([affect.probabilities for _, affect in pairs])
    uncertainty = np.array([affect.uncertainty for _, affect in pairs])
    valence = np.array([affect.valence for _, affect in pairs])
    said = probabilities.argmax(axis=1)
    sided = true != 1

    def interval(what: Any, *arrays: NDArray[Any]) -> dict[str, float | None]:
        return metrics.bootstrap(what, *arrays, resamples=resamples).as_json()

    summary["accuracy"] = interval(metrics.accuracy, true, said)
    summary["macro_f1"] = interval(lambda a, b: metrics.macro_f1(a, b, 3), true, said)
    summary["recall"] = {
        name: interval(metrics.accuracy, true[true == index], said[true == index])
        for index, name in enumerate(POLARITIES)
        if (true == index).any()
    }
    summary["auc_positive_negative"] = interval(metrics.auc, true[sided] == 2, valence[sided])
    summary["ece"] = interval(metrics.ece, true, probabilities)
    summary["coverage"] = [
        {
            "coverage": round(point.coverage, 3),
            "accuracy": round(point.accuracy, 4),
            "uncertainty": round(point.threshold, 4),
        }
        for point in metrics.accuracy_coverage(true == said, uncertainty)
    ]
    return summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--index", type=Path, required=True, metavar="FILE.csv", help="columns text,label")
    parser.add_argument("--out", type=Path, required=True, metavar="PREDICTIONS.csv", help="table to write")
    parser.add_argument("--json", action="store_true", help="print the measures as JSON")
    parser.add_argument("--weights", type=Path, help="another .onnx of text-sentiment's form (of a training run)")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples (default 1000)")


def run(args: argparse.Namespace) -> int:
    """Predict every row, write the table, print the measures."""
    rows = read_index(args.index)
    if args.weights is None:
        notice = catalog.check_licence(catalog.card("text-sentiment"), (), demo=True)
        if notice:
            print(notice, file=sys.stderr)
    weights = args.weights or catalog.model_files("text-sentiment")["text_sentiment.onnx"]
    affects = predict(TextSentimentNetwork(weights), [text for text, _ in rows], progress=len(rows) > 1000)
    write(affects, args.out)
    summary = {"network": "text-sentiment"} | measure([label for _, label in rows], affects, args.resamples)
    print(json.dumps(summary, indent=2) if args.json else as_text(summary))
    return 0


def as_text(summary: dict[str, Any]) -> str:
    """The measures for a person to read, one a line."""
    lines = []
    for name, value in summary.items():
        if name == "coverage":
            value = "  ".join(f"{point['coverage']:.0%} {point['accuracy']:.3f}" for point in value)
        elif isinstance(value, dict) and "low" in value:
            value = _figure(value)
        elif isinstance(value, dict):
            value = "  ".join(
                f"{key} {_figure(each) if isinstance(each, dict) else each}" for key, each in value.items()
            )
        lines.append(f"{name:<22} {value}")
    return "\n".join(lines)


def _figure(interval: dict[str, float | None]) -> str:
    if interval["value"] is None:
        return "-"
    return f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"
