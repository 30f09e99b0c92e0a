"""Trains the head on encoder and bag: `python -m models.training.text_stack --data PATH --out PATH --cache PATH`.

`--data` as in `models.training.text`; the encoder is the one that `hailong models fetch --asr` brought. `--out`
receives `text_stack.onnx` and `text_stack.json`; `--cache` keeps the embeddings of what was read before (outside the
repository: it is made of the corpora's sentences), since a sentence takes some 20 ms.

The head is, as the bag, a mixture of what students mean and what others mean (`text_network`): three multinomial
logistic regressions on the 384 numbers of the encoder and the bag's three log-probabilities. The bag's answers on what
it was trained on would flatter it, so the head sees its answers of five folds in which a sentence was left out
(stacking: Wolpert 1992). Students: UIT-VSFC train. Others: VLSP 2016, sentences made from phrases (`text_templates`),
turns of speech (`text_turns`), half of both in the words of the Centre and the South (`text_regions`) and damaged, and
the students' remarks at a low weight.

`--check FILE.csv` (text,label) is reported on and never trained on; `--leave-out` reports every source left out in turn
instead, which is what everything here was chosen by.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from models import catalogue
from models.runtime import OnnxNetwork
from models.text_encoder import SMILEYS, TextEncoder
from models.text_normalise import syllables
from models.text_stack import LEAST, WIDTH, features, has_marks
from models.training.augment_text import damage
from models.training.text import (
    HELD,
    Sentence,
    damaged_copies,
    labels_of,
    read_corpus,
    read_extra,
)
from models.training.text_figures import figures
from models.training.text_network import OTHERS, STUDENTS, Float32, best_temperature, mixed
from models.training.text_regions import regional
from models.training.text_solver import rarity, train
from models.training.text_templates import TemplateWriter
from models.training.text_turns import turned

FOLDS = 5
STUDENTS_PENALTY, OTHERS_PENALTY = 0.01, 0.001
"""C of the logistic regressions on scaled features; that of the others by sources left out (.03 to .0001 tried)."""
NEUTRAL = 2.5
"""Weight of the students' rare neutral remarks."""
AMONG_OTHERS = 0.3
"""Weight of a student's remark in the head of the others."""
_GRAPH = """
<ir_version: 8, opset_import: ["" : 17], producer_name: "hailong">
stack (float[n] features) => (float[3] probabilities) {
    linear = MatMul(features, weights)
    logits = Add(linear, offsets)
    sizes = Constant<value = int64[3] {3, 3, 1}>()
    students_logits, others_logits, gate = Split<axis = 0>(logits, sizes)
    students_cool = Div(students_logits, students_temperature)
    others_cool = Div(others_logits, others_temperature)
    students = Softmax<axis = 0>(students_cool)
    others = Softmax<axis = 0>(others_cool)
    share = Sigmoid(gate)
    one = Constant<value = float {1.0}>()
    rest = Sub(one, share)
    students_part = Mul(students, share)
    others_part = Mul(others, rest)
    stacked = Add(students_part, others_part)
    least = Constant<value = float {0.0001}>()
    floored = Max(stacked, least)
    stacked_logs = Log(floored)
    parts = Constant<value = int64[2] {384, 3}>()
    unused, scaled_logs = Split<axis = 0>(features, parts)
    scale = Constant<value = float {9.2103404}>()
    bag_logs = Mul(scaled_logs, scale)
    both = Sum(stacked_logs, bag_logs)
    half = Constant<value = float {0.5}>()
    middle = Mul(both, half)
    probabilities = Softmax<axis = 0>(middle)
}
"""


@dataclass(frozen=True, slots=True)
class Head:
    """`weights` float32 [387, 7] and `offsets` [7]: students' three logits, others' three, the gate's; `cool`: the
    temperatures of the two."""

    weights: Float32
    offsets: Float32
    cool: tuple[float, float] = (1.0, 1.0)

    def logits(self, rows: Float32) -> Float32:
        """Float32 [n, 7] of features [n, 387]."""
        return np.asarray(rows @ self.weights + self.offsets, np.float32)

    def probabilities(self, rows: Float32) -> Float32:
        """Float32 [n, 3] of features [n, 387]: the geometric mean of what the head says and what the bag says, which
        has the opposite sign less often than either."""
        stacked = np.log(np.maximum(mixed(self.logits(rows), self.cool), LEAST))
        middle = np.exp((stacked - rows[:, WIDTH:] * np.log(LEAST)) / 2)
        return np.asarray(middle / middle.sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True)
class Sources:
    """What is trained on, by source, and what is reported on."""

    trained_on: dict[str, list[Sentence]]
    tested_on: dict[str, list[Sentence]]


