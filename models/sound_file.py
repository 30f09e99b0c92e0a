"""Reads a sound file of any format that PyAV reads, as the box would hear it: 16 kHz, mono."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SourceError
from pipeline.language import Message
from pipeline.records import SAMPLE_RATE_HZ


def read_sound(path: Path, longest_s: float = 120.0) -> NDArray[np.float32]:
    """The only sound track as float32 [n] in about [-1, 1], 16 kHz mono, at most `longest_s` of it.

    Raises `SourceError` with a short reason. Where a file breaks off in the middle, what came before counts.
    """
    import av

    if path.exists() and not path.is_file() and not path.is_dir():
        raise SourceError(Message("a pipe or a device, not a file"))
    most = round(longest_s * SAMPLE_RATE_HZ)
    pieces: list[NDArray[np.float32]] = []
    total = 0
    try:
        # "file:": what stands before a colon in a name is no protocol
        with av.open(f"file:{path}") as container:
            count = len(container.streams.audio)
            if count > 1:
                raise SourceError(Message("{count} sound tracks: save it with one", count=count))
            if not count:
                raise SourceError(Message("no sound in the file"))
            resampler, kind = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ), None
            try:
                for frame in container.decode(audio=0):
                    before, kind = kind, (frame.sample_rate, frame.format.name, frame.layout.name)
                    if before is not None and kind != before:  # a recording may change in the middle
                        pieces += [_samples(piece) for piece in resampler.resample(None)]
                        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
                    for piece in resampler.resample(frame):
                        pieces.append(_samples(piece))
                        total += len(pieces[-1])
                    if total >= most:
                        break
                pieces += [_samples(piece) for piece in resampler.resample(None)]
            except av.FFmpegError:
                if total < SAMPLE_RATE_HZ:
                    raise
    except FileNotFoundError:
        raise SourceError(Message("no such file")) from None
    except IsADirectoryError:
        raise SourceError(Message("a folder, not a file")) from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(Message("not a sound that can be read ({name})", name=type(error).__name__)) from error
    if not pieces:
        raise SourceError(Message("no sound in the file"))
    return np.concatenate(pieces)[:most]


def _samples(piece: Any) -> NDArray[np.float32]:
    """Samples float32 [n] of a decoded piece, as they are: a recording that holds what is no number is not judged."""
    samples: NDArray[np.float32] = piece.to_ndarray()[0].astype(np.float32)
    return samples
