"""The transparency log, verified offline against signed tree heads that somebody else kept."""

from __future__ import annotations

import contextlib
import itertools
from collections import defaultdict
from pathlib import Path

from pipeline.audit.sources import StoredLog, read_heads, read_store
from pipeline.audit.verdict import Verdict
from pipeline.calendar import window_label
from pipeline.errors import LogError
from pipeline.transparency.heads import from_words, verify_head
from pipeline.transparency.leaves import (
    BasisLeaf,
    EpochLeaf,
    KeyLeaf,
    ModelLeaf,
    NoticeLeaf,
    PolicyLeaf,
    RefusalLeaf,
    ReleaseLeaf,
    decode_leaf,
)
from pipeline.transparency.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from pipeline.wire import TreeHead

MAX_INCLUSIONS = 256
"""Leaves, evenly spread, whose inclusion proof is made and verified; the root itself covers all."""


def audit_log(store: Path, kept: list[Path], signing_public: bytes | None, box: int | None = None) -> Verdict:
    """A box's `release.sqlite3` against its own heads and those of the server or a record of the sender.

    `signing_public`: the box's Ed25519 key as enrolled (32 bytes); None: the one that the log itself names, which is
    said."""
    verdict = Verdict(
        "log",
        "Nhật ký minh bạch của thiết bị nguyên vẹn: không bị sửa, cắt hay rẽ nhánh so với các đỉnh cây đã ký.",
        "The box's transparency log is whole: not altered, cut or forked against the signed tree heads.",
    )
    log = read_store(store)
    outside = [head for path in kept for head in read_heads(path, box)]
    audit = _LogAudit(verdict, log, outside, signing_public)
    for epoch in sorted(set(log.leaves) | {head.epoch for head in outside}):
        audit.epoch(epoch)
    if not log.leaves:
        verdict.problems.append("CUT: the store holds no leaf at all")
    verdict.facts = {
        "epochs": len(log.leaves),
        "leaves": sum(map(len, log.leaves.values())),
        "own_heads": len(log.heads),
        "outside_heads": len(outside),
        "inclusion_proofs_verified": audit.inclusions,
        "consistency_proofs_verified": audit.consistencies,
        "entries": audit.entries[-40:],
    }
    if not outside:
        verdict.cannot_check.append(
            "a log that was rewritten as a whole together with its own heads: give heads that the server kept "
            "(--heads)."
        )
    if signing_public is None:
        verdict.cannot_check.append("that the signing key is the enrolled one: give it with --key.")
    verdict.cannot_check.append(
        "that nothing was sent past the log: see hailong audit budget with a record, and audit trace."
    )
    return verdict


