"""What a call says, as files that Asterisk plays: recorded by a person, else said by espeak-ng and marked as that.

A text's file is named by its hash; beside what a machine has said stands the text, `espeak-ng/NAME.txt`. Whoever
records one puts `recorded/NAME.wav` there (8 kHz, mono, 16 bit), and it is played from then on.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import ConfigError
from pipeline.language import Message

RATE_HZ = 8_000
"""What Asterisk's format `wav` holds."""
MACHINE = "Đây là giọng đọc của máy."
"""Said once before the first prompt of a call that no person has recorded."""
_PROGRAM = "espeak-ng"
_SLOW = "140"
_WAIT_S = 20

Speak = Callable[[str, Path], None]
"""Writes a text as a WAVE file of any rate, mono, 16 bit."""


def espeak(text: str, path: Path) -> None:
    """Say a text in Vietnamese. Raises `ConfigError` where espeak-ng is not there or fails."""
    program = shutil.which(_PROGRAM)
    if program is not None:
        command = [program, "-v", "vi", "-s", _SLOW, "--stdin", "-w", str(path)]
        try:
            done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_WAIT_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            done = None
        if done is not None and done.returncode == 0:
            return
    raise ConfigError(
        Message("There is no recording of a prompt, and espeak-ng cannot say it."),
        Message("Install espeak-ng, or record the prompts: hailong server call prompts lists them."),
    )


@dataclass(frozen=True, slots=True)
class Prompt:
    """A file to play, named as Asterisk wants it, without its ending. `recorded`: by a person."""

    sound: str
    recorded: bool


class Prompts:
    """The folder of prompts. `speak`: says what nobody has recorded."""

    def __init__(self, folder: Path, speak: Speak = espeak) -> None:
        self._folder, self._speak = folder, speak
        if '"' in str(folder) or "\n" in str(folder):
            raise ConfigError(Message("The folder of prompts has a name that Asterisk cannot be told."))

    def of(self, text: str) -> Prompt:
        """The file of a text, made where there is none. Raises `ConfigError`."""
        name = hashlib.sha256(text.encode()).hexdigest()[:20]
        recorded, said = self._folder / "recorded" / name, self._folder / "espeak-ng" / name
        if recorded.with_suffix(".wav").is_file():
            return Prompt(str(recorded), recorded=True)
        if not said.with_suffix(".wav").is_file():
            try:
                self._say(text, said)
            except OSError as error:
                raise ConfigError(
                    Message("A prompt cannot be written in {folder}: {error}", folder=said.parent, error=error),
                    Message("Give the folder of prompts to the user that Asterisk runs as."),
                ) from error
        return Prompt(str(said), recorded=False)

    def _say(self, text: str, said: Path) -> None:
        said.parent.mkdir(parents=True, exist_ok=True)
        said.with_suffix(".txt").write_text(text, encoding="utf-8")
        # made beside it and moved: two calls at once, or one that is cut off, leave no half of a file
        with tempfile.TemporaryDirectory(dir=said.parent) as folder:
            raw, ready = Path(folder) / "raw.wav", Path(folder) / "ready.wav"
            self._speak(text, raw)
            _at_8_khz(raw, ready)
            os.replace(ready, said.with_suffix(".wav"))


def _at_8_khz(source: Path, target: Path) -> None:
    """A mono WAVE of 16 bit at 8 kHz: what lies above 4 kHz is cut off, not folded down."""
    with wave.open(str(source), "rb") as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ConfigError(Message("A spoken prompt is no mono WAVE of 16 bit."))
        rate_hz, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    if rate_hz != RATE_HZ and len(samples):
        count = round(len(samples) * RATE_HZ / rate_hz)
        spectrum = np.fft.rfft(samples)[: count // 2 + 1]
        resampled = np.fft.irfft(spectrum, count) * (count / len(samples))
        samples = np.clip(np.round(resampled), -32_768, 32_767).astype("<i2")
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())


@dataclass(frozen=True, slots=True)
class Listed:
    """A text that calls have said. `name`: that of its file."""

    name: str
    text: str
    recorded: bool


def listed(folder: Path) -> list[Listed]:
    """Every text that a machine has said, and whether a person has recorded it since."""
    said = sorted((folder / "espeak-ng").glob("*.txt"), key=lambda path: path.stat().st_mtime)
    return [
        Listed(path.stem, path.read_text("utf-8"), (folder / "recorded" / f"{path.stem}.wav").is_file())
        for path in said
    ]
