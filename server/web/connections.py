"""How the server's pages speak HTTP."""

from __future__ import annotations

from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.prompt_heads import PromptHeads


class PromptProtocol(PromptHeads, H11Protocol):
    """HTTP/1.1 with a deadline for the head of each request."""
