"""A network moved towards new sentences: it reads them, forgets nothing that they do not touch, and leaves students
alone."""

from __future__ import annotations

import numpy as np
import pytest

from models.text_features import BUCKETS, pieces_of
from models.training.text_nearby import nearby
from models.training.text_network import Float32, Mixture

NEW = ["đi có một buổi là xong", "về tay không", "chiều thứ ba"]
LABELS = np.array([2, 0, 1])


@pytest.fixture
def network() -> Mixture:
    """One that knows two words and has never seen any other."""
    table = np.zeros((BUCKETS, 8), np.float32)
    for text, column in (("tuyệt", 5), ("tệ", 3)):
        table[pieces_of(text), column] = 1.0
        table[pieces_of(text), 7] = 4.0
    return Mixture(table, np.zeros(7, np.float32), (0.7, 0.9))


def probabilities(network: Mixture, texts: list[str]) -> Float32:
    return network.probabilities([pieces_of(text) for text in texts])


def test_it_reads_what_it_was_moved_towards(network: Mixture) -> None:
    rows, weights = [pieces_of(text) for text in NEW * 2], np.ones(6, np.float32)
    moved = nearby(network, rows, np.tile(LABELS, 2), weights, 0.1)
    assert probabilities(network, NEW).argmax(axis=1).tolist() != LABELS.tolist()
    assert probabilities(moved, NEW).argmax(axis=1).tolist() == LABELS.tolist()
    assert probabilities(moved, ["tuyệt", "tệ"]).argmax(axis=1).tolist() == [2, 0]
    np.testing.assert_array_equal(moved.table[:, [0, 1, 2, 6, 7]], network.table[:, [0, 1, 2, 6, 7]])
    assert moved.temperatures == network.temperatures


def test_the_stiffer_the_less_it_moves(network: Mixture) -> None:
    rows, weights = [pieces_of(text) for text in NEW * 2], np.ones(6, np.float32)
    sizes = [
        np.abs(nearby(network, rows, np.tile(LABELS, 2), weights, stiffness).table - network.table).sum()
        for stiffness in (0.1, 10.0, 1e6)
    ]
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[2] < 1e-2


def test_a_piece_seen_once_is_not_learnt(network: Mixture) -> None:
    """As in the first training: what was there once is chance."""
    moved = nearby(network, [pieces_of(text) for text in NEW], LABELS, np.ones(3, np.float32), 0.1)
    once = [piece for text in NEW for piece in pieces_of(text) if sum(piece in pieces_of(other) for other in NEW) == 1]
    np.testing.assert_array_equal(moved.table[once], network.table[once])
