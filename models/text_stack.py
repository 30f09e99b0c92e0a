"""Sentiment of a Vietnamese sentence by two readers: our bag of pieces, and an encoder that has read more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.catalogue import model_files
from models.runtime import OnnxNetwork
from models.text_encoder import TextEncoder
from models.text_features import pieces_of
from models.text_sentiment import TextSentimentNetwork, affect_of
from pipeline.records import WordsAffect

WIDTH = 384
STUDENTS, SHOPPERS, COUNTER = 0, 1, 2
"""Kinds of speakers, in the order of the head's three maps."""
LEAST = 1e-4
"""Probabilities of the bag below this count as this: being sure must not outweigh the encoder."""


class StackedSentiment:
    """A head on the encoder's 384 numbers, and its weighted geometric mean with the bag (both in the graph). Keeps
    nothing of what it was given.

    `graph`: `text_stack.onnx`: features float32 [387] -> probabilities float32 [3] (negative, neutral, positive).
    """

    def __init__(self, bag: TextSentimentNetwork, encoder: TextEncoder, graph: Path) -> None:
        self._bag, self._encoder = bag, encoder
        self._head = OnnxNetwork(graph)

    def probabilities(self, text: str) -> npt.NDArray[np.float32]:
        """Probabilities float32 [3]; a sentence without a syllable is neutral by definition."""
        if not len(pieces_of(text)):
            return np.array([0.0, 1.0, 0.0], dtype=np.float32)
        return self._head.run(features=features(self._encoder.embed(text), self._bag.probabilities(text)))[0]

    def infer(self, text: str) -> WordsAffect:
        """Sentiment with its uncertainty, as `TextSentimentNetwork.infer`."""
        return affect_of(self.probabilities(text))


def load_stack(bag: TextSentimentNetwork) -> StackedSentiment:
    """With the files of the cards; raises `ModelError` where the encoder was not fetched."""
    found, ours = model_files("text-encoder"), model_files("text-stack")
    encoder = TextEncoder(found["e5-small-q4.bin"], found["encoder.onnx"], ours["text_adapter.onnx"])
    return StackedSentiment(bag, encoder, ours["text_stack.onnx"])


def features(embedding: npt.NDArray[np.float32], bag: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What the head sees: float32 [387] of an embedding [384] and the bag's probabilities [3]; or rows of both."""
    return np.concatenate([embedding, np.log(np.maximum(bag, LEAST)) / np.float32(-np.log(LEAST))], axis=-1)
