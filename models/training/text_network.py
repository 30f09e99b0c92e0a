"""The sentiment network: a linear map of hashed pieces to three logits, and its ONNX form.

Source: Wang & Manning (2012), Baselines and bigrams: simple, good sentiment and topic classification; Guo et al.
(2017), On calibration of
modern neural networks (the temperature).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from models.text_features import BUCKETS

Float32 = npt.NDArray[np.float32]

_GRAPH = """
<ir_version: 8, opset_import: ["" : 17], producer_name: "hailong">
sentiment (int64[k] pieces) => (float[3] probabilities) {
    half = Gather<axis = 0>(table, pieces)
    rows = Cast<to = 1>(half)
    axis = Constant<value = int64[1] {0}>()
    total = ReduceSum<keepdims = 0>(rows, axis)
    shape = Shape(pieces)
    count = Cast<to = 1>(shape)
    root = Sqrt(count)
    scaled = Div(total, root)
    logits = Add(scaled, bias)
    cooled = Div(logits, temperature)
    probabilities = Softmax<axis = 0>(cooled)
}
"""


class Bag:
    """`logits = table[pieces].sum(0) / sqrt(k) + bias`; table float32 [BUCKETS, 3]."""

    def __init__(self, table: Float32, bias: Float32) -> None:
        self.table = table
        self.bias = bias

    def logits(self, sentences: list[npt.NDArray[np.int64]]) -> Float32:
        """Logits float32 [n, 3]."""
        rows = [self.table[one].sum(axis=0) / np.sqrt(max(1, len(one))) + self.bias for one in sentences]
        return np.array(rows, dtype=np.float32)


def best_temperature(logits: Float32, labels: npt.NDArray[np.int64]) -> float:
    """The temperature in [0.3, 5] with the least cross-entropy on held-out rows."""
    best, least = 1.0, float("inf")
    for temperature in np.geomspace(0.3, 5, 120):
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        loss = float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]).mean())
        if loss < least:
            best, least = float(temperature), loss
    return best


def export(bag: Bag, temperature: float, path: Path) -> None:
    """Writes the ONNX file: pieces int64 [k] -> probabilities float32 [3]; the table in half precision (1.5 MB)."""
    assert bag.table.shape == (BUCKETS, 3)
    tables: dict[str, npt.NDArray[Any]] = {
        "table": bag.table.astype(np.float16),
        "bias": bag.bias.astype(np.float32),
        "temperature": np.array([temperature], dtype=np.float32),
    }
    model = onnx.parser.parse_model(_GRAPH)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(table, name) for name, table in tables.items())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
