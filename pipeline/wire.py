"""The closed schema of everything that leaves a box.

Integers and enumerations on public grids; no text, bytes or floats; no time finer than the period (a day for ratings);
no persistent identifier of a person. Who sent a message is not in it: the server binds the CURVE key of the connection
to the box. Changing anything here needs a new `SCHEMA_VERSION` and an ADR; `tests/privacy/test_wire.py` pins it.

Version 2 names the pool of a hall's counters in releases and ratings (ADR 0210). A message of pool 1, and every message
that has no pool, is written as version 1, which has no such field: what a box of one pool sends is what it always was.

Version 3 is the two questions about updates of the software (ADR 0164), which have that version alone. Nothing in them
is moved by visits: a box asks in its quiet hours, and what it asks for is public.

Version 4 is the count of those who did not agree (ADR 0221), and the question whether the server reads it. Both have
that version alone, and only boxes send them whose legal basis is consent.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline import language

SCHEMA_VERSION = 4
EPOCH_DAY = "2020-01-01"
"""Day 0 of every day, hour and month index (UTC+7 calendar, Indochina time)."""
ANSWER_SLOTS = 32
RATING_ROWS = 16
"""Rows of a rating batch, always: unused ones are padding."""
MAX_POOLS = 64

Uint = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Uint64 = Annotated[int, Meta(ge=0)]
"""The upper bound 2^64 - 1 is msgpack's own: its integers hold no more (msgspec cannot state it)."""
Cell = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
EpsilonMilli = Annotated[int, Meta(ge=1, le=20_000)]
Pool = Annotated[int, Meta(ge=1, le=MAX_POOLS)]
"""Number of a pool of counters within its box; the server knows which agency it is."""
Answer = Annotated[int, Meta(ge=0, le=7)]
"""0 not answered, 1..5 the scale, 6 yes, 7 no."""


class PeriodKind(IntEnum):
    """Length of a period; `index` counts periods of that kind from day 0. Demo kinds are refused outside a demo."""

    HOUR = 1
    FOUR_HOURS = 2
    DAY = 3
    MONTH = 4
    DEMO_PULSE = 101
    DEMO_EVIDENCE = 102


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """Common to all messages: the box's epoch (a replaced or restored box gets a new one) and its gapless sequence."""

    version: Literal[1, 2]
    """2 where the message names a pool other than 1, and nowhere else (`version_of`)."""
    epoch: Uint
    sequence: Uint
    nonce: Uint64
    """Random; drawn once, so that a resend is identical."""

    def __post_init__(self) -> None:
        if self.version != version_of(getattr(self, "pool", 1)):
            raise ValueError("version 2 is for messages that name a pool above 1")


def version_of(pool: int) -> Literal[1, 2]:
    """The version in which a message of this pool is written."""
    return 2 if pool > 1 else 1


class Pulse(_Message, frozen=True, tag="pulse", omit_defaults=True):
    """Noisy counts of low (0-1), middle (2), high (3-4) and abstained visits of one window of one box's pool."""

    period: PeriodKind
    index: Uint
    epsilon_milli: EpsilonMilli
    counts: tuple[Cell, Cell, Cell, Cell]
    pool: Pool = 1


class Evidence(_Message, frozen=True, tag="evidence", omit_defaults=True):
    """Noisy table of one box's pool and month, row-major [6 levels (5 = abstained)] x [not rated, not satisfied,
    satisfied]."""

    period: PeriodKind
    index: Uint
    epsilon_milli: EpsilonMilli
    counts: Annotated[tuple[Cell, ...], Meta(min_length=18, max_length=18)]
    pool: Pool = 1


class NotAgreed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="not_agreed"):
    """Noisy counts of the visits of one box's pool and month whose citizen did not agree to be analysed: not rated, not
    satisfied, satisfied. A visit is here or in the `Evidence` of the same period, never in both."""

    version: Literal[4]
    epoch: Uint
    sequence: Uint
    nonce: Uint64
    period: PeriodKind
    index: Uint
    epsilon_milli: EpsilonMilli
    counts: tuple[Cell, Cell, Cell]
    pool: Pool
    """Always written out: no message has two spellings."""


class RatingRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """One voluntary answer sheet of the tablet, or padding (`instrument` 0)."""

    instrument: Annotated[int, Meta(ge=0, le=65_535)]
    """Wire code of an instrument and its version."""
    service_group: Annotated[int, Meta(ge=0, le=255)]
    answers: Annotated[tuple[Answer, ...], Meta(min_length=ANSWER_SLOTS, max_length=ANSWER_SLOTS)]
    """Slot 0 is the overall rating; the others are the instrument's criteria and facts in order."""
    reasons: Annotated[int, Meta(ge=0, le=65_535)]
    """Bit mask of reason codes, asked at an overall rating of 3 or below."""
    flag: Annotated[int, Meta(ge=0, le=15)]
    """Suspicion raised where the answer arrived (`pipeline.instruments.RatingFlag`); 0 none."""


class Ratings(_Message, frozen=True, tag="ratings", omit_defaults=True):
    """A padded, shuffled batch of one day's tablet ratings at the counters of one pool."""

    day: Uint
    rows: Annotated[tuple[RatingRow, ...], Meta(min_length=RATING_ROWS, max_length=RATING_ROWS)]
    pool: Pool = 1


class BoxState(IntEnum):
    """State of a box as its heartbeat tells it; nothing here is moved by visits."""

    OK = 0
    ANALYSIS_OFF = 1
    CAMERA_LOST = 2
    MICROPHONE_LOST = 3
    CLOCK_UNTRUSTED = 4
    DISK_FULL = 5
    BUDGET_REFUSED = 6
    STARTING = 7


class Heartbeat(_Message, frozen=True, tag="heartbeat"):
    """Sent at a fixed interval (not stored in the outbox; sequence 0)."""

    state: BoxState
    software: tuple[Uint, Uint, Uint]
    provider: Annotated[int, Meta(ge=0, le=15)]
    """0 CPU, 1 GPU; the provider really in use."""


class TreeHead(_Message, frozen=True, tag="tree_head"):
    """Signed head of the box's transparency log, as integers: root 4 x 64 bits, Ed25519 signature 8 x 64 bits."""

    size: Uint
    root: tuple[Uint64, Uint64, Uint64, Uint64]
    signature: tuple[Uint64, Uint64, Uint64, Uint64, Uint64, Uint64, Uint64, Uint64]


class Hello(_Message, frozen=True, tag="hello"):
    """Sent after every connection, before anything else (not stored in the outbox; sequence 0): asks for the
    `Anchor`."""


class UpdateState(IntEnum):
    """How a box stands with the release that its `Standing` is about."""

    STEADY = 0
    """There is none: it is at work with what it has."""
    FETCHING = 1
    TAKING = 2
    """It begins to take its place; what comes next is one of the following."""
    TAKEN = 3
    RETURNED = 4
    """It took its place, and the box went back to the release before."""
    REFUSED = 5
    """It did not accept this box; nothing was changed."""
    NO_ROOM = 6


class Machine(IntEnum):
    """What a box's processor is called."""

    X86_64 = 0
    AARCH64 = 1


ReleaseId = Annotated[int, Meta(ge=0, le=2**32 - 1)]
"""The first 32 bits of a release's digest, as its folder is named by; 0 none."""
Version = tuple[Uint, Uint, Uint, Uint]


class _Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """Common to the questions about updates; not stored in the outbox."""

    version: Literal[3]
    epoch: Uint
    sequence: Literal[0]
    nonce: Uint64


class Standing(_Question, frozen=True, tag="standing"):
    """Which release a box has, how it stands with another (`about`), and for what machine it asks; the answer is an
    `Offer`."""

    state: UpdateState
    about: ReleaseId
    running: ReleaseId
    software: Version
    machine: Machine
    python_minor: Annotated[int, Meta(ge=0, le=99)]
    """13 for Python 3.13."""


class Want(_Question, frozen=True, tag="want"):
    """Asks for one piece of an offered release's bundle; the answer is a `Piece`, or none where the server has enough
    to do: the box asks again later."""

    release: ReleaseId
    piece: Annotated[int, Meta(ge=0, le=16_383)]


