"""Offer a release of the boxes' software to a province's boxes, in rings: pilot, a tenth, all.

  hailong server offer --ring pilot --box 7 --box 12          these boxes get every release first (--ring auto: not so)
  hailong server offer --bundle hailong-edge.tar --trust KEY  to the pilot ring, from the coming night on
  hailong server offer --bundle FILE --trust KEY --wait       lays it ready for the page /health/updates
  hailong server offer --list                                 every offer, and how each box stands with it
  hailong server offer --stop 70f2a0e0                        nobody gets it any more; who has it keeps it
  hailong server offer --resume 70f2a0e0                      goes on; what boxes told before is not held against it
  hailong server offer --open 70f2a0e0 --ring all             do not wait for the rings before
  hailong server offer --withdraw 70f2a0e0                    ends it, and removes the bundle here

KEY is the public key that the boxes were installed with: they take what it signed and nothing else, whoever has this
server. A box asks in its quiet hours ([update] in its edge.toml), fetches the bundle in pieces, tries it, watches it,
and goes back by itself. The next ring opens when every box of this one that can be heard has been at work with the
release for a day. An offer stops by itself when a box of the first two rings, or more than one of twenty of the last,
comes back from it, does not accept it, or falls silent after it. Every step stands in the log of changes. The running
server needs no restart.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.language import Message, of_environment, translator
from server.core.config import add_province_argument, add_store_arguments

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from server.core.config import ServerConfig

RINGS = ("pilot", "tenth", "all", "auto")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_store_arguments(parser)
    add_province_argument(parser)
    parser.add_argument("--bundle", type=Path, metavar="FILE", help="the bundle to offer")
    parser.add_argument("--trust", metavar="KEY", help="with --bundle: the key that the boxes trust, 40 characters")
    parser.add_argument("--wait", action="store_true", help="with --bundle: lay it ready, and offer it to nobody yet")
    parser.add_argument("--list", action="store_true", help="list the offers")
    parser.add_argument("--stop", metavar="RELEASE", help="stop an offer")
    parser.add_argument("--resume", metavar="RELEASE", help="let a stopped offer go on")
    parser.add_argument("--withdraw", metavar="RELEASE", help="end an offer")
    parser.add_argument("--open", metavar="RELEASE", help="with --ring: offer it to that ring now")
    parser.add_argument("--ring", choices=RINGS, help="with --box: their ring; auto: by their number")
    parser.add_argument("--box", type=int, action="append", default=[], metavar="ID", help="a box (again for each)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from pipeline.errors import InvalidError
    from server.boxes import updates
    from server.core.config import load_config, open_store
    from server.core.provinces import find_province
    from server.store.engine import read, write

    asked = [args.bundle, args.stop, args.resume, args.withdraw, args.open, args.box or None, args.list or None]
    one = sum(each is not None for each in asked) == 1 and (args.bundle is not None or not args.wait)
    if not one or (args.ring is None) != (args.open is None and not args.box):
        raise InvalidError(Message("Name one thing to do."), Message("See --help."))
    config = load_config(args)
    store = open_store(config)
    with read(store) as connection:
        province_id = find_province(connection, args.province).province_id
    now_s = time.time()
    if args.list:
        return _list(store, province_id, args.json)
    if args.bundle is not None:
        return _offer(store, config, province_id, args)
    with write(store) as connection:
        if args.box:
            ring = None if args.ring == "auto" else updates.Ring[args.ring.upper()]
            for box_id in args.box:
                updates.state_ring(connection, province_id, box_id, ring)
        elif args.open is not None:
            if args.ring == "auto":
                raise InvalidError(Message("Name a ring: pilot, tenth or all."))
            updates.open_ring(connection, province_id, args.open, updates.Ring[args.ring.upper()], now_s)
        elif args.stop is not None:
            updates.set_state(connection, province_id, args.stop, updates.STOPPED, now_s)
        elif args.resume is not None:
            updates.set_state(connection, province_id, args.resume, updates.OPEN, now_s)
        else:
            updates.set_state(connection, province_id, args.withdraw, updates.WITHDRAWN, now_s)
    if args.withdraw is not None:
        updates.wipe_bundle(store, config.data_dir, args.withdraw)
    print(json.dumps({"done": True}) if args.json else translator(of_environment(os.environ))(Message("Done.")))
    return 0


def _offer(store: Engine, config: ServerConfig, province_id: int, args: argparse.Namespace) -> int:
    """Check the bundle as a box does, put it into the data folder, and offer it. Raises `InvalidError`."""
    import tempfile

    from edge.deploy.building import release_name
    from edge.deploy.bundle import open_bundle
    from pipeline.errors import InvalidError
    from pipeline.keys import public_key_bytes
    from pipeline.wire import Machine
    from server.boxes.bundle_files import bundle_path
    from server.boxes.updates import offer_release
    from server.store.engine import write

    if args.trust is None:
        raise InvalidError(Message("Name the key that the boxes trust: --trust KEY."))
    folder = config.data_dir / "updates"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Path(place) / "bundle.tar"  # what is checked is what is offered
        shutil.copyfile(args.bundle, copy)
        content = Path(place) / "content"
        content.mkdir()
        manifest = open_bundle(copy, public_key_bytes(args.trust), content)
        machine = Machine.AARCH64 if manifest.platform.endswith("aarch64") else Machine.X86_64
        name = release_name(manifest)
        release, size = int(name.rpartition("-")[2], 16), copy.stat().st_size
        with write(store) as connection:
            offer_release(
                connection, province_id, release, manifest.version, machine, manifest.python, size, time.time(),
                wait=args.wait,
            )  # fmt: skip
            copy.replace(bundle_path(folder, release))
    found = {"release": f"{release:08x}", "software": manifest.version, "bytes": size}
    _ = translator(of_environment(os.environ))
    said = (
        Message("Release {release} ({software}) lies ready. Offer it on the page of the updates.", **found)
        if args.wait
        else Message("Release {release} ({software}) is offered to the pilot ring.", **found)
    )
    print(json.dumps(found) if args.json else _(said))
    return 0


def _list(store: Engine, province_id: int, as_json: bool) -> int:
    from server.boxes.updates import NEVER_S, RING_WORDS, Ring, box_updates, read_offers, state_words
    from server.store.engine import read

    _ = translator(of_environment(os.environ))
    found: list[dict[str, Any]] = []
    with read(store) as connection:
        for row in read_offers(connection, province_id):
            boxes = box_updates(connection, province_id, row, time.time())
            found.append(
                {
                    "release": row.release, "software": row.software, "state": row.state, "reason": row.reason,
                    "ready": row.since_s == NEVER_S,
                    "ring": Ring(row.ring).name.lower(), "boxes": [
                        {"box": each.box_id, "label": each.label, "ring": each.ring.name.lower(), "lost": each.lost,
                         "state": None if each.state is None else each.state.name.lower(), "words": each.words,
                         "software": each.software}
                        for each in boxes
                    ],
                }
            )  # fmt: skip
    if as_json:
        print(json.dumps({"offers": found}, ensure_ascii=False, default=str))
        return 0
    for offer in found:
        words = f"{_(state_words(offer['state'], offer['ready']))}, {_(RING_WORDS[Ring[offer['ring'].upper()]])}"
        print(f"{offer['release']}  {offer['software']:<12} {words}  {offer['reason']}")
        for box in offer["boxes"]:
            print(f"  {box['box']:>5}  {box['label']:<30} {box['software']:<12} {_(box['words'])}")
    return 0
