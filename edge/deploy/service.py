"""The box as a service of this machine: systemctl, commands within the service's own walls, and watching a start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.deploy.releases import Layout, own_config
from edge.deploy.unit import UNIT_NAME, unit_text
from pipeline.errors import ConfigError
from pipeline.language import NOTHING, Message, Number, Sentence
from pipeline.language.catalogues import VARIABLES
from pipeline.privacy.sealing import CREDENTIAL_NAME

if TYPE_CHECKING:
    from edge.config import TabletSection

WATCH_S = 60.0
"""A release that has just taken its place is watched for so long before the one before is given up."""
_START_S = 200.0
"""Longer than the unit's TimeoutStartSec."""
_INSIDE = "HAILONG_INSIDE"
_SYSTEMD_S_OWN = range(200, 246)
"""Exit codes of a service that ended before its program began; nothing is said by anybody then."""
_NOT_HERE = frozenset(
    {"Type", "NotifyAccess", "TimeoutStartSec", "ExecStart", "ExecReload", "LogNamespace", "Restart", "RestartSec"}
    | {"TimeoutStopSec", "KillSignal"}
)


def has_systemd(layout: Layout) -> bool:
    """Whether the layout's root is this machine's own and systemd runs it."""
    return layout.root == Path("/") and Path("/run/systemd/system").exists()


def systemctl(layout: Layout, *words: str) -> None:
    """Run systemctl where there is one for this root; elsewhere nothing. Raises `ConfigError`."""
    if has_systemd(layout):
        done = subprocess.run(["systemctl", *words], capture_output=True, text=True)
        if done.returncode:
            raise ConfigError(
                Message("systemctl {words} failed: {stderr}", words=" ".join(words), stderr=done.stderr.strip()),
                Message("See: journalctl --namespace hailong."),
            )


def is_wanted(layout: Layout) -> bool:
    """Whether the service runs, tries to, or is to run from the next start of the machine."""
    if not has_systemd(layout):
        return False
    asked = [["is-active", UNIT_NAME], ["is-enabled", UNIT_NAME]]
    said = [subprocess.run(["systemctl", *each], capture_output=True, text=True).stdout.strip() for each in asked]
    return said[0] in ("active", "activating", "reloading") or said[1] == "enabled"


def shown(*names: str) -> dict[str, str]:
    """Properties of the service by name, as `systemctl show` tells them."""
    asked = ["systemctl", "show", UNIT_NAME, *(f"--property={name}" for name in names)]
    lines = subprocess.run(asked, capture_output=True, text=True).stdout.splitlines()
    return dict(line.partition("=")[::2] for line in lines)


def restart_and_watch(layout: Layout, watch_s: float) -> Sentence:
    """Restart the service and watch it: until it says that it is at work, and for `watch_s` seconds more. Returns what
    went wrong, empty where nothing did."""
    if not has_systemd(layout):
        return NOTHING
    systemctl(layout, "reset-failed", UNIT_NAME)
    systemctl(layout, "restart", "--no-block", UNIT_NAME)
    begun_s, at_work_s, process = time.monotonic(), None, ""
    while at_work_s is None or time.monotonic() - at_work_s < watch_s:
        time.sleep(0.5)
        now = shown("ActiveState", "SubState", "MainPID", "Result", "Job")
        state = f"{now['ActiveState']} ({now['SubState']})"
        if now["ActiveState"] == "active" and now.get("Job", "") in ("", "0"):
            if at_work_s is None:
                at_work_s, process = time.monotonic(), now["MainPID"]
            if now["MainPID"] != process:
                after = Number(time.monotonic() - at_work_s)
                return Message("it ended after {seconds} s and was started again", seconds=after)
        elif now["SubState"] == "auto-restart" or now["ActiveState"] == "failed":
            return Message("it ended ({result})", result=now["Result"])
        elif at_work_s is not None:
            after = Number(time.monotonic() - at_work_s)
            return Message("it is {state} after {seconds} s", state=state, seconds=after)
        elif time.monotonic() - begun_s > _START_S:
            return Message("it is still {state} after {seconds} s", state=state, seconds=Number(_START_S))
    return NOTHING


