"""A bare Debian with its own systemd, booted in a container: where an installation is tried as somebody meets it.

Needs root, `debootstrap` and `systemd-nspawn` (Debian packages debootstrap, systemd-container), and for the first run a
Debian mirror. The tree is made once and kept; each container works on a layer above it that is thrown away. It has a
network name space of its own, which the host's server may join (`Container.beside`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

CACHE = Path(os.environ.get("HAILONG_FIELD_CACHE", "/var/tmp/hailong-field"))
PACKAGES = ("systemd", "systemd-sysv", "dbus", "iproute2", "python3", "python3-venv", "libportaudio2")
"""What a box's machine has: a Debian that boots, Python with venv (docs/operation.md), PortAudio for microphones."""
_BOOT_S = 90
_IN_MEMORY_GB = 9
"""A container's layer lies in memory where the machine has so much free, and half as much again."""
SERVER = "192.0.2.1"
"""Where the host's server listens in the container's network (RFC 5737)."""


def missing() -> str:
    """What this machine lacks for it, in words; empty where it lacks nothing."""
    if os.geteuid() != 0:
        return "it needs root"
    for program in ("debootstrap", "systemd-nspawn", "nsenter", "ip"):
        if shutil.which(program) is None:
            return f"there is no {program} (apt install debootstrap systemd-container iproute2)"
    return ""


def layers(suite: str = "bookworm", more: tuple[str, ...] = ()) -> list[Path]:
    """Folders to lay one above the other, the uppermost first: what `more` packages brought, and the bare Debian. Made
    by debootstrap and apt where they are not there yet; whoever comes second waits."""
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    tree = CACHE / suite
    with _making(tree) as is_needed:
        if is_needed:
            include = "--include=" + ",".join(PACKAGES)
            _do("debootstrap", "--variant=minbase", include, suite, str(tree))
            (tree / "etc/machine-id").write_text("", encoding="ascii")
    if not more:
        return [tree]
    above = CACHE / "+".join((suite, *more))
    with _making(above) as is_needed:
        if is_needed:
            above.mkdir()
            _add_packages(tree, above, more)
    return [above, tree]


@contextmanager
def _making(folder: Path) -> Iterator[bool]:
    """Whether it is to be made; it counts as made where the block ends well."""
    with (CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_needed = not (folder / ".complete").exists()
        if is_needed:
            shutil.rmtree(folder, ignore_errors=True)
        yield is_needed
        (folder / ".complete").touch()


def _add_packages(tree: Path, above: Path, packages: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as name, ExitStack() as undo:
        work, root = Path(name, "layer"), Path(name, "root")
        work.mkdir()
        root.mkdir()
        _do("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={tree},upperdir={above},workdir={work}", str(root))
        undo.callback(_do, "umount", str(root))
        no_start = root / "usr/sbin/policy-rc.d"  # whoever installs in a change of root is to start nothing
        no_start.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        no_start.chmod(0o755)
        undo.callback(no_start.unlink)
        apt = ["env", "DEBIAN_FRONTEND=noninteractive", "chroot", str(root), "apt-get", "--yes", "--quiet"]
        _do(*apt, "update")
        _do(*apt, "install", "--no-install-recommends", *packages)
        _do(*apt, "clean")


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}")


class Container:
    """One booted Debian: `with Container("box") as box: box.run("systemctl", "is-system-running")`."""

    def __init__(
        self,
        name: str,
        suite: str = "bookworm",
        more: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._name = f"hailong-{name}-{os.getpid()}"
        self.suite, self._more = suite, more
        self._environment = dict(environment or {})
        """Of its first process, systemd."""
        self._work = CACHE / self._name
        self.root = self._work / "root"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Container:
        with ExitStack() as undo:
            self._work.mkdir(parents=True)
            undo.callback(shutil.rmtree, self._work)
            if psutil.virtual_memory().available > 1.5e9 * _IN_MEMORY_GB:
                _do("mount", "-t", "tmpfs", "-o", f"mode=0755,size={_IN_MEMORY_GB}G", "tmpfs", str(self._work))
                undo.callback(_do, "umount", "--lazy", str(self._work))
            for folder in ("upper", "layer", "root"):
                (self._work / folder).mkdir()
            below = ":".join(map(str, layers(self.suite, self._more)))
            where = f"lowerdir={below},upperdir={self._work}/upper,workdir={self._work}/layer"
            _do("mount", "-t", "overlay", "overlay", "-o", where, str(self.root))
            undo.callback(_do, "umount", "--lazy", str(self.root))
            _do("ip", "netns", "add", self._name)
            undo.callback(_do, "ip", "netns", "delete", self._name)
            _do("ip", "-n", self._name, "link", "set", "lo", "up")
            # an address that is not the machine's own loopback, for the unit's allow-list of addresses
            _do("ip", "-n", self._name, "address", "add", f"{SERVER}/32", "dev", "lo")
            undo.callback(self.halt)
            self.boot()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def boot(self) -> None:
        """Start it; returns when its systemd has started what it starts."""
        command = [
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--directory", str(self.root),
            f"--network-namespace-path=/run/netns/{self._name}", f"--machine={self._name}", "--console=read-only",
            "--kill-signal=SIGRTMIN+3", *(f"--setenv={name}={value}" for name, value in self._environment.items()),
        ]  # fmt: skip
        environment = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        with (self._work / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        end_s = time.monotonic() + _BOOT_S
        said = "nothing"
        while time.monotonic() < end_s:
            time.sleep(0.5)
            children = subprocess.run(
                ["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True
            ).stdout.split()
            self._leader = int(children[0]) if children else 0
            if self._leader:
                said = self.run("systemctl", "is-system-running", check=False).strip()
                if said in ("running", "degraded"):
                    return
        raise AssertionError(
            f"the container does not boot ({said}): {(self._work / 'console.log').read_text()[-2000:]}"
        )

    def halt(self) -> None:
        """Stop it in order, as `poweroff` does."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def cut_power(self) -> None:
        """Stop it as a power cut does: nothing is asked, nothing in memory is left."""
        assert self._process is not None
        os.kill(self._leader, 9)
        self._process.wait(30)

    def run(self, *command: str, check: bool = True, timeout_s: float = 900) -> str:
        """Run a command inside as root; returns what it said, on both channels."""
        inside = ["nsenter", "--target", str(self._leader), "--all", "--wdns=/", "--", "env", "-i"]
        inside += ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LC_ALL=C.UTF-8"]
        done = subprocess.run(
            [*inside, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout[-3000:]}")
        return done.stdout

    def beside(self, *command: str) -> list[str]:
        """A command of the host, in the container's network."""
        return ["ip", "netns", "exec", self._name, *command]

    def put(self, source: Path, target: str) -> None:
        """Copy a file inside."""
        place = self.root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
