"""While nobody is there only pictures that stand alone are decoded, and whoever looks again sees the present, whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.capture.gusts import GUST_S, in_gusts
from edge.capture.media_file import Interest, open_media, read_frames
from edge.capture.resting import AWAKE_S, LONGEST_S, MAX_HELD, MIN_SIZES, SIZES, STRETCH_S, Resting
from edge.perception.engine import Engine
from edge.perception.networks import NetworkOptions, load_networks
from edge.perception.settings import EngineSettings
from pipeline.records import Frame, Tallies
from tests.edge.clips import frames, scene

RATE_HZ, KEY = 10, 20
PERSON = ("astronaut", 150, 60, 100)
CODINGS = {
    "as cameras code": ("libx264", {"bf": "0", "tune": "zerolatency"}),
    "sorted anew": ("libx264", {"bf": "2"}),
    "coded over key pictures": ("libx264", {"bf": "2", "x264-params": "open-gop=1"}),
    "H.265": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:open-gop=1:bframes=2:keyint=20"}),
}


def write(path: Path, coding: str = "as cameras code", pictures: int = 100, key: int = KEY) -> None:
    """A film in which every picture is different, and each is unlike those around it."""
    codec, options = CODINGS[coding]
    noise = np.random.default_rng(1).integers(0, 40, (96, 160, 3))
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=RATE_HZ, options={"threads": "1", "sc_threshold": "0", **options})
        video.width, video.height, video.pix_fmt, video.codec_context.gop_size = 160, 96, "yuv420p", key
        for number in range(pictures):
            pixels = (noise + number).astype(np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(video.encode(None))


@dataclass
class Reader:
    """Reads a film as a live stream of a clock of its own: each packet comes as it is due."""

    path: Path
    sleeps: Callable[[int], bool]
    packet: int = 0

    def read(self) -> tuple[list[Frame], Tallies]:
        """The pictures, with their media time."""

        def clock() -> float:
            self.packet += 1
            return 1_000.0 + self.packet / RATE_HZ

        tallies, container = Tallies(), open_media(str(self.path))
        interest = Interest(sleeps=lambda: self.sleeps(self.packet), clock=clock)
        try:
            return list(read_frames(container, str(self.path), tallies, 0.0, interest)), tallies
        finally:
            container.close()


@pytest.mark.parametrize("coding", CODINGS)
def test_who_looks_again_sees_the_present_at_once_and_whole(tmp_path: Path, coding: str) -> None:
    write(tmp_path / "stream.mp4", coding)
    every, _ = Reader(tmp_path / "stream.mp4", lambda _packet: False).read()
    assert len(every) == 100
    whole = {frame.pixels.tobytes() for frame in every}
    # whoever comes in the middle between two pictures that stand alone, and one who stays beyond the next one
    found, tallies = Reader(tmp_path / "stream.mp4", lambda packet: not (30 < packet <= 36 or 70 < packet <= 84)).read()
    assert all(frame.pixels.tobytes() in whole for frame in found), "none is damaged by what was left out"
    assert tallies.dropped["resting"] >= 25
    assert "corrupt" not in tallies.dropped
    for first, last in ((31, 36), (71, 84)):
        seen = [round(frame.time_s * RATE_HZ) for frame in found if first - 5 <= frame.time_s * RATE_HZ < last]
        assert len(seen) >= last - first, "all of the present"
        assert min(seen) >= first - 4, "none of the past, but for what the coding sorts anew"


def test_pictures_that_stand_alone_are_enough_where_nobody_is(tmp_path: Path) -> None:
    write(tmp_path / "stream.mp4")
    found, tallies = Reader(tmp_path / "stream.mp4", lambda _packet: True).read()
    assert [round(frame.time_s * RATE_HZ) for frame in found] == [0, 20, 40, 60, 80]
    assert (tallies.forwarded, tallies.dropped) == (5, {"resting": 95 - 19}), "the last ones are held to the end"


def test_a_stream_of_few_pictures_that_stand_alone_is_looked_at_in_each_stretch(tmp_path: Path) -> None:
    write(tmp_path / "stream.mp4", pictures=200, key=200)
    found, _ = Reader(tmp_path / "stream.mp4", lambda _packet: True).read()
    times = [frame.time_s for frame in found]
    assert times[0] == 0.0
    assert max(later - earlier for earlier, later in pairwise(times)) <= LONGEST_S + STRETCH_S
    assert 7 <= len(found) <= 11, "one for each stretch of the clock"


@dataclass
class Packet:
    size: int
    is_keyframe: bool = False


def test_what_moves_wakes_at_once() -> None:
    tallies, now_s = Tallies(), 100.0
    resting = Resting(tallies)
    assert len(resting.take(Packet(9_000, True), True, now_s)) == 1
    resting.decoded(Packet(9_000, True), True)
    for number in range(MIN_SIZES + 3):
        now_s += 0.1
        assert resting.take(Packet(400 + 10 * (number % 5)), True, now_s) == []
    now_s += 0.1
    assert len(resting.take(Packet(900), True, now_s)) == MIN_SIZES + 4, "up to the present"
    assert len(resting.take(Packet(420), True, now_s + AWAKE_S)) == 1
    assert resting.take(Packet(420), True, now_s + AWAKE_S + 0.1) == []
    assert tallies.dropped == {}


packets = st.lists(st.tuples(st.integers(1, 5_000), st.integers(0, 9), st.booleans(), st.floats(0.0, 1.0)), max_size=80)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(packets)
def test_whatever_comes_is_decoded_in_order_without_a_hole_since_a_picture_that_stands_alone(
    stream: list[tuple[int, int, bool, float]],
) -> None:
    tallies, now_s, decoded, anew = Tallies(), 0.0, -1, True
    resting = Resting(tallies)
    taken = 0
    for number, (size, kind, sleeps, pause_s) in enumerate([(1_000, 0, False, 0.0), *stream]):
        now_s += pause_s
        packet = Packet(size, kind == 0)
        due = resting.take(packet, sleeps, now_s)
        if due:
            assert due[-1] is packet, "the present"
            first = number - len(due) + 1
            assert first == decoded + 1 or (packet.is_keyframe and resting.has_gap)
            assert resting.has_gap == (first != decoded + 1)
            decoded, anew, taken = number, False, taken + len(due)
            resting.decoded(packet, True)
        if not sleeps:
            assert due
    held = len(stream) + 1 - taken - tallies.dropped.get("resting", 0)
    assert 0 <= held <= MAX_HELD
    assert not anew


def test_nothing_is_held_beyond_its_bound() -> None:
    tallies = Tallies()
    resting = Resting(tallies)
    resting.take(Packet(9_000, True), True, 1.0)
    resting.decoded(Packet(9_000, True), True)
    longest = max(len(resting.take(Packet(10), True, 1.0)) for _ in range(3 * MAX_HELD))
    assert longest == MAX_HELD + 1


def test_whoever_comes_between_is_noticed_by_the_next_picture_that_stands_alone(tmp_path: Path) -> None:
    """The engine and its camera's stream together: what resting costs is the time up to that picture."""
    networks = load_networks(NetworkOptions(demo=True))
    begun: list[int] = []
    engine = Engine(EngineSettings(), networks, lambda _visit: None, begun.append)
    path, arrives_s, stays_s = tmp_path / "stream.mp4", 5.1, 5.0
    shown = [frame.pixels for frame in frames(scene(), arrives_s)] + [f.pixels for f in frames(scene(PERSON), stays_s)]
    with av.open(str(path), "w") as container:
        options = {"bf": "0", "tune": "zerolatency", "sc_threshold": "0", "threads": "1", "preset": "ultrafast"}
        video = container.add_stream("libx264", rate=RATE_HZ, options=options)
        video.width, video.height, video.pix_fmt, video.codec_context.gop_size = 640, 360, "yuv420p", KEY
        for pixels in shown:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(video.encode(None))
    packet, noticed_s = 0, None

    def clock() -> float:
        nonlocal packet
        packet += 1
        return 1_000.0 + packet / RATE_HZ

    interest = Interest(rests=lambda: engine.is_idle, sleeps=lambda: engine.is_quiet, clock=clock)
    tallies, container = Tallies(), open_media(str(path))
    for frame in read_frames(container, str(path), tallies, 0.0, interest):
        engine.feed_frame(frame)
        if engine.face_tallies.forwarded and noticed_s is None:
            noticed_s = frame.time_s
    container.close()
    assert tallies.dropped["resting"] >= 30, "an empty place is not decoded"
    assert noticed_s is not None
    assert arrives_s <= noticed_s <= arrives_s + KEY / RATE_HZ
    assert len(begun) == 1
    assert engine.visit_open


