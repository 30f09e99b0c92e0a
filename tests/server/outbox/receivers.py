"""What stands at the other end: a real mail server (aiosmtpd) and a receiver of webhooks, on real sockets."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult


@dataclass(slots=True)
class Mailbox:
    """A mail server that takes letters, and does what a test tells it. `refuses`: what it answers to RCPT, for those
    addresses."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    logged_in: int = 0

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"


@contextmanager
def mail_server(*, tls: tuple[Path, Path] | None = None, user: tuple[str, str] | None = None) -> Iterator[Mailbox]:
    """A running mail server; `tls`: certificate and key, for STARTTLS, which it then demands; `user`: name and
    password, without which it takes nothing."""
    box = Mailbox()
    options: dict[str, Any] = {}
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        options |= {"tls_context": context, "require_starttls": True}
    if user:

        def check(_server: SMTP, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> Any:
            fits = (given.login.decode(), given.password.decode()) == user
            box.logged_in += fits
            return AuthResult(success=fits, handled=False)

        options |= {"authenticator": check, "auth_required": True}
    loop = asyncio.new_event_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    box.port = listener.getsockname()[1]
    # all of it on a thread of its own: where a test of a page ran before, this thread's loop is Playwright's
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> asyncio.Server:
        return await loop.create_server(lambda: SMTP(box, hostname="127.0.0.1", loop=loop, **options), sock=listener)

    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(60)

    async def end() -> None:
        server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # the transports that were closed say so

    try:
        yield box
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


@dataclass(slots=True)
class Calls:
    """A receiver of webhooks. `answers`: the status it gives, by the number of the call; then 204."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What came, as JSON."""
        return [json.loads(body) for _headers, body in self.got]


@contextmanager
def webhook_receiver() -> Iterator[Calls]:
    """A running receiver."""
    calls = Calls()

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 30

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            number = len(calls.got)
            calls.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            calls.before_answer()
            self.send_response(calls.answers[number] if number < len(calls.answers) else 204)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    calls.url = f"http://127.0.0.1:{server.server_port}/hailong?x=1"
    try:
        yield calls
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


@contextmanager
def talker(says: bytes, *, again_s: float = 0.0) -> Iterator[int]:
    """A server on the port given that says something to whoever comes, and then (with `again_s`) a byte more and more,
    or nothing, and reads nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()
    held: list[socket.socket] = []

    def drip(connection: socket.socket) -> None:
        try:
            connection.sendall(says)
            while again_s and not over.wait(again_s):
                connection.sendall(b"x")
        except OSError:
            pass

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(connection)
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for one in held:
            one.close()
        thread.join(30)


def wait_for(happened: Callable[[], bool], patience_s: float = 60.0) -> None:
    """Wait until something is so; fails after `patience_s`."""
    end = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
