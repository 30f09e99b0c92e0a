"""Other programs that a test starts: however the test ends, a time-out included, none of them is waited for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any


@contextmanager
def child(command: Sequence[str], stderr: IO[Any] | int | None = None) -> Iterator[subprocess.Popen[str]]:
    """`command` with what it prints as a pipe of text. Killed at the end of the block where it still runs:
    `subprocess.Popen` alone would wait for it for ever."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
