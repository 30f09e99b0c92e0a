"""Damage that a counter, a telephone or a far microphone does to a voice, for training: numpy and scipy only, seeded.

Every function takes and gives float32 [n] at 16 kHz in about [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import signal

Float32 = npt.NDArray[np.float32]
RATE_HZ = 16_000


def change_speed(samples: Float32, factor: float) -> Float32:
    """Faster (factor > 1) or slower; pitch and formants move along, as with another speaker's vocal tract."""
    return signal.resample(samples, max(1, round(len(samples) / factor))).astype(np.float32)


def coloured_noise(count: int, exponent: float, rng: np.random.Generator) -> Float32:
    """Noise whose power falls with frequency^-exponent (0 white, 1 pink, 2 brown); standard deviation 1."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** (exponent / 2)
    noise = np.fft.irfft(spectrum, count)
    return (noise / max(float(noise.std()), 1e-9)).astype(np.float32)


def babble(count: int, others: Sequence[Float32], rng: np.random.Generator) -> Float32:
    """Several other utterances on top of each other, each looped and shifted; standard deviation 1."""
    total = np.zeros(count, dtype=np.float32)
    for other in others:
        repeated = np.tile(other, count // max(len(other), 1) + 2)
        start = int(rng.integers(0, max(len(other), 1)))
        voice = repeated[start : start + count]
        total += voice / max(float(voice.std()), 1e-6)
    return total / max(float(total.std()), 1e-6)


def add_noise(samples: Float32, noise: Float32, snr_db: float) -> Float32:
    """Noise added at a ratio to the level of the loud parts (RMS of the loudest fifth of 20 ms blocks)."""
    blocks = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    levels = np.sort(np.sqrt(np.mean(blocks.astype(np.float64) ** 2, axis=1))) if len(blocks) else np.ones(1)
    loud = float(levels[-max(1, len(levels) // 5) :].mean())
    return samples + noise * np.float32(loud * 10 ** (-snr_db / 20))


def reverberate(samples: Float32, decay_s: float, direct_ratio: float, rng: np.random.Generator) -> Float32:
    """Room of reverberation time `decay_s` (-60 dB): decaying noise after the direct sound (Polack 1988)."""
    count = int(decay_s * RATE_HZ)
    tail = rng.normal(size=count) * np.exp(-6.9 * np.arange(count) / count)
    tail[: int(0.003 * RATE_HZ)] = 0.0
    tail *= 1.0 / (direct_ratio * max(float(np.sqrt((tail**2).sum())), 1e-9))
    tail[0] = 1.0
    return signal.fftconvolve(samples, tail)[: len(samples)].astype(np.float32)


def telephone(samples: Float32) -> Float32:
    """300 to 3400 Hz and 8-bit mu-law (ITU-T G.711's curve)."""
    filtered = signal.sosfilt(signal.butter(4, [300, 3400], "bandpass", fs=RATE_HZ, output="sos"), samples)
    scaled = filtered / max(float(np.abs(filtered).max()), 1e-6)
    compressed = np.sign(scaled) * np.log1p(255 * np.abs(scaled)) / np.log(256)
    coarse = np.round(compressed * 127) / 127
    return (np.sign(coarse) * (256 ** np.abs(coarse) - 1) / 255).astype(np.float32)


def low_pass(samples: Float32, cutoff_hz: float) -> Float32:
    """Far or muffled microphone, or a codec that lowers the upper bands."""
    return signal.sosfilt(signal.butter(3, cutoff_hz, "lowpass", fs=RATE_HZ, output="sos"), samples).astype(np.float32)


def colour(samples: Float32, rng: np.random.Generator, spread_db: float) -> Float32:
    """A random smooth frequency response, as of another microphone (`spread_db`: standard deviation of its steps)."""
    spectrum = np.fft.rfft(samples)
    octave = np.log2(np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE_HZ), 50) / 50)
    knots = np.cumsum(rng.normal(size=9)) * spread_db / 2
    gain_db = np.interp(octave, np.linspace(0, np.log2(160), 9), knots - knots.mean())
    return np.fft.irfft(spectrum * 10 ** (gain_db / 20), len(samples)).astype(np.float32)


def damage(samples: Float32, others: Sequence[Float32], rng: np.random.Generator) -> Float32:
    """One random chain: another voice's size and tempo, room, microphone, noise, telephone, clipping, level."""
    sound = samples
    if rng.random() < 0.6:
        sound = change_speed(sound, float(np.exp(np.clip(rng.normal(0, 0.09), -0.2, 0.2))))
    far = rng.random() < 0.25
    if far or rng.random() < 0.3:
        sound = reverberate(
            sound, float(rng.uniform(0.15, 0.9)), float(rng.uniform(0.5, 1.0) if far else rng.uniform(1, 4)), rng
        )
    if rng.random() < 0.7:
        sound = colour(sound, rng, 4.0)
    if far or rng.random() < 0.15:
        sound = low_pass(sound, float(rng.uniform(2_200, 6_500)))
    if far or rng.random() < 0.6:
        snr_db = float(rng.uniform(3, 15) if far else rng.uniform(8, 35))
        if others and rng.random() < 0.35:
            noise = babble(len(sound), others, rng)
        else:
            noise = coloured_noise(len(sound), float(rng.uniform(0, 2)), rng)
        sound = add_noise(sound, noise, snr_db)
    if rng.random() < 0.12:
        sound = telephone(sound)
    sound = sound / np.float32(max(float(np.abs(sound).max()), 1e-6))
    if rng.random() < 0.1:
        sound = np.clip(sound, -0.5, 0.5)
    return (sound * np.float32(10 ** rng.uniform(-1.5, 0))).astype(np.float32)
