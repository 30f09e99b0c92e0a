"""What the speech network sees of an utterance: log-mel frames and a coarse pitch track, without level and silence.

Nothing here depends on the gain of the microphone (levels are relative to the utterance's loud frames) or on how long
the recording was padded with silence (it is trimmed), because both tell the recording set-up, not the citizen.

Source of the pitch: Boersma (1993), Accurate short-term analysis of the fundamental frequency, IFA Proceedings 17
(autocorrelation divided by that of the window), here without path search: one candidate per frame.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.logmel import LogMel

Float32 = npt.NDArray[np.float32]

RATE_HZ = 16_000
COLUMNS = 66
"""64 log-mel bands, then voicing in [0, 1], then pitch in octaves above 150 Hz times voicing."""

_PITCH_HOP = 320
_PITCH_WINDOW = 640
_PITCH_FFT = 1024
_LOWEST_HZ, _HIGHEST_HZ = 70.0, 500.0
_SILENCE_DB = 32.0
_MIN_FRAMES = 30


class SpeechFeatures:
    """Makes feature frames (10 ms apart) out of samples; tables are made once, in the constructor."""

    def __init__(self) -> None:
        self._logmel = LogMel()
        window = np.hanning(_PITCH_WINDOW + 1)[:-1]
        self._window = window.astype(np.float32)
        spectrum = np.abs(np.fft.rfft(window, _PITCH_FFT)) ** 2
        own = np.fft.irfft(spectrum)[: int(RATE_HZ / _LOWEST_HZ) + 2]
        self._window_correlation = (own / own[0]).astype(np.float32)
        bins_hz = np.fft.rfftfreq(_PITCH_FFT, 1.0 / RATE_HZ)
        self._band = ((bins_hz > 60.0) & (bins_hz < 1_500.0)).astype(np.float32)
        self._shortest_lag = int(RATE_HZ / _HIGHEST_HZ)
        lags = np.arange(self._shortest_lag, len(own) - 1)
        self._octave_cost = (0.02 * np.log2(lags / lags[0])).astype(np.float32)

    def __call__(self, samples: Float32) -> Float32:
        """Feature frames of one utterance.

        Args:
            samples: float32 [n], 16 kHz mono in [-1, 1].

        Returns:
            float32 [frames, 66], frames >= 30 where the sound is that long: columns 0..63 log-mel in units of 10 dB
            relative to the loud frames (0 = the 95th percentile of frame level), column 64 voicing, column 65 pitch *
            voicing.
        """
        signal = np.asarray(samples, dtype=np.float32)
        mel = self._logmel(signal)
        level_db = 10.0 * np.log10(np.maximum(np.mean(10.0 ** (mel / 10.0), axis=1), 1e-12))
        loud_db = float(np.percentile(level_db, 95))
        voicing, octaves = self.pitch(signal, len(mel))
        frames = np.column_stack([(mel - loud_db) / 10.0, voicing, octaves * voicing]).astype(np.float32)
        first, last = _speech_span(level_db > loud_db - _SILENCE_DB)
        return frames[first:last]

    def pitch(self, samples: Float32, frames: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Voicing in [0, 1] and pitch in octaves above 150 Hz, float64 [frames] each, at the hop of the log-mel."""
        padded = np.pad(np.asarray(samples, dtype=np.float32), _PITCH_WINDOW // 2)
        windows = np.lib.stride_tricks.sliding_window_view(padded, _PITCH_WINDOW)[::_PITCH_HOP]
        spectrum = np.fft.rfft(windows * self._window, _PITCH_FFT)
        power = (spectrum.real**2 + spectrum.imag**2) * self._band
        correlation = np.fft.irfft(power)[:, : len(self._window_correlation)]
        correlation /= np.maximum(correlation[:, :1], 1e-9)
        correlation /= self._window_correlation
        first = self._shortest_lag
        scores = correlation[:, first:-1] - self._octave_cost
        rows = np.arange(len(scores))
        best = scores.argmax(axis=1)
        strength = np.clip(correlation[rows, best + first], 0.0, 1.0)
        octaves = np.log2(RATE_HZ / (best + first) / 150.0)
        steps = np.minimum(np.arange(frames) // (_PITCH_HOP // 160), len(rows) - 1)
        return strength[steps], octaves[steps]


def _speech_span(active: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """First frame and one past the last frame of the sound, 50 ms around the active frames, at least 300 ms."""
    where = np.flatnonzero(active)
    first, last = max(0, int(where[0]) - 5), min(len(active), int(where[-1]) + 6)
    if last - first < _MIN_FRAMES:
        middle = (first + last) // 2
        first = max(0, min(middle - _MIN_FRAMES // 2, len(active) - _MIN_FRAMES))
        last = min(len(active), first + _MIN_FRAMES)
    return first, last
