"""Check that no rating was changed, added or removed behind the application's back.

Every row is held against the chain of its source, channel and day of receipt, every chain of a day that is over
against the digest in the log of changes, and every later change of a flag against the log's old and new values.
`--head FILE`: a head that was kept earlier (`changes.json` of an export); the log must still pass through it. Exit
code 1 where something does not hold, and where there is no province, so that nothing was checked.

    hailong audit ratings --json
    hailong audit ratings --head changes.json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from pipeline.language import Message
from server.core.config import add_store_arguments, load_config, open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong audit ratings`."""
    parser.add_argument("--json", action="store_true", help="differences by province as JSON")
    parser.add_argument("--head", type=Path, help="a head of the log of changes that was kept earlier")
    parser.add_argument("--key", help="the server's signing key (Z85), to check the head's signature with")
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Look, and tell."""
    from pipeline.errors import InvalidError, LogError
    from server.core.log_heads import check_head, read_head
    from server.core.provinces import all_provinces
    from server.core.scope import Scope
    from server.ratings.audit import audit_ratings
    from server.store.engine import read

    kept = None if args.head is None else read_head(args.head, args.key)
    engine = open_store(load_config(args))
    result: dict[str, dict[str, object]] = {}
    holds = True
    with read(engine) as connection:
        for province in all_provinces(connection):
            scope = Scope(province.province_id)
            try:
                found = audit_ratings(connection, scope)
                if kept is not None and kept.province == province.code:
                    check_head(connection, scope, kept)
            except LogError as error:
                holds = False
                result[province.code] = {"problem": error.message}
                continue
            holds = holds and not found.differences
            result[province.code] = dataclasses.asdict(found)
    engine.dispose()
    if kept is not None and kept.province not in result:
        raise InvalidError(
            Message("The head is of the province '{province}', which this store does not have.", province=kept.province)
        )
    holds = holds and bool(result)
    if args.json:
        print(json.dumps({"holds": holds, "provinces": result}, ensure_ascii=False))
        return 0 if holds else 1
    if not result:
        print("Nothing was checked: this store has no province. Name the right one (--data-dir or --store).")
    for code, one in result.items():
        _tell(code, one)
    return 0 if holds else 1


def _tell(code: str, one: dict[str, object]) -> None:
    if "problem" in one:
        print(f"{code}: {one['problem']}")
        return
    differences = one["differences"]
    assert isinstance(differences, list | tuple)
    print(f"{code}: {one['ratings']} ratings in {one['chains']} chains, {one['sealed']} sealed in the log of changes")
    print(f"  log of changes: {one['entries']} entries, head {one['head']}")
    for each in differences:
        number = "" if each["rating"] is None else f"rating {each['rating']}: "
        place = f" ({each['source'] or 'before sources'}, {each['channel']}, received on day {each['received_day']})"
        print(f"  {number}{each['text']}{place}")
    if not differences:
        print("  nothing was changed, added or removed behind the application's back")
