"""Throughput and latency of the box on a film, and how much of the time is the box's own doing.

  hailong bench edge --video counter.mp4 [--streams 4] [--json]

Two phases, each with as many processes as streams (a box is a process):
  floor   as fast as it can: frames per second; `floor_ratio` = time per frame / (decoding and the model calls alone).
  live    the film plays in real time: latency from a picture to its affect (p50, p95), processor share, peak memory,
          drops by reason.

In every round of the first phase the pipeline runs over the film, then the same decoding and the same model calls, in
the same order, run with nothing around them; the ratio is that of their processor times, the median over the rounds
counts. So whatever else the machine does falls on both; `floor_ratio_wall` is the same by the wall clock.

One visit is open all the time, so that affect is inferred all the time. Without --video a film is made of the demo's
portraits (hailong models fetch --demo).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.provenance import provenance
from edge.capture.camera import Camera
from edge.commands.replay import Sources, parse_region
from edge.perception.engine import Engine
from edge.perception.networks import FACE_NETWORKS, NetworkOptions, Networks, load_networks
from edge.perception.settings import EngineSettings
from models.runtime import OnnxNetwork, TfliteNetwork
from pipeline.errors import ConfigError
from pipeline.language import Message
from pipeline.records import Chunk, ClosedVisit, Frame

PACKAGES = ("numpy", "onnxruntime", "ai-edge-litert", "opencv-python-headless", "av")
AIM = 1.35


@dataclass(slots=True)
class Calls:
    """Calls of networks in their order, each repeated with what its network was last given."""

    order: list[int] = field(default_factory=list)
    again: dict[int, Callable[[], object]] = field(default_factory=dict)

    def note(self, network: object, call: Callable[[], object]) -> None:
        """Remember a call; `call` repeats it."""
        self.order.append(id(network))
        self.again[id(network)] = call

    def repeat(self) -> None:
        """All of them again in the same order (networks push each other out of the caches), with nothing between."""
        for key in self.order:
            self.again[key]()


@contextmanager
def recorded() -> Iterator[Calls]:
    """Counts what networks are asked within."""
    calls = Calls()
    run_tflite, run_onnx = TfliteNetwork.run, OnnxNetwork.run

    def tflite(self: TfliteNetwork, inputs: Any) -> Any:
        kept = inputs.copy()
        calls.note(self, lambda: run_tflite(self, kept))
        return run_tflite(self, inputs)

    def onnx(self: OnnxNetwork, **inputs: Any) -> Any:
        kept = {name: np.array(value) for name, value in inputs.items()}
        calls.note(self, lambda: run_onnx(self, **kept))
        return run_onnx(self, **inputs)

    TfliteNetwork.run, OnnxNetwork.run = tflite, onnx  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        TfliteNetwork.run, OnnxNetwork.run = run_tflite, run_onnx  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class Job:
    """What one stream's process measures."""

    video: str
    region: tuple[tuple[float, float], ...]
    frames: int
    rounds: int
    seconds: float
    face: str
    audio: str | None = None


def new_engine(job: Job, networks: Networks, begun_s: float = 0.0) -> Engine:
    """An engine with a visit open since `begun_s`, on the clock of the frames."""
    networks.voice.reset()
    engine = Engine(EngineSettings(region=job.region, visits_by="queue"), networks, _forget)
    engine.visit_started(0, begun_s)
    return engine


def _forget(visit: ClosedVisit) -> None:
    """Visits are not counted here."""


def items(job: Job) -> Iterator[Frame | Chunk]:
    """Up to `frames` pictures, and the sound between them."""
    seen = 0
    for item in Sources(job.video, job.audio).read():
        yield item
        seen += isinstance(item, Frame)
        if seen >= job.frames:
            return


class Watch:
    """Processor and wall seconds since it was made; the decoder and the models run on the calling thread alone."""

    def __init__(self) -> None:
        self._cpu_s, self._wall_s = time.process_time(), time.perf_counter()

    def read(self) -> NDArray[np.float64]:
        """float64 [2]: processor seconds, wall seconds."""
        return np.array([time.process_time() - self._cpu_s, time.perf_counter() - self._wall_s])


