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
    from pipeline.errors import StatisticsError
    from pipeline.instruments import load_instrument
    from server.commands.options import open_engine, province_id
    from server.core.progress import Progress
    from server.documents.blocks import ChartBlock
    from server.documents.docx import report_docx
    from server.documents.pdf import report_pdf
    from server.reports.content import make_report
    from server.reports.sources import gather
    from server.reports.workbook import index_sheets
    from server.scores.fused import agency_scores
    from server.store.engine import read

    period = parse_period(args.period)
    progress = Progress("report", quiet=args.json)
    engine = open_engine(args)
    instrument = load_instrument(args.instrument, args.version)
    with read(engine) as connection:
        province = province_id(connection, args)
    fused = agency_scores(engine, province, period)
    progress.update(0.2, "figures")
    with read(engine) as connection:
        data = gather(connection, province, instrument, period, fused)
    engine.dispose()
    if not data.result.of("province")[0].sheets:
        raise StatisticsError(
            Message("There are no ratings of instrument {code} in {name}.", code=instrument.code, name=period.name),
            Message("Import them, or name another."),
        )
    args.out.mkdir(parents=True, exist_ok=True)
    progress.update(0.4, "plots")
    report = make_report(data, args.lang)
    stem = f"{data.result.province}-{period.name}-{instrument.code}"
    files = [args.out / f"bao-cao-{stem}.docx", args.out / f"bao-cao-{stem}.pdf", args.out / f"so-lieu-{stem}.xlsx"]
    files[0].write_bytes(report_docx(report))
    progress.update(0.7, "PDF")
    files[1].write_bytes(report_pdf(report))
    index_sheets(data.result, instrument, args.lang).save(files[2])
    for block in report.blocks:
        if isinstance(block, ChartBlock):
            for suffix, content in ((".svg", block.svg.encode()), (".png", block.png)):
                path = args.out / f"bieu-do-{stem}-{block.name}{suffix}"
                path.write_bytes(content)
                files.append(path)
    progress.update(1.0)
    progress.close()
    if args.json:
        print(json.dumps({"files": [str(path) for path in files], "simulated": data.result.simulated}))
    else:
        for path in files:
            print(path, file=sys.stdout)
    return 0
