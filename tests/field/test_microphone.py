"""A microphone that is a device: the monitor of a PulseAudio null sink, by ALSA and PortAudio, as a box opens one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.field, pytest.mark.timeout(180)]
CITIZEN_HZ, CLERK_HZ = 440, 1_000
PACKAGES = "pulseaudio pulseaudio-utils libasound2-plugins libportaudio2"

# in a process of its own, as PortAudio looks for devices when it is loaded; a line for every half second of sound
_LISTEN = """
import json, sys, time
import numpy as np
from edge.capture.microphone import Microphone, MicrophoneSettings
settings = MicrophoneSettings(stale_s=4.0, silent_s=1.5, first_pause_s=0.2, longest_pause_s=0.4)
microphone = Microphone("pulse", channel=int(sys.argv[1]), settings=settings)
microphone.start()
heard = np.zeros(0, np.float32)
said_s = time.monotonic()
while True:
    chunk = microphone.next(0.2)
    if chunk is not None:
        heard = np.concatenate([heard, chunk.samples])
    if len(heard) >= 8_000 or time.monotonic() > said_s + 1.0:
        power = np.abs(np.fft.rfft(heard[:8_000] * np.hanning(len(heard[:8_000])))) if len(heard) >= 8_000 else []
        at = [float(power[hz // 2 - 4 : hz // 2 + 5].max()) for hz in (440, 1_000)] if len(power) else [0.0, 0.0]
        told = {"tones": at, "reason": microphone.reason, "dropped": dict(microphone.tallies.dropped)}
        print(json.dumps(told), flush=True)
        heard, said_s = np.zeros(0, np.float32), time.monotonic()
"""


def missing() -> str:
    """What this machine lacks for it, in words."""
    plugin = any(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so"))
    portaudio = any(Path("/usr/lib").glob("*/libportaudio.so.2"))
    if not (shutil.which("pulseaudio") and shutil.which("paplay") and plugin and portaudio):
        return f"there is no PulseAudio for ALSA (apt install {PACKAGES})"
    return ""


class Room:
    """PulseAudio with a null sink of two channels; what is played there is what the microphone hears."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environment = {
            **os.environ, "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder), "PULSE_SERVER": f"unix:{folder}/socket",
        }  # fmt: skip
        self._pulse: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        (self._folder / "socket").unlink(missing_ok=True)
        command = [
            "pulseaudio",
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--disable-shm=yes",
            "--use-pid-file=no",
        ]
        command += [f"--load=module-native-protocol-unix socket={self._folder}/socket auth-anonymous=1"]
        command += ["--load=module-null-sink sink_name=counter rate=44100 channels=2"]
        self._pulse = subprocess.Popen(command, env=self.environment, stderr=subprocess.DEVNULL)
        end_s = time.monotonic() + 20
        while subprocess.run(["pactl", "info"], env=self.environment, capture_output=True).returncode:
            assert time.monotonic() < end_s, "PulseAudio does not start"
            time.sleep(0.1)

    def close(self) -> None:
        if self._pulse is not None:
            self._pulse.kill()
            self._pulse.wait(10)

    @contextmanager
    def talk(self) -> Iterator[None]:
        """The citizen's tone on the left, the civil servant's on the right."""
        at = np.arange(44_100 * 60) / 44_100
        both = np.stack([np.sin(2 * np.pi * hz * at) for hz in (CITIZEN_HZ, CLERK_HZ)], axis=1)
        path = self._folder / "talk.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(44_100)
            file.writeframes((both * 8_000).astype("<i2").tobytes())
        player = subprocess.Popen(["paplay", "--device=counter", str(path)], env=self.environment)
        try:
            yield
        finally:
            player.kill()
            player.wait(10)

    @contextmanager
    def listener(self, channel: int) -> Iterator[Iterator[dict[str, Any]]]:
        """What a microphone tells, line by line."""
        process = subprocess.Popen(
            [sys.executable, "-c", _LISTEN, str(channel)], env=self.environment, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL,            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        try:
            assert process.stdout is not None
            yield (json.loads(line) for line in process.stdout)
        finally:
            process.kill()
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    if why := missing():
        pytest.skip(f"no microphone on this machine: {why}")
    room = Room(tmp_path)
    room.open()
    try:
        yield room
    finally:
        room.close()


@pytest.mark.parametrize("channel", [0, 1])
def test_the_citizen_s_channel_is_heard_and_the_other_one_is_not(room: Room, channel: int) -> None:
    with room.talk(), room.listener(channel) as told:
        for line in told:
            own, other = line["tones"][channel], line["tones"][1 - channel]
            if own > 50:
                break
    assert line["reason"] == ""
    assert other < own / 300, "the other side of the counter is not mixed in (50 dB below)"


def test_a_muted_microphone_is_told_and_heard_when_it_is_not(room: Room) -> None:
    with room.listener(0) as told:
        assert any("gives only silence" in line["reason"] for line in told)
        with room.talk():
            line = next(line for line in told if line["tones"][0] > 50)
            line = next(told)
    assert line["reason"] == ""


def test_a_sound_system_that_dies_is_told_and_comes_back(room: Room) -> None:
    with room.listener(0) as told:
        with room.talk():
            assert any(line["tones"][0] > 50 for line in told)
        room.close()
        assert any(line["reason"] and line["dropped"]["lost"] for line in told)
        room.open()
        with room.talk():
            assert any(line["tones"][0] > 50 and not line["reason"] for line in told)
