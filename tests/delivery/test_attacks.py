"""Wrong keys, wrong messages, floods: refused, counted, and nobody else notices."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
import zmq
from sqlalchemy import Engine

from edge.delivery.outbox import Outbox
from pipeline import wire
from pipeline.enrolment import Enrol, Enrolled, NotEnrolled, decode_answer, encode, parse_code
from pipeline.errors import WireError
from pipeline.framing import FRAME_BYTES, REPLY_BYTES, pad, unpad
from pipeline.keys import KeyPair, new_keys
from pipeline.transparency.heads import make_head
from server.boxes import registry as boxes
from server.boxes.enrolment import REQUESTS_PER_ADDRESS
from server.boxes.ingest import Ingest, IngestSettings
from server.boxes.registry import BoxRegistry
from server.boxes.zap import Admission
from server.core.changes import verify_changes
from server.store.engine import read
from tests.delivery.conftest import (
    LOCAL,
    EnrolBox,
    Place,
    RawClient,
    count_deliveries,
    enrol_directly,
    heartbeat,
    make_sender,
    pulse_builder,
    stored_pulses,
    wait_for,
)

Connect = Callable[[KeyPair], RawClient]


def _pulse(sequence: int, index: int = 1) -> bytes:
    return wire.encode(pulse_builder(index)(1, sequence, 7))


# -- keys ------------------------------------------------------------


def test_an_unknown_key_is_not_let_in(ingest: Ingest, store: Engine, raw_client: Connect) -> None:
    stranger = raw_client(new_keys("box"))
    stranger.send(_pulse(1))
    assert stranger.reply(1.0) is None
    assert sum(ingest.turned_away().values()) >= 1
    assert count_deliveries(store) == 0


def test_a_server_with_another_key_hears_nothing(
    ingest: Ingest, store: Engine, enrol_box: EnrolBox, outbox: Outbox
) -> None:
    """The box does not talk to whoever took the server's address."""
    box = enrol_box()
    outbox.put("pulse:1", pulse_builder(1))
    sender = make_sender(ingest.endpoint, new_keys("server").curve_public, box, outbox)
    sender.start()
    time.sleep(1.5)
    sender.stop()
    assert outbox.totals()["waiting"] == 1
    assert not sender.is_heard
    assert count_deliveries(store) == 0


def test_without_curve_nobody_is_heard(ingest: Ingest, store: Engine) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(ingest.endpoint)
    socket.send(pad(_pulse(1)))
    assert socket.poll(1_000) == 0
    socket.close()
    context.term()
    assert count_deliveries(store) == 0


def test_a_revoked_box_is_refused_on_its_open_connection_and_on_a_new_one(
    ingest: Ingest, store: Engine, place: Place, enrol_box: EnrolBox, raw_client: Connect
) -> None:
    box = enrol_box()
    client = raw_client(box.keys)
    client.send(_pulse(1))
    assert client.reply() == wire.Ack(epoch=1, sequence=1)
    boxes.revoke(store, place.province_id, box.box_id)
    client.send(_pulse(2))
    answer = client.reply()
    assert isinstance(answer, wire.Refusal)
    assert answer.reason is wire.RefusalReason.UNKNOWN_BOX
    assert count_deliveries(store) == 1
    assert wait_for(lambda: ingest.registry.lookup(box.keys.curve_public_z85) is None, 5.0)
    again = raw_client(box.keys)
    again.send(_pulse(2))
    assert again.reply(1.0) is None


def _ask_door(ingest: Ingest, server_keys: KeyPair, keys: KeyPair, request: bytes) -> Enrolled | NotEnrolled | None:
    client = RawClient(ingest.enrol_endpoint, server_keys.curve_public, keys)
    try:
        client.send_frames([request])
        if not client.socket.poll(3_000):
            return None
        return decode_answer(unpad(client.socket.recv(), REPLY_BYTES))
    finally:
        client.close()


