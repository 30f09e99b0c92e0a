"""A TCP proxy that can be cut, and that can flip bits of what passes."""

from __future__ import annotations

import contextlib
import random
import socket
import threading


class Proxy:
    """Forwards 127.0.0.1:`port` to a target port. `cut()` ends every connection and takes no new one until `mend()`."""

    def __init__(self, target: int, flip_share: float = 0.0, seed: int = 1) -> None:
        self._target = target
        self._flip_share = flip_share
        self._random = random.Random(seed)
        self._is_cut = False
        self.flipped = 0
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            self.connections += 1
            self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if self._flip_share and self._random.random() < self._flip_share:
                    spoilt = bytearray(data)
                    spoilt[self._random.randrange(len(spoilt))] ^= 1 << self._random.randrange(8)
                    data = bytes(spoilt)
                    self.flipped += 1
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def be_honest(self) -> None:
        self._flip_share = 0.0

    def cut(self) -> None:
        self._is_cut = True
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()
