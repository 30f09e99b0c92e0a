"""One peer's process of `hailong bench peers`: looks at so many pictures of a film when it is told to.

  python peer_work.py NAME FILM

Runs on the Python of the peer's own environment, so nothing of this project is imported but for `ours`. After a first
picture it says {"ready": true}; to a line {"count": n} it answers {"cpu_s", "wall_s", "faces"} of the next n pictures,
decoding included, where `faces` counts pictures in which a face was found. The film is read again from its end.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

Look = Callable[[Any], bool]


def _by_opencv(film: str) -> Iterator[Any]:
    """BGR pictures, again and again, as programs with OpenCV read them."""
    cv2: Any = importlib.import_module("cv2")
    while True:
        capture = cv2.VideoCapture(film)
        while True:
            read, pixels = capture.read()
            if not read:
                break
            yield pixels
        capture.release()


def fer(film: str) -> tuple[Iterator[Any], Look]:
    """Its detector (Haar) and its network (TFLite), as it comes."""
    cls: Any = importlib.import_module("fer.fer").FER
    detector = cls()
    return _by_opencv(film), lambda pixels: bool(detector.detect_emotions(pixels))


def mediapipe(film: str) -> tuple[Iterator[Any], Look]:
    """Its face mesh, as for a film: landmarks alone, detection where the face was lost."""
    cv2: Any = importlib.import_module("cv2")
    solutions: Any = importlib.import_module("mediapipe.python.solutions.face_mesh")
    mesh = solutions.FaceMesh(static_image_mode=False, max_num_faces=2)

    def look(pixels: Any) -> bool:
        return mesh.process(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)).multi_face_landmarks is not None

    return _by_opencv(film), look


def ours(film: str) -> tuple[Iterator[Any], Look]:
    """The box's engine with a visit open, at every picture."""
    from edge.capture.media_file import open_media, read_frames
    from edge.perception.engine import Engine
    from edge.perception.networks import NetworkOptions, load_networks
    from edge.perception.settings import EngineSettings
    from hailong.demo_media import REGION
    from pipeline.records import Frame, Tallies

    networks = load_networks(NetworkOptions(demo=True))
    engine = Engine(EngineSettings(region=REGION, visits_by="queue", look_every_s=0.0), networks, lambda _visit: None)
    engine.visit_started(0, 0.0)

    def frames() -> Iterator[Frame]:
        after_s = 0.0
        while True:
            time_s = after_s
            for frame in read_frames(open_media(film), film, Tallies()):
                time_s = after_s + frame.time_s
                yield Frame(frame.pixels, time_s)
            after_s = time_s + 0.067

    def look(frame: Frame) -> bool:
        before = engine.face_tallies.forwarded
        engine.feed_frame(frame)
        return engine.face_tallies.forwarded > before

    return frames(), look


def main() -> None:
    """Work until standard input ends."""
    name, film = sys.argv[1:]
    # what libraries print is no answer
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    pictures, look = {"fer": fer, "mediapipe": mediapipe, "ours": ours}[name](film)
    look(next(pictures))
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        cpu_s, wall_s, faces = time.process_time(), time.perf_counter(), 0
        for _ in range(json.loads(line)["count"]):
            faces += look(next(pictures))
        taken = {"cpu_s": time.process_time() - cpu_s, "wall_s": time.perf_counter() - wall_s, "faces": faces}
        print(json.dumps(taken), file=answers, flush=True)


if __name__ == "__main__":
    main()
