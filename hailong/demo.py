"""The whole path on one machine: a server, two edge boxes with keys of their own, real faces and real speech. One box
serves a hall: six counters of two agencies, two of them with a tablet alone; the other one counter.

  hailong demo                   runs until Ctrl-C; open the address that it prints
  hailong demo --once --json     one pass, one JSON object, exit code 0 only if what was sent is what was stored
  hailong demo --camera 0 --microphone
                                 your own camera and microphone at the first box (its tablet's address is printed)

Films made from portraits and recordings of real people (`hailong/demo_media.toml`: origin and terms) are played to
the boxes as if by a camera and a microphone; citizens who rate on the tablet are simulated. Periods are shortened:
seconds for a pulse; evidence closes at the end. Everything lies in one folder, so that the audits can be run on it:
hailong audit wire .demo/box-1/sent.record --demo, and so on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from edge.perception.scrub import ENVIRONMENT
from hailong.demo_result import PROVINCE, open_store, result_of, stored, summary
from pipeline.errors import ConfigError
from pipeline.language import Message, Number, in_language
from pipeline.language.console import console_language, say
from pipeline.stopping import StopRequest

if TYPE_CHECKING:
    from hailong.demo_citizens import Citizens, QueueSystem
    from hailong.demo_media import Script

AGENCIES = (
    ("so-tu-phap", "Sở Tư pháp (trình diễn)", "Department of Justice (demo)"),
    ("phuong-minh-xuan", "UBND phường Minh Xuân (trình diễn)", "Minh Xuan Ward (demo)"),
)
HALL = {"1": 0, "2": 0, "3": 0, "4": 1, "5": 1, "6": 1}
"""The counters of the first box: whose each is."""
FILMED = {"1": 1, "2": 2, "4": 2, "5": 1}
"""Which film is played at which of them; the others have a tablet alone."""
VISITS = 7
END_S = 4.0
"""So long after its film a pass of `--once` ends."""
TOKEN = "demo-queue-token-0123456789"  # noqa: S105  (of a demo that listens on this machine only)


@dataclass(frozen=True, slots=True)
class Sources:
    """What the first box sees and hears: None, the film."""

    camera: str | None
    microphone: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--once", action="store_true", help="one pass of the films, then end")
    parser.add_argument("--prepare", action="store_true", help="only make the films, once, and stop")
    parser.add_argument("--json", action="store_true", help="with --once: print one JSON object at the end")
    picture = parser.add_mutually_exclusive_group()
    picture.add_argument("--camera", type=int, metavar="N", help="your own camera, by its number")
    picture.add_argument("--rtsp", metavar="URL", help="your own network camera")
    picture.add_argument("--video", type=Path, metavar="FILE", help="your own film (its sound is heard, too)")
    sound = parser.add_mutually_exclusive_group()
    sound.add_argument("--microphone", action="store_true", help="your own microphone (the default device)")
    sound.add_argument("--audio", type=Path, metavar="FILE", help="your own recording")
    parser.add_argument("--port", type=int, help="port of the dashboard (default: 8080 or a free one)")
    parser.add_argument(
        "--dir", type=Path, default=Path(".demo"), metavar="DIR", help="folder of the demo's files, emptied (.demo)"
    )


def own_sources(args: argparse.Namespace) -> Sources:
    """The user's sources. Raises `ConfigError` for a file that is not there."""
    for path in (args.video, args.audio):
        if path is not None and not path.exists():
            raise ConfigError(Message("There is no file {path}.", path=path), Message("Check the path."))
    camera = next((str(value) for value in (args.camera, args.rtsp, args.video) if value is not None), None)
    sound = "default" if args.microphone else args.audio or args.video
    return Sources(str(args.video.resolve()) if args.video else camera, None if sound is None else str(sound))


def prepare_films(announce: Callable[[Message], None]) -> list[Path]:
    """The counters' films; made on first use."""
    from hailong.demo_media import film_file, scripts

    films = []
    for number, script in enumerate(scripts(VISITS), start=1):
        announce(
            Message(
                "film {number}: {count} made-up visits of real faces and voices ({length} s)",
                number=number,
                count=VISITS,
                length=Number(script.duration_s),
            )
        )
        films.append(film_file(script))
    return films


