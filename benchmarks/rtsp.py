"""Network cameras of this machine's own: Debian's gst-rtsp-server plays films as cameras do, for `make test-field` and
for benchmarks of halls.

    with RtspServer({"/main": Stream(film), "/sub": Stream(small)}, user="admin", password="x") as cameras:
        Camera(cameras.address("/main"))

A film is played as it is coded (H.264 or H.265 in MP4), in real time, from its beginning for whoever connects first.
One that is shorter than the test is lengthened before (`lengthened`), which costs no decoding. The server is a process
of the distribution's own Python, where GStreamer's bindings are, so that it can be killed and stopped like a camera.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

PYTHON = "/usr/bin/python3"
PACKAGES = (
    "python3-gi", "gir1.2-gst-rtsp-server-1.0", "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
)  # fmt: skip
Codec = Literal["h264", "h265"]
Transport = Literal["tcp", "udp", "both"]
Access = Literal["open", "basic", "digest"]
_TRY = (
    "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0');"
    "from gi.repository import Gst, GstRtspServer; Gst.init(None);"
    "needed = ('qtdemux', 'h264parse', 'h265parse', 'rtph264pay', 'rtph265pay');"
    "raise SystemExit(not all(Gst.ElementFactory.find(name) for name in needed))"
)
_START_S = 20.0


@dataclass(frozen=True, slots=True)
class Stream:
    """What a camera shows: a film in MP4, and how it is coded."""

    film: Path
    codec: Codec = "h264"


def missing() -> str:
    """What this machine lacks for it, in words; empty where it lacks nothing."""
    if not Path(PYTHON).exists():
        return f"there is no {PYTHON}"
    done = subprocess.run([PYTHON, "-c", _TRY], capture_output=True, text=True)
    return "" if done.returncode == 0 else f"GStreamer's RTSP server is not here (apt install {' '.join(PACKAGES)})"


class RtspServer:
    """A process that plays films by RTSP on this machine. `streams`: path -> what is shown there; `before`: words
    before the command, as those that enter a network name space; `host`: where it listens.

    Raises `RuntimeError` where it does not start."""

    def __init__(
        self,
        streams: Mapping[str, Stream],
        *,
        access: Access = "open",
        user: str = "admin",
        password: str = "secret",  # noqa: S107
        transport: Transport = "both",
        host: str = "127.0.0.1",
        port: int = 0,
        before: Sequence[str] = (),
    ) -> None:
        self._given: dict[str, Any] = {
            "streams": {path: [str(stream.film), stream.codec] for path, stream in streams.items()},
            "access": access, "user": user, "password": password, "transport": transport, "host": host, "port": port,
        }  # fmt: skip
        self._before = list(before)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Begin to serve; after `kill` on the same port again."""
        self._process = subprocess.Popen(
            [*self._before, PYTHON, "-I", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(self._given), file=self._process.stdin, flush=True)  # a password belongs on no command line
        ready, _, _ = select.select([self._process.stdout], [], [], _START_S)
        said = self._process.stdout.readline() if ready else ""
        if not said:
            self.kill()
            raise RuntimeError("the RTSP server does not start")
        self._given["port"] = json.loads(said)["port"]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._given["port"])

    @property
    def processor_s(self) -> float:
        """Processor seconds that it has used so far."""
        words = Path(f"/proc/{self._alive.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def address(self, path: str, user: str | None = None, password: str | None = None) -> str:
        """The address of a stream, with user and password where the server asks for them."""
        words = [user or self._given["user"], password or self._given["password"]]
        who = "" if self._given["access"] == "open" else ":".join(quote(word, safe="") for word in words) + "@"
        return f"rtsp://{who}{self._given['host']}:{self.port}{path}"

    def freeze(self) -> None:
        """Stop it in the middle: its connections stay open, and nothing comes."""
        os.kill(self._alive.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self._alive.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    @property
    def _alive(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process


def lengthened(film: Path, out: Path, seconds: float) -> Path:
    """The pictures of a film again and again, until they last `seconds`; nothing is decoded. Returns `out`."""
    import av

    with av.open(str(film)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.pts is not None and packet.dts is not None]
        assert stream.time_base is not None
        begins = packets[0].dts or 0
        length = max((packet.pts or 0) + (packet.duration or 0) for packet in packets) - begins
        turns = int(seconds / float(length * stream.time_base)) + 1
        for turn in range(turns):
            for packet in packets:
                times = packet.pts, packet.dts
                packet.pts, packet.dts = ((time or 0) - begins + turn * length for time in times)
                packet.stream = copy
                target.mux(packet)
                packet.pts, packet.dts = times
    return out


def damaged(film: Path, out: Path, share: float, seed: int) -> Path:
    """A film of which that share of the packets has random bytes in its second half, as lost packets leave it; the
    first picture is whole. Returns `out`."""
    import av

    chance = random.Random(seed)
    with av.open(str(film)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in source.demux(stream) if packet.dts is not None):
            changed: Any = packet
            if number and chance.random() < share:
                data = bytearray(bytes(packet))
                half = len(data) // 2
                data[half:] = chance.randbytes(len(data) - half)
                changed = av.Packet(bytes(data))
                changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
                changed.is_keyframe = packet.is_keyframe
            changed.stream = copy
            target.mux(changed)
    return out


# -- the server's process, on the distribution's Python ----------------------------------------------------------------


_BINDINGS = {"Gst": "1.0", "GstRtsp": "1.0", "GstRtspServer": "1.0", "GLib": "2.0"}


def _serve(given: dict[str, Any]) -> None:
    gi = importlib.import_module("gi")
    for name, version in _BINDINGS.items():
        gi.require_version(name, version)
    bindings: list[Any] = [importlib.import_module(f"gi.repository.{name}") for name in _BINDINGS]
    gst, rtsp, served, glib = bindings
    gst.init(None)
    server = served.RTSPServer()
    server.set_address(given["host"])
    server.set_service(str(given["port"]))
    transports = {
        "tcp": rtsp.RTSPLowerTrans.TCP,
        "udp": rtsp.RTSPLowerTrans.UDP,
        "both": rtsp.RTSPLowerTrans.TCP | rtsp.RTSPLowerTrans.UDP,
    }
    if given["access"] != "open":
        server.set_auth(_auth(served, rtsp, given))
    mounts = server.get_mount_points()
    for path, (film, codec) in given["streams"].items():
        factory = served.RTSPMediaFactory()
        factory.set_launch(
            f'( filesrc location="{film}" ! qtdemux ! {codec}parse config-interval=-1 ! '
            f"rtp{codec}pay name=pay0 pt=96 config-interval=-1 )"
        )
        factory.set_shared(True)
        factory.set_protocols(transports[given["transport"]])
        if given["access"] != "open":
            permissions = served.RTSPPermissions()
            for what in ("access", "construct"):
                permissions.add_permission_for_role("user", f"media.factory.{what}", True)
            factory.set_permissions(permissions)
        mounts.add_factory(path, factory)
    if server.attach(None) == 0:
        raise SystemExit("the port is taken")
    print(json.dumps({"port": server.get_bound_port()}), flush=True)
    glib.MainLoop().run()


def _auth(served: Any, rtsp: Any, given: dict[str, Any]) -> Any:
    auth, token = served.RTSPAuth(), served.RTSPToken()
    token.set_string("media.factory.role", "user")
    if given["access"] == "digest":
        auth.set_supported_methods(rtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(given["user"], given["password"], token)
    else:
        auth.add_basic(served.RTSPAuth.make_basic(given["user"], given["password"]), token)
    return auth


if __name__ == "__main__":
    _serve(json.loads(sys.stdin.readline()))