def _request(code: str, keys: KeyPair, epoch: int = 0) -> bytes:
    return pad(encode(Enrol(1, parse_code(code), epoch, keys.signing_public)), REPLY_BYTES)


def test_a_code_works_once_and_for_one_key(
    ingest: Ingest, store: Engine, place: Place, server_keys: KeyPair, raw_client: Connect
) -> None:
    box_id = boxes.new_box(store, place.province_id, place.agency_id, "quầy 9")
    code = boxes.issue_code(store, place.province_id, box_id, time.time())
    keys, thief = new_keys("box"), new_keys("box")
    expected = Enrolled(1, server_keys.signing_public)
    assert _ask_door(ingest, server_keys, keys, _request(code, keys)) == expected
    assert _ask_door(ingest, server_keys, keys, _request(code, keys)) == expected  # the first answer may have been lost
    assert _ask_door(ingest, server_keys, thief, _request(code, thief)) == NotEnrolled()
    client = raw_client(keys)
    client.send(_pulse(1))
    assert client.reply() == wire.Ack(epoch=1, sequence=1)
    with read(store) as connection:
        assert (
            verify_changes(connection, place.province_id)[0] == 4
        )  # made, code issued, enrolled; its release of 2020 held back


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame[:-1],
        lambda frame: b"\xff" * REPLY_BYTES,
        lambda frame: pad(b"", REPLY_BYTES),
        lambda frame: frame[:5] + bytes([frame[5] ^ 0xFF]) + frame[6:],
    ],
)
def test_a_spoilt_request_is_not_enrolled(
    spoil: Callable[[bytes], bytes], ingest: Ingest, store: Engine, place: Place, server_keys: KeyPair
) -> None:
    box_id = boxes.new_box(store, place.province_id, place.agency_id, "quầy 9")
    code = boxes.issue_code(store, place.province_id, box_id, time.time())
    keys = new_keys("box")
    assert _ask_door(ingest, server_keys, keys, spoil(_request(code, keys))) == NotEnrolled()
    assert _ask_door(ingest, server_keys, keys, _request(code, keys)) == Enrolled(1, server_keys.signing_public)


def test_an_old_code_is_not_valid(store: Engine, place: Place) -> None:
    box_id = boxes.new_box(store, place.province_id, place.agency_id, "quầy 9")
    code = parse_code(boxes.issue_code(store, place.province_id, box_id, now_s=1_000))
    keys = new_keys("box")
    late_s = 1_000 + boxes.CODE_LIFE_S + 1
    request = Enrol(1, code, 0, keys.signing_public)
    assert boxes.enrol(store, request, keys.curve_public_z85, late_s) is None
    found = boxes.enrol(store, request, keys.curve_public_z85, late_s - 2)
    assert found is not None


def test_rotation_lets_the_old_key_in_until_the_new_one_is_used(
    ingest: Ingest, store: Engine, place: Place, server_keys: KeyPair, enrol_box: EnrolBox, raw_client: Connect
) -> None:
    box = enrol_box()
    old = raw_client(box.keys)
    old.send(_pulse(1))
    assert old.reply() == wire.Ack(epoch=1, sequence=1)
    code = boxes.issue_code(store, place.province_id, box.box_id, time.time())
    fresh = replace(  # the signing key stays: it is in the first leaf of the log
        new_keys("box"), signing_public=box.keys.signing_public, signing_secret=box.keys.signing_secret
    )
    assert _ask_door(ingest, server_keys, fresh, _request(code, fresh, epoch=1)) == Enrolled(
        1, server_keys.signing_public
    )
    old.send(_pulse(2))
    assert old.reply() == wire.Ack(epoch=1, sequence=2)
    new = raw_client(fresh)
    new.send(_pulse(3))
    assert new.reply() == wire.Ack(epoch=1, sequence=3)
    old.send(_pulse(4))
    answer = old.reply()
    assert isinstance(answer, wire.Refusal)
    assert answer.reason is wire.RefusalReason.UNKNOWN_BOX
    assert count_deliveries(store) == 3


