"""Calibrate a trained face network on the validation votes, write ONNX, and (once) open the test split.

`python -m models.training.face_export --data FOLDER --run RUN/face.pt --out models/weights/face_affect.onnx`

Calibration: one temperature and one offset for each class (vector scaling with a shared slope; Guo et al. 2017,
section 4.2), fitted to the majority labels of the validation split with a small pull towards zero offsets, and folded
into the last layer. The graph takes float [n, 48, 48] in 0..255 and gives `probabilities` [n, 8] and `usable` [n].
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

from models.training.face import predict, softmax
from models.training.face_data import EMOTION_COUNT, load_split
from models.training.face_measure import measure
from models.training.face_network import FaceNetwork

OFFSET_PULL = 0.02


class Exported(nn.Module):
    """float [n, 48, 48] in 0..255 -> probabilities float [n, 8], usable float [n]."""

    def __init__(self, network: FaceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Both heads as probabilities."""
        logits = self.network(faces.unsqueeze(1))
        return torch.softmax(logits[:, :EMOTION_COUNT], 1), torch.sigmoid(logits[:, EMOTION_COUNT])


def fit_calibration(logits: NDArray[np.float32], majority: NDArray[np.int64]) -> NDArray[np.float64]:
    """(slope, eight offsets) that minimise the log loss of majority labels (rows with -1 are left out)."""
    kept = majority >= 0
    chosen, labels = logits[kept, :EMOTION_COUNT].astype(np.float64), majority[kept]

    def loss(parameters: NDArray[np.float64]) -> float:
        scaled = chosen * np.exp(parameters[0]) + parameters[1:]
        top = scaled.max(1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(scaled - top).sum(1))
        return float(
            (log_sum - scaled[np.arange(len(labels)), labels]).mean() + OFFSET_PULL * (parameters[1:] ** 2).sum()
        )

    found = minimize(loss, np.zeros(EMOTION_COUNT + 1), method="L-BFGS-B").x
    return np.concatenate([[np.exp(found[0])], found[1:]])


def calibrated(logits: NDArray[np.float32], calibration: NDArray[np.float64]) -> NDArray[np.float32]:
    """Logits [n, 9] with slope and offsets applied to the emotions."""
    scaled = logits.copy()
    scaled[:, :EMOTION_COUNT] = logits[:, :EMOTION_COUNT] * calibration[0] + calibration[1:]
    return scaled


def fold(network: FaceNetwork, calibration: NDArray[np.float64]) -> None:
    """Put slope and offsets into the last layer, in place."""
    with torch.no_grad():
        network.heads.weight[:EMOTION_COUNT] *= float(calibration[0])
        network.heads.bias[:EMOTION_COUNT] *= float(calibration[0])
        network.heads.bias[:EMOTION_COUNT] += torch.from_numpy(calibration[1:]).float()


def main() -> None:
    """Calibrate, report the validation scores (calibration cross-fitted on halves), write the graph."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="face.pt of a training run")
    parser.add_argument("--out", type=Path, required=True, help="face_affect.onnx to write")
    parser.add_argument("--open-test", action="store_true", help="score the test split; do this once, and log when")
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = FaceNetwork()
    network.load_state_dict(torch.load(args.run, weights_only=False)["average"])
    valid = load_split(args.data, "valid")
    logits, majority = predict(network, valid.images), valid.majority()
    print("valid, raw:            ", measure(majority, softmax(logits)))
    half = np.random.default_rng(0).permutation(len(logits)) % 2 == 0
    crossed = logits.copy()
    for fit, use in ((half, ~half), (~half, half)):
        crossed[use] = calibrated(logits[use], fit_calibration(logits[fit], majority[fit]))
    print("valid, cross-fitted:   ", measure(majority, softmax(crossed)))
    calibration = fit_calibration(logits, majority)
    print("slope", round(float(calibration[0]), 3), "offsets", calibration[1:].round(3))
    fold(network, calibration)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        Exported(network).eval(),
        (torch.zeros(1, 48, 48),),
        str(args.out),
        dynamo=False,
        opset_version=17,
        input_names=["faces"],
        output_names=["probabilities", "usable"],
        dynamic_axes={"faces": {0: "n"}, "probabilities": {0: "n"}, "usable": {0: "n"}},
    )
    print(f"wrote {args.out.name}: {args.out.stat().st_size / 2**20:.2f} MiB")
    if args.open_test:
        test = load_split(args.data, "test")
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        print(f"test, opened {when}:", measure(test.majority(), softmax(predict(network, test.images))))


if __name__ == "__main__":
    main()