class Demo:
    """One demo: its folder, its processes, its citizens. `run` returns the result."""

    def __init__(self, folder: Path, sources: Sources, once: bool, port: int | None) -> None:
        self.folder = folder.resolve()
        self.once = once
        self._sources = sources
        self._port = port if port is not None else _free_port(8080)
        self._ingest_port, self._enrol_port = _free_port(), _free_port()
        self._stop = threading.Event()
        self._asked_to_stop = StopRequest()
        self._children: list[subprocess.Popen[str]] = []
        self._logs: list[IO[str]] = []
        self._boxes: dict[int, int] = {}
        # the running months' keys lie in memory, as a service's runtime directory does, and go with the demo
        shared = Path("/dev/shm")  # noqa: S108  (a folder of our own, mode 0700)
        self._memory = tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None, prefix="hailong-demo-")
        self._begun_s = time.monotonic()

    @property
    def dashboard(self) -> str:
        """The dashboard's address."""
        return f"http://127.0.0.1:{self._port}/"

    def announce(self, sentence: Message) -> None:
        """Say what is happening, and how many seconds after the beginning."""
        since = f"[{time.monotonic() - self._begun_s:5.1f} s] "
        print(since + in_language(sentence, console_language()), file=sys.stderr, flush=True)

    def run(self) -> dict[str, Any]:
        """The whole demo."""
        try:
            return self._run()
        finally:
            self._stop.set()
            for child in self._children:
                if child.poll() is None:
                    child.terminate()
            for child in self._children:
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    child.kill()
            for log in self._logs:
                log.close()
            self._memory.cleanup()

    def _run(self) -> dict[str, Any]:
        from hailong.demo_citizens import QueueSystem
        from hailong.demo_media import scripts

        _empty(self.folder)
        films = prepare_films(self.announce)
        self._set_up_server()
        server = self._spawn("server", "server", "run", "--demo", "--insecure-cookies", "--port", str(self._port))
        self._wait_for_page(server)
        self.announce(Message("DASHBOARD  {address}", address=self.dashboard))
        boxes = [self._set_up_hall(films), self._set_up_box(2, films[1])]
        played = scripts(VISITS)
        running = [self._start_box(number, config) for number, config in enumerate(boxes, start=1)]
        citizens = [
            self._start_citizens(played[film - 1], f"{running[0][1]}/quay/{counter}/")
            for counter, film in FILMED.items()
            if counter != "1" or self._sources.camera is None
        ]
        citizens.append(self._start_citizens(played[1], f"{running[1][1]}/", QueueSystem(running[1][1], TOKEN)))
        self._watch([child for child, _ in running], self._length_s() + END_S if self.once else float("inf"))
        self._stop.set()
        for each in citizens:
            each.join(15)
        totals = [self._finish_box(child) for child, _ in running]
        records = {box: self.folder / f"box-{number}" / "sent.record" for number, box in self._boxes.items()}
        return result_of(self.folder, records, totals, time.monotonic() - self._begun_s)

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "hailong", *words]

    def _server_words(self, *words: str) -> tuple[str, ...]:
        return (*words, "--data-dir", str(self.folder / "server"))

    def _do(self, *words: str) -> dict[str, Any]:
        """Run a command to its end; its JSON. Raises `ConfigError` with what it said."""
        done = subprocess.run(self._command(*words), capture_output=True, text=True)
        if done.returncode:
            raise ConfigError(
                Message(
                    "`hailong {words}` failed: {stderr}", words=" ".join(words[:2]), stderr=done.stderr.strip()[-800:]
                )
            )
        found: dict[str, Any] = json.loads(done.stdout or "{}")
        return found

    def _spawn(self, name: str, *words: str) -> subprocess.Popen[str]:
        """Start a command that runs on; what it says on standard error goes to `NAME.log` in the demo's folder."""
        log = (self.folder / f"{name}.log").open("w")
        self._logs.append(log)
        full = self._server_words(*words) if name == "server" else words
        # a session of its own: Ctrl-C reaches the demo, which ends its children in order
        child = subprocess.Popen(
            self._command(*full),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            env={**os.environ, **ENVIRONMENT, "RUNTIME_DIRECTORY": self._memory.name},
        )
        self._children.append(child)
        return child

    def _set_up_server(self) -> None:
        self.announce(Message("server: SQLite, keys, a made-up province of two agencies"))
        data = self.folder / "server"
        data.mkdir(parents=True)
        (data / "server.toml").write_text(
            f'demo = true\n[ingest]\naddress = "tcp://127.0.0.1:{self._ingest_port}"\nenrol_address = "tcp://127.0.0.1:{self._enrol_port}"\n',
            encoding="utf-8",
        )
        names = ("--name", "Tỉnh trình diễn", "--name-en", "Demo Province")
        made = self._do(*self._server_words("server", "init", "--province", PROVINCE, *names, "--simulated", "--json"))
        self._server_key = str(made["server_key"])
        tables = {
            "levels": "code,name_vi,name_en,rank\ntinh,Cấp tỉnh,Province,1\nxa,Cấp xã,Commune,2\n",
            "agencies": "code,name_vi,name_en,level\n"
            + "".join(f"{code},{vi},{en},{level}\n" for (code, vi, en), level in zip(AGENCIES, ("tinh", "xa"),
            strict=True)),
            "service_groups": "number,name_vi,name_en\n1,Hộ tịch,Civil status\n2,Chứng thực,Certification\n",
        }  # fmt: skip
        for kind, text in tables.items():
            path = data / f"{kind}.csv"
            path.write_text(text, encoding="utf-8")
            self._do(*self._server_words("server", "import", kind, str(path), "--json"))
        if not self.once:
            self._past_answers()

    def _past_answers(self) -> None:
        """Simulated answers of earlier quarters: today's are nobody's figure until the day is over."""
        from server.core.provinces import find_province
        from server.simulation.past import simulate_past
        from server.store.engine import write

        engine = open_store(self.folder)
        try:
            with write(engine) as connection:
                made = simulate_past(connection, find_province(connection, PROVINCE).province_id)
        finally:
            engine.dispose()
        self.announce(
            Message(
                "{count} simulated answers of earlier quarters: the dashboard shows these; today's come tomorrow",
                count=Number(made),
            )
        )

    def _wait_for_page(self, server: subprocess.Popen[str]) -> None:
        for _ in range(600):
            if server.poll() is not None:
                raise ConfigError(
                    Message("The server did not start."), Message("See {folder}.", folder=self.folder / "server.log")
                )
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        threading.Thread(target=_drain, args=(server,), daemon=True).start()

    def _set_up_hall(self, films: Sequence[Path]) -> Path:
        """Enrol the hall's box, with a pool for each agency; returns its configuration."""
        pools = [
            f"{code}={number}:{list(HALL.values()).count(number - 1)}"
            for number, (code, _, _) in enumerate(AGENCIES, start=1)
        ]
        home, code = self._enrol(1, AGENCIES[0][0], *(word for pool in pools for word in ("--pool", pool)))
        tables = [
            f'[[privacy.pools]]\nnumber = {number}\nagency = "{agency}"\n'
            for number, (agency, _, _) in enumerate(AGENCIES, start=1)
        ]
        for name, agency in HALL.items():
            tables.append(f'[[counter]]\nname = "{name}"\nlabel = "Quầy {name}"\nagency = "{AGENCIES[agency][0]}"\n')
            tables.append(f"agency_label = {json.dumps(AGENCIES[agency][1], ensure_ascii=False)}\n")
            if name in FILMED:
                own = self._sources if name == "1" else Sources(None, None)
                # no two counters have the same camera
                film = home / f"quay-{name}.mp4"
                shutil.copy(films[FILMED[name] - 1], film)
                tables.append(self._sources_of(own, film, "counter."))
        return self._configure(1, home, code, "Trung tâm Phục vụ hành chính công (trình diễn)", "".join(tables))

    def _set_up_box(self, number: int, film: Path) -> Path:
        """Enrol a box of one counter, where a queue system calls; returns its configuration."""
        home, code = self._enrol(number, AGENCIES[number - 1][0], "--clerks", "2")
        token = home / "queue.token"
        token.touch(0o600)
        token.write_text(TOKEN, encoding="ascii")
        queue = f'[visit]\nby = "queue"\n[queue]\nenabled = true\ntoken_file = "{token}"\n'
        tables = self._sources_of(Sources(None, None), film) + queue
        return self._configure(number, home, code, AGENCIES[number - 1][1], tables, "clerks_per_box = 2")

    def _enrol(self, number: int, agency: str, *words: str) -> tuple[Path, str]:
        """A new box at the server: its folder, and its one-time code."""
        label = ("--label", f"Hộp {number}", "--demo", "--json")
        enrolled = self._do(*self._server_words("server", "enroll", "--agency", agency, *words, *label))
        self._boxes[number] = int(enrolled["box"])
        home = self.folder / f"box-{number}"
        home.mkdir()
        return home, str(enrolled["code"])

    def _sources_of(self, own: Sources, film: Path, of: str = "") -> str:
        """The tables of a counter's camera and microphone: the user's, or a film."""
        from hailong.demo_media import REGION

        camera = own.camera or str(film)
        sound = own.microphone or (str(film) if own.camera is None else "none")
        region = [] if own.camera else [list(corner) for corner in REGION]
        loop = "false" if self.once else "true"
        return f"""[{of}camera]
source = {camera if camera.isdigit() else json.dumps(camera)}
region = {json.dumps(region)}
loop = {loop}
[{of}microphone]
source = {json.dumps(sound)}
loop = {loop}
"""

    def _configure(self, number: int, home: Path, code: str, name: str, tables: str, privacy: str = "") -> Path:
        """Write a box's configuration and enrol it; `tables`: of its counters."""
        config = home / "edge.toml"
        config.write_text(
            f"""# A box of the demo. Periods are of seconds; the server takes them from demo boxes only.
[box]
data_dir = "data"
agency_label = {json.dumps(name, ensure_ascii=False)}
technician_port = 0
demo = true
[notice]
confirmed = true
contact = "Bàn hướng dẫn (trình diễn)"
[legal]
basis = "consent"
[privacy]
demo = true
{privacy}
demo_pulse_s = 10
demo_evidence_s = {3600 if self.once else 60}
[tablet]
port = 0
[server]
address = "tcp://127.0.0.1:{self._ingest_port}"
enrol_address = "tcp://127.0.0.1:{self._enrol_port}"
public_key = "{self._server_key}"
interval_s = 1.0
demo_rating_s = 5.0
record = "{home / "sent.record"}"
{tables}""",
            encoding="utf-8",
        )
        self._do("keys", "enroll", "--config", str(config), "--code", code, "--json")
        self.announce(Message("box {number}: own keys, enrolled for {agency}", number=number, agency=name))
        return config

    def _start_box(self, number: int, config: Path) -> tuple[subprocess.Popen[str], str]:
        child = self._spawn(f"box-{number}", "edge", "run", "--config", str(config), "--json", "--flush-s", "30")
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise ConfigError(
                Message("Box {number} did not start.", number=number),
                Message("See {folder}.", folder=self.folder / f"box-{number}.log"),
            )
        address = str(json.loads(line)["tablet"])
        pages = [f"/quay/{name}/" for name in HALL] if number == 1 else ["/"]
        self.announce(
            Message(
                "box {number} looks and listens where somebody agrees. TABLETS  {pages}",
                number=number,
                pages=address + " ".join(pages),
            )
        )
        return child, address

    def _start_citizens(self, script: Script, address: str, queue: QueueSystem | None = None) -> Citizens:
        from hailong.demo_citizens import Citizens

        citizens = Citizens(script, address, queue, self._stop, self.announce, again=not self.once)
        citizens.start()
        return citizens

    def _length_s(self) -> float:
        """Length of one pass: a box whose camera is closed until somebody agrees does not know when a film ends."""
        from edge.capture.media_file import length_s
        from hailong.demo_media import scripts

        films = [script.duration_s for script in scripts(VISITS)]
        own = self._sources.camera
        return max(*films, (length_s(own) or 0.0) if own is not None and Path(own).is_file() else 0.0)

    def _watch(self, boxes: list[subprocess.Popen[str]], for_s: float) -> None:
        """Tell what arrives at the server until the boxes end, so many seconds have passed, or the user ends it."""
        end_s = time.monotonic() + for_s
        self._asked_to_stop.listen()  # from here on Ctrl-C is an orderly end
        if not self.once:
            self.announce(
                Message("runs until Ctrl-C; evidence closes every minute. Rate on a tablet yourself, if you like.")
            )
        told: tuple[int, ...] = ()
        while (
            not self._asked_to_stop.wait(1.0) and any(box.poll() is None for box in boxes) and time.monotonic() < end_s
        ):
            found = stored(self.folder)
            arrived = tuple(found[name] for name in ("pulse", "evidence", "ratings"))
            if arrived != told:
                told = arrived
                self.announce(
                    Message(
                        "server has stored: {pulses} pulses, {evidence} evidence tables, {ratings} ratings",
                        pulses=Number(arrived[0]),
                        evidence=Number(arrived[1]),
                        ratings=Number(arrived[2]),
                    )
                )

    def _finish_box(self, child: subprocess.Popen[str]) -> dict[str, Any]:
        if child.poll() is None:
            child.terminate()
        output, _ = child.communicate(timeout=60)
        lines = [line for line in output.splitlines() if line.startswith("{")]
        if child.returncode or not lines:
            raise ConfigError(
                Message("A box ended with an error."), Message("See the logs in {folder}.", folder=self.folder)
            )
        totals: dict[str, Any] = json.loads(lines[-1])
        return totals


def _drain(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    for _ in child.stdout:
        pass


def _free_port(preferred: int = 0) -> int:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", preferred))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _empty(folder: Path) -> None:
    """Empty an earlier demo's folder. Raises `ConfigError` for a folder with other things in it."""
    mark = folder / "THIS-IS-A-DEMO"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise ConfigError(
            Message("{folder} holds other files.", folder=folder), Message("Name another folder by --dir.")
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mark.touch()


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.prepare:
        prepare_films(lambda sentence: say(sentence, aside=True))
        return 0
    if args.json and not args.once:
        raise ConfigError(Message("--json needs --once."), Message("The demo otherwise runs until Ctrl-C."))
    demo = Demo(args.dir, own_sources(args), args.once, args.port)
    result = demo.run()
    if args.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        print(summary(result, demo.folder))
    return 0 if result["sent_is_stored"] else 1
