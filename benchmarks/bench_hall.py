"""A hall on one box: how often each counter is looked at, how late, and what that costs.

  hailong bench hall --counters 24 --occupied 1.0 --size 640x360 --fps 15 --seconds 60 [--json]

Cameras are real ones as far as the box can tell: GStreamer's RTSP server plays the demo's people in real time, each
counter a stream of its own, in a process of its own (`cameras_cores`; none of it counts for the box), with the bits
that a camera is set to send (`stream_kbit`; `--kbit 0`: as many as the pictures take, which cost more to decode). The
box's cameras, engines, networks and workers run as in a hall, in one process; microphones, tablets and sender do not.

  looks        a second and counter, asked and reached: of counters with an open visit, and of empty ones, where the
               pictures that stand alone are enough (more where something changes)
  latency      from the picture, as soon as it is decoded, to what was read of the face in it
  box_cores    processor time of the box's process, in cores; peak memory of that process
  floor        the same decoding and the same model calls in the same order with nothing around them, right after it,
               on as many threads; `floor_ratio` = processor time of the box / that
  pictures_hz  what the cameras' threads decode: under the film's rate the box falls behind, whatever the latency says

`machine_cores` is what all programs of the machine used meanwhile: where that is all there are, others slowed the box.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.hall_films import KEY_S, empty_film, most_kbit, occupied_film, played_for, sent_kbit
from benchmarks.provenance import provenance
from benchmarks.rtsp import RtspServer, Stream, missing
from edge.capture.media_file import read_frames
from edge.config import load_config
from edge.counters import MAX_COUNTERS
from edge.delivery.health import Health
from edge.perception.analysis import Analysis
from edge.perception.engine import FaceToRead
from edge.perception.networks import FACE_NETWORKS
from edge.perception.scrub import ENVIRONMENT, scrub_freed_memory
from edge.perception.settings import EngineSettings
from edge.perception.watched import Watched
from hailong.demo_media import REGION
from models.runtime import OnnxNetwork, TfliteNetwork
from pipeline.errors import ConfigError
from pipeline.keys import z85_encode
from pipeline.language import Message
from pipeline.records import FaceAffect, Tallies

PACKAGES = ("numpy", "onnxruntime", "ai-edge-litert", "opencv-python-headless", "av")
SETTLE_S = 60
"""So long all cameras may need to give pictures."""
WARM_S = 3.0
"""From the citizens' calls to the measurement."""
FLOOR_CALLS, FLOOR_ROUNDS = 600, 3
Call = tuple[int, tuple[int, ...]]
"""A network, and the shape of what it was given."""


@dataclass(frozen=True, slots=True)
class Hall:
    """What the box's process measures. The first `occupied` of the addresses show a citizen."""

    addresses: tuple[str, ...]
    occupied: int
    films: tuple[str, ...]
    """One film of each kind of counter: with a citizen, and without."""
    fps: int
    seconds: float
    face: str


@dataclass(slots=True)
class Calls:
    """The model calls of each thread: how many, the last ones in their order, and how to repeat each."""

    counts: dict[int, int] = field(default_factory=dict)
    last: dict[int, deque[Call]] = field(default_factory=dict)
    again: dict[Call, Callable[[], object]] = field(default_factory=dict)

    def note(self, call: Call, make: Callable[[], Callable[[], object]]) -> None:
        """Count a call; `make` gives what repeats it, asked once for each network and shape."""
        thread = threading.get_ident()
        if thread not in self.counts:
            self.counts[thread], self.last[thread] = 0, deque(maxlen=FLOOR_CALLS)
        self.counts[thread] += 1
        self.last[thread].append(call)
        if call not in self.again:
            self.again[call] = make()


