"""What needs somebody: open alerts, and a test of the ways by which they go out.

    hailong server alerts                     open alerts, where alerts go, letters that wait
    hailong server alerts --test              send a test by mail and webhook now, and say what came of it
    hailong server alerts --secret            the secret with which a receiver checks the webhook's signature

Where they go stands in the province's settings (page Settings); the mail server in server.toml, [mail]. The secret is
told by this command alone, to whoever has the machine. Exit code of --test: 0 where every way that is set took it.
"""

from __future__ import annotations

import argparse
import json
import secrets
from typing import TYPE_CHECKING

from pipeline.language import NOTHING, Joined, Message, Sentence
from pipeline.language.console import say, spoken
from server.core.config import add_province_argument, add_store_arguments

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from server.core.config import ServerConfig
    from server.core.provinces import Province


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server alerts`."""
    add_store_arguments(parser)
    add_province_argument(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--test", action="store_true", help="send a test by every way that is set")
    what.add_argument("--secret", action="store_true", help="print the secret of the webhook (whsec_...)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """List, test, or tell the secret."""
    from server.core.config import load_config, open_store
    from server.core.provinces import find_province
    from server.core.secret_keys import ALERT_KEY, read_secret
    from server.outbox.webhook import secret_of, written
    from server.store.engine import read

    config = load_config(args)
    engine = open_store(config)
    with read(engine) as connection:
        province = find_province(connection, args.province)
    if args.secret:
        secret = written(secret_of(read_secret(config, ALERT_KEY), province.code))
        print(json.dumps({"secret": secret}) if args.json else secret)
        return 0
    return _test(args, config, engine, province) if args.test else _list(args, engine, province)


def _test(args: argparse.Namespace, config: ServerConfig, engine: Engine, province: Province) -> int:
    from pipeline.calendar import now_s
    from pipeline.errors import InvalidError
    from server.alerts.letters import trial_letter, ways
    from server.outbox.delivery import UndeliveredError
    from server.outbox.sender import try_once
    from server.store.engine import read

    with read(engine) as connection:
        found = ways(connection, province.province_id)
    if not found:
        raise InvalidError(
            Message("Nothing says where alerts go."), Message("Set a mail address or a webhook on the page Settings.")
        )
    results: dict[str, Sentence] = {}
    for way, receiver in found:
        letter = trial_letter(way, receiver, province.name, now_s())
        try:
            try_once(config, way, f"msg_{secrets.token_hex(16)}", letter, province.code, now_s())
        except UndeliveredError as error:
            status = f" ({error.their_status})" if error.their_status else ""
            results[way.value] = Joined((error.message, status), "")
        else:
            results[way.value] = NOTHING
    if args.json:
        print(json.dumps({"ok": not any(results.values()), **spoken("problems", results)}, ensure_ascii=False))
    else:
        for name, problem in results.items():
            say(Message("{way}: {problem}", way=name, problem=problem or Message("taken")))
    return 1 if any(results.values()) else 0


def _list(args: argparse.Namespace, engine: Engine, province: Province) -> int:
    from server.alerts.kinds import AlertKind, words
    from server.alerts.letters import ways
    from server.alerts.watch import shown_alerts
    from server.core.scope import Scope
    from server.outbox.outbox import unsent
    from server.store.engine import read

    scope = Scope(province.province_id)
    with read(engine) as connection:
        still, _over = shown_alerts(connection, scope)
        goes = [way.value for way, _receiver in ways(connection, province.province_id)]
        waiting = [row._asdict() for row in unsent(connection, scope)]
    if args.json:
        rows = [{"kind": row.kind, "subject": row.subject, "opened_s": row.opened_s} for row in still]
        print(json.dumps({"open": rows, "ways": goes, "undelivered": waiting}, ensure_ascii=False))
        return 0
    for row in still:
        problem = words(AlertKind(row.kind), row.subject, row.detail)
        say(Message("{kind}: {problem}", kind=row.kind, problem=problem))
    by = ", ".join(goes) or Message("nothing (the page alone)")
    say(Message("{count} open. Sent by: {ways}.", count=len(still), ways=by))
    for one in waiting:
        say(
            Message(
                "{way}: {count} letters {state}: {why}",
                way=one["way"],
                count=one["count"],
                state=one["state"],
                why=f"{one['problem']} {one['their_status'] or ''}".strip(),
            )
        )
    return 0
