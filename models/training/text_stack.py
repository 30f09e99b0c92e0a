"""Writes the second reader: `python -m models.training.text_stack --data PATH --adapter RUN/adapter.npz --out PATH`.

`--adapter` is what `models.training.text_adapter` left. `--out` receives `text_adapter.onnx` (the additions to the
encoder's matrices, in half precision), `text_stack.onnx` (the head, and how head and bag are weighed) and
`text_stack.json` (what came out). Needs no torch; the encoder is the one that `hailong models fetch --asr` brought,
and everything is read through its graph, as in a box.

Chosen on situations of six writers (`--more`: of eleven) that were held out of the training: the powers of head and bag
by the mean log loss, then what is added to the logarithms of negative and neutral, so that doubt becomes neutral: the
least opposite sign that costs at most .01 of accuracy. The temperatures of students' and shoppers' maps: on the rows of
their corpora that are held out here. `--check FILE.csv` (text,label) is reported on.
"""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from tqdm import tqdm

from models import catalogue
from models.encoder_convert import FILE
from models.runtime import OnnxNetwork
from models.text_encoder import TextEncoder
from models.text_stack import COUNTER, LEAST, SHOPPERS, STUDENTS, WIDTH, features
from models.training.text import HELD, Sentence, as_sentence, labels_of, read_corpus, read_extra
from models.training.text_figures import figures
from models.training.text_network import OTHERS, Float32, best_temperature
from models.training.text_network import STUDENTS as FROM_STUDENTS
from models.training.text_said import said, writers_with
from pipeline.language.parser import Parser

MAPS = 3
SCALE = 16.0
"""What an embedding of length one is multiplied with before the head."""
COSTS_AT_MOST = 0.01
_GRAPH = """
<ir_version: 8, opset_import: ["" : 17], producer_name: "hailong">
stack (float[n] features) => (float[3] probabilities) {
    parts = Constant<value = int64[2] {384, 3}>()
    embedding, scaled_logs = Split<axis = 0>(features, parts)
    linear = MatMul(embedding, weights)
    logits = Add(linear, offsets)
    quarters = Constant<value = int64[4] {3, 3, 3, 3}>()
    students_logits, shoppers_logits, counter_logits, gate = Split<axis = 0>(logits, quarters)
    students_cool = Div(students_logits, students_temperature)
    shoppers_cool = Div(shoppers_logits, shoppers_temperature)
    counter_cool = Div(counter_logits, counter_temperature)
    students = Softmax<axis = 0>(students_cool)
    shoppers = Softmax<axis = 0>(shoppers_cool)
    counter = Softmax<axis = 0>(counter_cool)
    shares = Softmax<axis = 0>(gate)
    ones = Constant<value = int64[3] {1, 1, 1}>()
    students_share, shoppers_share, counter_share = Split<axis = 0>(shares, ones)
    students_part = Mul(students, students_share)
    shoppers_part = Mul(shoppers, shoppers_share)
    counter_part = Mul(counter, counter_share)
    mixed = Sum(students_part, shoppers_part, counter_part)
    least = Constant<value = float {0.0001}>()
    floored = Max(mixed, least)
    head_logs = Log(floored)
    scale = Constant<value = float {9.2103404}>()
    bag_logs = Mul(scaled_logs, scale)
    head_part = Mul(head_logs, head_power)
    bag_part = Mul(bag_logs, bag_power)
    both = Sum(head_part, bag_part, lean)
    probabilities = Softmax<axis = 0>(both)
}
"""


@dataclass(frozen=True, slots=True)
class Head:
    """`weights` float32 [384, 12], `offsets` [12]: logits of students, shoppers, counter, and the gate's; `cool`: the
    maps' temperatures; `powers` of head and bag; `lean`: added to the logarithms of negative, neutral, positive."""

    weights: Float32
    offsets: Float32
    cool: tuple[float, float, float] = (1.0, 1.0, 1.0)
    powers: tuple[float, float] = (1.0, 0.0)
    lean: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def logits(self, rows: Float32) -> Float32:
        """Float32 [n, 12] of features [n, 387]."""
        return np.asarray(rows[:, :WIDTH] @ self.weights + self.offsets, np.float32)

    def probabilities(self, rows: Float32) -> Float32:
        """Float32 [n, 3] of features [n, 387]."""
        logits = self.logits(rows)
        shares = _softmax(logits[:, 3 * MAPS :])
        maps = [_softmax(logits[:, 3 * at : 3 * at + 3] / self.cool[at]) for at in range(MAPS)]
        mixed = np.sum([shares[:, at : at + 1] * maps[at] for at in range(MAPS)], axis=0)
        head, bag = np.log(np.maximum(mixed, LEAST)), -rows[:, WIDTH:] * np.log(LEAST)
        return _softmax(self.powers[0] * head + self.powers[1] * bag + np.array(self.lean, np.float32))


