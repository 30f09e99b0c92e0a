"""Open everything that the box needs, one after the other, and say in words what is wrong and what to do.

Nothing is analysed, stored or sent: a picture and a piece of sound are read and forgotten, and what is poor about
them is told; at the server the box only knocks. With --face you sit at the citizen's place, and your own face is looked
for. Exit code 0 if the box would start and reach its server. As root on an installed box it runs within the walls of
the box's service, and finds what the service finds. A box that is at work meanwhile is asked how it is, and keeps its
port and its devices.

  hailong edge check --config /etc/hailong/edge.toml            everything
  hailong edge check --config /etc/hailong/edge.toml --offline  everything but the server, before it is there
  hailong edge check --config /etc/hailong/edge.toml --face     whether the camera sees a face well: yours
  hailong edge check --config /etc/hailong/edge.toml --pair-tablet  a code for another tablet
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path

from edge.commands.check_counters import check_counters, with_notices
from edge.commands.check_queue import check_queue
from edge.commands.finding import Finding
from edge.config import EdgeConfig, load_config
from edge.deploy.service import ask_running_box
from pipeline.errors import HailongError, StoreError
from pipeline.language import Day, Joined, Message, of_environment, translator

MIN_FREE_BYTES = 200 * 1024 * 1024
SERVER_WAIT_S = 8.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the box's edge.toml")
    parser.add_argument(
        "--pair-tablet",
        nargs="?",
        const="",
        metavar="COUNTER",
        help="make a one-time code for another tablet, of a hall at that counter",
    )
    parser.add_argument(
        "--face",
        nargs="?",
        const="",
        metavar="COUNTER",
        help="say how large your own face is at the citizen's place, of a hall at that counter's",
    )
    parser.add_argument("--offline", action="store_true", help="do not knock at the server")
    parser.add_argument("--beside", action="store_true", help="another release is at work: do not judge that one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.deploy.service import run_as_service

    again = ["edge", "check", "--config", str(args.config.resolve())]
    flags = {"offline": "--offline", "beside": "--beside", "json": "--json"}
    again += [flag for name, flag in flags.items() if getattr(args, name)]
    if args.pair_tablet is not None:
        again += ["--pair-tablet", *([args.pair_tablet] if args.pair_tablet else [])]
    if args.face is not None:
        again += ["--face", *([args.face] if args.face else [])]
    done = run_as_service(args.config, again)
    if done is not None:
        return done
    if args.pair_tablet is not None:
        _pair(load_config(args.config), args.pair_tablet)
    report: Callable[[Finding], None] = (lambda _finding: None) if args.json else _print
    findings = check(args.config, args.offline, report, args.beside, args.face)
    wrong = sum(finding.state == "wrong" for finding in findings)
    if args.json:
        _ = translator(of_environment(os.environ))
        found = {"ok": wrong == 0, "findings": [asdict(finding) | {"said": _said(finding, _)} for finding in findings]}
        print(json.dumps(found, ensure_ascii=False))
    else:
        _ = translator(of_environment(os.environ))
        print(
            _("The box can start.")
            if wrong == 0
            else _("The box cannot work yet: {wrong} thing(s) to mend.", wrong=wrong)
        )
    return 0 if wrong == 0 else 1


def _pair(config: EdgeConfig, name: str) -> None:
    """Make a code for another tablet. Raises `ConfigError` where it cannot be known at which counter."""
    from edge.tablet.pairing import pairing_of

    pairing_of(config, config.counter_named(name)).new_code()


_MARKS = {"ok": Message("ok"), "warning": Message("note"), "wrong": Message("WRONG"), "skipped": Message("–")}
_PLACES = {
    "configuration": Message("configuration"),
    "running box": Message("running box"),
    "legal basis": Message("legal basis"),
    "unit": Message("unit of the service"),
    "privacy": Message("privacy"),
    "clock": Message("clock"),
    "disk": Message("disk"),
    "record": Message("record"),
    "keys": Message("keys"),
    "enrolment": Message("enrolment"),
    "tablet": Message("tablet"),
    "tablet port": Message("tablet port"),
    "queue port": Message("queue port"),
    "queue system": Message("queue system"),
    "models": Message("models"),
    "counters": Message("counters"),
    "camera": Message("camera"),
    "face": Message("face"),
    "microphone": Message("microphone"),
    "server": Message("server"),
}
"""What a finding's place is called; its own word is for the JSON."""


