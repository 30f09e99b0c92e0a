"""Networks for further training out of a written graph: what `face_export` folded and quantised, unfolded again.

The graph holds each convolution with its batch normalisation folded in and in eight bits. Unfolded, a convolution has
the graph's weights (rounded as they were), and a normalisation that changes nothing: its statistics are those of real
faces, its scale and offset undo them. So training goes on from the function that was shipped, less what rounding
took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from models.training.face_network import FaceNetwork, Residual

Pair = tuple[nn.Conv2d, nn.BatchNorm2d]


def networks_of(graph: Path, images: NDArray[np.uint8]) -> list[FaceNetwork]:
    """The one or two networks of `graph`; `images` uint8 [n, 48, 48] give the statistics."""
    model = onnx.load(str(graph)).graph
    tables = {each.name: numpy_helper.to_array(each) for each in model.initializer}
    values = dict(tables)
    for node in model.node:
        if node.op_type == "DequantizeLinear" and all(name in tables for name in node.input):
            values[node.output[0]] = _dequantised(*(tables[name] for name in node.input))
    convolutions = [
        (node.name, values[node.input[1]], values[node.input[2]]) for node in model.node if node.op_type == "Conv"
    ]
    networks = []
    for number in range(2):
        mark = f"networks.{number}"
        folded = {name.split(mark, 1)[1]: (weight, bias) for name, weight, bias in convolutions if mark in name}
        if not folded:
            break
        network = FaceNetwork()
        network.heads.weight.data = torch.from_numpy(tables[f"{mark}.heads.weight"].copy())
        network.heads.bias.data = torch.from_numpy(tables[f"{mark}.heads.bias"].copy())
        _fill(network, folded)
        _normalise(network, images)
        networks.append(network)
    return networks


def _dequantised(quantised: NDArray[Any], scale: NDArray[np.float32], zero: NDArray[Any]) -> NDArray[np.float32]:
    shape = (-1,) + (1,) * (quantised.ndim - 1) if scale.ndim else ()
    levels = quantised.astype(np.float32) - zero.astype(np.float32).reshape(shape)
    return np.asarray(levels * scale.reshape(shape), np.float32)


def _fill(network: FaceNetwork, folded: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]) -> None:
    """Weights and biases into the convolutions and (unit) normalisations, found by the place in their names."""
    for place, (convolution, norm) in _pairs(network).items():
        weight, bias = folded[f"/{place}/Conv"]
        if weight.shape[2:] != convolution.weight.shape[2:]:  # a short cut's pooling was written into its convolution
            weight = weight.sum(axis=(2, 3), keepdims=True)
        convolution.weight.data = torch.from_numpy(weight.copy())
        norm.weight.data.fill_((1 + norm.eps) ** 0.5)
        norm.bias.data = torch.from_numpy(bias.copy())


def _normalise(network: FaceNetwork, images: NDArray[np.uint8]) -> None:
    """Statistics of `images` into the normalisations, undone by their scale and offset."""
    network.eval()
    sums: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    hooks = []
    pairs = _pairs(network)
    for place, (convolution, _) in pairs.items():

        def note(module: nn.Module, inputs: object, out: torch.Tensor, place: str = place) -> None:
            sums[place] = (out.mean(dim=(0, 2, 3)), out.var(dim=(0, 2, 3)))

        hooks.append(convolution.register_forward_hook(note))
    with torch.inference_mode():
        network(torch.from_numpy(images).float().unsqueeze(1))
    for hook in hooks:
        hook.remove()
    for place, (_, norm) in pairs.items():
        mean, variance = (each.clone() for each in sums[place])
        norm.running_mean = mean
        norm.running_var = variance
        norm.weight.data = (variance + norm.eps).sqrt()
        norm.bias.data = norm.bias.data + mean


def _pairs(network: FaceNetwork) -> dict[str, Pair]:
    """Convolutions with their normalisations, by the place that the exporter names them after."""
    first, norm = network.body[0], network.body[1]
    assert isinstance(first, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    found: dict[str, Pair] = {"body/body.0": (first, norm)}
    for number, block in enumerate(network.body):
        if not isinstance(block, Residual):
            continue
        sequences: list[tuple[str, nn.Sequential, tuple[int, ...]]] = [
            (f"body/body.{number}/body/body", block.body, (0, 3))
        ]
        if isinstance(block.shortcut, nn.Sequential):
            sequences.append((f"body/body.{number}/shortcut/shortcut", block.shortcut, (1,)))
        for name, sequence, places in sequences:
            for place in places:
                convolution, after = sequence[place], sequence[place + 1]
                assert isinstance(convolution, nn.Conv2d)
                assert isinstance(after, nn.BatchNorm2d)
                shown = 0 if "shortcut" in name else place
                found[f"{name}.{shown}"] = (convolution, after)
    return found
