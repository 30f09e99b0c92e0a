"""The contract: the closed schema is pinned, and what does not fit it is shown."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from hailong.cli import main
from pipeline import wire
from pipeline.audit.schema import audit_schema, describe, evidence_bits, guess_among_levels
from pipeline.audit.wire_records import audit_wire
from pipeline.errors import WireError
from pipeline.framing import FRAME_BYTES, REPLY_BYTES, pad
from pipeline.privacy.mechanism import DiscreteLaplace

PINNED = {version: Path(__file__).with_name(f"wire_schema_{version}.txt") for version in (1, 2, 3, 4)}
PULSE = wire.Pulse(1, 1, 5, 7, wire.PeriodKind.DAY, 2_500, 500, (1, -2, 3, 4))
EVIDENCE = wire.Evidence(1, 1, 6, 2**64 - 1, wire.PeriodKind.MONTH, 82, 1_500, tuple(range(18)))
HEAD = wire.TreeHead(1, 1, 7, 9, 34, (2**64 - 1, 0, 1, 2), (1, 2, 3, 4, 5, 6, 7, 2**64 - 1))
HELLO = wire.Hello(1, 1, 0, 3)
BEAT = wire.Heartbeat(1, 1, 0, 4, wire.BoxState.OK, (0, 1, 0), 0)
ROW = wire.RatingRow(0, 0, (0,) * wire.ANSWER_SLOTS, 0, 0)
RATINGS = wire.Ratings(1, 1, 8, 5, 2_500, (ROW,) * wire.RATING_ROWS)
OF_A_POOL = wire.Evidence(2, 1, 9, 2**64 - 1, wire.PeriodKind.MONTH, 82, 1_500, tuple(range(18)), 64)
RATINGS_OF_A_POOL = wire.Ratings(2, 1, 10, 5, 2_500, (ROW,) * wire.RATING_ROWS, 2)
STANDING = wire.Standing(
    3, 1, 0, 2**64 - 1, wire.UpdateState.NO_ROOM, 2**32 - 1, 2**32 - 1, (2**31 - 1,) * 4, wire.Machine.AARCH64, 99
)
WANT = wire.Want(3, 1, 0, 6, 2**32 - 1, 16_383)
APART = wire.NotAgreed(4, 1, 11, 2**64 - 1, wire.PeriodKind.MONTH, 82, 1_500, (1, -2, 3), 64)
READS = wire.Reads(4, 1, 0, 7)
ALL = [APART, READS, PULSE, EVIDENCE, HEAD, HELLO, BEAT, RATINGS, OF_A_POOL, RATINGS_OF_A_POOL, STANDING, WANT]


def test_the_schema_is_pinned() -> None:
    """A change of what may leave a box needs a new SCHEMA_VERSION, an ADR, and a new file beside this one."""
    fields, problems = describe()
    text = "".join(
        f"{each.message}.{each.name} {each.kind} {each.count} x {each.low}..{each.high}\n" for each in fields
    )
    assert problems == []
    assert text == PINNED[4].read_text(encoding="ascii")
    assert wire.SCHEMA_VERSION == 4
    assert {kind: int(kind) for kind in wire.PeriodKind} == {
        wire.PeriodKind.HOUR: 1, wire.PeriodKind.FOUR_HOURS: 2, wire.PeriodKind.DAY: 3, wire.PeriodKind.MONTH: 4,
        wire.PeriodKind.DEMO_PULSE: 101, wire.PeriodKind.DEMO_EVIDENCE: 102,
    }  # fmt: skip


def test_version_one_is_written_as_it_was() -> None:
    """Version 2 has the pool and nothing else more; a message of pool 1 is version 1's, byte by byte."""
    one, two, three, four = (path.read_text(encoding="ascii").splitlines() for path in PINNED.values())
    assert [line for line in four if not line.startswith(("NotAgreed.", "Reads."))] == three
    assert [line for line in three if not line.startswith(("Standing.", "Want."))] == two
    assert [line.replace("constant 1 x 1..2", "constant 1 x 1..1") for line in two if ".pool " not in line] == one
    assert [line for line in two if ".pool " in line] == [
        f"{name}.pool integer 1 x 1..64" for name in ("Pulse", "Evidence", "Ratings")
    ]
    fields = {"kind": "pulse", "version": 1, "epoch": 1, "sequence": 5, "nonce": 7, "period": 3, "index": 2_500}
    before = msgspec.msgpack.encode(fields | {"epsilon_milli": 500, "counts": (1, -2, 3, 4)})
    assert wire.encode(PULSE) == before
    assert wire.decode(before) == PULSE
    assert PULSE.pool == 1


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_every_message_travels_and_fits_its_frame(message: wire.Message) -> None:
    data = wire.encode(message)
    assert wire.decode(data) == message
    assert len(pad(data)) == FRAME_BYTES


