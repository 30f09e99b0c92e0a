"""Import agencies and services, transactions, answer sheets, enumerators and phone numbers from CSV or XLSX.

    hailong server import agencies coquan.xlsx
    hailong server import transactions hoso-2026.csv --preview
    hailong server import ratings phieu.xlsx --instrument 2640 --channel paper

All or nothing: where one row does not fit, nothing is imported and every bad row is told by number and reason. A file
may be imported twice: what is there is not added again. `--preview` only says what would happen. CSV may be UTF-8,
UTF-16 or Windows-1258 and separated by comma, semicolon or tab; `--columns` lists the columns of every kind.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

_CATALOGUE = ("levels", "fields", "agencies", "counters", "service_groups", "services")
_KINDS = (*_CATALOGUE, "transactions", "ratings", "enumerators", "phones")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from server.commands.options import add_store

    parser.add_argument("kind", nargs="?", choices=_KINDS, help="what the file holds")
    parser.add_argument("file", nargs="?", type=Path, help="CSV or XLSX")
    add_store(parser)
    parser.add_argument("--columns", action="store_true", help="list the columns of every kind, and stop")
    parser.add_argument("--preview", action="store_true", help="check and count; write nothing")
    parser.add_argument("--instrument", default="2640", help="of the ratings (2640)")
    parser.add_argument("--version", type=int, help="of the instrument (the newest)")
    parser.add_argument("--channel", help="of ratings whose rows name none: paper, sms, call_1022, hotline, online")
    parser.add_argument("--batch", help="name of the delivery; keys rows without form codes (the file's content)")
    parser.add_argument("--round", help="code of the round, for phones")
    parser.add_argument("--json", action="store_true", help="result or bad rows as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Import, or say what is wrong with which row."""
    from pipeline.errors import ImportRowError, InvalidError
    from server.commands.options import open_engine, province_id
    from server.store.engine import read

    if args.columns:
        print(_columns(args.instrument))
        return 0
    if args.kind is None or args.file is None:
        raise InvalidError("A kind and a file are needed.", "For example: hailong server import ratings forms.xlsx")
    engine = open_engine(args)
    try:
        with read(engine) as connection:
            province = province_id(connection, args)
        result = _import(engine, province, args)
    except ImportRowError as error:
        if args.json:
            print(json.dumps({"error": error.message, "rows": error.rows}, ensure_ascii=False))
        else:
            for number, reason in error.rows[:50]:
                print(f"row {number}: {reason}", file=sys.stderr)
            if len(error.rows) > 50:
                print(f"... and {len(error.rows) - 50} more (--json lists up to 1,000)", file=sys.stderr)
        raise
    finally:
        engine.dispose()
    if args.json:
        print(json.dumps({**result, "preview": args.preview}, ensure_ascii=False))
        return 0
    shown = ", ".join(f"{name} {value}" for name, value in result.items() if name not in ("by_agency", "preview"))
    print(f"{'Preview, nothing written' if args.preview else 'Imported'}: {shown}")
    return 0


def _import(engine: Engine, province: int, args: argparse.Namespace) -> dict[str, Any]:
    from pipeline.instruments import load_instrument
    from server.catalogue.files import import_catalogue_file
    from server.core.progress import Progress
    from server.ratings.frame import import_transactions
    from server.ratings.imports import import_ratings
    from server.ratings.people import import_enumerators, import_phones

    if args.kind == "ratings":
        progress = Progress(args.file.name, quiet=args.json)
        try:
            result: Any = import_ratings(
                engine,
                province,
                args.file,
                load_instrument(args.instrument, args.version),
                channel=args.channel,
                batch=args.batch,
                preview=args.preview,
                progress=progress,
            )
        finally:
            progress.close()
    elif args.kind == "transactions":
        result = import_transactions(engine, province, args.file, preview=args.preview)
    elif args.kind == "enumerators":
        result = import_enumerators(engine, province, args.file, preview=args.preview)
    elif args.kind == "phones":
        result = import_phones(engine, province, args.file, args.round or "", preview=args.preview)
    else:
        result = import_catalogue_file(engine, province, args.kind, args.file, preview=args.preview)
    return dataclasses.asdict(result)


def _columns(instrument_code: str) -> str:
    from pipeline.instruments import load_instrument
    from server.catalogue.writing import COLUMNS
    from server.tabular.columns import ALIASES

    lines = []
    for kind, (must, may) in COLUMNS.items():
        lines.append(f"{kind}: {', '.join(must)}" + (f" (and {', '.join(may)})" if may else ""))
    lines.append("transactions: agency, month, count (and service_group)")
    lines.append("enumerators: code, name_vi (and organisation, phone)")
    lines.append("phones: phone, agency (and service_group)")
    items = ", ".join(load_instrument(instrument_code).slots)
    lines.append(f"ratings: agency, day, answers {items} (and form, channel, service_group, service, reasons)")
    lines += ["", "Also read as column names:"]
    lines += [f"  {name}: {', '.join(texts)}" for name, texts in ALIASES.items()]
    return "\n".join(lines)
