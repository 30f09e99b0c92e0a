"""What a technician is told of a clock that is not trusted: which link is missing. What chronyc prints here is what
chronyd 4.3 printed in each of these states, in a container whose clock it may not set."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.commands import check_clock
from edge.commands.check_clock import clock_finding
from pipeline.privacy import clock

NO_SOURCE = "00000000,,0,0.000000000,0.0,0.0,0.0,0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised"
SYNCHRONISED = (
    "0A000001,10.0.0.1,11,1795959312.501365767,0.000015477,-0.000004746,0.000004746,-3.011,-0.000,11.377,"
    "0.000007601,0.000077101,2.0,Normal"
)


@pytest.fixture(autouse=True)
def untrusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clock, "kernel_clock_synchronised", bool)
    monkeypatch.setattr(clock, "_TIMESYNC_FLAG", tmp_path / "none")


def chronyc(folder: Path, says: str, rc: int = 0) -> str:
    """A program that prints what chronyc printed."""
    program = folder / "chronyc"
    program.write_text(f"#!/bin/sh\necho '{says}'\nexit {rc}\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("says", "rc", "told"),
    [
        ("506 Cannot talk to daemon", 1, "does not run: systemctl enable --now chrony"),
        (NO_SOURCE, 0, "has reached no server of time yet: chronyc sources"),
        (SYNCHRONISED, 0, "rtcsync is missing"),
        ("", 0, "does not run"),
    ],
)
def test_what_keeps_chrony_from_being_believed(tmp_path: Path, says: str, rc: int, told: str) -> None:
    found = clock_finding(chronyc=chronyc(tmp_path, says, rc), timesync=tmp_path / "none")
    assert (found.what, found.state, found.text) == ("clock", "warning", check_clock.UNTRUSTED)
    assert told in found.fix


def test_without_chrony(tmp_path: Path) -> None:
    nothing = str(tmp_path / "chronyc")
    assert "apt install chrony" in clock_finding(chronyc=nothing, timesync=tmp_path / "none").fix
    assert "timesync-status" in clock_finding(chronyc=nothing, timesync=tmp_path).fix


def test_a_trusted_clock_is_asked_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_clock, "_missing_link", None)
    assert clock_finding(taken_as_it_is=True).state == "ok"
    (tmp_path / "none").touch()
    found = clock_finding()
    assert (found.state, found.text, found.fix) == ("ok", "synchronised", "")
