"""A throw-away PostgreSQL cluster for tests: a temporary folder, a free port, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port


def _programs() -> Path:
    """The folder of initdb and pg_ctl."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise RuntimeError("These tests need PostgreSQL's server programs: apt install postgresql")
    return found[-1].parent


@contextmanager
def throw_away_cluster() -> Iterator[str]:
    """Start a cluster and give the URL of its data base `postgres`.

    As root it runs as the user postgres: initdb refuses root."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="hailong-pg-"))
    prefix: list[str] = []
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        prefix = ["runuser", "-u", "postgres", "--"]
    port = free_port()

    def call(program: str, *words: str) -> None:
        command = [*prefix, str(programs / program), *words]
        with (folder / "said").open("w+") as said:  # a pipe would be held open by the server that pg_ctl leaves behind
            done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False)
            if done.returncode:
                said.seek(0)
                raise RuntimeError(f"{program} failed: {said.read()[-2000:]}")

    data = str(folder / "data")
    try:
        call("initdb", "-D", data, "-U", "hailong", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        call("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://hailong@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
