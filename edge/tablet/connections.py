"""What connections to the box's pages may take: files, and time to say something."""

from __future__ import annotations

from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.listening import Room
from pipeline.prompt_heads import PromptHeads

MOST = 512
"""Connections to all pages of a box at once: a process has 1,024 files, of which cameras and months need some."""
OF_ONE = 64
"""Of these, from one address; a browser opens six."""
ROOM = Room(MOST, OF_ONE)


class PromptProtocol(PromptHeads, H11Protocol):
    """HTTP/1.1 with a deadline for the head of each request."""