def _said(finding: Finding, _: Callable[..., str]) -> dict[str, str]:
    """A finding's words in the language of the environment."""
    return {"what": _(_PLACES[finding.what]), "text": _(finding.text), "fix": _(finding.fix)}


def _print(finding: Finding) -> None:
    """In the language of the terminal. What is of a counter is a row of a table: its name, the part, what was found."""
    _ = translator(of_environment(os.environ))
    place = _(_PLACES[finding.what])
    where = f"{finding.counter:<12} {place:<14} " if finding.counter else f"{place}: "
    print(f"  {_(_MARKS[finding.state]):<7}{where}{_(finding.text)}", flush=True)
    if finding.fix:
        print(f"         -> {_(finding.fix)}", flush=True)


def check(
    path: Path,
    offline: bool = False,
    report: Callable[[Finding], None] = lambda _finding: None,
    beside: bool = False,
    face: str | None = None,
) -> list[Finding]:
    """Every check in order; `report` hears each as it is made. `beside`: this is another release than the one at work,
    whose troubles are told but not judged. `face`: the counter (of a hall, else empty) at whose citizen's place the
    technician sits, and asks how large his face is. Never raises for what is wrong with the box."""
    findings: list[Finding] = []

    def note(found: Finding) -> None:
        findings.append(found)
        report(found)

    try:
        config = load_config(path)
    except HailongError as error:
        note(Finding("configuration", "wrong", error.message, error.fix))
        return findings
    note(Finding("configuration", "ok", Message("{name} is valid", name=path.name)))
    for sentence in config.warnings(_today(config)):
        note(Finding("configuration", "warning", sentence))
    running = ask_running_box(config.tablet)
    if running is not None:
        note(_running(running, judged=not beside))
    for what, look in _CHECKS:
        if what == "unit" and beside:
            note(Finding(what, "skipped", Message("the new release writes its own")))
        else:
            note(_try(what, look, config, running is not None))
    if config.counter:
        count = len(config.counters)
        note(Finding("counters", "ok", Message("{count}, all of them tried side by side", count=count)))
    for found in check_counters(config, running is not None, face):
        note(found)
    if config.queue.reached is not None and not offline:
        note(_try("queue system", check_queue, config, running is not None))
    if offline:
        note(Finding("server", "skipped", Message("not asked (--offline)")))
    else:
        note(_try("server", _server, config, running is not None))
    return findings


def _today(config: EdgeConfig) -> date | None:
    from pipeline.calendar import day_at, day_date
    from pipeline.privacy.clock import SystemClock

    clock = SystemClock(assume_synchronised=config.box.demo)
    return day_date(day_at(clock.wall_s())) if clock.trusted() else None


def _legal(config: EdgeConfig) -> Finding:
    legal = config.legal
    if legal.asks_consent:
        return Finding("legal basis", "ok", Message("consent: nothing is opened before the citizen touches yes"))
    due = Day(legal.check_due) if legal.check_due else "–"
    held = Message("state_activity by decision {number}, next check due {due}", number=legal.decision_number, due=due)
    today = _today(config)
    if config.has_source and today is not None and not legal.allows(today):
        fix = Message("Make the periodic check and set [legal] last_check; until then only ratings are taken.")
        return Finding("legal basis", "wrong", Message("{held}: it does not hold today", held=held), fix)
    return Finding("legal basis", "ok", held)


def _try(what: str, look: Callable[[EdgeConfig], Finding], config: EdgeConfig, is_running: bool) -> Finding:
    try:
        return look(config)
    except HailongError as error:
        if is_running and what in ("tablet port", "queue port"):
            return Finding(what, "ok", Message("held by the box that is at work"))
        return Finding(what, "wrong", error.message, error.fix)


