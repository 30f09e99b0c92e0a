"""What a microphone's state may tell, and how many of its channels are opened."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from edge.capture.microphone import Microphone, MicrophoneSettings, channels_to_open
from pipeline.records import SAMPLE_RATE_HZ
from tests.edge.clips import write_sound


@pytest.mark.parametrize(
    ("most", "channel", "expected"),
    [(1, 0, 1), (2, 0, 2), (2, 1, 2), (4, 0, 4), (32, 0, 2), (64, 1, 2), (32, 4, 5)],
)
def test_a_device_is_never_asked_to_mix_its_channels(most: int, channel: int, expected: int) -> None:
    assert channels_to_open(most, channel) == expected


def test_a_microphone_with_a_noise_gate_does_not_tell_when_somebody_speaks(tmp_path: Path) -> None:
    """Zeros between two sentences: its state, which goes into heartbeat and log, stays what it was."""
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE_HZ // 4) / SAMPLE_RATE_HZ).astype(np.float32)
    gap = np.zeros(SAMPLE_RATE_HZ, np.float32)
    path = write_sound(tmp_path / "gated.wav", np.stack([np.concatenate([tone, gap, tone, gap])]))
    states: list[bool] = []
    microphone = Microphone(str(path), settings=MicrophoneSettings(silent_s=0.3), on_lost=states.append)
    microphone.start()
    end_s = time.monotonic() + 60.0
    while not microphone.finished and time.monotonic() < end_s:
        microphone.next(0.05)
    microphone.stop()
    assert microphone.finished
    assert states == []


def test_a_microphone_that_comes_back_is_back_before_anybody_speaks(tmp_path: Path) -> None:
    path = tmp_path / "late.wav"
    microphone = Microphone(str(path), settings=MicrophoneSettings(first_pause_s=0.05, longest_pause_s=0.1), loop=True)
    microphone.start()
    end_s = time.monotonic() + 60.0
    while not microphone.lost and time.monotonic() < end_s:
        time.sleep(0.01)
    assert "There is no file" in microphone.reason
    write_sound(path, np.zeros((1, SAMPLE_RATE_HZ), np.float32))
    while microphone.lost and time.monotonic() < end_s:
        microphone.next(0.05)
    assert not microphone.lost
    microphone.stop()
