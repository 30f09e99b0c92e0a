"""Corpora of acted emotional speech as summaries of utterances: read once, damaged several times, kept as one file per
corpus."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import soundfile as sf
from tqdm import tqdm

from models.labels import HIGH_AROUSAL, POLARITY_OF
from models.speech_features import SpeechFeatures
from models.speech_summary import summarise
from models.training.augment_audio import damage

SHIPPED = ("emodb", "ravdess", "nemo")
"""Corpora whose terms allow weights made from them to be passed on (with their limits)."""
TEST_ONLY = ("tess",)
"""No derivatives: these rows never train anything that is shipped."""
CALM = ("neutral", "calm")
"""Emotions of a voice that shows none: what the others are subdued towards."""

Classes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Corpus:
    """One corpus: `summaries` float32 [copies, n, 126], clean (copy 0) or damaged; `emotion` and `speaker` [n]; `woman`
    [n], or empty where the sexes are not told."""

    name: str
    emotion: npt.NDArray[np.str_]
    speaker: npt.NDArray[np.str_]
    summaries: npt.NDArray[np.float32]
    woman: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))


def classes_of(emotion: npt.NDArray[np.str_], what: str) -> Classes:
    """Class of each emotion, int64 [n]: 1, 0, or -1 for what takes no part (`models.labels`).

    `what`: high `arousal`; negative `valence`; negative valence among the emotions of high arousal (`valence_if_high`)
    or of low (`valence_if_low`), where disgust, which is heard at any arousal, is in both.
    """
    high = np.array([HIGH_AROUSAL[name] for name in emotion], dtype=object)
    if what == "arousal":
        return np.array([-1 if one is None else int(one) for one in high])
    polarity = [POLARITY_OF[name] for name in emotion]
    classes = np.array([-1 if one is None else int(one == "negative") for one in polarity])
    if what == "valence":
        return classes
    other = {"valence_if_high": False, "valence_if_low": True}[what]
    return np.where(high == other, -1, classes)


def load_corpus(name: str, data: Path, cache: Path, copies: int, seed: int) -> Corpus:
    """Reads `data/speech/NAME/NAME.parquet`, or the summaries of an earlier run with the same seed and number of
    copies."""
    table = pq.read_table(data / "speech" / name / f"{name}.parquet", columns=["audio", "emotion", "speaker", "gender"])
    kept = cache / f"{name}-{copies}-{seed}-summaries.npz"
    if not kept.exists():
        summaries = _summaries(table.column("audio").to_pylist(), copies, seed, name)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(kept, summaries=summaries)
    return Corpus(
        name,
        np.array(table.column("emotion").to_pylist()),
        np.array([f"{name}/{one}" for one in table.column("speaker").to_pylist()]),
        np.load(kept)["summaries"],
        np.array([one == "female" for one in table.column("gender").to_pylist()]),
    )


def _summaries(audio: Sequence[bytes], copies: int, seed: int, name: str) -> npt.NDArray[np.float32]:
    extract = SpeechFeatures()
    sounds = [sf.read(io.BytesIO(one), dtype="float32")[0] for one in tqdm(audio, desc=f"{name}: decoding")]
    rng = np.random.default_rng([seed, len(sounds)])
    made = []
    for copy in range(copies + 1):
        rows = []
        for sound in tqdm(sounds, desc=f"{name}: features {copy} of {copies}"):
            heard = sound
            if copy:
                others = [sounds[one] for one in rng.integers(0, len(sounds), 5)]
                heard = damage(sound, others, rng)
            rows.append(summarise(extract(heard)))
        made.append(rows)
    return np.array(made)
