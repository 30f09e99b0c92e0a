"""All provinces of a store in one run: the index, fused estimates and every table of a period, one folder a province.

A province is scored in a process of its own (or by Apache Spark, one task a province): provinces share nothing, so
that the same code gives the same digits wherever it runs. A province's folder appears when it is whole, with what it
was made from; a run that was cut off goes on with what is missing, and one after a change of the store does the changed
anew.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, func

from calibration.ranks import rank_shares
from pipeline.calendar import parse_period
from pipeline.errors import InvalidError, StoreError
from pipeline.instruments import load_instrument, use_folder
from pipeline.language import Message, Text
from server.core.provinces import all_provinces
from server.core.scope import Scope
from server.reports.workbook import index_sheets
from server.scores.comparing import ranked_by
from server.scores.fused import agency_scores
from server.scores.held import version_of
from server.scores.index import WHOLE, compute_index
from server.scores.reasons import reasons_of
from server.scores.tables import TABLES, material
from server.store.engine import connect, read
from server.store.tables.ratings import ratings
from server.tabular.row_files import as_csv

T = TypeVar("T")
R = TypeVar("R")
DONE = "province.json"
"""The file of a province's folder that says what it is; the folder has it when it is whole."""
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Task:
    """One province to be scored. `store`: its URL; `instruments`: the server's own; `version`: of the instrument, None
    the newest; `key`: what the figures depend on, in short."""

    store: str
    instruments: str
    province_id: int
    code: str
    period: str
    instrument: str
    version: int | None
    key: str
    folder: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A province that is done: its figures, and what they cost. `index`, `low`, `high` 0..100, None where too
    few answered. `n_eff`: answers behind it, if they did not hang together (of a period that runs: and were
    looked at once). `peak_mib`: of its process."""

    code: str
    name: Text
    simulated: bool
    agencies: int
    sheets: int
    index: float | None
    low: float | None
    high: float | None
    n_eff: float
    seconds: float
    processor_s: float
    peak_mib: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` reads them."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "name"}
        return {"code": own.pop("code"), **self.name.columns(), **own}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Scored:
        """What `to_dict` gave."""
        own = {name: value for name, value in values.items() if not name.startswith("name_")}
        return cls(**own, name=Text.of_row(values))


def tasks_of(
    engine: Engine, instruments: Path, folder: Path, period: str, instrument: str, version: int | None
) -> list[Task]:
    """A task for each province of a store, those with most ratings first."""
    asked = load_instrument(instrument, version)
    found = []
    with read(engine) as connection:
        for province in all_provinces(connection):
            count = Scope(province.province_id).select(ratings, func.count())
            made_of = [FORMAT, period, asked.code, asked.version, version_of(connection, province.province_id)]
            key = hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]
            store = engine.url.render_as_string(hide_password=False)
            task = Task(
                store,
                str(instruments),
                province.province_id,
                province.code,
                period,
                instrument,
                version,
                key,
                str(folder),
            )
            found.append((int(connection.execute(count).scalar_one()), task))
    return [task for _, task in sorted(found, key=lambda one: (-one[0], one[1].code))]


def done(task: Task) -> Scored | None:
    """What a finished task left; None where it has to be done (anew)."""
    try:
        kept = json.loads((Path(task.folder) / task.code / DONE).read_text(encoding="utf-8"))
        return Scored.from_dict(kept["scored"]) if kept["key"] == task.key else None
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None


def score_province(task: Task) -> Scored:
    """Score one province and write its folder, which appears when it is whole."""
    began_s, used_s = time.perf_counter(), time.process_time()
    use_folder(Path(task.instruments))
    period, instrument = parse_period(task.period), load_instrument(task.instrument, task.version)
    part = Path(task.folder) / f".{task.code}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    engine = connect(task.store)
    try:
        with read(engine) as connection:
            result = compute_index(connection, task.province_id, instrument, period)
            reasons = [
                {"dimension": place.dimension, "key": place.key, "unsatisfied": place.unsatisfied, **_plain(one)}
                for dimension in ("province", "agency")
                for place in reasons_of(connection, task.province_id, instrument, period, dimension)
                for one in place.reasons
            ]
        fused = agency_scores(engine, task.province_id, period)
        tables = material(engine, task.province_id, period)
        for name, make in TABLES.items():
            (part / f"{name}.csv").write_bytes(as_csv(make(tables)))
        (part / "reasons.csv").write_bytes(as_csv(reasons))
        values = {**result.to_dict(), "fused": [score.to_dict() for score in fused]}
        (part / "index.json").write_text(json.dumps(values, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        index_sheets(result, instrument).save(part / f"so-lieu-{task.code}-{period.name}-{instrument.code}.xlsx")
    finally:
        engine.dispose()
    head = result.of("province")[0]
    whole = head.figure(WHOLE)
    scored = Scored(
        code=task.code,
        name=result.province_name,
        simulated=result.simulated,
        agencies=len(result.of("agency")),
        sheets=head.sheets,
        index=whole.index,
        low=whole.low,
        high=whole.high,
        n_eff=ranked_by(whole),
        seconds=round(time.perf_counter() - began_s, 3),
        processor_s=round(time.process_time() - used_s, 3),
        peak_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    )
    kept = {"key": task.key, "period": period.name, "instrument": instrument.code, "scored": scored.to_dict()}
    (part / DONE).write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
    place = Path(task.folder) / task.code
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)
    return scored


def _plain(reason: Any) -> dict[str, Any]:
    return {
        "reason": reason.code,
        "sheets": reason.sheets,
        "share": reason.share,
        "low": reason.low,
        "high": reason.high,
    }


def score_all(
    tasks: Sequence[Task],
    engine: str,
    workers: int,
    on_scored: Callable[[Scored, int], None] = lambda _one, _left: None,
) -> list[Scored]:
    """Every task that is not done yet, by `workers` at once; the result of all, in the tasks' order. `on_scored`: each
    when it ends, and how many are left.

    Raises `StoreError` where a process was killed: what is done stays done."""
    found = {task.code: one for task in tasks if (one := done(task)) is not None}
    todo = [task for task in tasks if task.code not in found]
    for scored in ENGINES_BY_NAME[engine](todo, workers):
        found[scored.code] = scored
        on_scored(scored, len(tasks) - len(found))
    return [found[task.code] for task in tasks]


def _by_processes(tasks: Sequence[Task], workers: int) -> Iterator[Scored]:
    if not tasks:
        return
    # workers share the processors by provinces: threads within one would only stand in each other's way
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        yield from each_apart(score_province, tasks, workers)
    except BrokenProcessPool:
        raise StoreError(
            Message("A process that scored a province was killed (memory?)."),
            Message("Run the command again: provinces that are done are kept. Fewer --workers need less memory."),
        ) from None


def each_apart(work: Callable[[T], R], tasks: Sequence[T], workers: int) -> Iterator[R]:
    """`work` of every task, each in a process of its own, `workers` at once; results as they come. Raises
    `BrokenProcessPool` where a process was killed.

    Not one pool whose processes end after some tasks: since CPython 3.11 no new ones are made for them, and the rest
    is waited for without end (python/cpython#115634)."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])

    def alone(task: T) -> R:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(work, task).result()

    with ThreadPoolExecutor(workers) as threads:
        futures = [threads.submit(alone, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _by_spark(tasks: Sequence[Task], workers: int) -> Iterator[Scored]:
    """One Spark task a province. Every machine must reach the store and the folder by the same names."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise InvalidError(
            Message("Apache Spark is not installed."),
            Message("Install the extra 'spark' (`make test-spark` does), or use --engine processes."),
        ) from None
    if not tasks:
        return
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("hailong nation").config("spark.ui.enabled", "false")
    if "SPARK_MASTER" not in os.environ:
        builder = builder.master(f"local[{workers}]").config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.driver.bindAddress", "127.0.0.1")
    session = builder.getOrCreate()
    rows = session.sparkContext.parallelize(list(tasks), len(tasks)).map(score_province)
    try:
        with ThreadPoolExecutor(1) as thread:
            all_of_them = thread.submit(rows.collect)
            waiting = list(tasks)
            while waiting:
                wait([all_of_them], timeout=1.0)
                is_over = all_of_them.done()
                for task, scored in [(task, one) for task in waiting if (one := done(task)) is not None]:
                    waiting.remove(task)
                    yield scored
                if is_over:
                    left = {scored.code: scored for scored in all_of_them.result()}
                    yield from (left[task.code] for task in waiting)
                    return
    finally:
        session.stop()


ENGINES_BY_NAME: dict[str, Callable[[Sequence[Task], int], Iterator[Scored]]] = {
    "processes": _by_processes,
    "spark": _by_spark,
}
"""What runs tasks, so many at once."""


def nation_rows(found: Sequence[Scored]) -> list[dict[str, Any]]:
    """A row for each province, with the ranks that the figures allow (all hold at once with 95 %)."""
    known = [one for one in found if one.index is not None and one.n_eff > 0]
    sets = rank_shares(
        [(one.index or 0.0) / 100 for one in known], [one.n_eff for one in known], [o.code for o in known]
    )
    ranks = {one.name: one for one in sets}
    rows = []
    for one in found:
        row = {name: value for name, value in one.to_dict().items() if name not in _COSTS}
        rank = ranks.get(one.code)
        rows.append({**row, "best": rank and rank.best, "worst": rank and rank.worst, "of": rank and rank.of})
    return rows


_COSTS = ("seconds", "processor_s", "peak_mib")