class Reads(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="reads"):
    """Asks what the server reads; the answer is a `Reading`, or MALFORMED of a server from before there was version 4.
    Not stored in the outbox."""

    version: Literal[4]
    epoch: Uint
    sequence: Literal[0]
    nonce: Uint64


Message = Pulse | Evidence | NotAgreed | Ratings | Heartbeat | TreeHead | Hello | Standing | Want | Reads


class RefusalReason(IntEnum):
    """Why the server did not take a message; told to the box, counted on both sides."""

    MALFORMED = 1
    UNKNOWN_BOX = 2
    CONFLICT = 3
    """Same (box, epoch, sequence) with another content."""
    EPOCH_RETIRED = 4
    DEMO_ONLY = 5
    RATE_LIMITED = 6
    STORE_UNAVAILABLE = 7
    UNKNOWN_POOL = 8
    """Nobody has said which agency that pool of the box is; told to a box of version 2 alone."""


class Ack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="ack"):
    """From the server, only after its commit."""

    epoch: Uint
    sequence: Uint


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="refusal"):
    """From the server: not stored. The box keeps the message unless the reason is final (MALFORMED, CONFLICT,
    EPOCH_RETIRED, DEMO_ONLY)."""

    epoch: Uint
    sequence: Uint
    reason: RefusalReason


class SignedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="signed_file"):
    """From the server to a box: a public file (an instrument) with the server's Ed25519 signature over its bytes."""

    name: Annotated[str, Meta(max_length=80, pattern=r"^[a-z0-9_.-]+$")]
    content: Annotated[bytes, Meta(max_length=262_144)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="anchor"):
    """From the server, in answer to `Hello`: the last tree head that it has committed of this box, in the box's
    highest epoch; zeros if there is none.

    A box whose log is shorter was restored from an old copy: it must not draw noise again for what it has released,
    and begins a new epoch."""

    epoch: Uint
    size: Uint
    root: tuple[Uint64, Uint64, Uint64, Uint64]


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="offer"):
    """From the server, in answer to a `Standing`: the release that this box may take now; zeros if there is none.

    A hint, no more: what a box takes is decided by the bundle's own signed manifest."""

    release: ReleaseId
    software: Version
    size: Uint64
    """Of its bundle, in bytes."""


PIECE_BYTES = 262_144


class Piece(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="piece"):
    """From the server, in answer to a `Want`: `PIECE_BYTES` of the bundle, of its last piece the rest. Public, and as
    trustworthy as its sender: the bundle has a signature of its own."""

    release: ReleaseId
    piece: Annotated[int, Meta(ge=0, le=16_383)]
    content: Annotated[bytes, Meta(max_length=262_144)]


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="reading"):
    """From the server, in answer to `Reads`: the newest version of the schema whose messages it takes."""

    version: Uint


NOT_AGREED_VERSION = 4
"""From this `Reading` on a box may count those who did not agree in a table of their own."""

Reply = Ack | Refusal | SignedFile | Anchor | Offer | Piece | Reading

MAX_MESSAGE_BYTES = 4_096
"""Larger ones are refused before they are looked at. On the socket every message is one frame of this size
(`pipeline.framing`)."""

encode = msgspec.msgpack.Encoder().encode
_message_decoder = msgspec.msgpack.Decoder(Message)
_reply_decoder = msgspec.msgpack.Decoder(Reply)


def decode(data: bytes) -> Message:
    """Decode a box's message.

    Raises `WireError` for whatever does not fit the schema; the error holds no part of the message."""
    from pipeline.errors import WireError

    if len(data) > MAX_MESSAGE_BYTES:
        raise WireError(language.Message("A message is larger than the schema allows."))
    try:
        message: Message = _message_decoder.decode(data)
        return message
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        raise WireError(language.Message("A message does not fit the closed schema.")) from None


def decode_reply(data: bytes) -> Reply:
    """Decode a server's reply; raises `WireError`."""
    from pipeline.errors import WireError

    try:
        reply: Reply = _reply_decoder.decode(data)
        return reply
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        raise WireError(language.Message("A reply does not fit the closed schema.")) from None
