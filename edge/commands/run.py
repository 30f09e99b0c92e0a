"""Run this counter's box until it is told to stop (SIGTERM, SIGINT).

SIGHUP (`systemctl reload hailong-edge`) reads the configuration anew: the file is checked first, and one that is wrong,
or with which the box cannot be opened, changes nothing but the log. A right one ends the open visit and the sheet that
is being filled in, and the box begins anew with it.

Everything is opened and checked before anything is looked at, sent or served; a wrong configuration starts nothing. Try
`hailong edge check` first.

With --json lines of JSON go to standard output: {"ready": true, "tablet": "http://..."} once the box is at work, and
whenever it has begun anew; its totals at the end. In a demo ([box] demo = true) the end closes the running periods,
sends them, and waits at most --flush-s seconds for the server's acknowledgements; otherwise what waits stays in the
outbox until the next start.

  hailong edge run --config edge.toml
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.language import Joined, Message, Sentence
from pipeline.language.console import say

if TYPE_CHECKING:
    from edge.box import Box
    from edge.config import EdgeConfig

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the box's edge.toml")
    parser.add_argument("--json", action="store_true", help="print JSON lines: ready, and totals at the end")
    parser.add_argument(
        "--flush-s", type=float, default=20.0, metavar="S", help="demo: wait so long for acknowledgements at the end"
    )
    parser.add_argument(
        "--until-file-ends", action="store_true", help="demo: stop when camera and microphone files have been played"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.config import load_config
    from edge.deploy.notify import StatusNotice, notify
    from edge.deploy.unit import require_fitting_unit
    from edge.perception.scrub import ENVIRONMENT, scrub_freed_memory
    from pipeline.stopping import ReloadRequest, StopRequest

    overwrites = scrub_freed_memory()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    if not overwrites:
        wanted = " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
        _log.warning("freed memory is not overwritten in all sizes: run hailong edge apply, or start with %s", wanted)
    config = load_config(args.config)
    require_fitting_unit(config)
    stop, reload = StopRequest(), ReloadRequest()
    stop.listen()
    reload.listen()
    box = _begin(config, args.json)
    notice = StatusNotice()
    while not stop.wait(0.2):
        notice.publish(box.status())
        if args.until_file_ends and box.analysis is not None and box.analysis.has_ended:
            break
        if reload.answer():
            box = _begin_anew(box, args.config, args.json)
        elif box.analysis_due != (box.analysis is not None):
            _log.warning("the legal basis has begun or ceased to hold: the box begins anew")
            box.stop(for_good=False)
            box = _begin(box.config, args.json)
        elif box.instrument_due:
            _log.warning("another version of the instrument has begun: the box begins anew")
            box.stop(for_good=False)
            box = _begin(box.config, args.json)
    notify("STOPPING=1")
    totals = box.stop(args.flush_s)
    figures = ", ".join(f"{name}: {value}" for name, value in totals.items())
    _tell(args.json, totals, Joined((Message("Stopped."), figures), " "))
    return 0


def _begin(config: EdgeConfig, as_json: bool) -> Box:
    from edge.box import Box
    from edge.deploy.notify import notify

    box = Box.open(config)
    box.start()
    notify("READY=1")
    tablet = f"http://{_host(config.tablet.host)}:{box.tablet.port}"
    _tell(as_json, {"ready": True, "tablet": tablet}, Message("The box is at work. Tablet: {address}", address=tablet))
    return box


def _begin_anew(box: Box, path: Path, as_json: bool) -> Box:
    """The box with the configuration as it is in the file now, or the same one where that is wrong."""
    from edge.config import load_config
    from edge.deploy.unit import require_fitting_unit
    from pipeline.errors import HailongError

    try:
        config = load_config(path)
        if config == box.config:
            _log.info("the configuration has not changed")
            return box
        require_fitting_unit(config)
        box.check(config)
    except HailongError as error:
        _log.error("the configuration is not taken, the one before stays: %s", error)
        return box
    box.stop(for_good=False)
    try:
        anew = _begin(config, as_json)
    except HailongError as error:
        _log.error("the box cannot be opened with the configuration, the one before stays: %s", error)
        return _begin(box.config, as_json)
    _log.info("the configuration was read anew")
    return anew


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _tell(as_json: bool, values: dict[str, object] | dict[str, int | float], sentence: Sentence) -> None:
    if as_json:
        print(json.dumps(values), flush=True)
    else:
        say(sentence)
