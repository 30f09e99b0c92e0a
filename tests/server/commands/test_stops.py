"""A server that is told to stop: it ends before podman and docker kill, whatever its threads are at."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from hailong.cli import main
from server.core.temporary import temporary_folders
from tests.children import child
from tests.ports import free_port

KILLED_AFTER_S = 10.0
"""What podman and docker give."""
_BUSY = """
import sys, threading, time
import server.service
from server.core.temporary import TemporaryFolder
from server.store.engine import write
from sqlalchemy import text

def keep_house(engine, config):
    with write(engine) as connection:
        connection.execute(text("CREATE TABLE half (a INTEGER)"))
        time.sleep(300)

def make_report():
    with TemporaryFolder("export") as folder:
        (folder / "half.pdf").write_bytes(b"half")
        print("at it", folder, flush=True)
        time.sleep(300)

server.service.keep_house = keep_house
threading.Thread(target=make_report, name="report", daemon=True).start()
from hailong.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""The server, whose housekeeping holds the store, and somebody's report a folder, for five minutes."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert main(["server", "init", "--province", "p1", "--name", "Tỉnh Một", "--data-dir", str(tmp_path)]) == 0
    (tmp_path / "server.toml").write_text(
        f'[ingest]\naddress = "tcp://127.0.0.1:{free_port()}"\nenrol_address = "tcp://127.0.0.1:{free_port()}"\n',
        encoding="utf-8",
    )
    return tmp_path


def stopped(process: subprocess.Popen[str]) -> tuple[float, str]:
    """Seconds from SIGTERM to the end, and what was said on stderr."""
    process.send_signal(signal.SIGTERM)
    begun_s = time.monotonic()
    _, said = process.communicate(timeout=120)
    return time.monotonic() - begun_s, said


def test_what_is_not_over_in_time_is_given_up_and_told(folder: Path) -> None:
    command = [sys.executable, "-c", _BUSY, "server", "run", "--demo", "--port", "0", "--data-dir", str(folder)]
    with child(command, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        at = Path(process.stdout.readline().removeprefix("at it ").strip())
        assert at in temporary_folders()
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        assert httpx.get(found[0] + "/api/v1/alive", timeout=60).json() == {"status": "ok"}
        seconds, said = stopped(process)
        assert process.returncode == 0
        assert seconds < KILLED_AFTER_S
    assert re.search(r"Given up, since the server stops: .*a report.*the hourly housekeeping", said)
    assert not at.exists()
    with closing(sqlite3.connect(folder / "store.sqlite")) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert store.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []


def test_a_server_with_nothing_to_do_stops_at_once_and_gives_nothing_up(folder: Path) -> None:
    code = "import sys; from hailong.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "server", "run", "--demo", "--port", "0", "--data-dir", str(folder)]
    with child(command, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        assert httpx.get(found[0] + "/api/v1/alive", timeout=60).json() == {"status": "ok"}
        time.sleep(5.0)  # its first housekeeping is over
        seconds, said = stopped(process)
        assert process.returncode == 0
        assert seconds < KILLED_AFTER_S / 2
    assert "Given up" not in said