def _softmax(logits: Float32) -> Float32:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def export(head: Head, path: Path) -> None:
    """Writes the graph: features float32 [387] -> probabilities float32 [3]."""
    tables = {"weights": head.weights, "offsets": head.offsets, "lean": np.array(head.lean, np.float32)}
    names = ("students_temperature", "shoppers_temperature", "counter_temperature", "head_power", "bag_power")
    for name, value in zip(names, head.cool + head.powers, strict=True):
        tables[name] = np.array([value], np.float32)
    model = onnx.parser.parse_model(_GRAPH)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(table, name) for name, table in tables.items())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def export_adapter(additions: dict[str, Float32], path: Path) -> None:
    """Writes a network without inputs whose outputs are the additions, by the names of the encoder's inputs."""
    nodes, tensors, outputs = [], [], []
    for name, table in additions.items():
        tensors.append(onnx.numpy_helper.from_array(table.astype(np.float16), f"{name}.half"))
        nodes.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
        outputs.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, table.shape))
    graph = onnx.helper.make_graph(nodes, "adapter", [], outputs, tensors)
    opsets = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, producer_name="hailong", ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def read_run(path: Path) -> dict[str, Float32]:
    """Tables of `adapter.npz` by the names of a training run."""
    with np.load(path) as stored:
        return {name: np.asarray(stored[name], np.float32) for name in stored.files}


def run_of(adapter: Path, stack: Path) -> dict[str, Float32]:
    """The same, of `text_adapter.onnx` and `text_stack.onnx`: what `read_adapter` and the two exports have made of it.
    The additions are as they were rounded to half precision; temperatures, powers and lean are left out."""
    network = OnnxNetwork(adapter)
    found = {}
    for name, table in zip(network.outputs, network.run(), strict=True):
        layer, part, kind = name.split(".")
        found[f"layers.{layer.removeprefix('l')}.parts.{part}.{kind}"] = np.ascontiguousarray(table.T)
    tables = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(str(stack)).graph.initializer}
    found["head.weight"] = np.asarray(np.ascontiguousarray(tables["weights"].T) / SCALE, np.float32)
    found["head.bias"] = np.array(tables["offsets"])
    return found


def shipped_run() -> dict[str, Float32]:
    """The same, of the shipped files."""
    files = catalogue.model_files("text-stack")
    return run_of(files["text_adapter.onnx"], files["text_stack.onnx"])


def read_adapter(*paths: Path) -> tuple[dict[str, Float32], Head]:
    """Additions by the encoder's inputs (torch has a matrix the other way round), and the head, of a training run; of
    several that went on from one another, the means of their tables."""
    runs = [read_run(path) for path in paths]
    found = {name: np.asarray(np.mean([run[name] for run in runs], axis=0), np.float32) for name in runs[0]}
    additions = {}
    for name, table in found.items():
        if name.startswith("layers."):
            _, layer, _, part, kind = name.split(".")
            additions[f"l{layer}.{part}.{kind}"] = np.ascontiguousarray(table.T)
    weights = np.ascontiguousarray(found["head.weight"].T) * np.float32(SCALE)
    return additions, Head(weights, found["head.bias"])


def shipped_bag(bag: Path | None, sentences: list[Sentence]) -> Float32:
    """Probabilities [n, 3] of the shipped bag, or of another."""
    network = OnnxNetwork(bag or catalogue.model_files("text-sentiment")["text_sentiment.onnx"])
    nothing = np.array([0.0, 1.0, 0.0], np.float32)
    pieces = [one.pieces() for one in sentences]
    return np.stack([network.run(pieces=row)[0] if len(row) else nothing for row in pieces])


