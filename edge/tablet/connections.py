"""Connections to the box's pages that say nothing: uvicorn waits for a head as long as it takes."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.listening import Room

HEAD_S = 15.0
"""The head of a request must have come by then."""
MOST = 512
"""Connections to all pages of a box at once: a process has 1,024 files, of which cameras and months need some."""
OF_ONE = 64
"""Of these, from one address; a browser opens six."""
ROOM = Room(MOST, OF_ONE)


class PromptProtocol(H11Protocol):
    """HTTP/1.1 with a deadline for the head of each request."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: the clock runs."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Some bytes: a whole head stops the clock, part of the next one starts it."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        is_waiting = self.cycle is None or self.cycle.response_complete
        if not is_waiting:
            self._stop()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_S, self._close)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
        self._late = None
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()
