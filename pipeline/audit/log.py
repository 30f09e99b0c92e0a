"""The transparency log, verified offline against signed tree heads that somebody else kept."""

from __future__ import annotations

import contextlib
import itertools
from collections import defaultdict
from pathlib import Path

from pipeline.audit.figures import figure_words
from pipeline.audit.sources import StoredLog, read_heads, read_store
from pipeline.audit.verdict import Verdict
from pipeline.calendar import window_label
from pipeline.errors import LogError
from pipeline.language import Joined, Message, Sentence
from pipeline.transparency.heads import from_words, verify_head
from pipeline.transparency.leaves import (
    BasisLeaf,
    ConsentLeaf,
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
        Message("The box's transparency log is whole: not altered, cut or forked against the signed tree heads."),
    )
    log = read_store(store)
    outside = [head for path in kept for head in read_heads(path, box)]
    audit = _LogAudit(verdict, log, outside, signing_public)
    for epoch in sorted(set(log.leaves) | {head.epoch for head in outside}):
        audit.epoch(epoch)
    if not log.leaves:
        verdict.problems.append(Message("CUT: the store holds no leaf at all"))
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
            Message(
                "a log that was rewritten as a whole together with its own heads: give heads that the server kept "
                "(--heads)."
            )
        )
    if signing_public is None:
        verdict.cannot_check.append(Message("that the signing key is the enrolled one: give it with --key."))
    verdict.cannot_check.append(
        Message("that nothing was sent past the log: see hailong audit budget with a record, and audit trace.")
    )
    return verdict


