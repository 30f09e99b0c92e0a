"""The sentiment network: two linear maps of hashed pieces and a gate between them, and its ONNX form.

One map speaks for students on their courses, the corpus whose neutral class is rare; the other for everybody else.
Both are a shared part and a part of their own (Daumé 2007, Frustratingly easy domain adaptation); the gate says how
likely a sentence is a student's (Jacobs et al. 1991, Adaptive mixtures of local experts), so that the habits of one
corpus do not decide what is neutral at a counter.  Pieces weigh by rarity and sentences have length one (Spärck Jones
1972).  Temperatures: Guo et al. (2017), On calibration of modern neural networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from models.text_features import BUCKETS

Float32 = npt.NDArray[np.float32]
Pieces = npt.NDArray[np.int64]

STUDENTS, OTHERS = 0, 1
"""Where a sentence comes from; the order of the two maps."""

_GRAPH = """
<ir_version: 8, opset_import: ["" : 17], producer_name: "hailong">
sentiment (int64[k] pieces) => (float[3] probabilities) {
    half = Gather<axis = 0>(table, pieces)
    rows = Cast<to = 1>(half)
    sizes = Constant<value = int64[4] {3, 3, 1, 1}>()
    students_rows, others_rows, gate_rows, rarity = Split<axis = 1>(rows, sizes)
    axis = Constant<value = int64[1] {0}>()
    both = Constant<value = int64[2] {0, 1}>()
    squares = Mul(rarity, rarity)
    sum_squares = ReduceSum<keepdims = 0>(squares, both)
    one = Constant<value = float {1.0}>()
    least = Max(sum_squares, one)
    length = Sqrt(least)
    students_sum = ReduceSum<keepdims = 0>(students_rows, axis)
    others_sum = ReduceSum<keepdims = 0>(others_rows, axis)
    gate_sum = ReduceSum<keepdims = 0>(gate_rows, axis)
    students_scaled = Div(students_sum, length)
    others_scaled = Div(others_sum, length)
    gate_scaled = Div(gate_sum, length)
    students_logits = Add(students_scaled, students_bias)
    others_logits = Add(others_scaled, others_bias)
    gate_logit = Add(gate_scaled, gate_bias)
    students_cool = Div(students_logits, students_temperature)
    others_cool = Div(others_logits, others_temperature)
    students = Softmax<axis = 0>(students_cool)
    others = Softmax<axis = 0>(others_cool)
    share = Sigmoid(gate_logit)
    rest = Sub(one, share)
    students_part = Mul(students, share)
    others_part = Mul(others, rest)
    probabilities = Add(students_part, others_part)
}
"""


@dataclass(frozen=True, slots=True)
class Mixture:
    """The trained network.

    `table`: float32 [BUCKETS, 8]: columns 0 to 2 logits of the students' map, 3 to 5 of the others', 6 the gate (all
    times the piece's rarity), 7 the rarity itself.  `bias`: float32 [7].  `temperatures`: of the two maps.
    """

    table: Float32
    bias: Float32
    temperatures: tuple[float, float] = (1.0, 1.0)

    def logits(self, sentences: list[Pieces]) -> Float32:
        """Uncooled logits float32 [n, 7]: students' three, others' three, the gate's."""
        made = np.empty((len(sentences), 7), dtype=np.float32)
        for at, pieces in enumerate(sentences):
            rows = self.table[pieces]
            made[at] = rows[:, :7].sum(axis=0) / np.sqrt(max(1.0, float((rows[:, 7] ** 2).sum()))) + self.bias
        return made

    def probabilities(self, sentences: list[Pieces]) -> Float32:
        """Probabilities float32 [n, 3] (negative, neutral, positive)."""
        return mixed(self.logits(sentences), self.temperatures)


def mixed(logits: Float32, temperatures: tuple[float, float]) -> Float32:
    """Probabilities float32 [n, 3] of logits float32 [n, 7] as `Mixture.logits` gives them."""
    share = 1.0 / (1.0 + np.exp(-logits[:, 6:]))
    students = _softmax(logits[:, :3] / temperatures[STUDENTS])
    others = _softmax(logits[:, 3:6] / temperatures[OTHERS])
    return np.asarray(share * students + (1.0 - share) * others, dtype=np.float32)


def _softmax(logits: Float32) -> Float32:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def best_temperature(logits: Float32, labels: npt.NDArray[np.int64]) -> float:
    """The temperature in [0.3, 5] with the least cross-entropy on held-out rows; logits float32 [n, 3]."""
    best, least = 1.0, float("inf")
    for temperature in np.geomspace(0.3, 5, 120):
        sure = _softmax(logits / temperature)[np.arange(len(labels)), labels]
        loss = float(-np.log(np.maximum(sure, 1e-12)).mean())
        if loss < least:
            best, least = float(temperature), loss
    return best


def export(network: Mixture, path: Path) -> None:
    """Writes the ONNX file: pieces int64 [k] -> probabilities float32 [3]; the table in half precision (4.2 MB)."""
    assert network.table.shape == (BUCKETS, 8)
    tables: dict[str, npt.NDArray[Any]] = {
        "table": network.table.astype(np.float16),
        "students_bias": network.bias[:3].astype(np.float32),
        "others_bias": network.bias[3:6].astype(np.float32),
        "gate_bias": network.bias[6:].astype(np.float32),
        "students_temperature": np.array([network.temperatures[STUDENTS]], dtype=np.float32),
        "others_temperature": np.array([network.temperatures[OTHERS]], dtype=np.float32),
    }
    model = onnx.parser.parse_model(_GRAPH)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(table, name) for name, table in tables.items())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