class _LogAudit:
    def __init__(self, verdict: Verdict, log: StoredLog, outside: list[TreeHead], signing_public: bytes | None) -> None:
        self.verdict = verdict
        self.inclusions = 0
        self.consistencies = 0
        self.entries: list[str] = []
        self._log = log
        self._outside = outside
        self._public = signing_public

    def epoch(self, epoch: int) -> None:
        """Everything about one epoch's log."""
        numbered = self._log.leaves.get(epoch, [])
        hashes = [leaf_hash(data) for _, data in numbered]
        numbers = [number for number, _ in numbered]
        if numbers != list(range(len(numbers))):
            missing = sorted(set(range(max(numbers) + 1)) - set(numbers))
            self._say(f"CUT: epoch {epoch} lacks leaves {missing[:10]}")
        public = self._read_leaves(epoch, numbered)
        own = self._signed([head for head in self._log.heads if head.epoch == epoch], public, "own")
        outside = self._signed([head for head in self._outside if head.epoch == epoch], public, "outside")
        self._against(epoch, hashes, own, outside)
        self._proofs(hashes, sorted({head.size: head for head in own + outside}.values(), key=lambda head: head.size))

    def _read_leaves(self, epoch: int, numbered: list[tuple[int, bytes]]) -> bytes | None:
        """Decode and list the leaves; returns the key that signs this epoch's heads."""
        public = self._public
        for number, data in numbered:
            try:
                leaf = decode_leaf(data)
            except LogError:
                self._say(f"ALTERED: leaf {number} of epoch {epoch} is none that a box writes")
                continue
            if number == 0:
                if not isinstance(leaf, EpochLeaf) or leaf.epoch != epoch:
                    self._say(f"ALTERED: epoch {epoch} does not begin with its own leaf")
                elif public is None:
                    public = leaf.signing_public
                elif public != leaf.signing_public:
                    self._say(f"FORKED: epoch {epoch} names another signing key than the one enrolled")
            self.entries.append(f"{epoch}/{number} {describe_leaf(leaf)}")
        return public

    def _signed(self, heads: list[TreeHead], public: bytes | None, whose: str) -> list[TreeHead]:
        good = []
        for head in heads:
            if public is not None and verify_head(head, public):
                good.append(head)
            else:
                self._say(
                    f"UNSIGNED: the {whose} head of size {head.size} (epoch {head.epoch}) is not signed by the box's "
                    f"key"
                )
        return good

    def _against(self, epoch: int, hashes: list[bytes], own: list[TreeHead], outside: list[TreeHead]) -> None:
        """Compare every signed head with the log; tell an altered log from a cut and a forked one."""
        roots: dict[int, set[bytes]] = defaultdict(set)
        for head in own + outside:
            roots[head.size].add(from_words(head.root))
        for size, found in roots.items():
            if len(found) > 1:
                self._say(f"FORKED: the box signed {len(found)} different logs of size {size} (epoch {epoch})")
        self._covered(epoch, len(hashes), max((head.size for head in own + outside), default=0))
        agreeing = [head.size for head in own if self._root(hashes, head.size) == from_words(head.root)]
        for head in sorted(own + outside, key=lambda each: each.size):
            root = self._root(hashes, head.size)
            if root is None:
                self._say(
                    f"CUT: a head of size {head.size} was signed (epoch {epoch}), the log has {len(hashes)} leaves"
                )
            elif root != from_words(head.root) and len(roots[head.size]) == 1:
                # heads of the box that fit this log, signed later than the one that does not: it tells two histories
                if any(size >= head.size for size in agreeing):
                    self._say(
                        f"FORKED: the log fits later heads of the box, but not the one of size {head.size} (epoch "
                        f"{epoch})"
                    )
                else:
                    self._say(f"ALTERED: the first {head.size} leaves (epoch {epoch}) are not those that were signed")

    def _covered(self, epoch: int, leaves: int, signed: int) -> None:
        """A release is logged and signed in one transaction; what no head covers could be anything."""
        if leaves and not signed:
            self._say(f"UNSIGNED: no head covers any of the {leaves} leaves of epoch {epoch}")
            return
        for number, data in self._log.leaves.get(epoch, [])[signed:]:
            with contextlib.suppress(LogError):
                if isinstance(decode_leaf(data), ReleaseLeaf):
                    self._say(f"UNSIGNED: no head covers the release at leaf {number} of epoch {epoch}")

    def _root(self, hashes: list[bytes], size: int) -> bytes | None:
        return tree_root(hashes[:size]) if size <= len(hashes) else None

    def _proofs(self, hashes: list[bytes], heads: list[TreeHead]) -> None:
        heads = [head for head in heads if self._root(hashes, head.size) == from_words(head.root)]
        for old, new in itertools.pairwise(heads):
            proof = consistency_proof(hashes[: new.size], old.size)
            if not verify_consistency(old.size, new.size, from_words(old.root), from_words(new.root), proof):
                self._say(f"FORKED: the log of size {new.size} does not begin with that of size {old.size}")
            self.consistencies += 1
        if not heads:
            return
        last = heads[-1]
        step = max(1, last.size // MAX_INCLUSIONS)
        for index in range(0, last.size, step):
            proof = inclusion_proof(hashes[: last.size], index)
            if not verify_inclusion(hashes[index], index, last.size, proof, from_words(last.root)):
                self._say(f"ALTERED: leaf {index} is not in the tree of size {last.size}")
            self.inclusions += 1

    def _say(self, problem: str) -> None:
        if problem not in self.verdict.problems:
            self.verdict.problems.append(problem)


def pool_words(pool: int) -> str:
    """How a pool is named after what it did: not at all where it is the first, which may be the only one."""
    return "" if pool == 1 else f" of pool {pool}"


def describe_leaf(leaf: object) -> str:
    """One leaf in words."""
    if isinstance(leaf, ReleaseLeaf):
        return (
            f"release {leaf.kind.name} {window_label(leaf.period, leaf.index)}{pool_words(leaf.pool)} epsilon "
            f"{leaf.epsilon_milli / 1000:g}"
        )
    if isinstance(leaf, RefusalLeaf):
        first, last = window_label(leaf.period, leaf.first), window_label(leaf.period, leaf.last)
        return f"refused {leaf.kind.name} {first} .. {last}{pool_words(leaf.pool)}: {leaf.reason.name.lower()}"
    if isinstance(leaf, PolicyLeaf):
        return (
            f"policy pulse {leaf.pulse_kind.name} {leaf.pulse_epsilon_milli / 1000:g}, evidence "
            f"{leaf.evidence_kind.name} "
            f"{leaf.evidence_epsilon_milli / 1000:g}, budget {leaf.budget_epsilon_milli / 1000:g}, clerks "
            f"{leaf.clerks_per_box}"
            f"{', pooled' if leaf.pooled else ''}{', pools ' * bool(leaf.pools)}"
            f"{' '.join(f'{pool} ({clerks})' for pool, clerks in leaf.pools)}, at rest {leaf.at_rest}"
        )
    if isinstance(leaf, NoticeLeaf):
        confirmed = "confirmed" if leaf.notice_confirmed else "not confirmed"
        return f"notice {confirmed}, opt-out {'offered' if leaf.opt_out_offered else 'not offered'}"
    if isinstance(leaf, BasisLeaf):
        papers = f" by decision {leaf.decision_number} of {leaf.decision_date}, last check {leaf.last_check}"
        stated = papers if leaf.basis == "state_activity" else ""
        return f"legal basis {leaf.basis}{stated}, notice sha256 {leaf.notice.hex()[:16]}"
    if isinstance(leaf, ModelLeaf):
        return f"model {leaf.name} sha256 {leaf.sha256.hex()[:16]}"
    if isinstance(leaf, KeyLeaf):
        return f"key {leaf.role} {leaf.public.hex()[:16]}"
    if isinstance(leaf, EpochLeaf):
        return f"epoch {leaf.epoch}, signing key {leaf.signing_public.hex()[:16]}"
    return "the running counts could not be opened at this start"
