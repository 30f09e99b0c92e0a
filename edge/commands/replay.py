"""Run the box's pipeline over a film, as fast as it can, on this machine: what a visit's evidence looks like over time.

  hailong replay --video counter.mp4                       a table of what is seen and heard
  hailong replay --video face.mp4 --audio voice.wav --json   the same for a program
  hailong replay --video counter.mp4 --region 0,0 0.6,0 0.6,1 0,1

The sound is the film's own unless --audio names another. What this prints is personal: unlike everything that leaves a
box, it shows one person's face and voice as numbers. It is for trying out and for calibration with consent; it is sent
nowhere and written nowhere.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.capture.media_file import open_media, read_chunks, read_frames
from edge.perception.engine import Engine, Glimpse
from edge.perception.networks import FACE_NETWORKS, NetworkOptions, load_networks
from edge.perception.settings import EngineSettings
from models.labels import POLARITIES
from pipeline.errors import ConfigError, SourceError
from pipeline.fusion import FusionParameters, load_fusion
from pipeline.language import Message
from pipeline.records import EMOTIONS, Chunk, ClosedVisit, Frame, Modality, Tallies

_ODD = {
    "time_jump": "a time stamp of the film or its sound jumped; it was joined to the piece before.",
    "corrupt": "a piece of the film or its sound is damaged and was left out.",
}
NOTICE = "This output is personal: it is for this screen only, is sent nowhere and never leaves this machine."


@dataclass(slots=True)
class Sources:
    """A film's pictures and sound in the order of their time."""

    video: str
    audio: str | None
    channel: int = 0
    frame_tallies: Tallies = field(default_factory=Tallies)
    sound_tallies: Tallies = field(default_factory=Tallies)

    def read(self) -> Iterator[Frame | Chunk]:
        """Frames and chunks. Raises `SourceError`; a film without a sound track is silent."""
        film = open_media(self.video)
        sound = open_media(self.audio or self.video)
        try:
            chunks: Iterator[Chunk] = iter(())
            if self.audio is not None or sound.streams.audio:
                chunks = read_chunks(sound, self.audio or self.video, self.channel, self.sound_tallies)
            waiting = next(chunks, None)
            for frame in read_frames(film, self.video, self.frame_tallies):
                while waiting is not None and waiting.time_s <= frame.time_s:
                    yield waiting
                    waiting = next(chunks, None)
                yield frame
            while waiting is not None:
                yield waiting
                waiting = next(chunks, None)
        finally:
            film.close()
            sound.close()


@dataclass(slots=True)
class Replay:
    """What a replay found."""

    visits: list[dict[str, Any]] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    frames: int = 0
    media_s: float = 0.0
    wall_s: float = 0.0
    tallies: dict[str, dict[str, int]] = field(default_factory=dict)


def replay(engine: Engine, sources: Sources, closed: list[ClosedVisit], every_s: float, whole: bool) -> Replay:
    """Feed everything to the engine; `closed` is the list that the engine's `on_visit` fills."""
    found = Replay()
    start_s = time.perf_counter()
    next_s = every_s
    told_s = time.monotonic()
    latest = engine.glimpse()

    def note() -> None:
        for visit in closed[len(found.visits) :]:
            found.visits.append(_visit(visit, engine, latest, found.media_s))

    for item in sources.read():
        if whole and not found.frames and not engine.visit_open:
            engine.visit_started(0, item.time_s)
        found.media_s = item.time_s
        if isinstance(item, Frame):
            found.frames += 1
            engine.feed_frame(item)
        else:
            engine.feed_chunk(item)
        while engine.work_words():
            pass
        note()
        if item.time_s >= next_s:
            next_s += every_s
            latest = engine.glimpse()
            found.timeline.append(_moment(item.time_s, latest))
        if sys.stderr.isatty() and time.monotonic() - told_s > 0.5:
            told_s = time.monotonic()
            print(f"\r{item.time_s:8.1f} s of the film", end="", file=sys.stderr, flush=True)
    engine.finish()
    note()
    found.wall_s = time.perf_counter() - start_s
    for name, tallies in (
        ("frames", sources.frame_tallies),
        ("engine", engine.tallies),
        ("faces", engine.face_tallies),
        ("sound", engine.sound_tallies),
        ("sound_file", sources.sound_tallies),
    ):
        found.tallies[name] = {"forwarded": tallies.forwarded, **tallies.dropped}
    return found


def _visit(visit: ClosedVisit, engine: Engine, latest: Glimpse, end_s: float) -> dict[str, Any]:
    level = engine.last_level
    return {
        "start_s": None if latest.visit_start_s is None else round(latest.visit_start_s, 2),
        "closed_s": round(end_s, 2),
        "level": visit.level.name,
        "rests_on": [each.name for each in Modality if level is not None and each in level.modalities],
        "abstained_because": "" if level is None or not level.reason else level.reason.name,
    }


