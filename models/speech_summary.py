"""One utterance's frames summed up in 126 figures, most of which a microphone, a room or a telephone leaves alone.

A channel adds a constant to each band of a log-mel spectrum. So besides the mean spectrum (which it moves) the figures
hold what it cannot move: how each band follows the level within the utterance (a voice that is raised gains high
frequencies faster than low ones: vocal effort, Traunmueller & Eriksson 2000, JASA 107), pitch and its spread, voicing,
tilt and its course. Durations are left out. Steady noise is taken away first. Functionals of low-level descriptors
after Eyben et al. 2016 (the Geneva minimalistic set), chosen and written anew.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

GROUPS: dict[str, int] = {
    "slope": 16,
    "contrast": 16,
    "voiced_slope": 16,
    "correlation": 7,
    "spread": 16,
    "pitch": 15,
    "energy": 4,
    "course": 1,
    "tilt": 3,
    "spectrum": 16,
    "change": 16,
}
"""Name of each group of figures and how many there are, in order."""

LENGTH = sum(GROUPS.values())

_BANDS = 64
_FLOOR = -4.5
_LEAST = -6.0
_ACTIVE = -2.5
_VOICED = 0.55
_PAIRS = ((0, 4), (0, 8), (2, 6), (4, 8), (4, 12), (8, 12), (1, 3))


def columns(*groups: str) -> npt.NDArray[np.int64]:
    """Positions of the named groups' figures in a summary."""
    ends = np.cumsum(list(GROUPS.values()))
    at = dict(zip(GROUPS, ends, strict=True))
    return np.concatenate([np.arange(at[name] - GROUPS[name], at[name]) for name in groups])


def without_noise(mel: Float64) -> Float64:
    """Log-mel frames [t, 64] (units of 10 dB) less the steady noise of each band, relative to the loud frames again.

    The noise is the tenth percentile of the band's power, and a tenth of it is left (spectral subtraction with a floor:
    Berouti, Schwartz & Makhoul 1979, ICASSP).
    """
    power = 10.0 ** np.maximum(mel, _LEAST)
    noise = np.percentile(power, 10, axis=0)
    left = np.maximum(power - noise, 0.1 * noise)
    clean: Float64 = np.log10(left) - np.percentile(np.log10(np.mean(left, axis=1) + 1e-9), 95)
    return clean


def summarise(frames: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Sums frames [t, 66] of `SpeechFeatures` (t >= 10) up into float32 [126], every figure finite."""
    table = frames.astype(np.float64)
    mel = np.maximum(without_noise(table[:, :_BANDS]), _FLOOR)
    level = np.log10(np.mean(10.0**mel, axis=1) + 1e-9)
    active = level > _ACTIVE
    if active.sum() < 10:
        active = level >= np.sort(level)[-min(10, len(level))]
    bands = mel.reshape(len(mel), 16, 4).mean(axis=2)
    heard, loudness = bands[active], level[active]
    loud = loudness >= np.percentile(loudness, 70)
    quiet = loudness <= np.percentile(loudness, 40)
    contrast = heard[loud].mean(axis=0) - heard[quiet].mean(axis=0)
    spread = heard.std(axis=0)
    scaled = (heard - heard.mean(axis=0)) / (spread + 0.1)
    together = scaled.T @ scaled / len(scaled)
    voicing = table[:, 64]
    voiced = _voiced(voicing, active)
    tilt = bands[:, 7:].mean(axis=1) - bands[:, :4].mean(axis=1)
    heard_tilt = tilt[active]
    mean = heard.mean(axis=0)
    change = np.abs(bands[2:] - bands[:-2]).mean(axis=0) / (spread + 0.1)
    parts = [
        _slopes(heard, loudness, 1e-6),
        contrast - contrast.mean(),
        _slopes(bands[voiced], level[voiced], 0.05),
        np.array([together[one, two] for one, two in _PAIRS]),
        spread - spread.mean(),
        _pitch(table, voiced, level, active, loud, quiet),
        np.array(
            [
                loudness.std(),
                np.percentile(loudness, 25) - np.median(loudness),
                np.percentile(loudness, 10),
                active.mean(),
            ]
        ),
        np.polyfit(np.linspace(-1.0, 1.0, len(loudness)), loudness, 1)[:1],
        np.array(
            [
                _correlation(loudness, heard_tilt),
                heard_tilt.std(),
                heard_tilt[loud].mean() - heard_tilt[quiet].mean(),
            ]
        ),
        mean - mean.mean(),
        change,
    ]
    summary: npt.NDArray[np.float32] = np.nan_to_num(np.concatenate(parts)).astype(np.float32)
    return summary


def _voiced(voicing: Float64, active: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    voiced = (voicing > _VOICED) & active
    if voiced.sum() < 6:
        voiced = active & (voicing >= np.sort(voicing[active])[-min(6, int(active.sum()))])
    return voiced


def _slopes(bands: Float64, level: Float64, ridge: float) -> Float64:
    """How much each band rises when the level rises by one: least squares, [16]."""
    centred = level - level.mean()
    slopes: Float64 = centred @ (bands - bands.mean(axis=0)) / (centred @ centred + ridge)
    return slopes


def _correlation(one: Float64, two: Float64) -> float:
    spread = float(one.std() * two.std())
    return float(np.mean((one - one.mean()) * (two - two.mean()))) / spread if spread > 1e-6 else 0.0


def _pitch(
    table: Float64,
    voiced: npt.NDArray[np.bool_],
    level: Float64,
    active: npt.NDArray[np.bool_],
    loud: npt.NDArray[np.bool_],
    quiet: npt.NDArray[np.bool_],
) -> Float64:
    """Height, spread and course of pitch in octaves, its tie to the level, and voicing: [15]."""
    voicing = table[:, 64]
    octaves = (table[:, 65] / np.maximum(voicing, 1e-3))[voiced]
    middle = np.median(octaves)
    octaves = np.where(np.abs(octaves - middle) > 0.8, middle, octaves)
    weight = 10.0 ** level[voiced]
    low, high = np.percentile(octaves, [10, 90])
    third = len(octaves) // 3
    heard = voicing[active]
    return np.array(
        [
            octaves.mean(),
            np.median(octaves),
            low,
            high,
            octaves.std(),
            high - low,
            np.abs(np.diff(octaves)).mean() if len(octaves) > 1 else 0.0,
            _correlation(octaves, level[voiced]),
            (octaves * weight).sum() / weight.sum(),
            voiced.sum() / active.sum(),
            heard.mean(),
            heard.std(),
            heard[loud].mean() - heard[quiet].mean(),
            octaves[:third].mean() - octaves[-(third + 1) :].mean() if third else 0.0,
            octaves[third : 2 * third + 1].mean() - octaves.mean(),
        ]
    )
