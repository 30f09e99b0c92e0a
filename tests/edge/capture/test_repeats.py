"""A live source that sends its last picture on and on is lost: go2rtc, Frigate and recorders do so."""

from __future__ import annotations

import numpy as np
import pytest

from edge.capture.camera import Camera
from edge.capture.repeats import LOOKS, STANDS_S, Repeats
from pipeline.records import Frame

STILL = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)


def test_the_same_picture_stands_after_a_minute_and_some_looks() -> None:
    repeats = Repeats()
    assert not repeats.stands(STILL, 0.0)
    assert not repeats.stands(STILL, STANDS_S), "a camera at rest is looked at seldom"
    assert [repeats.stands(STILL, STANDS_S + look) for look in range(LOOKS)] == [False] * (LOOKS - 2) + [True] * 2
    assert not repeats.stands(STILL + 1, STANDS_S + LOOKS)


def test_noise_is_another_picture() -> None:
    repeats, noise = Repeats(), np.random.default_rng(2)
    for second in range(70):
        assert not repeats.stands(STILL // 2 + noise.integers(0, 2, STILL.shape, np.uint8), float(second))


@pytest.mark.parametrize("source", ["rtsp://10.0.0.9/s", 0])
def test_a_camera_that_repeats_its_picture_is_lost_until_it_gives_another(source: str | int) -> None:
    """Whoever sat there last was seen at every visit, and nobody was told."""
    told: list[bool] = []
    camera = Camera(source, on_lost=told.append)

    def look(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], time_s: float) -> bool:
        camera._slots.put(Frame(pixels, time_s))
        return camera.next(0.0) is not None

    looks = [look(STILL, float(second)) for second in range(80)]
    assert looks == [second < STANDS_S for second in range(80)]
    assert (camera.lost, told, camera.tallies.dropped) == (True, [True], {"same": 20})
    assert "same picture again and again" in str(camera.reason)
    assert look(STILL[::-1], 81.0)
    assert (camera.lost, told) == (False, [True, False])


def test_a_film_may_hold_a_still_picture() -> None:
    camera = Camera("still.mkv")
    for second in range(80):
        camera._slots.put(Frame(STILL, float(second)))
        assert camera.next(0.0) is not None