def read_sources(data: Path, checks: list[Path], made: int, turns: int, seed: int) -> Sources:
    """Students, comments, made sentences and turns; of the last two every second one regional and damaged."""
    folder, rng = data / "text", random.Random(seed)
    checked = {path.stem: read_extra(path, 1.0) for path in checks}
    never = {tuple(one.words) for rows in checked.values() for one in rows}
    comments = read_corpus(folder / "vlsp2016_sa.parquet", "train", 0.8, OTHERS)
    random.Random(0).shuffle(comments)

    def own(rows: list[tuple[str, int]]) -> list[Sentence]:
        found = []
        for number, (text, label) in enumerate(rows):
            words = syllables(text)
            if number % 2:
                words = damage(regional(words, rng), rng)
            if tuple(words) not in never:
                found.append(Sentence(words, label, 0.8))
        return found

    return Sources(
        {
            "students": read_corpus(folder / "uit_vsfc.parquet", "train", 1.0, STUDENTS, NEUTRAL),
            "comments": comments[HELD:],
            "made": own(TemplateWriter(seed).write(made)),
            "turns": own(turned(turns, seed)),
        },
        {
            "vsfc_dev": read_corpus(folder / "uit_vsfc.parquet", "dev", 1.0, STUDENTS),
            "vlsp_held": comments[:HELD],
            **checked,
        },
    )


class Embeddings:
    """The encoder's answers, kept by sentence in a file."""

    def __init__(self, cache: Path) -> None:
        found = catalogue.model_files("text-encoder")
        self._encoder = TextEncoder(found["e5-small-q4.bin"], found["encoder.onnx"])
        self._path = cache / "embeddings.npz"
        self._known: dict[str, npt.NDArray[np.float16]] = {}
        if self._path.exists():
            with np.load(self._path) as stored:
                self._known = dict(zip(stored["texts"].tolist(), stored["embeddings"], strict=True))

    def of(self, sentences: list[Sentence]) -> Float32:
        """Float32 [n, 384], zeros for a sentence without marks; what is new is computed and kept."""
        texts = [" ".join(SMILEYS.get(word, word) for word in one.words) for one in sentences]
        marked = [text for text in texts if has_marks(text)]
        new = [text for text in dict.fromkeys(marked) if text not in self._known]
        for number, text in enumerate(tqdm(new, desc="text: encoding", mininterval=5, disable=not new)):
            self._known[text] = self._encoder.embed(text).astype(np.float16)
            if number % 2000 == 1999:
                self._keep()
        if new:
            self._keep()
        nothing = np.zeros(WIDTH, np.float16)
        return np.array([self._known.get(text, nothing) for text in texts], np.float32)

    def _keep(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(self._path, texts=np.array(list(self._known)), embeddings=np.array(list(self._known.values())))


def bag_of(trained_on: list[Sentence], asked: list[Sentence], seed: int) -> Float32:
    """Probabilities [n, 3] of a bag of pieces trained on some sentences, for others."""
    copies = damaged_copies(trained_on, 1, seed)
    weights = np.array([one.weight for one in trained_on], np.float32)
    rows = np.arange(len(trained_on))
    network = train(copies, labels_of(trained_on), weights, rarity(copies[0]), rows, epochs=8, decay=8e-6, seed=seed)
    return network.probabilities([one.pieces() for one in asked])


def left_out_answers(sentences: list[Sentence], seed: int) -> Float32:
    """The bag's probabilities [n, 3] of each sentence by the fold that it was left out of; turns of speech are never
    among what a bag is trained on, as they were not for the shipped one."""
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(sentences))
    found = np.zeros((len(sentences), 3), np.float32)
    for number in range(FOLDS):
        rows = np.flatnonzero(fold == number)
        rest = [sentences[row] for row in np.flatnonzero(fold != number)]
        found[rows] = bag_of(rest, [sentences[row] for row in rows], seed)
    return found


def shipped_bag(sentences: list[Sentence]) -> Float32:
    """The shipped bag's probabilities [n, 3]."""
    network = OnnxNetwork(catalogue.model_files("text-sentiment")["text_sentiment.onnx"])
    nothing = np.array([0.0, 1.0, 0.0], np.float32)
    pieces = [one.pieces() for one in sentences]
    return np.stack([network.run(pieces=row)[0] if len(row) else nothing for row in pieces])


