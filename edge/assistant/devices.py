"""What the assistant finds at a box: cameras of this machine (V4L2), cameras of its network (ONVIF), microphones.

A page chooses among them by a key: no name of a file, number or address that a browser sends is opened as a device.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from edge.assistant.look import FAILED
from edge.assistant.onvif import NetworkCamera, Streams, ask_streams, discover
from edge.deploy.unit import USER
from pipeline.errors import InvalidError, SourceError
from pipeline.language import Joined, Message

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
        self._addresses = addresses

    def find(self, lang: str) -> Devices:
        """Look for everything."""
        cameras = [Found(f"v{number}", "camera", number, name) for number, name in v4l2_cameras()]
        for each in discover(self._addresses):
            words = f"{each.name} ({each.address})"
            cameras.append(Found(f"n{each.address}", "camera", f"rtsp://{each.address}/", words, network=each))
        problems: list[str] = []
        microphones: list[Found] = []
        try:
            for number, (source, name, channels) in enumerate(json.loads(_look(lang, "microphones"))):
                microphones.append(Found(f"m{number}", "microphone", source, name, channels))
        except SourceError as error:
            problems.append(error.said)
        return Devices((*cameras, *microphones), tuple(problems))

    def streams(self, camera: NetworkCamera, user: str, password: str) -> Streams:
        """A network camera's streams."""
        return ask_streams(camera, user, password)

    def picture(self, source: int | str, lang: str) -> bytes:
        """One picture."""
        return _look(lang, "picture", source)

    def label(self, source: int | str, lang: str) -> str:
        """The text of a QR code."""
        return _look(lang, "label", source).decode().strip()


def _look(lang: str, what: str, source: int | str = "") -> bytes:
    user, groups = _as_service()
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "edge.assistant.look"],
            input=json.dumps({"do": what, "source": source, "lang": lang}).encode(),
            capture_output=True,
            timeout=LOOK_S,
            check=False,
            cwd="/",
            user=user,
            group=user,
            extra_groups=groups,
        )
    except (subprocess.TimeoutExpired, OSError):
        raise SourceError(Message("The device does not answer."), Message("Check its cable and its power.")) from None
    if done.returncode == FAILED:
        raise SourceError(Joined((done.stdout.decode().strip(),)))
    if done.returncode or len(done.stdout) > MAX_PICTURE_BYTES:
        raise SourceError(
            Message("The device could not be read."),
            Message("Unplug it, plug it in again, and look for devices again."),
        )
    return done.stdout


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
