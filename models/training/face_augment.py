"""What a counter's camera does to a face, as random changes of a 48 x 48 grey picture.

Geometry (a detector's box is never the annotator's, heads turn and lean), light (gamma, contrast, a window at one
side), optics and coding (few pixels, blur, motion, noise, JPEG), and cover (mask, glasses, a hand). All uint8 in and
out."""

from __future__ import annotations

from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE_PX = 48
Image = NDArray[np.uint8]
_RAMP = np.linspace(-1, 1, SIZE_PX, dtype=np.float32)
_LEVELS = np.arange(256, dtype=np.float32) / 255


def turn_head(corners: NDArray[np.float32], yaw: float, pitch: float) -> NDArray[np.float32]:
    """Corners [4, 2] in [-1, 1] of a plane that is turned by `yaw` and `pitch` (radians) and seen from 3.5 half-widths.

    A plane is not a head: no side of the face hides behind the nose. It gives the foreshortening, not the occlusion.
    """
    x, y = corners[:, 0], corners[:, 1]
    depth = x * np.sin(yaw) + y * np.sin(pitch)
    scale = 3.5 / (3.5 + depth)
    return np.stack([x * np.cos(yaw) * scale, y * np.cos(pitch) * scale], 1).astype(np.float32)


def yawed(image: Image, yaw_degrees: float) -> Image:
    """The picture [48, 48] as a plane turned by `yaw_degrees`, refitted to the frame's height (simulated yaw)."""
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    turned = turn_head(square, np.radians(yaw_degrees), 0.0)
    middle = (SIZE_PX - 1) / 2
    matrix = cv2.getPerspectiveTransform((square + 1) * middle, (turned + 1) * middle)
    return _warp(image, matrix)


def few_pixels(image: Image, size_px: int) -> Image:
    """The face as `size_px` pixels across would show it, brought back to 48 (area down, linear up)."""
    if size_px >= SIZE_PX:
        return image
    small = cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_LINEAR), np.uint8)


