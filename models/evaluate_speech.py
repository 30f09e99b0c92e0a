"""Evaluate speech affect on labelled recordings of your own.

hailong models eval speech --index FILE.csv --out predictions.csv [--json]

FILE.csv has the columns path,label,speaker; paths are relative to the file; speaker may be empty (then the row is its
own speaker). WAV, FLAC, OGG, MP3 and whatever else PyAV reads; any rate. Labels: neutral, happiness, sadness, anger,
fear, disgust, surprise, calm, boredom (another or empty label: predicted, but not measured). The table has one line
for each row: path,found,arousal,p_negative,valence,uncertainty,reason. Measures, each with a 95 % interval from a
bootstrap over whole speakers:

  arousal.uar            mean recall of high (anger, happiness, fear, surprise) and low (sadness, neutral, calm,
  boredom)
  valence.uar            mean recall of negative (anger, sadness, fear, disgust, boredom) and not negative; surprise
  is left out
  *.auc, *.ece           ranking; top-class calibration
  *.uar_own_middle       the same recall with each speaker's own median as the threshold (labels are not used for it):
                         what change against a person's own voice is worth, as a visit's arrival and leaving
  *.coverage             accuracy when only the least uncertain share answers (arousal: farthest from 1/2; valence:
  by `uncertainty`)
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
from models.labels import HIGH_AROUSAL, POLARITY_OF
from models.speech_affect import SpeechAffectNetwork
from pipeline.errors import SourceError
from pipeline.records import SAMPLE_RATE_HZ, SpeechAffect

COLUMNS = ("path", "found", "arousal", "p_negative", "valence", "uncertainty", "reason")
Row = tuple[str, str, str]


def read_index(path: Path) -> list[Row]:
    """(path, label, speaker) of each row; raises `SourceError` where the file or its columns are missing."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if not {"path", "label"} <= set(reader.fieldnames or ()):
                raise SourceError(f"{path.name} needs the columns path,label,speaker; it has {reader.fieldnames}.")
            return [
                ((row["path"] or "").strip(), (row["label"] or "").strip(), (row.get("speaker") or "").strip())
                for row in reader
            ]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path} cannot be read: {error}.", "Give a UTF-8 file with the columns path,label,speaker."
        ) from error


def read_sound(path: Path, longest_s: float = 60.0) -> NDArray[np.float32]:
    """The first sound track as float32 [n] in [-1, 1], 16 kHz mono, at most `longest_s`; raises `SourceError`."""
    import av

    pieces: list[NDArray[np.float32]] = []
    total = 0
    try:
        with av.open(str(path)) as container:
            resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
            for frame in container.decode(audio=0):
                for piece in resampler.resample(frame):
                    pieces.append(piece.to_ndarray()[0].astype(np.float32))
                    total += len(pieces[-1])
                if total > longest_s * SAMPLE_RATE_HZ:
                    break
            pieces += [piece.to_ndarray()[0].astype(np.float32) for piece in resampler.resample(None)]
    except FileNotFoundError:
        raise SourceError("no such file") from None
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        raise SourceError(f"not a sound that can be read ({type(error).__name__})") from error
    if not pieces:
        raise SourceError("no sound in the file")
    return np.concatenate(pieces)


def predict(
    network: SpeechAffectNetwork, rows: list[Row], folder: Path, progress: bool
) -> list[tuple[SpeechAffect | None, str]]:
    """Affect of every row, or None with the reason; nothing that a file holds stops the run."""
    found: list[tuple[SpeechAffect | None, str]] = []
    for number, (name, _, _) in enumerate(rows, 1):
        try:
            affect = network.infer(read_sound(folder / name))
            found.append((affect, "") if affect.uncertainty < 1.0 else (None, "too short or silent"))
        except SourceError as error:
            found.append((None, error.message))
        if progress and (number % 50 == 0 or number == len(rows)):
            print(f"\r{number}/{len(rows)} recordings", end="", file=sys.stderr, flush=True)
    if progress and rows:
        print(file=sys.stderr)
    return found


def write(rows: list[Row], found: list[tuple[SpeechAffect | None, str]], out: Path) -> None:
    """The table of predictions, columns as in `COLUMNS`."""
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for (path, _, _), (affect, reason) in zip(rows, found, strict=True):
            if affect is None:
                writer.writerow([path, 0, "", "", "", "", reason])
                continue
            shown = (affect.arousal, (1.0 - affect.valence) / 2.0, affect.valence, affect.uncertainty)
            writer.writerow([path, 1, *(f"{figure:.6f}" for figure in shown), reason])


