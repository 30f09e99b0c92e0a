"""Folders for files on their way in and out, which hold what people wrote and how they are reached: none outlives its
process.

Each is held by a lock that ends with its process, however that ends. What nobody holds any more is deleted when a
server starts, and every hour.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

IN_MEMORY = Path("/dev/shm")  # noqa: S108
"""The file system in memory."""
_PREFIX = "hailong-"
KINDS = ("table", "import", "export", "list", "drill")
"""What the folders are for; their names begin with it."""
_NEW_S = 60.0
"""So long a folder may be there before its lock is."""


_own: weakref.WeakSet[TemporaryFolder] = weakref.WeakSet()
"""Those that this process holds."""


class TemporaryFolder:
    """A folder of its owner alone, at `path`, until `cleanup` or the end of the block or process. `place`: where; the
    system's folder for such files unless told."""

    def __init__(self, kind: str, place: Path | None = None) -> None:
        if kind not in KINDS:
            raise ValueError(f"{kind} is none of {KINDS}")
        self._folder = tempfile.TemporaryDirectory(dir=place, prefix=f"{_PREFIX}{kind}-")
        self.path = Path(self._folder.name)
        lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._let_go = weakref.finalize(self, os.close, lock)
        _own.add(self)
        fcntl.flock(lock, fcntl.LOCK_EX)

    def cleanup(self) -> None:
        """Delete it."""
        self._folder.cleanup()
        self._let_go()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.cleanup()


def delete_own() -> None:
    """Delete the folders of this process, whoever still writes into them: it ends."""
    for folder in list(_own):
        shutil.rmtree(folder.path, ignore_errors=True)


def temporary_folders() -> list[Path]:
    """Every such folder that is there, whoever holds it."""
    places = dict.fromkeys((Path(tempfile.gettempdir()), IN_MEMORY))
    return [folder for place in places for kind in KINDS for folder in place.glob(f"{_PREFIX}{kind}-*")]


def delete_left() -> int:
    """Delete the folders of this user's processes that have ended without doing so; how many."""
    return sum(1 for folder in temporary_folders() if _is_left(folder))


def _is_left(folder: Path) -> bool:
    for lock in _opened(folder):
        found = os.fstat(lock)
        if found.st_uid != os.geteuid() or time.time() - found.st_mtime < _NEW_S:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(folder)
        return True
    return False


def _opened(folder: Path) -> Iterator[int]:
    """The folder, unless it is a link, a file, another's, or gone."""
    with suppress(OSError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield lock
        finally:
            os.close(lock)
