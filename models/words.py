"""Words of an utterance, as a sentiment and nothing else: recognised, gated, judged and forgotten in one call.

The recogniser is faster-whisper on local weights (extra `edge-asr`). It invents words in noise and silence, so it
only hears what the voice activity detector found, and a transcript passes only when every gate agrees that it is
likely to be what was said. Whatever fails, the caller gets an enumerated reason: no transcript is ever logged,
raised, returned or kept."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.text_normalise import syllables
from pipeline.errors import ModelError
from pipeline.language import Message
from pipeline.records import SAMPLE_RATE_HZ, WordsAffect
from pipeline.text import without_marks


class NoWords(Enum):
    """Why an utterance has no sentiment."""

    TOO_SHORT = "too_short"
    NO_SPEECH = "no_speech"
    OTHER_LANGUAGE = "other_language"
    UNLIKELY = "unlikely"
    """Average log-probability under the gate."""
    REPETITIVE = "repetitive"
    """Compression ratio over the gate, or more syllables a second than anybody speaks: the recogniser loops."""
    BOILERPLATE = "boilerplate"
    """A sentence that recognisers learnt from subtitles and say in silence."""
    EMPTY = "empty"
    FAILED = "failed"
    """The recogniser or the sentiment raised; the error is not passed on, because it may hold words."""


@dataclass(frozen=True, slots=True)
class WordsGates:
    """What a transcript has to pass. Defaults: Radford et al. 2022 (section 4.5) for the first three."""

    least_duration_s: float = 0.6
    greatest_no_speech: float = 0.6
    least_log_probability: float = -1.0
    greatest_compression: float = 2.4
    least_language_probability: float = 0.5
    greatest_syllables_per_s: float = 9.0
    language: str = "vi"


_BOILERPLATE = (
    "subscribe",
    "dangkykenh",
    "dangkichokenh",
    "dangkychokenh",
    "dangkikenh",
    "camoncacbandatheodoi",
    "camoncacbandaxem",
    "camoncacbandalangnghe",
    "trongnhungvideo",
    "nhungvideohapdan",
    "xemvideovuive",
    "ghienmigo",
    "lalaschool",
    "likevashare",
    "amaraorg",
    "phudeduocthuchien",
    "vietsub",
)
"""Pieces of subtitles that Vietnamese recognisers invent in silence, as Whisper's users report them (whisper.cpp 1051,
whisperX 1086, javis-os 321 among others): without marks, spaces and signs, since each run writes them otherwise."""


class Sentiment(Protocol):
    """What judges a sentence."""

    def infer(self, text: str) -> WordsAffect:
        """Sentiment of a sentence."""
        ...


class WordsReader:
    """Utterance in, sentiment or reason out. Not thread-safe; holds no text between calls.

    Args:
        folder: a folder with a CTranslate2 Whisper model (`model.bin`, `config.json`, `tokenizer.json`,
        `vocabulary.*`).
        sentiment: judges the transcript, in memory.
        gates: what a transcript has to pass.
        threads: of the recogniser.

    Raises:
        ModelError: faster-whisper is not installed, or the folder is not such a model.
    """

    def __init__(self, folder: Path, sentiment: Sentiment, gates: WordsGates | None = None, threads: int = 1) -> None:
        self.gates = gates or WordsGates()
        self._sentiment = sentiment
        if not (folder / "model.bin").is_file():
            raise ModelError(
                Message("There is no recogniser in {folder}.", folder=folder),
                Message("Run: hailong models fetch --asr"),
            )
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise ModelError(
                Message("Recognising words needs an extra."), Message("Run: pip install 'hailong[edge-asr]'")
            ) from error
        silence_recogniser()
        try:
            self._recogniser: Any = WhisperModel(
                str(folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=threads,
                num_workers=1,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(
                Message(
                    "{folder} is not a recogniser that faster-whisper can run: {error}.", folder=folder, error=error
                )
            ) from error

    def read(self, samples: NDArray[np.float32]) -> WordsAffect | NoWords:
        """Sentiment of the words of one utterance (float32 [n], 16 kHz mono in [-1, 1]) that the detector of speech
        found."""
        duration_s = len(samples) / SAMPLE_RATE_HZ
        if duration_s < self.gates.least_duration_s:
            return NoWords.TOO_SHORT
        try:
            return self._judge(samples, duration_s)
        except Exception:  # a traceback's frames hold the transcript: nothing of it may leave this call
            return NoWords.FAILED

    def _judge(self, samples: NDArray[np.float32], duration_s: float) -> WordsAffect | NoWords:
        segments, info = self._recogniser.transcribe(
            samples,
            language=None,
            multilingual=False,
            task="transcribe",
            beam_size=2,
            temperature=0.0,
            no_repeat_ngram_size=3,
            max_new_tokens=min(200, int(20 + 12 * duration_s)),
            condition_on_previous_text=False,
            without_timestamps=True,
            compression_ratio_threshold=None,
            log_prob_threshold=None,
            no_speech_threshold=None,
            vad_filter=False,
        )
        languages = dict(info.all_language_probs or [(info.language, info.language_probability)])
        if languages.get(self.gates.language, 0.0) < self.gates.least_language_probability:
            return NoWords.OTHER_LANGUAGE
        heard = list(segments)
        refused = refuse(heard, duration_s, self.gates)
        if refused is not None:
            return refused
        return self._sentiment.infer(" ".join(segment.text for segment in heard))


def refuse(segments: Iterable[Any], duration_s: float, gates: WordsGates) -> NoWords | None:
    """The first gate that a transcript fails, or None. Segments are faster-whisper's (`text`, `avg_logprob`, ...)."""
    heard = list(segments)
    words = [word for segment in heard for word in syllables(segment.text)]
    if not words:
        return NoWords.EMPTY
    if max(segment.no_speech_prob for segment in heard) > gates.greatest_no_speech:
        return NoWords.NO_SPEECH
    if min(segment.avg_logprob for segment in heard) < gates.least_log_probability:
        return NoWords.UNLIKELY
    if max(segment.compression_ratio for segment in heard) > gates.greatest_compression:
        return NoWords.REPETITIVE
    if len(words) > gates.greatest_syllables_per_s * duration_s + 3:
        return NoWords.REPETITIVE
    spoken = "".join(sign for sign in without_marks("".join(segment.text for segment in heard)) if sign.isalnum())
    if any(piece in spoken for piece in _BOILERPLATE):
        return NoWords.BOILERPLATE
    return None


def silence_recogniser() -> None:
    """faster-whisper logs languages, durations and, at debug level, text: its logger is switched off for good."""
    logger = logging.getLogger("faster_whisper")
    logger.disabled = True
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
    with contextlib.suppress(ImportError):
        import ctranslate2

        ctranslate2.set_log_level(logging.CRITICAL)
