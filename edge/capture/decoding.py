"""Decoding of one stream's pictures: packets in, pictures out, upright and with square pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.capture.resting import Resting
from pipeline.records import Frame, Tallies

MAX_PIXELS = 8_192 * 8_192


@dataclass(slots=True)
class Coded:
    """A packet that is to be decoded.

    `is_present`: whether its pictures are of the present. `after_gap`: whether packets before it were left out, so that
    the decoder has to begin anew. `rests`: whether a picture that no other is coded after need not be decoded."""

    packet: Any
    is_present: bool = True
    after_gap: bool = False
    rests: bool = False


def square_pixels(width: int, height: int, pixel_shape: float) -> tuple[int, int]:
    """Size at which a picture is shown whose pixels are `pixel_shape` times as wide as high: the shorter side grows, so
    that nothing is lost. What is nearly square, or no shape at all, stays."""
    if not 0.1 <= pixel_shape <= 10 or abs(pixel_shape - 1) < 0.02:
        return width, height
    wide, high = (round(width * pixel_shape), height) if pixel_shape > 1 else (width, round(height / pixel_shape))
    return (wide, high) if wide * high <= MAX_PIXELS else (width, height)


class Decoder:
    """Decodes a stream's packets and turns pictures upright. One thread at a time."""

    def __init__(self, stream: Any, tallies: Tallies) -> None:
        self.resting = Resting(tallies)
        self._codec = stream.codec_context
        self._pixel_shape = float(stream.sample_aspect_ratio or 1)
        self._tallies = tallies
        self._rests = False
        self._converter: Any = None
        """Turns pictures of one size into BGR. A picture by itself makes another one for each call, and throws it away:
        1.0 ms for .1 ms of work."""

    def decode(self, coded: Coded) -> list[Any]:
        """A packet's pictures; none where it is damaged (`corrupt`)."""
        import av

        if coded.rests != self._rests:
            self._rests = coded.rests
            self._codec.skip_frame = "NONREF" if coded.rests else "DEFAULT"
        if coded.after_gap:
            self._codec.flush_buffers()
        try:
            pictures = list(coded.packet.decode())
        except (av.FFmpegError, ValueError):
            self._tallies.drop("corrupt")
            pictures = []
        packet = coded.packet
        # where pictures are sorted anew, what comes out after a packet's decoding may be another one's
        own = not packet.is_keyframe or any(picture.pts == packet.pts for picture in pictures)
        self.resting.decoded(packet, bool(pictures) and own)
        return pictures

    def frame(self, picture: Any, time_s: float) -> Frame | None:
        """A picture turned as the film says, with square pixels; None where it cannot be made (`corrupt`)."""
        import av

        try:
            width, height = square_pixels(picture.width, picture.height, self._pixel_shape)
            pixels = np.asarray(self._bgr(picture, width, height), np.uint8)
            turns = round((picture.rotation or 0) / 90) % 4  # counter-clockwise, as numpy turns
            return Frame(np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels, time_s)
        except (av.FFmpegError, ValueError, MemoryError):
            self._tallies.drop("corrupt")
            return None

    def _bgr(self, picture: Any, width: int, height: int) -> Any:
        from av.video.reformatter import VideoReformatter

        if (width, height) != (picture.width, picture.height):
            # what scales keeps lines of the picture until the next one: it goes with this one
            return picture.to_ndarray(format="bgr24", width=width, height=height)
        if self._converter is None:
            self._converter = VideoReformatter()
        return self._converter.reformat(picture, format="bgr24").to_ndarray()
