"""The one picture of a camera that somebody is shown, to draw the citizen's region over it, and its rules.

Taken only after it was confirmed that no citizen is before the camera and that whoever of the staff is there agrees;
held in memory, given to who holds the page's token, forgotten once the region is drawn. Nothing of it is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from edge.counters import CameraSection
from pipeline.errors import InvalidError
from pipeline.language import Message

MAX_CORNERS = 32
Region = list[list[float]]


class OnePicture:
    """`read` gives the picture as JPEG; it is called for every picture that is taken, and raises `SourceError`."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._jpeg: bytes | None = None

    @property
    def jpeg(self) -> bytes | None:
        """The picture, None where there is none (any more)."""
        return self._jpeg

    def take(self, form: Mapping[str, object]) -> None:
        """Take it, once both statements were ticked. Raises `InvalidError` where one was not, and `SourceError`."""
        if form.get("nobody") != "yes" or form.get("staff") != "yes":
            raise InvalidError(
                Message("The picture was not taken: both statements have to be confirmed."),
                Message("Wait until no citizen is before the camera, and ask whoever of the staff is."),
            )
        self._jpeg = self._read()

    def forget(self) -> None:
        """Keep nothing of it."""
        self._jpeg = None


def read_jpeg(source: int | str) -> bytes:
    """One picture of a source as JPEG. Raises `SourceError`."""
    import cv2

    from edge.capture.camera import Camera

    return bytes(cv2.imencode(".jpg", Camera(source).check().pixels)[1])


def drawn_region(text: str) -> Region:
    """The corners that a page sends, in shares of width and height. Raises `InvalidError`."""
    try:
        region = [[round(float(x), 3), round(float(y), 3)] for x, y in json.loads(text)[:MAX_CORNERS]]
        CameraSection.model_validate({"source": "none", "region": region})
        if len(region) < 3:
            raise ValueError(Message("too few corners"))
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        raise InvalidError(
            Message("A region is at least three corners within the picture."),
            Message("Touch the corners of the citizen's place one after the other."),
        ) from None
    return region
