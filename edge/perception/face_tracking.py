"""Faces followed over frames: detection now and then; landmarks a few times a second, and wherever a face has moved.

In the frames between a face is where it was, as long as the picture in its box has hardly changed (16 x 16 grey cells
are kept of it). A face is lost when the landmark network's score falls, when its cut drifts onto another face, or when
no detection has confirmed it for a while (landmarks alone can hold on to a poster or a hand).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.perception.patch import Box, Patch
from models.face_detect import Detection, Pixels
from models.face_landmarks import Landmarks, cut_of
from pipeline.records import FaceTrack, Tallies

if TYPE_CHECKING:
    from edge.perception.networks import Eyes

_EARLY_S = 1e-6


@dataclass(frozen=True, slots=True)
class TrackingParameters:
    """Times in seconds of the frames, so that a camera's frame rate changes nothing."""

    detect_every_s: float = 0.2
    """Where nobody is followed, or a face was not confirmed by the last search."""
    confirm_every_s: float = 0.5
    """Where all that the last search found were faces that are followed, and all of these were found."""
    follow_every_s: float = 0.4
    """Landmarks of a face that has hardly moved."""
    beside_every_s: float = 0.5
    """The same of a face beside the citizen's: of it only where it is, and how large, is ever asked."""
    moved: float = 0.45
    """Mean difference of the face's cells, in standard deviations of them, from which it has moved: landmarks of faces
    in films lay .12 of a face's width away, or more, for nine in ten such pictures, and the cut bears .25."""
    carried: float = 0.3
    """The same of a face that is to be read: up to here its landmarks are carried along with the picture (ADR 0252)."""
    confirm_within_s: float = 1.0
    minimum_score: float = 0.5
    """Landmark score under which a face is lost."""
    same_overlap: float = 0.3
    """Intersection over union from which two boxes are one face."""
    most_faces: int = 4
    """More are not followed (and counted): the citizen is the largest."""
    minimum_side_px: float = 24.0


@dataclass(slots=True)
class _Followed:
    track_id: int
    landmarks: Landmarks
    confirmed_s: float
    detection_score: float
    placed_s: float
    """When its landmarks were inferred."""
    patch: Patch
    """The picture in its box at that moment."""
    keypoints: NDArray[np.float32]
    """float32 [6, 2]: of the landmarks, or carried from there into the last picture."""


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x, y, width, height)."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


