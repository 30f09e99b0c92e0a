"""A listening socket that holds a bounded number of connections.

Each connection takes a file of the process that holds it, and these are few (1,024 by default). Whoever opened as many
and sent nothing took the files that the rest of the process needs, and an event loop that cannot accept says so some
thousand times a second.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from typing import Any


class Room:
    """How many connections are held, of all listening sockets that share it: `most` in all, `of_one` of one address."""

    def __init__(self, most: int, of_one: int) -> None:
        self._most, self._of_one = most, of_one
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, host: str) -> bool:
        """A place for one more from there, or none."""
        with self._lock:
            if self._open.total() >= self._most or self._open[host] >= self._of_one:
                return False
            self._open[host] += 1
            return True

    def leave(self, host: str) -> None:
        """One from there has ended."""
        with self._lock:
            self._open[host] -= 1
            if self._open[host] <= 0:
                del self._open[host]


class Listener(socket.socket):
    """A listening socket that closes what there is no room for as soon as it has come; nobody waits for it."""

    room: Room

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises `ConnectionAbortedError` for one that is too many: event loops pass over it."""
        plain, address = super().accept()
        host = str(address[0])
        if not self.room.take(host):
            plain.close()
            raise ConnectionAbortedError("too many connections")
        taken = _Taken(plain.family, plain.type, plain.proto, plain.detach())
        taken.of = self.room, host
        return taken, address


class _Taken(socket.socket):
    of: tuple[Room, str] | None = None

    def close(self) -> None:
        """Close it, and give its place back, once."""
        of, self.of = self.of, None
        super().close()
        if of is not None:
            of[0].leave(of[1])


def bounded(listening: socket.socket, room: Room) -> Listener:
    """The same listening socket under another number, which takes what there is room for."""
    copy = listening.dup()
    found = Listener(copy.family, copy.type, copy.proto, copy.detach())
    found.room = room
    return found
