"""What others take for the same pictures: processor time and memory of peers, in turn with ours.

  hailong bench peers [--pictures 60] [--rounds 3] [--size 1280x720] [--only fer] [--json]

Each peer lives in an environment of its own, made of pinned packages by pip or npm on first use (--folder, by default
in the cache); one that cannot be made or does not start is told as missing, with the reason.

  ours            the box's engine: detection, landmarks, affect; every picture looked at
  fer             detector and network, as the package comes: faces and emotions
  mediapipe       face mesh: landmarks alone
  human           @vladmandic/human in Node by WebAssembly: detector, mesh, emotion. It is handed raw pictures, and what
                  decoding takes in `ours` is added to it

All look at the same pictures of one film, in turn, a part each in every round, all on one core. A ratio is that of
processor times in one round, the median over the rounds; of ours to theirs, so under 1 is less.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench_hall import picture_s, read_size, rounded
from benchmarks.hall_films import occupied_film
from benchmarks.provenance import provenance
from models.catalogue import cache_folder
from pipeline.errors import ConfigError, HailongError
from pipeline.language import Message
from pipeline.language.console import console_language

WORK = Path(__file__).parent / "peer_work.py"
HUMAN = Path(__file__).parent / "peer_human.js"
RATE_HZ = 15
MAKE_S, START_S = 1_200.0, 180.0
FER = (
    "fer==25.10.3", "tensorflow-cpu==2.21.0", "opencv-python-headless==4.12.0.88", "numpy==2.2.6", "pandas==3.1.1",
    "requests==2.34.2", "tqdm==4.70.1", "pillow==13.0.0", "setuptools==80.9.0", "absl-py==2.5.1", "astunparse==1.6.3",
    "certifi==2026.10.19.post1", "charset-normalizer==3.5.3", "flatbuffers==25.12.19", "gast==0.7.0",
    "google-pasta==0.2.0", "grpcio==1.85.3", "h5py==3.14.0", "idna==3.20", "keras==3.15.1", "libclang==18.1.1",
    "markdown-it-py==4.3.0", "mdurl==0.1.2", "ml_dtypes==0.6.0", "namex==0.1.0", "opt_einsum==3.4.0", "optree==0.20.0",
    "packaging==26.4", "protobuf==7.36.2", "Pygments==2.21.0", "python-dateutil==4.0.0", "rich==15.0.0", "six==1.17.0",
    "termcolor==3.3.0", "typing_extensions==4.16.0", "tzdata==2026.6", "urllib3==2.8.0", "wrapt==2.5.2",
)  # fmt: skip
"""Without what it never uses for pictures (facenet-pytorch, moviepy, matplotlib)."""
MEDIAPIPE = (
    "mediapipe==0.10.21", "numpy==1.26.4", "opencv-python-headless==4.11.0.86", "absl-py==2.5.1", "attrs==26.1.0",
    "contourpy==1.3.3", "cycler==0.12.1", "flatbuffers==25.12.19", "fonttools==4.68.0", "kiwisolver==1.5.1",
    "matplotlib==3.11.2", "packaging==26.4", "pillow==13.0.0", "protobuf==4.25.9", "pyparsing==3.3.3",
    "python-dateutil==4.0.0", "tzdata==2026.6",
)  # fmt: skip
"""The last line of versions that has the face mesh; without jax, which it does not need for it."""
HUMAN_PACKAGES = (
    "@vladmandic/human@3.3.6", "@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0",
)  # fmt: skip


class MissingError(HailongError):
    """A peer that is not here, and why."""


@dataclass(frozen=True, slots=True)
class Film:
    """What all look at: the film, and the same pictures raw (RGB)."""

    path: Path
    size: tuple[int, int]

    @property
    def raw(self) -> Path:
        """Made on first use."""
        import av

        path = self.path.with_suffix(".rgb")
        if not path.exists():
            unfinished = path.with_suffix(f".{os.getpid()}.rgb")
            with av.open(str(self.path)) as container, unfinished.open("wb") as out:
                for picture in container.decode(video=0):
                    out.write(picture.to_ndarray(format="rgb24").tobytes())
            unfinished.replace(path)
        return path


def _made(folder: Path, pins: tuple[str, ...], commands: list[list[str]]) -> Path:
    """The environment of these pins; made where it is not there, or is of others."""
    note = folder / "pins.txt"
    if note.exists() and note.read_text("utf-8") == "\n".join(pins):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in commands:
        print(f"making {folder.name} ...", file=sys.stderr, flush=True)
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=MAKE_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MissingError(Message("cannot be installed: {reason}", reason=type(error).__name__)) from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["?"]
            raise MissingError(Message("cannot be installed: {reason}", reason=lines[-1][:200]))
    note.write_text("\n".join(pins), "utf-8")
    return folder


def _python_peer(name: str, pins: tuple[str, ...]) -> Callable[[Path, Film], list[str]]:
    def command(folder: Path, film: Film) -> list[str]:
        python = str(folder / name / "bin" / "python")
        make = [
            [sys.executable, "-m", "venv", "."],
            [python, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", *pins],
        ]
        _made(folder / name, pins, make)
        return [python, "-I", str(WORK), name, str(film.path)]

    return command


def _ours(_folder: Path, film: Film) -> list[str]:
    return [sys.executable, "-m", "benchmarks.peer_work", "ours", str(film.path)]


def _human(folder: Path, film: Film) -> list[str]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise MissingError(Message("Node is not on this machine."))
    install = [npm, "install", "--no-save", "--no-fund", "--no-audit", "--ignore-scripts", *HUMAN_PACKAGES]
    made = _made(folder / "human", HUMAN_PACKAGES, [install])
    return [node, str(HUMAN), str(made), str(film.raw), *map(str, film.size)]


PEERS: dict[str, Callable[[Path, Film], list[str]]] = {
    "ours": _ours,
    "fer": _python_peer("fer", FER),
    "mediapipe": _python_peer("mediapipe", MEDIAPIPE),
    "human": _human,
}


class Peer:
    """A peer's process. Raises `MissingError` where it does not start."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            self._answer()
        except BaseException:
            self.end()
            raise

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            said = [each for each in self._process.stderr.read().splitlines() if each.strip()] or ["?"]
            raise MissingError(Message("does not run: {reason}", reason=said[-1][:200]))
        found: dict[str, Any] = json.loads(line)
        return found

    def look(self, count: int) -> dict[str, Any]:
        """At the next pictures."""
        assert self._process.stdin is not None
        print(json.dumps({"count": count}), file=self._process.stdin, flush=True)
        return self._answer()

    @property
    def peak_mib(self) -> float:
        """The most memory that it has had."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text("utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024

    def end(self) -> None:
        """It is needed no more."""
        self._process.kill()
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


@contextmanager
def on_one_core() -> Iterator[None]:
    """Whatever is started within runs on one and the same core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def measure(names: list[str], folder: Path, film: Film, pictures: int, rounds: int) -> dict[str, Any]:
    """Figures of each peer, and why which are missing."""
    missing: dict[str, MissingError] = {}
    taken: dict[str, list[dict[str, Any]]] = {}
    peaks: dict[str, float] = {}
    with ExitStack() as stack:
        commands: dict[str, list[str]] = {}
        for name in names:
            try:
                commands[name] = PEERS[name](folder, film)
            except MissingError as why:
                missing[name] = why
        stack.enter_context(on_one_core())
        peers: dict[str, Peer] = {}
        for name, command in commands.items():
            try:
                peers[name] = Peer(command)
            except MissingError as why:
                missing[name] = why
            else:
                stack.callback(peers[name].end)
        for _round in range(rounds):
            for name, peer in peers.items():
                found = peer.look(pictures // rounds)
                if name == "human":
                    found["cpu_s"] += sum(picture_s(str(film.path), 30)) * (pictures // rounds)
                taken.setdefault(name, []).append(found)
        peaks = {name: peer.peak_mib for name, peer in peers.items()}
    return {"peers": _figures(taken, peaks, pictures // rounds), "missing": missing}


def _figures(taken: dict[str, list[dict[str, Any]]], peaks: dict[str, float], count: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, found in taken.items():
        figures[name] = {
            "pictures": count * len(found),
            "pictures_with_a_face": sum(each["faces"] for each in found),
            "cpu_ms": statistics.median(1000 * each["cpu_s"] / count for each in found),
            "pictures_per_s": count * len(found) / sum(each["wall_s"] for each in found),
            "peak_memory_mib": peaks[name],
        }
    if "ours" in taken:
        for name in taken:
            pairs = zip(taken["ours"], taken[name], strict=True)
            figures[name]["ours_to_it"] = {
                "cpu": statistics.median(one["cpu_s"] / other["cpu_s"] for one, other in pairs),
                "memory": peaks["ours"] / peaks[name],
            }
    return figures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--pictures", type=int, default=60, help="that each looks at (default 60)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    parser.add_argument("--size", default="1280x720", metavar="WxH", help="of the pictures (default 1280x720)")
    parser.add_argument("--only", nargs="+", default=[], metavar="PEER", help="some of ours, fer, mediapipe, human")
    parser.add_argument("--folder", type=Path, help="of the peers' environments (default: in the cache)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Measure and print. Exit code 0 whoever is missing."""
    size = read_size(args.size)
    if args.rounds < 1 or args.pictures < args.rounds:
        raise ConfigError(Message("--rounds is above 0, and --pictures no less."))
    names = list(args.only or PEERS)
    for name in names:
        if name not in PEERS:
            raise ConfigError(
                Message("There is no peer {name}.", name=name), Message("There are: {names}.", names=", ".join(PEERS))
            )
    film = Film(occupied_film(0, size, RATE_HZ), size)
    report = {
        "benchmark": "peers",
        **provenance(("numpy", "onnxruntime", "ai-edge-litert", "opencv-python-headless", "av")),
        "film": film.path.name,
        "size_px": list(size),
        "one_core": True,
        **rounded(measure(names, args.folder or cache_folder() / "peers", film, args.pictures, args.rounds)),
    }
    missing: dict[str, MissingError] = report.pop("missing")
    if args.json:
        print(json.dumps({**report, "missing": {name: str(why) for name, why in missing.items()}}, indent=2))
        return 0
    print(f"{report['processor']}, one core, {args.size}")
    for name, figure in report["peers"].items():
        print(f"  {name:<12}{figure}")
    for name, why in missing.items():
        print(f"  {name:<12}{why.in_language(console_language())}")
    return 0
