"""Words: gates, forgetting, and silence in logs - with the real recogniser where its weights were fetched."""

from __future__ import annotations

import gc
import io
import logging
import sys
import traceback
import unicodedata
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import catalogue
from models.text_sentiment import TextSentimentNetwork
from models.words import NoWords, WordsGates, WordsReader, refuse, silence_recogniser
from pipeline.errors import ModelError
from pipeline.records import WordsAffect
from tests.edge.clips import silence, voice

CANARY = "bí mật chim hoàng yến bảy hai chín"

Heard = namedtuple("Heard", "text avg_logprob no_speech_prob compression_ratio")


def heard(text: str, likely: float = -0.3, no_speech: float = 0.05, ratio: float = 1.2) -> Heard:
    """A segment with the fields of faster-whisper's that the gates read."""
    return Heard(text, likely, no_speech, ratio)


@pytest.mark.parametrize(
    ("segments", "duration_s", "expected"),
    [
        ([heard("cho tôi hỏi cần giấy tờ gì")], 2.0, None),
        ([], 2.0, NoWords.EMPTY),
        ([heard(" ... ")], 2.0, NoWords.EMPTY),
        ([heard("xin chào", no_speech=0.9)], 2.0, NoWords.NO_SPEECH),
        ([heard("xin chào", likely=-1.4)], 2.0, NoWords.UNLIKELY),
        ([heard("xin chào"), heard("à ừ", likely=-2.0)], 2.0, NoWords.UNLIKELY),
        ([heard("vâng vâng vâng vâng vâng", ratio=3.1)], 2.0, NoWords.REPETITIVE),
        ([heard("a " * 40)], 1.0, NoWords.REPETITIVE),
        ([heard("Hãy subscribe cho kênh Ghiền Mì Gõ")], 3.0, NoWords.BOILERPLATE),
        ([heard("Cảm ơn các bạn đã theo dõi và hẹn gặp lại")], 3.0, NoWords.BOILERPLATE),
        ([heard("cảm ơn các bạn")], 2.0, None),
        # as users of other recognisers report them
        ([heard("Hãy subscribe cho kênh La La School Để không bỏ lỡ những video hấp dẫn")], 9.0, NoWords.BOILERPLATE),
        ([heard("Hãy đăng kí cho kênh La La School")], 5.0, NoWords.BOILERPLATE),
        ([heard("Để không bỏ lỡ những "), heard("video hấp dẫn")], 5.0, NoWords.BOILERPLATE),
        ([heard(unicodedata.normalize("NFD", "Các bạn hãy đăng ký kênh"))], 5.0, NoWords.BOILERPLATE),
        ([heard("Phụ đề được thực hiện bởi cộng đồng Amara.org")], 5.0, NoWords.BOILERPLATE),
        # what people say at a counter, and looks alike
        ([heard("tôi đến đăng ký kinh doanh, cho tôi hỏi")], 4.0, None),
        ([heard("đăng ký kết hôn thì cần những giấy gì")], 4.0, None),
        ([heard("cảm ơn các bạn đã giúp đỡ tận tình")], 4.0, None),
        ([heard("xem trên video hướng dẫn rồi mà không hiểu")], 4.0, None),
    ],
)
def test_gates(segments: list[Heard], duration_s: float, expected: NoWords | None) -> None:
    assert refuse(segments, duration_s, WordsGates()) is expected


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="hailong models fetch --asr"):
        WordsReader(tmp_path, sentiment=Angry())


class Angry:
    """A sentiment step that fails with what it was told in its message: the worst that could happen."""

    def __init__(self) -> None:
        self.called = 0

    def infer(self, text: str) -> WordsAffect:
        self.called += 1
        raise ValueError(f"cannot judge: {CANARY} {text}")


