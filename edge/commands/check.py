"""Open everything that the box needs, one after the other, and say in words what is wrong and what to do.

Nothing is analysed, stored or sent: a picture and a piece of sound are read and forgotten; at the server the box
only knocks. Exit code 0 if the box would start and reach its server.

  hailong edge check --config edge.toml
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from edge.capture.redaction import redacted
from edge.config import EdgeConfig, load_config
from pipeline.errors import HailongError, StoreError

MIN_FREE_BYTES = 200 * 1024 * 1024
SERVER_WAIT_S = 8.0
State = Literal["ok", "warning", "wrong", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one place. `fix`: what to do, empty where nothing is."""

    what: str
    state: State
    text: str
    fix: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the box's edge.toml")
    parser.add_argument("--pair-tablet", action="store_true", help="make a one-time code for another tablet")
    parser.add_argument("--offline", action="store_true", help="do not knock at the server")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.pair_tablet:
        from edge.tablet.pairing import Pairing

        Pairing(load_config(args.config).box.data_dir).new_code()
    findings = check(args.config, args.offline, (lambda _finding: None) if args.json else _print)
    wrong = sum(finding.state == "wrong" for finding in findings)
    if args.json:
        found = {"ok": wrong == 0, "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(found, ensure_ascii=False))
    else:
        print("The box can start." if wrong == 0 else f"The box cannot work yet: {wrong} thing(s) to mend.")
    return 0 if wrong == 0 else 1


_MARKS = {"ok": "  ok     ", "warning": "  note   ", "wrong": "  WRONG  ", "skipped": "  -      "}


def _print(finding: Finding) -> None:
    print(f"{_MARKS[finding.state]}{finding.what}: {finding.text}", flush=True)
    if finding.fix:
        print(f"         -> {finding.fix}", flush=True)


def check(
    path: Path, offline: bool = False, report: Callable[[Finding], None] = lambda _finding: None
) -> list[Finding]:
    """Every check in order; `report` hears each as it is made. Never raises for what is wrong with the box."""
    findings: list[Finding] = []

    def note(found: Finding) -> None:
        findings.append(found)
        report(found)

    try:
        config = load_config(path)
    except HailongError as error:
        note(Finding("configuration", "wrong", error.message, error.fix))
        return findings
    note(Finding("configuration", "ok", f"{path.name} is valid"))
    for sentence in config.warnings():
        note(Finding("configuration", "warning", sentence))
    for what, look in _CHECKS:
        if what == "server" and offline:
            note(Finding(what, "skipped", "not asked (--offline)"))
            continue
        try:
            note(look(config))
        except HailongError as error:
            note(Finding(what, "wrong", error.message, error.fix))
    return findings


def _privacy(config: EdgeConfig) -> Finding:
    from pipeline.privacy.sealing import Sealer

    config.privacy.require_staff_protection()
    Sealer(config.box.data_dir / "release.sealed", config.privacy.at_rest)
    policy = config.privacy
    spent = (policy.pulse_epsilon_milli + policy.evidence_epsilon_milli) / 1000
    return Finding(
        "privacy", "ok", f"a visit costs at most epsilon {spent:g}; the running month's key has a safe place"
    )


def _clock(config: EdgeConfig) -> Finding:
    from pipeline.privacy.clock import SystemClock

    if SystemClock(assume_synchronised=config.box.demo).trusted():
        return Finding("clock", "ok", "taken as it is (demo)" if config.box.demo else "synchronised")
    fix = "Enable time synchronisation: timedatectl set-ntp true, or run chrony."
    return Finding("clock", "warning", "not synchronised: the box counts, but releases nothing until it is", fix)


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
            f"The data folder {folder} cannot be written ({error.strerror}).", "Check its owner and the disk."
        ) from None
    free_mib = free // 2**20
    if free < MIN_FREE_BYTES:
        return Finding("disk", "wrong", f"only {free_mib} MiB are free at {folder}", "Free 200 MiB at least.")
    return Finding("disk", "ok", f"{free_mib} MiB free at {folder}")


def _keys(config: EdgeConfig) -> Finding:
    from edge.delivery.enrolment import own_keys

    return Finding("keys", "ok", f"public key {own_keys(config).curve_public_z85}")


def _enrolment(config: EdgeConfig) -> Finding:
    from edge.delivery.enrolment import load_enrolment

    return Finding("enrolment", "ok", f"epoch {load_enrolment(config).epoch}")


