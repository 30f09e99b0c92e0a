"""Detectors and landmarks on real faces: near, far, none, many; and the same face in the next frame."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.catalogue import media_file, model_files
from models.face_detect import _FAR, _NEAR, FaceDetector, make_anchors
from models.face_landmarks import Cut, FaceLandmarks, cut_of
from models.runtime import with_numbers
from pipeline.errors import ModelError

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
    assert make_anchors(192, 192, ((4, 1),)).shape == (2304, 2)
    near = make_anchors(128, 128, ((8, 2), (16, 6)))
    assert near.shape == (896, 2)
    np.testing.assert_allclose(near[:3], [[4, 4], [4, 4], [12, 4]])
    np.testing.assert_allclose(near[-1], [120, 120])
    np.testing.assert_allclose(make_anchors(96, 192, ((4, 1),))[[0, 47, 48, -1]], [[2, 2], [190, 2], [2, 6], [190, 94]])


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


@pytest.mark.parametrize("side_px", [80, 160])
def test_small_faces_in_a_large_picture(side_px: int, far: FaceDetector) -> None:
    small = picture("astronaut", side_px / 100)
    wall = np.full((720, 1280, 3), 120, np.uint8)
    head = small[: small.shape[0] // 2, small.shape[1] // 4 : small.shape[1] * 3 // 4]
    wall[100 : 100 + head.shape[0], 700 : 700 + head.shape[1]] = head
    (found,) = far.detect(wall)
    assert found.box_px[2] == pytest.approx(side_px, rel=0.35)


def in_square(pixels: Pixels) -> tuple[Pixels, int, int]:
    """The picture in a black square, as the published networks are given it; and how far right and down it lies."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    square = np.zeros((side, side, 3), np.uint8)
    square[top : top + height, left : left + width] = pixels
    return square, left, top


@pytest.mark.parametrize("side_px", [80, 110, 160, 300])
@pytest.mark.parametrize("form", [(720, 1280), (1280, 720), (480, 640), (200, 640), (640, 130)])
def test_a_wide_picture_is_read_as_in_the_square_of_the_published_network(
    form: tuple[int, int], side_px: int, far: FaceDetector, near: FaceDetector
) -> None:
    scene = np.full((*form, 3), 120, np.uint8)
    part = picture("astronaut", side_px / 100)[: form[0], : form[1]]
    top, left = (form[0] - part.shape[0]) // 2, (form[1] - part.shape[1]) // 3
    scene[top : top + part.shape[0], left : left + part.shape[1]] = part
    square, right, down = in_square(scene)
    for detector in (far, near):
        found, expected = detector.detect(scene), detector.detect(square)
        assert len(found) >= len(expected)
        for one, other in zip(found, expected, strict=False):
            size = other.box_px[2]
            shifted = (other.keypoints - np.array([right, down], np.float32))[:4]
            assert float(np.abs(one.keypoints[:4] - shifted).max()) < 0.2 * size
            assert one.box_px[2] == pytest.approx(size, rel=0.3)
            assert one.score == pytest.approx(other.score, abs=0.2)


def test_small_faces_are_found_in_wide_pictures_more_often_than_in_the_square(far: FaceDetector) -> None:
    rng = np.random.default_rng(1)
    wide = square = 0
    for number in range(60):
        name = ("astronaut", "obama", "biden")[number % 3]
        face_px = far.detect(picture(name))[0].box_px[2]
        small = picture(name, float(rng.uniform(50, 80)) / face_px)[:720, :1280]
        wall = np.full((720, 1280, 3), rng.integers(60, 200), np.uint8)
        top, left = rng.integers(0, 721 - small.shape[0]), rng.integers(0, 1281 - small.shape[1])
        wall[top : top + small.shape[0], left : left + small.shape[1]] = small
        wide += bool(far.detect(wall))
        square += bool(far.detect(in_square(wall)[0]))
    assert wide >= square + 5


def test_the_input_is_as_wide_as_the_picture_and_no_dearer() -> None:
    for height, width in ((360, 640), (640, 360), (480, 640), (1, 1), (2000, 3), (576, 704), (400, 600)):
        rows, columns = _FAR.fitting(height, width)
        assert rows * columns <= 192 * 192
        assert rows % 32 == columns % 32 == 0
        assert (rows, columns) == (192, 192) or (rows > columns) == (height > width)
    assert _FAR.fitting(720, 1280) == (128, 224)
    assert _FAR.fitting(480, 640) == (192, 192)
    assert _NEAR.fitting(720, 1280) == (128, 128)


def test_another_file_than_the_known_one_is_refused() -> None:
    content = model_files("face-detector-far")["face_detection_full_range.tflite"].read_bytes()
    assert with_numbers(content, {}) == content
    changed = with_numbers(content, {(8, 12, 12): (8, 8, 12)})
    assert sum(a != b for a, b in zip(content, changed, strict=True)) == 1
    for numbers in ((2304,), (8, 13, 13)):
        with pytest.raises(ModelError, match="does not have the numbers"):
            with_numbers(content, {numbers: numbers})


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
