"""A box's data folder is one box's: two of them would count the same visits, and one could release nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.language import Message

IN_USE = "in-use.lock"
"""Its name in the folder; it stays empty."""


@contextmanager
def held_alone(folder: Path) -> Iterator[None]:
    """Hold a data folder as long as the box is open; whoever is killed holds it no more. Raises `ConfigError` where
    another box has it."""
    with (folder / IN_USE).open("w") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except OSError:
            raise ConfigError(
                Message("Another box is at work with the data folder {folder}.", folder=folder),
                Message("Stop it first, or give this one another folder: data_dir in [box]."),
            ) from None
        yield
