"""Recall by apparent skin tone: `python -m models.training.face_tone --data FOLDER --cache FOLDER`.

No face set that is open to us says who is in the picture, so tone is measured on the picture, on RAF-DB's held-out
faces, which are in colour: the individual typology angle (Chardon et al. 1991) of the median colour of two patches on
the cheeks, atan((L* - 50) / b*) in degrees: light over 41, intermediate 28 to 41, tan 10 to 28, dark under 10.
**What it cannot tell**: light falls on faces as much as tone shows in them, so a dark picture of light skin counts as
dark. Differences here are of dark and of light *pictures of* skin. Age and sex are not measured: nothing open says
them.

For each group: faces, recall of negative, neutral called negative, three-class macro-F1, with 95 % bootstrap
intervals, of the shipped weights' likelihoods (even classes)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import evaluate, metrics
from models.face_affect import FaceAffectNetwork
from models.training.face_curves import DEFAULT_WEIGHTS
from models.training.face_measure import POLARITY_OF_EMOTION, polarity
from models.training.face_rafdb import FILE, held_out, load_rafdb
from pipeline.language.parser import Parser

GROUPS = {"light": (41.0, 91.0), "intermediate": (28.0, 41.0), "tan": (10.0, 28.0), "dark": (-91.0, 10.0)}
"""Degrees of the typology angle, lower end included."""
CHEEKS = ((slice(52, 66), slice(22, 36)), (slice(52, 66), slice(64, 78)))
"""Rows and columns of RAF-DB's aligned 100 x 100 faces: beside the nose, under the eyes."""


def typology_angle(bgr: NDArray[np.uint8]) -> float:
    """Angle in degrees of the cheeks' median colour; `bgr` uint8 [100, 100, 3], an aligned face."""
    import cv2

    lab = np.asarray(cv2.cvtColor(bgr.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2Lab))
    skin = np.concatenate([lab[rows, columns].reshape(-1, 3) for rows, columns in CHEEKS])
    light, _, yellow = np.median(skin, axis=0)
    return float(np.degrees(np.arctan2(light - 50.0, max(float(yellow), 1e-3))))


def of_groups(
    angles: NDArray[np.float64], labels: NDArray[np.int64], likelihoods: NDArray[np.float32], resamples: int = 1000
) -> dict[str, dict[str, object]]:
    """The measures by group: angles [n], emotions [n] (index in `EMOTIONS`), likelihoods [n, 8]."""
    three = POLARITY_OF_EMOTION[labels]
    said = polarity(likelihoods).argmax(1)
    found: dict[str, dict[str, object]] = {}
    for name, (least, under) in GROUPS.items():
        rows = (angles >= least) & (angles < under) & (three >= 0)
        negative, neutral = rows & (three == 0), rows & (three == 1)
        found[name] = {
            "faces": int(rows.sum()),
            "negative": int(negative.sum()),
            "recall_negative": evaluate.interval(
                metrics.accuracy, three[negative], said[negative], resamples=resamples
            ),
            "neutral_called_negative": evaluate.interval(
                lambda true, one: float((one == 0).mean()), three[neutral], said[neutral], resamples=resamples
            ),
            "macro_f1": evaluate.interval(
                lambda true, one: metrics.macro_f1(true, one, 3), three[rows], said[rows], resamples=resamples
            ),
        }
    return found


def report(data: Path, cache: Path, weights: Path = DEFAULT_WEIGHTS) -> dict[str, dict[str, object]]:
    """By group, of RAF-DB's held-out faces under `data/face`."""
    import cv2
    import pyarrow.parquet as pq

    faces = load_rafdb(data / "face", cache)
    rows = np.flatnonzero(held_out(len(faces.labels)))
    pictures = pq.read_table(data / "face" / FILE, columns=["image"]).column("image").to_pylist()
    angles = np.array(
        [
            typology_angle(np.asarray(cv2.imdecode(np.frombuffer(pictures[row], np.uint8), cv2.IMREAD_COLOR), np.uint8))
            for row in rows
        ]
    )
    network = FaceAffectNetwork(weights)
    likelihoods = network.calibration.likelihoods(network.probabilities(faces.images[rows, 0])[0])
    return of_groups(angles, faces.labels[rows], likelihoods)


def main() -> None:
    """Measure and print."""
    parser = Parser("python -m models.training.face_tone", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds face/rafdb_train.parquet")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the crops, outside the repository")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="weights to judge (the shipped ones)")
    args = parser.parse_args()
    print(json.dumps(report(args.data, args.cache, args.weights), indent=1))


if __name__ == "__main__":
    main()
