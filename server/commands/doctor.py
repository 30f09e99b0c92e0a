"""Look at everything that the server needs, one after the other, and say in words what is wrong and what to do.

Nothing is changed. Where the server runs, its pages and the boxes' door are asked, too. Exit code 0 if nothing is
wrong; a note is no fault.

  hailong server doctor
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pipeline.language import Joined, Message, of_environment, translator
from server.core.config import ServerConfig, add_store_arguments, load_config

if TYPE_CHECKING:
    from sqlalchemy import Engine

MIN_FREE_BYTES = 1 << 30
State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one place. `fix`: what to do, empty where nothing is."""

    what: str
    state: State
    text: str
    fix: str = ""


_MARKS = {"ok": Message("ok"), "note": Message("note"), "wrong": Message("WRONG")}
_PLACES = {
    "configuration": Message("configuration"),
    "folder": Message("folder"),
    "keys": Message("keys"),
    "store": Message("store"),
    "disk": Message("disk"),
    "clock": Message("clock"),
    "pages": Message("pages"),
    "address": Message("address for citizens and staff"),
    "log-in service": Message("log-in service"),
    "boxes' door": Message("boxes' door"),
    "boxes": Message("boxes"),
    "neighbour": Message("neighbour that gets figures"),
}
"""What a finding's place is called; its own word is for the JSON."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server doctor`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Look, and tell."""
    findings = examine(args, (lambda _finding: None) if args.json else _print)
    wrong = sum(finding.state == "wrong" for finding in findings)
    if args.json:
        print(json.dumps({"ok": wrong == 0, "findings": [asdict(each) for each in findings]}, ensure_ascii=False))
    else:
        _ = translator(of_environment(os.environ))
        print(_("Nothing is wrong.") if wrong == 0 else _("{wrong} thing(s) to mend.", wrong=wrong))
    return 0 if wrong == 0 else 1


def _print(finding: Finding) -> None:
    _ = translator(of_environment(os.environ))
    print(f"  {_(_MARKS[finding.state]):<7}{_(_PLACES[finding.what])}: {_(finding.text)}", flush=True)
    if finding.fix:
        print(f"         -> {_(finding.fix)}", flush=True)


def examine(args: argparse.Namespace, report: Callable[[Finding], None]) -> list[Finding]:
    """Every look in order; `report` hears each as it is made. Never raises for what is wrong with the server."""
    from pipeline.errors import HailongError

    findings: list[Finding] = []

    def look(what: str, at: Callable[[], Finding]) -> bool:
        try:
            found = at()
        except HailongError as error:
            found = Finding(what, "wrong", error.message, error.fix)
        findings.append(found)
        report(found)
        return found.state != "wrong"

    configs: list[ServerConfig] = []
    engines: list[Engine] = []
    if not look("configuration", lambda: _configuration(args, configs)):
        return findings
    [config] = configs
    look("folder", lambda: _folder(config))
    look("keys", lambda: _keys(config))
    whole = look("store", lambda: _store(config, engines))
    look("disk", lambda: _disk(config))
    look("clock", _clock)
    look("pages", lambda: _pages(config))
    look("address", lambda: _address(config))
    look("log-in service", lambda: _provider(config))
    look("boxes' door", lambda: _door(config))
    if whole:
        look("boxes", lambda: _boxes(engines[0]))
        look("neighbour", lambda: _neighbour(engines[0]))
    for engine in engines:
        engine.dispose()
    return findings


def _configuration(args: argparse.Namespace, found: list[ServerConfig]) -> Finding:
    found.append(load_config(args))
    if found[0].demo:
        fix = Message("Leave demo out of server.toml, unless this is one.")
        return Finding("configuration", "note", Message("a demonstration: pages are read without log-in"), fix)
    return Finding("configuration", "ok", Message("{folder} is read", folder=found[0].data_dir))


def _folder(config: ServerConfig) -> Finding:
    if not config.data_dir.is_dir():
        text = Message("there is no folder {folder}", folder=config.data_dir)
        return Finding("folder", "wrong", text, Message("Run `hailong server init`."))
    mode = stat.S_IMODE(config.data_dir.stat().st_mode)
    if mode & 0o077:
        text = Message("others may look into {folder}", folder=config.data_dir)
        return Finding("folder", "wrong", text, Message("chmod 700 {folder}", folder=config.data_dir))
    return Finding("folder", "ok", Message("its owner's alone"))


def _keys(config: ServerConfig) -> Finding:
    from pipeline.keys import KEY_FILE_NAME, load_keys

    key = load_keys(config.keys_dir / KEY_FILE_NAME, "server").curve_public_z85
    return Finding("keys", "ok", Message("public key {key}", key=key))


def _store(config: ServerConfig, found: list[Engine]) -> Finding:
    from server.core.config import open_store
    from server.store.upgrade import store_version

    found.append(open_store(config))
    kind = "PostgreSQL" if found[0].dialect.name == "postgresql" else "SQLite"
    return Finding("store", "ok", Message("{kind}, version {version}", kind=kind, version=store_version(found[0])))


def _disk(config: ServerConfig) -> Finding:
    free = shutil.disk_usage(config.data_dir if config.data_dir.is_dir() else "/").free
    if free < MIN_FREE_BYTES:
        return Finding("disk", "wrong", Message("only {free} MiB are free", free=free >> 20), Message("Free 1 GiB."))
    return Finding("disk", "ok", Message("{free} MiB are free", free=free >> 20))


