"""Check that the server's store holds nothing finer or older than the policy: schema, retention, log of changes.

No column may hold a picture, a sound or a time finer than a day about a citizen; the access log and contacts end on
their day; the log of changes is whole. With --canary it reads the files as somebody with the disk would (data base,
write-ahead log, free pages, backups, temporary files) for numbers that have been deleted. Exit code 1 where something
does not hold, and where there is no province, so that nothing was checked.

    hailong audit retention --json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from server.core.config import add_store_arguments, load_config, open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong audit retention`."""
    parser.add_argument("--json", action="store_true", help="findings by province as JSON")
    parser.add_argument(
        "--canary",
        action="append",
        default=[],
        metavar="NUMBER",
        help="a deleted number: may stand in no file",
    )
    parser.add_argument(
        "--files", action="append", default=[], type=Path, metavar="PATH", help="search there too, such as backups"
    )
    parser.add_argument("--enforce", action="store_true", help="first delete what is past its retention")
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Look, and tell."""
    from pipeline.errors import LogError
    from server.core.changes import verify_changes
    from server.core.provinces import all_provinces
    from server.retention.policy import enforce, findings
    from server.retention.traces import files_of, forget, search
    from server.store.engine import read, write

    engine = open_store(load_config(args))
    if args.enforce:
        with write(engine) as connection:
            enforce(connection)
        forget(engine)
    result: dict[str, dict[str, object]] = {}
    with read(engine) as connection:
        for province in all_provinces(connection):
            found = [finding.words[1] for finding in findings(connection, province.province_id)]
            try:
                length, head = verify_changes(connection, province.province_id)
            except LogError as error:
                found.append(error.message)
                length, head = 0, ""
            result[province.code] = {"findings": found, "changes": length, "changes_head": head}
    paths, unread = files_of(engine, args.files) if args.canary else ([], [])
    traces = [f"{trace.path} at {trace.offset}: number {trace.number + 1}" for trace in search(paths, args.canary)]
    engine.dispose()
    holds = bool(result) and not any(one["findings"] for one in result.values()) and not traces and not unread
    nothing = "Nothing was checked: this store has no province. Name the right one (--data-dir or --store)."
    if args.json:
        problems = {} if result else {"problems": [nothing]}
        files = {"files": len(paths), "traces": traces, "unread": unread} if args.canary else {}
        print(json.dumps({"holds": holds, "provinces": result, **files, **problems}, ensure_ascii=False))
    elif not result:
        print(nothing)
    else:
        for code, one in result.items():
            findings_of = one["findings"] if isinstance(one["findings"], list) else []
            print(f"{code}: {'; '.join(findings_of) or 'nothing finer or older than the policy'}")
            print(f"  log of changes: {one['changes']} entries, head {one['changes_head']}")
        if args.canary:
            print(f"{len(paths)} files searched for {len(args.canary)} numbers: {len(traces)} traces")
            print("\n".join([*(f"  {trace}" for trace in traces), *(f"  not read: {one}" for one in unread)]))
    return 0 if holds else 1
