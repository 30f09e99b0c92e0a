"""Teaches the encoder our matter: `python -m models.training.text_adapter --data PATH --out PATH --minutes 70`.

Low-rank additions (LoRA: Hu et al. 2021, arXiv:2106.09685) to the twelve layers of the frozen encoder, whose matrices
stay in the 4 bits that were fetched (as Dettmers et al. 2023, arXiv:2305.14314), and three maps of its 384 numbers with
a gate: what students mean by their remarks, what shoppers mean, what people mean at a counter. A sentence counts in the
map of its own kind, and a little in the counter's. `--data` as in `models.training.text`; the encoder is the one that
`hailong models fetch --asr` brought. `--out` receives `adapter.npz`, anew every few minutes, and `adapter_log.jsonl`.
`--shipped` goes on from the additions that are shipped.

Needs torch (docs/models/README.md), one thread by default. Ends by the clock; the rate falls with it, so that a run on
a busy machine ends well, and is not repeated to the digit. `--check FILE.csv` is reported on and never trained on.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from models import catalogue
from models.encoder_convert import FILE, LORA_PARTS
from models.encoder_file import EncoderFile, open_encoder, unpacked
from models.text_encoder import Tokenizer, encoder_text
from models.text_stack import COUNTER, SHOPPERS, STUDENTS
from models.training.augment_text import damage, lose_marks
from models.training.face import one_cycle
from models.training.text import HELD, Sentence, as_sentence, labels_of, read_corpus, read_extra
from models.training.text import damaged as damaged_student
from models.training.text_figures import figures
from models.training.text_network import STUDENTS as FROM_STUDENTS
from models.training.text_regions import regional
from models.training.text_said import said, writers_with
from models.training.text_stack import SCALE, read_run, shipped_run
from models.training.text_templates import TemplateWriter
from models.training.text_turns import turned
from pipeline.language.parser import Parser

RANK = 16
LONGEST_TRAINED = 64
"""Tokens of a training sentence; longer ones (some comments) are cut."""
AMONG_COUNTER = 0.3
"""Weight of a student's or shopper's sentence in the map of the counter."""
Row = tuple[list[str], int, float, int]
"""Syllables, class, weight, kind of speaker."""


class Linear(nn.Module):
    """A frozen matrix of the file, and a low-rank addition to it."""

    def __init__(self, file: EncoderFile, name: str, width: int) -> None:
        super().__init__()
        weight = torch.from_numpy(unpacked(file.blocks(f"{name}.w", width)))
        self.register_buffer("weight", weight)
        self.register_buffer("bias", torch.from_numpy(file.numbers(f"{name}.b").copy()))
        self.down = nn.Parameter(torch.randn(RANK, width) / width**0.5)
        self.up = nn.Parameter(torch.zeros(len(weight), RANK))

    def forward(self, x: Tensor) -> Tensor:
        """float [..., width] -> [..., rows]."""
        return functional.linear(x, self.weight, self.bias) + functional.linear(
            functional.linear(x, self.down), self.up
        )


class Layer(nn.Module):
    """One layer of BERT: attention, then two matrices, each with its norm after the sum."""

    def __init__(self, file: EncoderFile, number: int) -> None:
        super().__init__()
        at, width = f"l{number}", file.width
        self.heads, self.epsilon = file.heads, file.epsilon
        self.parts = nn.ModuleDict(
            {part: Linear(file, f"{at}.{part}", file.inner if part == "fo" else width) for part in LORA_PARTS}
        )
        for norm in ("aln", "oln"):
            for kind in ("w", "b"):
                self.register_buffer(f"{norm}_{kind}", torch.from_numpy(file.numbers(f"{at}.{norm}.{kind}").copy()))

    def forward(self, x: Tensor, seen: Tensor, drop: float) -> Tensor:
        """float [n, k, width]; `seen` bool [n, 1, 1, k]: which tokens are there."""
        n, k, width = x.shape
        q, key, value = (self.parts[part](x).view(n, k, self.heads, -1).transpose(1, 2) for part in ("q", "k", "v"))
        heard = functional.scaled_dot_product_attention(q, key, value, attn_mask=seen)
        heard = self.parts["ao"](heard.transpose(1, 2).reshape(n, k, width))
        x = self._norm("aln", x + functional.dropout(heard, drop, self.training))
        inner = self.parts["fo"](functional.gelu(self.parts["fi"](x)))
        return self._norm("oln", x + functional.dropout(inner, drop, self.training))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        gains: list[Tensor] = [getattr(self, f"{name}_{kind}") for kind in ("w", "b")]
        return functional.layer_norm(x, x.shape[-1:], gains[0], gains[1], self.epsilon)


class Reader(nn.Module):
    """Encoder with additions, and a linear map to twelve logits: three times three, and the gate's three."""

    def __init__(self, file: EncoderFile, drop: float) -> None:
        super().__init__()
        places = file.numbers("emb.pos").reshape(-1, file.width) + file.numbers("emb.type").reshape(-1, file.width)[0]
        self.register_buffer("places", torch.from_numpy(places))
        self.register_buffer("gain", torch.from_numpy(file.numbers("emb.ln.w").copy()))
        self.register_buffer("shift", torch.from_numpy(file.numbers("emb.ln.b").copy()))
        self.layers = nn.ModuleList(Layer(file, number) for number in range(file.layers))
        self.head = nn.Linear(file.width, 12)
        self.epsilon, self.drop = file.epsilon, drop

    def embed(self, words: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings of length one, float [n, 384], of tokens' rows [n, k, 384]."""
        k = words.shape[1]
        there = torch.arange(k)[None, :] < lengths[:, None]
        x = functional.layer_norm(words + self.places[:k], words.shape[-1:], self.gain, self.shift, self.epsilon)
        x = functional.dropout(x, self.drop, self.training)
        for layer in self.layers:
            x = layer(x, there[:, None, None, :], self.drop)
        mean = (x * there[:, :, None]).sum(1) / lengths[:, None]
        return functional.normalize(mean, dim=1)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """Logits float [n, 12]."""
        found: Tensor = self.head(self.embed(words, lengths) * SCALE)
        return found


def loss_of(logits: Tensor, labels: Tensor, weights: Tensor, kinds: Tensor, opposite: float = 0.0) -> Tensor:
    """Cross-entropy of each sentence in the map of its own kind, a little in the counter's, and of the gate;
    `opposite` times what the counter's map loses by a complaint that it takes for praise, or the other way round."""
    each = torch.stack(
        [functional.cross_entropy(logits[:, 3 * at : 3 * at + 3], labels, reduction="none") for at in range(3)], 1
    )
    own = each.gather(1, kinds[:, None])[:, 0]
    among = torch.where(kinds == COUNTER, 0.0, AMONG_COUNTER) * each[:, COUNTER]
    gate = functional.cross_entropy(logits[:, 9:], kinds, reduction="none")
    other = functional.softmax(logits[:, 3 * COUNTER : 3 * COUNTER + 3], 1).gather(1, 2 - labels[:, None])[:, 0]
    sided = (labels != 1) & (kinds == COUNTER)
    crossed = -opposite * sided * torch.log1p(-other.clamp(max=1 - 1e-6))
    return ((own + among + crossed) * weights).mean() + 0.1 * gate.mean()


class Corpus:
    """What is trained on, newly damaged for each pass; and what is reported on."""

    def __init__(self, given: argparse.Namespace) -> None:
        folder = given.data / "text"
        self.rng = random.Random(given.seed)
        self.given = given
        comments = read_corpus(folder / "vlsp2016_sa.parquet", "train", 0.8, 1)
        random.Random(0).shuffle(comments)
        self.students = read_corpus(folder / "uit_vsfc.parquet", "train", 1.0, FROM_STUDENTS, given.neutral)
        self.comments = comments[HELD:]
        self.checked = {
            "vsfc_dev": read_corpus(folder / "uit_vsfc.parquet", "dev", 1.0, FROM_STUDENTS),
            "vlsp_held": comments[:HELD],
            **{f"{name}_held": [as_sentence(*row) for row in said(True, (name,))] for name in writers_with(given.more)},
        } | {path.stem: read_extra(path, 1.0) for path in given.check}
        self.never = {tuple(one.words) for rows in self.checked.values() for one in rows}
        self.passes = 0

    def rows(self) -> list[Row]:
        """One pass, in order of chance."""
        rng, rows = self.rng, list[Row]()
        for one in self.students:
            if rng.random() >= self.given.corpora:
                continue
            made = damaged_student(one, rng) if rng.random() < 0.4 else one
            rows.append((made.words, made.label, made.weight, STUDENTS if made.domain == FROM_STUDENTS else COUNTER))
        for one in self.comments:
            if rng.random() >= self.given.comments:
                continue
            words = damage(one.words, rng) if rng.random() < 0.3 else one.words
            rows.append((words, one.label, one.weight, SHOPPERS))
        self.passes += 1
        seed = 1000 * self.given.seed + self.passes
        made_of = [
            (TemplateWriter(seed).write(self.given.made), 0.7, 0.3, 0.4),
            (turned(self.given.turns, seed), 0.7, 0.3, 0.4),
            (said(False, writers_with(self.given.more)), 2.0, 0.15, 0.2),
        ]
        for sentences, weight, elsewhere, worn in made_of:
            for text, label in sentences:
                words = as_sentence(text, label).words
                if tuple(words) in self.never:
                    continue
                if rng.random() < elsewhere:
                    words = regional(words, rng)
                if rng.random() < worn:
                    words = damage(words, rng)
                words = lose_marks(words, float(rng.random() < self.given.bare), rng)
                rows.append((words, label, weight, COUNTER))
        rng.shuffle(rows)
        return rows


class Words:
    """Token rows of sentences, by the tokenizer and the table of the packed file."""

    def __init__(self, file: EncoderFile) -> None:
        self._tokenizer = Tokenizer(file.pieces, file.scores, file.unknown)
        self._table = file.blocks("emb.word", file.width)
        self._ends = (file.begin, file.end)

    def ids(self, words: list[str], most: int) -> list[int]:
        """Token ids with the marks of beginning and end."""
        return [self._ends[0], *self._tokenizer.ids(encoder_text(words))[: most - 2], self._ends[1]]

    def batch(self, rows: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Float [n, k, 384], zeros where a sentence is shorter, and lengths [n]."""
        lengths = [len(row) for row in rows]
        made = np.zeros((len(rows), max(lengths), self._table.shape[1] * 32), np.float32)
        for at, row in enumerate(rows):
            made[at, : len(row)] = unpacked(self._table[row])
        return torch.from_numpy(made), torch.tensor(lengths)


def batches(tokens: list[list[int]], most: int, rng: random.Random) -> Iterator[list[int]]:
    """Places of sentences of like length, at most `most` tokens together with what is filled up, in order of chance."""
    order = sorted(range(len(tokens)), key=lambda at: (len(tokens[at]), rng.random()))
    made: list[list[int]] = [[]]
    for at in order:
        if made[-1] and (len(made[-1]) + 1) * len(tokens[at]) > most:
            made.append([])
        made[-1].append(at)
    rng.shuffle(made)
    yield from made


def reading(reader: Reader, words: Words, sentences: list[Sentence]) -> npt.NDArray[np.float32]:
    """Logits [n, 12] of sentences."""
    reader.eval()
    tokens = [words.ids(one.words, 128) for one in sentences]
    found = np.zeros((len(tokens), 12), np.float32)
    with torch.inference_mode():
        for places in batches(tokens, 2048, random.Random(0)):
            found[places] = reader(*words.batch([tokens[at] for at in places])).numpy()
    reader.train()
    return found


def probabilities(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """[n, 3] of logits [n, 12]: the maps by the gate."""

    def soft(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        raised = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
        return np.asarray(raised / raised.sum(1, keepdims=True))

    share = soft(logits[:, 9:])
    return np.asarray(sum(share[:, at : at + 1] * soft(logits[:, 3 * at : 3 * at + 3]) for at in range(3)))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = Parser("python -m models.training.text_adapter", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds text/*.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder for adapter.npz and the log")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--start", type=Path, help="adapter.npz to go on from")
    start.add_argument("--shipped", action="store_true", help="go on from the shipped additions and head")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training")
    parser.add_argument("--minutes", type=float, default=70, help="minutes of training")
    parser.add_argument("--peak", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--drop", type=float, default=0.1, help="dropout")
    parser.add_argument("--tokens", type=int, default=768, help="tokens of a batch")
    parser.add_argument("--neutral", type=float, default=2.0, help="weight of the students' rare neutral remarks")
    parser.add_argument("--corpora", type=float, default=1.0, help="share of the students' rows in a pass")
    parser.add_argument("--comments", type=float, default=1.0, help="share of the shoppers' rows in a pass")
    parser.add_argument("--bare", type=float, default=0.0, help="share of own sentences that lose all marks")
    parser.add_argument("--opposite", type=float, default=0.0, help="weight of taking a complaint for praise, or back")
    parser.add_argument("--made", type=int, default=3000, help="sentences from templates in a pass")
    parser.add_argument("--turns", type=int, default=1200, help="turns of speech in a pass")
    parser.add_argument("--more", action="store_true", help="also the five further writers")
    parser.add_argument("--check", type=Path, action="append", default=[], help="CSV with text,label to report on")
    parser.add_argument("--report-every", type=float, default=20, help="minutes between reports")
    parser.add_argument("--keep-every", type=float, default=4, help="minutes between writings of adapter.npz")
    parser.add_argument("--threads", type=int, default=1, help="threads of the training")
    return parser.parse_args()


def main() -> None:
    """Train until the clock says so; report; write."""
    given = arguments()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    file = open_encoder(catalogue.model_files("text-encoder")[FILE])
    reader, words, corpus = Reader(file, given.drop), Words(file), Corpus(given)
    if given.start or given.shipped:
        start = shipped_run() if given.shipped else read_run(given.start)
        reader.load_state_dict({name: torch.from_numpy(value) for name, value in start.items()}, strict=False)
    trained = [parameter for parameter in reader.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=given.peak, weight_decay=0.01, betas=(0.9, 0.98))
    began, reported, kept = time.monotonic(), 0.0, 0.0

    def done() -> float:
        return (time.monotonic() - began) / 60 / given.minutes

    def keep() -> None:
        named = {name: value.detach().numpy() for name, value in reader.named_parameters()}
        np.savez(given.out / "next.npz", allow_pickle=False, **named)
        (given.out / "next.npz").replace(given.out / "adapter.npz")

    def report() -> None:
        line: dict[str, object] = {"minutes": round(done() * given.minutes, 1), "passes": corpus.passes}
        for name, sentences in corpus.checked.items():
            found = figures(probabilities(reading(reader, words, sentences)), labels_of(sentences))
            line[name] = {key: round(value, 4) for key, value in found.items()}
        with (given.out / "adapter_log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")

    reader.train()
    while done() < 1:
        rows = corpus.rows()
        tokens = [words.ids(row[0], LONGEST_TRAINED) for row in rows]
        total, steps = 0.0, 0
        passed = tqdm(list(batches(tokens, given.tokens, corpus.rng)), desc=f"pass {corpus.passes}", mininterval=10)
        for places in passed:
            if done() >= 1:
                break
            for group in optimiser.param_groups:
                group["lr"] = one_cycle(done(), given.peak)
            labels, kinds = (torch.tensor([rows[at][column] for at in places]) for column in (1, 3))
            weights = torch.tensor([rows[at][2] for at in places])
            loss = loss_of(reader(*words.batch([tokens[at] for at in places])), labels, weights, kinds, given.opposite)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            total, steps = total + float(loss.detach()), steps + 1
            if steps % 50 == 0:
                passed.set_postfix_str(f"loss {total / steps:.4f}")
            if done() * given.minutes - kept > given.keep_every:
                kept = done() * given.minutes
                keep()
            if done() * given.minutes - reported > given.report_every:
                reported = done() * given.minutes
                report()
    keep()
    report()


if __name__ == "__main__":
    main()
