"""What the assistant does to a box: each thing by the very command that the documents name for it, so that there is one
decision in one place, and an installed box does it within its service's walls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from edge.config import EdgeConfig, load_config
from edge.config_text import write_config
from edge.counters import is_loopback
from edge.deploy.releases import Layout
from edge.deploy.service import has_systemd
from edge.deploy.unit import UNIT_NAME
from edge.tablet.app import page_base
from edge.tablet.pairing import pairing_of
from pipeline.errors import ConfigError, HailongError
from pipeline.language import Joined, Message

COMMAND_S = 300.0
"""The longest that one of them takes: a release's start is watched for less."""
_LINES = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One finding of `hailong edge check`, in words."""

    state: Literal["ok", "warning", "wrong", "skipped"]
    where: str
    text: str
    fix: str


@dataclass(frozen=True, slots=True)
class TabletPage:
    """A counter's page, and the code that its tablet is paired by; `code` is empty where it needs none (any more)."""

    counter: str
    address: str
    code: str
    paired: bool


class Hands(Protocol):
    """What does it."""

    def write(self, values: dict[str, Any]) -> None:
        """Write the configuration. Raises `HailongError`; then it is as it was."""

    def is_written(self, values: dict[str, Any]) -> bool:
        """Whether the configuration's file says these values."""

    def is_enrolled(self) -> bool:
        """Whether the box is enrolled at the server that its configuration names."""

    def enrol(self, code: str, lang: str) -> None:
        """Enrol the box. Raises `ConfigError`."""

    def check(self, lang: str) -> list[Row]:
        """Open everything, and tell what was found. Raises `ConfigError` where that could not be begun."""

    def start(self, lang: str) -> str:
        """Start the service; returns the command to type where this may not. Raises `ConfigError`."""

    def tablets(self) -> list[TabletPage]:
        """Where the tablets' pages are."""


class MachineHands:
    """This machine's. `path`: the box's edge.toml, absolute."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._layout = Layout(Path("/"))

    @property
    def is_service(self) -> bool:
        """Whether the configuration is that of the box which is installed on this machine, and root is here."""
        installed = self._layout.current.exists() and self._path == self._layout.config
        return installed and os.geteuid() == 0 and has_systemd(self._layout)

    def write(self, values: dict[str, Any]) -> None:
        """Write it; the service's unit with it."""
        write_config(values, self._path)
        if self.is_service:
            self._hailong(["edge", "apply", "--unit-only"], "en")

    def is_written(self, values: dict[str, Any]) -> bool:
        """Whether the file says so."""
        import tomllib

        try:
            return tomllib.loads(self._path.read_text("utf-8")) == values
        except (OSError, ValueError):
            return False

    def is_enrolled(self) -> bool:
        """Whether it is."""
        from edge.delivery.enrolment import load_enrolment

        try:
            load_enrolment(load_config(self._path))
        except HailongError:
            return False
        return True

    def enrol(self, code: str, lang: str) -> None:
        """By `hailong keys enroll`; the code goes by standard input, where no list of processes shows it."""
        self._hailong(["keys", "enroll", "--config", str(self._path), "--code", "-"], lang, code + "\n")

    def check(self, lang: str) -> list[Row]:
        """By `hailong edge check`."""
        done = self._run(["edge", "check", "--config", str(self._path), "--json"], lang)
        try:
            findings = json.loads(done.stdout)["findings"]
        except (ValueError, RecursionError, KeyError):
            raise self._failed(done) from None
        return [
            Row(each["state"], " · ".join(filter(None, (each["counter"], said["what"]))), said["text"], said["fix"])
            for each in findings
            for said in [each["said"]]
        ]

    def start(self, lang: str) -> str:
        """By `hailong edge apply` and systemd, where root is here."""
        if not self.is_service:
            if self._layout.current.exists() and self._path == self._layout.config:
                return f"hailong edge apply && systemctl enable --now {UNIT_NAME}"
            self._make_codes(load_config(self._path))
            return f"hailong edge run --config {self._path}"
        self._hailong(["edge", "apply"], lang)
        done = subprocess.run(
            ["systemctl", "enable", "--now", UNIT_NAME], capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        if done.returncode:
            raise ConfigError(
                Message("The service did not come up: {wrong}.", wrong=_last(done.stderr)),
                Message("See: journalctl --namespace hailong."),
            )
        return ""

    def tablets(self) -> list[TabletPage]:
        """As configured; the codes are those that the box has made when it started."""
        config = load_config(self._path)
        found = []
        for counter in config.counters:
            host, port = config.tablet_host(counter), counter.tablet.port or config.tablet.port
            address = f"http://{f'[{host}]' if ':' in host else host}:{port}{page_base(config, counter)}/"
            pairing = pairing_of(config, counter)
            code = "" if is_loopback(host) else pairing.code
            found.append(TabletPage(counter.label or counter.name, address, code, not code and pairing.is_paired))
        return found

    def _make_codes(self, config: EdgeConfig) -> None:
        """Where the service's user is the one who runs this: as the box would at its start."""
        config.box.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        for counter in config.counters:
            if not is_loopback(config.tablet_host(counter)):
                pairing_of(config, counter).ensure_code()

    def _hailong(self, arguments: Sequence[str], lang: str, said: str = "") -> None:
        done = self._run(arguments, lang, said)
        if done.returncode:
            raise self._failed(done)

    def _run(self, arguments: Sequence[str], lang: str, said: str = "") -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [sys.executable, "-P", "-m", "hailong", *arguments],
                input=said,
                capture_output=True,
                text=True,
                timeout=COMMAND_S,
                check=False,
                cwd="/",
                env={**os.environ, "LANGUAGE": lang},
            )
        except (OSError, subprocess.TimeoutExpired):
            raise ConfigError(
                Message("The command {name} did not end.", name=" ".join(arguments[:2])), Message("Try it again.")
            ) from None

    @staticmethod
    def _failed(done: subprocess.CompletedProcess[str]) -> ConfigError:
        """What a command says of its failure: its own sentence, without its name before it."""
        return ConfigError(Joined((_last(done.stderr) or _last(done.stdout),)))


def _last(text: str) -> str:
    """The last line that was said, of a command's own sentences without its name."""
    lines = [line for line in text.strip().splitlines()[-_LINES:] if line.strip()]
    last = lines[-1] if lines else ""
    return last.partition(": ")[2] if last.startswith("hailong ") else last
