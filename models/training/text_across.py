"""`hailong models eval text --across`: students, shoppers and this project's writers left out in turn.

Trains on all sources but one, undamaged copies only, and reports that one: UIT-VSFC's dev rows; VLSP 2016's held-out
rows; the sentences of `--counter FILE.csv` (columns text,label), where it is given, without phrases, turns of speech
and lexicon (all of the first writer); all sentences of each further writer (`text_said`), with none of them seen. The
choices are the recipe - `bag`, as of version 0.3.0, of the first writer alone, or `all writers`, of every writer who is
not left out - and what comes after the network: its probabilities as they are, `leaning` as the shipped ones do
(`text.LEAN`), or with the shares of the classes that it was trained at taken out, by Bayes' rule."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models import across
from models.training.text import (
    HELD,
    LABELS,
    LEAN,
    SAID,
    Sentence,
    as_sentence,
    damaged_copies,
    labels_of,
    own_sentences,
    read_corpus,
    read_extra,
    read_lexicon,
)
from models.training.text_figures import figures
from models.training.text_network import OTHERS, STUDENTS, Mixture, mixed
from models.training.text_said import WRITERS, said
from models.training.text_solver import rarity, train
from models.training.text_templates import TemplateWriter
from models.training.text_turns import turned

TEMPLATES, TURNS = 6_000, 1_500


def shares_of(sentences: list[Sentence]) -> npt.NDArray[np.float64]:
    """Shares of the three classes in the training, by weight."""
    totals = np.zeros(len(LABELS))
    for one in sentences:
        totals[one.label] += one.weight
    return np.asarray((totals + 1) / (totals + 1).sum(), np.float64)


def _trained(rows: list[Sentence], seed: int) -> Mixture:
    copies = damaged_copies(rows, 1, seed)
    weights = np.array([one.weight for one in rows], np.float32)
    return train(
        copies, labels_of(rows), weights, rarity(copies[0]), np.arange(len(rows)), epochs=8, decay=8e-6, seed=seed
    )


def report(data: Path, counter: Path | None, seed: int = 0) -> across.Json:
    """The whole report."""
    folder = data / "text"
    comments = read_corpus(folder / "vlsp2016_sa.parquet", "train", 0.8, OTHERS)
    random.Random(0).shuffle(comments)
    own = [] if counter is None else read_extra(counter, 1.0)
    writer = TemplateWriter(seed, [" ".join(one.words) for one in own])
    made = own_sentences(writer.write(TEMPLATES), turned(TURNS, seed), {"counter": own}, 0.8, seed)
    writers = {
        name: [as_sentence(text, label) for held in (False, True) for text, label in said(held, (name,))]
        for name in WRITERS
    }
    known = {name: own_sentences([], said(False, (name,)), {"counter": own}, SAID, seed) for name in WRITERS}
    trained_on = {
        "vsfc": read_corpus(folder / "uit_vsfc.parquet", "train", 1.0, STUDENTS, 2.5),
        "vlsp": comments[HELD:],
        "own": made,
        "lexicon": read_lexicon(folder / "vietsentiwordnet.parquet", 0.25),
    }
    tested_on = {
        "vsfc": read_corpus(folder / "uit_vsfc.parquet", "dev", 1.0, STUDENTS),
        "vlsp": comments[:HELD],
        "own": own,
    } | writers

    @lru_cache(maxsize=1)
    def of_the_first(without: tuple[str, ...]) -> tuple[Mixture, list[Sentence]]:
        rest = [one for name, rows in trained_on.items() if name not in without for one in rows]
        return _trained(rest, seed), rest

    table: dict[str, dict[str, dict[str, float]]] = {}
    for left_out, tested in tested_on.items():
        if not tested:
            continue
        without = {"own": ("own", "lexicon")}.get(left_out, () if left_out in WRITERS else (left_out,))
        plain_bag = of_the_first(without)
        wider = plain_bag[1] + [row for name, rows in known.items() if name != left_out for row in rows]
        recipes = {"bag": plain_bag, "all writers": (_trained(wider, seed), wider)}
        for recipe, (one, rows) in recipes.items():
            logits = one.logits([row.pieces() for row in tested])
            plain = mixed(logits, one.temperatures).astype(np.float64)
            logits[:, 3:6] += LEAN
            freed = plain / shares_of(rows)
            found = {
                "as trained": plain,
                "leaning": mixed(logits, one.temperatures).astype(np.float64),
                "shares taken out": freed / freed.sum(1, keepdims=True),
            }
            for after, probabilities in found.items():
                table.setdefault(f"{recipe}, {after}", {})[left_out] = figures(probabilities, labels_of(tested))
    counts = {name: len(rows) for name, rows in (trained_on | known).items()}
    return {
        "task": "text",
        "sources": {name: {"train": counts[name], "test": len(rows)} for name, rows in tested_on.items()},
        "prior": across.summed_up(table, "log_loss", lowest=True),
    }
