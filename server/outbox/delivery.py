"""Why a letter was not delivered, and the one bound on everything that speaks with somebody outside."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from pipeline.errors import HailongError
from pipeline.language import Message

MAX_S = 15.0
"""What one try may take in all, however slowly the other side speaks."""


class Problem(StrEnum):
    """Why a try failed."""

    NOT_SET = "not_set"
    NO_ADDRESS = "no_address"
    INNER_ADDRESS = "inner_address"
    NO_ANSWER = "no_answer"
    TLS = "tls"
    LOG_IN = "log_in"
    REFUSED = "refused"
    STATUS = "status"
    GONE = "gone"
    NOT_WRITTEN = "not_written"


PROBLEMS: dict[Problem, Message] = {
    Problem.NOT_SET: Message("no mail server is set ([mail] in server.toml)"),
    Problem.NO_ADDRESS: Message("the name of the receiver's machine is not known"),
    Problem.INNER_ADDRESS: Message("the receiver stands in an inner network that [alerts] inner_networks lacks"),
    Problem.NO_ANSWER: Message("the other side does not answer, or too slowly"),
    Problem.TLS: Message("the other side's certificate does not hold"),
    Problem.LOG_IN: Message("the mail server refuses the log-in"),
    Problem.REFUSED: Message("the mail server refuses the letter"),
    Problem.STATUS: Message("the receiver answers with an error"),
    Problem.GONE: Message("the receiver wants no more calls (410)"),
    Problem.NOT_WRITTEN: Message("the letter could not be written"),
}


class UndeliveredError(HailongError):
    """One try failed. `status`: the other side's own number, 0 where it gave none. `for_good`: no further try."""

    status = 502

    def __init__(self, problem: Problem, status: int = 0, *, for_good: bool = False) -> None:
        super().__init__(PROBLEMS[problem])
        self.problem = problem
        self.their_status = status
        self.for_good = for_good


@contextmanager
def bounded(connection: socket.socket, seconds: float = MAX_S) -> Iterator[threading.Event]:
    """Within the block the connection is shut after `seconds`: a read that is fed a byte at a time ends, too. The event
    says whether it was."""
    ours = socket.socket(fileno=os.dup(connection.fileno()))
    over = threading.Event()

    def shut() -> None:
        over.set()
        with suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
        timer.join()
        ours.close()