def _clock() -> Finding:
    from pipeline.privacy.clock import SystemClock

    if SystemClock().trusted():
        return Finding("clock", "ok", Message("synchronised"))
    fix = Message("apt install chrony: days and periods of retention are read off this clock.")
    return Finding("clock", "note", Message("not synchronised"), fix)


def _pages(config: ServerConfig) -> Finding:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.web.host, config.web.host)  # noqa: S104
    url = f"http://{f'[{host}]' if ':' in host else host}:{config.web.port}/api/v1/alive"
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with ask.open(url, timeout=5.0) as answer:
            answer.read(1_024)
    except (OSError, ValueError, urllib.error.URLError):
        fix = Message("Is the server running? systemctl status hailong-server, or hailong server run.")
        return Finding("pages", "note", Message("{url} does not answer", url=url), fix)
    return Finding("pages", "ok", Message("{url} answers", url=url))


def _address(config: ServerConfig) -> Finding:
    given = config.web.public_url
    if not given:
        fix = Message("Set [web] public_url: links and QR codes are made of it.")
        return Finding("address", "note", Message("none is set"), fix)
    if urlsplit(given).scheme != "https":
        fix = Message("Put a web server with TLS before the pages (docs/operation.md).")
        return Finding("address", "wrong", Message("{url} is not HTTPS", url=given), fix)
    if reached(given) is False:
        text = Message("{url} answers, but it is not this server that does", url=given)
        fix = Message("The web server before it must pass everything on from the root of a name of its own: location /")
        return Finding("address", "wrong", text, fix)
    return Finding("address", "ok", given)


def reached(url: str) -> bool | None:
    """Whether a server of ours answers at the root of an address; None where nothing answers, as from within a network
    whose own public address leads nowhere."""
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with ask.open(f"{url}/api/v1/alive", timeout=5.0) as answer:
            found = json.loads(answer.read(1_024))
    except urllib.error.HTTPError as error:
        return False if error.code < 500 else None  # 502: the server behind it does not run
    except (ValueError, RecursionError):
        return False
    except OSError:
        return None
    return bool(found == {"status": "ok"})


def _provider(config: ServerConfig) -> Finding:
    from server.auth.provider import provider_of

    provider = provider_of(config)
    if provider is None:
        return Finding("log-in service", "ok", Message("none: people log in with passwords"))
    if (keys := provider.check()) == 0:
        text = Message("{issuer} publishes no key for RS256 or ES256", issuer=config.oidc.issuer)
        return Finding("log-in service", "wrong", text, Message("Ask whoever runs it."))
    text = Message("{issuer} answers, {keys} key(s)", issuer=config.oidc.issuer, keys=keys)
    return Finding("log-in service", "ok", text)


def _door(config: ServerConfig) -> Finding:
    place = urlsplit(config.ingest.address)
    host = place.netloc.rsplit(":", 1)[0].strip("[]")
    port = int(place.netloc.rsplit(":", 1)[1])
    try:
        with socket.create_connection(("127.0.0.1" if host in ("*", "0.0.0.0") else host, port), timeout=5.0):  # noqa: S104
            pass
    except OSError:
        text = Message("nothing listens at {address}", address=config.ingest.address)
        return Finding("boxes' door", "note", text, Message("It does while the server runs."))
    return Finding("boxes' door", "ok", Message("{address} is open", address=config.ingest.address))


def _boxes(engine: Engine) -> Finding:
    from server.boxes.health import box_states
    from server.core.provinces import all_provinces
    from server.store.engine import read

    with read(engine) as connection:
        states = [
            box
            for province in all_provinces(connection)
            for box in box_states(connection, province.province_id)
            if not box.simulated
        ]
    fine = sum(box.fine for box in states)
    text = Message("{fine} of {all} boxes need nobody.", fine=fine, all=len(states))
    fix = Message("The page of the boxes' health names the others.") if fine < len(states) else ""
    return Finding("boxes", "note" if fix else "ok", text, fix)


def _neighbour(engine: Engine) -> Finding:
    from server.core.provinces import all_provinces
    from server.reports.neighbour import neighbour, pushes
    from server.store.engine import read

    with read(engine) as connection:
        served = [one.province_id for one in all_provinces(connection) if neighbour(connection, one.province_id)]
        sent = [one for province_id in served for one in pushes(connection, province_id)]
    if not served:
        return Finding("neighbour", "ok", Message("none is set"))
    for one in reversed(sent):
        if one.given_up or one.problem is not None:
            why = Joined(
                (one.problem or Message("nobody has taken them"), f" ({one.their_status})" if one.their_status else ""),
                "",
            )
            text = Message("The figures of {period} have no receipt: {why}.", period=one.period, why=why)
            if not one.given_up:
                return Finding("neighbour", "note", text, Message("They are tried again by themselves for three days."))
            return Finding("neighbour", "wrong", text, Message("Mend it, then run `hailong server push --again`."))
    taken = sum(one.received_day is not None for one in sent)
    text = Message("{taken} of {all} periods have a receipt.", taken=taken, all=len(sent))
    return Finding("neighbour", "ok", text)