def measure(rows: list[Row], found: list[tuple[SpeechAffect | None, str]], resamples: int = 1000) -> dict[str, Any]:
    """The measures as a table for JSON; rows without sound, or with another label, are counted only."""
    pairs = [
        (label, speaker or path, affect)
        for (path, label, speaker), (affect, _) in zip(rows, found, strict=True)
        if affect
    ]
    labels = [label for _, label, _ in rows]
    summary: dict[str, Any] = {
        "n": len(rows),
        "found": len(pairs),
        "labels": {name: labels.count(name) for name in sorted(set(labels))},
        "speakers": len({speaker for _, speaker, _ in pairs}),
    }
    high = [(HIGH_AROUSAL.get(label), affect.arousal, speaker, affect) for label, speaker, affect in pairs]
    negative = [
        (
            None if POLARITY_OF.get(label) is None else POLARITY_OF[label] == "negative",
            (1.0 - affect.valence) / 2.0,
            speaker,
            affect,
        )
        for label, speaker, affect in pairs
    ]
    for name, cases in (("arousal", high), ("valence", negative)):
        kept = [case for case in cases if case[0] is not None]
        if kept:
            summary[name] = _figures(
                np.array([bool(case[0]) for case in kept]),
                np.array([case[1] for case in kept]),
                np.unique([case[2] for case in kept], return_inverse=True)[1],
                np.array([case[3].uncertainty if name == "valence" else -abs(case[1] - 0.5) for case in kept]),
                resamples,
            )
    return summary


def _figures(
    true: NDArray[np.bool_],
    probability: NDArray[np.float64],
    speaker: NDArray[np.int64],
    uncertainty: NDArray[np.float64],
    resamples: int,
) -> dict[str, Any]:
    said = probability > 0.5
    own = probability.copy()
    for one in np.unique(speaker):
        own[speaker == one] -= np.median(probability[speaker == one])

    def interval(what: Any, *arrays: NDArray[Any]) -> dict[str, float | None]:
        return metrics.bootstrap(what, *arrays, clusters=speaker, resamples=resamples).as_json()

    def uar(one: NDArray[Any], two: NDArray[Any]) -> float:
        return metrics.uar(one.astype(np.int64), two.astype(np.int64), 2)

    both = np.stack([1.0 - probability, probability], axis=1)
    return {
        "measured": len(true),
        "positive_share": round(float(true.mean()), 4),
        "uar": interval(uar, true, said),
        "auc": interval(metrics.auc, true, probability),
        "ece": interval(metrics.ece, true.astype(np.int64), both),
        "recall": {
            "yes": round(float(said[true].mean()), 4) if true.any() else None,
            "no": round(float((~said[~true]).mean()), 4) if (~true).any() else None,
        },
        "uar_own_middle": interval(uar, true, own > 0),
        "coverage": [
            {
                "coverage": round(point.coverage, 3),
                "accuracy": round(point.accuracy, 4),
                "uncertainty": round(point.threshold, 4),
            }
            for point in metrics.accuracy_coverage(true == said, uncertainty)
        ],
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--index", type=Path, required=True, metavar="FILE.csv", help="columns path,label,speaker")
    parser.add_argument("--out", type=Path, required=True, metavar="PREDICTIONS.csv", help="table to write")
    parser.add_argument("--json", action="store_true", help="print the measures as JSON")
    parser.add_argument("--weights", type=Path, help="another .onnx of speech-affect's form (of a training run)")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples (default 1000)")


def run(args: argparse.Namespace) -> int:
    """Predict every row, write the table, print the measures."""
    rows = read_index(args.index)
    if args.weights is None:
        notice = catalog.check_licence(catalog.card("speech-affect"), (), demo=True)
        if notice:
            print(notice, file=sys.stderr)
    weights = args.weights or catalog.model_files("speech-affect")["speech_affect.onnx"]
    found = predict(SpeechAffectNetwork(weights), rows, args.index.parent, progress=len(rows) > 200)
    write(rows, found, args.out)
    summary = {"network": "speech-affect"} | measure(rows, found, args.resamples)
    print(json.dumps(summary, indent=2) if args.json else as_text(summary))
    return 0


def as_text(summary: dict[str, Any], indent: str = "") -> str:
    """The measures for a person to read."""
    lines = []
    for name, value in summary.items():
        if isinstance(value, dict) and "low" in value:
            value = "-" if value["value"] is None else f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
        elif name == "coverage":
            value = "  ".join(f"{point['coverage']:.0%} {point['accuracy']:.3f}" for point in value)
        elif name in ("arousal", "valence"):
            lines += [f"{name}:", as_text(value, "  ")]
            continue
        elif isinstance(value, dict):
            value = "  ".join(f"{key or '(empty)'} {figure}" for key, figure in value.items())
        lines.append(f"{indent}{name:<18} {value}")
    return "\n".join(lines)