def test_the_largest_messages_fit_their_frames() -> None:
    big = 2**31 - 1
    row = wire.RatingRow(65_535, 255, (7,) * wire.ANSWER_SLOTS, 65_535, 15)
    assert pad(wire.encode(wire.Ratings(2, big, big, 2**64 - 1, big, (row,) * wire.RATING_ROWS, wire.MAX_POOLS)))
    anchor = wire.Anchor(big, big, (2**64 - 1,) * 4)
    offer = wire.Offer(2**32 - 1, (big,) * 4, 2**64 - 1)
    for reply in (anchor, offer, wire.Reading(big)):
        assert wire.decode_reply(wire.encode(reply)) == reply
        assert len(pad(wire.encode(reply), REPLY_BYTES)) == REPLY_BYTES
    piece = wire.Piece(2**32 - 1, 16_383, bytes(wire.PIECE_BYTES))
    assert wire.decode_reply(wire.encode(piece)) == piece
    assert len(wire.encode(piece)) < 270_000, "the largest answer that a box reads"


@pytest.mark.parametrize("change", [{"version": 2}, {"sequence": 1}, {"machine": 7}, {"python_minor": 100}], ids=str)
def test_a_question_about_updates_has_its_own_version_and_no_number(change: dict[str, object]) -> None:
    with pytest.raises(WireError):
        wire.decode(msgspec.msgpack.encode({**_fields(STANDING), **change}))


@pytest.mark.parametrize(
    "change", [{"version": 1}, {"version": 2}, {"version": 3}, {"counts": [1, 2]}, {"counts": [1] * 18}, {"pool": None}]
)
def test_those_who_did_not_agree_have_their_own_version_and_name_their_pool(change: dict[str, object]) -> None:
    fields = {**_fields(APART), **change}
    with pytest.raises(WireError):
        wire.decode(msgspec.msgpack.encode({name: value for name, value in fields.items() if value is not None}))


def _fields(message: wire.Message) -> dict[str, Any]:
    built = msgspec.to_builtins(message)
    assert isinstance(built, dict)
    return built