def _unit(config: EdgeConfig) -> Finding:
    from edge.deploy.releases import Layout
    from edge.deploy.unit import Needs, written_for

    unit = Layout(Path("/")).unit
    if not unit.exists():
        return Finding("unit", "skipped", Message("not installed as a service"))
    if written_for(unit.read_text(encoding="utf-8")) != Needs.of(config).digest():
        text = Message("the service's unit was not written for this configuration: the box would not start")
        return Finding("unit", "wrong", text, Message("Run as root: hailong edge apply"))
    return Finding("unit", "ok", Message("fits the configuration"))


def _running(told: dict[str, object], judged: bool) -> Finding:
    from edge.capture.quality import NOTICES
    from edge.deploy.notify import status_text

    text = status_text(told)
    notices = [key for key in str(told.get("notices", "")).split() if key in NOTICES]
    good = told["state"] in ("OK", "STARTING", "ANALYSIS_OFF") and not told["problem"] and not told["failing"]
    if good and told["server_answers"]:
        return with_notices(Finding("running box", "ok", text), notices)
    # a clock that is not trusted yet has a finding of its own, with what to do
    wrong = judged and not good and told["state"] != "CLOCK_UNTRUSTED"
    fix = Message("Its journal says more: journalctl --namespace hailong")
    return Finding("running box", "wrong" if wrong else "warning", text, fix)


def _privacy(config: EdgeConfig) -> Finding:
    from pipeline.privacy.sealing import Sealer

    config.privacy.require_staff_protection()
    Sealer(config.box.data_dir / "release.sealed", config.privacy.at_rest)
    policy = config.privacy
    spent = (policy.pulse_epsilon_milli + policy.evidence_epsilon_milli) / 1000
    return Finding(
        "privacy",
        "ok",
        Message("a visit costs at most epsilon {spent}; the running month's key has a safe place", spent=f"{spent:g}"),
    )


def _clock(config: EdgeConfig) -> Finding:
    from edge.commands.check_clock import clock_finding

    return clock_finding(taken_as_it_is=config.box.demo)


def _disk(config: EdgeConfig) -> Finding:
    folder = config.box.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".probe"
        probe.write_bytes(b"x")
        probe.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StoreError(
            Message("The data folder {folder} cannot be written ({strerror}).", folder=folder, strerror=error.strerror),
            Message("Check its owner and the disk."),
        ) from None
    free_mib = free // 2**20
    if free < MIN_FREE_BYTES:
        text = Message("only {free} MiB are free at {folder}", free=free_mib, folder=folder)
        return Finding("disk", "wrong", text, Message("Free 200 MiB at least."))
    return Finding("disk", "ok", Message("{free} MiB free at {folder}", free=free_mib, folder=folder))


def _record(config: EdgeConfig) -> Finding:
    from edge.delivery.sender import require_record

    require_record(config.server.record)
    if config.server.record is None:
        return Finding("record", "skipped", Message("none is kept"))
    return Finding("record", "ok", str(config.server.record))


def _keys(config: EdgeConfig) -> Finding:
    from edge.delivery.enrolment import own_keys

    return Finding("keys", "ok", Message("public key {key}", key=own_keys(config).curve_public_z85))


def _enrolment(config: EdgeConfig) -> Finding:
    from edge.delivery.enrolment import load_enrolment

    return Finding("enrolment", "ok", Message("epoch {number}", number=load_enrolment(config).epoch))


def _tablet_port(config: EdgeConfig) -> Finding:
    places = [(config.tablet.host, config.tablet.port)]
    places += [(config.tablet_host(each), each.tablet.port) for each in config.counters if each.tablet.port is not None]
    for host, port in places:
        _can_be_served("tablet", host, port)
    return Finding("tablet port", "ok", Joined([_served(host, port) for host, port in places], ", "))


def _queue_port(config: EdgeConfig) -> Finding:
    port = config.queue.served_port
    if port is None:
        return Finding("queue port", "skipped", Message("no address of its own"))
    _can_be_served("queue", config.queue.host, port)
    return Finding("queue port", "ok", _served(config.queue.host, port))


