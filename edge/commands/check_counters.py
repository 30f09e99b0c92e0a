"""What `hailong edge check` finds at the counters: every device is opened, all of them side by side, so that forty dead
cameras take as long as one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

from edge.capture.redaction import redacted
from edge.commands.finding import Finding
from edge.config import EdgeConfig
from edge.counters import CounterSection, is_loopback
from pipeline.errors import HailongError
from pipeline.language import Joined, Message

FACE_WAIT_S = 8.0
Look = Callable[[EdgeConfig, CounterSection], Finding]


def check_counters(config: EdgeConfig, is_running: bool, face: str | None = None) -> list[Finding]:
    """Tablet, camera and microphone of every counter, in the order of the counters. `is_running`: a box is at work
    with them. `face`: the counter at whose citizen's place the technician sits (empty: of a box of one)."""
    jobs = [(counter, what, look) for counter in config.counters for what, look in _LOOKS]
    if face is not None:
        mine = [one for one in config.counters if one.name == face or (not face and not config.counter)]
        jobs += [(counter, "face", _face) for counter in mine if counter.camera.source != "none"]
    with ThreadPoolExecutor(len(jobs), "checking") as side_by_side:
        found = side_by_side.map(lambda job: _find(config, is_running, *job), jobs)
        return list(found)


def _find(config: EdgeConfig, is_running: bool, counter: CounterSection, what: str, look: Look) -> Finding:
    try:
        found = look(config, counter)
    except HailongError as error:
        found = Finding(what, "wrong", error.message, error.fix)
        source = {
            "camera": counter.camera.source,
            "face": counter.camera.source,
            "microphone": counter.microphone.source,
        }.get(what)
        # a box at work keeps its devices, and most let one program in: whether it sees and hears, it says itself
        if is_running and (isinstance(source, int) or what == "microphone"):
            text = Message("{reason} The box that is at work may hold it.", reason=error.message)
            found = replace(found, state="warning", text=text)
    except Exception as error:  # a supervisor: whatever a driver may do, the other rows are told
        text = Message("failed ({error})", error=type(error).__name__)
        found = Finding(what, "wrong", text, Message("Check its cable and its power."))
    return replace(found, counter=counter.name if config.counter else "")


def _tablet(config: EdgeConfig, counter: CounterSection) -> Finding:
    from edge.box import queue_token
    from edge.tablet.app import page_base
    from edge.tablet.pairing import pairing_of
    from pipeline.instruments.library import load_instrument
    from pipeline.instruments.questionnaire import make_questionnaire

    instrument = load_instrument(config.tablet.instrument, folder=config.box.data_dir / "instruments")
    questions = make_questionnaire(instrument, config.tablet.form).questions
    queue_token(config)
    found = Message("{count} question(s) of instrument {code}", count=len(questions), code=config.tablet.instrument)
    if is_loopback(config.tablet_host(counter)):
        return Finding("tablet", "ok", found)
    pairing, path = pairing_of(config, counter), page_base(config, counter) or "/"
    if pairing.code:
        if config.counter:
            fix = Message("Open {path} on the tablet and type the code {code}.", path=path, code=pairing.code)
        else:
            fix = Message("Open the page on the tablet and type the code {code}.", code=pairing.code)
        return Finding("tablet", "warning", found, fix)
    if not pairing.is_paired:
        name = counter.name if config.counter else ""
        fix = Message("No tablet is paired: run hailong edge check {option}.", option=f"--pair-tablet {name}".strip())
        return Finding("tablet", "warning", found, fix)
    return Finding("tablet", "ok", Message("{found}, paired", found=found))


def _camera(_config: EdgeConfig, counter: CounterSection) -> Finding:
    if counter.camera.source == "none":
        return Finding("camera", "skipped", Message("none is named"))
    from edge.capture.camera import Camera
    from edge.capture.quality import picture_notices

    frame = Camera(counter.camera.stream).check()
    height_px, width_px = frame.pixels.shape[:2]
    text = Message(
        "{source} gives {width} x {height} pixels",
        source=redacted(counter.camera.stream),
        width=width_px,
        height=height_px,
    )
    return with_notices(Finding("camera", "ok", text), picture_notices(frame.pixels, counter.camera.region))


def with_notices(found: Finding, keys: Sequence[str]) -> Finding:
    """What can be used but is poor: the box starts, and is told what to mend."""
    from edge.capture.quality import NOTICES

    return replace(found, state="warning", fix=Joined([NOTICES[key] for key in keys], " ")) if keys else found


def _face(_config: EdgeConfig, counter: CounterSection) -> Finding:
    """How large the face of whoever sits at the citizen's place is; only where a technician asks for it."""
    from edge.capture.camera import CameraSettings, read_camera
    from edge.capture.quality import face_notices
    from edge.perception.region import Region
    from models.catalogue import model_files
    from models.face_detect import FaceDetector
    from pipeline.records import Tallies

    region = Region(counter.camera.region)
    far = FaceDetector(model_files("face-detector-far")["face_detection_full_range.tflite"])
    heights_px: list[float] = []
    end_s = time.monotonic() + FACE_WAIT_S
    with closing(read_camera(counter.camera.stream, CameraSettings(), Tallies())) as frames:
        for frame in frames:
            heights_px += [found.box_px[3] for found in far.detect(region.apply(frame.pixels))]
            if heights_px or time.monotonic() > end_s:
                break
    text = (
        Message("a face of {height} pixels", height=round(max(heights_px)))
        if heights_px
        else Message("no face in view")
    )
    return with_notices(Finding("face", "ok", text), face_notices(heights_px))


def _microphone(_config: EdgeConfig, counter: CounterSection) -> Finding:
    microphone = counter.microphone
    if microphone.source == "none":
        return Finding("microphone", "skipped", Message("none is named"))
    from edge.capture.microphone import Microphone, channel_levels
    from edge.capture.quality import sound_notices

    Microphone(microphone.source, channel=microphone.channel).check()
    peaks = channel_levels(microphone.source, microphone.channel).peaks.tolist()
    text = Message("{source}, channel {channel}", source=redacted(microphone.source), channel=microphone.channel)
    return with_notices(Finding("microphone", "ok", text), sound_notices(peaks, microphone.channel))


_LOOKS: tuple[tuple[str, Look], ...] = (("tablet", _tablet), ("camera", _camera), ("microphone", _microphone))
