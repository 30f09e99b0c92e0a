"""Speech affect with the shipped weights: what it is told, what it must not notice, and the evaluation command."""

from __future__ import annotations

import csv
import json
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hailong.cli import main
from models import catalog
from models.evaluate_speech import COLUMNS, read_sound
from models.speech_affect import SpeechAffectNetwork
from models.speech_features import COLUMNS as FEATURE_COLUMNS
from models.speech_features import SpeechFeatures
from models.speech_summary import GROUPS, LENGTH, columns, summarise
from pipeline.errors import SourceError
from pipeline.records import SAMPLE_RATE_HZ
from tests.edge.clips import silence, voice

VOICES = ("voice_binh", "voice_ly", "voice_ngoc", "voice_tuyen", "voice_vinh", "voice_doan")


@pytest.fixture(scope="module")
def network() -> SpeechAffectNetwork:
    return SpeechAffectNetwork(catalog.model_files("speech-affect")["speech_affect.onnx"])


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
    """The same sentence a fifth higher and faster, as by resampling, must not sound calmer."""
    for name in VOICES:
        speech = voice(name)
        faster = np.interp(np.arange(0, len(speech) - 1, 1.3), np.arange(len(speech)), speech).astype(np.float32)
        assert network.infer(faster).arousal > network.infer(speech).arousal


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


def write_wav(path: Path, samples: NDArray[np.float32], rate_hz: int = SAMPLE_RATE_HZ) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes())


def test_evaluation_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(tmp_path / "one.wav", voice("voice_ly"))
    write_wav(tmp_path / "two.wav", voice("voice_vinh"), 22_050)
    write_wav(tmp_path / "short.wav", voice("voice_ly")[:1_000])
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    rows = [
        ("one.wav", "neutral", "a"),
        ("two.wav", "anger", "b"),
        ("short.wav", "sadness", "a"),
        ("broken.wav", "fear", "b"),
        ("missing.wav", "fear", ""),
        ("one.wav", "puzzled", "a"),
    ]
    with (tmp_path / "index.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "speaker"), *rows])
    out = tmp_path / "out.csv"
    assert (
        main(
            [
                "models",
                "eval",
                "speech",
                "--index",
                str(tmp_path / "index.csv"),
                "--out",
                str(out),
                "--json",
                "--resamples",
                "20",
            ]
        )
        == 0
    )
    summary = json.loads(capsys.readouterr().out)
    assert (summary["n"], summary["found"], summary["speakers"]) == (6, 3, 2)
    assert summary["arousal"]["measured"] == 2
    assert 0.0 <= summary["arousal"]["uar"]["value"] <= 1.0
    with out.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == COLUMNS
    assert [row["found"] for row in table] == ["1", "1", "0", "0", "0", "1"]
    assert [row["reason"] != "" for row in table] == [False, False, True, True, True, False]
    assert table[4]["reason"] == "no such file"


def test_wrong_columns_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = tmp_path / "index.csv"
    index.write_text("file,emotion\nx.wav,anger\n", encoding="utf-8")
    assert main(["models", "eval", "speech", "--index", str(index), "--out", str(tmp_path / "out.csv")]) != 0
    assert "path,label,speaker" in capsys.readouterr().err


def test_sound_is_resampled(tmp_path: Path) -> None:
    write_wav(tmp_path / "tone.wav", tone_with_overtones(200.0), 44_100)
    samples = read_sound(tmp_path / "tone.wav")
    assert len(samples) == pytest.approx(24_000 * 16_000 / 44_100, abs=40)
    (tmp_path / "text.wav").write_text("not a sound", encoding="utf-8")
    with pytest.raises(SourceError):
        read_sound(tmp_path / "text.wav")
