"""Implicit against explicit: does the signal help? For one period of one province.

Prints each agency's explicit and fused index with intervals and a verdict in words; with --json every table behind the
analyst's pages. Before enough pairs of level and rating were seen the answer is "not calibrated".

    hailong analyze --period 2026-Q3
    hailong analyze --period 2026-Q3 --json > analysis.json

With --drift it tests the period's last month (without --period: the last whole month) against those before it and
prints the alarms alone; exit code 1 where one rings. Run every month by cron it is announced by cron's own mail:

    hailong analyze --drift
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from pipeline.errors import InvalidError
from pipeline.language import SOURCE, Message, Text, translator
from pipeline.language.console import console_language
from server.core.config import add_province_argument, add_store_arguments, load_config, open_store

if TYPE_CHECKING:
    from server.scores.tables import Material


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong analyze`."""
    parser.add_argument("--period", help="2026, 2026-Q3, 2026-07 or 2026-01..2026-07")
    parser.add_argument("--drift", action="store_true", help="only whether the signal drifts; exit code 1 if it does")
    parser.add_argument("--english", action="store_true", help="in English, whatever the environment's language")
    parser.add_argument("--json", action="store_true", help="every table as JSON")
    add_province_argument(parser)
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Analyse and print."""
    from pipeline.calendar import month_name, month_of_day, parse_period, today
    from server.core.provinces import find_province
    from server.scores.tables import TABLES, material
    from server.scores.words import estimate_words
    from server.store.engine import read

    if args.period is None and not args.drift:
        raise InvalidError(Message("Which period?"), Message("Write for example --period 2026-Q3."))
    period = parse_period(args.period or month_name(month_of_day(today()) - 1))
    engine = open_store(load_config(args))
    with read(engine) as connection:
        province = find_province(connection, args.province)
    found = material(engine, province.province_id, period)
    engine.dispose()
    if args.drift:
        return _drift(found, args)
    if args.json:
        tables = {name.replace("-", "_"): make(found) for name, make in TABLES.items()}
        head = {"province": province.code, "simulated": province.simulated, "period": period.name}
        print(json.dumps({**head, **tables}, ensure_ascii=False, allow_nan=False))
        return 0
    language = _language(args)
    _ = translator(language)
    if province.simulated:
        print(_("Simulated figures."), end="\n\n")
    for result in found.analysis.agencies:
        agency = found.agencies[result.agency]
        print(f"{_(agency.name)} ({agency.code})")
        print(estimate_words(result.fused.explicit, language))
        print(estimate_words(result.fused.efficiency, language), end="\n\n")
        corrected = result.fused.correction
        if corrected is not None and result.agency not in found.few:
            print(estimate_words(corrected.estimate, language), end="\n\n")
    return 0


def _drift(found: Material, args: argparse.Namespace) -> int:
    """Print the alarms of the period's last month; 1 where there is one."""
    from server.scores.tables import drift_rows, drift_words

    rows = drift_rows(found)
    alarms = [row for row in rows if row["alarm"]]
    if args.json:
        answer = {"month": found.latest.name, "tests": len(rows), "alarms": alarms}
        print(json.dumps(answer, ensure_ascii=False, allow_nan=False))
        return 1 if alarms else 0
    language = _language(args)
    _ = translator(language)
    for row in alarms:
        print(f"{_(Text.of_row(row))}: {_(drift_words(row['kind']))}")
    if not rows:
        print(_("{month}: nothing to compare with.", month=found.latest.words(language)))
    return 1 if alarms else 0


def _language(args: argparse.Namespace) -> str:
    return SOURCE if args.english else console_language()
