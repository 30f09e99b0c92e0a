"""Set a box up by pages, as a clerk can, in a quarter of an hour: cameras and microphones are found, one picture is
shown to draw the citizen's region over, legal basis, notice, tablet and server are asked for, the configuration is
written and checked, and the box is started.

The technician runs it at the box, as root on an installed one. It prints an address and a one-time code; whoever opens
the address first and types the code sets the box up, nobody else. What was answered is kept, so that it can be left
and taken up again. It ends when the box is started, when nobody uses it for half an hour, after ten wrong codes, and
with Ctrl+C; then nothing of it can be reached until the technician runs it again.

On this machine's own address, unless --host names the one that the counter's tablet or laptop reaches: then its pages
are encrypted by a certificate made for this run (the browser warns; compare the digits that are printed).

  hailong edge assist                                     in a browser on the box itself
  hailong edge assist --host 10.0.0.2 --network-closed    from a tablet or laptop; 10.0.0.2 is the box's address
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.language import Message

PORT = 8098


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the configuration to write (default: the installed box's)"
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where the pages are served")
    parser.add_argument(
        "--port", type=int, default=PORT, metavar="N", help=Message("port of the pages ({port})", port=PORT)
    )
    parser.add_argument(
        "--network-closed",
        action="store_true",
        help="with --host: you state that nobody but the tablet or laptop reaches that address",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import logging

    from edge.assistant.devices import MachineEyes
    from edge.assistant.door import Door, Ending
    from edge.assistant.draft import load_draft
    from edge.assistant.hands import MachineHands
    from edge.assistant.pages import Assistant
    from edge.deploy.releases import Layout
    from edge.tablet.serve import TabletServer
    from pipeline.language import of_environment, translator

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    layout = Layout(Path("/"))
    path = (layout.config if args.config is None else args.config).resolve()
    require_closed(args.host, args.network_closed)
    draft, left = load_draft(path, str(layout.data) if path == layout.config else "data")
    addresses, door = own_addresses(), Door()
    with _certificate(args.host) as (certificate, digits):
        assistant = Assistant(
            draft,
            path,
            MachineEyes(["127.0.0.1", *addresses]),
            MachineHands(path),
            door,
            host=args.host,
            addresses=tuple(addresses),
            secure=certificate is not None,
        )
        server = TabletServer(assistant.app(), args.host, args.port, "assistant", certificate=certificate)
        server.start()
        _ = translator(of_environment(os.environ))
        place = f"[{args.host}]" if ":" in args.host else args.host
        said = [
            Message("Open: {address}", address=f"http{'s' if certificate else ''}://{place}:{server.port}/"),
            Message("Code: {code}", code=door.code),
        ]
        said += [Message("The browser warns of its certificate, which begins with {digits}", digits=digits)] * bool(
            digits
        )
        said += [Message("What was answered before is still there.")] * left
        for each in said:
            print(_(each), flush=True)
        try:
            ending = door.wait()
        finally:
            server.close()
            assistant.forget()
    print(_(_ENDED[ending.name]), flush=True)
    return 0 if ending is Ending.DONE else 1


_ENDED = {
    "DONE": Message("The box is set up. The assistant has ended."),
    "GUESSED": Message("A wrong code was typed too often: somebody guesses. Look who is on that network."),
    "IDLE": Message("Nobody has used the pages for a while. What was answered is kept: run the command again."),
}


def require_closed(host: str, stated: bool) -> None:
    """Refuse an address that others may reach, unless it is stated that they do not. Raises `ConfigError`."""
    from ipaddress import ip_address

    from edge.counters import is_loopback
    from pipeline.errors import ConfigError

    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is None or address.is_unspecified:
        raise ConfigError(
            Message("The assistant is served at one address of this machine, by its numbers."),
            Message("Name it: --host 10.0.0.2."),
        )
    if not is_loopback(host) and not stated:
        raise ConfigError(
            Message("Others may reach {address}.", address=host),
            Message("Where nobody but the tablet or laptop does, say so: --network-closed."),
        )


def own_addresses() -> list[str]:
    """This machine's IPv4 addresses, but its own loopback's."""
    import socket

    import psutil

    entries = [each for interface in psutil.net_if_addrs().values() for each in interface]
    found = {each.address for each in entries if each.family == socket.AF_INET}
    return sorted(address for address in found if not address.startswith("127."))


@contextlib.contextmanager
def _certificate(host: str) -> Iterator[tuple[tuple[str, str] | None, str]]:
    """A certificate where the pages leave this machine, and what it begins with."""
    from edge.counters import is_loopback

    if is_loopback(host):
        yield None, ""
        return
    from edge.assistant.certificate import own_certificate

    with own_certificate(host) as found:
        yield found
