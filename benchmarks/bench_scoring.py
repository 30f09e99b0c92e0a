"""Time and memory of the scoring sums on DuckDB over Parquet, from one million windows to many.

Each size runs in a process of its own, so that its peak memory is its own: it writes simulated windows (pulses of
hourly windows, ratings, monthly tables) to a temporary folder with DuckDB, and then runs the same expressions that the
server runs on its store. `growth` is the exponent b of time or memory ~ windows^b between the smallest and the largest
size: 1 is linear.

    hailong bench scoring --windows 10000000 --json
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.provenance import provenance

SMALLEST = 1_000_000
REPEATS = 3
AGENCIES_A_PROVINCE = 700
PROVINCES = 34
_MAIN = "import sys; from hailong.cli import main; sys.exit(main())"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hailong bench scoring`."""
    parser.add_argument(
        "--windows", type=int, default=10_000_000, help="windows of the largest size (default 10 million)"
    )
    parser.add_argument("--threads", type=int, default=2, help="DuckDB's threads (default 2)")
    parser.add_argument("--json", action="store_true", help="everything as JSON on standard output")
    parser.add_argument("--one-size", type=int, default=0, help=argparse.SUPPRESS)


def sizes(largest: int) -> list[int]:
    """A million, the largest, and about the middle between them."""
    if largest <= SMALLEST:
        return [largest]
    middle = round(math.sqrt(SMALLEST * largest), -5)
    return sorted({SMALLEST, int(middle), largest})


def _select(columns: str, rows: int) -> str:
    return f"SELECT {columns} FROM range({rows}) t(i)"  # noqa: S608 - numbers and names of ours


def write_windows(folder: Path, windows: int, threads: int) -> dict[str, Path]:
    """Parquet files of `windows` pulses, a tenth as many ratings, and a table for each agency, box and month."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads TO {threads}")
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SELECT setseed(0.5)")
    agencies = PROVINCES * AGENCIES_A_PROVINCE
    where = {name: folder / f"{name}.parquet" for name in ("releases", "ratings", "transactions")}
    place = f"1 + i % {PROVINCES} AS province_id, 1 + i % {agencies} AS agency_id"
    cells = ", ".join(f"CAST(random() * 40 - 2 AS BIGINT) AS c{slot:02d}" for slot in range(4))
    empty = ", ".join(f"CAST(NULL AS BIGINT) AS c{slot:02d}" for slot in range(4, 18))
    full = ", ".join(f"CAST(random() * 60 - 2 AS BIGINT) AS c{slot:02d}" for slot in range(18))
    months = 12
    many = {"releases": windows, "ratings": windows // 10, "transactions": min(windows, agencies * months * 4)}
    columns = {
        "releases": f"{place}, 1 + i % {agencies} AS box_id, 'pulse' AS kind, 1 AS period_kind, "
        f"57000 + i // {agencies} AS period_index, 500 AS epsilon_milli, 2400 AS received_day, {cells}, {empty}",
        "ratings": f"{place}, CAST(NULL AS BIGINT) AS counter_id, i % 20 AS service_group, "
        "'counter_tablet' AS channel, 2100 + i % 360 AS day, 68 + (i % 360) // 30 AS month, "
        "CAST(1 + random() * 4 AS BIGINT) AS a00, CAST(random() < 0.01 AS BIGINT) AS state",
        "transactions": f"{place}, i % 20 AS service_group, 68 + i % {months} AS month, "
        "CAST(random() * 900 AS BIGINT) AS count",
    }
    tables = f"{place}, 1 + i % {agencies}, 'evidence', 4, 68 + i // {agencies}, 1500, 2400, {full}"
    queries = {name: _select(columns[name], count) for name, count in many.items()}
    queries["releases"] += " UNION ALL " + _select(tables, min(windows, agencies * months))
    for name, query in queries.items():
        connection.execute(f"COPY ({query}) TO '{where[name]}' (FORMAT parquet)")
    connection.close()
    return where


def measure(windows: int, threads: int) -> dict[str, Any]:
    """Write one size, run the sums `REPEATS` times each, and say how long and with how much memory."""
    import ibis

    from pipeline.release_kind import EVIDENCE
    from server.scores.sums import rating_sums, release_sums, transaction_sums, window_sums

    with tempfile.TemporaryDirectory(prefix="hailong-scoring-") as folder:
        start_s = time.perf_counter()
        paths = write_windows(Path(folder), windows, threads)
        made_s = time.perf_counter() - start_s
        written_bytes = sum(path.stat().st_size for path in paths.values())
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        backend = ibis.duckdb.connect(threads=threads)
        backend.raw_sql("SET enable_progress_bar = false")
        tables = {name: backend.read_parquet(path, table_name=name) for name, path in paths.items()}
        sums = {
            "windows": window_sums(tables["releases"], None, 1, 0, 10**9),
            "evidence": release_sums(tables["releases"], None, EVIDENCE),
            "ratings": rating_sums(tables["ratings"], None, 68, 79),
            "transactions": transaction_sums(tables["transactions"], None, 68, 79),
        }
        times: dict[str, float] = {}
        rows: dict[str, int] = {}
        for name, expression in sums.items():
            taken = []
            for _ in range(REPEATS):
                start_s = time.perf_counter()
                rows[name] = backend.to_pyarrow(expression).num_rows
                taken.append(time.perf_counter() - start_s)
            times[name] = round(statistics.median(taken), 4)
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "windows": windows,
        "seconds": times,
        "seconds_total": round(sum(times.values()), 4),
        "rows": rows,
        "peak_mib": round(peak_kib / 1024, 1),
        "peak_before_sums_mib": round(before_kib / 1024, 1),
        "parquet_mib": round(written_bytes / 2**20, 1),
        "generation_s": round(made_s, 2),
    }


def growth(results: list[dict[str, Any]], name: str) -> float | None:
    """Exponent of a figure between the smallest and the largest size; None for one size."""
    first, last = results[0], results[-1]
    if first["windows"] == last["windows"]:
        return None
    return round(math.log(last[name] / first[name]) / math.log(last["windows"] / first["windows"]), 3)


def run(args: argparse.Namespace) -> int:
    """Run every size in a process of its own."""
    if args.one_size:
        print(json.dumps(measure(args.one_size, args.threads)))
        return 0
    results = []
    for windows in sizes(args.windows):
        print(f"{windows:,} windows ...", file=sys.stderr)
        command = [sys.executable, "-c", _MAIN, "bench", "scoring", "--one-size", str(windows)]
        done = subprocess.run([*command, "--threads", str(args.threads)], capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
            return 1
        results.append(json.loads(done.stdout.splitlines()[-1]))
    head = {
        **provenance(("duckdb", "ibis-framework", "pyarrow")),
        "threads": args.threads,
        "repeats": REPEATS,
        "growth_seconds": growth(results, "seconds_total"),
        "growth_peak": growth(results, "peak_mib"),
    }
    if args.json:
        print(json.dumps({**head, "sizes": results}))
        return 0
    for result in results:
        print(f"{result['windows']:>12,} windows: {result['seconds_total']:.2f} s, peak {result['peak_mib']:.0f} MiB")
    print(f"growth: time ~ windows^{head['growth_seconds']}, peak memory ~ windows^{head['growth_peak']}")
    return 0
