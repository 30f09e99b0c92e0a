"""Whether this machine's clock is trusted; where not, which link between it and a source of time is missing."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

from edge.commands.finding import Finding
from pipeline.language import Message
from pipeline.privacy.clock import SystemClock

_CHRONYC = "chronyc"
_TIMESYNC = Path("/run/systemd/timesync")  # made by systemd-timesyncd, whether or not it has a source
_LEAP = 13
"""The field of `chronyc -c tracking` that says whether chronyd has a source of time."""
_ASK_S = 10.0
UNTRUSTED = Message("not synchronised: the box counts, but releases nothing until it is")


def clock_finding(taken_as_it_is: bool = False, chronyc: str = _CHRONYC, timesync: Path = _TIMESYNC) -> Finding:
    """What a technician needs to know of the clock. `taken_as_it_is`: a demonstration. `chronyc`: the program that
    asks chronyd; `timesync`: the folder of systemd-timesyncd."""
    if SystemClock(assume_synchronised=taken_as_it_is).trusted():
        return Finding("clock", "ok", Message("taken as it is (demo)") if taken_as_it_is else Message("synchronised"))
    return Finding("clock", "warning", UNTRUSTED, _missing_link(chronyc, timesync))


def _missing_link(chronyc: str, timesync: Path) -> Message:
    if shutil.which(chronyc) is None:
        if timesync.is_dir():
            return Message(
                "systemd-timesyncd runs and has reached no server of time yet: timedatectl timesync-status; its server "
                "stands in /etc/systemd/timesyncd.conf."
            )
        return Message("There is no service of time on this machine: apt install chrony.")
    leap = _leap(chronyc)
    if leap is None:
        return Message("chrony is installed and does not run: systemctl enable --now chrony; systemctl status chrony.")
    if leap == "Not synchronised":
        return Message(
            "chrony runs and has reached no server of time yet: chronyc sources; its servers stand in "
            "/etc/chrony/sources.d (where the box reaches its server alone: that one)."
        )
    return Message(
        "chrony has the time, and the system was not told: rtcsync is missing in /etc/chrony/chrony.conf, or chronyd "
        "runs with -x; then: systemctl restart chrony."
    )


def _leap(chronyc: str) -> str | None:
    """What chronyd says of itself; None where it does not answer."""
    try:
        said = subprocess.run([chronyc, "-c", "-n", "tracking"], capture_output=True, text=True, timeout=_ASK_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    rows = list(csv.reader(said.stdout.splitlines()))
    if said.returncode != 0 or not rows or len(rows[0]) <= _LEAP:
        return None
    return rows[0][_LEAP]
