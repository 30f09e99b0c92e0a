"""The report of a province for a year or a quarter: DOCX and PDF, tables as XLSX, plots as SVG and PNG.

    hailong server report --period 2026-Q3 --out report/
    hailong server report --period 2025 --instrument 2640 --out report/ --lang en

Agencies are ranked with rank intervals: those that the figures cannot tell apart are shown as such.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pipeline.language import Message


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from pipeline.language import languages
    from server.commands.options import add_store

    add_store(parser)
    parser.add_argument("--period", required=True, help="2026 for a yearly, 2026-Q3 for a quarterly report")
    parser.add_argument("--instrument", default="2640", help="code of the instrument (2640)")
    parser.add_argument("--version", type=int, help="version of the instrument (the newest)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files; made where there is none")
    parser.add_argument("--lang", default="vi", choices=languages(), help="language of the report (vi)")
    parser.add_argument("--json", action="store_true", help="list the files as JSON")


def run(args: argparse.Namespace) -> int:
    """Write the report's files."""
    from pipeline.calendar import parse_period
    from pipeline.instruments import load_instrument
    from pipeline.language import in_language
    from server.commands.options import open_engine, province_id
    from server.core.progress import Progress
    from server.core.provinces import province_by_id
    from server.reports.making import make_files
    from server.store.engine import read

    period = parse_period(args.period)
    progress = Progress("report", quiet=args.json)
    engine = open_engine(args)
    instrument = load_instrument(args.instrument, args.version)
    with read(engine) as connection:
        province = province_id(connection, args)
        simulated = province_by_id(connection, province).simulated

    def show(share: float, words: Message) -> None:
        progress.update(share, in_language(words, args.lang))

    files = make_files(engine, province, instrument, period, args.lang, show)
    engine.dispose()
    progress.close()
    args.out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in files.items():
        path = args.out / name
        path.write_bytes(content)
        written.append(path)
    if args.json:
        print(json.dumps({"files": [str(path) for path in written], "simulated": simulated}))
    else:
        for path in written:
            print(path, file=sys.stdout)
    return 0
