"""`hailong server score --nation`: every province of the store, one folder each, and a table of them all."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

from pipeline.language import Message

if TYPE_CHECKING:
    from server.reports.nation import Scored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `--nation` asks for besides the period."""
    from pathlib import Path

    parser.add_argument(
        "--nation", action="store_true", help="every province of the store, with every table, into --out"
    )
    parser.add_argument("--out", type=Path, help="folder for --nation; what is done there already is not done again")
    parser.add_argument("--workers", type=int, default=2, help="provinces at once, for --nation (2)")
    parser.add_argument("--engine", default="processes", help="what runs them: processes or spark (processes)")


def run_nation(args: argparse.Namespace) -> int:
    """Score all provinces and say how it went."""
    from pipeline.calendar import parse_period
    from pipeline.errors import InvalidError
    from server.commands.options import open_engine
    from server.core.config import load_config
    from server.core.progress import Progress
    from server.reports.nation import ENGINES_BY_NAME, nation_rows, score_all, tasks_of
    from server.tabular.row_files import as_csv

    if args.out is None:
        raise InvalidError(Message("--nation needs a folder."), Message("Add --out FOLDER."))
    if args.engine not in ENGINES_BY_NAME:
        raise InvalidError(
            Message("There is no engine '{engine}'.", engine=args.engine),
            Message("Write one of {engines}.", engines=", ".join(ENGINES_BY_NAME)),
        )
    if args.workers < 1:
        raise InvalidError(Message("--workers must be at least 1."))
    period = parse_period(args.period)
    began_s = time.perf_counter()
    engine = open_engine(args)
    args.out.mkdir(parents=True, exist_ok=True)
    instruments = load_config(args).data_dir / "instruments"
    tasks = tasks_of(engine, instruments, args.out.resolve(), period.name, args.instrument, args.version)
    engine.dispose()
    progress = Progress("nation", quiet=args.json)

    def on_scored(scored: Scored, left: int) -> None:
        progress.update(1 - left / len(tasks), scored.code)

    found = score_all(tasks, args.engine, args.workers, on_scored)
    progress.close()
    rows = nation_rows(found)
    table = args.out / f"nation-{period.name}.csv"
    table.write_bytes(as_csv(rows))
    if args.json:
        seconds = round(time.perf_counter() - began_s, 3)
        print(json.dumps({"provinces": [one.to_dict() for one in found], "seconds": seconds, "table": str(table)}))
        return 0
    for row in rows:
        print(_line(row))
    print(table)
    return 0


def _line(row: dict[str, object]) -> str:
    import os

    from pipeline.language import Text, of_environment
    from server.documents.writer import Writer

    _ = Writer(of_environment(os.environ))
    name = f"{_(Text.of_row(row))[:43]:<44}{row['sheets']:>9}"
    simulated = f"  {_('SIMULATED')}" if row["simulated"] else ""
    if row["index"] is None:
        return f"{name}   {_('too few answers')}{simulated}"
    figures = f"{row['index']:>8.1f} ({row['low']:.1f} - {row['high']:.1f})"
    return f"{name}{figures}  {row['best']}-{row['worst']}/{row['of']}{simulated}"
