"""Detectors and landmarks on real faces: near, far, none, many; and the same face in the next frame."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.catalogue import media_file, model_files
from models.face_detect import FaceDetector, make_anchors
from models.face_landmarks import Cut, FaceLandmarks, cut_of

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def far() -> FaceDetector:
    return FaceDetector(model_files("face-detector-far")["face_detection_full_range.tflite"])


@pytest.fixture(scope="module")
def near() -> FaceDetector:
    return FaceDetector(model_files("face-detector-near")["face_detection_short_range.tflite"])


@pytest.fixture(scope="module")
def landmarks() -> FaceLandmarks:
    return FaceLandmarks(model_files("face-landmarks")["face_landmark.tflite"])


def picture(name: str, scale: float = 1.0) -> Pixels:
    import cv2

    read = cv2.imread(str(media_file(name)))
    assert read is not None
    return np.asarray(cv2.resize(read, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


FACES = {"astronaut": (222, 122), "obama": (490, 275), "obama2": (335, 450), "obama3": (775, 455), "biden": (565, 395)}
"""Middle of each face, in px of the whole picture."""


def test_anchors() -> None:
    assert make_anchors(192, ((4, 1),)).shape == (2304, 2)
    near = make_anchors(128, ((8, 2), (16, 6)))
    assert near.shape == (896, 2)
    np.testing.assert_allclose(near[:3], [[1 / 32, 1 / 32], [1 / 32, 1 / 32], [3 / 32, 1 / 32]])
    np.testing.assert_allclose(near[-1], [1 - 1 / 16, 1 - 1 / 16])


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_both_detectors_find_a_portrait(name: str, scale: float, far: FaceDetector, near: FaceDetector) -> None:
    for detector in (far, near):
        (found,) = detector.detect(picture(name, scale))
        x, y, width, height = found.box_px
        assert abs(x + width / 2 - FACES[name][0] * scale) < 0.3 * width
        assert abs(y + height / 2 - FACES[name][1] * scale) < 0.3 * height
        right_eye, left_eye, nose, mouth = found.keypoints[:4]
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_eye[1] < nose[1] < mouth[1]


@pytest.mark.parametrize("side_px", [60, 80, 160])
def test_small_faces_in_a_large_picture(side_px: int, far: FaceDetector) -> None:
    small = picture("astronaut", side_px / 100)
    wall = np.full((720, 1280, 3), 120, np.uint8)
    head = small[: small.shape[0] // 2, small.shape[1] // 4 : small.shape[1] * 3 // 4]
    wall[100 : 100 + head.shape[0], 700 : 700 + head.shape[1]] = head
    (found,) = far.detect(wall)
    assert found.box_px[2] == pytest.approx(side_px, rel=0.35)


@pytest.mark.parametrize("shape", [(720, 1280, 3), (48, 48, 3), (1, 1, 3), (2000, 3, 3)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_no_face_in_an_empty_picture(shape: tuple[int, ...], grey: int, far: FaceDetector, near: FaceDetector) -> None:
    empty = np.full(shape, grey, np.uint8)
    assert far.detect(empty) == near.detect(empty) == []


def test_landmarks_hold_on_to_a_face_and_lean_with_it(far: FaceDetector, landmarks: FaceLandmarks) -> None:
    import cv2

    pixels = picture("obama", 0.6)
    detection = far.detect(pixels)[0]
    straight = landmarks.find(pixels, cut_of(detection))
    again = landmarks.find(pixels, straight.next_cut())
    assert min(straight.score, again.score) > 0.95
    assert float(np.abs(straight.points - again.points).mean()) < 0.02 * detection.box_px[2]
    assert float(np.abs(again.keypoints[:4] - detection.keypoints[:4]).max()) < 0.1 * detection.box_px[2]
    middle = (float(FACES["obama"][0] * 0.6), float(FACES["obama"][1] * 0.6))
    turn = cv2.getRotationMatrix2D(middle, -25, 1.0)
    leaning = np.asarray(cv2.warpAffine(pixels, turn, (pixels.shape[1], pixels.shape[0])), np.uint8)
    found = landmarks.find(leaning, cut_of(far.detect(leaning)[0]))
    assert np.degrees(found.next_cut().angle) == pytest.approx(25 + np.degrees(again.next_cut().angle), abs=4)


def test_landmarks_tell_that_there_is_no_face(landmarks: FaceLandmarks) -> None:
    wall = np.random.default_rng(3).integers(0, 256, (360, 640, 3), np.uint8)
    assert landmarks.find(wall, Cut(300, 180, 150, 0.0)).score < 0.5
    assert landmarks.find(np.zeros((360, 640, 3), np.uint8), Cut(-500, -500, 150, 0.3)).score < 0.5
