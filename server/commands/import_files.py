"""Import agencies and services, transactions, answer sheets, enumerators, phone numbers and the counts of Decision 766
from CSV or XLSX (those of the national portal from its JSON, too).

    hailong server import --columns                                   what files there are, and their columns
    hailong server import agencies coquan.xlsx                        the first file of a province
    hailong server import transactions hoso-2026.csv --preview        look before anything is written
    hailong server import indicators766 cong.json --period 2026-09    counts of the national portal
    hailong server import ratings phieu.xlsx --channel paper --not-answered "-1 -99"    sheets typed elsewhere

All or nothing: where one row does not fit, nothing is imported and every bad row is told by number with all its
reasons. Every answer has a balance: rows, columns, sheets and cells read, used, ignored, refused. A file may be
imported twice: what is there is not added again. `--preview` only says what would happen. `--columns` lists the columns
of every kind; what else is understood stands in docs/inputs.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.language import Message, of_environment, translator
from pipeline.language.console import console_translator

if TYPE_CHECKING:
    from server.tabular.balance import Balance

PATIENCE = 10.0
"""An operator's own file may take ten times as long to read as an upload."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from server.commands.options import add_store
    from server.store.channels import CHANNELS

    parser.add_argument("kind", nargs="?", help="what the file holds: see --columns")
    parser.add_argument("file", nargs="?", type=Path, help="CSV, XLSX or JSON")
    add_store(parser)
    parser.add_argument("--columns", action="store_true", help="list the columns of every kind, and stop")
    parser.add_argument("--preview", action="store_true", help="check and count; write nothing")
    parser.add_argument("--instrument", default="2640", help="of the ratings (2640)")
    parser.add_argument("--version", type=int, help="of the instrument (the newest)")
    codes = ", ".join(channel.code for channel in CHANNELS if channel.in_files)
    parser.add_argument("--channel", help=Message("of ratings whose rows name none: {codes}", codes=codes))
    parser.add_argument("--batch", help="name of the delivery; keys rows without form codes (the file's content)")
    parser.add_argument("--period", help="of counts of Decision 766 whose rows name none: 2026-09, 2026-Q3, 2026")
    parser.add_argument("--round", help="code of the round, for phones")
    parser.add_argument("--not-answered", metavar="CODES", help='codes that stand for no answer, such as "-1 -99"')
    parser.add_argument(
        "--scale",
        metavar="WORST-BEST",
        help="numbers of the answers: 1-5 (usual; says that 0 is no answer), 5-1, 0-4, 4-0",
    )
    parser.add_argument("--zone", help="of times that name none: UTC, UTC+7 (usual), -06:00, America/Denver")
    parser.add_argument(
        "--ignore", action="append", metavar="NAME", help="heading of a column, or worksheet, to leave out; repeat it"
    )
    parser.add_argument(
        "--key-lost",
        action="store_true",
        help="sheets.secret is lost: import, though no sheet of before will be known again",
    )
    parser.add_argument("--json", action="store_true", help="result or bad rows as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Import, or say what is wrong with which row."""
    from pipeline.calendar import parse_period
    from pipeline.errors import ImportRowError, InvalidError
    from pipeline.instruments import load_instrument
    from server.commands.options import open_engine, province_id
    from server.core.config import load_config
    from server.core.labels import IMPORT_FIGURES
    from server.core.progress import Progress
    from server.core.scope import Scope
    from server.core.secret_keys import SHEET_KEY, read_secret
    from server.imports.kinds import find_kind
    from server.store.engine import read
    from server.tabular.scales import find_scale
    from server.tabular.spec import Options, import_file
    from server.tabular.times import find_zone
    from server.tabular.values import read_missing

    if args.columns:
        print(_columns(args.instrument))
        return 0
    if args.kind is None or args.file is None:
        raise InvalidError(
            Message("A kind and a file are needed."), Message("For example: hailong server import ratings forms.xlsx")
        )
    spec = find_kind(args.kind)
    engine = open_engine(args)
    progress = Progress(args.file.name, quiet=args.json or "instrument" not in spec.options)
    try:
        with read(engine) as connection:
            scope = Scope(province_id(connection, args))
        options = Options(
            instrument=load_instrument(args.instrument, args.version) if "instrument" in spec.options else None,
            channel=args.channel or "",
            batch=args.batch or "",
            period=parse_period(args.period) if args.period else None,
            round_code=args.round or "",
            not_answered=read_missing(args.not_answered or ""),
            scale=find_scale(args.scale or ""),
            zone=find_zone(args.zone or ""),
            ignored=tuple(args.ignore or ()),
            sheet_key=read_secret(load_config(args), SHEET_KEY) if "instrument" in spec.options else b"",
            key_lost=args.key_lost,
            preview=args.preview,
            patience=PATIENCE,
        )
        result = import_file(engine, scope, spec, args.file, options, progress=progress)
    except ImportRowError as error:
        _tell_refused(error, as_json=args.json)
        raise
    finally:
        progress.close()
        engine.dispose()
    figures = {one.name: getattr(result, one.name) for one in dataclasses.fields(result) if one.name != "balance"}
    if args.json:
        told = {**figures, "preview": args.preview, "balance": result.balance.to_dict()}
        print(json.dumps(told, ensure_ascii=False))
        return 0
    _ = translator(of_environment(os.environ))
    shown = ", ".join(
        f"{_(IMPORT_FIGURES[name])} {value}"
        for name, value in figures.items()
        if name in IMPORT_FIGURES and name != "by_agency"
    )
    done = _("preview, nothing written") if args.preview else _("imported")
    print(f"{done.capitalize()}: {shown}")
    for line in _told(result.balance, _):
        print(line)
    return 0


def _tell_refused(error: Any, *, as_json: bool) -> None:
    balance = error.balance.to_dict() if error.balance is not None else None
    if as_json:
        print(json.dumps({"error": error.message, "rows": error.rows, "balance": balance}, ensure_ascii=False))
        return
    _ = translator(of_environment(os.environ))
    for number, reason in error.rows[:50]:
        print(f"{_('row')} {number}: {_(reason)}", file=sys.stderr)
    if len(error.rows) > 50:
        more = _("... and {count} more (--json lists up to 1,000)", count=len(error.rows) - 50)
        print(more, file=sys.stderr)
    if error.balance is not None:
        for line in _told(error.balance, _):
            print(line, file=sys.stderr)


def _told(balance: Balance, _: Callable[..., str]) -> list[str]:
    """The balance in lines; what is nought is left out."""
    from server.imports.balance_text import COLUMNS, counts, notes

    lines = []
    for title, row in counts(balance):
        told = (f"{_(column).lower()} {count}" for column, count in zip(COLUMNS, row, strict=True) if count)
        lines.append(f"{_(title)}: " + ", ".join(told))
    return lines + [f"{_(title)}: {value}" for title, value in notes(balance)]


def _columns(instrument_code: str) -> str:
    from pipeline.instruments import load_instrument
    from server.imports.kinds import KINDS
    from server.tabular.columns import ALIASES

    _ = console_translator()
    items = ", ".join(load_instrument(instrument_code).slots)
    lines = []
    for kind, spec in KINDS.items():
        named = ", ".join(spec.required)
        if "instrument" in spec.options:
            named = _("{columns}, answers {items}", columns=named, items=items)
        more = [*spec.optional, *(["name_<language>"] if spec.any_name else [])]
        if more:
            named = _("{columns} (and {more})", columns=named, more=", ".join(more))
        lines.append(f"{kind}: {named}")
    lines += ["", _("Also read as column names:")]
    lines += [f"  {name}: {', '.join(texts)}" for name, texts in ALIASES.items()]
    return "\n".join(lines)
