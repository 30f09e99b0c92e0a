"""The log-mel spectrogram against librosa's own, on real voices and on sounds that are hard."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.logmel import LogMel, LogMelSettings, hz_to_mel, mel_to_hz
from tests.edge.clips import voice

SETTINGS = (
    LogMelSettings(),
    LogMelSettings(fft_samples=1024, window_samples=1024, hop_samples=256, bands=40, low_hz=0.0, high_hz=8_000.0),
)


def sounds() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    time_s = np.arange(24_000) / 16_000
    return {
        "voice": voice("voice_ly"),
        "noise": (rng.normal(size=16_000) * 0.1).astype(np.float32),
        "tone over 80 dB of range": (np.sin(2 * np.pi * 440 * time_s) * np.exp(-8 * time_s)).astype(np.float32),
        "silence": np.zeros(4_000, np.float32),
        "a short click": np.eye(1, 1_100, 600, dtype=np.float32)[0],
        "clipped": np.clip(rng.normal(size=8_000) * 3, -1, 1).astype(np.float32),
    }


class NoCompiler(ModuleType):
    """In numba's place: librosa has it compile, for most of a minute, functions of which none is used here."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *given, **_: given[0] if given and callable(given[0]) else lambda function: function


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", list(sounds()))
def test_equals_librosa(name: str, settings: LogMelSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", NoCompiler("numba"))
    import librosa

    samples = sounds()[name]
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=settings.rate_hz,
        n_fft=settings.fft_samples,
        win_length=settings.window_samples,
        hop_length=settings.hop_samples,
        n_mels=settings.bands,
        fmin=settings.low_hz,
        fmax=settings.high_hz,
    )
    expected = librosa.power_to_db(power, ref=1.0, amin=settings.floor_power, top_db=settings.range_db).T
    found = LogMel(settings)(samples)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def test_one_sample_is_one_frame() -> None:
    assert LogMel()(np.ones(1, np.float32)).shape == (1, 64)


def test_mel_scale_is_inverted() -> None:
    hz = np.array([0.0, 50.0, 999.0, 1_000.0, 4_000.0, 8_000.0])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz, atol=1e-9)
    assert hz_to_mel(1_000.0) == pytest.approx(15.0)


def test_nothing_heavy_is_imported() -> None:
    heavy = ("scipy", "librosa", "numba", "torch")
    program = f"import sys, models.speech_affect; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