@contextmanager
def counted() -> Iterator[Calls]:
    """Counts what networks are asked within."""
    calls = Calls()
    run_tflite, run_onnx = TfliteNetwork.run, OnnxNetwork.run

    def repeat_tflite(network: TfliteNetwork, inputs: Any) -> Callable[[], object]:
        kept = inputs.copy()
        return lambda: run_tflite(network, kept)

    def repeat_onnx(network: OnnxNetwork, inputs: dict[str, Any]) -> Callable[[], object]:
        kept = {name: np.array(value) for name, value in inputs.items()}
        return lambda: run_onnx(network, **kept)

    def tflite(self: TfliteNetwork, inputs: Any) -> Any:
        calls.note((id(self), inputs.shape), lambda: repeat_tflite(self, inputs))
        return run_tflite(self, inputs)

    def onnx(self: OnnxNetwork, **inputs: Any) -> Any:
        shape = next(iter(inputs.values())).shape
        calls.note((id(self), shape), lambda: repeat_onnx(self, inputs))
        return run_onnx(self, **inputs)

    TfliteNetwork.run, OnnxNetwork.run = tflite, onnx  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        TfliteNetwork.run, OnnxNetwork.run = run_tflite, run_onnx  # type: ignore[method-assign]


# -- the box's process -------------------------------------------------------------------------------------------------


def box_text(hall: Hall) -> str:
    """The configuration of a hall's box: the queue system calls where somebody sits, the others are watched for
    somebody who comes. Of a demo, which may use any network."""
    region = [list(corner) for corner in REGION]
    tables = []
    for number, address in enumerate(hall.addresses):
        by = "queue" if number < hall.occupied else "presence"
        tables.append(
            f'[[counter]]\nname = "{number + 1}"\nvisit = {{ by = "{by}" }}\n'
            f'[counter.camera]\nsource = "{address}"\nregion = {region}\n'
        )
    return f"""
[box]
data_dir = "data"
agency_label = "Trung tâm"
demo = true
[privacy]
demo = true
[legal]
basis = "state_activity"
decision_number = "1"
decision_date = 2026-01-01
office = "Văn phòng"
complaints = "Văn phòng"
last_check = 2026-01-01
[notice]
confirmed = true
contact = "Văn phòng"
[queue]
enabled = true
token_file = "token"
[models]
face = "{hall.face}"
[server]
address = "tcp://127.0.0.1:9"
public_key = "{z85_encode(bytes(range(32)))}"
{"".join(tables)}"""


