"""Corpora of acted emotional speech as feature frames: read once, damaged several times, kept as one file per
corpus."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import soundfile as sf
from tqdm import tqdm

from models.labels import HIGH_AROUSAL, POLARITY_OF
from models.speech_features import SpeechFeatures
from models.training.augment_audio import damage

SHIPPED = ("emodb", "ravdess", "nemo")
"""Corpora whose terms allow weights made from them to be passed on (with their limits)."""
TEST_ONLY = ("tess",)
"""No derivatives: these rows never train anything that is shipped."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """One corpus: `copies[k][i]` is float16 [frames, 66], the i-th utterance, clean (k = 0) or damaged (k > 0)."""

    name: str
    emotion: npt.NDArray[np.str_]
    speaker: npt.NDArray[np.str_]
    copies: list[list[npt.NDArray[np.float16]]]


def classes_of(emotion: npt.NDArray[np.str_], what: str) -> npt.NDArray[np.int64]:
    """Class of each emotion, int64 [n]: high `arousal` or negative `valence` is 1, else 0; -1 takes no part
    (`models.labels`)."""
    table = {None: -1, True: 1, False: 0}
    if what == "arousal":
        return np.array([table[HIGH_AROUSAL[name]] for name in emotion])
    return np.array([-1 if POLARITY_OF[name] is None else int(POLARITY_OF[name] == "negative") for name in emotion])


def load_corpus(name: str, data: Path, cache: Path, copies: int, seed: int) -> Corpus:
    """Reads `data/speech/NAME/NAME.parquet`, or the features of an earlier run with the same seed and number of
    copies."""
    table = pq.read_table(data / "speech" / name / f"{name}.parquet", columns=["audio", "emotion", "speaker"])
    kept = cache / f"{name}-{copies}-{seed}.npz"
    if not kept.exists():
        features = _features(table.column("audio").to_pylist(), copies, seed, name)
        cache.mkdir(parents=True, exist_ok=True)
        lengths = np.array([[len(one) for one in copy] for copy in features])
        np.savez(kept, frames=np.concatenate([one for copy in features for one in copy]), lengths=lengths)
    stored = np.load(kept)
    lengths = stored["lengths"]
    pieces = np.split(stored["frames"], np.cumsum(lengths.reshape(-1))[:-1])
    count = lengths.shape[1]
    return Corpus(
        name,
        np.array(table.column("emotion").to_pylist()),
        np.array([f"{name}/{one}" for one in table.column("speaker").to_pylist()]),
        [pieces[start : start + count] for start in range(0, len(pieces), count)],
    )


def _features(audio: Sequence[bytes], copies: int, seed: int, name: str) -> list[list[npt.NDArray[np.float16]]]:
    extract = SpeechFeatures()
    sounds = [sf.read(io.BytesIO(one), dtype="float32")[0] for one in tqdm(audio, desc=f"{name}: decoding")]
    rng = np.random.default_rng([seed, len(sounds)])
    made: list[list[npt.NDArray[np.float16]]] = []
    for copy in range(copies + 1):
        rows = []
        for sound in tqdm(sounds, desc=f"{name}: features {copy} of {copies}"):
            heard = sound
            if copy:
                others = [sounds[one] for one in rng.integers(0, len(sounds), 5)]
                heard = damage(sound, others, rng)
            rows.append(extract(heard).astype(np.float16))
        made.append(rows)
    return made
