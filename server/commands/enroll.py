"""Allow a box: print a one-time enrolment code, valid for a day.

  hailong server enroll --agency so-tu-phap --label "Quầy 3-4" --clerks 2   a new box that serves two clerks
  hailong server enroll --box 7               a new key for box 7 (its old key works until the new one is used)
  hailong server enroll --box 7 --replace     another machine takes box 7's place: its keys end now
  hailong server enroll --box 7 --clerks 2    box 7 serves two clerks: written down, no new code
  hailong server enroll --box 7 --evidence-epsilon 1.5 --pulse-epsilon 0.5   its terms, as in its edge.toml
  hailong server enroll --agency so-tu-phap --label "Hall" --pool so-tu-phap=1:3 --pool so-y-te=2:2   a hall's box
  hailong server enroll --box 7 --pool ubnd-phuong=2:2 --from 2027-01   its pool 2 is another agency's from then on
  hailong server enroll --from-list boxes.csv --sheet labels.html   many boxes (agency, label, clerks[, counter])
  hailong server enroll --list                every box with its state

A box that serves one clerk sends that person's score: its evidence and pulses are left out until other boxes of the
agency (with --pool: of that pool) serve clerks in the same period. Each statement stands in the log of changes.

A box's releases are in figures only on the terms that were stated for it; where nobody stated them, its first release
states them (epsilon 2 at most). What comes on other terms is held back until you state the new ones.

A list is taken whole or not at all; the sheet holds the codes as text and QR, to print, cut and destroy.

A hall's box sends the tables of its pools by number; --pool AGENCY=NUMBER:CLERKS says which agency each is. Of a pool
that nobody named nothing is taken: the box keeps it, and the health page says so. Whose a pool was is never changed
backwards: name the first month of the new agency (--from).

The running server needs no restart. On the box: `hailong keys enroll --config /etc/hailong/edge.toml --code CODE`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pipeline.language import Message, Plural
from pipeline.language.console import console_translator, say
from server.core.config import add_province_argument, add_store_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from server.boxes.pools import PoolStatement
    from server.core.config import ServerConfig


_PULSE_PERIODS = {"hour": 1, "four_hours": 2, "day": 3}
"""As `[privacy] pulse_period` of a box names them, and on the wire (`pipeline.wire.PeriodKind`)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_store_arguments(parser)
    add_province_argument(parser)
    parser.add_argument("--agency", metavar="CODE", help="agency of a new box")
    parser.add_argument("--counter", metavar="CODE", help="counter of a new box, where it serves just one")
    parser.add_argument("--label", help="name of a new box, unique in the province")
    parser.add_argument(
        "--demo", action="store_true", help="the new box may send demo periods; its data is labelled simulated"
    )
    parser.add_argument("--box", type=int, metavar="ID", help="a box that there is")
    parser.add_argument("--clerks", type=int, metavar="N", help="how many clerks the box serves (a new box: 1)")
    parser.add_argument(
        "--pool",
        metavar="POOL",
        action="append",
        default=[],
        help="AGENCY=NUMBER:CLERKS: whose a pool of a hall's box is (again for each); a label: with one clerk, show "
        "the box only together with boxes of this label and agency",
    )
    parser.add_argument("--from", dest="first_month", metavar="YYYY-MM", help="with --pool AGENCY=NUMBER: from when on")
    parser.add_argument("--pulse-epsilon", type=float, metavar="E", help="epsilon of its pulses; 0: it sends none")
    parser.add_argument("--evidence-epsilon", type=float, metavar="E", help="epsilon of its monthly evidence")
    parser.add_argument("--pulse-period", choices=sorted(_PULSE_PERIODS), help="window of its pulses")
    parser.add_argument("--replace", action="store_true", help="with --box: end its present keys now")
    parser.add_argument("--from-list", type=Path, metavar="FILE", help="a CSV or XLSX file of new boxes")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="with --from-list: the sheet of labels (HTML)")
    parser.add_argument("--list", action="store_true", help="list the boxes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from pipeline.enrolment import enrolment_address
    from pipeline.errors import InvalidError
    from pipeline.keys import KEY_FILE_NAME, load_keys
    from server.boxes import registry as boxes
    from server.boxes.pools import PoolStatement, state_pools
    from server.core.config import load_config, open_store
    from server.core.provinces import find_province
    from server.store.engine import read

    config = load_config(args)
    store = open_store(config)
    with read(store) as connection:
        province = find_province(connection, args.province)
    if args.list:
        return _list(boxes.list_boxes(store, province.province_id), args.json)
    if args.from_list is not None:
        return _enrol_list(store, config, province.province_id, args)
    if (args.box is None) == (args.agency is None or args.label is None):
        raise InvalidError(
            Message("Name a new box by --agency and --label, or one that there is by --box."), Message("See --help.")
        )
    statements = [PoolStatement.parse(text) for text in args.pool if "=" in text]
    args.pool = next((text for text in args.pool if "=" not in text), None)
    if args.first_month is not None and not statements:
        raise InvalidError(Message("--from is of pools alone."), Message("Name them: --pool AGENCY=NUMBER:CLERKS."))
    terms = _terms(args)
    if args.box is not None and statements:
        if terms or args.replace or args.clerks is not None or args.pool is not None:
            raise InvalidError(
                Message("Pools and other statements are two steps."), Message("State the pools first, then the rest.")
            )
        return _state_pools(store, province.province_id, args, statements)
    if args.box is not None and (args.clerks is not None or args.pool is not None):
        if terms:
            raise InvalidError(
                Message("Clerks and terms are two statements."), Message("State the clerks first, then the terms.")
            )
        return _state_clerks(store, province.province_id, args)
    if args.box is not None and terms:
        return _state_terms(store, province.province_id, args, terms)
    public_key = load_keys(config.keys_dir / KEY_FILE_NAME, "server").curve_public_z85
    box_id = args.box
    if box_id is None:
        agency_id, counter_id = boxes.find_place(store, province.province_id, args.agency, args.counter)
        serves = (1 if args.clerks is None else args.clerks, args.pool or "")
        box_id = boxes.new_box(store, province.province_id, agency_id, args.label, counter_id, args.demo, *serves)
        if terms:
            boxes.state_terms(store, province.province_id, box_id, **terms)
        if statements:
            state_pools(store, province.province_id, box_id, statements, _first_month(args))
    code = boxes.issue_code(store, province.province_id, box_id, time.time(), args.replace)
    address = config.ingest.address.replace("*", "SERVER")
    if args.json:
        found = {"box": box_id, "code": code, "server_public_key": public_key, "address": address}
        print(json.dumps(found | {"enrol_address": config.ingest.enrol_address.replace("*", "SERVER")}))
        return 0
    say(Message("Box {number}. One-time code, valid for a day: {code}", number=box_id, code=code))
    if args.box is None and args.clerks in (None, 1) and not statements:
        say(_ONE_CLERK)
        say(Message("If it serves more: {command}", command=f"hailong server enroll --box {box_id} --clerks N"))
    say(Message("In the box's edge.toml:"))
    print("  [server]")
    say(Message('address = "{address}"  # SERVER: as the box reaches this machine', address=address), indent=2)
    print(f'  public_key = "{public_key}"')
    enrol_address = config.ingest.enrol_address.replace("*", "SERVER")
    if enrol_address != enrolment_address(address):
        print(f'  enrol_address = "{enrol_address}"')
    if args.demo:
        say(Message("interval_s = 1.0  # at 300 the first table comes after ten minutes"), indent=2)
        print("  [box]")
        say(_DEMO, indent=2)
        print("  [privacy]")
        say(_DEMO, indent=2)
    print("  [legal]")
    say(Message('basis = "consent"  # or "state_activity" with its papers; there is no default'), indent=2)
    say(Message("On the box: {command}", command=f"hailong keys enroll --config /etc/hailong/edge.toml --code {code}"))
    return 0


_DEMO = Message("demo = true  # periods of seconds, everything labelled simulated")
_ONE_CLERK = Message(
    "It serves one clerk: its evidence would be that person's score and is left out, unless other boxes of the agency "
    "send too."
)


def _enrol_list(store: Engine, config: ServerConfig, province_id: int, args: argparse.Namespace) -> int:
    """Raises `InvalidError` where there is no place for the codes, which are shown once."""
    from pipeline.errors import ImportRowError, InvalidError
    from pipeline.keys import KEY_FILE_NAME, load_keys
    from server.boxes.fleet import enrol_list, sheet_of_labels

    if args.sheet is None and not args.json:
        raise InvalidError(
            Message("Codes are shown once, and need a place."), Message("Name one: --sheet labels.html.")
        )
    sheet = None if args.sheet is None else _new_file(args.sheet)
    try:
        made = enrol_list(store, province_id, args.from_list, time.time())
    except BaseException as error:
        for number, reason in error.rows if isinstance(error, ImportRowError) else ():
            say(Message("row {number}: {problem}", number=number, problem=reason), indent=2, aside=True)
        if sheet is not None:
            sheet.close()
            args.sheet.unlink()
        raise
    key = load_keys(config.keys_dir / KEY_FILE_NAME, "server").curve_public_z85
    address = config.ingest.address.replace("*", "SERVER")
    if sheet is not None:
        with sheet:
            sheet.write(sheet_of_labels(made, address, key))
    if args.json:
        found = [{"box": box.box_id, "label": box.label, "code": box.code} for box in made]
        print(json.dumps({"boxes": found, "server_public_key": key, "address": address}, ensure_ascii=False))
    else:
        say(
            Plural(
                "{count} box. Its code, valid for a day: {sheet}. Destroy it when the box is enrolled.",
                "{count} boxes. Their codes, valid for a day: {sheet}. Destroy it when the boxes are enrolled.",
                count=len(made),
                sheet=args.sheet,
            )
        )
    return 0


def _new_file(path: Path) -> TextIO:
    """A file of its owner alone, which was not there before. Raises `InvalidError`."""
    from pipeline.errors import InvalidError

    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise InvalidError(
            Message("{path} cannot be written ({strerror}).", path=path, strerror=error.strerror),
            Message("Name a file that is not there yet."),
        ) from None


def _terms(args: argparse.Namespace) -> dict[str, int]:
    """The terms that were given, as the store keeps them. Raises `InvalidError` for what is no epsilon."""
    from pipeline.errors import InvalidError

    found = {}
    for name, least in (("pulse_epsilon", 0), ("evidence_epsilon", 1)):
        epsilon = getattr(args, name)
        if epsilon is None:
            continue
        milli = round(epsilon * 1000) if 0 <= epsilon <= 20 else -1
        if milli < least:
            option = f"--{name.replace('_', '-')} {epsilon:g}"
            raise InvalidError(
                Message("{option} is no epsilon.", option=option), Message("Write it as in edge.toml: 1.5.")
            )
        found[f"{name}_milli"] = milli
    if args.pulse_period is not None:
        found["pulse_period"] = _PULSE_PERIODS[args.pulse_period]
    return found


def _state_terms(store: Engine, province_id: int, args: argparse.Namespace, terms: dict[str, int]) -> int:
    from pipeline.errors import InvalidError
    from server.boxes import registry as boxes

    if args.replace:
        raise InvalidError(
            Message("--replace and terms are two steps."), Message("State the terms first, then replace the box.")
        )
    changed = boxes.state_terms(store, province_id, args.box, **terms)
    if args.json:
        print(json.dumps({"box": args.box, **terms, "releases_judged_anew": changed}))
        return 0
    say(
        Message(
            "Terms of box {number} written down. {count} of its releases changed sides: held back or in figures.",
            number=args.box,
            count=changed,
        )
    )
    return 0


def _state_pools(store: Engine, province_id: int, args: argparse.Namespace, statements: Sequence[PoolStatement]) -> int:
    from server.boxes.pools import state_pools

    state_pools(store, province_id, args.box, statements, _first_month(args))
    if args.json:
        pools = [{"pool": each.pool, "agency": each.agency, "clerks": each.clerks} for each in statements]
        print(json.dumps({"box": args.box, "pools": pools}))
        return 0
    for each in statements:
        words = (
            Message(
                "Pool {pool} of box {number} is {agency}, {clerks} clerks, from {month} on.", month=args.first_month
            )
            if args.first_month
            else Message("Pool {pool} of box {number} is {agency}, {clerks} clerks.")
        )
        say(words.with_params(pool=each.pool, number=args.box, agency=each.agency, clerks=each.clerks))
    return 0


def _first_month(args: argparse.Namespace) -> int | None:
    """Index of the month of --from. Raises `InvalidError`."""
    from datetime import date

    from pipeline.calendar import month_of_date
    from pipeline.errors import InvalidError

    if args.first_month is None:
        return None
    try:
        return month_of_date(date.fromisoformat(f"{args.first_month}-01"))
    except ValueError:
        raise InvalidError(
            Message("--from {month} is no month.", month=args.first_month), Message("Write it as 2027-01.")
        ) from None


def _state_clerks(store: Engine, province_id: int, args: argparse.Namespace) -> int:
    from pipeline.errors import InvalidError
    from server.boxes import registry as boxes

    if args.replace:
        raise InvalidError(
            Message("--replace and --clerks are two steps."), Message("State the clerks first, then replace the box.")
        )
    known = next((box for box in boxes.list_boxes(store, province_id) if box["box"] == args.box), {})
    clerks = known.get("clerks", 1) if args.clerks is None else args.clerks
    pool = known.get("pool", "") if args.pool is None else args.pool
    boxes.state_clerks(store, province_id, args.box, clerks, pool)
    if args.json:
        print(json.dumps({"box": args.box, "clerks": clerks, "pool": pool}))
        return 0
    say(
        Plural(
            "Box {number} serves {count} clerk, pool {pool}.",
            "Box {number} serves {count} clerks, pool {pool}.",
            count=clerks,
            number=args.box,
            pool=pool,
        )
        if pool
        else Plural(
            "Box {number} serves {count} clerk.", "Box {number} serves {count} clerks.", count=clerks, number=args.box
        )
    )
    return 0


_STATES = {
    "revoked": Message("key revoked"),
    "not enrolled": Message("not enrolled"),
    "rotating": Message("key changing"),
    "enrolled": Message("enrolled"),
}
"""States of a box's key, as the registry names them."""


def _list(found: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        print(json.dumps({"boxes": found}, ensure_ascii=False))
        return 0
    _ = console_translator()
    for box in found:
        state = f"{box['box']:>5}  {_(_STATES.get(box['state'], box['state'])):<12} {_('epoch')} {box['epoch']:<3}"
        print(f"{state} {_('clerks {count}', count=box['clerks']):<10} {box['agency']:<24} {box['label']}")
        for pool in box["pools"]:
            whose = pool["agency"] or Message("(nobody has said whose)")
            words = Message("pool {pool}: {agency}, clerks {clerks}", agency=whose, clerks=pool["clerks"])
            say(words.with_params(pool=pool["pool"]), indent=7)
    if not found:
        say(Message("No boxes yet."))
    return 0