@pytest.mark.parametrize(
    "change",
    [
        {"text": "xin chào"},
        {"counts": [1, 2, 3]},
        {"counts": [1, 2, 3, 4.5]},
        {"counts": [1, 2, 3, "4"]},
        {"counts": [1, 2, 3, 2_000_000]},
        {"counts": b"1234"},
        {"epsilon_milli": 0},
        {"epsilon_milli": 1.5},
        {"index": -1},
        {"index": 2**31},
        {"nonce": -1},
        {"period": 9},
        {"version": 2},
        {"kind": "picture"},
        {"sequence": None},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(change: dict[str, object]) -> None:
    data = msgspec.msgpack.encode({**_fields(PULSE), **change})
    with pytest.raises(WireError) as caught:
        wire.decode(data)
    assert "xin" not in str(caught.value)


def test_random_bytes_are_refused_without_a_crash() -> None:
    rng = random.Random(3)
    whole = [wire.encode(message) for message in ALL]
    refused = 0
    for _ in range(3_000):
        data = bytearray(rng.choice(whole))
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            wire.decode(bytes(data))
        except WireError:
            refused += 1
    assert refused > 1_000


class _Leaky(msgspec.Struct, frozen=True, tag_field="kind", tag="leaky"):
    note: str
    blob: bytes
    score: float
    free: int
    rows: tuple[Annotated[int, msgspec.Meta(ge=0, le=3)], ...]
    perhaps: Annotated[int, msgspec.Meta(ge=0, le=3)] | None
    anything: Any
    later: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0


def test_an_open_schema_is_seen() -> None:
    _, problems = describe(_Leaky)
    assert len(problems) == 9
    for word in (
        "unknown fields",
        "note",
        "blob",
        "score",
        "free",
        "rows",
        "perhaps",
        "anything",
        "later may be left out",
    ):
        assert any(word in problem for problem in problems), word


def test_bits_about_one_visit() -> None:
    bits = evidence_bits(2.0)
    assert bits["odds_factor"] == pytest.approx(7.389, abs=1e-3)
    assert bits["pointwise_bits"] == pytest.approx(2.885, abs=1e-3)
    assert bits["yes_no_bits"] < bits["mean_bits"] < bits["pointwise_bits"]
    assert audit_schema(0.5, 1.5).holds


def test_the_best_guess_of_a_level_is_as_good_as_said() -> None:
    """Simulated with the real noise: somebody who knows everything but one visit's level."""
    mechanism = DiscreteLaplace(1_500)
    rng = random.Random(1)
    hits, runs = 0.0, 10_000
    drawn = mechanism.release([1, 0, 0, 0, 0, 0] * runs)
    for run in range(runs):
        noisy = drawn[6 * run : 6 * run + 6]
        best = [cell for cell in range(6) if noisy[cell] >= 1] or list(range(6))
        hits += rng.choice(best) == 0
    assert guess_among_levels(1.5) == pytest.approx(0.535, abs=1e-3)
    assert hits / runs == pytest.approx(guess_among_levels(1.5), abs=0.03)


# -- audit wire


def _record(folder: Path, *frames: bytes) -> Path:
    path = folder / "sent.frames"
    path.write_bytes(b"".join(frames))
    return path


def test_a_good_record_holds(tmp_path: Path) -> None:
    frames = [pad(wire.encode(message)) for message in [*ALL, PULSE]]
    verdict = audit_wire([_record(tmp_path, *frames)])
    assert verdict.problems == []
    assert verdict.facts["sent_again"] == 1
    assert verdict.facts["by_kind"]["Pulse"] == 2


ROW = wire.RatingRow(201, 0, (4,) + (0,) * 31, 0, 0)
HOURS = wire.Ratings(version=1, epoch=1, sequence=97, nonce=1, day=60_000, rows=(ROW,) * wire.RATING_ROWS)
DEMO = msgspec.structs.replace(PULSE, period=wire.PeriodKind.DEMO_PULSE)


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (pad(b"\x89PNG\r\n\x1a\n and a face"), "does not fit the closed schema"),
        (pad(msgspec.msgpack.encode({**_fields(PULSE), "note": "anh ấy cau mày"})), "does not fit the closed schema"),
        (wire.encode(PULSE), "another size"),
        (pad(wire.encode(PULSE))[:-3] + b"abc", "not padded"),
        (pad(wire.encode(PULSE)[:-1] + b"\xd2\x00\x00\x00\x04"), "hidden in the encoding"),
        (pad(wire.encode(msgspec.structs.replace(PULSE, nonce=8))), "another content than before"),
        (pad(wire.encode(msgspec.structs.replace(PULSE, sequence=99))), "a second noise"),
        (pad(wire.encode(msgspec.structs.replace(PULSE, sequence=0))), "no sequence number"),
        (pad(wire.encode(DEMO)), "demo's period"),
        (pad(wire.encode(msgspec.structs.replace(PULSE, index=3_600_000, sequence=98))), "finer time"),
        (pad(wire.encode(HOURS)), "finer time"),
    ],
    ids=["picture", "text", "bare", "padding", "encoding", "conflict", "second", "zero", "demo", "minutes", "hours"],
)
def test_whatever_does_not_fit_is_shown(tmp_path: Path, frame: bytes, problem: str) -> None:
    verdict = audit_wire([_record(tmp_path, pad(wire.encode(PULSE)), frame)])
    assert [shown for shown in verdict.problems if problem in shown]
    assert main(["audit", "wire", str(tmp_path / "sent.frames"), "--json"]) == 1


def test_an_empty_record_proves_nothing(tmp_path: Path) -> None:
    assert not audit_wire([_record(tmp_path)]).holds


def test_commands_hold(tmp_path: Path) -> None:
    assert main(["audit", "schema"]) == 0
    assert main(["audit", "wire", str(_record(tmp_path, pad(wire.encode(DEMO)))), "--demo"]) == 0
