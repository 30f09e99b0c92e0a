"""What is poor about a picture or a sound is said, and what is good is not called poor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.capture.microphone import channel_levels
from edge.capture.quality import NOTICES, Levels, blur, face_notices, picture_notices, sound_notices
from tests.edge.clips import write_sound

Pixels = NDArray[np.uint8]


def _good(height: int = 480, width: int = 640) -> Pixels:
    """Blocks of several sizes and brightnesses, as a room has them."""
    rng = np.random.default_rng(5)
    picture = np.full((height, width), 120, np.uint8)
    for _ in range(60):
        x, y = int(rng.integers(0, width - 20)), int(rng.integers(0, height - 20))
        cv2.rectangle(
            picture,
            (x, y),
            (x + int(rng.integers(8, 120)), y + int(rng.integers(8, 120))),
            int(rng.integers(20, 235)),
            -1,
        )
    return np.repeat(picture[..., None], 3, axis=2)


def _circle(picture: Pixels) -> Pixels:
    mask = np.zeros(picture.shape[:2], np.uint8)
    height, width = picture.shape[0], picture.shape[1]
    cv2.circle(mask, (width // 2, height // 2), height // 2, 255, -1)
    return np.where(mask[..., None] > 0, picture, 0).astype(np.uint8)


def _dark(picture: Pixels) -> Pixels:
    return (picture // 10).astype(np.uint8)


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "dark": _dark,
    "bright": lambda picture: (232 + picture // 11).astype(np.uint8),
    "flat": lambda picture: np.full_like(picture, 128),
    "blurred": lambda picture: np.asarray(cv2.GaussianBlur(picture, (0, 0), 9), np.uint8),
    "strip": lambda picture: np.tile(picture, (1, 3, 1)),
    "fisheye": _circle,
    "small": lambda picture: np.asarray(picture[::2, ::2], np.uint8),
}


def test_a_good_picture_is_not_called_poor() -> None:
    assert picture_notices(_good()) == []
    assert picture_notices(_good(1_080, 1_920)) == []
    assert picture_notices(_good(), ((0.2, 0.1), (0.9, 0.1), (0.9, 1.0), (0.2, 1.0))) == []


@pytest.mark.parametrize("key", CHANGES)
def test_a_poor_picture_is_told(key: str) -> None:
    assert picture_notices(CHANGES[key](_good())) == [key]


@pytest.mark.parametrize("size", [(1_080, 960), (288, 704)])
def test_half_modes_of_recorders_are_told(size: tuple[int, int]) -> None:
    assert picture_notices(_good(*size)) == ["squeezed"]


def test_a_region_is_judged_by_itself() -> None:
    picture = _good()
    picture[:, :320] = 5
    left, right = ((0, 0), (0.5, 0), (0.5, 1), (0, 1)), ((0.5, 0), (1, 0), (1, 1), (0.5, 1))
    assert "dark" in picture_notices(picture, left)
    assert picture_notices(picture, right) == []
    assert "small_region" in picture_notices(_good(), ((0.1, 0.1), (0.2, 0.1), (0.2, 0.2), (0.1, 0.2)))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 255), st.booleans())
def test_no_picture_is_too_odd_to_be_judged(height: int, width: int, level: int, region: bool) -> None:
    polygon = ((0.1, 0.1), (0.8, 0.2), (0.5, 0.9)) if region else ()
    assert set(picture_notices(np.full((height, width, 3), level, np.uint8), polygon)) <= set(NOTICES)


@given(st.floats(0.5, 12.0))
@settings(max_examples=15, deadline=None)
def test_more_blur_is_more(sigma: float) -> None:
    grey = _good()[..., 0].astype(np.float32)
    once = np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.float32)
    twice = np.asarray(cv2.GaussianBlur(once, (0, 0), sigma), np.float32)
    assert 0 <= blur(grey) < blur(once) <= blur(twice) + 0.02 <= 1.05


def test_a_silent_channel_beside_a_loud_one_is_told(tmp_path: Path) -> None:
    tone = (0.3 * np.sin(np.arange(32_000) / 20)).astype(np.float32)
    path = write_sound(tmp_path / "two.wav", np.stack([np.zeros_like(tone), tone]))
    peaks = channel_levels(str(path), 0).peaks.tolist()
    assert peaks[0] == 0.0
    assert peaks[1] == pytest.approx(0.3, abs=0.01)
    assert sound_notices(peaks, 0) == ["other_channel"]
    assert sound_notices(peaks, 1) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.integers(0, 9))
def test_levels_tell_one_thing_of_a_channel_at_most(peaks: list[float], channel: int) -> None:
    found = sound_notices(peaks, channel)
    assert len(found) <= 1
    assert set(found) <= set(NOTICES)
    if channel < len(peaks) and 0.001 < peaks[channel] < 0.9:
        assert not found


def test_levels_keep_the_highest_and_begin_anew_where_channels_change() -> None:
    levels = Levels()
    levels.add(np.array([[0.1, -0.5], [0.2, 0.1]], np.float32))
    levels.add(np.array([[-0.3, 0.0]], np.float32))
    assert levels.peaks.tolist() == pytest.approx([0.3, 0.5])
    levels.add(np.array([[0.1]], np.float32))
    assert levels.peaks.tolist() == pytest.approx([0.1])


def test_faces() -> None:
    assert face_notices([]) == ["no_face"]
    assert face_notices([30.0, 59.0]) == ["small_face"]
    assert face_notices([30.0, 90.0]) == []