def fit(rows: Float32, sentences: list[Sentence]) -> Head:
    """The head of features [n, 387]; where one of the two kinds of speakers is missing, the other speaks for both."""
    labels = labels_of(sentences)
    domains = np.array([one.domain for one in sentences])
    weights = np.array([one.weight for one in sentences])
    made, offsets = np.zeros((rows.shape[1], 7)), np.zeros(7)

    mean, spread = rows.mean(axis=0), rows.std(axis=0) + np.float32(1e-6)
    scaled = (rows - mean) / spread  # the numbers of the encoder hardly vary: unscaled, a solver needs ages

    def fitted(
        chosen: npt.NDArray[np.bool_], of: npt.NDArray[Any], weight: npt.NDArray[np.float64] | None, penalty: float
    ) -> tuple[Float32, Float32]:
        model = LogisticRegression(C=penalty, max_iter=100, tol=1e-3)
        model.fit(scaled[chosen], of[chosen], sample_weight=None if weight is None else weight[chosen])
        found = (model.coef_ / spread).T.astype(np.float32)
        return found, np.asarray(model.intercept_ - mean @ found, np.float32)

    both = len(np.unique(domains)) == 2
    everybody = np.ones(len(labels), np.bool_)
    students = domains == STUDENTS if both else everybody
    made[:, :3], offsets[:3] = fitted(students, labels, weights, STUDENTS_PENALTY)
    among = np.where(domains == STUDENTS, AMONG_OTHERS, 1.0) if both else np.ones(len(labels))
    made[:, 3:6], offsets[3:6] = fitted(everybody, labels, weights * among, OTHERS_PENALTY)
    if both:
        made[:, 6:], offsets[6:] = fitted(everybody, students, None, STUDENTS_PENALTY)
    return Head(made.astype(np.float32), offsets.astype(np.float32))


def export(head: Head, path: Path) -> None:
    """Writes the graph: features float32 [387] -> probabilities float32 [3]."""
    tables = {
        "weights": head.weights,
        "offsets": head.offsets,
        "students_temperature": np.array([head.cool[STUDENTS]], np.float32),
        "others_temperature": np.array([head.cool[OTHERS]], np.float32),
    }
    model = onnx.parser.parse_model(_GRAPH)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(table, name) for name, table in tables.items())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def left_out_sources(sources: Sources, embeddings: Embeddings, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """Each source left out of head and bag alike, and scored: students, comments, and own talk (made and turns)."""
    own = [one for name, rows in sources.tested_on.items() if name not in ("vsfc_dev", "vlsp_held") for one in rows]
    tested = {"students": sources.tested_on["vsfc_dev"], "comments": sources.tested_on["vlsp_held"], "own": own}
    found: dict[str, dict[str, dict[str, float]]] = {}
    for out, asked in tested.items():
        without = ("made", "turns") if out == "own" else (out,)
        rest = [one for name, rows in sources.trained_on.items() if name not in without for one in rows]
        plain = [one for name, rows in sources.trained_on.items() if name not in (*without, "turns") for one in rows]
        head = fit(features(embeddings.of(rest), left_out_answers(rest, seed)), rest)
        bag = bag_of(plain, asked, seed)
        labels = labels_of(asked)
        stacked = head.probabilities(features(embeddings.of(asked), bag)).astype(np.float64)
        found[out] = {"bag": figures(bag.astype(np.float64), labels), "stack": figures(stacked, labels)}
    return found


def main() -> None:
    """Reads, encodes, stacks, calibrates, exports and reports; or reports the sources left out."""
    parser = argparse.ArgumentParser(prog="python -m models.training.text_stack", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds text/*.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the report")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the embeddings, outside the repository")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--made", type=int, default=5000, help="number of sentences made from templates")
    parser.add_argument("--turns", type=int, default=1900, help="number of turns of speech")
    parser.add_argument("--check", type=Path, action="append", default=[], help="CSV with text,label to report on")
    parser.add_argument("--leave-out", action="store_true", help="report every source left out in turn, write nothing")
    given = parser.parse_args()
    sources = read_sources(given.data, given.check, given.made, given.turns, given.seed)
    embeddings = Embeddings(given.cache)
    if given.leave_out:
        print(json.dumps(left_out_sources(sources, embeddings, given.seed), indent=2))
        return
    sentences = [one for rows in sources.trained_on.values() for one in rows]
    rows = features(embeddings.of(sentences), left_out_answers(sentences, given.seed))
    head = fit(rows, sentences)
    report: dict[str, Any] = {"sentences": len(sentences), "seed": given.seed}
    cool = []
    for name, columns in (("vsfc_dev", slice(0, 3)), ("vlsp_held", slice(3, 6))):
        asked = sources.tested_on[name]
        logits = head.logits(features(embeddings.of(asked), shipped_bag(asked)))
        cool.append(best_temperature(logits[:, columns], labels_of(asked)))
    head = Head(head.weights, head.offsets, (cool[0], cool[1]))
    report["temperatures"] = cool
    for name, asked in sources.tested_on.items():
        bag = shipped_bag(asked)
        stacked = head.probabilities(features(embeddings.of(asked), bag))
        labels = labels_of(asked)
        report[name] = {
            "bag": figures(bag.astype(np.float64), labels),
            "stack": figures(stacked.astype(np.float64), labels),
        }
    given.out.mkdir(parents=True, exist_ok=True)
    export(head, given.out / "text_stack.onnx")
    (given.out / "text_stack.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
