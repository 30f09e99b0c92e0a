"""What an engine does with what it is fed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from edge.perception.face_tracking import TrackingParameters
from pipeline.fusion import FusionParameters
from pipeline.visit import PresenceParameters


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Settings of one engine.

    `region`: the citizen's polygon as (x, y) in 0..1 of the picture's width and height; empty: the whole picture."""

    region: tuple[tuple[float, float], ...] = ()
    visits_by: Literal["presence", "queue"] = "presence"
    has_camera: bool = True
    """By the queue system: where no camera shows whether the place was empty, every call begins a visit."""
    look_every_s: float = 0.05
    """Frames that come sooner are left out: a face moves little in the meantime, whatever the camera's rate."""
    idle_every_s: float = 0.25
    """Where no visit is open: so often, by the clock, a picture is searched for faces."""
    affect_every_s: float = 0.1
    affect_holds_s: float = 0.4
    """What was read of a face holds so long where the face stays as it was."""
    affect_moved: float = 0.1
    """Mean difference of the face's cells, in standard deviations of them (`edge.perception.face_tracking`), from which
    a face is not as it was when it was read."""
    empty_first: bool = False
    """Who is there when the engine begins is not analysed: a restart must not undo an opt-out."""
    rating_wait_s: float = 60.0
    """By presence: a citizen who left with a sheet on the screen may complete it for so long."""
    look_back_s: float = 180.0
    """A rating freezes the level of before its screen appeared, unless that is longer ago: whoever holds the screen
    open all the time does not choose the moment."""
    change_after_s: float = 5.0
    """By the queue system: so long the place has to be seen empty for the next call to be another citizen's."""
    gone_after_s: float = 300.0
    """By the queue system, where nobody tells an end: a visit is over when nobody was seen or heard for so long."""
    longest_s: float = 3_600.0
    """By the queue system: a call so long after the visit's first is another citizen's, whatever was seen."""
    asks_consent: bool = False
    """Nothing is looked at or listened to before the citizen touched yes (`edge.perception.consent`)."""
    consent_opening_s: float = 20.0
    """So long after the touch the citizen has to be seen first: a camera takes seconds to open."""
    consent_gap_s: float = 4.0
    """A yes ends when its citizen was not seen for so long: after that another may sit there. Bending down for a paper
    costs the rest of the visit's signal, unless the citizen touches yes again."""
    presence: PresenceParameters = field(default_factory=PresenceParameters)
    tracking: TrackingParameters = field(default_factory=TrackingParameters)
    fusion: FusionParameters = field(default_factory=FusionParameters)

    def for_demo(self) -> EngineSettings:
        """The same for a demo's visits of a few seconds: only times are shorter."""
        fusion = replace(
            self.fusion,
            minimum_visit_s=1.5,
            minimum_evidence_s=1.0,
            minimum_observations=0.7,
            arrival_s=1.5,
            leaving_s=1.5,
        )
        presence = PresenceParameters(start_after_s=0.4, end_after_s=1.0, away_after_s=0.8)
        return replace(self, presence=presence, fusion=fusion, change_after_s=0.5, rating_wait_s=8.0, consent_gap_s=1.0)
