"""Trains the sentiment network: `python -m models.training.text --data PATH --out PATH --seed 0`.

`--data` is a folder with `text/uit_vsfc.parquet`, `text/vlsp2016_sa.parquet` and `text/vietsentiwordnet.parquet`
(columns `text`, `label`,
`split`; the lexicon also `positive_score`, `negative_score`). `--out` receives `text_sentiment.onnx` and
`text_sentiment.json` (what came out).
To train on recordings or comments of one's own, add `--extra FILE.csv` with the columns `text,label`.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from models import metrics
from models.text_features import BUCKETS, pieces_of_syllables
from models.text_normalise import strip_marks, syllables
from models.training.augment_text import damage
from models.training.text_network import Bag, best_temperature, export
from models.training.text_templates import TemplateWriter

LABELS = ("negative", "neutral", "positive")
BATCH = 64
LEARNING_RATE = 1e-2
Copy = list[npt.NDArray[np.int64]]
"""Pieces of every sentence, damaged in one way."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in syllables, its class (0 negative, 1 neutral, 2 positive) and its weight in the loss."""

    words: list[str]
    label: int
    weight: float


def read_corpus(path: Path, split: str, weight: float, neutral: float = 1.0) -> list[Sentence]:
    """Rows of one split of a parquet file; `neutral` multiplies the weight of neutral rows, where they are rare."""
    rows = pq.read_table(path, columns=["text", "label", "split"]).to_pylist()
    made = [
        Sentence(syllables(row["text"]), LABELS.index(row["label"]), weight) for row in rows if row["split"] == split
    ]
    return [one if one.label != 1 else replace(one, weight=weight * neutral) for one in made]


def read_lexicon(path: Path, weight: float) -> list[Sentence]:
    """Words whose senses agree in sign, clear ones only."""
    sums: dict[str, list[float]] = {}
    for row in pq.read_table(path).to_pylist():
        sums.setdefault(row["text"], []).append(row["positive_score"] - row["negative_score"])
    clear = {word: scores for word, scores in sums.items() if min(scores) >= 0.375 or max(scores) <= -0.375}
    return [Sentence(syllables(word), 2 if scores[0] > 0 else 0, weight) for word, scores in clear.items()]


def read_extra(path: Path, weight: float) -> list[Sentence]:
    """One's own labelled comments: a CSV with `text,label`."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [Sentence(syllables(row["text"]), LABELS.index(row["label"]), weight) for row in csv.DictReader(lines)]


_remembering_strip = lru_cache(maxsize=None)(strip_marks)


def damaged_copies(sentences: list[Sentence], copies: int, seed: int) -> list[Copy]:
    """Pieces of every sentence: the first copy as it is, the others newly damaged (see `augment_text`)."""
    rng = random.Random(seed)
    return [
        [
            pieces_of_syllables(damage(one.words, rng) if copy else one.words, _remembering_strip)
            for one in tqdm(sentences, desc=f"text: copy {copy + 1}")
        ]
        for copy in range(copies)
    ]


def train(sentences: list[Sentence], copies: list[Copy], seed: int, epochs: int, decay: float) -> Bag:
    """Trains the network; epochs take turns over the damaged copies.

    `decay` weighs the squared weights of each batch's pieces in the loss.
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)
    bag = torch.nn.EmbeddingBag(BUCKETS, 3, mode="sum", sparse=True)
    torch.nn.init.zeros_(bag.weight)
    bias = torch.zeros(3, requires_grad=True)
    optimisers = [
        torch.optim.SparseAdam(bag.parameters(), lr=LEARNING_RATE),
        torch.optim.Adam([bias], lr=LEARNING_RATE),
    ]
    batches = len(sentences) // BATCH
    for epoch in range(epochs):
        order = rng.sample(range(len(sentences)), len(sentences))
        features = copies[epoch % len(copies)]
        for at in tqdm(range(batches), desc=f"text: epoch {epoch + 1} of {epochs}", mininterval=5):
            rows = order[at * BATCH : (at + 1) * BATCH]
            starts = np.cumsum([0] + [len(features[row]) for row in rows])
            pieces = torch.from_numpy(np.concatenate([features[row] for row in rows]))
            roots = torch.from_numpy(np.sqrt(np.maximum(np.diff(starts), 1)).astype(np.float32))
            logits = bag(pieces, torch.from_numpy(starts[:-1])) / roots.unsqueeze(1) + bias
            labels = torch.tensor([sentences[row].label for row in rows])
            weights = torch.tensor([sentences[row].weight for row in rows])
            each = torch.nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=0.05)
            squares = torch.nn.functional.embedding(pieces, bag.weight, sparse=True).pow(2).sum()
            for optimiser in optimisers:
                optimiser.zero_grad()
            ((each * weights).mean() + decay * squares).backward()
            rate = LEARNING_RATE * (1.0 - (epoch * batches + at) / (epochs * batches)) + 1e-5
            for optimiser in optimisers:
                optimiser.param_groups[0]["lr"] = rate
                optimiser.step()
    return Bag(bag.weight.detach().numpy().copy(), bias.detach().numpy().copy())


