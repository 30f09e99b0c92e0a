"""What is found at a box, what opens it, and what is never opened."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import segno

from edge.assistant import devices
from edge.assistant.devices import MachineEyes, captures, typed_address, v4l2_cameras
from edge.assistant.look import microphones
from edge.one_picture import OnePicture, drawn_region
from pipeline.errors import InvalidError, SourceError
from tests.edge.assistant.world import CODE, KEY
from tests.edge.clips import write_film

REALLY = subprocess.Popen
LABEL = f"{CODE} tcp://score.example:5870 {KEY}"


def capability(whole: int, own: int) -> bytes:
    return struct.pack("=16s32s32sIII3I", b"uvcvideo", b"USB Camera", b"usb-1", 0x060A00, whole, own, 0, 0, 0)


@pytest.mark.parametrize(
    ("whole", "own", "gives_pictures"),
    [
        (0x84A0_0001, 0x0420_0001, True),
        (0x84A0_0001, 0x04A0_0000, False),  # the second device of the same camera: metadata alone
        (0x8420_1000, 0x0420_1000, True),
        (0x0000_0001, 0, True),  # a driver without device_caps
        (0x8000_0002, 0x2, False),
    ],
)
def test_a_device_that_gives_no_pictures_is_no_camera(whole: int, own: int, gives_pictures: bool) -> None:
    assert captures(capability(whole, own)) is gives_pictures


def test_cameras_have_the_driver_s_name_and_what_is_no_video_device_is_left_out(tmp_path: Path) -> None:
    devices, told = tmp_path / "dev", tmp_path / "told"
    (told / "video3").mkdir(parents=True)
    devices.mkdir()
    (told / "video3/name").write_text("C920: HD Pro Webcam\n")
    (devices / "video3").symlink_to(tmp_path / "not-there")  # cannot be opened: named, and opening it says why
    (devices / "video7").write_bytes(b"a plain file")
    (devices / "video-decoder").write_bytes(b"")
    assert v4l2_cameras(devices, told) == [(3, "C920: HD Pro Webcam")]


@pytest.mark.parametrize(
    "address",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "concat:/etc/passwd|x",
        "http://10.0.0.1/",
        "rtsp:///nothing",
        "rtsp://10.0.0.1:0/",
        "rtsp://10.0.0.1:99999/",
        "rtsp://[::1/",
        "rtsp://10.0.0.1/a b",
        "rtsp://10.0.0.1/\n[box]",
        "rtsp://10.0.0.1/" + "a" * 300,
        "",
        "0",
    ],
)
def test_nothing_but_a_stream_s_address_is_typed(address: str) -> None:
    with pytest.raises(InvalidError, match="rtsp://"):
        typed_address(address)


def test_a_stream_s_address_is_taken() -> None:
    assert typed_address(" rtsp://10.0.0.21:554/Streaming/Channels/101?x=1 ").startswith("rtsp://10.0.0.21:554/")


def test_microphones_are_named_so_that_the_next_start_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import sounddevice

    names = ["HDA Intel", "USB Audio", "USB Audio 2", "C920: Audio 1.0", "7", "speaker"]
    listed = [{"name": name, "max_input_channels": 0 if name == "speaker" else 2} for name in names]
    monkeypatch.setattr(sounddevice, "query_devices", lambda: listed)
    assert [(source, name) for source, name, _channels in microphones()] == [
        ("HDA Intel", "HDA Intel"),
        (1, "USB Audio"),  # part of another's name
        ("USB Audio 2", "USB Audio 2"),
        (3, "C920: Audio 1.0"),  # would be read as a file
        (4, "7"),
    ]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film of a label that is held before a camera."""
    code = tmp_path / "label.png"
    segno.make(LABEL, error="m").save(str(code), scale=5, border=4)
    picture = np.full((360, 640, 3), 150, np.uint8)
    label = cv2.imread(str(code))
    assert label is not None
    picture[20 : 20 + label.shape[0], 150 : 150 + label.shape[1]] = label
    return write_film(tmp_path / "label.mp4", [picture] * 5)


