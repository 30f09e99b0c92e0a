"""`hailong models eval text --across`: students, shoppers and this project's own sentences left out in turn, by prior.

Trains on all sources but one, undamaged copies only, and reports that one: UIT-VSFC's dev rows, VLSP 2016's held-out
rows, and without templates and lexicon the sentences of `--counter FILE.csv` (columns text,label), where it is given.
The choices are of what comes after the network: its probabilities as they are, or with the shares of the classes that
it was trained at taken out, by Bayes' rule."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models import across, metrics
from models.text_normalise import syllables
from models.training.text import (
    HELD,
    LABELS,
    Sentence,
    damaged_copies,
    labels_of,
    read_corpus,
    read_extra,
    read_lexicon,
)
from models.training.text_network import OTHERS, STUDENTS
from models.training.text_solver import rarity, train
from models.training.text_templates import TemplateWriter

TEMPLATES = 6_000


def figures(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> dict[str, float]:
    """Accuracy, macro-F1, recall of neutral, neutral called negative, opposite sign, and balanced log loss."""
    said = probabilities.argmax(1)
    loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-9))
    neutral, sided = labels == 1, labels != 1
    return {
        "accuracy": metrics.accuracy(labels, said),
        "macro_f1": metrics.macro_f1(labels, said, 3),
        "recall_neutral": metrics.accuracy(labels[neutral], said[neutral]),
        "neutral_called_negative": metrics.accuracy(np.zeros(int(neutral.sum()), np.int64), said[neutral]),
        "opposite_sign": metrics.accuracy(2 - labels[sided], said[sided]),
        "ece": metrics.ece(labels, probabilities),
        "log_loss": float(np.mean([loss[labels == each].mean() for each in np.unique(labels)])),
    }


def shares_of(sentences: list[Sentence]) -> npt.NDArray[np.float64]:
    """Shares of the three classes in the training, by weight."""
    totals = np.zeros(len(LABELS))
    for one in sentences:
        totals[one.label] += one.weight
    return np.asarray((totals + 1) / (totals + 1).sum(), np.float64)


def report(data: Path, counter: Path | None, seed: int = 0) -> across.Json:
    """The whole report."""
    folder = data / "text"
    comments = read_corpus(folder / "vlsp2016_sa.parquet", "train", 0.8, OTHERS)
    random.Random(0).shuffle(comments)
    own = [] if counter is None else read_extra(counter, 1.0)
    writer = TemplateWriter(seed, [" ".join(one.words) for one in own])
    made = [Sentence(syllables(text), label, 0.8) for text, label in writer.write(TEMPLATES)]
    trained_on = {
        "vsfc": read_corpus(folder / "uit_vsfc.parquet", "train", 1.0, STUDENTS, 2.5),
        "vlsp": comments[HELD:],
        "own": made + read_lexicon(folder / "vietsentiwordnet.parquet", 0.25),
    }
    tested_on = {
        "vsfc": read_corpus(folder / "uit_vsfc.parquet", "dev", 1.0, STUDENTS),
        "vlsp": comments[:HELD],
        "own": own,
    }
    table: dict[str, dict[str, dict[str, float]]] = {}
    for left_out, tested in tested_on.items():
        if not tested:
            continue
        rest = [one for name, rows in trained_on.items() if name != left_out for one in rows]
        copies = damaged_copies(rest, 1, seed)
        weights = np.array([one.weight for one in rest], np.float32)
        network = train(
            copies, labels_of(rest), weights, rarity(copies[0]), np.arange(len(rest)), epochs=8, decay=8e-6, seed=seed
        )
        plain = network.probabilities([one.pieces() for one in tested]).astype(np.float64)
        freed = plain / shares_of(rest)
        for choice, found in (("as trained", plain), ("shares taken out", freed / freed.sum(1, keepdims=True))):
            table.setdefault(choice, {})[left_out] = figures(found, labels_of(tested))
    return {
        "task": "text",
        "sources": {name: {"train": len(trained_on[name]), "test": len(rows)} for name, rows in tested_on.items()},
        "prior": across.summed_up(table, "log_loss", lowest=True),
    }
