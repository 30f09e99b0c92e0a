"""Speech affect with the shipped weights: what it is told, and what it must not notice."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from models import catalogue
from models.speech_affect import SpeechAffectNetwork
from models.speech_features import COLUMNS as FEATURE_COLUMNS
from models.speech_features import SpeechFeatures
from models.speech_summary import GROUPS, LENGTH, columns, summarise
from pipeline.records import SAMPLE_RATE_HZ
from tests.edge.clips import silence, voice

VOICES = ("voice_binh", "voice_ly", "voice_ngoc", "voice_tuyen", "voice_vinh", "voice_doan")


@pytest.fixture(scope="module")
def network() -> SpeechAffectNetwork:
    return SpeechAffectNetwork(catalogue.model_files("speech-affect")["speech_affect.onnx"])


def tone_with_overtones(pitch_hz: float, seconds: float = 1.5) -> NDArray[np.float32]:
    """A buzzing voice-like sound of one pitch."""
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    parts = [np.sin(2 * np.pi * pitch_hz * k * time_s) / k for k in range(1, 12)]
    sound: NDArray[np.float32] = (0.2 * np.sum(parts, axis=0)).astype(np.float32)
    return sound


@pytest.mark.parametrize("pitch_hz", [90.0, 120.0, 180.0, 240.0, 330.0])
def test_pitch_of_a_known_sound(pitch_hz: float) -> None:
    frames = SpeechFeatures()(tone_with_overtones(pitch_hz))
    middle = frames[20:-20]
    assert middle[:, 64].min() > 0.8
    found_hz = 150.0 * 2.0 ** np.median(middle[:, 65] / middle[:, 64])
    assert found_hz == pytest.approx(pitch_hz, rel=0.03)


def test_noise_is_not_voiced() -> None:
    noise = (np.random.default_rng(0).normal(size=32_000) * 0.1).astype(np.float32)
    assert np.median(SpeechFeatures()(noise)[:, 64]) < 0.5


@pytest.mark.parametrize("gain", [0.02, 0.5])
def test_summary_does_not_depend_on_gain(gain: float) -> None:
    speech = voice("voice_ngoc")
    extract = SpeechFeatures()
    np.testing.assert_allclose(summarise(extract(speech * np.float32(gain))), summarise(extract(speech)), atol=5e-3)


def test_silence_around_speech_is_trimmed() -> None:
    speech = voice("voice_ngoc")
    alone = SpeechFeatures()(speech)
    padded = SpeechFeatures()(np.concatenate([silence(1.5), speech, silence(2.0)]))
    assert alone.shape[1] == FEATURE_COLUMNS
    assert abs(len(padded) - len(alone)) <= 10


def test_summary_is_finite_and_named() -> None:
    assert sum(GROUPS.values()) == LENGTH
    assert list(columns("tilt")) == [91, 92, 93]
    for sound in (voice("voice_ly"), tone_with_overtones(150.0, 0.4), np.full(8_000, 0.3, np.float32)):
        summary = summarise(SpeechFeatures()(sound))
        assert summary.shape == (LENGTH,)
        assert summary.dtype == np.float32
        assert np.isfinite(summary).all()


@pytest.mark.parametrize("name", VOICES)
def test_read_vietnamese_is_not_called_aroused_with_confidence(name: str, network: SpeechAffectNetwork) -> None:
    affect = network.infer(voice(name))
    assert 0.0 <= affect.arousal < 0.8
    assert -0.8 < affect.valence < 0.8
    assert 0.5 < affect.uncertainty <= 1.0
    assert affect.duration_s == pytest.approx(len(voice(name)) / SAMPLE_RATE_HZ)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(32_000, np.float32),
        np.zeros(0, np.float32),
        np.ones(3_000, np.float32),
        np.full(16_000, np.nan, np.float32),
    ],
)
def test_nothing_to_judge_is_full_doubt(samples: NDArray[np.float32], network: SpeechAffectNetwork) -> None:
    affect = network.infer(samples)
    assert (affect.arousal, affect.valence, affect.uncertainty) == (0.5, 0.0, 1.0)


def test_what_is_unlike_speech_is_doubted_more(network: SpeechAffectNetwork) -> None:
    speech = [network.infer(voice(name)).uncertainty for name in VOICES]
    click = np.zeros(32_000, np.float32)
    click[::8_000] = 1.0
    assert network.infer(click).uncertainty > np.median(speech)


def test_raised_voice_is_more_aroused(network: SpeechAffectNetwork) -> None:
    """The same sentences a fifth higher and faster, as by resampling, sound more aroused; none much calmer.

    A resampled voice is also that of a smaller speaker, which decisions evened between the sexes no longer take for
    arousal (decision 0152): before, the mean rise was .13 and the least -.07."""
    rises = []
    for name in VOICES:
        speech = voice(name)
        faster = np.interp(np.arange(0, len(speech) - 1, 1.3), np.arange(len(speech)), speech).astype(np.float32)
        rises.append(network.infer(faster).arousal - network.infer(speech).arousal)
    assert np.mean(rises) > 0.07
    assert min(rises) > -0.17


TONES = {
    "ngang": (0, 0, 0),
    "huyen": (-2, -3, -5),
    "sac": (0, 1, 5),
    "hoi": (-1, -4, -1),
    "nga": (0, -2, 5),
    "nang": (-1, -3, -6),
}
"""Course of pitch of Vietnam's six tones (north), in semitones over the voice's level tone."""
FORMANTS_HZ = ((500, 1500), (700, 1200), (350, 2100), (450, 900))


def said_in_tones(pitch_hz: float, tones: list[str]) -> NDArray[np.float32]:
    """Vowel-like syllables of .22 s that carry tones, with breath between them; the voice sinks a little."""
    rng, parts = np.random.default_rng(0), []
    time_s = np.arange(int(0.22 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    for number, tone in enumerate(tones):
        course = np.interp(time_s, [0, 0.11, 0.22], TONES[tone]) - 0.24 * number
        hz = pitch_hz * 2 ** (course / 12)
        phase, (first, second) = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ, FORMANTS_HZ[number % 4]
        vowel = np.zeros(len(time_s))
        for k in range(1, int(7000 / pitch_hz)):
            resonance = 6 * np.exp(-(((k * hz - first) / 120) ** 2)) + 4 * np.exp(-(((k * hz - second) / 180) ** 2))
            vowel += (1 + resonance) / k * np.sin(k * phase)
        parts += [vowel * np.sqrt(np.hanning(len(vowel))), rng.normal(0, 0.02, 800)]
    sound = np.concatenate(parts)
    return np.asarray(0.3 * sound / np.abs(sound).max() + rng.normal(0, 0.002, len(sound)), np.float32)


@pytest.mark.parametrize("pitch_hz", [110.0, 150.0, 200.0, 250.0, 300.0])
def test_lexical_tone_is_not_read_as_arousal(pitch_hz: float, network: SpeechAffectNetwork) -> None:
    """Eight syllables in six tones are no more aroused than eight in the level tone, at whatever height of voice. (That
    the height itself is read as arousal is a limit that the card states.)"""
    level = network.infer(said_in_tones(pitch_hz, ["ngang"] * 8)).arousal
    mixed = [
        network.infer(said_in_tones(pitch_hz, list(np.random.default_rng(seed).choice(list(TONES), 8))))
        for seed in range(8)
    ]
    assert np.mean([one.arousal for one in mixed]) - level < 0.1
    rising = network.infer(said_in_tones(pitch_hz, ["sac"] * 8)).arousal
    assert rising - level < 0.25


def test_fast_enough_for_many_counters(network: SpeechAffectNetwork) -> None:
    speech = np.concatenate([voice(name) for name in VOICES])[: 8 * SAMPLE_RATE_HZ]
    seconds = len(speech) / SAMPLE_RATE_HZ
    network.infer(speech)
    spent = []
    for _ in range(7):
        start = time.thread_time()
        network.infer(speech)
        spent.append(time.thread_time() - start)
    assert 1_000.0 * min(spent) / seconds < 5.0
