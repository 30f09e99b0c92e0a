"""Network cameras that are there, refuse, die, hang, and send garbage: GStreamer's RTSP server against `Camera`."""

from __future__ import annotations

import random
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.rtsp import Access, Codec, RtspServer, Stream, Transport, damaged, lengthened, missing
from edge.capture.camera import Camera, CameraSettings, read_camera
from pipeline.errors import SourceError
from pipeline.records import Tallies
from tests.edge.clips import HEIGHT_PX, WIDTH_PX, frames, scene

pytestmark = [pytest.mark.field, pytest.mark.timeout(120)]
QUICK = CameraSettings(open_s=5.0, read_s=5.0, stale_s=2.0, first_pause_s=0.2, longest_pause_s=0.5)
PASSWORD = "se@cr/et%20"
RATE_HZ = 15


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two minutes of a citizen, coded both ways, small, and with damage."""
    if why := missing():
        pytest.skip(f"no network camera on this machine: {why}")
    import av

    folder = tmp_path_factory.mktemp("films")
    pictures = [frame.pixels for frame in frames(scene(("astronaut", 150, 60, 100)), 4.0, rate_hz=RATE_HZ)]
    made = {}
    for name, encoder, size in (
        ("h264", "libx264", (WIDTH_PX, HEIGHT_PX)),
        ("h265", "libx265", (WIDTH_PX, HEIGHT_PX)),
        ("sub", "libx264", (WIDTH_PX // 2, HEIGHT_PX // 2)),
    ):
        options = {
            "preset": "ultrafast",
            "g": "15",
            "keyint": "15",
            "tune": "zerolatency",
            "x265-params": "log-level=0",
        }
        with av.open(str(folder / f"{name}.short.mp4"), "w") as container:
            video: Any = container.add_stream(encoder, rate=RATE_HZ, options=options)
            video.width, video.height = size
            video.pix_fmt, video.time_base, video.codec_context.gop_size = "yuv420p", Fraction(1, RATE_HZ), 15
            for number, pixels in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(np.roll(pixels, number, axis=1), format="bgr24").reformat(*size)
                frame.pts, frame.time_base = number, Fraction(1, RATE_HZ)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        made[name] = lengthened(folder / f"{name}.short.mp4", folder / f"{name}.mp4", 120)
    made["damaged"] = damaged(made["h264"], folder / "damaged.mp4", share=0.2, seed=1)
    return made


def wait_for(what: str, holds: Callable[[], bool], within_s: float = 30) -> None:
    end_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end_s, f"{what}: not within {within_s:.0f} s"
        time.sleep(0.02)


@contextmanager
def at_work(address: str) -> Iterator[Camera]:
    """A camera that has given its first picture."""
    camera = Camera(address, settings=QUICK)
    camera.start()
    try:
        assert camera.next(30) is not None, camera.reason
        yield camera
    finally:
        camera.stop()


def gives_pictures(camera: Camera) -> None:
    """Ten more to whoever looks, and it says so."""
    seen = camera.tallies.forwarded

    def gives() -> bool:
        camera.next(0.5)  # coded pictures are decoded by whoever looks at them
        return camera.tallies.forwarded > seen + 10 and not camera.reason

    wait_for("pictures", gives)


@pytest.mark.parametrize("access", ["open", "basic", "digest"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_pictures_come(films: dict[str, Path], codec: Codec, transport: Transport, access: Access) -> None:
    """By whatever transport the camera has, coded as it codes, for whoever knows its password."""
    film = {"/main": Stream(films[codec], codec)}
    with (
        RtspServer(film, access=access, transport=transport, password=PASSWORD) as server,
        closing(read_camera(server.address("/main"), CameraSettings(), Tallies())) as pictures,
    ):
        seen = list(islice(pictures, 10))
    assert {frame.pixels.shape for frame in seen} == {(HEIGHT_PX, WIDTH_PX, 3)}
    assert not np.array_equal(seen[0].pixels, seen[-1].pixels)
    times = [frame.time_s for frame in seen]
    assert times == sorted(times)


@pytest.mark.parametrize("access", ["basic", "digest"])
def test_a_wrong_password_is_said_and_not_shown(
    films: dict[str, Path], access: Access, capfd: pytest.CaptureFixture[str]
) -> None:
    with RtspServer({"/main": Stream(films["h264"])}, access=access, password=PASSWORD) as server:
        with pytest.raises(SourceError, match=r"cannot be opened.*user and password") as caught:
            Camera(server.address("/main", password="another"), settings=QUICK).check()
        with pytest.raises(SourceError, match="cannot be opened"):
            Camera(server.address("/elsewhere"), settings=QUICK).check()
    assert "another" not in str(caught.value) + "".join(capfd.readouterr())


def test_the_smaller_stream_of_a_camera_beside_its_main_one(films: dict[str, Path]) -> None:
    streams = {"/main": Stream(films["h264"]), "/sub": Stream(films["sub"])}
    with (
        RtspServer(streams) as server,
        at_work(server.address("/main")) as main,
        at_work(server.address("/sub")) as small,
    ):
        sizes = []
        for camera in (main, small):
            frame = camera.next(10)
            assert frame is not None
            sizes.append(frame.pixels.shape)
    assert sizes == [(HEIGHT_PX, WIDTH_PX, 3), (HEIGHT_PX // 2, WIDTH_PX // 2, 3)]


def test_a_camera_that_is_killed_comes_back(films: dict[str, Path]) -> None:
    with RtspServer({"/main": Stream(films["h264"])}) as server, at_work(server.address("/main")) as camera:
        server.kill()
        wait_for("it is told as lost", lambda: bool(camera.reason))
        server.start()
        gives_pictures(camera)
        assert camera.tallies.dropped["lost"] >= 1


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_that_hangs_is_told_and_comes_back(films: dict[str, Path], transport: Transport) -> None:
    """Its connection stays open and nothing comes."""
    with (
        RtspServer({"/main": Stream(films["h264"])}, transport=transport) as server,
        at_work(server.address("/main")) as camera,
    ):
        server.freeze()
        try:
            wait_for("it is told as lost", lambda: "stopped giving pictures" in camera.reason)
        finally:
            server.thaw()
        gives_pictures(camera)


def test_damaged_pictures_do_not_stop_a_camera(films: dict[str, Path]) -> None:
    """A fifth of them has random bytes in its second half."""
    with RtspServer({"/main": Stream(films["damaged"])}) as server, at_work(server.address("/main")) as camera:
        for _ in range(5):
            gives_pictures(camera)


@contextmanager
def relayed(port: int) -> Iterator[tuple[int, threading.Event]]:
    """A wire to a port on which bytes from there go wrong (one of 500) while the event is set."""
    noisy, over, chance = threading.Event(), threading.Event(), random.Random(3)

    def carry(one: socket.socket, other: socket.socket) -> None:
        with one, other:
            while not over.is_set():
                for source in select.select([one, other], [], [], 0.2)[0]:
                    data = bytearray(source.recv(65_536))
                    if not data:
                        return
                    if noisy.is_set() and source is other:
                        for at in chance.sample(range(len(data)), len(data) // 500 + 1):
                            data[at] = chance.randrange(256)
                    (one if source is other else other).sendall(data)

    def carry_quietly(one: socket.socket, other: socket.socket) -> None:
        try:
            carry(one, other)
        except OSError:
            return  # one of the two has gone

    def listen() -> None:
        while not over.is_set():
            try:
                one, _ = door.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=carry_quietly, args=(one, socket.create_connection(("127.0.0.1", port))))
            thread.start()
            threads.append(thread)

    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(0.2)
        threads = [threading.Thread(target=listen)]
        threads[0].start()
        try:
            yield door.getsockname()[1], noisy
        finally:
            over.set()
            for thread in threads:
                thread.join(10)


def test_garbage_on_the_wire_does_not_end_a_camera(films: dict[str, Path]) -> None:
    """Pictures and the protocol itself go wrong for some seconds; afterwards the pictures are back."""
    with (
        RtspServer({"/main": Stream(films["h264"])}, transport="tcp") as server,
        relayed(server.port) as (port, noisy),
        at_work(f"rtsp://127.0.0.1:{port}/main") as camera,
    ):
        for _ in range(3):
            noisy.set()
            time.sleep(2.0)
            noisy.clear()
            gives_pictures(camera)
        assert {"lost", "stale", "corrupt"} & camera.tallies.dropped.keys(), "which of them, the bytes decide"


def test_a_port_that_talks_nonsense_is_no_camera() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]

        def talk() -> None:
            for _ in range(2):
                one, _ = door.accept()
                with one:
                    one.recv(1_024)
                    one.sendall(random.Random(4).randbytes(8_192))

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        with pytest.raises(SourceError, match="cannot be opened"):
            Camera(f"rtsp://127.0.0.1:{port}/main", settings=QUICK).check()
