"""How often a face has to be looked at: levels of visits at the box's rates against those of every picture.

  hailong bench rates [--films FOLDER] [--visits 100] [--seed 1] [--before] [--floor] [--affect-every 0.3] [--json]

A visit is made of pieces of films of faces, 1.5 to 5 s each, as many as fill 8 to 30 s, played forwards and backwards
at 15 pictures a second: what a face does moment by moment is real, and visits differ. `--films`: a folder of films that
show one face each, such as recordings for which you have leave; without it the demo's made-up films. Each visit is
played to the box's engine at several rates:

  every    landmarks and affect of every picture, a search every .2 s: what the others are compared with
  now      as the box does; with --affect-every also at other, even rates of affect (and landmarks)
  before   with --before: landmarks of every picture, affect every .1 s, a search every .2 s

and, with --floor, at the rate of every picture once more where nothing differs that a person would see: `mirrored`,
left for right, and `later`, from .2 s on. What these have of other levels no rate can be blamed for.

`same` is the share of visits with the same level (or both without one), with its 95 % interval (Wilson 1927); `x` is
how far the fused valence lies apart, mean and p95, on its scale from -1 to 1. `calls` are those of the networks in a
second of film; what a search finds in a picture is looked up where it was searched before. Nothing of the films is kept
or printed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.provenance import provenance
from edge.capture.media_file import open_media, read_frames
from edge.perception.engine import Engine
from edge.perception.networks import NetworkOptions, Networks, load_networks
from edge.perception.settings import EngineSettings
from hailong.demo_media import FACES, RATE_HZ, Film, Scene, Script
from models.face_detect import Detection, Pixels
from models.face_landmarks import Cut, Landmarks
from pipeline.errors import ConfigError, SourceError
from pipeline.language import Message
from pipeline.records import ClosedVisit, Frame, Level, Tallies

Pictures = Sequence[NDArray[np.uint8]]
FLOOR: Final[dict[str, Callable[[Pictures], Pictures]]] = {
    "mirrored": lambda visit: [np.ascontiguousarray(pixels[:, ::-1]) for pixels in visit],
    "later": lambda visit: visit[RATE_HZ // 5 :],
}
"""How often two readings of every picture agree: what is done to the pictures of a visit."""
SIDE_PX = 480
"""Longer side of the pictures."""
LONGEST_FILM_S = 30.0
PIECE_S = (1.5, 5.0)
VISIT_S = (8.0, 30.0)
ENDINGS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif")


@dataclass(slots=True)
class Found:
    """What one rate has given, a number for each visit."""

    levels: list[Level] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    seconds: float = 0.0
    calls: dict[str, int] = field(default_factory=lambda: {"searches": 0, "landmarks": 0, "affects": 0})


@contextmanager
def counted(networks: Networks) -> Iterator[dict[str, int]]:
    """Counts what the networks are asked; a picture that was searched before is not searched again."""
    eyes, calls = networks.eyes, {"searches": 0, "landmarks": 0, "affects": 0}
    far, near, find, infer = eyes.far.detect, eyes.near.detect, eyes.landmarks.find, eyes.face.infer
    seen: dict[tuple[str, int], tuple[Pixels, list[Detection]]] = {}

    def searched(which: str, detect: Callable[[Pixels], list[Detection]], pixels: Pixels) -> list[Detection]:
        calls["searches"] += which == "far"
        key = which, id(pixels)
        if key not in seen or seen[key][0] is not pixels:
            seen[key] = pixels, detect(pixels)
        return seen[key][1]

    def found(pixels: Pixels, cut: Cut) -> Landmarks:
        calls["landmarks"] += 1
        return find(pixels, cut)

    def read(crops: Any) -> Any:
        calls["affects"] += len(crops)
        return infer(crops)

    with (
        patch.object(eyes.far, "detect", partial(searched, "far", far)),
        patch.object(eyes.near, "detect", partial(searched, "near", near)),
        patch.object(eyes.landmarks, "find", found),
        patch.object(eyes.face, "infer", read),
    ):
        yield calls


def films_of(folder: Path) -> list[Pictures]:
    """The folder's films at 15 pictures a second, made smaller. Raises `ConfigError` where there is none."""
    import cv2

    films: list[Pictures] = []
    for path in sorted(each for each in folder.iterdir() if each.suffix.lower() in ENDINGS):
        pictures: list[NDArray[np.uint8]] = []
        try:
            container = open_media(str(path))
            try:
                for frame in read_frames(container, str(path), Tallies()):
                    if frame.time_s > LONGEST_FILM_S:
                        break
                    if frame.time_s < len(pictures) / RATE_HZ - 1e-3:
                        continue
                    scale = SIDE_PX / max(frame.pixels.shape[:2])
                    small = cv2.resize(frame.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
                    pictures.append(np.asarray(small, np.uint8))
            finally:
                container.close()
        except SourceError:
            continue
        if len(pictures) >= RATE_HZ:
            films.append(pictures)
    if not films:
        raise ConfigError(Message("There is no film of a second or more in {folder}.", folder=folder))
    return films


def demo_films() -> list[Pictures]:
    """Of each of the demo's people, and of changes from one picture of somebody to another."""
    pairs = [(name, name) for name in FACES] + [("obama", "obama2"), ("obama3", "obama"), ("obama2", "obama3")]
    return [
        list(Film(Script("biden", (Scene(one, other, "voice_ly", -1.0, 11.0),), seed)).frames())[: 10 * RATE_HZ]
        for seed, (one, other) in enumerate(pairs)
    ]


def with_faces(films: list[Pictures], networks: Networks) -> list[Pictures]:
    """Those in which a face is found in half of ten pictures at least."""
    kept = []
    for film in films:
        ten = [film[round(at)] for at in np.linspace(0, len(film) - 1, 10)]
        if sum(bool(networks.eyes.far.detect(one) or networks.eyes.near.detect(one)) for one in ten) >= 5:
            kept.append(film)
    return kept


def make_visit(films: Sequence[Pictures], random: Random) -> list[NDArray[np.uint8]]:
    """Pictures of one visit."""
    count = round(random.uniform(*VISIT_S) * RATE_HZ)
    shown: list[NDArray[np.uint8]] = []
    while len(shown) < count:
        film, step = random.choice(films), random.choice((-1, 1))
        at = random.randrange(len(film))
        for _ in range(round(random.uniform(*PIECE_S) * RATE_HZ)):
            if not 0 <= at + step < len(film):
                step = -step
            at = min(max(0, at + step), len(film) - 1)
            shown.append(film[at])
    return shown[:count]


def rates_of(affect_every_s: Sequence[float], before: bool) -> dict[str, EngineSettings]:
    """The engine's settings of each rate, by name."""
    now = EngineSettings(visits_by="queue")
    always = replace(now.tracking, follow_every_s=0.0, confirm_every_s=now.tracking.detect_every_s)
    rates = {
        "every": replace(now, tracking=always, look_every_s=0.0, affect_every_s=0.0, affect_holds_s=0.0),
        "now": now,
    }
    if before:
        rates["before"] = replace(now, tracking=always, affect_every_s=0.1, affect_holds_s=0.0)
    for every_s in affect_every_s:
        tracking = replace(now.tracking, follow_every_s=max(every_s, 0.2))
        rates[f"affect every {every_s:g} s"] = replace(
            now, tracking=tracking, affect_every_s=every_s, affect_holds_s=0.0
        )
    return rates


def play(visit: Pictures, settings: EngineSettings, networks: Networks, found: Found) -> None:
    """Show a visit to an engine, and note its level."""
    counts: list[ClosedVisit] = []
    engine = Engine(settings, networks, counts.append)
    engine.visit_started(0, 0.0)
    with counted(networks) as calls:
        for number, pixels in enumerate(visit):
            engine.feed_frame(Frame(pixels, number / RATE_HZ))
    found.seconds += len(visit) / RATE_HZ
    for name, count in calls.items():
        found.calls[name] += count
    fused = engine.glimpse().fused
    engine.visit_ended(len(visit) / RATE_HZ)
    found.x.append(0.0 if fused is None else fused.x)
    found.levels.append(counts[0].level)


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    middle, half = share + z * z / (2 * count), z * math.sqrt(share * (1 - share) / count + z * z / (4 * count**2))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


def compare(found: dict[str, Found]) -> dict[str, Any]:
    """Figures of each rate against those of every picture."""
    every, figures = found["every"], {}
    for name, one in found.items():
        same = statistics.fmean(a is b for a, b in zip(one.levels, every.levels, strict=True))
        apart = [abs(a - b) for a, b in zip(one.x, every.x, strict=True)]
        figures[name] = {
            "same": same,
            "same_interval": wilson(same, len(apart)),
            "x": {"mean": statistics.fmean(apart), "p95": float(np.quantile(apart, 0.95))},
            "more_than_one_level": sum(
                Level.ABSTAINED not in (a, b) and abs(a - b) > 1 for a, b in zip(one.levels, every.levels, strict=True)
            ),
            "calls": {kind: count / one.seconds for kind, count in one.calls.items()},
        }
    return figures


def measure(
    films: list[Pictures], visits: int, seed: int, affect_every_s: Sequence[float], before: bool, floor: bool = False
) -> dict[str, Any]:
    """Play the visits at all rates."""
    networks = load_networks(NetworkOptions(demo=True))
    films = with_faces(films, networks)
    if not films:
        raise ConfigError(Message("No film shows a face in half of its pictures."))
    rates = rates_of(affect_every_s, before)
    others = FLOOR if floor else {}
    found = {name: Found() for name in (*rates, *others)}
    for number in range(visits):
        visit = make_visit(films, Random(f"{seed} {number}"))
        for name, settings in rates.items():
            play(visit, settings, networks, found[name])
        for name, changed in others.items():
            play(changed(visit), rates["every"], networks, found[name])
    levels = [level.name.lower() for level in found["every"].levels]
    return {
        "films": len(films),
        "visits": visits,
        "levels": {name: levels.count(name) for name in sorted(set(levels))},
        "rates": compare(found),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--films", type=Path, metavar="FOLDER", help="films of one face each (default: the demo's)")
    parser.add_argument("--visits", type=int, default=100, help="visits played at each rate (default 100)")
    parser.add_argument("--seed", type=int, default=1, help="of how films are cut into visits (default 1)")
    parser.add_argument("--before", action="store_true", help="also at the rates of before")
    parser.add_argument("--floor", action="store_true", help="also every picture mirrored, and from .2 s on")
    parser.add_argument("--affect-every", type=float, nargs="+", default=[], metavar="S", help="other rates to try")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Measure and print. Exit code 0 whatever is found: the figure is the answer."""
    from benchmarks.bench_hall import rounded

    if args.visits < 1 or not all(0 < each <= 0.5 for each in args.affect_every):
        raise ConfigError(Message("--visits is 1 or more, --affect-every above 0 and .5 s at most."))
    if args.films is not None and not args.films.is_dir():
        raise ConfigError(Message("There is no folder {folder}.", folder=args.films))
    print("playing visits ...", file=sys.stderr, flush=True)
    films = demo_films() if args.films is None else films_of(args.films)
    report = {
        "benchmark": "rates",
        **provenance(("numpy", "onnxruntime", "ai-edge-litert", "opencv-python-headless")),
        "made_up": args.films is None,
        **rounded(measure(films, args.visits, args.seed, args.affect_every, args.before, args.floor)),
    }
    if args.json:
        print(json.dumps(report, indent=2))
        return 0
    print(f"{report['visits']} visits of {report['films']} films, levels {report['levels']}")
    for name, figure in report["rates"].items():
        print(f"  {name:<20}{figure}")
    return 0
