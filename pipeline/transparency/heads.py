"""Signed tree heads: (epoch, size, root) under the box's Ed25519 key, as `pipeline.wire.TreeHead`."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from pipeline import keys
from pipeline.wire import TreeHead


def words(data: bytes) -> tuple[int, ...]:
    """Bytes as big-endian 64-bit integers."""
    return tuple(int.from_bytes(data[start : start + 8], "big") for start in range(0, len(data), 8))


def from_words(values: tuple[int, ...]) -> bytes:
    """The inverse of `words`."""
    return b"".join(value.to_bytes(8, "big") for value in values)


def head_bytes(epoch: int, size: int, root: bytes) -> bytes:
    """What is signed."""
    return b"hailong tree head 1\0" + epoch.to_bytes(8, "big") + size.to_bytes(8, "big") + root


def make_head(epoch: int, size: int, root: bytes, sign: Callable[[bytes], bytes]) -> TreeHead:
    """A signed head; its sequence number is the outbox's to give."""
    signature = sign(head_bytes(epoch, size, root))
    return TreeHead(1, epoch, 0, secrets.randbits(64), size, words(root), words(signature))  # type: ignore[arg-type]


def verify_head(head: TreeHead, signing_public: bytes) -> bool:
    """Whether the head is signed by the box's key (32 bytes)."""
    return keys.verify(
        signing_public, from_words(head.signature), head_bytes(head.epoch, head.size, from_words(head.root))
    )
