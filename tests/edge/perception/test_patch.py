"""The picture in a face's box says how far it has changed, and where the face has gone. Real faces, moved by a known
way: the judge is the transform that moved them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.perception.face_tracking import TrackingParameters
from edge.perception.patch import Box, Patch
from models.catalogue import model_files
from models.face_detect import FaceDetector
from models.face_landmarks import FaceLandmarks, cut_of
from tests.edge.clips import FACES, Pixels, scene

HEAD_AT = 300, 100
"""Its left upper corner, in pixels."""


@pytest.fixture(scope="module")
def faces() -> list[tuple[Pixels, Box, NDArray[np.float32]]]:
    """Pictures of a face, with its box and keypoints, small and large."""
    detector = FaceDetector(model_files("face-detector-far")["face_detection_full_range.tflite"])
    landmarks = FaceLandmarks(model_files("face-landmarks")["face_landmark.tflite"])
    found = []
    for name in FACES:
        for side in (110, 200):
            picture = scene((name, side, *HEAD_AT))
            (face, *_) = detector.detect(picture)
            placed = landmarks.find(picture, cut_of(face))
            found.append((picture, placed.box_px, placed.keypoints))
    return found


def test_keypoints_go_where_the_face_has_gone(faces: list[tuple[Pixels, Box, NDArray[np.float32]]]) -> None:
    import cv2

    random = np.random.default_rng(252)
    away, left = [], []
    for picture, box, keypoints in faces:
        for _ in range(30):
            turn, size = float(random.normal(0, 2)), 1 + float(random.normal(0, 0.02))
            middle = box[0] + box[2] / 2, box[1] + box[3] / 2
            moves = np.asarray(cv2.getRotationMatrix2D(middle, turn, size), np.float64)
            moves[:, 2] += random.normal(0, 0.025 * box[2], 2)
            size_px = picture.shape[1], picture.shape[0]
            now = np.asarray(cv2.warpAffine(picture, moves, size_px, borderMode=cv2.BORDER_REPLICATE), np.uint8)
            patch = Patch(picture, box)
            if patch.movement(patch.seen_in(now)) > TrackingParameters().carried:
                continue  # there landmarks are inferred
            true = keypoints @ moves[:, :2].T + moves[:, 2]
            found = patch.carried(keypoints, patch.seen_in(now))
            away.append(float(np.linalg.norm(keypoints - true, axis=1).mean()) / box[2])
            left.append(float(np.linalg.norm(found - true, axis=1).mean()) / box[2])
    assert len(away) >= 100
    assert np.mean(away) > 0.02, "of the face's width"
    assert np.mean(left) < 0.007
    assert max(left) < 0.02


def test_light_that_changes_everywhere_moves_nothing(faces: list[tuple[Pixels, Box, NDArray[np.float32]]]) -> None:
    for picture, box, keypoints in faces:
        brighter = np.asarray(np.minimum(picture.astype(np.int64) + 12, 255), np.uint8)
        patch = Patch(picture, box)
        found = patch.carried(keypoints, patch.seen_in(brighter))
        assert np.linalg.norm(found - keypoints, axis=1).max() < 0.02 * box[2]


def test_any_box_has_cells_and_does_not_move_by_itself() -> None:
    random = np.random.default_rng(3)
    for _ in range(100):
        pixels = random.integers(0, 256, (*random.integers(1, 41, 2).tolist(), 3), np.uint8)
        place, size = random.uniform(-300, 300, 2), random.uniform(0.5, 500, 2)
        box = float(place[0]), float(place[1]), float(size[0]), float(size[1])
        points = random.uniform(-300, 300, (6, 2)).astype(np.float32)
        patch = Patch(pixels, box)
        same, other = patch.seen_in(pixels), patch.seen_in(random.integers(0, 256, pixels.shape, np.uint8))
        assert same.shape == (16, 16)
        assert np.isfinite(same).all()
        assert patch.movement(same) == 0.0
        assert patch.carried(points, same) == pytest.approx(points, abs=1e-3)
        assert np.isfinite(patch.carried(points, other)).all()
