"""Check that no rating was changed, added or removed behind the application's back.

Every row is held against the chain of its source, channel and day of receipt, every chain of a day that is over
against the digest in the log of changes, and every later change of a flag against the log's old and new values.
`--head FILE`: a head that was kept earlier (`changes.json` of an export); the log must still pass through it. Exit
code 1 where something does not hold, and where there is no province, so that nothing was checked.

    hailong audit ratings --json
    hailong audit ratings --head changes.json    nothing was rewritten since that export, either
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from pipeline.calendar import day_date
from pipeline.language import NOTHING, Day, Joined, Message, Number, Sentence
from pipeline.language.console import say, spoken
from server.commands.options import LOG_OF_CHANGES, NO_PROVINCE
from server.core.config import add_store_arguments, load_config, open_store
from server.ratings.audit import Difference, RatingsAudit


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
    from server.core.secret_keys import SHEET_KEY, read_secret
    from server.ratings.audit import audit_ratings
    from server.store.engine import read

    kept = None if args.head is None else read_head(args.head, args.key)
    config = load_config(args)
    engine = open_store(config)
    result: dict[str, RatingsAudit | Sentence] = {}
    holds = True
    with read(engine) as connection:
        for province in all_provinces(connection):
            scope = Scope(province.province_id)
            try:
                found = audit_ratings(connection, scope, lambda: read_secret(config, SHEET_KEY))
                if kept is not None and kept.province == province.code:
                    check_head(connection, scope, kept)
            except LogError as error:
                holds = False
                result[province.code] = error.said
                continue
            holds = holds and not found.differences
            result[province.code] = found
    engine.dispose()
    if kept is not None and kept.province not in result:
        raise InvalidError(
            Message("The head is of the province '{province}', which this store does not have.", province=kept.province)
        )
    holds = holds and bool(result)
    if args.json:
        provinces = {code: _as_json(one) for code, one in result.items()}
        print(json.dumps({"holds": holds, "provinces": provinces}, ensure_ascii=False))
        return 0 if holds else 1
    if not result:
        say(NO_PROVINCE)
    for code, one in result.items():
        _tell(code, one)
    return 0 if holds else 1


def _as_json(one: RatingsAudit | Sentence) -> dict[str, object]:
    if not isinstance(one, RatingsAudit):
        return spoken("problem", one)
    differences = [{**dataclasses.asdict(each), **spoken("text", each.text)} for each in one.differences]
    return {**dataclasses.asdict(one), "differences": differences}


def _tell(code: str, one: RatingsAudit | Sentence) -> None:
    if not isinstance(one, RatingsAudit):
        say(Message("{province}: {problem}", province=code, problem=one))
        return
    say(
        Message(
            "{province}: {ratings} ratings in {chains} chains, {sealed} sealed in the log of changes",
            province=code,
            ratings=Number(one.ratings),
            chains=Number(one.chains),
            sealed=Number(one.sealed),
        )
    )
    say(LOG_OF_CHANGES.with_params(entries=Number(one.entries), head=one.head), indent=2)
    for each in one.differences:
        say(_words(each), indent=2)
    if not one.differences:
        say(Message("nothing was changed, added or removed behind the application's back"), indent=2)


def _words(each: Difference) -> Sentence:
    """One difference with where it is; a row that is gone has no place any more."""
    where = (
        Message(
            "({source}, {channel}, received on {day})",
            source=each.source or Message("before sources"),
            channel=each.channel,
            day=Day(day_date(each.received_day)),
        )
        if each.channel
        else NOTHING
    )
    words = each.text
    if each.rating is not None:
        words = Message("rating {number}: {problem}", number=each.rating, problem=each.text)
    return Joined((words, where), " ") if where else words
