"""A network camera that says something all the time, and never a picture: whoever reads it hangs, and is given up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from edge.capture.camera import Camera, CameraSettings, read_camera
from pipeline.errors import SourceError
from pipeline.records import Tallies

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:0\r\n"
)
NOBODYS = b"$\x63\x00\x04...."
"""Four bytes of an interleaved channel that nobody has asked for."""


class Trickle:
    """An RTSP server of one stream over TCP. `talks`: after PLAY it sends on, ten times a second."""

    def __init__(self, talks: bool) -> None:
        self._talks, self._over = talks, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/live"
        self.served = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Serve no more, and end what is served."""
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.served += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            try:
                while self._answer(client, lines.readline) != "PLAY":
                    pass
                while not self._over.wait(0.1):
                    if self._talks:
                        client.sendall(NOBODYS)
            except OSError:
                return

    @staticmethod
    def _answer(client: socket.socket, read: Callable[[], bytes]) -> str:
        head = [read().decode()]
        if not head[0]:
            raise OSError
        while line := read().decode().strip():
            head.append(line)
        number = next(line.split(":")[1].strip() for line in head if line.lower().startswith("cseq"))
        kind = head[0].split()[0]
        more = {
            "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
            "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n",
            "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
            "PLAY": "Session: 1\r\n",
        }.get(kind, "")
        body = SDP if kind == "DESCRIBE" else ""
        client.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}\r\n{body}".encode())
        return kind


@pytest.fixture(params=[True, False], ids=["talks", "silent"])
def trickle(request: pytest.FixtureRequest) -> Iterator[Trickle]:
    server = Trickle(request.param)
    yield server
    server.close()


def readers() -> int:
    return sum(thread.name == "camera reader" for thread in threading.enumerate())


def test_a_camera_leaves_one_reader_behind_at_most(trickle: Trickle) -> None:
    settings = CameraSettings(open_s=0.2, read_s=0.3, stale_s=0.2, first_pause_s=0.05, longest_pause_s=0.05)
    before = readers()
    camera = Camera(trickle.address, settings=settings)
    camera.start()
    most, until_s = 0, time.monotonic() + 30
    while trickle.served < 6:
        assert time.monotonic() < until_s, "it is opened again and again"
        most = max(most, readers() - before)
        time.sleep(0.02)
    assert camera.lost
    camera.stop()
    assert most <= 3, "the one that hangs, the one at work, and one that is ending"
    trickle.close()
    while readers() > before:
        assert time.monotonic() < until_s, "whoever hung ends with his stream"
        time.sleep(0.02)


def test_who_is_not_watched_is_bounded(trickle: Trickle) -> None:
    started_s = time.monotonic()
    with pytest.raises(SourceError):
        next(read_camera(trickle.address, CameraSettings(open_s=0.5, read_s=0.5), Tallies()))
    assert time.monotonic() - started_s < 10
