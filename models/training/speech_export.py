"""Writes the speech network: scaling, linear members, their mean, calibration and doubt, as one small ONNX graph.

Source of the flattening: MacKay (1992), The evidence framework applied to classification networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from models.training.speech_linear import CLIP, LinearMember, Scaling

_GRAPH = f"""
<ir_version: 8, opset_import: ["" : 17], producer_name: "hailong">
speech (float[n] summary) => (float[2] probabilities, float[1] doubt) {{
    moved = Sub(summary, mean)
    standard = Div(moved, spread)
    low = Constant<value = float {{-{CLIP}}}>()
    high = Constant<value = float {{{CLIP}}}>()
    scaled = Clip(standard, low, high)
    linear = MatMul(scaled, weights)
    scores = Add(linear, offsets)
    centre = MatMul(scores, share)
    squares = Mul(scores, scores)
    mean_square = MatMul(squares, share)
    centre_square = Mul(centre, centre)
    variance = Sub(mean_square, centre_square)
    flattened = Mul(variance, flattening)
    one = Constant<value = float {{1.0}}>()
    zero = Constant<value = float {{0.0}}>()
    above = Add(flattened, one)
    root = Sqrt(above)
    sloped = Mul(centre, slope)
    logit = Div(sloped, root)
    probabilities = Sigmoid(logit)
    small = Constant<value = float {{0.000001}}>()
    against = Sub(one, probabilities)
    some = Add(probabilities, small)
    other = Add(against, small)
    log_some = Log(some)
    log_other = Log(other)
    part = Mul(probabilities, log_some)
    rest = Mul(against, log_other)
    nats = Add(part, rest)
    last = Constant<value = int64[1] {{1}}>()
    valence_nats = Gather<axis = 0>(nats, last)
    entropy = Div(valence_nats, minus_log_two)
    distances = Mul(scaled, scaled)
    distance = ReduceMean<axes = [0], keepdims = 1>(distances)
    relative = Div(distance, far)
    beyond = Sub(relative, one)
    beyond_only = Max(beyond, zero)
    fading = Neg(beyond_only)
    near = Exp(fading)
    sure = Sub(one, entropy)
    kept = Mul(near, sure)
    doubt = Sub(one, kept)
}}
"""


@dataclass(frozen=True, slots=True)
class Calibration:
    """P = sigmoid(slope * m / sqrt(1 + flattening * s^2)) of the members' mean m and their standard deviation s."""

    slope: float
    flattening: float


def export(
    scale: Scaling,
    members: Sequence[Sequence[LinearMember]],
    calibrations: Sequence[Calibration],
    far: float,
    path: Path,
) -> None:
    """Writes the graph: summary float32 [126] -> probabilities float32 [2] (arousal, valence), doubt of the valence
    [1].

    `far`: mean square of the scaled figures over which an utterance counts as unlike anything in training.
    """
    count = sum(len(group) for group in members)
    share = np.zeros((count, len(members)))
    at = 0
    for measure, group in enumerate(members):
        share[at : at + len(group), measure] = 1.0 / len(group)
        at += len(group)
    flat = [one for group in members for one in group]
    tables = {
        "mean": scale.mean,
        "spread": scale.spread,
        "weights": np.stack([one.weights for one in flat], axis=1),
        "offsets": np.array([one.offset for one in flat]),
        "share": share,
        "flattening": np.array([one.flattening for one in calibrations]),
        "slope": np.array([one.slope for one in calibrations]),
        "minus_log_two": np.array([-np.log(2.0)]),
        "far": np.array([far]),
    }
    model = onnx.parser.parse_model(_GRAPH)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(table.astype(np.float32), name) for name, table in tables.items()
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