def test_a_label_before_the_camera_is_read_and_a_picture_is_taken_by_a_process_of_their_own(film: Path) -> None:
    eyes = MachineEyes([])
    assert eyes.label(str(film), "vi") == LABEL
    jpeg = eyes.picture(str(film), "vi")
    seen = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    assert seen.shape == (360, 640, 3)
    with pytest.raises(SourceError, match="Không có tệp"):
        eyes.picture(str(film.with_name("none.mp4")), "vi")
    assert sorted(each.name for each in film.parent.iterdir()) == ["label.mp4", "label.png"]


class Child:
    """Stands for the process that opens devices: does what a test's program does, and keeps how it was begun."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
        self.begun: list[list[str]] = []
        self.named: dict[str, object] = {}

        def begin(command: list[str], **named: Any) -> subprocess.Popen[bytes]:
            self.begun.append(command)
            self.named = named
            return REALLY([sys.executable, "-c", program], **named)

        monkeypatch.setattr(subprocess, "Popen", begin)


def test_a_password_is_in_no_list_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    told_and_fails = "import sys; sys.stderr.write(sys.stdin.read()); sys.exit(0 if 's3cret' in sys.argv else 1)"
    child = Child(monkeypatch, told_and_fails)
    with pytest.raises(SourceError) as told:
        MachineEyes([]).picture("rtsp://admin:s3cret@10.0.0.1/", "vi")
    assert "s3cret" not in str(told.value) + json.dumps(child.begun)
    assert child.begun == [[sys.executable, "-P", "-m", "edge.assistant.look"]]


def test_what_opens_devices_has_no_terminal_and_gives_no_more_than_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one session another user's process may type into the technician's root shell (TIOCSTI); and all that it
    said was held in root's memory before its length was looked at."""
    Child(monkeypatch, "import os; print([[os.getsid(0) == os.getpid(), 0]])")
    monkeypatch.setattr(devices, "MAX_PICTURE_BYTES", 1_000)
    assert MachineEyes([]).label(0, "vi") == "[[True, 0]]"
    Child(monkeypatch, "import sys\nwhile True: sys.stdout.write('x' * 65_536)")
    with pytest.raises(SourceError, match="could not be read"):
        MachineEyes([]).picture(0, "en")


def test_what_opens_devices_is_ended_when_it_is_late_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "LOOK_S", 0.5)
    for program in ("import time; time.sleep(600)", "import os, time; os.close(1); time.sleep(600)"):
        Child(monkeypatch, program)
        with pytest.raises(SourceError, match="does not answer"):
            MachineEyes([]).picture(0, "en")


@pytest.mark.parametrize("said", ["", "{", "[1]", "[[1]]", "{}", "[" * 100_000])
def test_what_it_says_is_read_as_a_stranger_s(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    Child(monkeypatch, f"import sys; sys.stdout.write({said!r})")
    assert [each for each in MachineEyes([]).find("vi").found if each.network or each.kind == "microphone"] == []


def test_a_picture_is_taken_by_two_statements_alone() -> None:
    taken: list[bytes] = []

    def take() -> bytes:
        taken.append(b"jpeg")
        return b"jpeg"

    picture = OnePicture(take)
    for form in ({}, {"nobody": "yes"}, {"staff": "yes"}, {"nobody": "no", "staff": "yes"}):
        with pytest.raises(InvalidError):
            picture.take(form)
    assert (taken, picture.jpeg) == ([], None)
    picture.take({"nobody": "yes", "staff": "yes"})
    assert picture.jpeg == b"jpeg"
    picture.forget()
    assert picture.jpeg is None


@pytest.mark.parametrize("text", ["[" * 10_000, "[[1e999,0],[0,0],[1,1]]", "[[NaN,0],[0,0],[1,1]]", "1", "{}", "null"])
def test_a_region_is_numbers_within_the_picture(text: str) -> None:
    with pytest.raises(InvalidError, match="three corners"):
        drawn_region(text)
