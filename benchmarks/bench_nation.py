"""`hailong server score --nation` on stores of several sizes: time, processor time, memory, and how they grow.

Every size is a store of its own (one year of sheets, transactions, boxes and monthly evidence, all simulated), scored
by the command itself in a process of its own. A size is PROVINCESxAGENCIES; sheets are `--sheets` an agency and year.
`exponent`: of a power law between the last two sizes, in agencies. What is aimed at and was not measured is
extrapolated from the last size by that exponent, and says so.

    hailong bench nation --sizes 2x175,2x350,2x700 --json
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.bench_pages import Shape, fill_large_province
from benchmarks.provenance import provenance

YEAR = "2025"
SHAPE = Shape(quarters=tuple(f"{YEAR}-Q{number}" for number in (1, 2, 3, 4)), sheets=0)
AIM = {"provinces": 34, "agencies": 700, "minutes": 15, "gib": 4}
_MAIN = "import sys; from hailong.cli import main; sys.exit(main())"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hailong bench nation`."""
    parser.add_argument(
        "--sizes", default="2x100,2x200", help="PROVINCESxAGENCIES, with commas between them (2x100,2x200)"
    )
    parser.add_argument("--sheets", type=int, default=42, help="sheets of an agency and year (42)")
    parser.add_argument("--workers", type=int, default=2, help="provinces at once (2)")
    parser.add_argument("--engine", default="processes", help="processes or spark (processes)")
    parser.add_argument("--json", action="store_true", help="everything as JSON on standard output")


def make_store(path: Path, provinces: int, agencies: int, sheets: int) -> int:
    """A store of so many simulated provinces; how many sheets it has."""
    from server.store.engine import connect, write
    from server.store.upgrade import upgrade

    engine = connect(f"sqlite:///{path}")
    upgrade(engine)
    for number in range(1, provinces + 1):
        with write(engine) as connection:
            shape = Shape(SHAPE.quarters, sheets=sheets // len(SHAPE.quarters), seed=number)
            fill_large_province(connection, f"tinh-{number}", agencies, shape)
    with engine.connect() as connection:
        count = int(connection.exec_driver_sql("SELECT count(*) FROM ratings").scalar_one())
    engine.dispose()
    return count


def measure(folder: Path, provinces: int, agencies: int, args: argparse.Namespace) -> dict[str, Any]:
    """One size."""
    store = folder / "store.sqlite"
    ratings = make_store(store, provinces, agencies, args.sheets)
    command = [
        sys.executable,
        "-c",
        _MAIN,
        "server",
        "score",
        "--nation",
        "--store",
        str(store),
        "--data-dir",
        str(folder),
    ]
    command += ["--period", YEAR, "--out", str(folder / "out")]
    command += ["--workers", str(args.workers), "--engine", args.engine]
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    seconds, after = time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.returncode)
    found = json.loads(done.stdout.splitlines()[-1])["provinces"]
    # the workers are the command's grandchildren: each tells its own
    own_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peaks = sorted((one["peak_mib"] for one in found), reverse=True)
    return {
        "provinces": provinces,
        "agencies": agencies,
        "ratings": ratings,
        "seconds": round(seconds, 2),
        "processor_s": round(own_s + sum(one["processor_s"] for one in found), 2),
        "province_processor_s": round(sum(one["processor_s"] for one in found) / provinces, 2),
        "peak_mib_of_a_worker": peaks[0],
        "peak_mib_of_all": sum(peaks[: args.workers]),
        "load_1min": round(os.getloadavg()[0], 1),
    }


def extrapolated(sizes: list[dict[str, Any]], workers: int) -> dict[str, Any]:
    """What the aim would take: from the last size, by its growth with the agencies of a province."""
    last = sizes[-1]
    exponent = 1.0
    if len(sizes) > 1 and sizes[-2]["agencies"] != last["agencies"]:
        steps = math.log(last["agencies"] / sizes[-2]["agencies"])
        exponent = math.log(last["province_processor_s"] / sizes[-2]["province_processor_s"]) / steps
    processor_s = AIM["provinces"] * last["province_processor_s"] * (AIM["agencies"] / last["agencies"]) ** exponent
    return {
        **AIM,
        "exponent": round(exponent, 2),
        "processor_minutes": round(processor_s / 60, 1),
        "minutes_on_workers": round(processor_s / 60 / workers, 1),
        "measured": last["provinces"] >= AIM["provinces"] and last["agencies"] >= AIM["agencies"],
    }


def run(args: argparse.Namespace) -> int:
    """Every size, then what the aim would take."""
    sizes = []
    for text in args.sizes.split(","):
        provinces, agencies = (int(number) for number in text.split("x"))
        with tempfile.TemporaryDirectory(prefix="hailong-nation-") as folder:
            print(f"{provinces} provinces of {agencies} agencies ...", file=sys.stderr)
            sizes.append(measure(Path(folder), provinces, agencies, args))
            print(json.dumps(sizes[-1]), file=sys.stderr)
    head = {**provenance(("numpy", "scipy", "sqlalchemy")), "sheets": args.sheets, "workers": args.workers}
    found = {**head, "engine": args.engine, "sizes": sizes, "aim": extrapolated(sizes, args.workers)}
    if args.json:
        print(json.dumps(found))
        return 0
    for one in sizes:
        print(
            f"{one['provinces']:>3} x {one['agencies']:>4} agencies, {one['ratings']:>9,} sheets: "
            f"{one['seconds']:8.1f} s (processor {one['processor_s']:.1f}), {one['peak_mib_of_all']} MiB of all workers"
        )
    aim = found["aim"]
    told = "measured" if aim["measured"] else f"extrapolated, exponent {aim['exponent']}"
    print(f"{aim['provinces']} x {aim['agencies']}: {aim['minutes_on_workers']} min ({told}); aim {aim['minutes']} min")
    return 0
