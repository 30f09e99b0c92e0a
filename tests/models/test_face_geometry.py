"""Faces read from their landmarks, without weights: on made faces, on the demo's portraits, and beside a rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import catalogue
from models.evaluate_face import PhotographReader
from models.face_geometry import CANONICAL_CM, CANONICAL_MEASURES, MEASURES, RIGID, ActionUnits, FaceGeometry, upright
from models.face_geometry import measures_of as read_measures
from pipeline.errors import ModelError
from pipeline.fusion import FusionParameters
from pipeline.records import EMOTIONS
from pipeline.visit import REST_S, RestingFace, Visit

TABLE = catalogue.model_files("face-geometry")["face_geometry.toml"]


@pytest.fixture(scope="module")
def geometry() -> FaceGeometry:
    return FaceGeometry(TABLE)


def face(rng: np.random.Generator) -> np.ndarray:
    """468 points on the canonical face's scale, its rigid ones in their places; the rest anywhere."""
    points = rng.normal(0, 3, (468, 3))
    points[list(RIGID)] = CANONICAL_CM
    return points


def moved(**by: float) -> np.ndarray:
    """Measures of a face that differs from the canonical one, fully trusted."""
    found = np.append(CANONICAL_MEASURES, np.float32(1))
    for name, change in by.items():
        found[MEASURES.index(name)] += change
    return found


@settings(max_examples=60, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-0.6, 0.6)] * 3),
    size=st.floats(2.0, 60.0),
    place=st.tuples(st.floats(0, 1900), st.floats(0, 1000)),
    seed=st.integers(0, 99),
)
def test_turning_moving_and_distance_change_no_measure(
    angles: tuple[float, float, float], size: float, place: tuple[float, float], seed: int
) -> None:
    points = face(np.random.default_rng(seed))
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one, two = [each for each in range(3) if each != axis]
        step = np.eye(3)
        step[[one, one, two, two], [one, two, one, two]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        turn = step @ turn
    seen = (points @ turn.T * size * (1, -1, -1) + (*place, 0)).astype(np.float32)
    placed = upright(seen)
    assert np.allclose(placed.points_cm, points, atol=2e-3)
    assert np.allclose(read_measures(placed.points_cm), read_measures(points), atol=3e-3)
    assert placed.turned_deg == pytest.approx(np.degrees(np.arccos(np.clip(turn[2, 2], -1, 1))), abs=0.5)


@pytest.mark.parametrize(
    ("emotion", "movement"),
    [
        ("happiness", {"corner_right_up": 0.7, "corner_left_up": 0.7, "mouth_width": 0.9, "lips_apart": 0.5}),
        ("surprise", {"brow_inner_up": 0.7, "brow_outer_up": 0.7, "eye_open": 0.3, "lips_apart": 2.0}),
        (
            "anger",
            {"brow_inner_up": -0.5, "brow_gap": -0.5, "eye_open": -0.3, "lower_lid_up": 0.2, "lips_seen": -0.8},
        ),
        (
            "sadness",
            {"corner_right_up": -0.5, "corner_left_up": -0.5, "lower_lip_up": 0.5, "brow_gap": -0.8},
        ),
        ("neutral", {}),
        ("neutral", {"lips_apart": 0.5}),
    ],
)
def test_what_the_table_says_is_what_is_read(geometry: FaceGeometry, emotion: str, movement: dict[str, float]) -> None:
    """Full movements lead to their emotion; who talks is neutral."""
    (affect,) = geometry.infer([moved(**movement)])
    assert EMOTIONS[int(affect.likelihoods.argmax())] == emotion
    assert affect.likelihoods.sum() == pytest.approx(1, abs=1e-5)


def test_one_corner_of_the_mouth_is_a_sign_of_contempt(geometry: FaceGeometry) -> None:
    contempt = EMOTIONS.index("contempt")
    plain, left, right = geometry.infer([moved(), moved(corner_left_up=0.4), moved(corner_right_up=0.4)])
    assert left.likelihoods[contempt] == pytest.approx(right.likelihoods[contempt], abs=1e-5)
    assert left.likelihoods[contempt] > 1.5 * plain.likelihoods[contempt]


def test_smiling_portraits_and_a_turned_face(geometry: FaceGeometry) -> None:
    reader = PhotographReader("face-geometry")
    smiles = [reader.read(catalogue.media_file(name))[0] for name in ("astronaut", "obama")]
    assert all(smile is not None and smile.ratios.positive > 0 for smile in smiles)
    assert geometry.infer([np.append(CANONICAL_MEASURES, np.float32(0))])[0].uncertainty == 1.0
    assert geometry.crop(np.zeros((8, 8, 3), np.uint8), np.zeros((6, 2), np.float32))[-1] == 0
    degenerate = geometry.crop(
        np.zeros((8, 8, 3), np.uint8), np.zeros((6, 2), np.float32), np.zeros((468, 3), np.float32)
    )
    assert np.isfinite(degenerate).all()


def test_a_movement_is_one_against_the_own_rest_and_the_canonical_face(geometry: FaceGeometry) -> None:
    """Whose corners always hang is not sad by that; who came smiling and stops is not either; who smiles is seen."""
    down = {"corner_right_up": -0.5, "corner_left_up": -0.5}
    up = {"corner_right_up": 0.7, "corner_left_up": 0.7, "mouth_width": 0.9}
    always, after_smile, smile = geometry.infer(
        [
            np.stack([moved(**down), moved(**down)]),
            np.stack([moved(), moved(**up)]),
            np.stack([moved(**up), moved()]),
        ]
    )
    plain, frown = geometry.infer([moved(), moved(**down)])
    assert always.ratios.negative == pytest.approx(plain.ratios.negative, abs=0.05)
    assert after_smile.ratios.negative == pytest.approx(plain.ratios.negative, abs=0.05)
    assert frown.ratios.negative > plain.ratios.negative + 0.3
    assert smile.ratios.positive > plain.ratios.positive + 1


def test_a_rest_is_learnt_then_kept_and_forgotten_with_the_sums() -> None:
    rest = RestingFace()
    time_s = 0.0
    while rest.seconds < REST_S:
        told = rest.beside(moved(mouth_width=0.4), time_s)
        assert told[0, -1] == 0, "nothing is to be trusted before the rest is known"
        time_s += 0.1
    told = rest.beside(moved(mouth_width=2.0), time_s)
    assert told[0, -1] == 1
    assert told[1, MEASURES.index("mouth_width")] == pytest.approx(CANONICAL_MEASURES[2] + 0.4, abs=1e-4)
    visit = Visit(0.0, FusionParameters())
    visit.sums.rest.beside(moved(), 0.0)
    visit.opt_out()
    assert visit.sums.rest.mean is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("temperature = 2.0", ""),
        ("brow_inner_up = 1.0", "brow = 1.0"),
        ("from_cm = 0.30", "from_cm = 0.0"),
        ("surprise = 0.85", "joy = 0.85"),
        ("shown = 0.6", "shown = 3.0"),
        ("[[unit]]", "[[unit"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "face_geometry.toml"
    path.write_text(TABLE.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ModelError, match="table of action units"):
        ActionUnits.read(path)
