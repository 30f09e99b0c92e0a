"""Teach a trained face network to doubt what is no living face: `python -m models.training.face_doubt --data FOLDER
--run RUN/face.pt --out OUT`.

Only the row of the heads that answers `usable` is fitted anew (logistic regression on what the body sees, pulled
towards the row as it was), so no emotion's figure changes. Beside faces with their votes, as they are and augmented,
it is shown what is none: drawn faces and backs of heads of many makes, and what the training shows anyway
(`models.training.face_augment.not_a_face`). Minutes on one core. Writes `face.pt`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.training.face_augment import augment, not_a_face
from models.training.face_data import EMOTION_COUNT, load_split
from models.training.face_heads import features_of
from models.training.face_network import FaceNetwork
from pipeline.language.parser import Parser

SIZE_PX = 48
STEPS, RATE, PULL = 400, 0.02, 3e-4
FACES, NOT_FACES = 6_000, 1_500
Image = NDArray[np.uint8]


def drawn(rng: np.random.Generator) -> Image:
    """A drawn face: head, eyes, brows, nose and mouth of simple shapes, lines or filled, light on dark or dark on
    light, larger or smaller, clean or as a camera sees paper."""
    line, ground = (int(each) for each in rng.choice([0, 40, 90, 150, 210, 255], 2, replace=False))
    skin = int(np.clip(rng.normal((line + ground) / 2, 60), 0, 255))
    scale = 8
    side = SIZE_PX * scale
    paper = np.full((side, side), ground, np.uint8)
    middle = (side // 2 + int(rng.normal(0, 12)), side // 2 + int(rng.normal(0, 12)))
    axes = (int(rng.uniform(0.30, 0.52) * side), int(rng.uniform(0.34, 0.55) * side))
    thick = int(rng.uniform(3, 22))

    def arc(at: tuple[int, int], size: tuple[int, int], begin: float, end: float) -> None:
        filled = rng.random() < 0.5 and end - begin >= 360
        cv2.ellipse(paper, at, size, 0, begin, end, (line,), -1 if filled else thick, cv2.LINE_AA)

    def stroke(begin: tuple[int, int], end: tuple[int, int]) -> None:
        cv2.line(paper, begin, end, (line,), thick, cv2.LINE_AA)

    if rng.random() < 0.7:
        cv2.ellipse(paper, middle, axes, 0, 0, 360, (skin,), -1, cv2.LINE_AA)
    if rng.random() < 0.8:
        cv2.ellipse(paper, middle, axes, 0, 0, 360, (line,), thick, cv2.LINE_AA)
    apart, up = int(rng.uniform(0.10, 0.22) * side), int(rng.uniform(0.04, 0.16) * side)
    size = (int(rng.uniform(0.02, 0.09) * side), int(rng.uniform(0.02, 0.09) * side))
    brows = rng.random() < 0.4
    for sign in (-1, 1):
        at = (middle[0] + sign * apart, middle[1] - up)
        if rng.random() < 0.85:
            arc(at, size, 0, 360)
        else:
            stroke((at[0] - size[0], at[1]), (at[0] + size[0], at[1]))
        if brows:
            tilt = int(rng.normal(0, 10))
            stroke((at[0] - 30, at[1] - 45 + tilt), (at[0] + 30, at[1] - 45 - sign * tilt))
    if rng.random() < 0.4:
        stroke((middle[0], middle[1] - 10), (middle[0] + int(rng.normal(0, 12)), middle[1] + 40))
    mouth = (middle[0], middle[1] + int(rng.uniform(0.08, 0.22) * side))
    wide, high = int(rng.uniform(0.06, 0.24) * side), int(rng.uniform(0.01, 0.14) * side)
    begin = float(rng.choice([0, 10, 25, 180, 190, 205]))
    arc(mouth, (wide, max(2, high)), begin, begin + float(rng.choice([130, 160, 180, 360])))
    for _ in range(int(rng.integers(0, 9))):  # hair
        x = middle[0] + int(rng.uniform(-1, 1) * axes[0])
        stroke((x, middle[1] - axes[1]), (x + int(rng.normal(0, 25)), middle[1] - axes[1] - int(rng.uniform(10, 50))))
    return _seen(paper, rng)


def back_of_a_head(rng: np.random.Generator) -> Image:
    """Hair of some length and grain over a neck or a collar, before a wall."""
    side = SIZE_PX * 4
    ground = np.full((side, side), float(rng.uniform(60, 240)), np.float32)
    ground += cv2.resize(
        rng.normal(0, rng.uniform(0, 25), (5, 5)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
    )
    neck = int(rng.uniform(0.12, 0.24) * side)
    cv2.rectangle(ground, (side // 2 - neck, side // 2), (side // 2 + neck, side), (float(rng.uniform(80, 220)),), -1)
    if rng.random() < 0.5:
        cv2.rectangle(ground, (0, int(0.85 * side)), (side, side), (float(rng.uniform(10, 240)),), -1)
    grain, along = rng.uniform(0.7, 2.5), rng.uniform(4, 25)
    loose = rng.normal(0, 1, (side, side)).astype(np.float32)
    hair = np.asarray(cv2.GaussianBlur(loose, (0, 0), sigmaX=grain, sigmaY=along), np.float32)
    hair = hair / np.float32(max(float(hair.std()), 1e-6)) * np.float32(rng.uniform(4, 30)) + np.float32(
        rng.uniform(15, 150)
    )
    if rng.random() < 0.5:  # combed to one side
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(-70, 70)), 1.0)
        hair = np.asarray(cv2.warpAffine(hair, turn, (side, side), borderMode=cv2.BORDER_REFLECT), np.float32)
    shape = np.zeros((side, side), np.uint8)
    axes = (int(rng.uniform(0.30, 0.48) * side), int(rng.uniform(0.34, 0.52) * side))
    cv2.ellipse(shape, (side // 2, int(rng.uniform(0.38, 0.52) * side)), axes, 0, 0, 360, (255,), -1)
    if rng.random() < 0.4:  # long hair
        cv2.rectangle(shape, (side // 2 - axes[0], side // 2), (side // 2 + axes[0], side), (255,), -1)
    if rng.random() < 0.5:  # ears
        for sign in (-1, 1):
            cv2.ellipse(
                ground,
                (side // 2 + sign * axes[0], int(0.52 * side)),
                (10, 20),
                0,
                0,
                360,
                (float(rng.uniform(90, 220)),),
                -1,
            )
    soft = cv2.GaussianBlur(shape.astype(np.float32) / 255, (0, 0), float(rng.uniform(1, 4)))
    return _seen(np.clip(ground * (1 - soft) + hair * soft, 0, 255).astype(np.uint8), rng)


def _seen(picture: Image, rng: np.random.Generator) -> Image:
    """As a camera sees it: small, blurred, noisy, of some contrast."""
    small = np.asarray(cv2.resize(picture, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA), np.float64)
    if rng.random() < 0.6:
        small = np.asarray(cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.3, 1.4))), np.float64)
    small = (small - small.mean()) * rng.uniform(0.4, 1.1) + small.mean() + rng.normal(0, 15)
    return np.asarray(np.clip(small + rng.normal(0, rng.uniform(0, 8), small.shape), 0, 255), np.uint8)


def fit_usable(heads: nn.Linear, features: Tensor, usable: Tensor) -> None:
    """Fit the last row of the heads; faces and what is none weigh the same altogether."""
    row = EMOTION_COUNT
    weight = heads.weight.detach()[row].clone().requires_grad_()
    bias = heads.bias.detach()[row].clone().requires_grad_()
    before = heads.weight.detach()[row].clone()
    none = usable == 0
    share = torch.where(none, 0.5 / none.sum().clamp(min=1), 0.5 / (~none).sum().clamp(min=1))
    optimiser = torch.optim.Adam([weight, bias], lr=RATE)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        logits = features @ weight + bias
        loss = (share * nn.functional.binary_cross_entropy_with_logits(logits, usable, reduction="none")).sum()
        loss = loss + PULL * (weight - before).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        heads.weight[row], heads.bias[row] = weight, bias


def main() -> None:
    """Take features, fit, report, write."""
    parser = Parser("python -m models.training.face_doubt", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with FER+")
    parser.add_argument("--run", type=Path, required=True, help="face.pt whose `usable` is fitted anew")
    parser.add_argument("--out", type=Path, required=True, help="folder for face.pt")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(args.seed)
    network = FaceNetwork()
    network.load_state_dict(torch.load(args.run, weights_only=False)["average"])
    votes = load_split(args.data, "train")
    chosen = rng.choice(len(votes.images), FACES, replace=False)
    faces, shares = votes.images[chosen], votes.usable_targets()[chosen]
    changed = np.stack([augment(face, rng, 0.8) for face in faces])
    none = [
        np.stack([make(rng) for _ in range(NOT_FACES)])
        for make in (drawn, back_of_a_head, lambda generator: not_a_face(votes.images, generator))
    ]
    features = torch.cat([features_of(network, part) for part in (faces, changed, *none)])
    usable = torch.from_numpy(np.concatenate([shares, shares, np.zeros(len(none) * NOT_FACES, np.float32)]))
    names, at = ("faces", "augmented", "drawn", "backs of heads", "others"), [0, FACES, 2 * FACES]
    at += [2 * FACES + (number + 1) * NOT_FACES for number in range(len(none))]

    def median_usable() -> str:
        with torch.no_grad():
            seen = torch.sigmoid(network.heads(features)[:, EMOTION_COUNT])
        return ", ".join(
            f"{name} {float(seen[a:b].median()):.3f}" for name, a, b in zip(names, at, at[1:], strict=False)
        )

    print("median of usable before:", median_usable())
    fit_usable(network.heads, features, usable)
    print("after:                  ", median_usable())
    args.out.mkdir(parents=True, exist_ok=True)
    torch.save({"average": network.state_dict()}, args.out / "face.pt")


if __name__ == "__main__":
    main()
