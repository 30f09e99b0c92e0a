"""Run the real box on a made-up clip, and list every file that it writes and every address that it contacts, against
an allow-list.

The clip, its sound and the server's stand-in are synthetic and on this machine. The box runs in a process of its own
under strace, or, where that is not installed, under Python's audit hook, which sees less (said in the verdict). What
the box wrote is then searched for pictures, sounds and text.

Under the legal basis `consent` the box runs twice: in the first run nobody touches yes, and neither the film nor the
sound may even be opened; in the second one citizen does.

Examples:
  hailong audit trace --json
  hailong audit trace --basis consent
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.audit.canary import HEIGHT_PX, WIDTH_PX, Canary, Needles, make_canary, needles_of
from edge.audit.server import StandIn
from edge.audit.strace import CALLS, Seen, read_strace
from edge.data_folder import IN_USE
from pipeline.audit.figures import figure_words
from pipeline.audit.verdict import Verdict, report
from pipeline.calendar import day_at, day_date
from pipeline.keys import new_keys, save_keys, z85_encode
from pipeline.language import Message, Sentence
from pipeline.language.console import say
from pipeline.privacy.sealing import find_memory_folder, memory_folders
from pipeline.records import SAMPLE_RATE_HZ

CHILD = "edge.audit.trace_child"
BASES = ("state_activity", "consent")
CLIP_S = 12
TOUCH_S = 3.0
RATE_HZ = 10
TIMEOUT_S = 240
_MAGIC = {
    "JPEG": re.compile(rb"\xff\xd8\xff[\xe0\xe1\xdb\xee]"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "WAVE or AVI or WebP": re.compile(rb"RIFF....(?:WAVE|AVI |WEBP)", re.DOTALL),
    "Ogg": re.compile(rb"OggS\x00"),
    "FLAC": re.compile(rb"fLaC\x00"),
    "MP4": re.compile(rb"ftyp(?:isom|mp4|avc1|iso[2-6]|M4A)"),
    "Matroska": re.compile(rb"\x1a\x45\xdf\xa3"),
    "NumPy array": re.compile(rb"\x93NUMPY"),
}
_SENTENCE = re.compile(r"(?:[^\W\d_]{1,9} ){5,}[^\W\d_]{1,9}")
_OWN_WORDS = re.compile(r"CREATE|PRIMARY|INTEGER|UNIQUE|WITHOUT|SQLite|The server has committed")
_TABLES = {
    "outbox.sqlite3": {
        "box": "one epoch next",
        "message": "epoch sequence key payload refused settled",
        "sheet": "token day row",
        "batch": "day number",
    },
    "release.sqlite3": {
        "epoch": "one epoch",
        "leaf": "epoch number data",
        "charge": "epoch evidence period number epsilon_milli",
        "pool_charge": "epoch pool evidence period number epsilon_milli",
        "server": "epoch reads",
        "head": "epoch size payload",
        "staged": "number key payload",
    },
}
"""Everything that the box's stores may hold: file -> table -> columns."""
_SQLITES_OWN = {"sqlite_sequence.name", "sqlite_sequence.seq"}
_LOOPBACK = ("127.0.0.1:", "::1:", "unix:")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong audit trace`."""
    parser.add_argument(
        "--no-strace", action="store_true", help="use Python's audit hook even where strace is installed"
    )
    parser.add_argument(
        "--basis", choices=BASES, default=BASES[0], help="legal basis of the box (default: the one that opens more)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Entry point."""
    if not args.json:
        say(Message("running the box on a clip; this takes a minute ..."), aside=True)
    return report(audit_trace(use_strace=not args.no_strace, basis=args.basis), args.json)


def audit_trace(
    use_strace: bool = True, child: str = CHILD, basis: str = BASES[0], touches: Sequence[bool] = (False, True)
) -> Verdict:
    """Run the audit. `child`: the module that is the box; another than the real one only to see a leak caught.
    `basis`: one of `BASES`. `touches`: under consent, the runs: without a touch, with one."""
    verdict = Verdict(
        "trace",
        Message(
            "The box writes only the files and contacts only the addresses on the allow-list; no picture, sound or "
            "text is written anywhere."
        ),
    )
    for touched in touches if basis == "consent" else (False,):
        _run(verdict, shutil.which("strace") if use_strace else None, child, basis, touched)
    return verdict


def _run(verdict: Verdict, strace: str | None, child: str, basis: str, touches: bool) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="hailong-audit-") as name,
        # the box's own folder in memory: of the audit's box, nothing is left there either
        tempfile.TemporaryDirectory(prefix="hailong-audit-", dir=find_memory_folder(memory_folders())) as memory,
    ):
        trial = _Trial(Path(name), Path(memory), strace, child, basis, touches)
        trial.prepare()
        trial.run()
        trial.judge(verdict)


class _Trial:
    def __init__(self, folder: Path, memory: Path, strace: str | None, child: str, basis: str, touches: bool) -> None:
        self.folder, self.data, self.memory = folder, folder / "box", memory
        self.basis, self.touches = basis, touches
        self.strace, self.child = strace, child
        self.canary: Canary = make_canary()
        self.trace = folder / "trace.txt"
        self.output = b""
        self.totals: dict[str, object] = {}
        self.exit_code = -1

    def prepare(self) -> None:
        """Keys, configuration, clip, and the server's stand-in."""
        self.data.mkdir(mode=0o700)
        save_keys(new_keys("box"), self.data / "keys")
        self.server = StandIn()
        public = self.server.public_z85
        signing = z85_encode(new_keys("server").signing_public)
        enrolment = f'epoch = 1\nserver_public = "{public}"\nserver_signing = "{signing}"\n'
        (self.data / "enrolment.toml").write_text(enrolment, "ascii")
        _write_clip(self.canary, self.folder / "clip.avi")
        _write_sound(self.canary, self.folder / "clip.wav")
        self.config = self.folder / "edge.toml"
        self.config.write_text(
            _CONFIG.format(
                folder=self.folder, server=self.server.address, public=json.dumps(public), legal=_legal(self.basis)
            ),
            "utf-8",
        )
        self.before = {path for path in self.folder.rglob("*") if path.is_file()}

    def run(self) -> None:
        """The box, to the end of its clip."""
        command = [sys.executable, "-m", self.child, str(self.config)]
        if self.strace:
            command = [
                self.strace,
                "-f",
                "-y",
                "-qq",
                "-s",
                "4096",
                "-e",
                f"trace={CALLS}",
                "-o",
                str(self.trace),
                *command,
            ]
        else:
            command.append(str(self.trace))
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "RUNTIME_DIRECTORY": str(self.memory)}
        serving = threading.Thread(target=self.server.serve, daemon=True)
        serving.start()
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=said, start_new_session=True
            ) as box,
        ):
            assert box.stdout is not None
            ending = threading.Timer(TIMEOUT_S, os.killpg, (box.pid, signal.SIGKILL))
            ending.start()
            try:
                first = box.stdout.readline()
                if self.basis == "consent" and first.startswith(b"{"):
                    self._live_through(str(json.loads(first)["tablet"]))
                    os.killpg(box.pid, signal.SIGTERM)
                rest = box.stdout.read()
                self.exit_code = box.wait()
            finally:
                ending.cancel()
                if box.poll() is None:  # whatever went wrong, it is not waited for
                    os.killpg(box.pid, signal.SIGKILL)
                self.server.stop()
                serving.join()
            lines = [line for line in (first + rest).decode("utf-8", "replace").splitlines() if line.startswith("{")]
            self.totals = json.loads(lines[-1]) if lines else {}
            said.seek(0)
            self.output = first + rest + said.read()

    def _live_through(self, tablet: str) -> None:
        """The clip's time at the counter; where somebody touches, by the page's own form, with a browser's cookies."""
        end_s = time.monotonic() + CLIP_S
        if self.touches:
            time.sleep(TOUCH_S)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(tablet, timeout=30) as answer:
                page = answer.read().decode()
            token = re.search(r'name="page_token" value="([^"]+)"', page)
            assert token is not None, "the page asks for consent"
            form = urllib.parse.urlencode({"page_token": token[1]}).encode()
            opener.open(f"{tablet}/consent", form, timeout=30).close()
        time.sleep(max(0.0, end_s - time.monotonic()))

    def _judge_opened(self, verdict: Verdict, seen: Seen) -> None:
        """Under consent: no film and no sound is so much as opened without a touch; with one, exactly one visit."""
        opened = sorted(Path(each).name for each in seen.opened if Path(each) in self._sources())
        name = "with_a_touch" if self.touches else "without_a_touch"
        visits = self.totals.get("visits", 0)
        verdict.facts[name] = {"visits": visits, "opened": opened}
        if not self.touches and (visits or opened):
            verdict.problems.append(
                Message("without a touch: {visits} visits, opened: {files}", visits=visits, files=", ".join(opened))
                if opened
                else Message("without a touch: {visits} visits, and nothing was opened", visits=visits)
            )
        if self.touches and visits != 1:
            verdict.problems.append(Message("with one touch: {visits} visits", visits=visits))
        if self.touches and self.strace and len(opened) != 2:
            verdict.problems.append(
                Message("with a touch camera and microphone were not both opened: nothing was to be seen")
            )

    def _sources(self) -> set[Path]:
        return {self.folder / "clip.avi", self.folder / "clip.wav"}

    def judge(self, verdict: Verdict) -> None:
        """What was seen against what is allowed."""
        seen = self._seen()
        if self.exit_code != 0:
            tail = self.output[-400:].decode("utf-8", "replace")
            verdict.problems.append(
                Message("the box did not run to the end (exit code {code}): {tail}", code=self.exit_code, tail=tail)
            )
        for path in sorted(seen.written):
            if not self._may_write(path):
                verdict.problems.append(Message("written outside of the allow-list: {path}", path=path))
        allowed = {self.server.address.removeprefix("tcp://")}
        for address in sorted(seen.contacted | {each for each in seen.listened if not each.startswith(_LOOPBACK)}):
            if address not in allowed and not address.startswith("unix:@") and not self._is_own(address, seen):
                verdict.problems.append(Message("contacted outside of the allow-list: {address}", address=address))
        for program in seen.started[1:]:
            verdict.problems.append(Message("another program was started: {program}", program=program))
        needles = needles_of(self.canary)
        files = sorted(path for path in self.data.rglob("*") if path.is_file())
        for file in files:
            verdict.problems += _contents(file.name, file.read_bytes(), needles)
            if file.name in _TABLES:
                verdict.problems += _columns(file)
        verdict.problems += [
            Message("in its messages: {problem}", problem=each)
            for each in _contents("output", self.output, needles, text=False)
        ]
        verdict.facts |= {
            "basis": self.basis,
            "seen_by": "strace" if self.strace else Message("Python's audit hook"),
            "calls": seen.calls,
            "visits": self.totals.get("visits", 0),
            "messages_sent": self.totals.get("put", 0),
            "files_written": sorted(self._shown(path) for path in seen.written),
            "addresses_contacted": sorted(seen.contacted),
            "addresses_listened_at": sorted(seen.listened),
            "files_searched": [
                Message("{name} ({size} bytes)", name=path.relative_to(self.data), size=path.stat().st_size)
                for path in files
            ],
        }
        if self.basis == "consent":
            self._judge_opened(verdict, seen)
        elif not self.totals.get("visits"):
            verdict.problems.append(
                Message("no visit took place, so that nothing was there to leak: hailong models fetch --demo")
            )
        verdict.cannot_check = [
            Message("what another clip, a longer time or another configuration would do;"),
            Message(
                "a picture or sound in a form that is not searched for, such as encrypted: the sealed running month is "
                "bounded by its constant size."
            ),
        ]
        if not self.strace and not self.touches:
            verdict.cannot_check.append(
                Message("files and sockets of native libraries, ZeroMQ's too: install strace and repeat.")
            )

    def _seen(self) -> Seen:
        if not self.trace.exists():
            return Seen()
        text = self.trace.read_text(encoding="utf-8", errors="replace").splitlines()
        if self.strace:
            return read_strace(text, Path.cwd())
        seen = Seen(started=["box"])
        for line in text:
            kind, what = json.loads(line)
            seen.calls += 1
            if kind == "write":
                seen.written.add(str(Path(what).absolute()))
            elif kind == "contact":
                seen.contacted.add(what)
            else:
                seen.started.append(what)
        return seen

    def _may_write(self, path: str) -> bool:
        if path in ("/dev/null", "/dev/tty", "/dev/zero", str(self.trace)) or path.startswith(
            ("/proc/self/", "pipe:", "socket:")
        ):
            return True
        place = Path(path)
        if place.parent == self.memory:
            return place.name.startswith(("hailong-month-", "hailong-sheets-"))
        names = (
            r"(outbox|release)\.sqlite3(-wal|-shm|-journal)?|release\.(sealed|demo-key)(\.part)?|sent\.record|"
            + re.escape(IN_USE)
        )
        return place.parent == self.data and re.fullmatch(names, place.name) is not None

    def _is_own(self, address: str, seen: Seen) -> bool:
        """ZeroMQ and asyncio wake their own threads over sockets of the process itself."""
        return address in seen.listened and address.startswith(_LOOPBACK)

    def _shown(self, path: str) -> str:
        return path.replace(str(self.folder), "FOLDER").replace(str(self.memory), "MEMORY")


def _contents(name: str, data: bytes, needles: Needles, text: bool = True) -> list[Sentence]:
    """Pictures, sounds and text in a file's bytes."""
    found: list[Sentence] = [
        Message("{name} holds the canary's {form}", name=name, form=figure_words(form))
        for form, strings in needles.forms.items()
        if any(each in data for each in strings)
    ]
    found += [
        Message("{name} holds what begins like a {kind}", name=name, kind=kind)
        for kind, pattern in _MAGIC.items()
        if pattern.search(data)
    ]
    if text:
        for match in _SENTENCE.finditer(data.decode("utf-8", "ignore")):
            if not _OWN_WORDS.search(match[0]):
                found.append(Message("{name} holds text of {count} characters", name=name, count=len(match[0])))
                break
    return found


def _columns(path: Path) -> list[Sentence]:
    """Tables and columns of a box's store that it does not have by design: a precise time or a level would lie there
    without looking like a picture."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            tables = [
                name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
            ]
            found = {
                f"{table}.{row[1]}" for table in tables for row in database.execute(f'PRAGMA table_info("{table}")')
            }
    except sqlite3.Error as error:
        return [Message("{name} cannot be read ({error})", name=path.name, error=type(error).__name__)]
    known = {f"{table}.{column}" for table, columns in _TABLES[path.name].items() for column in columns.split()}
    return [
        Message("{name} has a column of its own: {column}", name=path.name, column=each)
        for each in sorted(found - known - _SQLITES_OWN)
    ]


def _legal(basis: str) -> str:
    if basis == "consent":
        return 'basis = "consent"'
    today = day_date(day_at(time.time()))
    return (
        'basis = "state_activity"\ndecision_number = "1/QĐ"\noffice = "Audit"\ncomplaints = "Audit"\n'
        f"decision_date = {today}\nlast_check = {today}"
    )


def _write_clip(canary: Canary, path: Path) -> None:
    """The canary's picture as a film: empty, then a face for most of it, then empty."""
    import av

    empty = np.full((HEIGHT_PX, WIDTH_PX, 3), 110, np.uint8)
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mjpeg", rate=RATE_HZ)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuvj420p"
        stream.options = {"qmin": "1", "qmax": "1"}
        for number in range(CLIP_S * RATE_HZ):
            there = RATE_HZ < number < (CLIP_S - 3) * RATE_HZ
            picture = np.roll(canary.frame, number % 3, axis=1) if there else empty
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        film.mux(stream.encode())


def _write_sound(canary: Canary, path: Path) -> None:
    samples = np.tile(canary.sound, 1 + CLIP_S * SAMPLE_RATE_HZ // len(canary.sound))[: CLIP_S * SAMPLE_RATE_HZ]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes())


_CONFIG = """
[box]
data_dir = "{folder}/box"
agency_label = "Audit"
demo = true

[camera]
source = "{folder}/clip.avi"

[microphone]
source = "{folder}/clip.wav"

[notice]
confirmed = true
contact = "Audit"

[legal]
{legal}

[privacy]
demo = true
clerks_per_box = 2
demo_pulse_s = 5

[tablet]
port = 0

[server]
address = "{server}"
public_key = {public}
interval_s = 1.0
record = "{folder}/box/sent.record"
"""
