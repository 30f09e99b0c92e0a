"""How much of a judgement is left after recognition: `python -m models.training.words_chain --data PATH --check FILE`.

Nobody's voice says the sentences (ADR 0154), so it goes in two steps. **Heard:** the six read Vietnamese clips
(`asr/clips.parquet`) at three distances, in a room with the noise of a hall, through the recogniser that
`hailong models fetch --asr` brought and the gates of `models.words`: the share of syllables that come out wrong, and of
clips that pass. **Judged:** the sentences of `--check` (text,label), each syllable exchanged for a near one or lost
with that share, scored by the bag of pieces and by both readers.
"""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import catalogue
from models.text_normalise import syllables
from models.text_sentiment import TextSentimentNetwork
from models.text_stack import StackedSentiment, load_stack
from models.training.augment_audio import add_noise, coloured_noise, low_pass, reverberate
from models.training.augment_text import drop, mishear
from models.training.text import labels_of, read_extra
from models.training.text_figures import figures
from pipeline.language.parser import Parser

DISTANCES = {"0.5 m": (3.0, 25.0, 7_000.0), "1 m": (1.5, 19.0, 6_000.0), "2 m": (0.75, 13.0, 4_500.0)}
"""Direct sound over the room's (ratio), level over the noise (dB), and where the upper band ends (Hz): each doubling
of the distance halves the direct sound. The room: .5 s of reverberation; the noise: pink."""
LOST = 0.25
"""Of the wrong syllables, those that are missing; the others are near ones."""


def wrong(said: list[str], heard: list[str]) -> int:
    """Least number of syllables exchanged, lost and added between the two (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        before, row[0] = row[0], number
        for at, other in enumerate(heard, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (word != other))
    return row[-1]


def at_distance(samples: npt.NDArray[np.float32], distance: str, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """The clip as a microphone at that distance hears it."""
    direct, over_noise_db, upper_hz = DISTANCES[distance]
    sound = low_pass(reverberate(samples, 0.5, direct, rng), upper_hz)
    sound = add_noise(sound, coloured_noise(len(sound), 1.0, rng), over_noise_db)
    return np.asarray(sound / max(float(np.abs(sound).max()), 1e-6) * 0.5, np.float32)


def heard_at(data: Path, seed: int = 0) -> dict[str, dict[str, float]]:
    """By distance: `wrong`, the share of syllables, and `passed`, the share of clips that the gates let through."""
    import pyarrow.parquet as pq
    import soundfile as sf

    from models.words import NoWords, WordsReader

    transcripts: list[str] = []

    class KeepsWords:
        """Stands where the sentiment does, and keeps the words: of clips that are public, here only."""

        def infer(self, text: str) -> Any:
            transcripts.append(text)

    reader = WordsReader(catalogue.model_files("whisper-base")["model.bin"].parent, KeepsWords())
    clips = pq.read_table(data / "asr" / "clips.parquet").to_pylist()
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, float]] = {}
    for distance in DISTANCES:
        errors, count, passed = 0, 0, 0
        for clip in clips:
            sound = np.asarray(sf.read(io.BytesIO(clip["audio"]), dtype="float32")[0], np.float32)
            transcripts.clear()
            if isinstance(reader.read(at_distance(sound, distance, rng)), NoWords):
                continue
            said = syllables(clip["transcript"])
            passed, count = passed + 1, count + len(said)
            errors += wrong(said, syllables(transcripts[0]))
        found[distance] = {"wrong": errors / max(count, 1), "passed": passed / len(clips)}
    return found


def main() -> None:
    """Both steps, printed as JSON."""
    parser = Parser("python -m models.training.words_chain", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds asr/clips.parquet")
    parser.add_argument("--check", type=Path, required=True, help="CSV with text,label")
    parser.add_argument("--seed", type=int, default=0, help="seed of the changes")
    args = parser.parse_args()
    sentences = read_extra(args.check, 1.0)
    bag = TextSentimentNetwork(catalogue.model_files("text-sentiment")["text_sentiment.onnx"])
    readers: dict[str, TextSentimentNetwork | StackedSentiment] = {"bag": bag, "both": load_stack(bag)}
    report: dict[str, Any] = {"heard": heard_at(args.data, args.seed), "judged": {}}
    shares = {"written": 0.0} | {distance: row["wrong"] for distance, row in report["heard"].items()}
    for distance, share in shares.items():
        rng = random.Random(args.seed)
        texts = [" ".join(drop(mishear(one.words, share * (1 - LOST), rng), share * LOST, rng)) for one in sentences]
        report["judged"][distance] = {
            name: figures(np.array([reader.probabilities(text) for text in texts], np.float64), labels_of(sentences))
            for name, reader in readers.items()
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
