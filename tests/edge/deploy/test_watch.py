"""Watching a service after its start, by what `systemctl show` told in such cases on a booted Debian."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from edge.deploy import service
from edge.deploy.releases import Layout

Shown = dict[str, str]


def shown(active: str, sub: str, process: str = "100", result: str = "success", job: str = "0") -> Shown:
    return {"ActiveState": active, "SubState": sub, "MainPID": process, "Result": result, "Job": job}


STARTING, AT_WORK = shown("activating", "start", job="7"), shown("active", "running")
CASES: dict[str, tuple[list[Shown], str]] = {
    "comes up": ([STARTING, STARTING, AT_WORK], ""),
    "the old process still runs": ([shown("active", "running", "5", job="7"), STARTING, AT_WORK], ""),
    "ends at its start": ([STARTING, shown("activating", "auto-restart", "0", "exit-code")], "it ended (exit-code)"),
    "is killed": ([STARTING, shown("activating", "auto-restart", "0", "core-dump")], "it ended (core-dump)"),
    "ends for good": ([shown("failed", "failed", "0", "signal")], "it ended (signal)"),
    "ends at work": ([AT_WORK, AT_WORK, shown("activating", "auto-restart", "0", "exit-code")], "it ended (exit-code)"),
    "was started again between two looks": ([AT_WORK, shown("active", "running", "101")], "was started again"),
    "is stopped": ([AT_WORK, shown("inactive", "dead", "0")], "it is inactive (dead)"),
    "never gets ready": ([STARTING], "it is still activating"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_becomes_of_a_start(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    states, expected = CASES[case]
    told: Iterator[Shown] = chain(states, repeat(states[-1]))
    now_s = [0.0]
    monkeypatch.setattr(service, "has_systemd", lambda _layout: True)
    monkeypatch.setattr(service, "systemctl", lambda _layout, *_words: None)
    monkeypatch.setattr(service, "shown", lambda *_names: next(told))
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(time, "sleep", lambda wait_s: now_s.__setitem__(0, now_s[0] + wait_s))
    found = service.restart_and_watch(Layout(Path("/")), 60.0)
    assert expected in found if expected else found == ""
    if not expected:
        assert now_s[0] >= 60, "it is watched for the stated time"


def test_without_systemd_nothing_is_watched(tmp_path: Path) -> None:
    assert service.restart_and_watch(Layout(tmp_path), 60.0) == ""
