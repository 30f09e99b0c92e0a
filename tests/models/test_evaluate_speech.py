"""The evaluation command of speech on files as they come: formats, lengths, names, and what is printed and written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from hailong.cli import main
from models.evaluate_speech import COLUMNS, judge, measure, scored
from models.evaluate_speech import Answer as SpeechAnswer
from models.sound_file import read_sound
from models.speech_affect import SpeechAffectNetwork
from models.speech_baseline import PRIOR, own_middles
from pipeline.errors import SourceError
from pipeline.records import SAMPLE_RATE_HZ, SpeechAffect
from tests.edge.clips import voice
from tests.models.test_speech import network, tone_with_overtones

__all__ = ["network"]

SAMPLE_FORMATS = {"pcm_s16le": "s16", "pcm_s24le": "s32", "pcm_f32le": "flt", "pcm_u8": "u8"}


def encode(
    path: Path, samples: NDArray[np.float32], rate_hz: int = SAMPLE_RATE_HZ, codec: str = "pcm_s16le", channels: int = 1
) -> Path:
    """Writes float32 [n] at 16 kHz as a file of another rate, codec and number of (equal) channels."""
    layout = "mono" if channels == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
    frame.sample_rate = SAMPLE_RATE_HZ
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        if codec in SAMPLE_FORMATS:
            stream.format = SAMPLE_FORMATS[codec]
        target = av.AudioResampler(format=stream.format, layout=layout, rate=rate_hz)
        for piece in [*target.resample(frame), *target.resample(None)]:
            piece.pts = None
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def evaluate(
    folder: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("path", "label", "speaker")
) -> tuple[Path, list[dict[str, str]]]:
    """Runs the command on an index; gives the table that was written."""
    index, out = folder / "index.csv", folder / "out.csv"
    with index.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    options = ["--index", str(index), "--out", str(out), "--json", "--resamples", "20"]
    assert main(["models", "eval", "speech", *options]) == 0
    with out.open(newline="", encoding="utf-8") as file:
        return out, list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("8k.wav", {"rate_hz": 8_000}),
        ("44k.wav", {"rate_hz": 44_100}),
        ("48k_stereo.wav", {"rate_hz": 48_000, "channels": 2}),
        ("24_bit.wav", {"codec": "pcm_s24le"}),
        ("float.wav", {"codec": "pcm_f32le"}),
        ("8_bit.wav", {"codec": "pcm_u8"}),
        ("flac.flac", {"codec": "flac", "rate_hz": 22_050}),
        ("mp3.mp3", {"codec": "libmp3lame", "rate_hz": 44_100}),
        ("opus.ogg", {"codec": "libopus", "rate_hz": 48_000}),
        ("aac.m4a", {"codec": "aac", "rate_hz": 44_100, "channels": 2}),
    ],
)
def test_any_format_is_heard_alike(
    name: str, settings: dict[str, Any], tmp_path: Path, network: SpeechAffectNetwork
) -> None:
    speech = voice("voice_ngoc")
    heard = read_sound(encode(tmp_path / name, speech, **settings))
    assert heard.dtype == np.float32
    assert len(heard) / SAMPLE_RATE_HZ == pytest.approx(len(speech) / SAMPLE_RATE_HZ, abs=0.15)
    affect, reason = judge(network, heard)
    assert affect is not None, reason
    # 8 kHz has lost the upper half of the bands; the others must not be noticed
    assert affect.arousal == pytest.approx(network.infer(speech).arousal, abs=0.3 if name == "8k.wav" else 0.12)


Case = tuple[str, Callable[[Path], object], str]
REFUSED: list[Case] = [
    ("silence.wav", lambda path: encode(path, np.zeros(SAMPLE_RATE_HZ, np.float32)), "silent"),
    ("constant.wav", lambda path: encode(path, np.full(SAMPLE_RATE_HZ, 0.3, np.float32)), "silent"),
    ("short.wav", lambda path: encode(path, voice("voice_ly")[:3_200]), "too short: 0.20 s of sound, 0.3 s are needed"),
    ("one_sample.wav", lambda path: encode(path, np.ones(1, np.float32)), "too short"),
    (
        "nan.wav",
        lambda path: encode(path, np.full(SAMPLE_RATE_HZ, np.nan, np.float32), codec="pcm_f32le"),
        "not numbers",
    ),
    ("broken.wav", lambda path: path.write_bytes(b"RIFF nothing"), "not a sound that can be read"),
    ("text.mp3", lambda path: path.write_text("not a sound", encoding="utf-8"), "not a sound that can be read"),
    ("empty.wav", lambda path: path.write_bytes(b""), "not a sound that can be read"),
    ("folder.wav", lambda path: path.mkdir(), "folder"),
    ("missing.wav", lambda path: None, "no such file"),
    ("", lambda path: None, "no path"),
]


def test_what_cannot_be_judged_is_a_row_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, make, _ in REFUSED:
        if name:
            make(tmp_path / name)
    encode(tmp_path / "fine.wav", voice("voice_ly"))
    rows = [(name, "anger", "a") for name, _, _ in REFUSED]
    _, table = evaluate(tmp_path, [*rows, ("fine.wav", "anger", "a")])
    for (name, _, reason), row in zip(REFUSED, table, strict=False):
        assert (row["path"], row["found"], row["arousal"], row["uncertainty"]) == (name, "0", "", "")
        assert reason in row["reason"]
    assert (table[-1]["found"], table[-1]["reason"]) == ("1", "")
    summary = json.loads(capsys.readouterr().out)
    assert (summary["n"], summary["found"]) == (len(REFUSED) + 1, 1)
    assert sum(summary["not_found"].values()) == len(REFUSED)


def test_labels_and_speakers_as_they_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encode(tmp_path / "one.wav", voice("voice_ly"))
    encode(tmp_path / "two.wav", voice("voice_vinh"), 22_050)
    rows = [
        ("one.wav", "neutral", "a"),
        ("two.wav", " Anger ", "b"),
        ("two.wav", "disgust", ""),
        ("one.wav", "puzzled", "a"),
        ("one.wav", "", "a"),
        ("one.wav",),
    ]
    out, table = evaluate(tmp_path, rows)
    summary = json.loads(capsys.readouterr().out)
    assert (summary["n"], summary["found"], summary["other_labels"], summary["speakers"]) == (6, 6, 3, 2)
    assert (summary["arousal"]["measured"], summary["valence"]["measured"]) == (2, 3)
    assert 0.0 <= summary["arousal"]["uar"]["value"] <= 1.0
    assert summary["intervals_over"] == "recordings", "two speakers cannot be resampled"
    assert tuple(table[0]) == COLUMNS
    assert out.read_text(encoding="utf-8").count("\n") == 7
    nobody = table[2]
    assert nobody["arousal_own_middle"] == nobody["arousal"], "no speaker, no middle of one's own"


def test_without_a_speaker_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encode(tmp_path / "one.wav", voice("voice_ly"))
    evaluate(tmp_path, [("one.wav", "neutral"), ("one.wav", "anger")], ("Path", "label "))
    summary = json.loads(capsys.readouterr().out)
    assert summary["speakers"] == 0
    assert summary["threshold_own_middle"] == "no speaker is named"
    assert summary["arousal"]["uar"]["value"] == 0.5
    assert summary["arousal"]["uar_own_middle"]["value"] is None


def test_an_index_without_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, table = evaluate(tmp_path, [])
    assert table == []
    assert json.loads(capsys.readouterr().out)["n"] == 0


@pytest.mark.parametrize("content", ["file,emotion\nx.wav,anger\n", "", "path;label\nx.wav;anger\n"])
def test_wrong_columns_are_told(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = tmp_path / "index.csv"
    index.write_text(content, encoding="utf-8")
    assert main(["models", "eval", "speech", "--index", str(index), "--out", str(tmp_path / "out.csv")]) != 0
    assert "path,label,speaker" in capsys.readouterr().err


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = tmp_path / "index.csv"
    index.write_text("path,label\n", encoding="utf-8")
    assert main(["models", "eval", "speech", "--index", str(index), "--out", str(tmp_path / "no" / "out.csv")]) != 0
    assert "cannot be written" in capsys.readouterr().err


def test_a_long_recording_is_judged_to_its_end(network: SpeechAffectNetwork) -> None:
    """Half a minute of nothing and then a voice: the voice counts, and minutes of one voice are that voice."""
    speech = voice("voice_ngoc")
    late = np.concatenate([np.zeros(30 * SAMPLE_RATE_HZ, np.float32), speech, np.zeros(3_000, np.float32)])
    minutes = np.tile(speech, 20)
    for recording, tolerance in ((late, 0.25), (minutes, 0.2)):
        affect, reason = judge(network, recording)
        assert affect is not None, reason
        assert affect.arousal == pytest.approx(network.infer(speech).arousal, abs=tolerance)
        assert affect.duration_s == pytest.approx(len(recording) / SAMPLE_RATE_HZ)


def test_reading_stops_after_two_minutes(tmp_path: Path) -> None:
    path = encode(tmp_path / "long.flac", np.tile(tone_with_overtones(200.0), 100), codec="flac")
    assert len(read_sound(path)) == 120 * SAMPLE_RATE_HZ


def test_a_file_that_breaks_off_counts_until_there(tmp_path: Path) -> None:
    path = encode(tmp_path / "whole.flac", np.tile(voice("voice_ly"), 3), codec="flac")
    cut = tmp_path / "cut.flac"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert len(read_sound(cut)) > SAMPLE_RATE_HZ
    with pytest.raises(SourceError):
        read_sound(tmp_path / "nothing.flac")


def answers_of(middles: dict[str, float], each: int = 90) -> list[SpeechAnswer]:
    """Speakers whose calm and raised utterances lie 1 (in log-odds) under and over their own middle."""
    rng = np.random.default_rng(0)
    rows = []
    for speaker, middle in middles.items():
        for number in range(each):
            log_odds = middle + (1.0 if number % 2 else -1.0) + rng.normal() * 0.3
            high = float(1 / (1 + np.exp(-log_odds)))
            affect = SpeechAffect(high, 0.0, 0.9, 2.0)
            rows.append(SpeechAnswer(f"{number}.wav", "anger" if number % 2 else "neutral", speaker, affect, ""))
    return rows


def test_own_middle_finds_a_threshold_that_labels_never_told() -> None:
    rows = answers_of({"a": -2.0, "b": -1.5, "c": 2.0, "d": 1.5, "e": -2.5, "f": 2.5})
    summary = measure(rows, *scored(rows), resamples=50)
    assert summary["intervals_over"] == "speakers"
    assert summary["arousal"]["uar"]["value"] < 0.6
    assert summary["arousal"]["uar_own_middle"]["value"] > 0.95
    swapped = [SpeechAnswer(r.path, "neutral", r.speaker, r.affect, "") for r in rows]
    assert np.array_equal(scored(swapped)[0].own, scored(rows)[0].own), "labels are not looked at"
    assert measure(swapped, *scored(swapped), resamples=5)["arousal"]["uar"]["value"] is None, "only one class"


@pytest.mark.parametrize(("count", "share"), [(1, 1 / (1 + PRIOR)), (10, 0.5), (90, 0.9)])
def test_own_middle_is_trusted_as_far_as_it_was_heard(count: int, share: float) -> None:
    middles = own_middles(np.full(count, -2.0), np.full(count, "a"))
    np.testing.assert_allclose(middles, -2.0 * share)
    np.testing.assert_array_equal(own_middles(np.full(count, -2.0), np.full(count, "")), 0.0)
