"""Ports that nobody else takes between the choice and the use."""

from __future__ import annotations

import itertools
import os
import socket

FIRST, LAST = 20_000, 32_000
"""Below what Linux gives to whoever asks for any port (32,768 on): there a port that was free a moment ago may be
another test's by now."""

_numbers = itertools.count(os.getpid() * 37)


def free_port() -> int:
    """A free TCP port of 127.0.0.1, another one at every call."""
    while True:
        port = FIRST + next(_numbers) % (LAST - FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