def _served(host: str, port: int) -> Message:
    return Message("{host}:{port} can be served", host=host, port=port)


def _can_be_served(section: str, host: str, port: int) -> None:
    from edge.tablet.serve import not_served

    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        raise not_served(section, host, port, error) from None


def _models(config: EdgeConfig) -> Finding:
    if not config.has_source:
        return Finding("models", "skipped", Message("no camera and no microphone"))
    from edge.perception.analysis import network_options
    from edge.perception.networks import load_networks

    networks = load_networks(network_options(config))
    return Finding(
        "models",
        "warning" if networks.notices else "ok",
        Joined((Message("{count} files of weights loaded.", count=len(networks.digests)), *networks.notices), " "),
    )


def _server(config: EdgeConfig) -> Finding:
    """Greet the server as the box does at every start."""
    import secrets

    import zmq

    from edge.delivery.enrolment import load_enrolment, own_keys
    from edge.delivery.sender import open_dealer
    from pipeline import wire
    from pipeline.errors import ConfigError
    from pipeline.framing import REPLY_BYTES, pad, unpad
    from pipeline.keys import public_key_bytes

    address = config.server.address
    epoch, keys = load_enrolment(config).epoch, own_keys(config)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    dealer = open_dealer(context, address, public_key_bytes(config.server.public_key), keys)
    begun_s = time.monotonic()
    try:
        hello = wire.Hello(version=1, epoch=epoch, sequence=0, nonce=secrets.randbits(64))
        let_in = bool(dealer.poll(int(SERVER_WAIT_S * 1000), zmq.POLLOUT))
        if let_in:
            dealer.send(pad(wire.encode(hello)), zmq.NOBLOCK)
        if not let_in or not dealer.poll(int(SERVER_WAIT_S * 1000)):
            raise ConfigError(
                Message("The server at {address} does not answer.", address=address), _why_silent(address)
            )
        reply = wire.decode_reply(unpad(dealer.recv(), REPLY_BYTES))
    finally:
        dealer.close(linger=0)
        context.term()
    if isinstance(reply, wire.Refusal):
        return Finding(
            "server",
            "wrong",
            Message("refuses this box: {reason}", reason=reply.reason.name),
            _REFUSAL_FIX.get(reply.reason.name, ""),
        )
    return Finding(
        "server",
        "ok",
        Message("{address} knows this box ({ms} ms)", address=address, ms=round(1000 * (time.monotonic() - begun_s))),
    )


_REFUSAL_FIX = {
    "UNKNOWN_BOX": Message("Its key is not allowed any more: ask for a code and run hailong keys enroll."),
    "EPOCH_RETIRED": Message("Another machine has taken this box's place: ask for a code and run hailong keys enroll."),
    "STORE_UNAVAILABLE": Message(
        "The server's data base does not answer; the box will keep its releases and try again."
    ),
}


def _why_silent(address: str) -> Message:
    """Tell a dead address from a wrong key by whether the port takes a connection."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=3.0):
            pass
    except socket.gaierror:
        return Message("The name {host} is not known: check [server] address and the name server.", host=host)
    except OSError as error:
        return Message(
            "Port {port} of {host} takes no connection ({reason}): is it running, is a firewall between?",
            port=port,
            host=host,
            reason=error.strerror or Message("timed out"),
        )
    return Message(
        "Something takes connections there, but does not let this box in: check [server] public_key, and whether the "
        "box was revoked (hailong-server enroll --list)."
    )


_CHECKS: tuple[tuple[str, Callable[[EdgeConfig], Finding]], ...] = (
    ("legal basis", _legal),
    ("unit", _unit),
    ("privacy", _privacy),
    ("clock", _clock),
    ("disk", _disk),
    ("record", _record),
    ("keys", _keys),
    ("enrolment", _enrolment),
    ("tablet port", _tablet_port),
    ("queue port", _queue_port),
    ("models", _models),
)
