"""Writes the speech network: scaling, linear members, how they are put together, calibration and doubt, as one small
ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from models.training.speech_linear import CLIP, LinearMember, Scaling

STEEPNESS = 3.0
"""How fast certainty is lost beyond `far`: at one and a half times it, .22 is left."""

_GRAPH = f"""
<ir_version: 8, opset_import: ["" : 17], producer_name: "hailong">
speech (float[n] summary) => (float[2] probabilities, float[1] doubt) {{
    moved = Sub(summary, mean)
    standard = Div(moved, spread)
    low = Constant<value = float {{-{CLIP}}}>()
    high = Constant<value = float {{{CLIP}}}>()
    scaled = Clip(standard, low, high)
    linear = MatMul(scaled, weights)
    decisions = Add(linear, offsets)
    each = Constant<value = int64[4] {{1, 1, 1, 1}}>()
    arousal, if_high, if_low, plain = Split<axis = 0>(decisions, each)
    one = Constant<value = float {{1.0}}>()
    small = Constant<value = float {{0.000001}}>()
    aroused = Sigmoid(arousal)
    calm = Sub(one, aroused)
    negative_high = Sigmoid(if_high)
    negative_low = Sigmoid(if_low)
    of_high = Mul(aroused, negative_high)
    of_low = Mul(calm, negative_low)
    negative = Add(of_high, of_low)
    not_negative = Sub(one, negative)
    log_negative = Log(negative)
    log_not_negative = Log(not_negative)
    odds = Sub(log_negative, log_not_negative)
    valence = Add(odds, plain)
    scores = Concat<axis = 0>(arousal, valence)
    logits = Mul(scores, slopes)
    probabilities = Sigmoid(logits)
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
    zero = Constant<value = float {{0.0}}>()
    beyond_only = Max(beyond, zero)
    steep = Constant<value = float {{-{STEEPNESS}}}>()
    fading = Mul(beyond_only, steep)
    near = Exp(fading)
    sure = Sub(one, entropy)
    kept = Mul(near, sure)
    doubt = Sub(one, kept)
}}
"""


def export(
    scale: Scaling, members: Sequence[Sequence[LinearMember]], slopes: Sequence[float], far: float, path: Path
) -> None:
    """Writes the graph: summary float32 [126] -> probabilities float32 [2] (high arousal, negative), doubt of the
    valence [1]. A decision is the mean of its members, and a mean of linear members is one.

    Args:
        members: of the four decisions, in the order of `models.training.speech.RECIPES`.
        slopes: of the calibration, arousal and valence.
        far: mean square of the scaled figures over which an utterance counts as unlike anything in training.
    """
    tables = {
        "mean": scale.mean,
        "spread": scale.spread,
        "weights": np.stack([np.mean([one.weights for one in group], axis=0) for group in members], axis=1),
        "offsets": np.array([np.mean([one.offset for one in group]) for group in members]),
        "slopes": np.array(slopes),
        "minus_log_two": np.array([-np.log(2.0)]),
        "far": np.array([far]),
    }
    model = onnx.parser.parse_model(_GRAPH)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(table.astype(np.float32), name) for name, table in tables.items()
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