def open_hall(hall: Hall) -> Analysis:
    """The box's analysis of the hall, not yet at work: a demo's in what networks it may use, with the times of work."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edge.toml"
        path.write_text(box_text(hall), "utf-8")
        config = load_config(path)
    shortened = EngineSettings.for_demo
    EngineSettings.for_demo = lambda self: self  # type: ignore[method-assign]
    try:
        return Analysis(config, lambda _name, _visit: None, lambda _name, _number: None, Health())
    finally:
        EngineSettings.for_demo = shortened  # type: ignore[method-assign]


def note_latency(watched: Watched, latencies: list[float]) -> None:
    """From now on, milliseconds from each picture to what was read of the face in it."""
    take = watched.engine.take_affect

    def taken(asked: FaceToRead, affect: FaceAffect) -> None:
        take(asked, affect)
        latencies.append(1000 * (time.monotonic() - asked.time_s))

    watched.engine.take_affect = taken  # type: ignore[method-assign]


def settle(all_of_them: list[Watched], occupied: int) -> None:
    """Wait until every camera gives pictures, then call the citizens. Raises `ConfigError`."""
    end_s = time.monotonic() + SETTLE_S
    while blind := sum(not _pictures(each) for each in all_of_them):
        if time.monotonic() > end_s:
            raise ConfigError(
                Message(
                    "After {seconds} s there are no pictures at {blind} counter(s).", seconds=SETTLE_S, blind=blind
                ),
                Message("Name fewer counters: this machine may be too slow for so many."),
            )
        time.sleep(0.1)
    for each in all_of_them[:occupied]:
        each.engine.visit_started(0, time.monotonic())
    time.sleep(WARM_S)


def _pictures(watched: Watched) -> int:
    """How many were decoded."""
    assert watched.camera is not None
    tallies = watched.camera.tallies
    return tallies.forwarded + tallies.dropped.get("unwanted", 0)


@dataclass(slots=True)
class Totals:
    """What had been done at a moment."""

    clock_s: float
    box_s: float
    machine_s: float
    calls: dict[int, int]
    looks: list[int]
    decoded: list[int]
    converted: list[int]
    drops: dict[str, int]

    @classmethod
    def now(cls, all_of_them: list[Watched], calls: Calls) -> Totals:
        drops: dict[str, int] = {}
        for each in all_of_them:
            assert each.camera is not None
            stages = {"camera": each.camera.tallies, "engine": each.engine.tallies, "faces": each.engine.face_tallies}
            for stage, tallies in stages.items():
                for reason, count in dict(tallies.dropped).items():
                    drops[f"{stage} {reason}"] = drops.get(f"{stage} {reason}", 0) + count
        return cls(
            time.monotonic(),
            time.process_time(),
            machine_s(),
            dict(calls.counts),
            [each.engine.looks for each in all_of_them],
            [_pictures(each) for each in all_of_them],
            [each.camera.tallies.forwarded for each in all_of_them if each.camera is not None],
            drops,
        )


def machine_s() -> float:
    """Processor seconds that all programs of this machine have used since it started."""
    words = Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = (int(word) for word in words[:8])
    return (user + nice + system + interrupts + soft + stolen) / 100


def peak_mib() -> float:
    """Of this process since it began (`getrusage` would count its parent's before it)."""
    line = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def spread(figures: list[float]) -> dict[str, float] | None:
    """Least, p5 and median; None of nothing."""
    if not figures:
        return None
    return {"min": min(figures), "p5": float(np.quantile(figures, 0.05)), "median": float(np.median(figures))}


def floor_s(hall: Hall, calls: Calls, before: Totals, after: Totals, workers: int) -> dict[str, float]:
    """Processor seconds of the interval's model calls, and of its decoding, with nothing around them."""
    asked = {
        thread: count - before.calls.get(thread, 0) for thread, count in after.calls.items() if calls.last.get(thread)
    }

    locks = {network: threading.Lock() for network, _shape in calls.again}

    def models(thread: int) -> float:
        order = list(calls.last[thread])
        start_s = time.thread_time()
        for call in order:
            with locks[call[0]]:  # a visit's end wipes the networks of the other worker, too
                calls.again[call]()
        return (time.thread_time() - start_s) / len(order) * asked[thread]

    decoded = [b - a for a, b in zip(before.decoded, after.decoded, strict=True)]
    converted = [b - a for a, b in zip(before.converted, after.converted, strict=True)]
    parts = (slice(None, hall.occupied), slice(hall.occupied, None))

    def decoding(_number: int) -> float:
        total_s = 0.0
        for film, part in zip(hall.films, parts, strict=True):
            if decoded[part]:
                each_s, turned_s = picture_s(film)
                total_s += each_s * sum(decoded[part]) + turned_s * sum(converted[part])
        return total_s

    with ThreadPoolExecutor(workers) as side_by_side:
        rounds = [
            (sum(side_by_side.map(models, asked)), float(np.mean(list(side_by_side.map(decoding, range(workers))))))
            for _ in range(FLOOR_ROUNDS)
        ]
    models_s, decoding_s = np.median(rounds, axis=0).tolist()
    return {"models": models_s, "decoding": decoding_s}


def picture_s(film: str, pictures: int = 60) -> tuple[float, float]:
    """Processor seconds to decode one picture, and to turn it into an array."""
    import av

    taken_s = []
    for turned in (False, True):
        start_s, seen = time.thread_time(), 0
        with av.open(film) as container:
            if turned:
                for _frame in read_frames(container, film, Tallies()):
                    seen += 1
                    if seen >= pictures:
                        break
            else:
                container.streams.video[0].thread_type = "NONE"
                for _picture in container.decode(video=0):
                    seen += 1
                    if seen >= pictures:
                        break
        taken_s.append((time.thread_time() - start_s) / seen)
    return taken_s[0], max(0.0, taken_s[1] - taken_s[0])


def measure(hall: Hall) -> dict[str, Any]:
    """Run the box for so long, then the floor."""
    latencies: list[float] = []
    with counted() as calls:
        analysis = open_hall(hall)
        all_of_them = list(analysis.counters.values())
        for each in all_of_them:
            note_latency(each, latencies)
        analysis.start()
        try:
            settle(all_of_them, hall.occupied)
            latencies.clear()
            before = Totals.now(all_of_them, calls)
            time.sleep(hall.seconds)
            after = Totals.now(all_of_them, calls)
            late_ms, open_visits = list(latencies), sum(not each.engine.is_idle for each in all_of_them)
            memory_mib = peak_mib()
        finally:
            analysis.stop()
    seconds = after.clock_s - before.clock_s
    workers = sum(name.startswith("looker") for name in analysis._workers)
    floor = floor_s(hall, calls, before, after, workers)
    box_s, cut = after.box_s - before.box_s, hall.occupied
    looks = [(b - a) / seconds for a, b in zip(before.looks, after.looks, strict=True)]
    decoded = [(b - a) / seconds for a, b in zip(before.decoded, after.decoded, strict=True)]
    settings = all_of_them[0].engine.settings
    return {
        "seconds": seconds,
        "workers": workers,
        "open_visits": open_visits,
        "looks_hz": {
            "occupied": {"asked": min(hall.fps, 1 / settings.look_every_s), "reached": spread(looks[:cut])},
            "empty": {"asked": 1 / KEY_S, "reached": spread(looks[cut:])},
        },
        "pictures_hz": spread(decoded),
        "affects": len(late_ms),
        "latency_ms": {
            f"p{share}": float(np.quantile(late_ms, share / 100)) if late_ms else None for share in (50, 95, 99, 100)
        },
        "box_cores": box_s / seconds,
        "machine_cores": (after.machine_s - before.machine_s) / seconds,
        "peak_memory_mib": memory_mib,
        "drops": {name: count - before.drops.get(name, 0) for name, count in sorted(after.drops.items())},
        "floor_cores": {name: taken_s / seconds for name, taken_s in floor.items()},
        "floor_ratio": box_s / sum(floor.values()),
    }


def _measure(hall: Hall, answers: Any) -> None:
    """The process."""
    try:
        overwrites = scrub_freed_memory()  # as a box does
        answers.put({**measure(hall), "memory_overwritten": overwrites})
    except BaseException as error:
        answers.put({"error": f"{error}"})
        raise SystemExit(1) from None


# -- the command -------------------------------------------------------------------------------------------------------


def bench(
    counters: int, occupied: int, size: tuple[int, int], fps: int, seconds: float, face: str, kbit: int
) -> dict[str, Any]:
    """Play the hall and measure its box. Raises `ConfigError`."""
    films = [occupied_film(number, size, fps, kbit) for number in range(min(3, occupied))]
    nobody = empty_film(size, fps, kbit)
    # the box may need a while to begin, and reads each camera once before
    length_s = 60 * int((2 * SETTLE_S + seconds) / 60 + 2)
    shown = [films[number % len(films)] if number < occupied else nobody for number in range(counters)]
    streams = {f"/{number}": Stream(played_for(film, length_s)) for number, film in enumerate(shown, start=1)}
    kinds = (str(films[0] if films else nobody), str(nobody))
    with RtspServer(streams, transport="tcp") as cameras:
        hall = Hall(tuple(map(cameras.address, streams)), occupied, kinds, fps, seconds, face)
        context = multiprocessing.get_context("spawn")
        answers = context.Queue()
        box = context.Process(target=_measure, args=(hall, answers))
        used_s, start_s = cameras.processor_s, time.monotonic()
        with patch.dict(os.environ, ENVIRONMENT):
            box.start()
        answer: dict[str, Any] = answers.get()
        cameras_cores = (cameras.processor_s - used_s) / (time.monotonic() - start_s)
        box.join()
    if "error" in answer:
        raise ConfigError(answer["error"])
    return {**answer, "cameras_cores": cameras_cores, "stream_kbit": [sent_kbit(Path(film)) for film in kinds]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--counters", type=int, default=24, help="1 to 64 (default 24)")
    parser.add_argument("--occupied", type=float, default=1.0, help="share with a citizen, 0 to 1 (default 1.0)")
    parser.add_argument("--size", default="640x360", metavar="WxH", help="of the pictures (default 640x360)")
    parser.add_argument("--fps", type=int, default=15, help="pictures a second (default 15)")
    parser.add_argument(
        "--kbit", type=int, metavar="N", help="thousand bits a second at most (default 512 for 640x360; 0: no bound)"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the measurement (default 60)")
    parser.add_argument("--face", choices=FACE_NETWORKS, default=FACE_NETWORKS[0], help="network of the face's affect")
    parser.add_argument("--json", action="store_true", help="print JSON")


def read_size(text: str) -> tuple[int, int]:
    """Width and height of "640x360". Raises `ConfigError`."""
    width, _, height = text.partition("x")
    sides = [int(side) if side.isdecimal() and len(side) < 5 else 0 for side in (width, height)]
    if not all(16 <= side <= 4_096 and side % 2 == 0 for side in sides):
        raise ConfigError(Message("--size reads 640x360: even sides of 16 to 4096."))
    return int(width), int(height)


def run(args: argparse.Namespace) -> int:
    """Measure and print. Exit code 0 whether or not an aim is reached: the figure is the answer."""
    size = read_size(args.size)
    if not (1 <= args.counters <= MAX_COUNTERS and 0 <= args.occupied <= 1 and 1 <= args.fps <= 60):
        raise ConfigError(Message("--counters is 1 to 64, --occupied 0 to 1, --fps 1 to 60."))
    if not 0 < args.seconds <= 3_600:
        raise ConfigError(Message("--seconds is above 0, and an hour at most."))
    if why := missing():
        raise ConfigError(
            Message("No network camera can be played on this machine, so nothing is measured: {why}.", why=why)
        )
    if args.kbit is not None and not (args.kbit == 0 or 32 <= args.kbit <= 20_000):
        raise ConfigError(Message("--kbit is 0, or 32 to 20000."))
    kbit = most_kbit(size) if args.kbit is None else args.kbit
    occupied = round(args.occupied * args.counters)
    print(f"playing {args.counters} cameras, {occupied} with a citizen ...", file=sys.stderr, flush=True)
    report = {
        "benchmark": "hall",
        **provenance(PACKAGES),
        "counters": args.counters,
        "occupied": occupied,
        "size_px": list(size),
        "fps": args.fps,
        "most_kbit": kbit,
        "face_network": args.face,
        **rounded(bench(args.counters, occupied, size, args.fps, args.seconds, args.face, kbit)),
    }
    if args.json:
        print(json.dumps(report, indent=2))
        return 0
    print(f"{report['processor']}, {args.counters} counters, {occupied} occupied, {args.size} at {args.fps}", end="")
    print(f", {report['stream_kbit']} kbit/s (with a citizen, without)")
    for kind, looks in report["looks_hz"].items():
        if looks["reached"] is not None:
            print(f"  looks, {kind:<12} asked {looks['asked']:g} a second, reached {looks['reached']}")
    print(f"  pictures decoded   {report['pictures_hz']} a second")
    print(f"  picture to affect  {report['latency_ms']} ms, {report['affects']} affects")
    print(f"  cores              {report['box_cores']} of the box, {report['cameras_cores']} of the cameras, ", end="")
    print(f"{report['machine_cores']} of the whole machine (it has {report['cores']})")
    print(f"  floor              {report['floor_cores']} cores; ratio {report['floor_ratio']}")
    print(f"  peak memory        {report['peak_memory_mib']} MiB")
    print(f"  left out           {report['drops']}")
    return 0


def rounded(figures: Any) -> Any:
    """Figures as they are read: three digits behind the point."""
    if isinstance(figures, dict):
        return {name: rounded(each) for name, each in figures.items()}
    return round(figures, 3) if isinstance(figures, float) else figures