class _LogAudit:
    def __init__(self, verdict: Verdict, log: StoredLog, outside: list[TreeHead], signing_public: bytes | None) -> None:
        self.verdict = verdict
        self.inclusions = 0
        self.consistencies = 0
        self.entries: list[Sentence] = []
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
            self._say(Message("CUT: epoch {epoch} lacks leaves {missing}", epoch=epoch, missing=missing[:10]))
        public = self._read_leaves(epoch, numbered)
        own = self._signed([head for head in self._log.heads if head.epoch == epoch], public, own=True)
        outside = self._signed([head for head in self._outside if head.epoch == epoch], public, own=False)
        self._against(epoch, hashes, own, outside)
        self._proofs(hashes, sorted({head.size: head for head in own + outside}.values(), key=lambda head: head.size))

    def _read_leaves(self, epoch: int, numbered: list[tuple[int, bytes]]) -> bytes | None:
        """Decode and list the leaves; returns the key that signs this epoch's heads."""
        public = self._public
        for number, data in numbered:
            try:
                leaf = decode_leaf(data)
            except LogError:
                self._say(
                    Message(
                        "ALTERED: leaf {number} of epoch {epoch} is none that a box writes", number=number, epoch=epoch
                    )
                )
                continue
            if number == 0:
                if not isinstance(leaf, EpochLeaf) or leaf.epoch != epoch:
                    self._say(Message("ALTERED: epoch {epoch} does not begin with its own leaf", epoch=epoch))
                elif public is None:
                    public = leaf.signing_public
                elif public != leaf.signing_public:
                    self._say(
                        Message("FORKED: epoch {epoch} names another signing key than the one enrolled", epoch=epoch)
                    )
            self.entries.append(Joined((f"{epoch}/{number}", describe_leaf(leaf)), " "))
        return public

    def _signed(self, heads: list[TreeHead], public: bytes | None, *, own: bool) -> list[TreeHead]:
        good = []
        for head in heads:
            if public is not None and verify_head(head, public):
                good.append(head)
            else:
                self._say(
                    Message(
                        "UNSIGNED: the own head of size {size} (epoch {epoch}) is not signed by the box's key",
                        size=head.size,
                        epoch=head.epoch,
                    )
                    if own
                    else Message(
                        "UNSIGNED: the outside head of size {size} (epoch {epoch}) is not signed by the box's key",
                        size=head.size,
                        epoch=head.epoch,
                    )
                )
        return good

    def _against(self, epoch: int, hashes: list[bytes], own: list[TreeHead], outside: list[TreeHead]) -> None:
        """Compare every signed head with the log; tell an altered log from a cut and a forked one."""
        roots: dict[int, set[bytes]] = defaultdict(set)
        for head in own + outside:
            roots[head.size].add(from_words(head.root))
        for size, found in roots.items():
            if len(found) > 1:
                self._say(
                    Message(
                        "FORKED: the box signed {count} different logs of size {size} (epoch {epoch})",
                        count=len(found),
                        size=size,
                        epoch=epoch,
                    )
                )
        self._covered(epoch, len(hashes), max((head.size for head in own + outside), default=0))
        agreeing = [head.size for head in own if self._root(hashes, head.size) == from_words(head.root)]
        for head in sorted(own + outside, key=lambda each: each.size):
            root = self._root(hashes, head.size)
            if root is None:
                self._say(
                    Message(
                        "CUT: a head of size {size} was signed (epoch {epoch}), the log has {leaves} leaves",
                        size=head.size,
                        epoch=epoch,
                        leaves=len(hashes),
                    )
                )
            elif root != from_words(head.root) and len(roots[head.size]) == 1:
                # heads of the box that fit this log, signed later than the one that does not: it tells two histories
                if any(size >= head.size for size in agreeing):
                    self._say(
                        Message(
                            "FORKED: the log fits later heads of the box, but not the one of size {size} (epoch "
                            "{epoch})",
                            size=head.size,
                            epoch=epoch,
                        )
                    )
                else:
                    self._say(
                        Message(
                            "ALTERED: the first {size} leaves (epoch {epoch}) are not those that were signed",
                            size=head.size,
                            epoch=epoch,
                        )
                    )

    def _covered(self, epoch: int, leaves: int, signed: int) -> None:
        """A release is logged and signed in one transaction; what no head covers could be anything."""
        if leaves and not signed:
            self._say(
                Message(
                    "UNSIGNED: no head covers any of the {leaves} leaves of epoch {epoch}", leaves=leaves, epoch=epoch
                )
            )
            return
        for number, data in self._log.leaves.get(epoch, [])[signed:]:
            with contextlib.suppress(LogError):
                if isinstance(decode_leaf(data), ReleaseLeaf):
                    self._say(
                        Message(
                            "UNSIGNED: no head covers the release at leaf {number} of epoch {epoch}",
                            number=number,
                            epoch=epoch,
                        )
                    )

    def _root(self, hashes: list[bytes], size: int) -> bytes | None:
        return tree_root(hashes[:size]) if size <= len(hashes) else None

    def _proofs(self, hashes: list[bytes], heads: list[TreeHead]) -> None:
        heads = [head for head in heads if self._root(hashes, head.size) == from_words(head.root)]
        for old, new in itertools.pairwise(heads):
            proof = consistency_proof(hashes[: new.size], old.size)
            if not verify_consistency(old.size, new.size, from_words(old.root), from_words(new.root), proof):
                self._say(
                    Message(
                        "FORKED: the log of size {new} does not begin with that of size {old}",
                        new=new.size,
                        old=old.size,
                    )
                )
            self.consistencies += 1
        if not heads:
            return
        last = heads[-1]
        step = max(1, last.size // MAX_INCLUSIONS)
        for index in range(0, last.size, step):
            proof = inclusion_proof(hashes[: last.size], index)
            if not verify_inclusion(hashes[index], index, last.size, proof, from_words(last.root)):
                self._say(
                    Message("ALTERED: leaf {index} is not in the tree of size {size}", index=index, size=last.size)
                )
            self.inclusions += 1

    def _say(self, problem: Sentence) -> None:
        if problem not in self.verdict.problems:
            self.verdict.problems.append(problem)


def of_pool(window: str, pool: int) -> Sentence:
    """A window or a pair of them with the pool that it is of: not named where it is the first, which may be the only
    one."""
    return Joined((window,)) if pool == 1 else Message("{window} of pool {pool}", window=window, pool=pool)


def describe_leaf(leaf: object) -> Sentence:
    """One leaf in words."""
    if isinstance(leaf, ReleaseLeaf):
        return Message(
            "release {kind} {window} epsilon {epsilon}",
            kind=figure_words(leaf.kind.name),
            window=of_pool(window_label(leaf.period, leaf.index), leaf.pool),
            epsilon=_epsilon(leaf.epsilon_milli),
        )
    if isinstance(leaf, RefusalLeaf):
        first, last = window_label(leaf.period, leaf.first), window_label(leaf.period, leaf.last)
        return Message(
            "refused {kind} {windows}: {reason}",
            kind=figure_words(leaf.kind.name),
            windows=of_pool(f"{first} .. {last}", leaf.pool),
            reason=figure_words(leaf.reason.name.lower()),
        )
    if isinstance(leaf, PolicyLeaf):
        return _policy(leaf)
    if isinstance(leaf, NoticeLeaf):
        confirmed = Message("notice confirmed") if leaf.notice_confirmed else Message("notice not confirmed")
        return Joined(
            (confirmed, Message("opt-out offered") if leaf.opt_out_offered else Message("opt-out not offered")), ", "
        )
    if isinstance(leaf, BasisLeaf):
        return _basis(leaf)
    if isinstance(leaf, ConsentLeaf):
        return (
            Message("from now on those who do not agree are counted apart")
            if leaf.counted
            else Message("from now on those who do not agree are counted with those without a level")
        )
    if isinstance(leaf, ModelLeaf):
        return Message("model {name} sha256 {digest}", name=leaf.name, digest=leaf.sha256.hex()[:16])
    if isinstance(leaf, KeyLeaf):
        return Message("key {role} {public}", role=leaf.role, public=leaf.public.hex()[:16])
    if isinstance(leaf, EpochLeaf):
        return Message("epoch {epoch}, signing key {public}", epoch=leaf.epoch, public=leaf.signing_public.hex()[:16])
    return Message("the running counts could not be opened at this start")


def _policy(leaf: PolicyLeaf) -> Sentence:
    pools = " ".join(f"{pool} ({clerks})" for pool, clerks in leaf.pools)
    return Joined(
        (
            Message(
                "policy pulse {kind} {epsilon}",
                kind=figure_words(leaf.pulse_kind.name),
                epsilon=_epsilon(leaf.pulse_epsilon_milli),
            ),
            Message(
                "evidence {kind} {epsilon}",
                kind=figure_words(leaf.evidence_kind.name),
                epsilon=_epsilon(leaf.evidence_epsilon_milli),
            ),
            Message("budget {epsilon}", epsilon=_epsilon(leaf.budget_epsilon_milli)),
            Message("clerks {count}", count=leaf.clerks_per_box),
            *([Message("pooled")] if leaf.pooled else []),
            *([Message("pools {pools}", pools=pools)] if pools else []),
            Message("at rest {how}", how=leaf.at_rest),
        ),
        ", ",
    )


def _basis(leaf: BasisLeaf) -> Sentence:
    notice = leaf.notice.hex()[:16]
    if leaf.basis != "state_activity":
        return Message("legal basis {basis}, notice sha256 {notice}", basis=leaf.basis, notice=notice)
    return Message(
        "legal basis {basis} by decision {number} of {day}, last check {check}, notice sha256 {notice}",
        basis=leaf.basis,
        number=leaf.decision_number,
        day=leaf.decision_date,
        check=leaf.last_check,
        notice=notice,
    )


def _epsilon(milli: int) -> str:
    return f"{milli / 1000:g}"