def run_once(engine: Engine, job: Job) -> tuple[int, NDArray[np.float64]]:
    """Frames, and seconds (processor, wall) for all of them."""
    count, watch = 0, Watch()
    for item in items(job):
        if isinstance(item, Frame):
            engine.feed_frame(item)
            count += 1
        else:
            engine.feed_chunk(item)
    return count, watch.read()


def fast_phase(job: Job, networks: Networks) -> dict[str, Any]:
    """Rounds of the pipeline, and of its decoding and model calls alone."""
    with recorded() as calls:
        run_once(new_engine(job, networks), job)
    calls.repeat()
    rounds = np.zeros((job.rounds, 3, 2))
    for number in range(job.rounds):
        count, rounds[number, 0] = run_once(new_engine(job, networks), job)
        watch = Watch()
        for _item in items(job):
            pass
        rounds[number, 1] = watch.read()
        watch = Watch()
        calls.repeat()
        rounds[number, 2] = watch.read()
    cpu_ms = 1000 * np.median(rounds[:, :, 0], axis=0) / count
    ratios = rounds[:, 0] / (rounds[:, 1] + rounds[:, 2])
    return {
        "frames": count,
        "fps": count / float(np.median(rounds[:, 0, 1])),
        "ms_per_frame": float(cpu_ms[0]),
        "decode_ms_per_frame": float(cpu_ms[1]),
        "models_ms_per_frame": float(cpu_ms[2]),
        "floor_ratio": float(np.median(ratios[:, 0])),
        "floor_ratio_low": float(ratios[:, 0].min()),
        "floor_ratio_high": float(ratios[:, 0].max()),
        "floor_ratio_wall": float(np.median(ratios[:, 1])),
    }


def live_phase(job: Job, networks: Networks) -> dict[str, Any]:
    """The film as a camera would give it, looped for `seconds`."""
    engine = new_engine(job, networks, time.monotonic())
    camera = Camera(job.video, loop=True)
    latencies: list[float] = []
    camera.start()
    before, start_s = time.process_time(), time.monotonic()
    while time.monotonic() - start_s < job.seconds:
        frame = camera.next(0.1)
        if frame is None:
            continue
        engine.feed_frame(frame)
        if engine.glimpse().affect is not None:
            latencies.append(1000 * (time.monotonic() - frame.time_s))
    cpu_s, wall_s = time.process_time() - before, time.monotonic() - start_s
    camera.stop()
    return {
        "seconds": wall_s,
        "frames": camera.tallies.forwarded,
        "cpu_share": cpu_s / wall_s,
        "latency_ms": latencies,
        "drops": {
            "camera": dict(camera.tallies.dropped),
            "engine": dict(engine.tallies.dropped),
            "faces": dict(engine.face_tallies.dropped),
        },
    }


def measure(job: Job, ready: Any, answers: Any) -> None:
    """A stream's process: waits for the others before each phase."""
    try:
        networks = load_networks(NetworkOptions(demo=True, face=job.face))
        run_once(new_engine(job, networks), job)
        ready.wait(120)
        fast = fast_phase(job, networks)
        ready.wait(1200)
        live = live_phase(job, networks)
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answers.put({"fast": fast, "live": live, "peak_memory_mib": peak_kib / 1024})
    except BaseException as error:
        ready.abort()
        answers.put({"error": f"{error}"})
        raise SystemExit(1) from None


