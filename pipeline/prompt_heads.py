"""A connection that sends half a request, or nothing, is not held for ever: web servers wait for a head as long as it
takes. Written for uvicorn's protocol of HTTP/1.1, which is not imported here: a box and a server each put this before
it."""

from __future__ import annotations

import asyncio
from typing import Any

HEAD_S = 15.0
"""The head of a request must have come by then."""


class PromptHeads(asyncio.Protocol):
    """A deadline for the head of each request. `cycle`: the request that is being answered, of the protocol behind."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    cycle: Any
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
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
