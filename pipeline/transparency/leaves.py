"""What stands in a box's transparency log. Leaves come at the ends of periods, at starts and at changes of
configuration; none because of a visit.

A leaf is msgpack of one of these structs. Times are days or period indices.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import msgspec

from pipeline.errors import LogError
from pipeline.language import Message
from pipeline.release_kind import Release, ReleaseKind, decode_kind, encode_kind
from pipeline.wire import PeriodKind, encode


class Refused(IntEnum):
    """Why a period was not released."""

    NOT_OBSERVED = 1
    """The box did not run, or its clock was set past the period."""
    WAITED_TOO_LONG = 2
    """The clock was not trusted, or the server's anchor was missing, for so long that the period had to be given up."""
    BUDGET = 3
    """It would have cost more than the policy allows, or had been released before."""


class _Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="leaf"):
    pass


class EpochLeaf(_Leaf, frozen=True, tag="epoch"):
    """The first leaf of an epoch. `identity`: `pipeline.enrolment.epoch_identity`, empty where the box was enrolled
    before there were identities."""

    epoch: int
    day: int
    signing_public: bytes
    identity: bytes = b""


class PolicyLeaf(_Leaf, frozen=True, tag="policy", omit_defaults=True):
    """The privacy policy that holds from the next evidence period on (at the log's start: at once)."""

    day: int
    pulse_kind: PeriodKind
    pulse_epsilon_milli: int
    evidence_kind: PeriodKind
    evidence_epsilon_milli: int
    budget_epsilon_milli: int
    clerks_per_box: int
    pooled: bool
    at_rest: str
    digest: bytes
    pools: tuple[tuple[int, int], ...] = ()
    """(number, clerks) of every pool of a hall that is released; empty for a box that has one."""


class ReleaseLeaf(_Leaf, frozen=True, tag="release", omit_defaults=True):
    """One release: what it cost and the SHA-256 of its content (`release_digest`)."""

    kind: ReleaseKind = msgspec.field(name="evidence")
    period: PeriodKind
    index: int
    epsilon_milli: int
    digest: bytes
    pool: int = 1


class RefusalLeaf(_Leaf, frozen=True, tag="refusal", omit_defaults=True):
    """Periods `first` to `last` of one kind that are not released and never will be."""

    kind: ReleaseKind = msgspec.field(name="evidence")
    period: PeriodKind
    first: int
    last: int
    reason: Refused
    pool: int = 1


class NoticeLeaf(_Leaf, frozen=True, tag="notice"):
    """Configuration of notice and opt-out (never their uses)."""

    day: int
    notice_confirmed: bool
    opt_out_offered: bool


class BasisLeaf(_Leaf, frozen=True, tag="basis"):
    """The legal basis on which anybody is analysed, and the SHA-256 of the notice that says so. Under `state_activity`
    its decision and the last periodic check, whose days are written YYYY-MM-DD."""

    day: int
    basis: Literal["consent", "state_activity"]
    notice: bytes
    decision_number: str = ""
    decision_date: str = ""
    last_check: str = ""


class ConsentLeaf(_Leaf, frozen=True, tag="consent_count"):
    """Whether those who do not agree are counted in a table of their own, from the evidence period on that begins with
    this leaf; without one they are not. Written by boxes whose legal basis is consent."""

    day: int
    counted: bool


class ModelLeaf(_Leaf, frozen=True, tag="model"):
    """A model's weights in use."""

    day: int
    name: str
    sha256: bytes


class KeyLeaf(_Leaf, frozen=True, tag="key"):
    """A public key in use: the box's own for CURVE, or the server's."""

    day: int
    role: str
    public: bytes


class CountsLostLeaf(_Leaf, frozen=True, tag="counts_lost"):
    """At this start the running month could not be opened again: the machine was restarted, or the sealed file was
    damaged or of another epoch."""

    day: int


StateLeaf = NoticeLeaf | BasisLeaf | ModelLeaf | KeyLeaf
Leaf = EpochLeaf | PolicyLeaf | ReleaseLeaf | RefusalLeaf | StateLeaf | ConsentLeaf | CountsLostLeaf

encode_leaf = msgspec.msgpack.Encoder(enc_hook=encode_kind).encode
_decoder = msgspec.msgpack.Decoder(Leaf, dec_hook=decode_kind)


def decode_leaf(data: bytes) -> Leaf:
    """Decode a leaf; raises `LogError`."""
    try:
        leaf: Leaf = _decoder.decode(data)
        return leaf
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        raise LogError(
            Message("A leaf of the log is none that this version writes."),
            Message("Use the version that wrote it, or treat the log as altered."),
        ) from None


def state_key(leaf: StateLeaf) -> str:
    """What the leaf is the state of: a later leaf of the same key replaces it."""
    if isinstance(leaf, ModelLeaf):
        return f"model:{leaf.name}"
    if isinstance(leaf, KeyLeaf):
        return f"key:{leaf.role}"
    return "basis" if isinstance(leaf, BasisLeaf) else "notice"


def release_digest(message: Release) -> bytes:
    """SHA-256 of a release without its sequence number, which the outbox gives."""
    import hashlib

    return hashlib.sha256(encode(msgspec.structs.replace(message, sequence=0))).digest()
