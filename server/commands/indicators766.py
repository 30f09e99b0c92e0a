"""The satisfaction group of Decision 766 (18 points) of every unit: points to a hundredth, what the counts support, and
the ranks that they allow.

    hailong server import indicators766 answer.json --period 2026-09
    hailong server indicators766 --period 2026-09
    hailong server indicators766 --period 2026 --origin own --json

Counts are the national portal's, where a file of the period was imported, else those of our own dossiers, ratings and
feedback. `-`: not measured, the published points say nothing about the service.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING

from pipeline.language import of_environment

if TYPE_CHECKING:
    from server.documents.writer import Writer
    from server.indicators.board import Board, Row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from server.commands.options import add_store

    add_store(parser)
    parser.add_argument("--period", required=True, help="2026-09, 2026-Q3 or 2026")
    parser.add_argument("--origin", choices=("portal", "own"), default="", help="whose counts (the portal's, if any)")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")


def run(args: argparse.Namespace) -> int:
    """Compute and print."""
    from pipeline.calendar import parse_period
    from server.commands.options import open_engine, province_id
    from server.core.scope import Scope
    from server.indicators.board import choose_origin, make_board
    from server.store.engine import read

    period = parse_period(args.period)
    engine = open_engine(args)
    with read(engine) as connection:
        scope = Scope(province_id(connection, args))
        board = make_board(connection, scope, period, choose_origin(connection, scope, period, args.origin))
    engine.dispose()
    print(json.dumps(board.to_dict(), ensure_ascii=False, allow_nan=False) if args.json else _table(board))
    return 0


def _table(board: Board) -> str:
    from server.documents.writer import Writer
    from server.indicators.words import ORIGIN_NAMES, PART_NAMES

    _ = Writer(of_environment(os.environ))
    lines = [f"{board.period.name} - {_(ORIGIN_NAMES[board.origin])}", ""]
    lines += [f"{number}: {_(name)}" for number, name in enumerate(PART_NAMES.values(), start=1)]
    ranks = _("Ranks")
    lines += ["", f"{'':<44}{'18':>7}{'95 %':>16}{ranks:>10}" + "".join(f"{n:>8}" for n in (1, 2, 3))]
    rows = [board.province] if board.province else []
    lines += [_line(_, row) for row in (*rows, *board.rows)]
    return "\n".join(lines)


def _line(_: Writer, row: Row) -> str:
    total = row.score.total
    parts = "".join(f"{f'{part.published:.2f}' if part.measured else '-':>8}" for part in row.score.parts.values())
    span = f"{total.low:.2f} - {total.high:.2f}"
    name = _(row.unit.name)
    return f"{name[:43]:<44}{total.published:>7.2f}{span:>16}{row.ranks or ''!s:>10}{parts}"