@given(st.lists(st.integers(0, 9), max_size=200))
def test_the_largest_of_the_last_packets_is_kept(sizes: list[int]) -> None:
    resting = Resting(Tallies())
    for number, size in enumerate(sizes, start=1):
        resting._note_size(size)
        assert resting._largest == max(sizes[max(0, number - SIZES) : number])


def test_where_nobody_is_packets_are_taken_in_gusts() -> None:
    """A camera sends fifteen a second; what came during a pause is there at once, and the next one is waited for."""
    now_s, pauses, taken = 0.0, list[float](), list[tuple[int, float]]()

    def packets() -> Iterator[int]:
        nonlocal now_s
        for number in range(1, 61):
            now_s = max(now_s, number / 15)  # waits until it comes
            yield number

    def pause(seconds: float) -> None:
        nonlocal now_s
        pauses.append(now_s)
        now_s += seconds

    for number in in_gusts(packets(), lambda: now_s < 2.0, lambda: now_s, pause):
        taken.append((number, now_s - number / 15))
    assert [number for number, _ in taken] == list(range(1, 61))  # nothing is left out
    assert max(late_s for _, late_s in taken) < GUST_S + 0.01  # nor older than a pause
    assert len(pauses) == pytest.approx(2 / (GUST_S + 1 / 15), abs=2)
    assert max(pauses) < 2.0  # and none while somebody is there
