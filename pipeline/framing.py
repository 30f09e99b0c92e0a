"""One constant size for every message on the socket.

CURVE hides a message's content, not its length. So a message to the server is one frame of exactly `FRAME_BYTES`:
its length (2 bytes, big endian), the message, zeros. Two frames (payload and padding) would show the payload's
length to whoever watches the network. A reply is padded likewise to
`REPLY_BYTES`, except what is public: a signed file, a piece of a bundle.
"""

from __future__ import annotations

from pipeline.errors import WireError
from pipeline.language import Message

FRAME_BYTES = 4_096
REPLY_BYTES = 128
_LENGTH_BYTES = 2


def pad(payload: bytes, size: int = FRAME_BYTES) -> bytes:
    """`payload` in a frame of `size` bytes. Raises `WireError` where it does not fit."""
    if len(payload) > size - _LENGTH_BYTES:
        raise WireError(Message("A message does not fit its frame."))
    return len(payload).to_bytes(_LENGTH_BYTES, "big") + payload + bytes(size - _LENGTH_BYTES - len(payload))


def unpad(frame: bytes, size: int = FRAME_BYTES) -> bytes:
    """The payload of a frame. Raises `WireError` where the size, the length or the zeros are not as made by `pad`."""
    if len(frame) != size:
        raise WireError(Message("A frame has another size than the schema says."))
    end = _LENGTH_BYTES + int.from_bytes(frame[:_LENGTH_BYTES], "big")
    if end > size or frame[end:] != bytes(size - end):
        raise WireError(Message("A frame is not padded as the schema says."))
    return frame[_LENGTH_BYTES:end]
