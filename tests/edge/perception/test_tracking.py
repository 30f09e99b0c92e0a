"""The region is blank outside; faces are followed; the citizen is the largest that stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge.perception.face_tracking import CitizenChoice, FaceTracker, TrackingParameters, overlap
from edge.perception.networks import Eyes
from edge.perception.region import Region
from models.catalogue import model_files
from models.face_affect import FaceAffectNetwork
from models.face_detect import FaceDetector
from models.face_landmarks import FaceLandmarks
from pipeline.records import FaceTrack
from tests.edge.clips import HEIGHT_PX, WIDTH_PX, frames, scene

CITIZEN = ("astronaut", 150, 60, 100)
CLERK = ("biden", 160, 440, 80)
LEFT = ((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0))


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    return Eyes(
        FaceDetector(model_files("face-detector-far")["face_detection_full_range.tflite"]),
        FaceDetector(model_files("face-detector-near")["face_detection_short_range.tflite"]),
        FaceLandmarks(model_files("face-landmarks")["face_landmark.tflite"]),
        FaceAffectNetwork(model_files("face-affect")["face_affect.onnx"]),
    )


def tracker(eyes: Eyes, **changes: float) -> FaceTracker:
    return FaceTracker(eyes, TrackingParameters(**changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "polygon",
    [
        LEFT,
        ((0.1, 0.2), (0.5, 0.1), (0.6, 0.9), (0.05, 0.8)),
        ((0.3, 0.0), (1.0, 0.5), (0.0, 1.0)),
        ((0.999, 0.999), (1.0, 0.999), (1.0, 1.0)),
    ],
)
def test_nothing_outside_the_polygon_is_left(polygon: tuple[tuple[float, float], ...]) -> None:
    import cv2

    rng = np.random.default_rng(5)
    picture = rng.integers(1, 256, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    inside = Region(polygon).apply(picture)
    points = np.array(polygon) * (WIDTH_PX, HEIGHT_PX)
    left, top = np.floor(points.min(axis=0)).astype(int)
    left, top = min(left, WIDTH_PX - 1), min(top, HEIGHT_PX - 1)
    height, width = inside.shape[:2]
    y, x = np.mgrid[top : top + height, left : left + width]
    contour = points.astype(np.float32).reshape(-1, 1, 2)
    distance = np.array(
        [cv2.pointPolygonTest(contour, (float(a), float(b)), True) for a, b in zip(x.flat, y.flat, strict=True)]
    ).reshape(height, width)
    assert not inside[distance < -1.5].any()
    assert (inside[distance > 1.5] == picture[top : top + height, left : left + width][distance > 1.5]).all()
    again = Region(polygon)
    again.apply(np.full_like(picture, 255))
    assert (again.apply(picture) == inside).all()


def test_a_change_of_the_cameras_size_is_followed() -> None:
    region = Region(LEFT)
    assert region.apply(np.ones((100, 200, 3), np.uint8)).shape == (100, 120, 3)
    assert region.apply(np.ones((50, 100, 3), np.uint8)).shape == (50, 60, 3)
    whole = np.ones((50, 100, 3), np.uint8)
    assert Region().apply(whole) is whole


def test_a_face_on_the_wrong_side_is_never_seen(eyes: Eyes) -> None:
    region = Region(LEFT)
    for people, expected in (((CITIZEN, CLERK), 1), ((CLERK,), 0)):
        faces = tracker(eyes)
        for frame in frames(scene(*people), 1.0):
            found = faces.update(region.apply(frame.pixels), frame.time_s)
            assert len(found) == expected
    whole = tracker(eyes)
    assert len(whole.update(scene(CITIZEN, CLERK), 0.0)) == 2


def test_a_face_keeps_its_number_between_detections_and_is_lost_when_gone(
    eyes: Eyes,
) -> None:
    faces = tracker(eyes, detect_every_s=0.5)
    seen = [track for frame in frames(scene(CITIZEN), 3.0) for track in faces.update(frame.pixels, frame.time_s)]
    assert len(seen) == 30
    assert {track.track_id for track in seen} == {1}
    assert all(abs(track.x_px + track.width_px / 2 - 135) < 15 for track in seen)
    gone = [faces.update(frame.pixels, frame.time_s) for frame in frames(scene(), 1.0, start_s=3.0)]
    assert gone[-1] == []
    assert faces.tallies.dropped["face_lost"] == 1
    back = [faces.update(frame.pixels, frame.time_s) for frame in frames(scene(CITIZEN), 1.0, start_s=4.0)]
    assert [track.track_id for track in back[-1]] == [2]


class Counting:
    """Eyes that count what they are asked."""

    def __init__(self, eyes: Eyes, monkeypatch: pytest.MonkeyPatch) -> None:
        self.landmarks = self.searches = 0
        find, detect = eyes.landmarks.find, eyes.far.detect

        def found(pixels: Any, cut: Any) -> Any:
            self.landmarks += 1
            return find(pixels, cut)

        def detected(pixels: Any) -> Any:
            self.searches += 1
            return detect(pixels)

        monkeypatch.setattr(eyes.landmarks, "find", found)
        monkeypatch.setattr(eyes.far, "detect", detected)


def test_a_face_that_hardly_moves_costs_three_landmarks_and_two_searches_a_second(
    eyes: Eyes, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, faces = Counting(eyes, monkeypatch), tracker(eyes)
    for frame in frames(scene(CITIZEN), 4.0, rate_hz=20):
        (seen,) = faces.update(frame.pixels, frame.time_s)
        assert abs(seen.x_px + seen.width_px / 2 - 135) < 15
    assert 9 <= counting.landmarks <= 13
    assert 8 <= counting.searches <= 10
    before = counting.landmarks
    faces.update(scene(("astronaut", 150, 65, 100)), 3.96, placed=0.0)
    assert counting.landmarks == before + 1, "whoever reads the face needs it where it is now"


def test_landmarks_of_every_picture_are_the_citizens_alone(eyes: Eyes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stands beside costs two landmarks a second, and one more as soon as he moves."""
    faces = tracker(eyes)
    for frame in frames(scene(CITIZEN, CLERK), 1.0):
        first, second = faces.update(frame.pixels, frame.time_s)
    counting = Counting(eyes, monkeypatch)
    for frame in frames(scene(CITIZEN, CLERK), 2.0, rate_hz=10, start_s=1.0):
        faces.update(frame.pixels, frame.time_s, citizen=first.track_id, placed=0.0)
    assert 20 + 3 <= counting.landmarks <= 20 + 5
    name, side, x, y = CLERK
    counting.landmarks = 0
    (_, moved) = faces.update(scene(CITIZEN, (name, side, x + 20, y)), 3.0, citizen=first.track_id)
    assert counting.landmarks == 1
    assert moved.track_id == second.track_id
    assert moved.x_px > second.x_px + 10


