"""The pages of a large province: time to the answer cold and warm, its size, processor time and peak memory.

Each size is a store of its own, written straight into its tables, and a process of its own that serves it, so that its
peak memory is its own. *Cold* is the first request of that process, with nothing held; what it began beside the page is
waited for and stands in `made_processor_s` with it, so that it is not counted to the next page; *warm* is the request
after that. `floor`: the log-in page in the same process, which no figure stands behind; `ratio`: warm against it.

    hailong bench pages --agencies 26,300,3000 --json
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.provenance import provenance

if TYPE_CHECKING:
    from sqlalchemy import Connection

PATHS = ("/", "/survey/index", "/agencies/a-1", "/health", "/analysis")
PERIOD = "2026-Q3"
QUARTERS = ("2025-Q3", "2026-Q2", "2026-Q3")
SHEETS = 40
"""Sheets of an agency and quarter."""
GROUPS = (1, 3, 5, 6, 17)
LOOK_S, IDLE_AT_MOST_S = 2.0, 3_600.0
_MAIN = "import sys; from hailong.cli import main; sys.exit(main())"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hailong bench pages`."""
    parser.add_argument("--agencies", default="26,300", help="sizes, with commas between them (26,300)")
    parser.add_argument("--pages", default=",".join(PATHS), help="paths, with commas between them")
    parser.add_argument("--json", action="store_true", help="everything as JSON on standard output")
    parser.add_argument("--serve", default="", help=argparse.SUPPRESS)


@dataclass(frozen=True, slots=True)
class Shape:
    """Quarters that have sheets, sheets of an agency and quarter, seed of the generator."""

    quarters: tuple[str, ...] = QUARTERS
    sheets: int = SHEETS
    seed: int = 1


def make_store(path: Path, agencies: int) -> None:
    """A store with one simulated province of so many agencies."""
    from server.store.engine import connect, write
    from server.store.upgrade import upgrade

    engine = connect(f"sqlite:///{path}")
    upgrade(engine)
    with write(engine) as connection:
        fill_large_province(connection, "lon", agencies, Shape())
    engine.dispose()


def fill_large_province(connection: Connection, code: str, agencies: int, shape: Shape) -> None:
    """A simulated province of so many agencies: some quarters of sheets on three channels, the transactions of all
    months, and a box at every tenth agency."""
    import numpy as np
    from sqlalchemy import insert

    from pipeline.calendar import Period, parse_period
    from pipeline.language import Text
    from server.core.provinces import make_province
    from server.core.scope import Scope
    from server.simulation.evidence import simulate_evidence
    from server.store.engine import insert_row
    from server.store.tables.agencies import agencies as agencies_table
    from server.store.tables.agencies import levels
    from server.store.tables.ratings import answer_values, ratings
    from server.store.tables.services import fields, service_groups
    from server.store.tables.transactions import transactions

    rng = np.random.default_rng(shape.seed)
    named = Text.named(vi=f"Tỉnh {code} (mô phỏng)", en=f"Province {code}")
    province = make_province(connection, code, named, simulated=True).province_id
    here = {"province_id": province}
    level = connection.execute(Scope(province).select(levels).order_by(levels.c.rank.desc())).first()
    assert level is not None
    field = insert_row(connection, fields, {**here, "code": "lv", "name": Text.named(vi="Lĩnh vực", en="Field")})
    for group in GROUPS:
        named = Text.named(vi=f"Nhóm {group}", en=f"Group {group}")
        insert_row(connection, service_groups, {**here, "number": group, "name": named, "field_id": field})
    ids = []
    for number in range(1, agencies + 1):
        named = Text.named(vi=f"Ủy ban nhân dân xã Đồng Xanh {number}", en=f"Commune {number}")
        row = {**here, "code": f"a-{number}", "name": named, "level_id": level.id}
        ids.append(insert_row(connection, agencies_table, row))
    good = rng.normal(0.82, 0.06, agencies).clip(0.4, 0.98)
    months = Period("", parse_period(shape.quarters[0]).first_month, parse_period(shape.quarters[-1]).last_month)
    for month in months.months:
        counts = rng.poisson(150, (agencies, len(GROUPS))).tolist()
        connection.execute(
            insert(transactions),
            [
                {**here, "agency_id": agency, "service_group": group, "month": month, "count": count}
                for agency, of_agency in zip(ids, counts, strict=True)
                for group, count in zip(GROUPS, of_agency, strict=True)
            ],
        )
    for name in shape.quarters:
        quarter = parse_period(name)
        days = rng.integers(quarter.first_day, quarter.last_day + 1, (agencies, shape.sheets))
        for place, agency in enumerate(ids):
            satisfied = rng.random((shape.sheets, 32)) < good[place]
            answers = np.where(
                satisfied, rng.integers(4, 6, (shape.sheets, 32)), rng.integers(1, 4, (shape.sheets, 32))
            )
            rows = []
            for sheet in range(shape.sheets):
                day = int(days[place, sheet])
                channel = "counter_tablet" if place % 10 == 0 and sheet % 2 else ("paper", "online")[sheet % 3 % 2]
                rows.append(
                    {
                        **here,
                        "agency_id": agency,
                        "service_group": GROUPS[sheet % len(GROUPS)],
                        "channel": channel,
                        "day": day,
                        "month": _month(day),
                        "received_day": day,
                        "instrument": "2640",
                        "instrument_version": 1,
                        "reasons": int(1 << (sheet % 12)) if answers[sheet, 0] < 4 else 0,
                        **answer_values(answers[sheet].tolist()),
                    }
                )
            connection.execute(insert(ratings), rows)
    simulate_evidence(connection, province, months)


