"""Asks by Zalo Notification Service, and takes the stars that people give there.

    hailong server zalo keys --app-id NUMBER
    hailong server zalo send --round CODE --template NUMBER --most 500
    hailong server zalo poll --template NUMBER

The template is one for rating a service, approved by Zalo, with one parameter for the unit's name. `keys` reads secret
key and refresh token, a line each, from standard input; afterwards they are renewed by themselves. `send` asks the
numbers of a round's list: a number is deleted with its sending. `poll` takes the first rating of each message as the
answer to the overall question; run it every hour. Nothing is sent before 7 and after 21.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from pipeline.errors import InvalidError
from pipeline.language import Message, Plural
from pipeline.language.console import say

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from server.channels.zalo.client import KeyFile, Zalo
    from server.core.scope import Scope


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server zalo`."""
    from server.commands.options import add_store

    parser.add_argument("what", choices=("keys", "send", "poll"), help="what to do")
    add_store(parser)
    parser.add_argument("--app-id", metavar="NUMBER", help="with keys: the application's number")
    parser.add_argument("--round", metavar="CODE", help="with send: the round whose numbers are asked")
    parser.add_argument("--template", metavar="NUMBER", help="the approved template")
    parser.add_argument("--parameter", default="don_vi", help="the template's parameter for the unit's name (don_vi)")
    parser.add_argument("--most", type=int, default=500, help="messages a day at most (500)")


def run(args: argparse.Namespace) -> int:
    """Keep keys, send or poll."""
    from server.channels.zalo.client import KeyFile, Zalo
    from server.commands.options import open_engine, province_id
    from server.core.config import load_config, own_folder
    from server.core.provinces import province_by_id
    from server.core.scope import Scope
    from server.store.engine import read

    config = load_config(args)
    engine = open_engine(args)
    with read(engine) as connection:
        scope = Scope(province_id(connection, args))
        code = province_by_id(connection, scope.province_id).code
    own_folder(config.keys_dir)
    keys = KeyFile(config.keys_dir / f"zalo-{code}.json")
    if args.what == "keys":
        return _keep(keys, args.app_id)
    if not args.template or not args.template.isdecimal():
        raise InvalidError(Message("--template is the number of an approved template."))
    done = _poll(engine, Zalo(keys), scope, args) if args.what == "poll" else _send(engine, Zalo(keys), scope, args)
    engine.dispose()
    return done


def _keep(keys: KeyFile, app_id: str | None) -> int:
    from server.channels.zalo.client import Keys

    secret, refresh = (sys.stdin.readline().strip() for _ in range(2))
    if not app_id or not secret or not refresh:
        raise InvalidError(Message("--app-id, and two lines of standard input: secret key and refresh token."))
    keys.write(Keys(app_id, secret, refresh))
    say(Message("The keys are kept in {path}.", path=keys.path))
    return 0


def _send(engine: Engine, zalo: Zalo, scope: Scope, args: argparse.Namespace) -> int:
    from datetime import datetime

    from pipeline.calendar import INDOCHINA
    from server.channels.zalo.sending import send_round, sent_today
    from server.retention.traces import forget
    from server.rounds.rounds import find_round
    from server.store.engine import read

    if not args.round:
        raise InvalidError(Message("--round is the code of the round whose numbers are asked."))
    with read(engine) as connection:
        number = find_round(connection, scope.province_id, code=args.round).id
    most = max(0, args.most - sent_today(engine, scope))
    how = {"template": args.template, "parameter": args.parameter}
    try:
        done = send_round(engine, zalo, scope, number, most=most, now=datetime.now(INDOCHINA), **how)
    finally:
        forget(engine)  # numbers that were deleted, out of the data base's log as well
    say(
        Message(
            "{sent} sent, {unreachable} not reached by Zalo, {unsure} not known, {put_back} left for later.",
            sent=done.sent,
            unreachable=done.unreachable,
            unsure=done.unsure,
            put_back=done.put_back,
        )
    )
    if done.stopped:
        say(Message("Zalo refused everything that followed (error {number}).", number=done.stopped), aside=True)
    return 1 if done.stopped or done.unsure else 0


def _poll(engine: Engine, zalo: Zalo, scope: Scope, args: argparse.Namespace) -> int:
    from server.channels.zalo.polling import Left, poll

    done = poll(engine, zalo, scope, template=args.template, now_s=time.time())
    words = {
        Left.NOT_OURS: Message("of no message of this province"),
        Left.BEFORE: Message("of messages that have been rated"),
        Left.EXPIRED: Message("too late"),
        Left.UNFIT: Message("without stars or a time"),
    }
    say(Plural("{count} rating taken.", "{count} ratings taken.", count=done.taken))
    for reason, count in sorted(done.left.items()):
        say(Message("{count} left: {reason}", count=count, reason=words[reason]), indent=2)
    return 0
