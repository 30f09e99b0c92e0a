"""Training on from shipped weights (needs torch, which the project's own environment has not)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models import catalogue
from models.face_affect import FaceAffectNetwork

torch = pytest.importorskip("torch")


def faces(count: int, seed: int) -> np.ndarray:
    """Smooth pictures with the contrast of faces."""
    import cv2

    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 8, 8), np.uint8)
    return np.stack([cv2.resize(one, (48, 48), interpolation=cv2.INTER_CUBIC) for one in coarse])


def test_unfolded_networks_say_what_the_graph_says() -> None:
    """Within what eight bits round, of the face and its mirror image."""
    from models.training.face import predict, softmax
    from models.training.face_unfold import networks_of

    path = catalogue.model_files("face-affect")["face_affect.onnx"]
    (network,) = networks_of(path, faces(64, 0))
    seen = faces(40, 1)
    views = predict(network, seen), predict(network, np.ascontiguousarray(seen[:, :, ::-1]))
    logits = np.asarray((views[0] + views[1]) / 2, np.float32)
    of_graph, _ = FaceAffectNetwork(path).probabilities(seen)
    assert (softmax(logits).argmax(1) == of_graph.argmax(1)).mean() > 0.7


def test_unfolding_leaves_the_function_whatever_the_statistics() -> None:
    """A normalisation that is undone by its own scale and offset changes nothing while the network is not trained."""
    from models.training.face import predict
    from models.training.face_unfold import networks_of

    path = catalogue.model_files("face-affect")["face_affect.onnx"]
    one, other = networks_of(path, faces(64, 0))[0], networks_of(path, faces(64, 5))[0]
    np.testing.assert_allclose(predict(one, faces(8, 2)), predict(other, faces(8, 2)), atol=2e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_written_says_what_the_network_says(tmp_path: Path) -> None:
    """A network that nothing has taught, quantised: within what eight bits round, once and beside the mirror image."""
    from models.likelihoods import Calibration
    from models.training.face import predict
    from models.training.face_export import run_graph, write_graph, write_metadata
    from models.training.face_unfold import networks_of

    (network,) = networks_of(catalogue.model_files("face-affect")["face_affect.onnx"], faces(64, 0))
    out = tmp_path / "face.onnx"
    write_graph(network, faces(400, 2), out)
    told = Calibration((0.125,) * 8, 1.1, 1.5, (0.0, 0.1, 0.0, 0.0, -0.2, 0.0, 0.0, 0.3))
    write_metadata(out, told, "ferplus")
    read = FaceAffectNetwork(out)
    assert read.calibration == told
    seen = faces(40, 1)
    once = told.probabilities(np.asarray(predict(network, seen)[:, :8], np.float32))
    np.testing.assert_allclose(read.probabilities(seen, both=False)[0], once, atol=0.15)
    np.testing.assert_allclose(read.probabilities(seen)[0], told.probabilities(run_graph(out, seen)), atol=1e-6)
