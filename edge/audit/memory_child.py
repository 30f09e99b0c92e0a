"""The process whose memory is searched: the real engine with the real networks, fed through a pipe as a box is fed by
its camera.

Started by `edge.audit.memory`; reads frames of (kind, time, length, payload) from standard input and answers each with
one line of JSON.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from io import FileIO

import numpy as np

from edge.audit.canary import HEIGHT_PX, WIDTH_PX
from edge.perception.engine import Engine
from edge.perception.networks import NetworkOptions, load_networks
from edge.perception.scrub import scrub_freed_memory
from edge.perception.settings import EngineSettings
from pipeline.records import Chunk, ClosedVisit, Frame

HEADER = struct.Struct("<cdI")
"""Kind (V visit starts, F frame, C sound, S sentence, K where the face is, E visit ends, H hold and R release for the
search's own check, X leave), time in seconds, bytes that follow."""


def _fill(source: FileIO, view: memoryview) -> bool:
    """Read until the view is full; false at the end of the pipe."""
    while len(view):
        count = source.readinto(view)
        if not count:
            return False
        view = view[count:]
    return True


def serve(source: FileIO, engine: Engine, closed: list[ClosedVisit]) -> None:
    """Do what is asked until told to leave."""
    sentiment, held = _sentiment(), list[bytes]()
    header, buffer = bytearray(HEADER.size), bytearray(4 * 1024 * 1024)
    while True:
        if not _fill(source, memoryview(header)):
            return
        kind, time_s, length = HEADER.unpack(header)
        view = memoryview(buffer)[:length]
        _fill(source, view)
        answer: dict[str, object] = {}
        if kind == b"F":
            engine.feed_frame(Frame(np.frombuffer(view, np.uint8).reshape(HEIGHT_PX, WIDTH_PX, 3).copy(), time_s))
            answer["looked_at"] = engine.tallies.forwarded
        elif kind == b"C":
            engine.feed_chunk(Chunk(np.frombuffer(view, np.float32).copy(), time_s))
        elif kind == b"H":
            held.append(bytes(view))
        elif kind == b"R":
            held.clear()
        elif kind == b"K":
            citizen = engine.glimpse().citizen
            answer["keypoints"] = None if citizen is None else citizen.keypoints.tolist()
        elif kind == b"S":
            answer["read"] = sentiment is not None
            if sentiment is not None:
                sentiment(bytes(view).decode())
        elif kind == b"V":
            engine.visit_started(0, time_s)
            engine.agree(time_s)  # nothing where no consent is asked
        elif kind == b"E":
            engine.visit_ended(time_s)
            answer["level"] = int(closed[-1].level)
            answer["heard"] = engine.sound_tallies.forwarded
        view.release()
        buffer[: max(length, 1)] = bytes(max(length, 1))
        print(json.dumps(answer), flush=True)
        if kind == b"X":
            return


def _sentiment() -> Callable[[str], object] | None:
    """What reads a sentence after recognition: both readers where the encoder was fetched, the bag of pieces alone
    elsewhere; None where not even its weights are there."""
    from models.catalogue import all_cards, model_files
    from pipeline.errors import ModelError

    if "text-sentiment" not in all_cards():
        return None
    from models.text_sentiment import TextSentimentNetwork

    bag = TextSentimentNetwork(model_files("text-sentiment")["text_sentiment.onnx"])
    try:
        from models.text_stack import load_stack

        return load_stack(bag).infer
    except ModelError:
        return bag.infer


def main(engine_type: type[Engine] = Engine, scrub: bool = True) -> None:
    """Run. Another engine, or no scrubbing, only to see a leak caught."""
    if scrub:
        scrub_freed_memory()
    closed: list[ClosedVisit] = []
    networks = load_networks(NetworkOptions(demo=True))
    settings = EngineSettings(visits_by="queue", asks_consent="consent" in sys.argv)
    engine = engine_type(settings.for_demo(), networks, closed.append)
    print(json.dumps({"ready": True}), flush=True)
    serve(FileIO(0, "rb", closefd=False), engine, closed)  # no buffer in which canaries would stay


if __name__ == "__main__":
    main()