def _tablet(config: EdgeConfig) -> Finding:
    from edge.box import queue_token
    from edge.tablet.pairing import Pairing
    from edge.tablet.questionnaire import make_questionnaire
    from pipeline.instruments.library import load_instrument

    questions = make_questionnaire(
        load_instrument(config.tablet.instrument, folder=config.box.data_dir / "instruments"), config.tablet.form
    ).questions
    queue_token(config)
    host, port = config.tablet.host, config.tablet.port
    _can_be_served("tablet", host, port)
    if config.queue.enabled and config.queue.port is not None:
        _can_be_served("queue", config.queue.host, config.queue.port)
    found = f"{len(questions)} question(s) of instrument {config.tablet.instrument}, {host}:{port}"
    pairing = Pairing(config.box.data_dir)
    if config.tablet.is_loopback:
        return Finding("tablet", "ok", found)
    if pairing.code:
        return Finding("tablet", "warning", found, f"Open the page on the tablet and type the code {pairing.code}.")
    if not pairing.is_paired:
        return Finding("tablet", "warning", found, "No tablet is paired: run hailong edge check --pair-tablet.")
    return Finding("tablet", "ok", f"{found}, paired")


def _can_be_served(section: str, host: str, port: int) -> None:
    from pipeline.errors import ConfigError

    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        raise ConfigError(
            f"[{section}] cannot be served on {host}:{port} ({error.strerror}).",
            f"If the box is running, this is the box itself; otherwise choose another [{section}] port.",
        ) from None


def _models(config: EdgeConfig) -> Finding:
    if not config.has_source:
        return Finding("models", "skipped", "no camera and no microphone")
    from edge.perception.analysis import network_options
    from edge.perception.networks import load_networks

    networks = load_networks(network_options(config))
    notes = " ".join(networks.notices)
    return Finding(
        "models", "warning" if notes else "ok", f"{len(networks.digests)} files of weights loaded. {notes}".strip()
    )


def _camera(config: EdgeConfig) -> Finding:
    if config.camera.source == "none":
        return Finding("camera", "skipped", "none is named")
    from edge.capture.camera import Camera

    frame = Camera(config.camera.source).check()
    height_px, width_px = frame.pixels.shape[:2]
    return Finding("camera", "ok", f"{redacted(config.camera.source)} gives {width_px} x {height_px} pixels")


def _microphone(config: EdgeConfig) -> Finding:
    if config.microphone.source == "none":
        return Finding("microphone", "skipped", "none is named")
    from edge.capture.microphone import Microphone

    Microphone(config.microphone.source, channel=config.microphone.channel).check()
    return Finding("microphone", "ok", f"{redacted(config.microphone.source)}, channel {config.microphone.channel}")


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
            raise ConfigError(f"The server at {address} does not answer.", _why_silent(address))
        reply = wire.decode_reply(unpad(dealer.recv(), REPLY_BYTES))
    finally:
        dealer.close(linger=0)
        context.term()
    if isinstance(reply, wire.Refusal):
        return Finding(
            "server", "wrong", f"refuses this box: {reply.reason.name}", _REFUSAL_FIX.get(reply.reason.name, "")
        )
    return Finding("server", "ok", f"{address} knows this box ({1000 * (time.monotonic() - begun_s):.0f} ms)")


_REFUSAL_FIX = {
    "UNKNOWN_BOX": "Its key is not allowed any more: ask for a code and run hailong keys enroll.",
    "EPOCH_RETIRED": "Another machine has taken this box's place: ask for a code and run hailong keys enroll.",
    "STORE_UNAVAILABLE": "The server's data base does not answer; the box will keep its releases and try again.",
}


def _why_silent(address: str) -> str:
    """Tell a dead address from a wrong key by whether the port takes a connection."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=3.0):
            pass
    except socket.gaierror:
        return f"The name {host} is not known: check [server] address and the name server."
    except OSError as error:
        reason = error.strerror or "timed out"
        return f"Port {port} of {host} takes no connection ({reason}): is it running, is a firewall between?"
    return (
        "Something takes connections there, but does not let this box in: check [server] public_key, and whether the "
        "box was revoked (hailong server enroll --list)."
    )


_CHECKS: tuple[tuple[str, Callable[[EdgeConfig], Finding]], ...] = (
    ("privacy", _privacy),
    ("clock", _clock),
    ("disk", _disk),
    ("keys", _keys),
    ("enrolment", _enrolment),
    ("tablet", _tablet),
    ("models", _models),
    ("camera", _camera),
    ("microphone", _microphone),
    ("server", _server),
)
