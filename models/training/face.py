"""Train the face network on the crowd's votes: `python -m models.training.face --data FOLDER --out FOLDER --seed 0`.

With `--cache FOLDER` on RAF-DB's single labels too (`models.training.face_rafdb`), of which one face in five is left
out of training and reported; `--start-graph FILE.onnx` goes on from shipped weights. Needs torch (see
docs/models/README.md). One thread by default; a GPU is used with --device cuda. Writes `face.pt`
(moving average of the weights, and all that a broken-off run needs to go on with --resume) and `face_log.jsonl`, one
line per epoch. The validation split alone is looked at; the test split is read by
`models.training.face_test` only."""

from __future__ import annotations

import argparse
import json
import math
import time
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.training.face_augment import augment, not_a_face
from models.training.face_data import EMOTION_COUNT, FaceVotes, load_split
from models.training.face_measure import NEGATIVE, FaceScores, measure
from models.training.face_network import FaceNetwork
from models.training.face_rafdb import LabelledFaces, held_out, load_rafdb
from models.training.face_unfold import networks_of
from pipeline.language.parser import Parser

NOT_FACES_IN_64 = 2
EMA_DECAY = 0.9985
RARE, RARE_SHARE = (5, 6, 7), 0.4
"""Disgust, fear and contempt, and the share of votes from which a face counts as one of them."""


def face_loss(logits: Tensor, emotions: Tensor, usable: Tensor) -> Tensor:
    """Cross-entropy with the votes, half as much with the votes of (neutral, positive, surprise, negative), and
    `usable`.

    The grouped term is what decides at a counter: mistaking sadness for fear costs nothing there, for neutral it does.
    Rows of `emotions` that are all zero (no emotion voted for, no face) take part in `usable` only.
    """
    log_p = torch.log_softmax(logits[:, :EMOTION_COUNT], dim=1)
    fine = -(emotions * log_p).sum(1)
    grouped = torch.cat([log_p[:, :3], torch.logsumexp(log_p[:, list(NEGATIVE)], dim=1, keepdim=True)], 1)
    grouped_votes = torch.cat([emotions[:, :3], emotions[:, list(NEGATIVE)].sum(1, keepdim=True)], 1)
    coarse = -(grouped_votes * grouped).sum(1)
    seen = nn.functional.binary_cross_entropy_with_logits(logits[:, EMOTION_COUNT], usable)
    return (fine + 0.5 * coarse).mean() + 0.3 * seen


