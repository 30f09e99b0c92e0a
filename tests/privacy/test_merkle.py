"""The Merkle tree against its published vectors and against the definition written out (RFC 9162, 2.1)."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.transparency.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The vectors of Certificate Transparency's reference implementation."""


def definition(leaves: list[bytes]) -> bytes:
    """MTH as the RFC writes it, on leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + definition(leaves[:split]) + definition(leaves[split:])).digest()


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(bytes([number % 251, number // 251])) for number in range(count)]


@pytest.mark.parametrize("size", range(1, 9))
def test_published_vectors(size: int) -> None:
    assert tree_root([leaf_hash(leaf) for leaf in LEAVES[:size]]).hex() == ROOTS[size - 1]


def test_roots_follow_the_definition() -> None:
    assert tree_root([]) == EMPTY_ROOT == definition([])
    frontier = Frontier()
    for size, leaf in enumerate(hashes(130), 1):
        frontier.append(leaf)
        assert frontier.root() == definition(hashes(size))


def test_every_inclusion_proof_of_every_tree() -> None:
    for size in range(1, 34):
        leaves = hashes(size)
        root = definition(leaves)
        for index in range(size):
            proof = inclusion_proof(leaves, index)
            assert verify_inclusion(leaves[index], index, size, proof, root)
            assert not verify_inclusion(leaf_hash(b"another"), index, size, proof, root)
            assert not verify_inclusion(leaves[index], index, size, [*proof, root], root)
            if size > 1:
                assert not verify_inclusion(leaves[index], (index + 1) % size, size, proof, root)
                assert not verify_inclusion(leaves[index], index, size, proof[:-1], root)


def test_every_consistency_proof_of_every_pair() -> None:
    for new in range(1, 34):
        leaves = hashes(new)
        new_root = definition(leaves)
        for old in range(new + 1):
            old_root = definition(leaves[:old])
            proof = consistency_proof(leaves, old)
            assert verify_consistency(old, new, old_root, new_root, proof)
            if 0 < old < new:
                other = leaf_hash(b"another")
                assert not verify_consistency(old, new, other, new_root, proof)
                assert not verify_consistency(old, new, old_root, other, proof)
                assert not verify_consistency(old, new, old_root, new_root, proof[:-1])
                assert not verify_consistency(old, new, old_root, new_root, [*proof, other])
                changed = [*leaves[: old - 1], other, *leaves[old:]]
                assert not verify_consistency(old, new, old_root, definition(changed), consistency_proof(changed, old))


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(IndexError):
        inclusion_proof(hashes(size), index)
    assert not verify_inclusion(EMPTY_ROOT, index, size, [], EMPTY_ROOT)