def choose(head: Head, rows: Float32, labels: npt.NDArray[np.int64]) -> Head:
    """Powers and lean (module's description); rows and labels of the held-out situations."""

    def measured(one: Head) -> dict[str, float]:
        return figures(one.probabilities(rows).astype(np.float64), labels)

    tenths = [round(0.1 * each, 1) for each in range(13)]
    weighed = [replace(head, powers=pair) for pair in itertools.product(tenths[2:], tenths[:11])]
    best = min(weighed, key=lambda one: measured(one)["log_loss"])
    floor = measured(best)["accuracy"] - COSTS_AT_MOST
    leaning = [
        replace(best, lean=(-down, up, 0.0))
        for down, up in itertools.product(np.arange(0, 0.85, 0.1).round(2).tolist(), repeat=2)
    ]
    allowed = [one for one in leaning if measured(one)["accuracy"] >= floor]
    return min(allowed, key=lambda one: (measured(one)["opposite_sign"], -measured(one)["accuracy"]))


def main() -> None:
    """Writes, reads through what was written, chooses and reports."""
    parser = Parser("python -m models.training.text_stack", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds text/*.parquet")
    parser.add_argument(
        "--adapter",
        type=Path,
        required=True,
        action="append",
        help="adapter.npz of models.training.text_adapter; of several runs that went on from one another, their mean",
    )
    parser.add_argument("--more", action="store_true", help="choose on the further writers' held situations, too")
    parser.add_argument("--bag", type=Path, help="text_sentiment.onnx to weigh with (the shipped one, if not given)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the report")
    parser.add_argument("--check", type=Path, action="append", default=[], help="CSV with text,label to report on")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    folder, adapter = given.data / "text", given.out / "text_adapter.onnx"
    additions, head = read_adapter(*given.adapter)
    export_adapter(additions, adapter)
    fetched = catalogue.model_files("text-encoder")
    encoder = TextEncoder(fetched[FILE], fetched["encoder.onnx"], adapter)
    comments = read_corpus(folder / "vlsp2016_sa.parquet", "train", 0.8, OTHERS)
    random.Random(0).shuffle(comments)
    tested: dict[str, list[Sentence]] = {
        "vsfc_dev": read_corpus(folder / "uit_vsfc.parquet", "dev", 1.0, FROM_STUDENTS),
        "vlsp_held": comments[:HELD],
        **{f"{name}_held": [as_sentence(*row) for row in said(True, (name,))] for name in writers_with(given.more)},
    }
    tested |= {path.stem: read_extra(path, 1.0) for path in given.check}
    rows = {}
    for name, sentences in tested.items():
        meant = [encoder.embed_syllables(one.words) for one in tqdm(sentences, desc=name, mininterval=5)]
        rows[name] = features(np.stack(meant), shipped_bag(given.bag, sentences))

    def temperature(name: str, at: int) -> float:
        return best_temperature(head.logits(rows[name])[:, 3 * at : 3 * at + 3], labels_of(tested[name]))

    chosen_on = [f"{name}_held" for name in writers_with(given.more)]
    joined = np.concatenate([rows[name] for name in chosen_on])
    labels = np.concatenate([labels_of(tested[name]) for name in chosen_on])
    counter = best_temperature(head.logits(joined)[:, 3 * COUNTER : 3 * COUNTER + 3], labels)
    head = replace(head, cool=(temperature("vsfc_dev", STUDENTS), temperature("vlsp_held", SHOPPERS), counter))
    head = choose(head, joined, labels)
    export(head, given.out / "text_stack.onnx")
    report: dict[str, Any] = {"temperatures": head.cool, "powers": head.powers, "lean": head.lean}
    alone = replace(head, powers=(1.0, 0.0), lean=(0.0, 0.0, 0.0))
    for name, sentences in tested.items():
        labels, bag = labels_of(sentences), -rows[name][:, WIDTH:] * np.log(LEAST)
        answers = {
            "bag": np.exp(bag),
            "encoder": alone.probabilities(rows[name]),
            "both": head.probabilities(rows[name]),
        }
        report[name] = {who: figures(found.astype(np.float64), labels) for who, found in answers.items()}
    (given.out / "text_stack.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