def predict(
    network: nn.Module, images: NDArray[np.uint8], device: str = "cpu", batch: int = 128
) -> NDArray[np.float32]:
    """Logits [n, 9] of faces uint8 [n, 48, 48]."""
    network.eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            faces = torch.from_numpy(images[start : start + batch]).to(device).float().unsqueeze(1)
            parts.append(network(faces.to(memory_format=torch.channels_last)).float().cpu().numpy())
    return np.concatenate(parts)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of the eight emotions [n, 8] from logits [n, 9]."""
    shifted = logits[:, :EMOTION_COUNT] - logits[:, :EMOTION_COUNT].max(1, keepdims=True)
    raised = np.exp(shifted)
    return np.asarray(raised / raised.sum(1, keepdims=True), np.float32)


def one_cycle(done: float, peak: float, warm_up: float = 0.1) -> float:
    """Learning rate when the share `done` of the run is over: linear to `peak` over `warm_up`, then a half cosine."""
    done = min(max(done, 0.0), 1.0)
    if done < warm_up:
        return peak * done / warm_up
    return 0.5 * peak * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))


class Trainer:
    """One run: the network, its moving average, the optimiser and the place in the schedule."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        self.args = args
        self.rng = np.random.default_rng(args.seed)
        self.train: FaceVotes = load_split(args.data, "train")
        self.valid: FaceVotes = load_split(args.data, "valid")
        self.emotions = self.train.emotion_targets()
        self.usable = self.train.usable_targets()
        self.labelled: LabelledFaces | None = None
        self.held_out: LabelledFaces | None = None
        if args.cache:
            faces = load_rafdb(args.data, args.cache)
            left_out = held_out(len(faces.labels))
            self.labelled, self.held_out = faces.take(~left_out), faces.take(left_out)
            self.emotions = np.concatenate([self.emotions, self.labelled.emotion_targets()])
            self.usable = np.concatenate([self.usable, np.ones(len(self.labelled.labels), np.float32)])
        self.network = FaceNetwork().to(args.device, memory_format=torch.channels_last)
        self.average = deepcopy(self.network)
        plain = [p for p in self.network.parameters() if p.ndim < 2]
        decayed = [p for p in self.network.parameters() if p.ndim >= 2]
        if args.teacher:
            self._learn_from(args.teacher)
        if args.start or args.start_graph:
            begun = self._begun()
            self.network.load_state_dict(begun)
            self.average.load_state_dict(begun)
        self.optimiser = torch.optim.SGD(
            [{"params": decayed, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0.0}],
            lr=args.peak,
            momentum=0.9,
            nesterov=True,
        )
        rare = np.flatnonzero(self.emotions[:, list(RARE)].max(1) > RARE_SHARE)
        self.rows = np.concatenate([np.arange(len(self.emotions)), np.repeat(rare, args.rare_times - 1)])
        self.steps_per_epoch = len(self._order()) // args.batch
        self.epoch = 0
        self.began_s = time.monotonic()

    def _begun(self) -> dict[str, Any]:
        """Weights to start from: of a run, or of a written graph (its first or second network)."""
        if self.args.start:
            begun: dict[str, Any] = torch.load(self.args.start, weights_only=False)["average"]
            return begun
        chosen = self.rng.choice(len(self.train.images), 512, replace=False)
        faces = np.stack([augment(self.train.images[row], self.rng, self.args.strength) for row in chosen])
        return networks_of(self.args.start_graph, faces)[self.args.start_network].state_dict()

    def _order(self) -> NDArray[np.int64]:
        """One epoch's rows, shuffled: all labelled faces and a share of those with votes."""
        kept = (self.rows >= len(self.train.images)) | (self.rng.random(len(self.rows)) < self.args.votes_share)
        return self.rng.permutation(self.rows[kept])

    def share_done(self, step: int) -> float:
        """How much of the run is over at a step of this epoch: of its steps, or of its minutes where it has some."""
        if self.args.minutes:
            return (time.monotonic() - self.began_s) / (60 * self.args.minutes)
        return (self.epoch * self.steps_per_epoch + step + 1) / (self.args.epochs * self.steps_per_epoch)

    def image(self, row: int) -> NDArray[np.uint8]:
        """A training face [48, 48]; of a labelled one two times in three the framing that the box would cut."""
        of_votes = len(self.train.images)
        if row < of_votes or self.labelled is None:
            return self.train.images[row]
        framing = int(self.rng.random() > 2 / 3)
        return self.labelled.images[row - of_votes, framing]

    def _learn_from(self, teachers: list[Path]) -> None:
        """Mix trained networks' view of the training faces, as they are and mirrored, half and half into the votes.

        Ten voters leave sampling noise in the shares; networks that have seen all faces smooth it. Source:
        Furlanello et al. (2018), Born-Again Neural Networks, ICML."""
        mirrored = np.ascontiguousarray(self.train.images[:, :, ::-1])
        views = []
        for teacher in teachers:
            network = FaceNetwork().to(memory_format=torch.channels_last)
            network.load_state_dict(torch.load(teacher, weights_only=False)["average"])
            views += [predict(network, self.train.images), predict(network, mirrored)]
        seen = softmax(np.mean(views, axis=0, dtype=np.float32))
        votes = self.emotions[: len(seen)]
        voted = votes.sum(1) > 0
        votes[voted] = 0.5 * votes[voted] + 0.5 * seen[voted]

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Augmented faces float [n, 1, 48, 48] with their vote shares [n, 8] and `usable` [n]."""
        faces = np.stack([augment(self.image(int(row)), self.rng, self.args.strength) for row in rows])
        emotions, usable = self.emotions[rows].copy(), self.usable[rows].copy()
        for place in range(len(rows) * NOT_FACES_IN_64 // 64):
            faces[place] = not_a_face(self.train.images, self.rng)
            emotions[place], usable[place] = 0, 0
        to_device = [torch.from_numpy(a).to(self.args.device) for a in (faces, emotions, usable)]
        return to_device[0].float().unsqueeze(1).to(memory_format=torch.channels_last), to_device[1], to_device[2]

    def run_epoch(self) -> float:
        """One pass over the training split; the mean loss."""
        self.network.train()
        order = self._order()
        steps = len(order) // self.args.batch
        total = 0.0
        label = f"epoch {self.epoch + 1}/{self.args.epochs}"
        for step in tqdm(range(steps), desc=label, mininterval=5):
            done = self.share_done(step)
            if self.args.minutes and done >= 1:
                steps = max(step, 1)
                break
            rate = one_cycle(done, self.args.peak)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            faces, emotions, usable = self.batch(order[step * self.args.batch : (step + 1) * self.args.batch])
            with torch.autocast(self.args.device, torch.bfloat16, enabled=not self.args.float32):
                logits = self.network(faces)
            loss = face_loss(logits.float(), emotions, usable)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self._follow()
            total += float(loss.detach())
        self.epoch += 1
        return total / steps

    def _follow(self) -> None:
        """Move the average towards the weights (Polyak & Juditsky, 1992); batch statistics are averaged as well."""
        done = self.epoch * self.steps_per_epoch
        decay = min(EMA_DECAY, (1 + done) / (10 + done))
        with torch.no_grad():
            for slow, fast in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if slow.is_floating_point():
                    slow.lerp_(fast, 1 - decay)
                else:
                    slow.copy_(fast)

    def validate(self) -> FaceScores:
        """Scores of the average on the validation split (not calibrated)."""
        return measure(self.valid.majority(), softmax(predict(self.average, self.valid.images, self.args.device)))

    def validate_left_out(self) -> FaceScores | None:
        """Scores of the average on RAF-DB's held-out faces, both framings together; None where it is not trained on."""
        if self.held_out is None:
            return None
        framings = [predict(self.average, self.held_out.images[:, each], self.args.device) for each in (0, 1)]
        return measure(self.held_out.labels, softmax(np.mean(framings, axis=0, dtype=np.float32)))

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs."""
        return {
            "average": self.average.state_dict(),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "rng": self.rng.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.average.load_state_dict(state["average"])
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch = state["epoch"]
        self.rng.bit_generator.state = state["rng"]


def main() -> None:
    """Train, validating after every epoch."""
    parser = Parser("python -m models.training.face", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with ferplus_train.npz and ferplus_valid.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for face.pt and face_log.jsonl")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the data")
    parser.add_argument("--batch", type=int, default=64, help="faces of a batch")
    parser.add_argument("--peak", type=float, default=0.06, help="highest learning rate")
    parser.add_argument("--start", type=Path, help="face.pt of a run whose averaged weights to start from")
    parser.add_argument("--start-graph", type=Path, help="a written .onnx to start from")
    parser.add_argument("--start-network", type=int, choices=(0, 1), default=0, help="which network of that graph")
    parser.add_argument("--cache", type=Path, help="train on RAF-DB too; folder for its crops")
    parser.add_argument(
        "--teacher", type=Path, action="append", help="face.pt of a run whose predictions to mix into the votes"
    )
    parser.add_argument("--rare-times", type=int, default=2, help="show faces of disgust, fear, contempt so often")
    parser.add_argument("--strength", type=float, default=0.8, help="of the augmentation, in [0, 1]")
    parser.add_argument("--votes-share", type=float, default=1.0, help="share of FER+'s faces in an epoch")
    parser.add_argument("--minutes", type=float, help="end by the clock, rate and all: for a machine that is shared")
    parser.add_argument("--threads", type=int, default=1, help="threads of the training")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where it computes")
    parser.add_argument("--float32", action="store_true", help="no bfloat16 (for processors that lack it)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(args)
    stored = args.out / "face.pt"
    if args.resume and stored.exists():
        trainer.restore(torch.load(stored, weights_only=False))
    while trainer.epoch < args.epochs and not (args.minutes and trainer.share_done(0) >= 1):
        started = time.monotonic()
        loss = trainer.run_epoch()
        scores = trainer.validate()
        torch.save(trainer.state(), stored)
        line: dict[str, Any] = {
            "epoch": trainer.epoch,
            "loss": round(loss, 4),
            "wall_s": round(time.monotonic() - started, 1),
        }
        line |= {name: round(value, 4) for name, value in asdict(scores).items()}
        left_out = trainer.validate_left_out()
        if left_out is not None:
            line["rafdb_held_out"] = {name: round(value, 4) for name, value in asdict(left_out).items()}
        with (args.out / "face_log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        tqdm.write(f"epoch {trainer.epoch}: loss {loss:.4f} {scores}; RAF-DB held out: {left_out}")


if __name__ == "__main__":
    main()
