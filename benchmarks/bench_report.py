"""The yearly report of a large province: processor time of each step, by the clock, size of its files, peak memory.

Each size is a store of its own and a process of its own. `longest_stop_s`: the longest that another thread of that
process waited for its turn meanwhile, as every page of a server would. `ratio` of processor time and `exponent`:
against the first size.

    hailong bench report --agencies 100,700 --json
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.bench_nation import make_store
from benchmarks.provenance import provenance

SHEETS = 40
"""Sheets of an agency and year."""
YEAR = "2025"
TICK_S = 0.005
_MAIN = "import sys; from hailong.cli import main; sys.exit(main())"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hailong bench report`."""
    parser.add_argument("--agencies", default="100,700", help="sizes, with commas between them (100,700)")
    parser.add_argument("--json", action="store_true", help="everything as JSON on standard output")
    parser.add_argument("--store", default="", help=argparse.SUPPRESS)


def make(store: str) -> dict[str, Any]:
    """The report of the store's province, made in this process."""
    from pipeline.calendar import parse_period
    from pipeline.instruments import load_instrument
    from pipeline.language import Message
    from server.reports.making import make_files
    from server.store.engine import connect

    steps: dict[str, float] = {}
    last: list[tuple[str, float]] = []

    def note(_share: float, words: Message) -> None:
        now_s = time.process_time()
        for name, since_s in last:
            steps[name] = round(steps.get(name, 0.0) + now_s - since_s, 2)
        last[:] = [(str(words), now_s)]

    engine = connect(f"sqlite:///{store}")
    began_s, used_s = time.perf_counter(), time.process_time()
    with _Watch() as watch:
        files = make_files(engine, 1, load_instrument("2640"), parse_period(YEAR), "vi", note)
    engine.dispose()
    return {
        "processor_s": round(time.process_time() - used_s, 2),
        "wall_s": round(time.perf_counter() - began_s, 2),
        "steps_processor_s": steps,
        "longest_stop_s": round(watch.longest_s, 3),
        "kb": {name: round(sum(len(files[one]) for one in files if one.endswith(name)) / 1000) for name in _ENDINGS},
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


_ENDINGS = ("docx", "pdf", "xlsx", "svg", "png")


class _Watch:
    """How long a thread that wants its turn each `TICK_S` has to wait at most."""

    longest_s = 0.0

    def __enter__(self) -> _Watch:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            began_s = time.perf_counter()
            time.sleep(TICK_S)
            self.longest_s = max(self.longest_s, time.perf_counter() - began_s - TICK_S)


def run(args: argparse.Namespace) -> int:
    """Every size: its store, then its process."""
    if args.store:
        print(json.dumps(make(args.store)))
        return 0
    results: list[dict[str, Any]] = []
    for agencies in (int(number) for number in args.agencies.split(",")):
        with tempfile.TemporaryDirectory(prefix="hailong-report-") as folder:
            store = Path(folder) / "store.sqlite"
            print(f"{agencies:,} agencies: writing the store ...", file=sys.stderr)
            make_store(store, 1, agencies, SHEETS)
            command = [sys.executable, "-c", _MAIN, "bench", "report", "--store", str(store)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                return 1
            result = {"agencies": agencies, **json.loads(done.stdout.splitlines()[-1])}
            first = results[0] if results else result
            result["ratio"] = round(result["processor_s"] / first["processor_s"], 2)
            if agencies != first["agencies"]:
                result["exponent"] = round(math.log(result["ratio"]) / math.log(agencies / first["agencies"]), 2)
            results.append(result)
    if args.json:
        head = provenance(("numpy", "openpyxl", "python-docx", "sqlalchemy", "typst"))
        print(json.dumps({**head, "sheets": SHEETS, "sizes": results}))
        return 0
    for result in results:
        print(
            f"{result['agencies']:,} agencies: {result['processor_s']} processor s, {result['wall_s']} s by the clock, "
            f"longest stop {result['longest_stop_s']} s, peak {result['peak_mib']} MiB"
        )
    return 0
