"""What the assistant finds at a box: cameras of this machine (V4L2), cameras of its network (ONVIF), microphones.

A page chooses among them by a key: no name of a file, number or address that a browser sends is opened as a device.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from edge.assistant.look import FAILED
from edge.assistant.onvif import NetworkCamera, Streams
from edge.deploy.unit import USER
from pipeline.errors import InvalidError, SourceError
from pipeline.language import DEFAULT, Joined, Message

LOOK_S = 40.0
"""A camera that has given nothing for so long gives nothing."""
MAX_PICTURE_BYTES = 32 * 1024 * 1024
_QUERYCAP = 0x80685600
"""VIDIOC_QUERYCAP, of 104 bytes."""
_CAPTURES, _CAPTURES_PLANES, _HAS_DEVICE_CAPS = 0x1, 0x1000, 0x8000_0000


@dataclass(frozen=True, slots=True)
class Found:
    """One device. `key`: what a page calls it; `channels`: of a microphone. `network`: of a network camera, which has
    to be asked for its streams."""

    key: str
    kind: Literal["camera", "microphone"]
    source: int | str
    name: str
    channels: int = 0
    network: NetworkCamera | None = None


@dataclass(frozen=True, slots=True)
class Devices:
    """Everything that was found. `problems`: what could not be looked for, in words."""

    found: tuple[Found, ...] = ()
    problems: tuple[str, ...] = ()

    def of(self, kind: str) -> list[Found]:
        """Those of one kind."""
        return [each for each in self.found if each.kind == kind]

    def by_key(self, key: str, kind: str) -> Found | None:
        """One of them."""
        return next((each for each in self.found if each.key == key and each.kind == kind), None)


class Eyes(Protocol):
    """What looks for devices and through them."""

    def find(self, lang: str) -> Devices:
        """Look for everything; never raises for what is not there. `lang`: of the problems' words, as below."""

    def streams(self, camera: NetworkCamera, user: str, password: str) -> Streams:
        """A network camera's streams. Raises `SourceError`."""

    def picture(self, source: int | str, lang: str) -> bytes:
        """One picture as JPEG. Raises `SourceError`."""

    def label(self, source: int | str, lang: str) -> str:
        """The text of a QR code before the camera. Raises `SourceError`."""


class MachineEyes:
    """This machine's. `addresses`: its IPv4 addresses, on which cameras are asked to answer."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses, self._lang = addresses, DEFAULT

    def find(self, lang: str) -> Devices:
        """Look for everything."""
        self._lang = lang
        found = [Found(f"v{number}", "camera", number, name) for number, name in v4l2_cameras()]
        problems: list[str] = []
        for look in (self._network_cameras, self._microphones):
            try:
                found += look(lang)
            except SourceError as error:
                problems.append(error.said)
        return Devices(tuple(found), tuple(problems))

    def _network_cameras(self, lang: str) -> list[Found]:
        cameras = [NetworkCamera(*each) for each in _told(_look(lang, "cameras", addresses=list(self._addresses)), 3)]
        return [
            Found(
                f"n{each.address}", "camera", f"rtsp://{each.address}/", f"{each.name} ({each.address})", network=each
            )
            for each in cameras
        ]

    @staticmethod
    def _microphones(lang: str) -> list[Found]:
        rows = enumerate(_told(_look(lang, "microphones"), 3))
        return [
            Found(f"m{number}", "microphone", source, str(name), channels) for number, (source, name, channels) in rows
        ]

    def streams(self, camera: NetworkCamera, user: str, password: str) -> Streams:
        """A network camera's streams."""
        asked = {"camera": [camera.address, camera.name, camera.service], "user": user, "password": password}
        ((main, sub),) = _told(_look(self._lang, "streams", **asked), 2)
        return Streams(str(main), str(sub))

    def picture(self, source: int | str, lang: str) -> bytes:
        """One picture."""
        return _look(lang, "picture", source=source)

    def label(self, source: int | str, lang: str) -> str:
        """The text of a QR code."""
        return _look(lang, "label", source=source).decode("utf-8", "replace").strip()


