"""The encoder's body as an ONNX graph, from its packed file: what `hailong models fetch --asr` makes once.

The network is a BERT of twelve layers (Devlin et al. 2019) with the weights of multilingual-e5-small (Wang et al. 2024,
arXiv:2402.05672). The matrices stay in their 4 bits (`MatMulNBits` of ONNX Runtime, the same blocks of 32 in another
order of nibbles; activations in 8 bits, as the packed file's own engine has it). Input `words` float32 [k, 384]: the
tokens' rows of the table of words, k <= 128; output `embedding` float32 [384] of length one, the mean over the tokens.

Beside each matrix stands a low-rank addition to it (LoRA: Hu et al. 2021, arXiv:2106.09685), which is an input:
`l0.q.down` float32 [width, r] and `l0.q.up` [r, rows], and so on. What was trained for a matter is then a small file
of its own, with terms of its own; zeros give the network as it was published.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.encoder_file import BLOCK, EncoderFile, open_encoder

FILE = "e5-small-q4.bin"
LONGEST = 128
OPSET = 20
LORA_PARTS = ("q", "k", "v", "ao", "fi", "fo")
"""Matrices of a layer, as the packed file names them."""


def additions(file: EncoderFile) -> dict[str, tuple[int, int]]:
    """Inputs that are added to a matrix: the two names' stem to (width, rows)."""
    sizes = {"fi": (file.width, file.inner), "fo": (file.inner, file.width)}
    return {
        f"l{layer}.{part}": sizes.get(part, (file.width, file.width))
        for layer in range(file.layers)
        for part in LORA_PARTS
    }


IR_VERSION = 9


def convert(folder: Path) -> bytes:
    """The ONNX model as bytes, from `e5-small-q4.bin` in `folder`. The same input gives the same bytes."""
    return body(open_encoder(folder / FILE))


def _sides(width: int, rows: int) -> dict[str, list[str | int | None]]:
    return {"down": [width, "r"], "up": ["r", rows]}


def repacked(blocks: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Nibbles uint8 [rows, blocks, 16] in ONNX Runtime's order (byte j: weights 2j and 2j + 1), and scales."""
    low, high = blocks[:, :, 2:] & 15, blocks[:, :, 2:] >> 4
    nibbles = np.concatenate([low, high], axis=2)
    packed = nibbles[:, :, 0::2] | (nibbles[:, :, 1::2] << 4)
    scales = np.ascontiguousarray(blocks[:, :, :2]).view(np.float16)[:, :, 0].astype(np.float32)
    return np.ascontiguousarray(packed), np.ascontiguousarray(scales)


def body(file: EncoderFile) -> bytes:
    """The graph of an opened file."""
    from onnx import helper, numpy_helper
    from onnx.onnx_ml_pb2 import TensorProto

    nodes, tensors = [], []

    def tensor(name: str, values: NDArray[Any]) -> str:
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def ints(name: str, values: list[int]) -> str:
        return tensor(name, np.array(values, np.int64))

    def linear(name: str, source: str, rows: int, width: int, output: str) -> str:
        packed, scales = repacked(file.blocks(f"{name}.w", width))
        inputs = [source, tensor(f"{name}.w", packed), tensor(f"{name}.s", scales)]
        product = node(
            "MatMulNBits", inputs, f"{output}.product",
            domain="com.microsoft", K=width, N=rows, bits=4, block_size=BLOCK, accuracy_level=4,
        )  # fmt: skip
        low = node("MatMul", [source, f"{name}.down"], f"{output}.low")
        added = node("MatMul", [low, f"{name}.up"], f"{output}.added")
        return node("Sum", [product, added, tensor(f"{name}.b", file.numbers(f"{name}.b"))], output)

    def norm(name: str, source: str, output: str) -> str:
        gains = [tensor(f"{name}.w", file.numbers(f"{name}.w")), tensor(f"{name}.b", file.numbers(f"{name}.b"))]
        return node("LayerNormalization", [source, *gains], output, axis=-1, epsilon=file.epsilon)

    width, heads = file.width, file.heads
    places = file.numbers("emb.pos").reshape(-1, width)[:LONGEST] + file.numbers("emb.type").reshape(-1, width)[0]
    zero, last = ints("zero", [0]), ints("last", [-1])
    split, joined = ints("split", [-1, heads, width // heads]), ints("joined", [-1, width])
    scale = tensor("scale", np.array((width // heads) ** -0.5, np.float32))
    count = node("Shape", ["words"], "count", end=1)
    table = node("Slice", [tensor("places", places), zero, count, zero], "places.used")
    x = norm("emb.ln", node("Add", ["words", table], "placed"), "x")
    for number in range(file.layers):
        at = f"l{number}"
        parts = {}
        for part, order in (("q", [1, 0, 2]), ("k", [1, 2, 0]), ("v", [1, 0, 2])):
            flat = linear(f"{at}.{part}", x, width, width, f"{at}.{part}")
            parts[part] = node(
                "Transpose", [node("Reshape", [flat, split], f"{at}.{part}.split")], f"{at}.{part}.heads", perm=order
            )
        likeness = node("Mul", [node("MatMul", [parts["q"], parts["k"]], f"{at}.likeness"), scale], f"{at}.scaled")
        heard = node("MatMul", [node("Softmax", [likeness], f"{at}.share", axis=-1), parts["v"]], f"{at}.heard")
        flat = node("Reshape", [node("Transpose", [heard], f"{at}.turned", perm=[1, 0, 2]), joined], f"{at}.flat")
        x = norm(
            f"{at}.aln", node("Add", [x, linear(f"{at}.ao", flat, width, width, f"{at}.ao")], f"{at}.a"), f"{at}.m"
        )
        mid = node("Gelu", [linear(f"{at}.fi", x, file.inner, width, f"{at}.fi")], f"{at}.gelu")
        x = norm(
            f"{at}.oln", node("Add", [x, linear(f"{at}.fo", mid, width, file.inner, f"{at}.fo")], f"{at}.o"), f"{at}.x"
        )
    mean = node("ReduceMean", [x, zero], "mean", keepdims=0)
    length = node("ReduceL2", [mean, last], "length", keepdims=1)
    node("Div", [mean, length], "embedding")
    graph = helper.make_graph(
        nodes,
        "encoder",
        [
            helper.make_tensor_value_info("words", TensorProto.FLOAT, ["k", width]),
            *(
                helper.make_tensor_value_info(f"{stem}.{name}", TensorProto.FLOAT, sides)
                for stem, sides_of in additions(file).items()
                for name, sides in _sides(*sides_of).items()
            ),
        ],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [width])],
        tensors,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="hailong")
    model.ir_version = IR_VERSION
    return bytes(model.SerializeToString(deterministic=True))
