"""Implicit against explicit: does the signal help? For one period of one province.

Prints each agency's explicit and fused index with intervals and a verdict in words; with --json every table behind the
analyst's pages. Before enough pairs of level and rating were seen the answer is "not calibrated".

    hailong analyze --period 2026-Q3
    hailong analyze --period 2026-Q3 --json > analysis.json
"""

from __future__ import annotations

import argparse
import json

from server.config import add_province_argument, add_store_arguments, load_config, open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong analyze`."""
    parser.add_argument("--period", required=True, help="2026, 2026-Q3, 2026-07 or 2026-01..2026-07")
    parser.add_argument("--english", action="store_true", help="in English (default: Vietnamese)")
    parser.add_argument("--json", action="store_true", help="every table as JSON")
    add_province_argument(parser)
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Analyse and print."""
    from server.analysis.tables import TABLES, material
    from server.days import parse_period
    from server.provinces import find_province
    from server.store.engine import read

    period = parse_period(args.period)
    engine = open_store(load_config(args))
    with read(engine) as connection:
        province = find_province(connection, args.province)
    found = material(engine, province.province_id, period)
    engine.dispose()
    if args.json:
        tables = {name.replace("-", "_"): make(found) for name, make in TABLES.items()}
        head = {"province": province.code, "simulated": province.simulated, "period": period.name}
        print(json.dumps({**head, **tables}, ensure_ascii=False, allow_nan=False))
        return 0
    language = "en" if args.english else "vi"
    if province.simulated:
        print("Simulated figures.\n" if args.english else "Số liệu mô phỏng.\n")
    for result in found.analysis.agencies:
        agency = found.agencies[result.agency]
        print(f"{agency.name_en if args.english else agency.name_vi} ({agency.code})")
        print(result.fused.explicit.summary(language))
        print(result.fused.efficiency.summary(language), end="\n\n")
    return 0