def tablet_of(path: Path) -> TabletSection:
    """Where the box of a configuration serves its tablet. The configuration may be another release's: the rest of it is
    not judged by what this one knows."""
    from edge.config import TabletSection

    try:
        told = tomllib.loads(path.read_text(encoding="utf-8")).get("tablet", {})
        return TabletSection.model_validate({name: told[name] for name in ("host", "port") if name in told})
    except (OSError, ValueError, AttributeError, TypeError):
        return TabletSection()


def ask_running_box(tablet: TabletSection) -> dict[str, object] | None:
    """What a box tells of itself at its tablet's `/status`; None where none answers. Nothing there is moved by
    visits."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(tablet.host, tablet.host)  # noqa: S104
    address = f"http://[{host}]:{tablet.port}" if ":" in host else f"http://{host}:{tablet.port}"
    if tablet.port == 0:
        return None
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with ask.open(f"{address}/status", timeout=3.0) as answer:
            told = json.loads(answer.read(16_384))
    except (OSError, ValueError, RecursionError, urllib.error.URLError):
        return None
    return told if isinstance(told, dict) and {"state", "server_answers", "problem", "failing"} <= set(told) else None


def run_as_service(config: Path, arguments: Sequence[str]) -> int | None:
    """Run this program's `hailong ARGUMENTS` within the walls of the box's service: as its user, with its credential,
    devices, addresses and system calls. Returns the exit code, or None where the command is to go on as it is: not
    root, no systemd, another configuration than the installed box's, or inside already.

    So a key that root makes belongs to the service, and a check finds what the service would find."""
    layout = Layout(Path("/"))
    if (
        os.geteuid() != 0
        or os.environ.get(_INSIDE)
        or not has_systemd(layout)
        or not layout.home.exists()
        or not Path(sys.prefix).is_relative_to(layout.home)
        or config.resolve() not in (layout.config, layout.next_config)
    ):
        return None
    own_config(config)  # whoever has just written it may have left it to root alone
    lines = walls(layout, config)
    if any(line.startswith("LoadCredentialEncrypted=") for line in lines) and not layout.credential.exists():
        raise ConfigError(
            Message('at_rest = "credential" needs {path}.', path=str(layout.credential)),
            Message(
                "Make it: head -c 32 /dev/urandom | systemd-creds encrypt --with-key=tpm2 --name={name} - {path} "
                "(--with-key=host where there is no TPM).",
                name=CREDENTIAL_NAME,
                path=str(layout.credential),
            ),
        )
    command = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--setenv={_INSIDE}=1"]
    command += [f"--setenv={name}={value}" for name in VARIABLES if (value := os.environ.get(name))]
    command += [f"--property={line}" for line in lines]
    code = subprocess.run([*command, "--", str(Path(sys.prefix) / "bin/hailong"), *arguments]).returncode
    if code in _SYSTEMD_S_OWN:
        raise ConfigError(
            Message("systemd cannot set the service up (exit code {code}): it would not start either.", code=code),
            Message("See: journalctl --priority=warning --boot."),
        )
    return code


def walls(layout: Layout, config: Path) -> list[str]:
    """Settings of the unit of a configuration as it is now, and of its drop-ins, that hold for a command in the
    service's place, one `KEY=VALUE` each. Raises `ConfigError`."""
    from edge.config import load_config

    texts = [unit_text(load_config(config))]
    texts += [path.read_text(encoding="utf-8") for path in sorted(layout.drop_ins.glob("*.conf"))]
    found, section = [], ""
    for line in (line.strip() for text in texts for line in text.splitlines()):
        if line.startswith("["):
            section = line
        elif section == "[Service]" and re.match(r"[A-Za-z]+=", line) and line.partition("=")[0] not in _NOT_HERE:
            found.append(line)
    return found