def _enrol_disk(
    ingest: Ingest, server_keys: KeyPair, store: Engine, place: Place, keys: KeyPair, label: str, floor: int
) -> tuple[int, Enrolled]:
    box_id = boxes.new_box(store, place.province_id, place.agency_id, label)
    code = boxes.issue_code(store, place.province_id, box_id, time.time())
    request = pad(encode(Enrol(2, parse_code(code), 0, keys.signing_public, floor)), REPLY_BYTES)
    answer = _ask_door(ingest, server_keys, keys, request)
    assert isinstance(answer, Enrolled)
    return box_id, answer


def test_an_old_disk_under_another_row_has_another_epoch_and_meets_the_heads_of_its_log(
    ingest: Ingest, store: Engine, place: Place, server_keys: KeyPair, raw_client: Connect
) -> None:
    """Before, another row began with epoch 1 again and knew no head: the disk released its periods a second time."""
    disk = new_keys("box")
    first_box, first = _enrol_disk(ingest, server_keys, store, place, disk, "quầy 1", 0)
    client = raw_client(disk)
    head = make_head(1, 9, bytes(range(32)), disk.sign)
    assert client.ask(msgspec.structs.replace(head, sequence=1)) == wire.Ack(epoch=1, sequence=1)
    boxes.revoke(store, place.province_id, first_box)
    copy = replace(
        new_keys("box"), signing_public=disk.signing_public, signing_secret=disk.signing_secret
    )  # with a new CURVE key, as the old one is bound to the other row
    second_box, second = _enrol_disk(ingest, server_keys, store, place, copy, "quầy 2", 1)
    assert (first.epoch, second.epoch) == (1, 2)
    assert first.nonce != second.nonce
    assert (first.box, second.box) == (first_box, second_box)
    again = raw_client(copy)
    anchor = again.ask(wire.Hello(version=1, epoch=2, sequence=0, nonce=1))
    assert anchor == wire.Anchor(epoch=1, size=9, root=head.root)


def test_a_row_s_epoch_goes_on_only_for_its_own_log(store: Engine, place: Place) -> None:
    box_id = boxes.new_box(store, place.province_id, place.agency_id, "quầy 9")
    own, stranger = new_keys("box"), new_keys("box")
    epochs = []
    for keys, known in ((own, 0), (own, 1), (stranger, 1), (own, 2)):
        code = parse_code(boxes.issue_code(store, place.province_id, box_id, time.time()))
        found = boxes.enrol(store, Enrol(2, code, known, keys.signing_public), keys.curve_public_z85, time.time())
        assert found is not None
        epochs.append((found.epoch, found.epoch_nonce))
    assert [epoch for epoch, _ in epochs] == [1, 1, 2, 3]
    assert len({nonce for _, nonce in epochs}) == 3


def test_a_box_that_starts_empty_gets_a_new_epoch_and_the_old_one_is_retired(
    ingest: Ingest, store: Engine, place: Place, server_keys: KeyPair, enrol_box: EnrolBox, raw_client: Connect
) -> None:
    box = enrol_box()
    old = raw_client(box.keys)
    old.send(_pulse(1))
    assert old.reply() == wire.Ack(epoch=1, sequence=1)
    code = boxes.issue_code(store, place.province_id, box.box_id, time.time(), replace=True)
    other = new_keys("box")
    assert _ask_door(ingest, server_keys, other, _request(code, other)) == Enrolled(2, server_keys.signing_public)
    client = raw_client(other)
    client.send(_pulse(1))
    assert client.reply() == wire.Refusal(epoch=1, sequence=1, reason=wire.RefusalReason.EPOCH_RETIRED)
    client.send(wire.encode(pulse_builder(1)(2, 1, 7)))
    assert client.reply() == wire.Ack(epoch=2, sequence=1)


# -- messages ------------------------------------------------------------


