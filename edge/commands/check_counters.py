"""What `hailong edge check` finds at the counters: every device is opened, all of them side by side, so that forty dead
cameras take as long as one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from edge.capture.redaction import redacted
from edge.commands.finding import Finding
from edge.config import EdgeConfig, is_loopback
from edge.counters import CounterSection
from pipeline.errors import HailongError
from pipeline.language import Message

Look = Callable[[EdgeConfig, CounterSection], Finding]


def check_counters(config: EdgeConfig, is_running: bool) -> list[Finding]:
    """Tablet, camera and microphone of every counter, in the order of the counters. `is_running`: a box is at work
    with them."""
    jobs = [(counter, what, look) for counter in config.counters for what, look in _LOOKS]
    with ThreadPoolExecutor(len(jobs), "checking") as side_by_side:
        found = side_by_side.map(lambda job: _find(config, is_running, *job), jobs)
        return list(found)


def _find(config: EdgeConfig, is_running: bool, counter: CounterSection, what: str, look: Look) -> Finding:
    try:
        found = look(config, counter)
    except HailongError as error:
        found = Finding(what, "wrong", error.message, error.fix)
        source = {"camera": counter.camera.source, "microphone": counter.microphone.source}.get(what)
        # a box at work keeps its devices, and most let one program in: whether it sees and hears, it says itself
        if is_running and (isinstance(source, int) or what == "microphone"):
            text = Message("{reason} The box that is at work may hold it.", reason=error.message)
            found = replace(found, state="warning", text=text)
    return replace(found, counter=counter.name if config.counter else "")


def _tablet(config: EdgeConfig, counter: CounterSection) -> Finding:
    from edge.box import queue_token
    from edge.tablet.app import page_base
    from edge.tablet.pairing import pairing_of
    from edge.tablet.questionnaire import make_questionnaire
    from pipeline.instruments.library import load_instrument

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

    frame = Camera(counter.camera.stream).check()
    height_px, width_px = frame.pixels.shape[:2]
    text = Message(
        "{source} gives {width} x {height} pixels",
        source=redacted(counter.camera.stream),
        width=width_px,
        height=height_px,
    )
    return Finding("camera", "ok", text)


def _microphone(_config: EdgeConfig, counter: CounterSection) -> Finding:
    microphone = counter.microphone
    if microphone.source == "none":
        return Finding("microphone", "skipped", Message("none is named"))
    from edge.capture.microphone import Microphone

    Microphone(microphone.source, channel=microphone.channel).check()
    text = Message("{source}, channel {channel}", source=redacted(microphone.source), channel=microphone.channel)
    return Finding("microphone", "ok", text)


_LOOKS: tuple[tuple[str, Look], ...] = (("tablet", _tablet), ("camera", _camera), ("microphone", _microphone))
