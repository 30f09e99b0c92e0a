"""Make a province, its administrator and, the first time, the server's keys and store.

It prints the administrator's one-time password, which has to be changed at the first log-in, and the public key that
boxes need. Run it once for every province that shares this server: provinces see nothing of each other.

    hailong server init --province tuyen-quang --name "Tỉnh Tuyên Quang" --name-en "Tuyen Quang Province"

Then: `hailong server run` (or start the service), log in, and `hailong server import agencies FILE`.
"""

from __future__ import annotations

import argparse
import json
import os
import re

from pipeline.language import PACKAGED, Message, Text
from pipeline.language.console import say
from server.commands.options import ONCE
from server.core.config import add_store_arguments, load_config, own_folder, own_keys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server init`."""
    parser.add_argument("--province", required=True, metavar="CODE", help="short code: a-z, 0-9, dash")
    parser.add_argument("--name", required=True, help="name in Vietnamese")
    parser.add_argument("--name-en", default="", help="name in English")
    parser.add_argument(
        "--name-in",
        action="append",
        default=[],
        metavar="LANGUAGE=NAME",
        help="name in a further language, such as tyz=... (again for each)",
    )
    parser.add_argument("--administrator", default="", metavar="NAME", help="user name (default: admin.CODE)")
    parser.add_argument(
        "--tiers",
        type=int,
        choices=(2, 3),
        default=2,
        help="levels to begin with: 2 province and commune, 3 districts too (2)",
    )
    parser.add_argument("--simulated", action="store_true", help="a province for trying things: every page says so")
    parser.add_argument("--json", action="store_true", help="print the result as JSON (it holds the password)")
    add_store_arguments(parser)


def _name(args: argparse.Namespace) -> Text:
    """The name in every language that is told. Raises `InvalidError`."""
    from pipeline.errors import InvalidError

    more = dict(given.partition("=")[::2] for given in args.name_in)
    for lang, name in more.items():
        if not re.fullmatch("[a-z]{2,3}", lang) or not name.strip():
            raise InvalidError(
                Message("'{given}' is no name in a language.", given=f"{lang}={name}"),
                Message("Write the language's code, = and the name: {example}.", example='--name-in tyz="…"'),
            )
    return Text.named(vi=args.name, **{"en": args.name_en, **more})


def run(args: argparse.Namespace) -> int:
    """Make what is missing, then the province."""
    from server.auth.users import make_user
    from server.core.provinces import make_province
    from server.store.engine import connect, write
    from server.store.tables.users import Role
    from server.store.upgrade import require_current, store_version, upgrade

    config = load_config(args)
    own_folder(config.data_dir)
    engine = connect(config.store_url)
    if store_version(engine) is None:
        upgrade(engine)
    require_current(engine)
    keys = own_keys(config)
    name = args.administrator or f"admin.{args.province}"
    with write(engine) as connection:
        province = make_province(
            connection,
            args.province,
            _name(args),
            simulated=args.simulated,
            tiers=args.tiers,
        )
        password = make_user(connection, province.province_id, name, Role.ADMINISTRATOR)
    engine.dispose()
    if args.json:
        result = {"province": args.province, "administrator": name, "password": password}
        print(json.dumps({**result, "server_key": keys.curve_public_z85, "data_dir": str(config.data_dir)}))
        return 0
    say(Message("Province: {code} ({name})", code=args.province, name=args.name))
    say(Message("Administrator: {name}", name=name))
    say(Message("One-time password: {password}   {once}", password=password, once=ONCE))
    say(Message("Server key for boxes: {key}", key=keys.curve_public_z85))
    say(Message("Folder: {path}", path=config.data_dir))
    say(Message("Next: {command}", command=start_command()))
    return 0


def start_command() -> str:
    """The command that starts the server, where it was installed as a package, as an image (hailong/oci_server), or
    neither."""
    if os.environ.get("container") in ("oci", "podman"):  # noqa: SIM112 (the name that container engines give)
        return "podman compose up -d"
    packaged = os.environ.get("HAILONG_SERVER_DIR") == PACKAGED
    return "systemctl enable --now hailong-server" if packaged else "hailong server run"
