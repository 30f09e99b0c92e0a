"""Reading a page aloud, by espeak-ng where it is installed: a machine's voice, and told as one."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache

PROGRAM = "espeak-ng"
SLOW = "140"
"""Words a minute."""
WAIT_S = 20


def can_read_aloud() -> bool:
    """Whether the program is there."""
    return shutil.which(PROGRAM) is not None


@lru_cache(maxsize=8)
def read_aloud(words: str, lang: str) -> bytes | None:
    """A WAVE of the words (public texts of a page alone), None where they cannot be said. `lang`: the language's
    code."""
    program = shutil.which(PROGRAM)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-v", lang, "-s", SLOW, "--stdin", "--stdout"],
            input=words.encode(),
            capture_output=True,
            timeout=WAIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 and done.stdout.startswith(b"RIFF") else None
