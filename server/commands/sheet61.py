"""The quarterly sheet 61 of every agency as a workbook: nine indicators of 0 to 2 points, sums, classes.

    hailong server import scores61 diem.csv --period 2026-Q3
    hailong server sheet61 --period 2026-Q3 --out phieu-61.xlsx

A sum counts where every indicator is verified. What no text confirms is said on the workbook's last page.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.language import Message


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from server.commands.options import add_store

    add_store(parser)
    parser.add_argument("--period", required=True, help="a quarter: 2026-Q3")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="the workbook (XLSX)")
    parser.add_argument("--lang", default="vi", help="language of the workbook (vi)")


def run(args: argparse.Namespace) -> int:
    """Write the workbook."""
    from pipeline.calendar import parse_period
    from pipeline.errors import InvalidError
    from server.commands.options import open_engine, province_id
    from server.core.scope import Scope
    from server.indicators.sheet61 import sheet61_workbook
    from server.store.engine import read

    period = parse_period(args.period)
    if len(period.months) != 3 or period.first_month % 3:
        raise InvalidError(Message("the sheet is quarterly: '{text}' is no quarter", text=args.period))
    engine = open_engine(args)
    with read(engine) as connection:
        book = sheet61_workbook(connection, Scope(province_id(connection, args)), period, args.lang)
    engine.dispose()
    book.save(args.out)
    print(args.out)
    return 0
