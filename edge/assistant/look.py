"""What opens a camera or a microphone for the assistant, and asks the network for cameras: a process of its own, as the
service's user, that is ended when it is late. It is asked by one JSON object on standard input, so that no password
stands in its arguments.

{"do": "picture", "source": S}: a JPEG. {"do": "label", "source": S}: the text of a QR code that is held before the
camera. {"do": "microphones"}: a JSON list of [source, name, channels]. {"do": "cameras", "addresses": [A, ...]}: a list
of [address, name, service] that answered on these interfaces. {"do": "streams", "camera": one of them, "user": U,
"password": P}: a list of one [main, sub]. Where it fails it exits with 3 and prints what is wrong, in the language that
was asked for ("lang").
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from typing import Any

from edge.assistant.onvif import NetworkCamera, ask_streams, discover
from pipeline.errors import HailongError, SourceError
from pipeline.language import Message

LABEL_S = 20.0
FAILED = 3


def microphones() -> list[tuple[int | str, str, int]]:
    """Devices that hear: source as the configuration has it, name, channels. Raises `SourceError`."""
    from edge.capture.microphone import is_file

    try:
        import sounddevice
    except OSError:
        raise SourceError(
            Message("The library for microphones is missing."), Message("Run: apt install libportaudio2")
        ) from None
    devices: list[Any] = list(sounddevice.query_devices())
    names = [str(each["name"]) for each in devices]
    found: list[tuple[int | str, str, int]] = []
    for number, (name, each) in enumerate(zip(names, devices, strict=True)):
        if int(each["max_input_channels"]) < 1:
            continue
        # a number may be another device's after the next start; a name that is part of another's is none
        own = sum(name.lower() in other.lower() for other in names) == 1 and not is_file(name) and not name.isdecimal()
        found.append((name if own else number, name, int(each["max_input_channels"])))
    return found


def label_text(source: int | str, wait_s: float = LABEL_S) -> str:
    """The text of the first QR code that the camera sees. Raises `SourceError` where it sees none in time."""
    import cv2

    from edge.capture.camera import CameraSettings, read_camera
    from pipeline.records import Tallies

    reader, end_s = cv2.QRCodeDetector(), time.monotonic() + wait_s
    with closing(read_camera(source, CameraSettings(), Tallies())) as frames:
        for frame in frames:
            text = str(reader.detectAndDecode(frame.pixels)[0])
            if text:
                return text
            if time.monotonic() > end_s:
                break
    raise SourceError(
        Message("No QR code was seen."),
        Message("Hold the label still, flat and close before the camera, or type what stands on it."),
    )


def main() -> int:
    """Answer one question."""
    from edge.one_picture import read_jpeg

    asked = json.loads(sys.stdin.read())
    try:
        if asked["do"] == "picture":
            sys.stdout.buffer.write(read_jpeg(asked["source"]))
        elif asked["do"] == "label":
            print(label_text(asked["source"]))
        elif asked["do"] == "cameras":
            print(json.dumps([[each.address, each.name, each.service] for each in discover(asked["addresses"])]))
        elif asked["do"] == "streams":
            streams = ask_streams(NetworkCamera(*asked["camera"]), asked["user"], asked["password"])
            print(json.dumps([[streams.main, streams.sub]]))
        else:
            print(json.dumps(microphones()))
    except HailongError as error:
        print(error.in_language(asked["lang"]))
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
