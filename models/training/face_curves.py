"""How a face network holds up against what a counter does: `python -m models.training.face_curves --data FOLDER`.

The validation faces are changed in one way at a time and go through the weights as shipped (no torch needed). Prints
a table for docs/models/face.md; `--json` for machines. What is made is not what a camera makes: yaw is a turned plane
(no side of the face hides behind the nose), and faces above 48 px are enlarged 48 px faces, which shows that the crop
loses nothing, not that more pixels would help. Every figure has a 95 % bootstrap interval."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.face_affect import ABSTAIN_ABOVE, FaceAffectNetwork, uncertainty_of
from models.face_crop import CropFrame, cut
from models.training import face_augment as change
from models.training.face_data import load_split
from models.training.face_measure import POLARITY_OF_EMOTION, polarity
from pipeline.language.parser import Parser

Image = NDArray[np.uint8]
Change = Callable[[Image, np.random.Generator], Image]
DEFAULT_WEIGHTS = Path(__file__).parents[1] / "weights" / "face_affect.onnx"


def sized(image: Image, size_px: int) -> Image:
    """The face as `size_px` pixels across, through the run-time crop."""
    how = cv2.INTER_AREA if size_px < change.SIZE_PX else cv2.INTER_CUBIC
    seen = np.asarray(cv2.resize(image, (size_px, size_px), interpolation=how), np.uint8)
    return cut(seen, CropFrame(size_px / 2, size_px / 2, float(size_px), 0.0)).pixels


def leaning(image: Image, degrees: float) -> Image:
    """Rolled in the plane by `degrees`, as an error of the eyes' line would do."""
    return cut(image, CropFrame(24, 24, 48.0, np.radians(degrees))).pixels


def misplaced(image: Image, rng: np.random.Generator, error: float) -> Image:
    """A crop whose middle is off by `error` of its side (standard deviation, each way) and its size by the same
    share."""
    x, y = 24 + 48 * error * rng.standard_normal(2)
    return cut(image, CropFrame(x, y, 48.0 * float(np.exp(error * rng.standard_normal())), 0.0)).pixels


def conditions() -> Iterator[tuple[str, str, Change]]:
    """(kind, value, change) of every row of the table."""
    yield "as it is", "", lambda image, _: image
    for size in (16, 24, 32, 48, 64, 96, 160):
        yield "face size, px", str(size), lambda image, _, size=size: sized(image, size)  # type: ignore[misc]
    for sigma in (0.5, 1.0, 1.5, 2.0, 3.0):
        yield "blur, sigma px of 48", str(sigma), lambda image, _, sigma=sigma: change.blurred(image, sigma)  # type: ignore[misc]
    for yaw in (15, 30, 45):
        yield (
            "yaw, degrees (simulated)",
            f"±{yaw}",
            lambda image, rng, yaw=yaw: change.yawed(image, yaw * rng.choice((-1, 1))),  # type: ignore[misc]
        )
    for gain, noise in ((0.5, 8), (0.25, 12), (0.1, 16)):
        yield (
            "light, share (with noise)",
            str(gain),
            lambda image, rng, g=gain, n=noise: change.low_light(image, g, n, rng),  # type: ignore[misc]
        )
    for strength in (0.4, 0.8):
        yield (
            "light from one side",
            str(strength),
            lambda image, rng, s=strength: change.backlight(image, s, rng.uniform(0, 2 * np.pi)),  # type: ignore[misc]
        )
    for quality in (50, 20, 10):
        yield "JPEG quality", str(quality), lambda image, _, q=quality: change.jpeg(image, q)  # type: ignore[misc]
    for degrees in (10, 20):
        yield (
            "lean, degrees",
            f"±{degrees}",
            lambda image, rng, d=degrees: leaning(image, d * rng.choice((-1, 1))),  # type: ignore[misc]
        )
    for error in (0.05, 0.1):
        yield "crop off, share of side", str(error), lambda image, rng, e=error: misplaced(image, rng, e)  # type: ignore[misc]
    yield "glasses drawn on", "", change.glasses
    yield "lower face covered", "", lambda image, rng: change.masked(image, 0.56, int(rng.integers(60, 230)))


def measured(network: FaceAffectNetwork, faces: Image, labels: NDArray[np.int64]) -> dict[str, object]:
    """As the network was calibrated: accuracy over eight classes, three-class F1, AUC neutral/negative and ECE; mean
    uncertainty and the share answered."""
    probabilities, usable = network.probabilities(faces)
    uncertainty = uncertainty_of(network.calibration.likelihoods(probabilities), usable)
    groups = polarity(probabilities)
    three = POLARITY_OF_EMOTION[labels]
    plain = (three == 0) | (three == 1)
    shown = three >= 0
    against_neutral = groups[:, 0] / np.maximum(groups[:, 0] + groups[:, 1], 1e-9)
    correct = probabilities.argmax(1) == labels
    return {
        "accuracy": metrics.bootstrap(lambda hits: float(hits.mean()), correct, resamples=400).as_json(),
        "macro_f1_polarity": metrics.bootstrap(
            lambda true, said: metrics.macro_f1(true, said, 3), three[shown], groups[shown].argmax(1), resamples=400
        ).as_json(),
        "auc_neutral_negative": metrics.bootstrap(
            metrics.auc, three[plain] == 0, against_neutral[plain], resamples=200
        ).as_json(),
        "ece": round(metrics.ece(labels, probabilities), 4),
        "uncertainty": round(float(uncertainty.mean()), 4),
        "answered": round(float((uncertainty <= ABSTAIN_ABOVE).mean()), 4),
    }


def table(rows: list[dict[str, object]]) -> str:
    """The rows as a Markdown table."""
    lines = ["| change | value | accuracy (8) | macro-F1 (3) | AUC neutral/negative | ECE | uncertainty | answered |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for row in rows:
        cells = [str(row["kind"]), str(row["value"])]
        for name in ("accuracy", "macro_f1_polarity", "auc_neutral_negative"):
            figure = row[name]
            assert isinstance(figure, dict)
            cells.append(f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]")
        cells += [f"{row[name]:.3f}" for name in ("ece", "uncertainty", "answered")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure every condition."""
    parser = Parser("python -m models.training.face_curves", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with ferplus_valid.npz")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="weights to judge (the shipped ones)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the changes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    network = FaceAffectNetwork(args.weights)
    valid = load_split(args.data, "valid")
    kept = valid.majority() >= 0
    images, labels = valid.images[kept], valid.majority()[kept]
    rows: list[dict[str, object]] = []
    for kind, value, altered in conditions():
        rng = np.random.default_rng(args.seed)
        faces = np.stack([altered(image, rng) for image in images])
        rows.append({"kind": kind, "value": value} | measured(network, faces, labels))
    print(json.dumps(rows, indent=1) if args.json else table(rows))


if __name__ == "__main__":
    main()
