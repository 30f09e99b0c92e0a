"""One command of the server as a process to be killed; started from a fork server that has loaded everything."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path


def run(words: Sequence[str], said: str) -> None:
    """`hailong server WORDS`; what it says goes to the end of the file `said`. Small batches, to fall between."""
    from hailong.cli import main
    from server.ratings import imports

    imports.BATCH = 50
    with Path(said).open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        code = main(["server", *words])
    sys.exit(code)