def scores(bag: Bag, sentences: list[Sentence]) -> dict[str, float]:
    """Accuracy and macro-F1, rounded."""
    logits = bag.logits([pieces_of_syllables(one.words) for one in sentences])
    labels, found = np.array([one.label for one in sentences]), logits.argmax(axis=1)
    return {
        "accuracy": round(metrics.accuracy(labels, found), 4),
        "macro_f1": round(metrics.macro_f1(labels, found, 3), 4),
    }


def main() -> None:
    """Reads, trains, calibrates on held-out rows, exports, reports."""
    parser = argparse.ArgumentParser(prog="python -m models.training.text", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds text/*.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the report")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--templates", type=int, default=14000, help="number of sentences made from templates")
    parser.add_argument("--made-weight", type=float, default=0.7, help="weight of the sentences made from templates")
    parser.add_argument("--decay", type=float, default=5e-6, help="weight decay of the pieces seen")
    parser.add_argument("--copies", type=int, default=3, help="copies of every sentence, all but the first damaged")
    parser.add_argument(
        "--neutral", type=float, default=2.5, help="weight of the rare neutral rows of the largest corpus"
    )
    parser.add_argument("--extra", type=Path, help="CSV with text,label of your own")
    parser.add_argument(
        "--check", type=Path, action="append", default=[], help="CSV with text,label to report on; never trained on"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder = arguments.data / "text"
    checked = {path.stem: read_extra(path, 1.0) for path in arguments.check}
    writer = TemplateWriter(arguments.seed, [" ".join(one.words) for rows in checked.values() for one in rows])
    made = [
        Sentence(syllables(text), label, arguments.made_weight) for text, label in writer.write(arguments.templates)
    ]
    comments = read_corpus(folder / "vlsp2016_sa.parquet", "train", 0.8)
    random.Random(0).shuffle(comments)
    held, comments = comments[:500], comments[500:]
    sentences = read_corpus(folder / "uit_vsfc.parquet", "train", 1.2, arguments.neutral) + comments + made
    sentences += read_lexicon(folder / "vietsentiwordnet.parquet", 0.25)
    if arguments.extra:
        sentences += read_extra(arguments.extra, 1.0)
    development = read_corpus(folder / "uit_vsfc.parquet", "dev", 1.0)
    checks = {"vsfc_dev": development, "vlsp_held": held} | checked
    copies = damaged_copies(sentences, arguments.copies, arguments.seed)
    bag = train(sentences, copies, arguments.seed, arguments.epochs, arguments.decay)
    report: dict[str, object] = {"sentences": len(sentences), "epochs": arguments.epochs, "seed": arguments.seed}
    for name, rows in checks.items():
        report[name] = scores(bag, rows)
    fitted = development + held
    logits = bag.logits([pieces_of_syllables(one.words) for one in fitted])
    temperature = best_temperature(logits, np.array([one.label for one in fitted]))
    report["temperature"] = temperature
    arguments.out.mkdir(parents=True, exist_ok=True)
    export(bag, temperature, arguments.out / "text_sentiment.onnx")
    (arguments.out / "text_sentiment.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
