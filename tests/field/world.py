"""What surrounds a box in the field tests: a server on the host that joins the container's network, bundles of this
checkout (good, newer, and two that must be returned), and a log of what was seen."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from edge.deploy.archive import unpack
from edge.deploy.bundle import Target, lock_entries, write_bundle
from pipeline.keys import KEY_FILE_NAME, KeyPair, load_keys, new_keys, save_keys, verify
from tests.edge.deploy.test_deploy import SMALL
from tests.field.container import CACHE, SERVER, Container

ROOT = Path(__file__).parents[2]
AT_WORK = SMALL | {
    "anyio", "click", "deprecated", "h11", "idna", "jinja2", "markupsafe", "opendp", "python-multipart", "pyzmq",
    "segno", "starlette", "uvicorn", "wrapt",
}  # fmt: skip
"""Enough for a box at work without camera and microphone: built in a third of the time of the whole lock file, which
the first release of every test has."""
_MAIN = "import sys; from hailong.cli import main; sys.exit(main())"
_begun_s = time.monotonic()


def processor_s() -> float:
    """Processor time so far (seconds) of this process and of all that it started, what runs in containers included."""
    here, total_s = psutil.Process(), 0.0
    for process in (here, *here.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total_s += sum(process.cpu_times()[:4])  # its own and that of the children it waited for, user and system
    return total_s


def tell(text: str) -> None:
    """A line of the log that goes to docs/field.md, with the time since the start and the processor's."""
    times = f"[{time.monotonic() - _begun_s:6.1f} s, {processor_s():5.1f} s]"
    line = f"{times} {text.removeprefix('hailong edge update: ')}"
    print(line, flush=True)
    if log := os.environ.get("HAILONG_FIELD_LOG"):  # workers' output is shown at a run's end, and where it failed
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(f"{os.environ.get('PYTEST_XDIST_WORKER', '')} {line}\n")


def hailong(*arguments: str) -> list[str]:
    """The command of this checkout, on the host."""
    return [sys.executable, "-c", _MAIN, *arguments]