def test_replayed_and_reordered_messages_are_stored_once(
    store: Engine, enrol_box: EnrolBox, raw_client: Connect
) -> None:
    box = enrol_box()
    client = raw_client(box.keys)
    messages = [_pulse(sequence, sequence) for sequence in range(1, 41)] * 3
    random.Random(7).shuffle(messages)
    for message in messages:
        client.send(message)
    assert all(isinstance(client.reply(), wire.Ack) for _ in messages)
    assert stored_pulses(store) == [(box.box_id, index) for index in range(1, 41)]


@pytest.mark.parametrize(
    "frames",
    [
        [pad(_pulse(1))[:-1]],
        [_pulse(1)],
        [b""],
        [b"\x00" * FRAME_BYTES],
        [pad(_pulse(1))[:-1] + b"\x01"],
        [b"\xff\xff" + bytes(FRAME_BYTES - 2)],
        [pad(_pulse(1)), b""],
        [pad(_pulse(1)), pad(_pulse(2))],
        [pad(_pulse(1)[:-3])],
        [pad(_pulse(1) + b"\x00")],
        [pad(b"\x81" * 2000)],
        [pad(b"\x91" * 4000)],
    ],
)
def test_frames_that_do_not_fit(
    frames: list[bytes], ingest: Ingest, store: Engine, enrol_box: EnrolBox, raw_client: Connect
) -> None:
    client = raw_client(enrol_box().keys)
    client.send_frames(frames)
    assert client.reply() == wire.Refusal(epoch=0, sequence=0, reason=wire.RefusalReason.MALFORMED)
    assert count_deliveries(store) == 0
    client.send(_pulse(1))
    assert client.reply() == wire.Ack(epoch=1, sequence=1)


def test_an_oversized_message_ends_the_connection_and_nothing_else(
    ingest: Ingest, store: Engine, enrol_box: EnrolBox, raw_client: Connect
) -> None:
    client, other = raw_client(enrol_box("a").keys), raw_client(enrol_box("b").keys)
    other.send(_pulse(1))
    assert other.reply() == wire.Ack(epoch=1, sequence=1)
    client.send_frames([bytes(50_000_000)])
    assert client.reply(1.0) is None
    other.send(_pulse(2))
    assert other.reply() == wire.Ack(epoch=1, sequence=2)


def test_framing_is_exact() -> None:
    for size in (0, 1, 100, FRAME_BYTES - 2):
        payload = bytes([7]) * size
        assert unpad(pad(payload)) == payload
        assert len(pad(payload)) == FRAME_BYTES
    with pytest.raises(WireError):
        pad(bytes(FRAME_BYTES - 1))


# -- floods ------------------------------------------------------------


def test_a_flood_from_one_box_leaves_the_others_their_service(
    store: Engine, place: Place, server_keys: KeyPair, enrol_box: EnrolBox
) -> None:
    ingest = Ingest(store, server_keys, IngestSettings(LOCAL.address, LOCAL.enrol_address, rate_per_s=50, burst=100))
    ingest.start()
    flooder = RawClient(ingest.endpoint, server_keys.curve_public, enrol_box("flood").keys)
    quiet_box = enrol_box("quiet")
    quiet = RawClient(ingest.endpoint, server_keys.curve_public, quiet_box.keys)
    stop = threading.Event()
    sent = [0]

    def flood() -> None:
        beat = pad(wire.encode(heartbeat(1)))
        while not stop.is_set():
            try:
                flooder.socket.send(beat, zmq.NOBLOCK)
                sent[0] += 1
            except zmq.Again:
                stop.wait(0.001)
            while flooder.socket.poll(0):
                flooder.socket.recv()

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    assert wait_for(lambda: ingest.tallies.dropped.get("RATE_LIMITED", 0) > 1_000, 30.0)
    slowest_s = 0.0
    for sequence in range(1, 31):
        begun_s = time.monotonic()
        quiet.send(_pulse(sequence, sequence))
        assert quiet.reply(60.0) == wire.Ack(epoch=1, sequence=sequence)
        slowest_s = max(slowest_s, time.monotonic() - begun_s)
    stop.set()
    thread.join()
    dropped = ingest.tallies.dropped["RATE_LIMITED"]
    for client in (flooder, quiet):
        client.close()
    ingest.stop()
    print(f"flood: {sent[0]} sent, {dropped} dropped, slowest answer to the other box {slowest_s:.3f} s")
    assert slowest_s < 30.0
    assert stored_pulses(store) == [(quiet_box.box_id, index) for index in range(1, 31)]


