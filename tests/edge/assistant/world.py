"""A box that is set up: its pages on a real socket or not, with devices and hands that a test chooses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from starlette.testclient import TestClient

from edge.assistant.devices import Devices, Found
from edge.assistant.door import Door
from edge.assistant.draft import Draft, load_draft
from edge.assistant.hands import MachineHands, Row, TabletPage
from edge.assistant.onvif import NetworkCamera, Streams
from edge.assistant.pages import Assistant
from edge.config import load_config
from pipeline.enrolment import code_text
from pipeline.errors import HailongError
from pipeline.keys import z85_encode

KEY = z85_encode(bytes(range(32)))
CODE = code_text(bytes(16))
PASSWORD = "s3cret p@ss/wörd"
CAMERA = NetworkCamera("10.0.0.21", "IPC 4K", "http://10.0.0.21/onvif/device_service")


def jpeg() -> bytes:
    """A picture of nobody: a counter's edge, a window, a chair."""
    pixels = np.full((360, 640, 3), 190, np.uint8)
    cv2.rectangle(pixels, (0, 250), (640, 360), (90, 120, 150), -1)
    cv2.rectangle(pixels, (60, 90), (240, 250), (150, 90, 60), -1)
    cv2.putText(pixels, "empty chair", (70, 180), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    cv2.rectangle(pixels, (460, 60), (600, 220), (230, 230, 230), -1)
    return bytes(cv2.imencode(".jpg", pixels)[1])


@dataclass
class Eyes:
    """Two cameras of the machine, one of the network, one microphone. `opened`: what was looked through."""

    opened: list[int | str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    problem: HailongError | None = None
    label_text: str = f"{CODE} tcp://score.example:5870 {KEY}"

    def find(self, lang: str) -> Devices:
        return Devices(
            (
                Found("v0", "camera", 0, "USB Camera"),
                Found("v2", "camera", 2, "Integrated Webcam"),
                Found("n10.0.0.21", "camera", "rtsp://10.0.0.21/", "IPC 4K (10.0.0.21)", network=CAMERA),
                Found("m0", "microphone", "USB Audio", "USB Audio", 2),
            )
        )

    def streams(self, camera: NetworkCamera, user: str, password: str) -> Streams:
        self.asked.append((user, password))
        if self.problem is not None:
            raise self.problem
        from edge.assistant.onvif import with_password

        address = f"rtsp://{camera.address}"
        return Streams(*(with_password(f"{address}/{name}", user, password) for name in ("main", "sub")))

    def picture(self, source: int | str, lang: str) -> bytes:
        self.opened.append(source)
        if self.problem is not None:
            raise self.problem
        return jpeg()

    def label(self, source: int | str, lang: str) -> str:
        self.opened.append(source)
        return self.label_text


class Hands(MachineHands):
    """Writes really; what needs a server, a service or devices is played."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.enrolled: list[str] = []
        self.rows = [Row("ok", "cấu hình", "edge.toml hợp lệ", ""), Row("wrong", "đĩa", "đầy", "Dọn 200 MiB.")]
        self.command = ""
        self.problem: HailongError | None = None

    def is_enrolled(self) -> bool:
        return bool(self.enrolled)

    def enrol(self, code: str, lang: str) -> None:
        if self.problem is not None:
            raise self.problem
        self.enrolled.append(code)

    def check(self, lang: str) -> list[Row]:
        return self.rows

    def start(self, lang: str) -> str:
        self._make_codes(load_config(self._path))
        return self.command

    def tablets(self) -> list[TabletPage]:
        return super().tablets()


class World:
    """One run of the assistant in a folder."""

    def __init__(self, folder: Path, **wanted: Any) -> None:
        self.path = folder / "edge.toml"
        self.eyes, self.door = Eyes(), Door()
        self.hands = Hands(self.path)
        draft, self.left = load_draft(self.path, "data")
        self.assistant = Assistant(
            draft, self.path, self.eyes, self.hands, self.door, addresses=("10.0.0.2",), linger_s=0.0, **wanted
        )
        self.client = TestClient(self.assistant.app(), "http://127.0.0.1")

    @property
    def draft(self) -> Draft:
        return self.assistant._draft

    def enter(self) -> World:
        """Come in as the clerk does."""
        assert self.client.post("/enter", data={"code": self.door.code.lower()}).status_code == 200
        return self

    def post(self, path: str, **fields: str) -> Any:
        """Send a form of one of the pages."""
        named = {name.replace("_1", "-1").replace("_2", "-2"): value for name, value in fields.items()}
        return self.client.post(path, data={"token": self.door.form_token, **named})

    def answer_everything(self) -> World:
        """One counter with a camera, by consent."""
        self.post("/step/place", agency_label="Sở Tư pháp", label_1="Quầy 1", clerks="2", clerks_meet="yes")
        self.post("/step/devices", camera_1="v0", microphone_1="none")
        self.post("/picture", counter="1", nobody="yes", staff="yes")
        self.post("/step/region", counter="1", region="[[0,0],[0.5,0],[0.5,1],[0,1]]")
        self.post("/step/basis", basis="consent")
        self.post("/step/notice", contact="Tầng 1", confirmed="yes")
        self.post("/step/tablet", host="127.0.0.1", form="short")
        self.post("/step/server", label=f"{CODE} tcp://score.example:5870 {KEY}")
        return self


def alerts(page: str) -> str:
    """What a page says is wrong."""
    return " ".join(re.findall(r'class="problem"[^>]*>(.*?)</(?:p|div)>', page, re.DOTALL))


@contextmanager
def served(world: World) -> Iterator[str]:
    """On a real socket; gives the address."""
    from edge.tablet.serve import TabletServer

    server = TabletServer(world.assistant.app(), "127.0.0.1", 0, "assistant")
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.close()
