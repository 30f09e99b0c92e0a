"""A citizen's yes: from the touch on, for this visit, as long as the one who gave it is followed.

Nobody is recognised, so whether the next face is the same person's is not known but by its place and the time. Where
that leaves a doubt, the yes has ended, and nothing is opened until there is another.
"""

from __future__ import annotations

from edge.perception.face_tracking import overlap
from edge.perception.patch import Box
from edge.perception.settings import EngineSettings
from pipeline.records import FaceTrack

SAME_PLACE = 0.1
"""Intersection over union from which a face that was lost and found again may be the same one's."""


class Consent:
    """Whether a yes holds now. Times are those of the frames."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._given_s: float | None = None
        self._until_s = 0.0
        """Without a sight of the citizen it ends then."""
        self._track: int | None = None
        self._box: Box | None = None

    def give(self, time_s: float) -> None:
        """The citizen touched yes. The camera is opened from now on, which takes a while."""
        self._given_s, self._track, self._box = time_s, None, None
        self._until_s = time_s + self._settings.consent_opening_s if self._settings.has_camera else float("inf")

    def end(self) -> None:
        """Withdrawn, or over with its visit: nothing of it is kept."""
        self._given_s = self._track = self._box = None

    def holds(self, time_s: float) -> bool:
        """Whether what is of this moment may be looked at or listened to."""
        return self._given_s is not None and self._given_s <= time_s <= self._until_s

    def advance(self, time_s: float) -> None:
        """End where the citizen was not seen for too long."""
        if self._given_s is not None and time_s > self._until_s:
            self.end()

    def seen(self, citizen: FaceTrack | None, time_s: float) -> None:
        """A picture was looked at: end where another face is now the citizen's."""
        if self._given_s is None or citizen is None:
            return
        box = (citizen.x_px, citizen.y_px, citizen.width_px, citizen.height_px)
        other = self._track not in (None, citizen.track_id)
        if other and self._box is not None and overlap(box, self._box) < SAME_PLACE:
            self.end()
            return
        self._track, self._box, self._until_s = citizen.track_id, box, time_s + self._settings.consent_gap_s
