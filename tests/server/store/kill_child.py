"""One command of the server as a process to be killed; started from a fork server that has loaded everything."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WRITES = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE")


def run(words: Sequence[str], said: str) -> None:
    """`hailong server WORDS`; what it says goes to the end of the file `said`. Small batches, to fall between."""
    from hailong.cli import main
    from server.ratings import imports

    imports.BATCH = 50
    tempfile.tempdir = str(Path(said).parent)  # what a killed import leaves goes with the test
    with Path(said).open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        code = main(["server", *words])
    sys.exit(code)


def run_until(words: Sequence[str], said: str, at: int | str) -> None:
    """As `run`, killed by itself: before the writing statement number `at`, or before what `at` names: "commit" (the
    first one), "seal" (of the gateways' keys)."""
    from sqlalchemy import Engine, event

    written = 0

    def before_statement(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        nonlocal written
        word = statement.split(maxsplit=1)[0].upper()
        written += word in _WRITES
        if written == at or (at == "seal" and statement.startswith("UPDATE gateways SET secret")):
            os.kill(os.getpid(), signal.SIGKILL)

    def before_commit(_c: Any) -> None:
        if at == "commit" and written:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", before_statement)
    event.listen(Engine, "commit", before_commit)
    run(words, said)
