"""The solver of the sentiment network: stochastic gradient descent on one sentence at a time, compiled.

A linear map needs no framework; what it needs is to converge.  Decay is a factor common to the whole table, as in
Bottou (2012), Stochastic gradient descent tricks, so that a step costs only the sentence's own pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from models.text_features import BUCKETS
from models.training.text_network import Float32, Mixture, Pieces

RATE = 3.0
SMOOTHING = 0.05


@dataclass(frozen=True, slots=True)
class Copy:
    """Every sentence once, in one state of damage.

    `pieces`: int64 [all pieces]; `starts`: int64 [n + 1]; `domains`: int64 [n], `STUDENTS` or `OTHERS`.
    """

    pieces: Pieces
    starts: npt.NDArray[np.int64]
    domains: npt.NDArray[np.int64]


def joined(sentences: list[Pieces], domains: list[int]) -> Copy:
    """A copy of sentences given one by one."""
    starts = np.cumsum([0, *(len(one) for one in sentences)], dtype=np.int64)
    return Copy(np.concatenate(sentences), starts, np.array(domains, dtype=np.int64))


def rarity(copy: Copy) -> Float32:
    """Weight of every piece, float32 [BUCKETS]: 1 + log of (sentences / sentences with it), 0 where one has it."""
    seen = np.bincount(copy.pieces, minlength=BUCKETS)
    sentences = len(copy.starts) - 1
    return np.where(seen >= 2, np.log((1 + sentences) / (1 + seen)) + 1, 0).astype(np.float32)


def train(
    copies: list[Copy],
    labels: npt.NDArray[np.int64],
    weights: Float32,
    weight_of_piece: Float32,
    rows: npt.NDArray[np.int64],
    *,
    epochs: int,
    decay: float,
    seed: int,
) -> Mixture:
    """Trains on `rows`; every other epoch, and the last, sees the first copy: the sentences as
    they are; the others take turns over the damaged ones. `labels`, `weights`: of every sentence, [n]."""
    rng = np.random.default_rng(seed)
    table = np.zeros((BUCKETS, 10), dtype=np.float32)
    bias = np.zeros(7)
    weights = (weights / weights[rows].mean()).astype(np.float32)
    scale = 1.0
    for epoch in tqdm(range(epochs), desc="text: epochs", mininterval=5):
        damaged = 1 + epoch // 2 % max(1, len(copies) - 1)
        copy = copies[0 if epoch % 2 or len(copies) == 1 else damaged]
        order = rng.permutation(rows)
        first, last = RATE * (1 - epoch / epochs), RATE * (1 - (epoch + 1) / epochs) + 1e-3
        scale = _epoch(
            order, copy.starts, copy.pieces, copy.domains, weight_of_piece, labels, weights, table, bias,
            np.array([scale, first, last, decay, SMOOTHING]),
        )  # fmt: skip
    table *= np.float32(scale)
    made = np.empty((BUCKETS, 8), dtype=np.float32)
    made[:, :3] = table[:, :3] + table[:, 3:6]
    made[:, 3:6] = table[:, :3] + table[:, 6:9]
    made[:, 6] = table[:, 9]
    made[:, :7] *= weight_of_piece[:, None]
    made[:, 7] = weight_of_piece
    return Mixture(made, bias.astype(np.float32))


@numba.njit(cache=True, fastmath=True)  # type: ignore[misc,unused-ignore]
def _epoch(order, starts, pieces, domains, rare, labels, weights, table, bias, numbers):  # type: ignore[no-untyped-def]
    """One pass; changes `table` [BUCKETS, 10] (shared, students', others', gate) and `bias` [7], returns the scale."""
    scale, first, last, decay, smoothing = numbers
    z = np.zeros(4)
    for at, row in enumerate(order):
        begin, end, domain = starts[row], starts[row + 1], domains[row]
        own = 3 + 3 * domain
        square = 0.0
        z[:] = 0.0
        for j in range(begin, end):
            value = rare[pieces[j]]
            square += value * value
            line = table[pieces[j]]
            for c in range(3):
                z[c] += value * (line[c] + line[own + c])
            z[3] += value * line[9]
        if square == 0.0:
            continue
        length = np.sqrt(square)
        for c in range(4):
            z[c] = scale * z[c] / length + (bias[6] if c == 3 else bias[own - 3 + c])
        most = max(z[0], z[1], z[2])
        total = 0.0
        for c in range(3):
            z[c] = np.exp(z[c] - most)
            total += z[c]
        for c in range(3):
            target = smoothing / 3 + (1 - smoothing if labels[row] == c else 0.0)
            z[c] = (z[c] / total - target) * weights[row]
        z[3] = (1 / (1 + np.exp(-z[3])) - (0.99 if domain == 0 else 0.01)) * weights[row]
        rate = first + (last - first) * at / len(order)
        scale *= 1 - rate * decay
        for c in range(4):
            bias[6 if c == 3 else own - 3 + c] -= rate * 0.02 * z[c]
            z[c] *= rate / (scale * length)
        for j in range(begin, end):
            value = rare[pieces[j]]
            line = table[pieces[j]]
            for c in range(3):
                line[c] -= value * z[c]
                line[own + c] -= value * z[c]
            line[9] -= value * z[3]
    return scale