def _moment(time_s: float, glimpse: Glimpse) -> dict[str, Any]:
    citizen, affect = glimpse.citizen, glimpse.affect
    return {
        "time_s": round(time_s, 2),
        "faces": glimpse.faces,
        "face_px": None if citizen is None else round(max(citizen.width_px, citizen.height_px)),
        "emotions": None
        if affect is None
        else {name: round(float(p), 3) for name, p in zip(EMOTIONS, affect.likelihoods, strict=True)},
        "face_valence": None if affect is None else round(affect.valence, 3),
        "face_uncertainty": None if affect is None else round(affect.uncertainty, 3),
        "arousal": None if glimpse.speech is None else round(glimpse.speech.arousal, 3),
        "speech_valence": None if glimpse.speech is None else round(glimpse.speech.valence, 3),
        "words_valence": None if glimpse.words is None else round(glimpse.words.valence, 3),
        "fused_valence": None if glimpse.fused is None else round(glimpse.fused.x, 3),
        "fused_sd": None if glimpse.fused is None else round(glimpse.fused.sd, 3),
        "fused": None
        if glimpse.fused is None
        else {name: round(p, 3) for name, p in zip(POLARITIES, glimpse.fused.probabilities, strict=True)},
        "face_s": round(glimpse.face_seconds, 2),
        "speech_s": round(glimpse.speech_seconds, 2),
        "visit_open": glimpse.visit_start_s is not None,
    }


def parse_region(corners: list[str]) -> tuple[tuple[float, float], ...]:
    """`["0,0", "0.6,0", ...]` as a polygon. Raises `ConfigError`."""
    try:
        found = tuple((float(x), float(y)) for x, y in (corner.split(",") for corner in corners))
    except ValueError:
        raise ConfigError(Message("A corner of the region reads X,Y with both between 0 and 1.")) from None
    if found and (len(found) < 3 or not all(0 <= value <= 1 for corner in found for value in corner)):
        raise ConfigError(Message("A region has at least three corners X,Y, each between 0 and 1."))
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--video", required=True, metavar="FILE", help="the film")
    parser.add_argument("--audio", metavar="FILE", help="its sound, where it is not the film's own")
    parser.add_argument("--channel", type=int, default=0, help="channel of the citizen, from 0 (default 0)")
    parser.add_argument("--region", nargs="+", default=[], metavar="X,Y", help="corners of the citizen's region, 0..1")
    parser.add_argument("--whole", action="store_true", help="the whole film is one visit (default: by presence)")
    parser.add_argument("--short", action="store_true", help="visits of a few seconds, as in the demo")
    parser.add_argument("--every", type=float, default=0.5, metavar="S", help="a row every S seconds (default 0.5)")
    parser.add_argument("--asr", action="store_true", help="words too (needs hailong[edge-asr] and its weights)")
    parser.add_argument("--face", choices=FACE_NETWORKS, default=FACE_NETWORKS[0], help="network of the face's affect")
    parser.add_argument("--fusion", type=Path, metavar="TOML", help="parameters of the fusion")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Replay and print."""
    if args.every <= 0:
        raise ConfigError(Message("--every is a number of seconds above 0."))
    if args.channel < 0:
        raise SourceError(Message("Channels are counted from 0."))
    fusion = load_fusion(args.fusion) if args.fusion else FusionParameters()
    settings = EngineSettings(
        region=parse_region(args.region),
        visits_by="queue" if args.whole else "presence",
        gone_after_s=math.inf,
        fusion=fusion.by_geometry() if args.face == "face-geometry" else fusion,
    )
    networks = load_networks(NetworkOptions(demo=True, asr=args.asr, face=args.face))
    for line in (NOTICE, *networks.notices):
        print(line, file=sys.stderr)
    closed: list[ClosedVisit] = []
    engine = Engine(settings.for_demo() if args.short else settings, networks, closed.append)
    found = replay(engine, Sources(args.video, args.audio, args.channel), closed, args.every, args.whole)
    if sys.stderr.isatty():
        print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    if args.json:
        print(
            json.dumps(
                {
                    "personal": NOTICE,
                    "video": Path(args.video).name,
                    "duration_s": round(found.media_s, 3),
                    "frames": found.frames,
                    "wall_s": round(found.wall_s, 3),
                    "visits": found.visits,
                    "timeline": found.timeline,
                    "counters": found.tallies,
                }
            )
        )
    else:
        _print_table(found)
    return 0


def _print_table(found: Replay) -> None:
    print("   time faces  px  face: valence doubt     voice: arousal valence   visit: valence    sd")
    for row in found.timeline:

        def cell(key: str, width: int, row: dict[str, Any] = row) -> str:
            value = row[key]
            return ("-" if value is None else f"{value:+.2f}" if isinstance(value, float) else str(value)).rjust(width)

        bar = ""
        if row["fused_valence"] is not None:
            place = round((row["fused_valence"] + 1) * 10)
            bar = "|" + "".join("o" if i == place else ":" if i == 10 else " " for i in range(21)) + "|"
        print(
            f"{row['time_s']:7.1f} {cell('faces', 5)} {cell('face_px', 4)} {cell('face_valence', 13)} "
            f"{cell('face_uncertainty', 5)} {cell('arousal', 18)} {cell('speech_valence', 7)} "
            f"{cell('fused_valence', 15)} {cell('fused_sd', 6)}  {bar}"
        )
    odd = {name: found.tallies["frames"].get(name, 0) + found.tallies["sound_file"].get(name, 0) for name in _ODD}
    for name, sentence in _ODD.items():
        if odd[name]:
            print(f"\n{odd[name]} x {sentence}")
    print(f"\n{found.frames} frames, {found.media_s:.1f} s of film in {found.wall_s:.1f} s")
    for number, visit in enumerate(found.visits, start=1):
        why = visit["abstained_because"] or "from " + ", ".join(visit["rests_on"]).lower()
        print(f"visit {number}: {visit['level']} ({why}), closed at {visit['closed_s']} s")
    if not found.visits:
        print("No visit: nobody stayed in the region long enough (--short for visits of a few seconds).")