def bench(job: Job, streams: int) -> dict[str, Any]:
    """All streams at once; figures of a box with so many."""
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(streams), context.Queue()
    workers = [context.Process(target=measure, args=(job, ready, answers)) for _ in range(streams)]
    for worker in workers:
        worker.start()
    found = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    errors = [answer["error"] for answer in found if answer.get("error")]
    if errors:
        raise ConfigError(next(iter(errors)))
    fast = {key: [answer["fast"][key] for answer in found] for key in found[0]["fast"]}
    latencies = [each for answer in found for each in answer["live"]["latency_ms"]]
    drops: dict[str, dict[str, int]] = {}
    for answer in found:
        for stage, reasons in answer["live"]["drops"].items():
            for reason, count in reasons.items():
                total = drops.setdefault(stage, {})
                total[reason] = total.get(reason, 0) + count
    return {
        "frames": sum(fast["frames"]),
        "fps": round(sum(fast["fps"]), 2),
        "ms_per_frame": round(statistics.median(fast["ms_per_frame"]), 3),
        "decode_ms_per_frame": round(statistics.median(fast["decode_ms_per_frame"]), 3),
        "models_ms_per_frame": round(statistics.median(fast["models_ms_per_frame"]), 3),
        "floor_ratio": round(statistics.median(fast["floor_ratio"]), 3),
        "floor_ratio_range": [round(min(fast["floor_ratio_low"]), 3), round(max(fast["floor_ratio_high"]), 3)],
        "floor_ratio_wall": round(statistics.median(fast["floor_ratio_wall"]), 3),
        "live": {
            "seconds": round(statistics.median(answer["live"]["seconds"] for answer in found), 2),
            "frames": sum(answer["live"]["frames"] for answer in found),
            "affects": len(latencies),
            "latency_p50_ms": round(float(np.quantile(latencies, 0.5)), 2) if latencies else None,
            "latency_p95_ms": round(float(np.quantile(latencies, 0.95)), 2) if latencies else None,
            "cpu_share": round(sum(answer["live"]["cpu_share"] for answer in found), 3),
            "drops": drops,
        },
        "peak_memory_mib": round(sum(answer["peak_memory_mib"] for answer in found), 1),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--video", metavar="FILE", help="the film (default: one made of the demo's portraits)")
    parser.add_argument("--audio", metavar="FILE", help="its sound, where it is not the film's own")
    parser.add_argument("--streams", type=int, default=1, help="boxes at the same time (default 1)")
    parser.add_argument("--frames", type=int, default=200, help="frames of a round (default 200, or the film's)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of the live phase (default 8)")
    parser.add_argument("--region", nargs="+", default=[], metavar="X,Y", help="corners of the citizen's region, 0..1")
    parser.add_argument("--face", choices=FACE_NETWORKS, default=FACE_NETWORKS[0], help="network of the face's affect")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Measure and print. Exit code 0 whether or not the aim is reached: the figure is the answer."""
    if min(args.streams, args.frames, args.rounds) < 1 or args.seconds <= 0:
        raise ConfigError(Message("--streams, --frames, --rounds and --seconds are above 0."))
    video = args.video or str(_demo_film())
    # a film that cannot be read is told before any process is started
    first = next(islice(Sources(video, args.audio).read(), 1))
    print(f"measuring {args.streams} stream(s) of {Path(video).name} ...", file=sys.stderr, flush=True)
    region = parse_region(args.region)
    if not args.video and not region:
        region = _demo_region()
    job = Job(video, region, args.frames, args.rounds, args.seconds, args.face, args.audio)
    size = list(first.pixels.shape[1::-1]) if isinstance(first, Frame) else None
    report = {
        "benchmark": "edge",
        **provenance(PACKAGES),
        "video": {"name": Path(video).name, "size_px": size},
        "streams": args.streams,
        "face_network": args.face,
        **bench(job, args.streams),
        "aim_floor_ratio": AIM,
    }
    if args.json:
        print(json.dumps(report, indent=2))
        return 0
    live = report["live"]
    print(f"{report['processor']}, {report['streams']} stream(s) of {report['video']['name']}")
    print(f"  as fast as it can  {report['fps']:.1f} frames/s, {report['ms_per_frame']:.2f} ms of processor a frame")
    print(f"  decoding alone     {report['decode_ms_per_frame']:.2f} ms a frame")
    print(f"  models alone       {report['models_ms_per_frame']:.2f} ms a frame")
    print(f"  floor ratio        {report['floor_ratio']:.2f} (aim at most {AIM}; rounds {report['floor_ratio_range']})")
    print(f"  like a camera      picture to affect p50 {live['latency_p50_ms']} ms, p95 {live['latency_p95_ms']} ms")
    print(f"  processor share    {live['cpu_share']:.2f} of one core; peak memory {report['peak_memory_mib']} MiB")
    print(f"  drops              {live['drops']}")
    return 0


def _demo_film() -> Path:
    from hailong.demo_media import film_file, scripts

    return film_file(scripts()[0])


def _demo_region() -> tuple[tuple[float, float], ...]:
    from hailong.demo_media import REGION

    return REGION
