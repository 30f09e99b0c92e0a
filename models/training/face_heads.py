"""Fit the heads of a face network anew on what its body sees: `python -m models.training.face_heads --data FOLDER
--cache FOLDER --run RUN/face.pt --out OUT`.

A body that was trained at a high rate, and stopped there, sees more than its heads have settled on. Features are taken
once (every face as it is, and `--copies` times augmented), then the heads are fitted to all targets of the training
(`models.training.face`) at a falling rate: minutes on one core, where a whole run takes hours. Writes `face.pt`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.training.face import face_loss, one_cycle, predict, softmax
from models.training.face_augment import augment
from models.training.face_data import load_split
from models.training.face_measure import FaceScores, measure
from models.training.face_network import FaceNetwork
from models.training.face_rafdb import held_out, load_rafdb
from pipeline.language.parser import Parser

BATCH, PEAK, DECAY = 256, 3e-3, 1e-3


def features_of(network: FaceNetwork, images: NDArray[np.uint8], batch: int = 128) -> Tensor:
    """What the heads read of faces uint8 [n, 48, 48]: float [n, 256]."""
    network.eval()
    taken: list[Tensor] = []
    hook = network.dropout.register_forward_hook(lambda module, inputs, out: taken.append(out.detach().clone()))
    with torch.inference_mode():
        for start in tqdm(range(0, len(images), batch), desc="features", mininterval=10):
            faces = torch.from_numpy(images[start : start + batch]).float().unsqueeze(1)
            network(faces.to(memory_format=torch.channels_last))
    hook.remove()
    return torch.cat(taken).clone()


def fit_heads(heads: nn.Linear, features: Tensor, emotions: Tensor, usable: Tensor, epochs: int, seed: int) -> None:
    """Adam with a cycle of rates, pulled towards the heads as they were (`DECAY`)."""
    generator = torch.Generator().manual_seed(seed)
    before = heads.weight.detach().clone()
    optimiser = torch.optim.Adam(heads.parameters())
    steps = epochs * (len(features) // BATCH)
    for step in range(steps):
        if step % (len(features) // BATCH) == 0:
            order = torch.randperm(len(features), generator=generator)
        at = step % (len(features) // BATCH) * BATCH
        rows = order[at : at + BATCH]
        for group in optimiser.param_groups:
            group["lr"] = one_cycle(step / steps, PEAK)
        loss = face_loss(heads(features[rows]), emotions[rows], usable[rows])
        loss = loss + DECAY * (heads.weight - before).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def main() -> None:
    """Take features, fit, report, write."""
    parser = Parser("python -m models.training.face_heads", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with FER+ and RAF-DB")
    parser.add_argument("--cache", type=Path, required=True, help="folder of RAF-DB's crops")
    parser.add_argument("--run", type=Path, required=True, help="face.pt whose body is kept")
    parser.add_argument("--out", type=Path, required=True, help="folder for face.pt")
    parser.add_argument("--votes", type=int, default=10_000, help="number of FER+'s faces")
    parser.add_argument("--copies", type=int, default=1, help="augmented copies of every face")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the data")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(args.seed)
    network = FaceNetwork()
    network.load_state_dict(torch.load(args.run, weights_only=False)["average"])
    votes, valid = load_split(args.data, "train"), load_split(args.data, "valid")
    faces = load_rafdb(args.data, args.cache)
    left_out = held_out(len(faces.labels))
    labelled, kept_out = faces.take(~left_out), faces.take(left_out)
    chosen = rng.choice(len(votes.images), min(args.votes, len(votes.images)), replace=False)
    images = np.concatenate([votes.images[chosen], labelled.images[:, 0]])
    emotions = np.concatenate([votes.emotion_targets()[chosen], labelled.emotion_targets()])
    usable = np.concatenate([votes.usable_targets()[chosen], np.ones(len(labelled.labels), np.float32)])
    copies = [images] + [np.stack([augment(image, rng, 0.8) for image in images]) for _ in range(args.copies)]
    features = torch.cat([features_of(network, copy) for copy in copies])
    targets = [torch.from_numpy(np.tile(each, (len(copies), *[1] * (each.ndim - 1)))) for each in (emotions, usable)]

    def scores() -> tuple[FaceScores, FaceScores]:
        framings = [predict(network, kept_out.images[:, each]) for each in (0, 1)]
        together = softmax(np.mean(framings, axis=0, dtype=np.float32))
        return measure(valid.majority(), softmax(predict(network, valid.images))), measure(kept_out.labels, together)

    print("before:", *scores(), sep="\n  ")
    fit_heads(network.heads, features, targets[0], targets[1], args.epochs, args.seed)
    after = scores()
    print("after:", *after, sep="\n  ")
    args.out.mkdir(parents=True, exist_ok=True)
    torch.save({"average": network.state_dict(), "scores": [asdict(each) for each in after]}, args.out / "face.pt")


if __name__ == "__main__":
    main()
