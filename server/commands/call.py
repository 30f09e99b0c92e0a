"""The 1022 call centre's Asterisk: leads a call (AGI), begins calls (call files), lists the prompts to record.

    hailong server call answer --server URL --gateway CODE --key FILE
    hailong server call dial --server URL --gateway CODE --key FILE --lines 10
    hailong server call prompts

Runs on Asterisk's machine, as its user; the gateway (kind call) is made on the round's page. The lines of the dialplan
stand in docs/survey.md; cron calls `dial` every minute, which also deletes what Asterisk has not taken. Nobody is
called before 8 or after 17, on Sundays or public holidays. `*` says a question again, `#` ends the call. What no
person has recorded is said by espeak-ng, and a call says first that a machine reads.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError
from pipeline.language import Message, Plural
from pipeline.language.console import say

if TYPE_CHECKING:
    from server.channels.calls.client import Server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server call`."""
    parser.add_argument("what", choices=("answer", "dial", "prompts"), help="what to do")
    parser.add_argument("--server", metavar="URL", help="the survey's server, https://...")
    parser.add_argument("--gateway", metavar="CODE", help="the gateway's code")
    parser.add_argument("--key", type=Path, metavar="FILE", help="file with the gateway's key, for this user alone")
    parser.add_argument(
        "--sounds",
        type=Path,
        default=Path("/var/lib/asterisk/sounds/hailong"),
        help="folder of the prompts (/var/lib/asterisk/sounds/hailong)",
    )
    parser.add_argument(
        "--spool",
        type=Path,
        default=Path("/var/spool/asterisk/outgoing"),
        help="folder of Asterisk's call files (/var/spool/asterisk/outgoing)",
    )
    parser.add_argument("--channel", default="PJSIP/{phone}@trunk", help="how a number is called")
    parser.add_argument("--context", default="hailong", help="context of the dialplan that leads the call (hailong)")
    parser.add_argument("--lines", type=int, default=5, help="calls under way at once, at most (5)")


def run(args: argparse.Namespace) -> int:
    """Lead a call, begin calls, or list prompts."""
    if args.what == "prompts":
        return _prompts(args.sounds)
    server = _server(args)
    if args.what == "answer":
        return _answer(server, args.sounds)
    from datetime import datetime

    from pipeline.calendar import INDOCHINA
    from server.channels.calls.dialing import delete_left, dial

    if left := delete_left(args.spool):
        say(
            Plural(
                "{count} call not taken by Asterisk deleted.",
                "{count} calls not taken by Asterisk deleted.",
                count=left,
            )
        )
    now = datetime.now(INDOCHINA)
    begun = dial(server, args.spool, channel=args.channel, context=args.context, lines=args.lines, now=now)
    say(Plural("{count} call begun.", "{count} calls begun.", count=begun))
    return 0


def _server(args: argparse.Namespace) -> Server:
    from server.channels.calls.client import Server

    if not args.server or not args.gateway or not args.key:
        raise ConfigError(Message("--server, --gateway and --key are needed."))
    try:
        open_to_others = args.key.stat().st_mode & 0o077
        key = args.key.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        open_to_others, key = 0, ""
    if open_to_others or not re.fullmatch(r"[0-9a-f]{64}", key):
        raise ConfigError(
            Message("{file} is no gateway's key, or others may read it.", file=args.key),
            Message("Put in it the 64 letters that the round's page shows, and give it the mode 600."),
        )
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+/?", args.server):
        raise ConfigError(Message("The server's address is such as https://khaosat.example.vn."))
    return Server(args.server, args.gateway, key)


def _answer(server: Server, sounds: Path) -> int:
    from server.channels.calls.agi import Agi, HungUpError
    from server.channels.calls.answering import Answering, End
    from server.channels.calls.prompts import Prompts

    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    lines: list[Agi] = []

    def hung_up(_number: int, _frame: object) -> None:
        for line in lines:
            line.hung_up = True

    signal.signal(signal.SIGHUP, hung_up)  # else a hang-up would end this program before the server is told
    try:
        lines.append(Agi(sys.stdin, sys.stdout))
    except HungUpError:
        return 1
    end = Answering(server, Prompts(sounds)).lead(lines[0])
    return 1 if end in (End.NO_SERVER, End.NO_SOUND) else 0


def _prompts(sounds: Path) -> int:
    from server.channels.calls.prompts import listed

    found = listed(sounds)
    for one in found:
        words = {"name": one.name, "text": one.text}
        said = Message("{name}, said by espeak-ng: {text}", **words)
        say(Message("{name}, recorded: {text}", **words) if one.recorded else said)
    say(Plural("{count} prompt.", "{count} prompts.", count=len(found)))
    return 0
