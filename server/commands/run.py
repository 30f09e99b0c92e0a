"""Run the server: web pages for people, and the door for boxes (ZeroMQ with CURVE), on one store.

Put a web server with TLS in front (see docs/operation.md). `hailong server init` comes first.

    hailong server run
    hailong server run --port 8443 --store postgresql://hailong@localhost/hailong
"""

from __future__ import annotations

import argparse
import sys
import threading

from pipeline.language import Message
from pipeline.language.console import say
from pipeline.stopping import StopRequest, end_process
from server.core.config import (
    IngestConfig,
    ServerConfig,
    add_store_arguments,
    load_config,
    open_store,
    require_workable,
)
from server.core.quiet_log import begin_log
from server.core.temporary import delete_own


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong server run`."""
    parser.add_argument("--host", default=None, help="address of the pages (default 127.0.0.1, or server.toml)")
    parser.add_argument("--port", type=int, default=None, help="port of the pages (default 8080, or server.toml)")
    parser.add_argument(
        "--insecure-cookies",
        action="store_true",
        help="send cookies over plain HTTP too: for trying things without TLS",
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="pages without log-in of the only, simulated province; boxes connect from this machine alone",
    )
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    stop = StopRequest()
    stop.interrupt()
    config = load_config(args)
    web = config.web.model_copy(
        update={name: value for name, value in (("host", args.host), ("port", args.port)) if value is not None}
        | ({"secure_cookies": False} if args.insecure_cookies else {})
    )
    config = config.model_copy(update={"web": web, "demo": config.demo or args.demo, "ingest": door(config, args.demo)})
    require_workable(config)
    begin_log(sys.stderr)
    engine = open_store(config)

    from server.service import Service

    try:
        with Service(engine, config) as service:
            say(Message("Pages: {address}", address=service.web_address))
            say(Message("Boxes: {address}  key {key}", address=service.ingest.endpoint, key=service.server_key))
            threading.Thread(target=load_slow_parts, name="warm-up", daemon=True).start()
            stop.listen()
            while service.is_alive and not stop.wait(0.5):
                pass
        say(Message("Stopped."), aside=True)
    finally:
        engine.dispose()
    delete_own()
    end_process(0)


def door(config: ServerConfig, demo: bool) -> IngestConfig:
    """Where boxes connect: with `--demo`, and nothing said in server.toml, on this machine alone. Whoever tries pages
    does not mean to open a port to a network."""
    if not demo:
        return config.ingest
    here = {name: getattr(config.ingest, name).replace("//*:", "//127.0.0.1:") for name in ("address", "enrol_address")}
    said = config.ingest.model_fields_set
    return config.ingest.model_copy(update={name: text for name, text in here.items() if name not in said})


def load_slow_parts() -> None:
    """Import what the first page would otherwise wait for."""
    import ibis

    del ibis
