"""The box under `hailong audit trace`: the real `hailong edge run`, with what Python opens and contacts written to a
list where strace is not at hand.

usage: python -m edge.audit.trace_child CONFIG [LIST]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main() -> int:
    """Run."""
    if len(sys.argv) > 2:
        _listen(Path(sys.argv[2]))
    from edge.commands import run as run_command

    parser = argparse.ArgumentParser()
    run_command.add_arguments(parser)
    return run_command.run(
        parser.parse_args(["--config", sys.argv[1], "--json", "--until-file-ends", "--flush-s", "20"])
    )


def _listen(path: Path) -> None:
    """Append one JSON line for every file that Python opens for writing and every address that it contacts."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        entry: list[str] | None = None
        if (
            event == "open" and isinstance(args[0], (str, bytes)) and isinstance(args[2], int) and args[2] & WRITING
        ) or event == "sqlite3.connect":
            entry = ["write", os.fsdecode(args[0])]
        elif event in ("os.rename", "os.link", "os.symlink"):
            entry = ["write", os.fsdecode(args[1])]
        elif event in ("os.mkdir", "os.truncate"):
            entry = ["write", os.fsdecode(args[0])]
        elif event in ("socket.connect", "socket.sendto"):
            entry = ["contact", str(args[1])]
        elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
            entry = ["process", str(args[0])]
        if entry is not None:
            os.write(handle, json.dumps(entry).encode() + b"\n")

    sys.addaudithook(hook)


if __name__ == "__main__":
    sys.exit(main())
