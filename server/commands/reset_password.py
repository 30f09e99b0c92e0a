"""Give a user a new one-time password, on the server itself: for an administrator who has lost the own one, or the
telephone of the second factor, which is taken away. Where passwords of accounts that are linked with a log-in service
let nobody in ([oidc] linked_passwords = false), the link is taken away, too: the service may be what does not answer.

    hailong server reset-password --user admin.tuyen-quang

Whoever can read the server's store can run it; nobody can over the network. The user's sessions end, the password is
shown once and has to be changed at the first log-in. The log of changes has it as made by a command on the server, and
the user reads that after the log-in.
"""

from __future__ import annotations

import argparse
import json

from pipeline.language import Message
from pipeline.language.console import say
from server.commands.options import ONCE
from server.core.config import add_province_argument, add_store_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_store_arguments(parser)
    add_province_argument(parser)
    parser.add_argument("--user", required=True, metavar="NAME", help="the name that the user logs in with")
    parser.add_argument("--json", action="store_true", help="print one JSON object (it holds the password)")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from server.auth.provider_accounts import may_use_password, unlink
    from server.auth.users import find_user, new_one_time_password, take_factor_away
    from server.core.config import load_config, open_store
    from server.core.provinces import find_province
    from server.core.scope import Scope
    from server.store.engine import write

    config = load_config(args)
    store = open_store(config)
    with write(store) as connection:
        province = find_province(connection, args.province)
        user_id = find_user(connection, Scope(province.province_id), args.user)
        password = new_one_time_password(connection, province.province_id, user_id, by=None)
        had_factor = take_factor_away(connection, province.province_id, user_id, by=None)
        had_link = not may_use_password(connection, config.oidc, province.province_id, user_id)
        if had_link:
            unlink(connection, province.province_id, user_id, by=None)
    if args.json:
        print(json.dumps({"user": args.user, "password": password, "factor_reset": had_factor, "unlinked": had_link}))
    else:
        say(Message("One-time password of {user}: {password}   {once}", user=args.user, password=password, once=ONCE))
        if had_factor:
            say(Message("The second factor was taken away, too: set up a new one on the account's page."))
        if had_link:
            say(Message("The link with the log-in service was taken away, too: link the account again on its page."))
    return 0
