"""The week's digest of a province, as text and HTML, to look at or to hand to a mailer.

    hailong server digest                           the week before this one, as text
    hailong server digest --week 2026-11-16 --out DIR

The week begins on Monday; `--week` is any day of it.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from pipeline.language import languages
    from server.commands.options import add_store

    add_store(parser)
    parser.add_argument("--week", type=date.fromisoformat, help="a day of the week that is told of (last week)")
    parser.add_argument("--out", type=Path, help="folder for digest.txt and digest.html; made where there is none")
    parser.add_argument("--lang", default="vi", choices=languages(), help="language of the digest (vi)")
    parser.add_argument("--json", action="store_true", help="subject, text and HTML as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the digest, or write it."""
    from datetime import timedelta

    from pipeline.calendar import DayRange, day_date, today
    from server.commands.options import open_engine, province_id
    from server.core.config import load_config
    from server.home.digest import make_digest
    from server.store.engine import read

    chosen = args.week or day_date(today()) - timedelta(days=7)
    monday = chosen - timedelta(days=chosen.weekday())
    engine = open_engine(args)
    with read(engine) as connection:
        week = DayRange(monday, monday + timedelta(days=7))
        url = load_config(args).web.public_url.rstrip("/")
        made = make_digest(connection, province_id(connection, args), week, args.lang, url)
    engine.dispose()
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "digest.txt").write_text(made.text, encoding="utf-8")
        (args.out / "digest.html").write_text(made.html, encoding="utf-8")
    if args.json:
        print(json.dumps({"subject": made.subject, "text": made.text, "html": made.html}, ensure_ascii=False))
    elif args.out is None:
        print(made.text, end="")
    return 0
