"""One leaf's inclusion proof as a file that can be checked without the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.audit.log import describe_leaf
from pipeline.audit.sources import head_from_hex, head_line, read_store
from pipeline.audit.verdict import Verdict
from pipeline.errors import LogError, StoreError
from pipeline.language import Message
from pipeline.transparency.heads import from_words, verify_head
from pipeline.transparency.leaves import decode_leaf
from pipeline.transparency.merkle import inclusion_proof, leaf_hash, verify_inclusion


def make_proof(store: Path, index: int, epoch: int | None = None) -> dict[str, Any]:
    """Leaf, path and the newest signed head over it. Raises `LogError` where there is no such leaf or no head covers
    it."""
    log = read_store(store)
    epoch = max(log.leaves, default=0) if epoch is None else epoch
    leaves = [data for _, data in log.leaves.get(epoch, [])]
    heads = [head for head in log.heads if head.epoch == epoch and index < head.size <= len(leaves)]
    if not 0 <= index < len(leaves) or not heads:
        raise LogError(
            Message("There is no such leaf under a signed head."),
            Message("Epoch {epoch} has {count} leaves.", epoch=epoch, count=len(leaves)),
        )
    head = max(heads, key=lambda each: each.size)
    hashes = [leaf_hash(data) for data in leaves[: head.size]]
    return {
        "leaf": leaves[index].hex(),
        "index": index,
        "path": [node.hex() for node in inclusion_proof(hashes, index)],
        "head": json.loads(head_line(head)),
    }


def check_proof(path: Path, signing_public: bytes | None) -> Verdict:
    """Whether a proof file shows what it says, under the box's key."""
    verdict = Verdict(
        "log proof",
        Message("This entry stands in the log that the box signed."),
    )
    try:
        proof = json.loads(path.read_text(encoding="utf-8"))
        leaf, index = bytes.fromhex(proof["leaf"]), int(proof["index"])
        nodes = [bytes.fromhex(node) for node in proof["path"]]
        entry = proof["head"]
        head = head_from_hex(entry["epoch"], entry["size"], entry["root"], entry["signature"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError, StoreError):
        raise LogError(
            Message("{name} is not a proof.", name=path.name),
            Message("Make one: hailong audit log release.sqlite3 --prove LEAF."),
        ) from None
    verdict.facts = {"entry": describe_leaf(decode_leaf(leaf)), "index": index, "size": head.size, "epoch": head.epoch}
    if not verify_inclusion(leaf_hash(leaf), index, head.size, nodes, from_words(head.root)):
        verdict.problems.append(Message("the path does not lead from the entry to the head's root"))
    if signing_public is None:
        verdict.cannot_check.append(Message("the signature: give the box's key with --key."))
    elif not verify_head(head, signing_public):
        verdict.problems.append(Message("the head is not signed by that key"))
    return verdict