def _told(said: bytes, width: int) -> list[list[Any]]:
    """Rows of `width` values that the other process has said. Raises `SourceError` for anything else."""
    try:
        rows = json.loads(said)
        if isinstance(rows, list) and all(isinstance(row, list) and len(row) == width for row in rows):
            return rows
    except (ValueError, RecursionError):
        pass
    raise _unreadable()


def _look(lang: str, what: str, **more: object) -> bytes:
    """What `edge.assistant.look` answers: in time, and not more than a picture. Raises `SourceError`.

    A session of its own: as another user it could type into this one's terminal (TIOCSTI) otherwise."""
    user, groups = _as_service()
    asked = json.dumps({"do": what, "lang": lang, **more}).encode()
    try:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "edge.assistant.look"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=user,
            group=user,
            extra_groups=groups,
            start_new_session=True,
        )
    except OSError:
        raise _unreadable() from None
    with child:
        try:
            assert child.stdin is not None
            with contextlib.suppress(BrokenPipeError), child.stdin:  # less than a pipe holds: nobody waits here
                child.stdin.write(asked)
            said = _bounded(child, time.monotonic() + LOOK_S)
        finally:
            child.kill()
    if child.returncode == FAILED:
        raise SourceError(Joined((said.decode("utf-8", "replace").strip(),)))
    if child.returncode:
        raise _unreadable()
    return said


def _bounded(child: subprocess.Popen[bytes], end_s: float) -> bytes:
    """All that a process says until it has ended. Raises `SourceError` where that is too late or too much."""
    assert child.stdout is not None
    said = bytearray()
    while (left_s := end_s - time.monotonic()) > 0:
        if not select.select([child.stdout], [], [], left_s)[0]:
            break
        part = os.read(child.stdout.fileno(), 65_536)
        said += part
        if len(said) > MAX_PICTURE_BYTES:
            raise _unreadable()
        if not part:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, end_s - time.monotonic()))
                return bytes(said)
            break
    raise SourceError(Message("The device does not answer."), Message("Check its cable and its power."))


def _unreadable() -> SourceError:
    return SourceError(
        Message("The device could not be read."),
        Message("Unplug it, plug it in again, and look for devices again."),
    )


def _as_service() -> tuple[str | None, list[str] | None]:
    """Where root runs the assistant: the service's user, who may read devices and little else, and its groups."""
    import grp
    import pwd

    if os.geteuid() != 0 or USER not in [each.pw_name for each in pwd.getpwall()]:
        return None, None
    return USER, [name for name in ("video", "audio") if name in [each.gr_name for each in grp.getgrall()]]


def v4l2_cameras(devices: Path = Path("/dev"), told: Path = Path("/sys/class/video4linux")) -> list[tuple[int, str]]:
    """Number and name of every device that captures pictures; those that only carry figures about pictures (a second
    one, with most cameras) are left out."""
    found = []
    for path in devices.glob("video*"):
        number = path.name.removeprefix("video")
        if not number.isdecimal() or not _captures(path):
            continue
        try:
            name = (told / path.name / "name").read_text("utf-8", "replace").strip()
        except OSError:
            name = ""
        found.append((int(number), (name or path.name)[:80]))
    return sorted(found)


def _captures(path: Path) -> bool:
    answer = bytearray(104)
    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return True  # another program may hold it: it is named, and opening it says why not
    try:
        fcntl.ioctl(device, _QUERYCAP, answer)
    except OSError:
        return False
    finally:
        os.close(device)
    return captures(bytes(answer))


def captures(capability: bytes) -> bool:
    """Whether the kernel's `v4l2_capability` (104 bytes) is of a device that gives pictures."""
    whole, own = (int.from_bytes(capability[at : at + 4], sys.byteorder) for at in (84, 88))
    return bool((own if whole & _HAS_DEVICE_CAPS else whole) & (_CAPTURES | _CAPTURES_PLANES))


def typed_address(address: str) -> str:
    """An `rtsp://` address as it was typed. Raises `InvalidError` for everything else: nothing that a browser sends is
    opened as a file or by another protocol."""
    from urllib.parse import urlsplit

    address = address.strip()
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("rtsp", "rtsps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or len(address) > 300 or not address.isprintable() or " " in address:
        raise InvalidError(
            Message("The camera's address does not begin with rtsp://, or cannot be read."),
            Message("It reads rtsp://10.0.0.21/stream; user and password have fields of their own."),
        )
    return address
