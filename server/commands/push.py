"""Figures for one neighbour: what was sent, what it has taken, and what is sent now.

    hailong server push                       what was sent of which period, and whether there is a receipt
    hailong server push --period 2026-Q3      send the published figures of a closed period; once for each version
    hailong server push --period 2026-Q3 --show    print what would be sent
    hailong server push --again               try once more what the neighbour did not take in three days
    hailong server push --secret              the secret with which the neighbour checks the signature

The address stands in the province's settings (page Settings). The newest closed quarter goes by itself. Only what the
pages show is sent, under the same rule of suppression. A running server delivers what this command sends.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from pipeline.language import Day, Joined, Message, Spoken
from pipeline.language.console import say
from server.core.config import add_province_argument, add_store_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server push`."""
    add_store_arguments(parser)
    add_province_argument(parser)
    parser.add_argument("--show", action="store_true", help="with --period: print the body, send nothing")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--period", metavar="PERIOD", help="a closed year, quarter or month: 2026, 2026-Q3, 2026-09")
    what.add_argument("--again", action="store_true", help="try once more what was given up")
    what.add_argument("--secret", action="store_true", help="print the secret of the signature (whsec_...)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """List, send, or tell the secret."""
    from pipeline.calendar import day_date, parse_period
    from pipeline.errors import InvalidError
    from server.core.config import load_config, open_store
    from server.core.provinces import find_province
    from server.core.secret_keys import ALERT_KEY, read_secret
    from server.outbox.webhook import secret_of, written
    from server.reports.neighbour import SECRET_OF, make_figures, note_receipts, push, pushes, try_again
    from server.store.engine import read, write

    if args.show and not args.period:
        raise InvalidError(Message("--show needs --period."))
    config = load_config(args)
    engine = open_store(config)
    with read(engine) as connection:
        province = find_province(connection, args.province)
    if args.secret:
        secret = written(secret_of(read_secret(config, ALERT_KEY), province.code, SECRET_OF))
        print(json.dumps({"secret": secret}) if args.json else secret)
        return 0
    figures = None
    if args.period:
        with read(engine) as connection:
            figures = make_figures(connection, province.province_id, parse_period(args.period))
        if args.show:
            print(figures.body)
            return 0
    with write(engine) as connection:
        note_receipts(connection, province.province_id)
        if figures is not None:
            push(connection, province.province_id, figures)
        elif args.again:
            try_again(connection, province.province_id)
        found = pushes(connection, province.province_id)
    engine.dispose()
    if args.json:
        rows = [{**asdict(one), "problem": str(one.problem or "")} for one in found]
        print(json.dumps({"pushes": rows}, ensure_ascii=False))
        return 0
    for one in found:
        state: Spoken = Message("given up") if one.given_up else Message("waits")
        if one.received_day is not None:
            state = Message("taken on {day}", day=Day(day_date(one.received_day)))
        elif one.problem:
            state = Joined((state, one.problem), ": ")
        sent = Day(day_date(one.day))
        say(
            Message(
                "{period} {version} sent on {day}: {state}",
                period=one.period,
                version=one.version,
                day=sent,
                state=state,
            )
        )
    say(Message("{count} sent.", count=len(found)))
    return 0
