"""A trained network moved as little as needed towards the sentences of another writer.

The map of the others is given an addition whose size counts against it (maximum a posteriori adaptation: Chelba and
Acero 2004, Adaptation of maximum entropy capitalizer: little data can help a lot), so what the network knows stays
where the new sentences say nothing. The problem is convex and takes seconds. The students' map and the gate stay as
they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from models.training.text_network import Float32, Mixture, Pieces

SMOOTHING = 0.05
STEPS = 25
_OTHERS = slice(3, 6)


def nearby(
    network: Mixture,
    sentences: list[Pieces],
    labels: npt.NDArray[np.int64],
    weights: Float32,
    stiffness: float,
) -> Mixture:
    """The network nearest to the given one that also reads these sentences.

    Args:
        network: is left as it is.
        sentences: pieces of each, as of `text_features`.
        labels: classes 0 to 2, [n].
        weights: how much each counts, [n].
        stiffness: what the square of the addition costs, above 0: the smaller, the further it goes.
    """
    rarity = network.table[:, 7]
    pieces, places = np.unique(np.concatenate(sentences), return_inverse=True)
    counts = [len(one) for one in sentences]
    rows = np.repeat(np.arange(len(sentences)), counts)
    lengths = np.sqrt(np.maximum(1.0, np.bincount(rows, rarity[pieces][places] ** 2, len(sentences))))
    # a piece that the network never saw weighs as the rarest that it saw, if it is there twice
    weight = np.where(rarity[pieces] > 0, rarity[pieces], np.where(np.bincount(places) > 1, rarity.max(), 0.0))
    seen = csr_matrix((weight[places] / lengths[rows], (rows, places)), shape=(len(sentences), len(pieces)))
    back = seen.T.tocsr()
    start = network.logits(sentences)[:, _OTHERS].astype(np.float64)
    targets = np.full((len(labels), 3), SMOOTHING / 3)
    targets[np.arange(len(labels)), labels] += 1 - SMOOTHING

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        change, offset = flat[3:].reshape(-1, 3), flat[:3]
        logits = start + seen @ change + offset
        logits -= logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        missed = (np.exp(logs) - targets) * weights[:, None]
        slope = np.concatenate([missed.sum(axis=0) + stiffness * offset, (back @ missed + stiffness * change).ravel()])
        return float(-(targets * logs).sum(axis=1) @ weights + stiffness / 2 * flat @ flat), slope

    found: npt.NDArray[Any] = minimize(
        loss, np.zeros(3 + 3 * len(pieces)), jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "maxcor": 8}
    ).x
    table, bias = network.table.copy(), network.bias.copy()
    table[pieces, _OTHERS] += (weight[:, None] * found[3:].reshape(-1, 3)).astype(np.float32)
    bias[_OTHERS] += found[:3].astype(np.float32)
    return replace(network, table=table, bias=bias)
