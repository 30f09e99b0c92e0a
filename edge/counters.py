"""The tables of a box's configuration that are about one counter: what sees and hears there, its tablet, its name.

A box of one counter writes `[camera]`, `[microphone]` and so on once; a hall's box has one `[[counter]]` table for each
(`edge.config`). Both are a `CounterSection` for whoever reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from edge.capture.redaction import without_user
from pipeline.errors import ConfigError
from pipeline.fusion import FusionParameters
from pipeline.language import Message

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Port = Annotated[int, Field(ge=0, le=65_535)]
MAX_COUNTERS = 64
ONLY = "1"
"""Name of the counter of a box that has no `[[counter]]` tables."""


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Section(BaseModel):
    """A table of the file: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraSection(Section):
    """`[camera]`: one source and the citizen's region in its picture."""

    source: int | str
    """A device's number, a file, or an `rtsp://` address; "none" for a counter without a camera."""
    sub_stream: str = ""
    """The camera's smaller stream, an `rtsp://` address: taken in place of `source`, where the camera has one. Faces
    are read at 48 px, so 640 x 360 is enough, and costs less."""
    region: tuple[tuple[Share, Share], ...] = ()
    """Polygon (x, y) in shares of width and height, within which the citizen is; applied before any model. Needed
    outside a demo: a camera that cannot see the civil servant has [[0, 0], [1, 0], [1, 1], [0, 1]]."""
    loop: bool = False
    """Demo: begin a file again at its end."""

    @property
    def stream(self) -> int | str:
        """What is opened."""
        return self.sub_stream or self.source

    @field_validator("region")
    @classmethod
    def _polygon(cls, region: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if region and len(region) < 3:
            raise ValueError(Message("a polygon has at least three corners"))
        return region

    @field_validator("sub_stream")
    @classmethod
    def _address(cls, address: str) -> str:
        if address and "://" not in address:
            raise ValueError(Message("a sub-stream is an address, such as rtsp://camera/2"))
        return address


class MicrophoneSection(Section):
    """`[microphone]`: one source and the citizen's channel."""

    source: int | str = "none"
    """A device's number or name, or a file; "none" for a counter without a microphone."""
    channel: Annotated[int, Field(ge=0, le=31)] = 0
    """The channel on the citizen's side; chosen before any model, the others are not read."""
    staff_not_heard: bool = False
    """Outside a demo a microphone is opened only where the operator states that this channel does not carry the civil
    servant's voice (a directed or shielded microphone on the citizen's side)."""
    loop: bool = False


class VisitSection(Section):
    """`[visit]`: what starts and ends a visit."""

    by: Literal["presence", "queue"] = "presence"
    """`presence` of a face in the region, or the queue system's events (`[queue]`)."""
    prior: tuple[float, float, float] = FusionParameters().prior
    """The counter's prior of negative, neutral and positive, mostly neutral: three shares of at least 0.01 that sum to
    1 (docs/fusion.md). `hailong analyze --json` names the learnt one where pairs are enough."""

    @field_validator("prior")
    @classmethod
    def _is_a_prior(cls, prior: tuple[float, float, float]) -> tuple[float, float, float]:
        try:
            return FusionParameters(prior=prior).prior
        except ConfigError as error:
            raise ValueError(error.message) from None


class CounterTabletSection(Section):
    """`[counter.tablet]`: where a counter's page is, if not at `/quay/NAME` of `[tablet]`."""

    host: str = ""
    """Address of its own, with `port`; empty: that of `[tablet]`."""
    port: Port | None = None
    """A port of its own, where the page is at `/`; none: the page is at `/quay/NAME` on `[tablet]`'s."""


class CounterSection(Section):
    """`[[counter]]`: one counter of a hall."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
    """Its name on the box: in its pool's `counters`, in its page's address, on the technician's page. Never sent."""
    label: Annotated[str, Field(max_length=60)] = ""
    """Shown on its tablet; empty: its name."""
    agency: Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    """Code of its agency: that of the pool in which its visits are counted (`[[privacy.pools]] agency`)."""
    agency_label: Annotated[str, Field(max_length=120)] = ""
    """Shown on its tablet and notice; empty: that of `[box]`."""
    queue_id: Annotated[str, Field(max_length=40)] = ""
    """How the queue system names it; empty: its name."""
    camera: CameraSection = CameraSection(source="none")
    """Left out: a counter that takes ratings only, as a tablet in a waiting room."""
    microphone: MicrophoneSection = MicrophoneSection()
    visit: VisitSection | None = None
    """Left out: as `[visit]`."""
    tablet: CounterTabletSection = CounterTabletSection()

    @property
    def has_source(self) -> bool:
        """Whether a camera or a microphone is named."""
        return self.camera.source != "none" or self.microphone.source != "none"

    @property
    def called(self) -> str:
        """How the queue system names it."""
        return self.queue_id or self.name

    @property
    def visits(self) -> VisitSection:
        """What begins and ends a visit here."""
        return self.visit or VisitSection()


def refuse_clashes(counters: Sequence[CounterSection]) -> None:
    """What two counters cannot share. Raises `ValueError` that names both."""
    _once(counters, lambda each: [each.name], Message("have the same name"))
    _once(counters, lambda each: [each.called], Message("have the same queue_id"))
    _once(counters, _cameras, Message("have the same camera"))
    _once(
        counters,
        lambda each: [(str(each.microphone.source), each.microphone.channel)] * (each.microphone.source != "none"),
        Message("hear the same channel of the same microphone"),
    )


def _cameras(counter: CounterSection) -> list[object]:
    """What a camera is known by: a device's number as text or as a number is the same, and so is an address with
    another password."""
    camera = counter.camera
    return list({without_user(each) for each in (camera.source, camera.sub_stream) if each not in ("none", "")})


def _once(
    counters: Iterable[CounterSection], keys: Callable[[CounterSection], Iterable[object]], clash: Message
) -> None:
    seen: dict[object, CounterSection] = {}
    for counter in counters:
        for key in keys(counter):
            if key in seen:
                raise ValueError(
                    Message("counters {one} and {other} {clash}", one=seen[key].name, other=counter.name, clash=clash)
                )
            seen[key] = counter


def refuse_what_cannot_work(counter: CounterSection, queue_enabled: bool, where: str = "") -> None:
    """What does not fit together at one counter. `where` stands before the sections' names. Raises `ValueError`."""
    by = counter.visits.by
    if by == "queue" and not queue_enabled:
        raise ValueError(Message('{where}[visit] by = "queue" needs [queue] enabled = true', where=where))
    if by == "presence" and counter.camera.source == "none" and counter.microphone.source != "none":
        raise ValueError(
            Message(
                '{where}[visit] by = "presence" needs a camera: with a microphone alone it is by = "queue"', where=where
            )
        )


def refuse_what_staff_could_suffer(counter: CounterSection, where: str = "") -> None:
    """Refusals, not warnings: nobody reads a warning at a counter. Raises `ValueError`."""
    if counter.camera.source != "none" and not counter.camera.region:
        raise ValueError(
            Message(
                "{where}[camera] region is needed, so that the civil servant is never looked at; where the camera "
                "cannot see the civil servant, it is [[0, 0], [1, 0], [1, 1], [0, 1]]",
                where=where,
            )
        )
    if counter.microphone.source != "none" and not counter.microphone.staff_not_heard:
        raise ValueError(
            Message(
                "{where}[microphone] staff_not_heard = true is needed: the operator states that the channel does not "
                "carry the civil servant's voice",
                where=where,
            )
        )
