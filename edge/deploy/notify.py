"""What a service tells systemd of itself, by its protocol of datagrams (sd_notify(3)), and its journal."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

_log = logging.getLogger(__name__)


def notify(*states: str) -> None:
    """Send states such as "READY=1" or "STATUS=at work". A socket that is gone changes nothing: whoever asked to be
    told has a time-out of his own."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path[:1] not in ("/", "@"):
        return
    address = "\0" + path[1:] if path[0] == "@" else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
            door.connect(address)
            door.sendall("\n".join(states).encode())
    except OSError:
        return


def status_text(status: Mapping[str, object]) -> str:
    """A box's status (`edge.box.Box.status()`, `/status`) in one line."""
    server = "the server answers" if status["server_answers"] else "the server does not answer"
    failing = f"failing: {status['failing']}." if status["failing"] else ""
    poor = f"poor picture: {status['notices']}." if status.get("notices") else ""
    return " ".join(f"state {status['state']}; {server}. {failing} {poor} {status['problem']}".split())


class StatusNotice:
    """Tells a box's status to systemd and to the journal, whenever it changes: a service that is called active may
    still have no camera or no server. Nothing in a status is moved by visits."""

    def __init__(self) -> None:
        self._published: dict[str, str | bool] = {}

    def publish(self, status: Mapping[str, str | bool]) -> None:
        """`status`: `edge.box.Box.status()`."""
        if dict(status) == self._published:
            return
        self._published = dict(status)
        text = status_text(status)
        notify(f"STATUS={text}")
        _log.info("%s", text)