def test_keypoints_of_a_face_that_sways_are_carried_along_and_not_inferred(
    eyes: Eyes, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, side, x, y = CITIZEN
    faces, counting = tracker(eyes), Counting(eyes, monkeypatch)
    (before,) = faces.update(scene(CITIZEN), 0.0)
    counting.landmarks = 0
    for step in (1, 2, 3):
        (carried,) = faces.update(scene((name, side, x + step, y + 1)), step / 20, placed=0.3)
        away = carried.keypoints - before.keypoints
        assert away == pytest.approx(np.tile([step, 1.0], (6, 1)), abs=0.8)
    assert counting.landmarks == 0
    faces.update(scene((name, side, x + 3, y + 1)), 0.2, placed=0.0)
    assert counting.landmarks == 1, "whoever reads landmarks themselves has them of this picture"
    (far,) = faces.update(scene((name, side, x + 23, y + 1)), 0.25, placed=0.3)
    assert counting.landmarks == 2
    assert (far.keypoints - before.keypoints)[:, 0] == pytest.approx(np.full(6, 23.0), abs=3)


def test_a_face_that_moves_is_followed_in_every_picture(eyes: Eyes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head of 150 px whose face is about 90 px across, by 15 px from one picture to the next."""
    counting, faces = Counting(eyes, monkeypatch), tracker(eyes)
    places = [60 + 15 * min(number, 24 - number) for number in range(25)]
    faces.update(scene(("astronaut", 150, 60, 100)), -0.05)
    counting.landmarks = 0
    for number, x in enumerate(places):
        (seen,) = faces.update(scene(("astronaut", 150, x, 100)), number * 0.05)
        assert seen.track_id == 1
        assert abs(seen.x_px + seen.width_px / 2 - (x + 75)) < 20
    assert counting.landmarks >= 20


def test_a_second_face_is_found_within_half_a_second_and_one_that_is_not_confirmed_is_searched_for_as_before(
    eyes: Eyes, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, faces = Counting(eyes, monkeypatch), tracker(eyes)
    for frame in frames(scene(CITIZEN), 2.0):
        faces.update(frame.pixels, frame.time_s)
    found_s = [
        frame.time_s
        for frame in frames(scene(CITIZEN, CLERK), 1.0, start_s=2.0)
        if len(faces.update(frame.pixels, frame.time_s)) == 2
    ]
    assert found_s[0] <= 2.5

    def blind(_pixels: Any) -> list[Any]:
        counting.searches += 1
        return []

    monkeypatch.setattr(eyes.far, "detect", blind)
    monkeypatch.setattr(eyes.near, "detect", lambda pixels: [])
    counting.searches = 0
    for frame in frames(scene(CITIZEN, CLERK), 1.5, start_s=3.0):
        left = faces.update(frame.pixels, frame.time_s)
    assert left == [], "landmarks alone do not hold a face"
    assert faces.tallies.dropped["face_unconfirmed"] == 2
    assert counting.searches >= 6


def test_more_faces_than_the_limit_are_counted_not_followed(
    eyes: Eyes,
) -> None:
    faces = FaceTracker(eyes, TrackingParameters(most_faces=1))
    (track,) = faces.update(scene(CITIZEN, ("biden", 260, 360, 50)), 0.0)
    assert track.x_px > WIDTH_PX / 2, "the larger one is kept"
    assert faces.tallies.dropped["face_over_limit"] == 1


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 10, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 10, 10), 0.0),
        ((0, 0, 10, 10), (20, 20, 1, 1), 0.0),
    ],
)
def test_overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float], expected: float) -> None:
    assert overlap(a, b) == pytest.approx(expected)


def track(number: int, side_px: float, time_s: float) -> FaceTrack:
    return FaceTrack(number, 0, 0, side_px, side_px, 1.0, np.zeros((6, 2), np.float32), time_s)


def chosen(moments: list[list[tuple[int, float]]], step_s: float = 0.1) -> list[int | None]:
    choice, found = CitizenChoice(settle_s=0.5), []
    for number, faces in enumerate(moments):
        time_s = number * step_s
        citizen = choice.choose([track(each, side, time_s) for each, side in faces], time_s)
        found.append(None if citizen is None else citizen.track_id)
    return found


def test_the_citizen_is_the_largest_face_that_stays() -> None:
    assert chosen([[(1, 100), (2, 60)]] * 10)[4:7] == [None, 1, 1]


def test_a_passing_face_does_not_become_the_citizen() -> None:
    moments = [[(1, 80.0)]] * 10 + [[(1, 80.0), (2, 200.0)]] * 4 + [[(1, 80.0)]] * 10
    assert set(chosen(moments)[5:]) == {1}


def test_a_larger_face_that_stays_takes_over() -> None:
    moments = [[(1, 60.0)]] * 10 + [[(1, 60.0), (2, 120.0)]] * 20
    found = chosen(moments)
    assert found[12] == 1
    assert found[-1] == 2


def test_when_the_citizen_is_lost_the_next_largest_follows() -> None:
    assert chosen([[(1, 100.0), (2, 60.0)]] * 10 + [[(2, 60.0)]] * 2)[-1] == 2