def blurred(image: Image, sigma_px: float) -> Image:
    """Gaussian blur; sigma in pixels of the 48 px picture."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


def low_light(image: Image, gain: float, noise: float, rng: np.random.Generator) -> Image:
    """`gain` times the light, photon-like noise of standard deviation `noise` (of 255) at full light, 8-bit
    rounding."""
    light = image.astype(np.float32) * gain
    grain = rng.standard_normal(image.shape, np.float32) * (noise * np.sqrt(np.maximum(light, 8) / 255))
    return np.clip(light + grain, 0, 255).astype(np.uint8)


def backlight(image: Image, strength: float, angle: float) -> Image:
    """A gradient of light across the face: one side `1 + strength`, the other `1 - strength`."""
    ramp = np.cos(angle) * _RAMP[None, :] + np.sin(angle) * _RAMP[:, None]
    return np.clip(image * (1 + strength * ramp), 0, 255).astype(np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    """Coded and decoded as JPEG."""
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)


def masked(image: Image, top: float, shade: int) -> Image:
    """Lower face covered from `top` (share of the height) by an even cloth of grey level `shade`."""
    covered = image.copy()
    height = int(SIZE_PX * top)
    points = np.array(
        [[5, height + 3], [24, height - 2], [43, height + 3], [38, SIZE_PX - 1], [10, SIZE_PX - 1]], np.int32
    )
    cv2.fillConvexPoly(covered, points, (int(shade),))
    return covered


def glasses(image: Image, rng: np.random.Generator) -> Image:
    """Drawn glasses, two in five of them dark."""
    covered = image.copy()
    y, shade, thick = int(rng.integers(15, 22)), int(rng.integers(0, 70)), int(rng.integers(1, 3))
    filled = -1 if rng.random() < 0.4 else thick
    reach_x, reach_y = int(rng.integers(6, 9)), int(rng.integers(4, 7))
    for centre in (15, 33):
        cv2.ellipse(covered, (centre, y), (reach_x, reach_y), 0, 0, 360, (shade,), filled)
    cv2.line(covered, (20, y), (28, y), (shade,), thick)
    return covered


def augment(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """One random counter-like version of a face [48, 48]; `strength` in [0, 1] scales the geometry and how many are
    spoilt."""
    picture = _moved(image, rng, strength)
    draw = rng.random(11)
    if draw[10] > 0.65 * strength:
        return picture
    if draw[0] < 0.05:
        picture = masked(picture, rng.uniform(0.52, 0.66), int(rng.integers(20, 245)))
    if draw[1] < 0.05:
        picture = glasses(picture, rng)
    if draw[2] < 0.12:
        picture = _erased(picture, rng)
    if draw[3] < 0.20:
        picture = backlight(picture, rng.uniform(0.2, 0.8), rng.uniform(0, 2 * np.pi))
    if draw[4] < 0.60:
        picture = _toned(picture, rng)
    if draw[5] < 0.12:
        picture = low_light(picture, rng.uniform(0.15, 0.8), rng.uniform(4, 22), rng)
    if draw[6] < 0.30:
        picture = few_pixels(picture, int(rng.integers(16, 44)))
    if draw[7] < 0.12:
        picture = blurred(picture, rng.uniform(0.4, 1.6))
    if draw[8] < 0.10:
        picture = _moving(picture, rng)
    if draw[9] < 0.15:
        picture = jpeg(picture, int(rng.integers(15, 80)))
    return picture


def not_a_face(images: Image, rng: np.random.Generator) -> Image:
    """A picture [48, 48] that holds no readable face: shuffled tiles, an extreme zoom, upside down, noise, or
    stripes."""
    source = images[rng.integers(len(images))]
    kind = rng.integers(5)
    if kind == 0:
        tiles = source.reshape(4, 12, 4, 12).transpose(0, 2, 1, 3).reshape(16, 12, 12)[rng.permutation(16)]
        return np.ascontiguousarray(tiles.reshape(4, 4, 12, 12).transpose(0, 2, 1, 3).reshape(SIZE_PX, SIZE_PX))
    if kind == 1:
        side = int(rng.integers(8, 14))
        x, y = rng.integers(0, SIZE_PX - side, 2)
        return np.asarray(cv2.resize(source[y : y + side, x : x + side], (SIZE_PX, SIZE_PX)), np.uint8)
    if kind == 2:
        return np.ascontiguousarray(source[::-1])
    if kind == 3:
        cells = int(rng.integers(3, SIZE_PX))
        noise = rng.integers(0, 256, (cells, cells), np.uint8)
        return np.asarray(cv2.resize(noise, (SIZE_PX, SIZE_PX)), np.uint8)
    phase, pitch, angle = rng.uniform(0, 6.28), rng.uniform(2, 20), rng.uniform(0, np.pi)
    wave = np.sin(phase + pitch * (np.cos(angle) * _RAMP[None, :] + np.sin(angle) * _RAMP[:, None]))
    return np.clip(128 + 100 * wave, 0, 255).astype(np.uint8)


def _moved(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Flip, lean, scale, shift, stretch and turn in one warp; the frame's border is repeated, mirrored or black."""
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    target = square.copy()
    if rng.random() < 0.35 * strength:
        target = turn_head(target, rng.uniform(-0.75, 0.75), rng.uniform(-0.4, 0.4))
    angle = rng.normal(0, 0.14) * strength
    scale = np.exp(rng.uniform(-0.16, 0.20) * strength)
    stretch = np.exp(rng.normal(0, 0.05) * strength)
    cosine, sine = np.cos(angle), np.sin(angle)
    lean = np.array([[cosine, -sine], [sine, cosine]], np.float32)
    target = target * np.array([stretch, 1 / stretch], np.float32) @ lean.T * scale
    target = target + rng.normal(0, 0.075, 2).astype(np.float32) * strength
    if rng.random() < 0.5:
        square = square * np.array([-1, 1], np.float32)
    middle = (SIZE_PX - 1) / 2
    matrix = cv2.getPerspectiveTransform((square + 1) * middle, (target.astype(np.float32) + 1) * middle)
    border = (cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT, cv2.BORDER_CONSTANT)[rng.integers(3)]
    return _warp(image, matrix, border)


def _warp(image: Image, matrix: NDArray[Any], border: int = cv2.BORDER_REPLICATE) -> Image:
    warp = partial(cv2.warpPerspective, image, matrix, (SIZE_PX, SIZE_PX), flags=cv2.INTER_LINEAR)
    return np.asarray(warp(borderMode=border), np.uint8)


def _toned(image: Image, rng: np.random.Generator) -> Image:
    gamma, contrast, shift = np.exp(rng.normal(0, 0.35)), np.exp(rng.normal(0, 0.25)), rng.normal(0, 0.08)
    curve = (_LEVELS**gamma - 0.5) * contrast + 0.5 + shift
    return np.asarray(np.clip(curve * 255, 0, 255).astype(np.uint8)[image], np.uint8)


def _moving(image: Image, rng: np.random.Generator) -> Image:
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    middle, angle = (length - 1) / 2, rng.uniform(0, np.pi)
    for step in np.linspace(-middle, middle, length):
        kernel[round(middle + step * np.sin(angle)), round(middle + step * np.cos(angle))] = 1
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)


def _erased(image: Image, rng: np.random.Generator) -> Image:
    covered = image.copy()
    height, width = rng.integers(6, 20, 2)
    y, x = rng.integers(0, SIZE_PX - height), rng.integers(0, SIZE_PX - width)
    covered[y : y + height, x : x + width] = rng.integers(0, 256)
    return covered
