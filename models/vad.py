"""Voice activity by Silero VAD, and utterances cut from it. The sound of silence and noise goes nowhere from here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.runtime import OnnxNetwork
from pipeline.records import SAMPLE_RATE_HZ, Chunk, Utterance

WINDOW = 512
"""Samples of one decision: 32 ms."""
CONTEXT = 64
WINDOW_S = WINDOW / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class VadParameters:
    """When speech starts and ends."""

    start_probability: float = 0.5
    end_probability: float = 0.35
    end_silence_s: float = 0.4
    """An utterance ends after this much silence."""
    minimum_s: float = 0.5
    """Shorter ones are dropped: a cough, a door."""
    maximum_s: float = 8.0
    """Longer ones are cut here, so that memory is bounded."""
    padding_s: float = 0.1
    """Kept before the first window of speech."""


class VoiceActivity:
    """Feeds chunks, yields utterances. Holds at most `maximum_s` of speech; not thread-safe."""

    def __init__(self, network: OnnxNetwork, parameters: VadParameters | None = None) -> None:
        self._network = network
        self.parameters = parameters or VadParameters()
        self.dropped_short = 0
        self.reset()

    def another(self) -> VoiceActivity:
        """One for another microphone, with the same network, which keeps nothing, and nothing heard yet."""
        return VoiceActivity(self._network, self.parameters)

    def reset(self) -> None:
        """Forget all sound, also that in the network's memory."""
        self._state_h = np.zeros((1, 1, 128), np.float32)
        self._state_c = np.zeros((1, 1, 128), np.float32)
        self._input = np.zeros((1, CONTEXT + WINDOW), np.float32)
        self._waiting = np.zeros(0, np.float32)
        self._speech: list[NDArray[np.float32]] = []
        self._before: list[NDArray[np.float32]] = []
        self._silence_s = 0.0
        self._start_s = 0.0
        self._next_s = 0.0
        self.probability(np.zeros(WINDOW, np.float32))
        self._state_h[:] = 0
        self._state_c[:] = 0

    def probability(self, window: NDArray[np.float32]) -> float:
        """Probability that 512 samples hold speech, given those before."""
        self._input[0, :CONTEXT] = self._input[0, -CONTEXT:]
        self._input[0, CONTEXT:] = window
        probability, self._state_h, self._state_c = self._network.run(
            input=self._input, h=self._state_h, c=self._state_c
        )
        return float(probability.flat[0])

    @property
    def speaking(self) -> bool:
        """Whether an utterance is going on."""
        return bool(self._speech)

    def feed(self, chunk: Chunk) -> list[Utterance]:
        """Utterances that ended within this chunk."""
        if not len(self._waiting):
            self._next_s = chunk.time_s
        samples = np.concatenate([self._waiting, chunk.samples]) if len(self._waiting) else chunk.samples
        found: list[Utterance] = []
        whole = len(samples) // WINDOW * WINDOW
        for start in range(0, whole, WINDOW):
            ended = self._step(samples[start : start + WINDOW])
            self._next_s += WINDOW_S
            if ended is not None:
                found.append(ended)
        self._waiting = samples[whole:].copy()
        return found

    def flush(self) -> list[Utterance]:
        """The utterance going on, ended here (the source is over)."""
        ended = self._end()
        return [ended] if ended is not None else []

    def _step(self, window: NDArray[np.float32]) -> Utterance | None:
        p = self.parameters
        probability = self.probability(window)
        if not self._speech:
            if probability < p.start_probability:
                self._before.append(window)
                del self._before[: -max(1, round(p.padding_s / WINDOW_S))]
                return None
            self._start_s = self._next_s - WINDOW_S * len(self._before)
            self._speech, self._before = [*self._before, window], []
            self._silence_s = 0.0
            return None
        self._speech.append(window)
        self._silence_s = self._silence_s + WINDOW_S if probability < p.end_probability else 0.0
        if self._silence_s >= p.end_silence_s or len(self._speech) * WINDOW_S >= p.maximum_s:
            return self._end()
        return None

    def _end(self) -> Utterance | None:
        if not self._speech:
            return None
        keep = len(self._speech) - max(0, round(self._silence_s / WINDOW_S) - 2)
        speech, self._speech = self._speech[:keep], []
        duration_s = len(speech) * WINDOW_S
        if duration_s < self.parameters.minimum_s:
            self.dropped_short += 1
            return None
        return Utterance(np.concatenate(speech), self._start_s, self._start_s + duration_s)
