"""Voice activity on real Vietnamese speech, silence and noise; prosody on synthetic pitch."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.catalogue import model_files
from models.prosody import ProsodicArousal, pitch_hz
from models.runtime import OnnxNetwork
from models.vad import VadParameters, VoiceActivity
from pipeline.records import SAMPLE_RATE_HZ, Chunk, Utterance
from tests.edge.clips import chunks, silence, voice

VOICES = ("voice_binh", "voice_ly", "voice_ngoc", "voice_tuyen", "voice_vinh", "voice_doan")


@pytest.fixture(scope="module")
def network() -> OnnxNetwork:
    return OnnxNetwork(model_files("voice-activity")["silero_vad_v6.onnx"])


def utterances(network: OnnxNetwork, sound: NDArray[np.float32], size: int = 1024, **changes: float) -> list[Utterance]:
    detector = VoiceActivity(network, VadParameters(**changes))
    found = [each for chunk in chunks(sound, 100.0, size) for each in detector.feed(chunk)]
    return found + detector.flush()


@pytest.mark.parametrize("name", VOICES)
def test_speech_is_found_where_it_is(name: str, network: OnnxNetwork) -> None:
    speech = voice(name)
    found = utterances(network, np.concatenate([silence(1.0), speech, silence(1.0)]))
    assert found
    assert found[0].start_s == pytest.approx(101.0, abs=0.35)
    assert found[-1].end_s == pytest.approx(101.0 + len(speech) / SAMPLE_RATE_HZ, abs=0.5)
    for each in found:
        assert len(each.samples) == pytest.approx((each.end_s - each.start_s) * SAMPLE_RATE_HZ, abs=1)
    heard_s = sum(each.end_s - each.start_s for each in found)
    assert heard_s > 0.75 * len(speech) / SAMPLE_RATE_HZ


def test_the_size_of_chunks_changes_nothing(network: OnnxNetwork) -> None:
    sound = np.concatenate([silence(0.5), voice("voice_ngoc"), silence(1.0)])
    expected = [each.samples for each in utterances(network, sound, 512)]
    for size in (160, 1000, 4096):
        found = utterances(network, sound, size)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.samples, other)


@pytest.mark.parametrize(
    "sound",
    [
        silence(4.0),
        0.05 * np.random.default_rng(1).standard_normal(4 * SAMPLE_RATE_HZ).astype(np.float32),
        (0.3 * np.sin(np.arange(4 * SAMPLE_RATE_HZ) * 0.2)).astype(np.float32),
    ],
    ids=["silence", "noise", "tone"],
)
def test_what_is_not_speech_goes_nowhere(sound: NDArray[np.float32], network: OnnxNetwork) -> None:
    assert utterances(network, sound) == []


def test_long_speech_is_cut_and_short_speech_dropped(network: OnnxNetwork) -> None:
    talk = np.concatenate([voice(name) for name in VOICES])
    longest = max(each.end_s - each.start_s for each in utterances(network, talk, maximum_s=2.0))
    assert longest <= 2.0 + 0.033
    detector = VoiceActivity(network, VadParameters(minimum_s=60.0))
    assert detector.feed(Chunk(np.concatenate([voice("voice_ly"), silence(1)]), 0.0)) == []
    assert detector.dropped_short >= 1


@pytest.mark.parametrize("pitch", [90.0, 150.0, 220.0, 400.0])
def test_pitch_of_a_pulse_train(pitch: float) -> None:
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    sound = sum(np.sin(2 * np.pi * pitch * k * time_s) / k for k in range(1, 8)) * 0.1
    found = pitch_hz(np.asarray(sound, np.float32))
    assert float(np.median(found[found > 0])) == pytest.approx(pitch, rel=0.02)
    assert (found > 0).mean() > 0.9


def test_arousal_rises_with_the_spread_of_pitch_and_has_no_valence() -> None:
    def gliding(octaves: float) -> NDArray[np.float32]:
        time_s = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        pitch = 150 * 2 ** (octaves / 2 * np.sin(2 * np.pi * time_s))
        phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ
        return np.asarray(0.2 * np.sin(phase) + 0.1 * np.sin(2 * phase), np.float32)

    affects = [ProsodicArousal().infer(gliding(octaves)) for octaves in (0.05, 0.5, 1.2)]
    assert affects[0].arousal < affects[1].arousal < affects[2].arousal
    assert all(affect.valence == 0 and affect.uncertainty == 1 for affect in affects)
    assert ProsodicArousal().infer(silence(1.0)).uncertainty == 1
