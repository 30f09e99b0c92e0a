"""Why a letter was not delivered, and the one bound on everything that speaks with somebody outside."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum

from pipeline.errors import HailongError
from pipeline.language import Message

MAX_S = 15.0
"""What one try may take in all, however slowly a name is looked up, a machine connects or the other side speaks."""
MAX_PLACES = 3
"""Of a name with many addresses, so many are tried."""
MAX_LOOK_UPS = 4
"""The library's look-up of a name cannot be ended: so many may hang at once."""
_look_ups = threading.BoundedSemaphore(MAX_LOOK_UPS)


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


class Deadline:
    """The end of one try, `MAX_S` (or what is said) after it began."""

    def __init__(self, max_s: float | None = None) -> None:
        self._end_s = time.monotonic() + (MAX_S if max_s is None else max_s)

    def left_s(self) -> float:
        """What is left of it, in seconds. Raises `UndeliveredError` where nothing is."""
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise UndeliveredError(Problem.NO_ANSWER)
        return left_s


def look_up(host: str, port: int, deadline: Deadline) -> list[str]:
    """The addresses of a name. Raises `UndeliveredError`; where the resolver hangs, it is left behind on its thread."""
    if not _look_ups.acquire(blocking=False):
        raise UndeliveredError(Problem.NO_ADDRESS)
    found: list[str] = []

    def ask() -> None:
        try:
            with suppress(OSError, UnicodeError):
                places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found.extend(str(place[4][0]).partition("%")[0] for place in places)
        finally:
            _look_ups.release()

    thread = threading.Thread(target=ask, name="look-up", daemon=True)
    thread.start()
    thread.join(deadline.left_s())
    if thread.is_alive() or not found:
        raise UndeliveredError(Problem.NO_ADDRESS)
    return found


def connected(places: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first place that takes one, each within its share of the time. Raises `UndeliveredError`."""
    tried = places[:MAX_PLACES]
    for number, place in enumerate(tried):
        try:
            connection = socket.create_connection((place, port), deadline.left_s() / (len(tried) - number))
        except OSError:
            continue
        connection.settimeout(MAX_S)
        return connection
    raise UndeliveredError(Problem.NO_ANSWER)


@contextmanager
def bounded(connection: socket.socket, deadline: Deadline) -> Iterator[threading.Event]:
    """Within the block the connection is shut at the deadline: a read that is fed a byte at a time ends, too. The event
    says whether it was."""
    left_s = deadline.left_s()
    ours = socket.socket(fileno=os.dup(connection.fileno()))
    over = threading.Event()

    def shut() -> None:
        over.set()
        with suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(left_s, shut)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
        timer.join()
        ours.close()


@contextmanager
def speaking(
    host: str, port: int, places: Sequence[str], deadline: Deadline, tls: ssl.SSLContext | None
) -> Iterator[http.client.HTTPConnection]:
    """HTTP with the first place that takes a connection, all of it within the deadline, however the other side drips.
    Raises `UndeliveredError`: what came of an answer that was cut off is no answer."""
    try:
        with ExitStack() as stack:
            connection = stack.enter_context(connected(places, port, deadline))
            cut_off = stack.enter_context(bounded(connection, deadline))
            if tls is not None:
                connection = stack.enter_context(tls.wrap_socket(connection, server_hostname=host))
            client = http.client.HTTPConnection(host, port, timeout=MAX_S)
            client.sock = connection
            yield client
            if cut_off.is_set():
                raise UndeliveredError(Problem.NO_ANSWER)
    except ssl.SSLError:
        raise UndeliveredError(Problem.TLS) from None
    except (OSError, http.client.HTTPException, ValueError):
        raise UndeliveredError(Problem.NO_ANSWER) from None
