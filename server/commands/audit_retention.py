"""Check that the server's store holds nothing finer or older than the policy: schema, retention, log of changes.

No column may hold a picture, a sound or a time finer than a day about a citizen; the access log and contacts end on
their day; the log of changes is whole. With --canary it reads the files as somebody with the disk would (data base,
write-ahead log, free pages, backups, temporary files) for numbers that have been deleted. Exit code 1 where something
does not hold, and where there is no province, so that nothing was checked.

    hailong audit retention --json > retention.json    for `hailong audit report --result retention.json`
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.language import Joined, Message, Number, Sentence
from pipeline.language.console import say, spoken
from server.commands.options import LOG_OF_CHANGES, NO_PROVINCE
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
    from server.core.temporary import delete_left
    from server.retention.policy import enforce, findings
    from server.retention.traces import files_of, forget, search
    from server.store.engine import read, write

    engine = open_store(load_config(args))
    if args.enforce:
        with write(engine) as connection:
            enforce(connection)
        forget(engine)
        delete_left()
    result: dict[str, _Found] = {}
    with read(engine) as connection:
        for province in all_provinces(connection):
            found: list[Sentence] = [finding.words for finding in findings(connection, province.province_id)]
            try:
                length, head = verify_changes(connection, province.province_id)
            except LogError as error:
                found.append(error.said)
                length, head = 0, ""
            result[province.code] = _Found(found, length, head)
    paths, unread = files_of(engine, args.files) if args.canary else ([], [])
    traces: list[Sentence] = [
        Message("{path} at {offset}: number {number}", path=trace.path, offset=trace.offset, number=trace.number + 1)
        for trace in search(paths, args.canary)
    ]
    engine.dispose()
    holds = bool(result) and not any(one.findings for one in result.values()) and not traces and not unread
    if args.json:
        problems = {} if result else spoken("problems", [NO_PROVINCE])
        files = {"files": len(paths), **spoken("traces", traces), **spoken("unread", unread)} if args.canary else {}
        provinces = {code: one.as_json() for code, one in result.items()}
        print(json.dumps({"holds": holds, "provinces": provinces, **files, **problems}, ensure_ascii=False))
        return 0 if holds else 1
    if not result:
        say(NO_PROVINCE)
        return 1
    for code, one in result.items():
        found = one.findings or [Message("nothing finer or older than the policy")]
        say(Message("{province}: {problem}", province=code, problem=Joined(found)))
        say(LOG_OF_CHANGES.with_params(entries=Number(one.changes), head=one.head), indent=2)
    if args.canary:
        say(
            Message(
                "{files} files searched for {numbers} numbers: {traces} traces",
                files=Number(len(paths)),
                numbers=Number(len(args.canary)),
                traces=Number(len(traces)),
            )
        )
        for trace in traces:
            say(trace, indent=2)
        for left in unread:
            say(Message("not read: {what}", what=left), indent=2)
    return 0 if holds else 1


@dataclass(frozen=True, slots=True)
class _Found:
    """Of one province: what speaks against the policy, entries of its log of changes, and that log's head."""

    findings: list[Sentence]
    changes: int
    head: str

    def as_json(self) -> dict[str, object]:
        return {**spoken("findings", self.findings), "changes": self.changes, "changes_head": self.head}