def host(*arguments: str) -> dict[str, Any]:
    """Run a command of this checkout on the host; returns its JSON."""
    done = subprocess.run(hailong(*arguments, "--json"), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


def wait_for(what: str, holds: Callable[[], object], within_s: float = 60) -> None:
    """Wait until something holds, or fail in words."""
    end_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end_s, f"{what}: not within {within_s:.0f} s"
        time.sleep(1)


class FieldServer:
    """A province's server of this checkout, in the container's network at `SERVER`."""

    def __init__(self, folder: Path) -> None:
        self._where = ["--data-dir", str(folder)]
        made = host("server", "init", "--province", "thu", "--name", "Tỉnh Thử", *self._where)
        self.key = str(made["server_key"])
        (folder / "server.toml").write_text(
            f'[web]\nport = 8080\n[ingest]\naddress = "tcp://{SERVER}:5870"\nenrol_address = "tcp://{SERVER}:5871"\n'
        )
        for kind, text in (
            ("levels", "code,name_vi,rank\nct,Cấp tỉnh,1\n"),
            ("agencies", "code,name_vi,level\nso-tu-phap,Sở Tư pháp,ct\n"),
        ):
            (folder / f"{kind}.csv").write_text(text, encoding="utf-8")
            host("server", "import", kind, str(folder / f"{kind}.csv"), *self._where)
        self._log = folder / "server.log"

    @contextmanager
    def running(self, network: Container) -> Iterator[FieldServer]:
        """Serve until the block ends."""
        with self._log.open("ab") as log:
            server = subprocess.Popen(
                network.beside(*hailong("server", "run", *self._where)), stdout=log, stderr=log, cwd=ROOT
            )
            try:
                wait_for("the server runs", lambda: "Boxes: " in self._log.read_text("utf-8"), 240)
                yield self
            finally:
                server.terminate()
                server.wait(30)

    def enrol(self, *options: str) -> str:
        """A new box's one-time code."""
        made = host("server", "enroll", "--agency", "so-tu-phap", "--clerks", "2", *options, *self._where)
        return str(made["code"])

    def offer(self, bundle: Path, trust: str) -> str:
        """Offer a bundle to all boxes, of which the pilot is one; returns the release's number."""
        for (box_id,) in self._ask("SELECT id FROM boxes"):
            host("server", "offer", "--ring", "pilot", "--box", str(box_id), *self._where)
        return str(host("server", "offer", "--bundle", str(bundle), "--trust", trust, *self._where)["release"])

    def standing(self) -> tuple[str, int, str]:
        """The release that the box told last, how it stands with another, and with which."""
        return self._ask("SELECT release, state, about FROM box_standings")[0]

    def heartbeat(self) -> tuple[int, int] | None:
        """State of the box as its last heartbeat told it, and when that came (seconds)."""
        found = self._ask("SELECT state, received_s FROM heartbeats")
        return (int(found[0][0]), int(found[0][1])) if found else None

    def releases(self) -> int:
        """How many releases are stored."""
        return int(self._ask("SELECT count(*) FROM releases")[0][0])

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        store = f"file:{self._where[1]}/store.sqlite?mode=ro"
        with contextlib.closing(sqlite3.connect(store, uri=True)) as connection:
            return connection.execute(query).fetchall()


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder `name` of this checkout's in the cache, filled by `make` where it is not there yet; what was made of
    another checkout goes. Whoever comes second waits."""
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = CACHE / f"{name}-{_checkout()}"
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / ".complete").exists():
            for old in CACHE.glob(f"{name}-*/"):
                shutil.rmtree(old)
            made.mkdir()
            make(made)
            (made / ".complete").touch()
    return made


def _checkout() -> str:
    """Of what a bundle is made of: the files that go into the project's wheel, and the lock files (16 hex digits)."""
    digest = hashlib.sha256()
    for top in sorted(ROOT.iterdir()):
        if top.name.startswith(".") or top.name in ("build", "tests", "docs") or top.suffix == ".egg-info":
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _make_bundle(python: str, folder: Path) -> None:
    save_keys(new_keys("server"), folder / "signing")
    words = ["edge", "bundle", "--keys", str(folder / "signing"), "--python", python]
    (folder / "made.json").write_text(json.dumps(host(*words, "--out", str(folder / "first.tar"))))


class Bundles:
    """A bundle of this checkout for boxes of that Python, and others made of it, all signed by one key, `trust`."""

    def __init__(self, folder: Path, python: str = "3.11") -> None:
        made = made_once(f"bundle-{python}", partial(_make_bundle, python))
        self.made = json.loads((made / "made.json").read_text())
        self._folder, self._target = folder, Target(python=python)
        self._keys = keys = load_keys(made / "signing" / KEY_FILE_NAME, "server")
        self.trust = keys.signing_public_z85
        self.first, self.installer = folder / "first.tar", folder / "install.sh"
        shutil.copyfile(made / "first.tar", self.first)
        shutil.copyfile(made / "install.sh", self.installer)
        self._content = folder / "content"
        self._content.mkdir()
        self._manifest = unpack(self.first, keys.signing_public, self._content, verify)

    def another(
        self,
        version: str,
        change: Callable[[str], str] | None = None,
        keys: KeyPair | None = None,
        packages: Set[str] = AT_WORK,
        module: str = "edge/commands/run.py",
    ) -> Path:
        """A bundle of another version; `change`: of the text of a module, the program that runs a box where none is
        named. `packages`: those that it has; all for the empty set."""
        content = self._folder / "changed"
        shutil.copytree(self._content, content, copy_function=_link)
        if change is not None:
            (wheel,) = (content / "wheels").glob("hailong-*.whl")
            _change_member(wheel, module, change)
        if packages:
            lock = content / "requirements.lock"
            kept = {name: entry for name, entry in lock_entries(lock, self._target).items() if name in packages}
            assert packages == {*kept}, packages - {*kept}
            lock.unlink()  # it is a link to the other bundle's
            lock.write_text("".join(kept.values()), encoding="utf-8")
            names = {"hailong", *(name.replace("-", "_") for name in kept)}
            for wheel in (content / "wheels").glob("*.whl"):
                if wheel.name.partition("-")[0].lower() not in names:
                    wheel.unlink()
        bundle = self._folder / f"{version}.tar"
        write_bundle(content, bundle, version, self._manifest.platform, keys or self._keys, self._manifest.python)
        shutil.rmtree(content)
        return bundle


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _change_member(wheel: Path, name: str, change: Callable[[str], str]) -> None:
    members = {}
    with zipfile.ZipFile(wheel) as archive:
        members = {entry: archive.read(entry) for entry in archive.namelist()}
    changed = change(members.get(name, b"").decode("utf-8"))
    assert changed.encode() != members.get(name)
    members[name] = changed.encode()
    wheel.unlink()  # it is a link to the other bundle's
    with zipfile.ZipFile(wheel, "w") as archive:
        for entry, data in members.items():
            archive.writestr(entry, data)


def die_at_start(text: str) -> str:
    """A release that ends before it is at work."""
    return text.replace("    box = _begin(config, args.json)\n", '    raise RuntimeError("a broken release")\n', 1)


def die_at_work(text: str) -> str:
    """A release that comes up, says so, and ends six seconds later: only watching finds it."""
    old = "    while not stop.wait(0.2):\n"
    return text.replace(old, '    stop.wait(6)\n    raise RuntimeError("a broken release")\n' + old, 1)


def need_a_floor(text: str) -> str:
    """A release that does not start without a setting that none before it knows."""
    return text.replace("    agency_label:", "    floor: int\n    agency_label:", 1)


def guide_with(**changes: str) -> str:
    """The guide's own edge.toml with the right-hand sides of some lines changed."""
    text = (ROOT / "docs/guide/edge.toml").read_text(encoding="utf-8")
    for name, value in changes.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert count >= 1, name
    return text
