"""Arousal of an utterance from plain prosody: louder, higher and more varied speech is more aroused.

A stand-in with no trained weights. Acoustic correlates of arousal after Scherer 2003 (Speech Communication 40) and
Juslin and Laukka 2003 (Psychological Bulletin 129): mean and variation of the fundamental frequency and of the energy.
It says nothing of valence, and its uncertainty tells so.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.records import SAMPLE_RATE_HZ, SpeechAffect

_FRAME = 640
_HOP = 320
_LOW_HZ, _HIGH_HZ = 75.0, 450.0
_VOICED = 0.45


class SpeechNetwork(Protocol):
    """Whatever tells the affect of an utterance's sound."""

    def infer(self, samples: NDArray[np.float32]) -> SpeechAffect:
        """Affect of one utterance, float32 [n], 16 kHz mono in [-1, 1]."""
        ...


def pitch_hz(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fundamental frequency float32 [frames] in Hz, 0 where unvoiced: peak of the normalised autocorrelation of 40 ms
    frames every 20 ms.
    """
    count = 1 + (len(samples) - _FRAME) // _HOP
    if count < 1:
        return np.zeros(0, np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP][:count]
    frames = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(frames, 2 * _FRAME, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :_FRAME]
    # fewer products at longer lags: normalise by their number
    correlation = correlation / (1 - np.arange(_FRAME) / _FRAME) / np.maximum(correlation[:, :1], 1e-9)
    low, high = int(SAMPLE_RATE_HZ / _HIGH_HZ), int(SAMPLE_RATE_HZ / _LOW_HZ)
    # every multiple of the period peaks as well: the first peak that is nearly the highest is the period
    near = correlation[:, low - 1 : high + 1]
    inner = near[:, 1:-1]
    peaks = (inner >= near[:, :-2]) & (inner > near[:, 2:]) & (inner > 0.9 * inner.max(axis=1, keepdims=True))
    lags = peaks.argmax(axis=1) + low
    voiced = peaks.any(axis=1) & (correlation[np.arange(count), lags] > _VOICED)
    return np.where(voiced, SAMPLE_RATE_HZ / lags, 0).astype(np.float32)


class ProsodicArousal:
    """Arousal by a fixed formula. Valence is 0 with uncertainty 1: fusion gives it no weight."""

    def infer(self, samples: NDArray[np.float32]) -> SpeechAffect:
        """`arousal` in [0, 1]: logistic in the spread of pitch (semitones) and of loudness (dB) against that of even
        speech.
        """
        duration_s = len(samples) / SAMPLE_RATE_HZ
        pitch = pitch_hz(samples)
        voiced = pitch[pitch > 0]
        if len(voiced) < 10:
            return SpeechAffect(0.5, 0.0, 1.0, duration_s)
        semitones = 12 * np.log2(voiced / np.median(voiced))
        spread = float(np.percentile(semitones, 90) - np.percentile(semitones, 10))
        energy = (samples[: len(samples) // _HOP * _HOP].reshape(-1, _HOP) ** 2).mean(axis=1)
        loudness_db = 10 * np.log10(np.maximum(energy, 1e-9))
        level_db = float(np.percentile(loudness_db, 90) - np.percentile(loudness_db, 20))
        arousal = 1 / (1 + np.exp(-(0.25 * (spread - 6.0) + 0.08 * (level_db - 20.0))))
        return SpeechAffect(float(arousal), 0.0, 1.0, duration_s)