def _month(day: int) -> int:
    from pipeline.calendar import month_of_day

    return month_of_day(day)


def serve(store: str, paths: list[str]) -> dict[str, Any]:
    """Ask every page twice in this process."""
    from starlette.testclient import TestClient

    from server.app import create_app
    from server.core.config import make_config
    from server.store.engine import connect

    engine = connect(f"sqlite:///{store}")
    config = make_config({"data_dir": Path(store).parent, "demo": True, "web": {"secure_cookies": False}}, "bench")
    client = TestClient(create_app(engine, config), follow_redirects=False)
    floor_s = min(_ask(client, "/log-in")["seconds"] for _ in range(4))
    found: dict[str, Any] = {"floor_s": floor_s, "pages": {}}
    for path in paths:
        address = f"{path}?period={PERIOD}"
        used_s = time.process_time()
        cold = _ask(client, address)
        _wait_until_idle()
        made_s = time.process_time() - used_s
        warm = _ask(client, address)
        found["pages"][path] = {
            "cold_s": cold["seconds"],
            "warm_s": warm["seconds"],
            "cold_processor_s": cold["processor_s"],
            "made_processor_s": round(made_s, 2),
            "warm_processor_s": warm["processor_s"],
            "kb": warm["kb"],
            "sent_kb": warm["sent_kb"],
            "ratio": round(warm["seconds"] / floor_s, 1),
            "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
        print(path, json.dumps(found["pages"][path]), file=sys.stderr)
    return found


def _wait_until_idle() -> None:
    """Until this process has used hardly any processor time for a while, for an hour at most."""
    end_s = time.monotonic() + IDLE_AT_MOST_S
    while time.monotonic() < end_s:
        used_s = time.process_time()
        time.sleep(LOOK_S)
        if time.process_time() - used_s < LOOK_S / 100:
            return


def _ask(client: Any, address: str) -> dict[str, float]:
    began_s, used_s = time.perf_counter(), time.process_time()
    answer = client.get(address)
    seconds, processor_s = time.perf_counter() - began_s, time.process_time() - used_s
    if answer.status_code != 200:
        raise SystemExit(f"{address}: {answer.status_code}")
    packed = len(gzip.compress(answer.content, 5))
    return {
        "seconds": round(seconds, 4),
        "processor_s": round(processor_s, 4),
        "kb": round(len(answer.content) / 1000, 1),
        "sent_kb": round(packed / 1000, 1),
    }


def run(args: argparse.Namespace) -> int:
    """Every size: its store, then its process."""
    paths = args.pages.split(",")
    if args.serve:
        print(json.dumps(serve(args.serve, paths)))
        return 0
    results = []
    for agencies in (int(number) for number in args.agencies.split(",")):
        with tempfile.TemporaryDirectory(prefix="hailong-pages-") as folder:
            store = Path(folder) / "store.sqlite"
            print(f"{agencies:,} agencies: writing the store ...", file=sys.stderr)
            make_store(store, agencies)
            command = [sys.executable, "-c", _MAIN, "bench", "pages", "--serve", str(store), "--pages", args.pages]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                return 1
            results.append({"agencies": agencies, **json.loads(done.stdout.splitlines()[-1])})
    head = {**provenance(("fastapi", "jinja2", "numpy", "sqlalchemy")), "sheets": SHEETS * len(QUARTERS)}
    if args.json:
        print(json.dumps({**head, "sizes": results}))
        return 0
    for result in results:
        print(f"{result['agencies']:,} agencies (floor {1000 * result['floor_s']:.0f} ms):")
        for path, page in result["pages"].items():
            print(
                f"  {path:<16} cold {page['cold_s']:7.2f} s  warm {page['warm_s']:6.2f} s  {page['kb']:7.0f} kB "
                f"({page['sent_kb']:.0f} packed)  peak {page['peak_mib']} MiB"
            )
    return 0
