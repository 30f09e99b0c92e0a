"""The networks of a box, loaded once from the cache that `hailong models fetch` filled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Which networks to load and under which licences.

    `accepted`: names of restricted licences that the operator accepts; `demo`: research-only weights are allowed (and
    said so); `asr`: words too.
    """

    accepted: tuple[str, ...] = ()
    demo: bool = False
    asr: bool = False


class Networks:
    """All networks of one engine (not thread-safe: one per engine)."""


def load_networks(options: NetworkOptions) -> Networks:
    """Load and check all; raises `ModelError` naming what is missing and the command that brings it."""
    raise NotImplementedError
