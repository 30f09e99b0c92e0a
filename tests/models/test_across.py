"""Leave one source out: means count a source once, and a choice is made where it was not fitted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hailong.cli import main
from models.across import summed_up
from models.face_affect import FaceAffectNetwork
from models.likelihoods import Calibration
from models.training.face_across import MAX_ERROR, Read, abstention, at_the_counter, fitted_temperature, threshold
from models.training.face_data import FaceVotes
from models.training.face_rafdb import LabelledFaces, held_out
from models.training.face_sources import Part
from pipeline.fusion import FusionParameters

EVEN = Calibration(tuple([0.125] * 8))


def test_a_source_counts_once_however_many_parts_it_has() -> None:
    found = summed_up({"one": {"a": {"f": 1.0}, "a, dark": {"f": 0.0}, "b": {"f": 0.9}}}, "f")
    assert found["choices"]["one"]["mean"]["f"] == pytest.approx(0.7)
    assert found["choices"]["one"]["spread"]["f"] == pytest.approx(np.std([0.5, 0.9], ddof=1), abs=1e-4)


def test_only_sources_that_the_network_never_saw_judge() -> None:
    choices = {
        "fits the seen": {"seen": {"f": 1.0}, "new": {"f": 0.1}},
        "carries over": {"seen": {"f": 0.3}, "new": {"f": 0.5}},
    }
    assert summed_up(choices, "f")["selected"] == "fits the seen"
    assert summed_up(choices, "f", judges=["new"])["selected"] == "carries over"
    assert summed_up(choices, "f", lowest=True, judges=["new"])["selected"] == "fits the seen"


def test_what_does_not_exist_is_null_and_never_selects() -> None:
    found = summed_up({"a": {"x": {"f": float("nan")}}, "b": {"x": {"f": 0.1}}}, "f")
    assert found["selected"] == "b"
    assert found["choices"]["a"]["mean"]["f"] is None
    assert summed_up({"a": {"x": {"f": float("nan")}}}, "f")["selected"] is None


def reader(confidence: float, right: float, count: int = 600, source: str = "made", seed: int = 0) -> Read:
    """A network that is `confidence` sure of one of three classes, and right in the share `right` of faces."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 3], count)
    said = np.where(rng.random(count) < right, labels, rng.choice([0, 1, 3], count))
    rest = np.full((count, 8), (1 - confidence) / 7, np.float32)
    rest[np.arange(count), said] = confidence
    images = np.zeros((count, 1, 48, 48), np.uint8)
    return Read(Part(source, source, images, labels), EVEN, [rest], [np.ones(count, np.float32)])


def test_the_temperature_is_that_of_the_sources_it_was_fitted_on() -> None:
    assert fitted_temperature([reader(0.99, 0.4)]) > fitted_temperature([reader(0.8, 1.0)]) == 1.0


def test_the_threshold_keeps_the_error_it_promises() -> None:
    """Half of the faces are guessed without a sign of doubt, half with: the threshold lies between the two."""
    sure, doubtful = reader(0.95, 1.0), reader(0.3, 0.0, seed=1)
    chosen = threshold([sure, doubtful], 1.0)
    doubts, right, weights = at_the_counter([sure, doubtful], 1.0)
    kept = doubts <= chosen
    assert 0 < chosen < 1
    assert (weights * ~right)[kept].sum() <= MAX_ERROR * weights[kept].sum()
    told = abstention([sure, doubtful], [sure], 1.0, None)
    assert told["threshold"] == chosen
    assert told["coverage"] == pytest.approx(1)
    assert abstention([sure], [doubtful], 1.0, 0.2)["coverage"] == pytest.approx(0)


def test_faces_weigh_as_often_as_they_come_to_a_counter() -> None:
    one = reader(0.9, 0.7, count=3000)
    _, _, weights = at_the_counter([one], 1.0)
    negative = one.part.labels == 3
    assert weights[negative].sum() / weights.sum() == pytest.approx(FusionParameters().prior[0])


def test_one_face_in_five_is_held_out_and_always_the_same() -> None:
    rows = held_out(12_271)
    assert 0.19 < rows.mean() < 0.21
    assert np.array_equal(rows[:500], held_out(500)), "a row's place alone decides"


def test_single_labels_are_soft_targets() -> None:
    faces = LabelledFaces(np.zeros((4, 2, 48, 48), np.uint8), np.array([0, 0, 1, 3]))
    targets = faces.emotion_targets()
    assert targets.sum(1) == pytest.approx(np.ones(4))
    assert targets[2].argmax() == 1
    assert targets[2, 0] > targets[2, 3] > 0, "what the crowd disagreed on is not told: it goes by the shares"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A FER+ of noise: what is measured is that the report is whole."""
    rng = np.random.default_rng(0)
    votes = np.zeros((120, 10), np.uint8)
    votes[np.arange(120), rng.integers(0, 8, 120)] = 10
    (tmp_path / "face").mkdir()
    split = FaceVotes(rng.integers(0, 256, (120, 48, 48), np.uint8), votes)
    np.savez(tmp_path / "face" / "ferplus_valid.npz", images=split.images, votes=split.votes)
    return tmp_path


def test_the_command(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["models", "eval", "face", "--across", "--data", str(data), "--cache", str(data), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sources"]["ferplus"] == 120
    assert found["network_saw_the_source"] == {"ferplus": True}
    choices = found["prior_and_temperature"]["choices"]
    assert {"as calibrated, temperature 1", "even over four classes, temperature 1.3"} <= choices.keys()
    assert set(choices["as calibrated, temperature 1"]["left_out"]) == set(found["sources"])
    assert main(command[:-1]) == 0
    assert "prior_and_temperature" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--across"], "--data and --cache"),
        (["--across", "--data", "/nowhere", "--cache", "/nowhere"], "no folder"),
        (["--across", "--data", ".", "--cache", ".", "--without", "rafdb"], "SOURCE=FILE.onnx"),
        (["--across", "--data", ".", "--cache", ".", "--network", "fer"], "own network"),
        ([], "--index and --out"),
    ],
)
def test_what_is_missing_is_said(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "eval", "face", *options]) == 1
    assert says in capsys.readouterr().err


def test_a_missing_data_set_is_an_error_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "eval", "face", "--across", "--data", str(tmp_path), "--cache", str(tmp_path)]) == 1
    assert "data set" in capsys.readouterr().err


def test_probabilities_come_in_batches(tmp_path: Path) -> None:
    from models import catalogue

    network = FaceAffectNetwork(catalogue.model_files("face-affect")["face_affect.onnx"])
    faces = np.random.default_rng(0).integers(0, 256, (7, 48, 48), np.uint8)
    whole, parts = network.probabilities(faces), network.probabilities(faces, batch=3)
    np.testing.assert_allclose(whole[0], parts[0], atol=2e-3)
    assert "ferplus" in network.trained_on