class Noting:
    """Keeps what it was told, so that a test may look for it elsewhere."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def infer(self, text: str) -> WordsAffect:
        self.told.append(text)
        return WordsAffect.of((0.1, 0.8, 0.1), 0.5)


class _Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__(0)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {record.getMessage()} {record.__dict__}")


@pytest.fixture
def logged() -> Iterator[list[str]]:
    handler, root = _Everything(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(0)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return catalogue.model_files("whisper-base")["model.bin"].parent
    except ModelError:
        pytest.skip("the recogniser's weights were not fetched (hailong models fetch --asr)")


@pytest.fixture(scope="module")
def sentiment() -> TextSentimentNetwork:
    return TextSentimentNetwork(catalogue.model_files("text-sentiment")["text_sentiment.onnx"])


@pytest.fixture(scope="module")
def reader(folder: Path, sentiment: TextSentimentNetwork) -> WordsReader:
    return WordsReader(folder, sentiment)


@pytest.mark.slow
def test_real_speech_becomes_a_sentiment(reader: WordsReader) -> None:
    found = reader.read(voice("voice_ly"))
    assert isinstance(found, WordsAffect)
    assert sum(found.ratios.posterior()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.slow
def test_what_is_not_speech_is_refused(reader: WordsReader) -> None:
    rng = np.random.default_rng(0)
    tone = (0.2 * np.sin(np.arange(48_000) * 0.2)).astype(np.float32)
    noises: list[NDArray[np.float32]] = [silence(3.0), (rng.normal(size=48_000) * 0.05).astype(np.float32), tone]
    assert all(isinstance(reader.read(noise), NoWords) for noise in noises)
    assert reader.read(voice("voice_ly")[:4_000]) is NoWords.TOO_SHORT


def _noise(number: int) -> NDArray[np.float32]:
    """Number `number` of the sounds of a hall in which nobody speaks, 1 to 7 s, from faint to loud."""
    rng = np.random.default_rng(number)
    length = int(rng.integers(1, 8)) * 16_000
    at_s = np.arange(length) / 16_000
    white = rng.normal(size=length)
    kinds = (
        np.zeros(length),
        white,
        np.cumsum(white) - np.cumsum(np.full(length, white.mean())),  # rumble
        sum(np.sin(2 * np.pi * 50 * harmonic * at_s) / harmonic for harmonic in (1, 2, 3, 5)),  # hum of the mains
        white * (rng.random(length) < 3e-4),  # clicks
        np.convolve(white, np.ones(40) / 40, "same") * (1 + 0.5 * np.sin(2 * np.pi * 3 * at_s)),  # a fan
    )
    sound = np.asarray(kinds[number % len(kinds)])
    return np.asarray(10 ** rng.uniform(-3, -0.7) * sound / max(1e-9, float(np.abs(sound).max())), np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("count", [6, pytest.param(60, marks=[pytest.mark.soak, pytest.mark.timeout(1_800)])])
def test_of_noises_and_silences_no_word_is_made(reader: WordsReader, count: int) -> None:
    heard = {number: reader.read(_noise(number)) for number in range(count)}
    assert {number: found for number, found in heard.items() if not isinstance(found, NoWords)} == {}


@pytest.mark.slow
def test_a_failing_sentiment_lets_no_word_out(
    folder: Path, logged: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    angry = Angry()
    hooked: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: hooked.append(str(error)))
    found = WordsReader(folder, angry).read(voice("voice_ly"))
    assert angry.called == 1
    assert found is NoWords.FAILED
    assert sys.exc_info() == (None, None, None)
    trail = io.StringIO()
    traceback.print_exc(file=trail)
    printed = capfd.readouterr()
    for place in (trail.getvalue(), printed.out, printed.err, *hooked, *logged):
        assert CANARY not in place


@pytest.mark.slow
def test_no_word_is_logged_or_kept(folder: Path, logged: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    noting = Noting()
    reader = WordsReader(folder, noting)
    reader.read(voice("voice_ly"))
    [text] = noting.told
    noting.told.clear()
    words = [word for word in text.lower().split() if len(word) > 3]
    assert words
    printed = capfd.readouterr()
    for place in (printed.out, printed.err, *logged):
        assert not any(word in place.lower() for word in words)
    gc.collect()
    assert not _reachable_text(reader, text)


def _reachable_text(root: Any, text: str) -> bool:
    """Whether a string that holds `text` hangs on the object."""
    seen: set[int] = set()
    waiting: list[Any] = [root.__dict__]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or len(seen) > 200_000:
            continue
        seen.add(id(one))
        if isinstance(one, str) and text in one:
            return True
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set):
            waiting += list(one)
        elif hasattr(one, "__dict__") and not isinstance(one, type):
            waiting.append(vars(one))
    return False


def test_recognisers_logger_is_off() -> None:
    logger = logging.getLogger("faster_whisper")
    silence_recogniser()
    assert logger.disabled
    assert not logger.isEnabledFor(logging.CRITICAL)
