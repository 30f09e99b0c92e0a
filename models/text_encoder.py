"""A sentence as 384 numbers that mean it: multilingual-e5-small in ONNX Runtime, and its tokenizer.

The tokenizer is the unigram model of SentencePiece (Kudo 2018, arXiv:1804.10959): of all ways to cut a sentence into
known pieces, the likeliest (Viterbi). It is written anew because a library's would keep the last sentences in a cache;
here nothing outlives the call. Only pieces of Vietnamese letters, digits and common signs are kept, which changes
nothing for a sentence that was reduced to these.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.encoder_convert import LONGEST
from models.encoder_file import open_encoder, unpacked
from models.runtime import OnnxNetwork
from models.text_normalise import syllables

_VOWELS = "aàáảãạăằắẳẵặâầấẩẫậeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵ"
SIGNS = frozenset(_VOWELS + "bcdđfghjklmnpqrstvwxz0123456789:()")
_SPACE = "\u2581"
_PREFIX = "query: "
SMILEYS = {"<smile>": ":)", "<frown>": ":("}


def encoder_text(words: list[str]) -> str:
    """What the tokenizer cuts, of syllables of `text_normalise`: smileys as signs, nothing but `SIGNS`."""
    text = " ".join(SMILEYS.get(word, word) for word in words)
    kept = "".join(sign if sign in SIGNS else " " for sign in unicodedata.normalize("NFC", text))
    return _PREFIX + " ".join(kept.split())


class Tokenizer:
    """Cuts a reduced sentence into token ids. `pieces` and `scores` by id, as in the packed file."""

    def __init__(self, pieces: list[str], scores: NDArray[np.float32], unknown: int) -> None:
        allowed = SIGNS | {_SPACE}
        self._pieces = {
            piece: (number, float(scores[number]))
            for number, piece in enumerate(pieces)
            if piece and allowed.issuperset(piece)
        }
        self._unknown = (unknown, float(scores.min()) - 10.0)
        self._longest = max(map(len, self._pieces))

    def ids(self, text: str) -> list[int]:
        """Ids of the likeliest cut, without the marks of beginning and end."""
        row = _SPACE + text.replace(" ", _SPACE)
        best: list[tuple[float, int, int]] = [(0.0, 0, 0)]
        for end in range(1, len(row) + 1):
            number, score = self._unknown
            found = (best[end - 1][0] + score, end - 1, number)
            for start in range(max(0, end - self._longest), end):
                piece = self._pieces.get(row[start:end])
                if piece is not None and best[start][0] + piece[1] > found[0]:
                    found = (best[start][0] + piece[1], start, piece[0])
            best.append(found)
        made, at = [], len(row)
        while at:
            _, start, number = best[at]
            made.append(number)
            at = start
        return made[::-1]


class TextEncoder:
    """The encoder. Keeps nothing of what it was given; may be called from several threads.

    Args:
        packed: `e5-small-q4.bin`: pieces and the table of words, read from the disk where they are needed.
        graph: `encoder.onnx`, made from it by `encoder_convert`.
        adapter: a network without inputs whose outputs are the additions to the matrices; None: as published.
    """

    def __init__(self, packed: Path, graph: Path, adapter: Path | None = None) -> None:
        file = open_encoder(packed)
        self._words = file.blocks("emb.word", file.width)
        self._ends = (file.begin, file.end)
        self._tokenizer = Tokenizer(file.pieces, file.scores, file.unknown)
        self._network = OnnxNetwork(graph, keeps_memory=False)
        self._additions = _none(self._network) if adapter is None else _additions(OnnxNetwork(adapter))

    def embed(self, text: str) -> NDArray[np.float32]:
        """Embedding float32 [384] of length one; what is beyond 126 tokens is left out."""
        return self.embed_syllables(syllables(text))

    def embed_syllables(self, words: list[str]) -> NDArray[np.float32]:
        """The same of syllables as `text_normalise` gives them."""
        tokens = self._tokenizer.ids(encoder_text(words))[: LONGEST - 2]
        rows = unpacked(self._words[[self._ends[0], *tokens, self._ends[1]]])
        return self._network.run(words=rows, **self._additions)[0]


def _additions(adapter: OnnxNetwork) -> dict[str, NDArray[np.float32]]:
    return dict(zip(adapter.outputs, adapter.run(), strict=True))


def _none(network: OnnxNetwork) -> dict[str, NDArray[np.float32]]:
    shapes = {name: shape for name, shape in network.inputs.items() if name != "words"}
    return {
        name: np.zeros([side if isinstance(side, int) else 1 for side in shape], np.float32)
        for name, shape in shapes.items()
    }
