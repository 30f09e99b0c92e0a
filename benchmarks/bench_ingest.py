"""Messages a second through the boxes' door: real sockets, CURVE, one transaction for many messages, acknowledged
after the commit.

Each box keeps `--window` messages in flight, as after a long outage; in service a box sends a handful every few
minutes. On SQLite the figure hangs on how fast the disk makes a commit safe: `commit_ms` is measured in the same
run, on the same disk.

  hailong bench ingest --boxes 8 --messages 20000 --json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.provenance import provenance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--boxes", type=int, default=8, help="boxes that send at the same time (default 8)")
    parser.add_argument("--messages", type=int, default=20_000, help="messages altogether (default 20000)")
    parser.add_argument("--window", type=int, default=32, help="messages in flight for each box (default 32)")
    parser.add_argument(
        "--store", default="", metavar="URL", help="an EMPTY data base (default: SQLite in a temporary folder)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    with tempfile.TemporaryDirectory() as folder:
        found = bench(args.store or str(Path(folder) / "store.sqlite"), args.boxes, args.messages, args.window)
    if args.json:
        print(json.dumps(found))
    else:
        print(
            f"{found['messages_per_s']:.0f} messages a second from {args.boxes} boxes; acknowledged after"
            f" {found['ack_ms_p50']:.0f} ms (p50), {found['ack_ms_p95']:.0f} ms (p95); one commit"
            f" {found['commit_ms']:.1f} ms; {found['messages_per_commit']:.0f} messages a commit"
        )
    return 0 if found["stored"] == found["messages"] else 1


def bench(store_url: str, boxes: int, messages: int, window: int) -> dict[str, Any]:
    """Enrol boxes in an empty store, send from all at once, and count what is stored."""
    from sqlalchemy import event, func, select

    from pipeline import wire
    from pipeline.calendar import window_index
    from pipeline.keys import KeyPair, new_keys
    from server.boxes.ingest import Ingest, IngestSettings
    from server.store.engine import connect, read
    from server.store.tables.releases import deliveries, releases
    from server.store.upgrade import upgrade

    engine = connect(store_url)
    upgrade(engine)
    keys = [_enrol(engine, number) for number in range(boxes)]
    server_keys: KeyPair = new_keys("server")
    settings = IngestSettings("tcp://127.0.0.1:*", None, rate_per_s=1e9, burst=10**9, waiting_per_box=window)
    # the server's clock stands behind every window that is sent: each release is judged, and none is held
    each = messages // boxes
    first_hour = window_index(wire.PeriodKind.HOUR, time.time()) + 24
    later_s = (each + 48) * 3600
    ingest = Ingest(engine, server_keys, settings, now=lambda: time.time() + later_s)
    commit_s = _commit_s(engine)
    commits = [0]
    event.listen(engine, "commit", lambda _connection: commits.__setitem__(0, commits[0] + 1))
    ingest.start()
    latencies: list[list[float]] = [[] for _ in keys]
    threads = [
        threading.Thread(
            target=_send,
            args=(ingest.endpoint, server_keys.curve_public, pair, each, window, latencies[number], first_hour),
        )
        for number, pair in enumerate(keys)
    ]
    begun_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    duration_s = time.perf_counter() - begun_s
    ingest.stop()
    with read(engine) as connection:
        stored = int(connection.execute(select(func.count()).select_from(deliveries)).scalar_one())
        held = int(
            connection.execute(
                select(func.count()).select_from(releases).where(releases.c.held.is_not(None))
            ).scalar_one()
        )
    engine.dispose()
    ack_ms = 1000 * np.array([value for found in latencies for value in found])
    return {
        **provenance(("pyzmq", "sqlalchemy", "msgspec")),
        "store": engine.url.get_backend_name(),
        "boxes": boxes,
        "window": window,
        "messages": each * boxes,
        "stored": stored,
        "held": held,
        "duration_s": round(duration_s, 3),
        "messages_per_s": round(stored / duration_s, 1),
        "ack_ms_p50": round(float(np.percentile(ack_ms, 50)), 2),
        "ack_ms_p95": round(float(np.percentile(ack_ms, 95)), 2),
        "commit_ms": round(1000 * commit_s, 2),
        "messages_per_commit": round(stored / max(1, commits[0]), 1),
        "drops": dict(ingest.tallies.dropped),
    }


def _enrol(engine: Any, number: int) -> Any:
    from sqlalchemy import select

    from pipeline.enrolment import Enrol, parse_code
    from pipeline.keys import new_keys
    from pipeline.language import Text
    from server.boxes import registry as boxes
    from server.core.provinces import make_province
    from server.store.engine import insert_row, write
    from server.store.tables.agencies import agencies, levels

    with write(engine) as connection:
        province = make_province(connection, f"bench-{number}", Text.named(vi="Bench"), simulated=True).province_id
        level = connection.execute(select(levels.c.id).where(levels.c.province_id == province)).scalars().first()
        values = {"province_id": province, "code": "a", "name": Text.named(vi="A"), "level_id": level}
        agency = insert_row(connection, agencies, values)
    box_id = boxes.new_box(engine, province, agency, "box")
    code = parse_code(boxes.issue_code(engine, province, box_id, time.time()))
    keys = new_keys("box")
    boxes.enrol(engine, Enrol(1, code, 0, keys.signing_public), keys.curve_public_z85, time.time())
    return keys


def _commit_s(engine: Any) -> float:
    """Median time of a commit of one small row, this disk, this data base."""
    from server.core.provinces import write_setting
    from server.store.engine import write

    found = []
    for number in range(21):
        begun_s = time.perf_counter()
        with write(engine) as connection:
            write_setting(connection, 1, "min_answers", 30 + number)
        found.append(time.perf_counter() - begun_s)
    return sorted(found)[len(found) // 2]


def _send(
    endpoint: str, server_public: bytes, keys: Any, count: int, window: int, latencies: list[float], first_hour: int
) -> None:
    import zmq

    from pipeline import wire
    from pipeline.framing import REPLY_BYTES, pad, unpad
    from pipeline.language import Message, in_language
    from pipeline.language.console import console_language

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    dealer.curve_serverkey = server_public
    dealer.curve_publickey, dealer.curve_secretkey = keys.curve_public, keys.curve_secret
    dealer.connect(endpoint)
    sent_s: dict[int, float] = {}
    following = 1
    while len(latencies) < count:
        while following <= count and len(sent_s) < window:
            pulse = wire.Pulse(
                1, 1, following, following, wire.PeriodKind.HOUR, first_hour + following, 500, (1, 2, 3, 4)
            )
            sent_s[following] = time.perf_counter()
            dealer.send(pad(wire.encode(pulse)))
            following += 1
        if not dealer.poll(30_000):
            late = Message("The server did not answer within {seconds} s.", seconds=30)
            print(in_language(late, console_language()), file=sys.stderr)
            break
        reply = wire.decode_reply(unpad(dealer.recv(), REPLY_BYTES))
        if isinstance(reply, wire.Ack):
            latencies.append(time.perf_counter() - sent_s.pop(reply.sequence))
    dealer.close()
    context.term()