STRANGERS = 800


def test_strangers_who_knock_do_not_shut_the_boxes_out(
    ingest: Ingest, server_keys: KeyPair, enrol_box: EnrolBox, raw_client: Callable[[KeyPair], RawClient]
) -> None:
    """Handshakes under keys that nobody knows, each with the server's public key: they need no more than that."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    knocking = []
    for _ in range(STRANGERS):
        keys = new_keys("box")
        socket = context.socket(zmq.DEALER)
        socket.linger = 0
        socket.curve_serverkey = server_keys.curve_public
        socket.curve_publickey, socket.curve_secretkey = keys.curve_public, keys.curve_secret
        socket.connect(ingest.endpoint)
        knocking.append(socket)
    begun_s = time.monotonic()
    client = raw_client(enrol_box().keys)
    client.send(_pulse(1))
    reply = client.reply(60.0)
    waited_s = time.monotonic() - begun_s
    assert reply == wire.Ack(epoch=1, sequence=1)
    assert wait_for(lambda: ingest._zap.refused + ingest._zap.postponed >= STRANGERS, 30.0)
    assert waited_s < 40.0
    assert len(ingest.registry._strangers) <= STRANGERS
    for socket in knocking:
        socket.close()
    context.term()


def test_an_unknown_key_is_asked_to_come_again_until_the_list_is_newer(store: Engine, place: Place) -> None:
    clock = [0.0]
    registry = BoxRegistry(store, clock=lambda: clock[0])
    registry.refresh()
    clock[0] = 0.05
    box = enrol_directly(store, place, "just enrolled")
    key = box.keys.curve_public_z85
    assert registry.admission(key) is Admission.LATER, "the list is of a moment before it was enrolled"
    assert registry.admission("x" * 40) is Admission.LATER
    clock[0] = 0.2
    assert registry.admission(key) is Admission.ALLOWED
    assert registry.admission("x" * 40) is Admission.REFUSED


def test_a_box_of_a_moment_ago_comes_again_and_is_served(
    ingest: Ingest, server_keys: KeyPair, enrol_box: EnrolBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over real sockets: the list does not get older before the box was asked to come again."""
    now_s = [time.monotonic()]
    monkeypatch.setattr(
        ingest.registry, "_clock", lambda: time.monotonic() if ingest.turned_away()["postponed"] else now_s[0]
    )
    ingest.registry.refresh()
    now_s[0] += 0.05
    client = RawClient(ingest.endpoint, server_keys.curve_public, enrol_box().keys)
    client.send(_pulse(1))
    assert client.reply() == wire.Ack(epoch=1, sequence=1)
    assert ingest.turned_away() == {"refused": 0, "postponed": 1}
    client.close()


def test_guesses_at_codes_do_not_keep_the_store_busy(ingest: Ingest, server_keys: KeyPair) -> None:
    client = RawClient(ingest.enrol_endpoint, server_keys.curve_public, new_keys("box"))
    request = encode(Enrol(1, bytes(16), 0, bytes(32)))
    answers = []
    for _ in range(REQUESTS_PER_ADDRESS + 20):
        client.socket.send(pad(request, REPLY_BYTES))
        assert client.socket.poll(10_000)
        answers.append(decode_answer(unpad(client.socket.recv(), REPLY_BYTES)))
    client.close()
    assert answers[0] == NotEnrolled()
    assert answers[-1] == NotEnrolled(later=True)
    assert ingest._door is not None
    assert ingest._door.tallies.dropped == {"not_valid": REQUESTS_PER_ADDRESS, "too_many": 20}
