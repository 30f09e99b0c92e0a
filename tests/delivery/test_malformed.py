"""Messages that no box of ours would send: answered, counted, never stored, and forgotten."""

from __future__ import annotations

import random

import msgspec
import psutil
import pytest
from sqlalchemy import Engine

from pipeline import wire
from pipeline.framing import FRAME_BYTES, REPLY_BYTES, pad
from pipeline.keys import KeyPair
from server.boxes.ingest import Ingest, IngestSettings
from tests.delivery.conftest import (
    LOCAL,
    Place,
    RawClient,
    count_deliveries,
    enrol_directly,
    heartbeat,
    pulse_builder,
)


def _spoilt(rng: random.Random, good: list[bytes]) -> list[bytes]:
    """Frames that no box of ours would send."""
    kind = rng.randrange(6)
    if kind == 0:
        return [rng.randbytes(rng.randrange(FRAME_BYTES + 1))]
    if kind == 1:
        return [pad(rng.randbytes(rng.randrange(1, 600)))]
    if kind == 2:
        frame = bytearray(pad(rng.choice(good)))
        for _ in range(rng.randrange(1, 6)):
            frame[rng.randrange(200)] ^= 1 << rng.randrange(8)
        return [bytes(frame)]
    if kind == 3:
        message = rng.choice(good)
        return [pad(message[: rng.randrange(len(message))])]
    if kind == 4:
        values = msgspec.msgpack.decode(rng.choice(good))
        key = rng.choice(list(values))
        values[key] = rng.choice([None, -1, 2**63, "x" * 300, 1.5, [], {}, b"\x00", [[[]]] * 50, True])
        return [pad(msgspec.msgpack.encode(values))]
    return [rng.randbytes(rng.randrange(50)) for _ in range(rng.randrange(2, 6))]


@pytest.mark.slow
@pytest.mark.parametrize("count", [30_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_malformed_messages(store: Engine, place: Place, server_keys: KeyPair, count: int) -> None:
    """No crash, no growing memory (200 bytes a message at most), and what the schema does not allow is not stored."""
    box = enrol_directly(store, place, "fuzz")
    limits = IngestSettings(LOCAL.address, None, rate_per_s=1e9, burst=10**9)
    ingest = Ingest(store, server_keys, limits)
    ingest.start()
    client = RawClient(ingest.endpoint, server_keys.curve_public, box.keys)
    pulse, hello = pulse_builder(1)(1, 1, 7), wire.Hello(version=1, epoch=1, sequence=0, nonce=1)
    good = [wire.encode(message) for message in (pulse, heartbeat(1), hello)]
    rng = random.Random(20_261_122)
    answered = 0
    process = psutil.Process()
    rss: list[int] = []
    for number in range(count):
        client.send_frames(_spoilt(rng, good))
        while client.socket.poll(0):
            assert len(client.socket.recv()) == REPLY_BYTES
            answered += 1
        if number % (count // 10) == count // 10 - 1:
            rss.append(process.memory_info().rss)
    while client.socket.poll(3_000):
        client.socket.recv()
        answered += 1
    client.send(wire.encode(heartbeat(1)))
    assert client.reply() == wire.Ack(epoch=1, sequence=0)
    malformed = ingest.tallies.dropped["MALFORMED"]
    stored = count_deliveries(store)
    client.close()
    ingest.stop()
    growth_mib = (rss[-1] - rss[1]) / 2**20
    print(
        f"fuzz: {count} sent, {answered} answered, {malformed} malformed, {stored} stored, grew by {growth_mib:.1f} MiB"
    )
    assert answered == count
    assert malformed > 0.8 * count
    assert "internal_error" not in ingest.tallies.dropped
    assert growth_mib < 20 * count / 100_000