class FaceTracker:
    """Follows up to `most_faces` faces. Not thread-safe."""

    def __init__(self, eyes: Eyes, parameters: TrackingParameters | None = None) -> None:
        self._eyes = eyes
        self.parameters = parameters or TrackingParameters()
        self.tallies = Tallies()
        self._ids = count(1)
        self._followed: list[_Followed] = []
        self._detected_s: float | None = None
        self._settled = False
        """Whether the last search found those who are followed, and nobody else."""

    def forget(self) -> None:
        """Follow nobody."""
        self._followed, self._detected_s = [], None

    @property
    def follows(self) -> bool:
        """Whether a face is followed."""
        return bool(self._followed)

    def search_now(self) -> None:
        """Search the next picture for faces, however long ago the last search was."""
        self._detected_s = None

    def update(
        self,
        pixels: Pixels,
        time_s: float,
        eyes: Eyes | None = None,
        citizen: int | None = None,
        placed: float | None = None,
    ) -> list[FaceTrack]:
        """Faces in a BGR picture uint8 [h, w, 3], in the order in which they were first seen. `eyes`: those of the
        worker that looks; the caller holds them. None: the tracker's own. `citizen`: whose track is the citizen's;
        None: any may be. `placed`: the citizen's keypoints have to be of this very picture, carried along where the
        picture in the face's box has changed by no more than this; None: they may be of an earlier one."""
        p = self.parameters
        self._eyes = eyes or self._eyes
        self._follow(pixels, time_s, citizen, placed)
        every_s = p.confirm_every_s if self._settled and self._followed else p.detect_every_s
        if self._detected_s is None or time_s - self._detected_s >= every_s - _EARLY_S or time_s < self._detected_s:
            self._detected_s = time_s
            detections, before = self._detect(pixels), len(self._followed)
            self._confirm(detections, pixels, time_s)
            found = [each for each in self._followed if each.confirmed_s == time_s]
            self._settled = len(found) == len(self._followed) == before == len(detections)
        return [self._track(each, time_s) for each in self._followed]

    def _detect(self, pixels: Pixels) -> list[Detection]:
        # the full-range network misses faces that fill the picture; those the short-range one finds
        return self._eyes.far.detect(pixels) or self._eyes.near.detect(pixels)

    def _rests(self, each: _Followed, pixels: Pixels, time_s: float, citizen: int | None, placed: float | None) -> bool:
        """Whether a face is taken to be where it was, or where its keypoints are carried to, and to be a face."""
        p = self.parameters
        every_s = p.follow_every_s if citizen in (None, each.track_id) else p.beside_every_s
        if not 0 <= time_s - each.placed_s < every_s - _EARLY_S:
            return False
        if time_s - each.confirmed_s > p.confirm_within_s:
            return False
        now = each.patch.seen_in(pixels)
        if placed is None or citizen not in (None, each.track_id):
            return each.patch.movement(now) <= p.moved
        if each.patch.movement(now) > placed:
            return False
        each.keypoints = each.patch.carried(each.landmarks.keypoints, now)
        return True

    def _follow(self, pixels: Pixels, time_s: float, citizen: int | None, placed: float | None) -> None:
        kept: list[_Followed] = []
        for each in self._followed:
            if self._rests(each, pixels, time_s, citizen, placed):
                kept.append(each)
                continue
            found = self._eyes.landmarks.find(pixels, each.landmarks.next_cut())
            if found.score < self.parameters.minimum_score:
                self.tallies.drop("face_lost")
            elif time_s - each.confirmed_s > self.parameters.confirm_within_s:
                self.tallies.drop("face_unconfirmed")
            elif any(overlap(found.box_px, other.landmarks.box_px) > 0.5 for other in kept):
                self.tallies.drop("face_merged")
            else:
                each.landmarks, each.placed_s, each.keypoints = found, time_s, found.keypoints
                each.patch = Patch(pixels, found.box_px)
                kept.append(each)
        self._followed = kept

    def _confirm(self, detections: list[Detection], pixels: Pixels, time_s: float) -> None:
        p = self.parameters
        for detection in sorted(detections, key=lambda found: -found.box_px[2] * found.box_px[3]):
            if max(detection.box_px[2:]) < p.minimum_side_px:
                self.tallies.drop("face_too_small")
                continue
            same = [
                each for each in self._followed if overlap(each.landmarks.box_px, detection.box_px) > p.same_overlap
            ]
            for each in same:
                each.confirmed_s, each.detection_score = time_s, detection.score
            if same:
                continue
            if len(self._followed) >= p.most_faces:
                self.tallies.drop("face_over_limit")
                continue
            found = self._eyes.landmarks.find(pixels, cut_of(detection))
            if found.score < p.minimum_score or any(
                overlap(found.box_px, each.landmarks.box_px) > p.same_overlap for each in self._followed
            ):
                self.tallies.drop("detection_without_face")
                continue
            patch = Patch(pixels, found.box_px)
            self._followed.append(
                _Followed(next(self._ids), found, time_s, detection.score, time_s, patch, found.keypoints)
            )

    def _track(self, each: _Followed, time_s: float) -> FaceTrack:
        self.tallies.forwarded += 1
        x, y, width, height = each.landmarks.box_px
        score = min(each.landmarks.score, each.detection_score)
        return FaceTrack(each.track_id, x, y, width, height, score, each.keypoints, time_s, each.landmarks.solid)


class CitizenChoice:
    """Which of several faces is the citizen: the largest that stays. Only this face's affect is ever inferred.

    A face is a candidate after `settle_s` in the region. The citizen remains the citizen until lost, or until another
    candidate was `larger` times its area (averaged over about a second) for `settle_s`."""

    def __init__(self, settle_s: float = 0.5, larger: float = 1.5) -> None:
        self._settle_s, self._larger = settle_s, larger
        self._area: dict[int, float] = {}
        self._first_s: dict[int, float] = {}
        self._citizen: int | None = None
        self._challenged_s: float | None = None

    @property
    def citizen(self) -> int | None:
        """Whose track was chosen last."""
        return self._citizen

    def forget(self) -> None:
        """Nobody is the citizen."""
        self._area, self._first_s, self._citizen, self._challenged_s = {}, {}, None, None

    def choose(self, tracks: list[FaceTrack], time_s: float) -> FaceTrack | None:
        """The citizen's track among this frame's, None where there is none yet."""
        by_id = {track.track_id: track for track in tracks}
        self._area = {key: value for key, value in self._area.items() if key in by_id}
        self._first_s = {key: value for key, value in self._first_s.items() if key in by_id}
        for track in tracks:
            area = track.width_px * track.height_px
            self._area[track.track_id] = area + 0.9 * (self._area.get(track.track_id, area) - area)
            self._first_s.setdefault(track.track_id, time_s)
        settled = [key for key in by_id if time_s - self._first_s[key] >= self._settle_s]
        largest = max(settled, key=lambda key: self._area[key], default=None)
        if self._citizen not in by_id:
            self._citizen, self._challenged_s = largest, None
        elif largest is not None and self._area[largest] > self._larger * self._area[self._citizen]:
            if self._challenged_s is None:
                self._challenged_s = time_s
            elif time_s - self._challenged_s >= self._settle_s:
                self._citizen, self._challenged_s = largest, None
        else:
            self._challenged_s = None
        return None if self._citizen is None else by_id[self._citizen]
