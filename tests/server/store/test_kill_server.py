"""kill -9 of the server's own work at random moments, on SQLite and on PostgreSQL: it keeps its promises.

Import, scoring, report, backup, restore and migration run as the real commands in a process that is killed. After every
kill the store is held against `hailong server verify`; an import is whole, absent, or shown as cut off and completed by
the same file; a backup is there whole or not there, and restores to the same digest on the other data base, too; a
migration has happened or not; what only reads has changed no row. The seed is printed; HAILONG_KILL_SEED repeats it.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, Table, func, insert, select, text

from pipeline.calendar import day_date, month_of_day, quarter_of_month, today
from pipeline.language import Text
from server.core.provinces import make_province
from server.retention.verify import StoreVerdict, verify_store
from server.store.archive import read_manifest, restore
from server.store.engine import connect, read, write
from server.store.tables.agencies import agencies, levels
from server.store.tables.provinces import provinces
from server.store.tables.ratings import ratings
from server.store.upgrade import newest_version, store_version, upgrade
from tests.server.store import kill_child

SHEETS = 400
EARLIER = 80
DAYS_BACK = 200
CUT_OFF = "an import was cut off"
_NEW_DATABASE = Callable[[], str]


def context() -> multiprocessing.context.ForkServerContext:
    """Children are forked from a process that has loaded the program, so that kills fall into its work."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(
        ["hailong.cli", "server.commands.import_files", "server.ratings.imports", "server.commands.report",
         "server.reports.figures", "server.commands.score", "server.commands.backup", "server.commands.restore",
         "server.commands.upgrade", "server.store.archive", "tests.server.store.kill_child"]
    )  # fmt: skip
    return found


@dataclass
class Work:
    """A store, and what has been done to it. `killed`: by task, those that were still running when the signal came."""

    folder: Path
    engine: Engine
    new_database: _NEW_DATABASE
    rng: random.Random
    imported: int = 0
    files: int = 0
    backups: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    took: dict[str, float] = field(default_factory=dict)

    def url(self, engine: Engine | None = None) -> str:
        return (engine or self.engine).url.render_as_string(hide_password=False)

    def run(self, task: str, words: list[str], *, kill: bool) -> bool:
        """Start a command; kill it at a moment of its usual time, or let it end. Whether it ended by itself."""
        child = context().Process(target=kill_child.run, args=(words, str(self.folder / "said.log")))
        begun = time.monotonic()
        child.start()
        child.join(self.rng.uniform(0.0, 1.05) * self.took[task] if kill else 300)
        if kill and child.is_alive():
            child.kill()
            child.join()
            self.killed[task] += 1
            return False
        assert child.exitcode == 0, (task, child.exitcode, (self.folder / "said.log").read_text()[-2000:])
        self.finished[task] += 1
        if not kill:
            self.took[task] = time.monotonic() - begun
        return True

    def verdict(self) -> StoreVerdict:
        return verify_store(self.engine)

    def sheets(self) -> int:
        with read(self.engine) as connection:
            return int(connection.execute(select(func.count()).select_from(ratings)).scalar_one())

    # the tasks

    def new_file(self) -> Path:
        """The file that is being imported now: of the number of files that went in before."""
        path = self.folder / f"file-{self.files}.csv"
        if not path.exists():
            days = (day_date(today() - 1 - n % 20) for n in range(SHEETS))
            rows = (f"F{self.files}-{n},so-1,{day:%d/%m/%Y},{n % 5 + 1}" for n, day in enumerate(days))
            path.write_text("\n".join(["form,agency,day,overall", *rows]), encoding="utf-8")
        return path

    def import_(self, *, kill: bool) -> None:
        words = ["import", "ratings", str(self.new_file()), "--channel", "sms", "--store", self.url()]
        ended = self.run("import", words, kill=kill)
        found = self.sheets() - self.imported
        problems = self.verdict().problems
        if ended:
            assert (found, problems) == (SHEETS, [])
        else:
            assert 0 <= found <= SHEETS
            # part of a file is never silent, and nothing else is wrong
            assert all(CUT_OFF in problem for problem in problems)
            assert problems or found in (0, SHEETS), (found, problems)
            if self.engine.dialect.name != "sqlite":
                assert (found in (0, SHEETS), problems) == (True, [])
            if self.rng.random() < 0.5:
                self.run("import", words, kill=False)
                assert self.sheets() - self.imported == SHEETS
                assert self.verdict().holds
                ended = True
        if ended:
            self.files += 1
            self.imported += SHEETS

    def reading(self, task: str, words: list[str], *, kill: bool) -> None:
        before = self.verdict().digest
        self.run(task, [*words, "--store", self.url()], kill=kill)
        assert self.verdict().digest == before

    def score(self, *, kill: bool) -> None:
        self.reading("score", ["score", "--period", quarter(), "--json"], kill=kill)

    def report(self, *, kill: bool) -> None:
        out = self.folder / "report"
        self.reading("report", ["report", "--period", quarter(), "--out", str(out)], kill=kill)

    def backup(self, *, kill: bool) -> None:
        path = self.folder / f"backup-{self.backups}.zip"
        self.backups += 1
        ended = self.run("backup", ["backup", str(path), "--unencrypted", "--store", self.url()], kill=kill)
        assert path.exists() or not ended
        if path.exists():
            verdict = self.verdict()
            verdict.compare(read_manifest(path))
            assert [problem for problem in verdict.problems if CUT_OFF not in problem] == []

    def restore(self, *, kill: bool) -> None:
        """Into a fresh store, of either kind."""
        path = self.folder / f"whole-{self.backups}.zip"
        self.backups += 1
        self.run("backup", ["backup", str(path), "--unencrypted", "--store", self.url()], kill=False)
        other = connect(self.new_database())
        ended = self.run("restore", ["restore", str(path), "--store", self.url(other)], kill=kill)
        if store_version(other) is not None:
            with read(other) as connection:
                rows = connection.execute(select(func.count()).select_from(provinces)).scalar_one()
            # all rows or none at all
            assert rows or not ended
            if rows:
                assert verify_store(other).digest == self.verdict().digest
        other.dispose()

    def upgrade(self, *, kill: bool) -> None:
        old = connect(self.new_database())
        fill_old(old)
        self.run("upgrade", ["upgrade", "--store", self.url(old)], kill=kill)
        assert store_version(old) in ("0001", newest_version())
        self.run("upgrade", ["upgrade", "--store", self.url(old)], kill=False)
        verdict = verify_store(old)
        assert (verdict.problems, verdict.tables["ratings"]["rows"]) == ([], 500)
        old.dispose()


def quarter() -> str:
    """That of the earlier sheets."""
    return quarter_of_month(month_of_day(today() - DAYS_BACK)).name


def fill_old(engine: Engine) -> None:
    """A store of the first version with 500 ratings."""
    upgrade(engine, "0001")
    with write(engine) as connection:
        # the old schema names things otherwise than today's tables
        of_province = "code, name_vi, name_en, simulated, created_day"
        connection.execute(text(f"INSERT INTO provinces ({of_province}) VALUES ('p1', 'p', 'p', TRUE, 2500)"))
        province = connection.execute(text("SELECT id FROM provinces")).scalar_one()
        of_level = "province_id, code, name_vi, name_en, rank"
        connection.execute(
            text(f"INSERT INTO levels ({of_level}) VALUES (:province, 'tinh', 'Tỉnh', 'Province', 1)"),
            {"province": province},
        )
        level = connection.execute(text("SELECT id FROM levels")).scalar_one()
        columns = "province_id, code, name_vi, name_en, level_id, active"
        connection.execute(
            text(f"INSERT INTO agencies ({columns}) VALUES (:province_id, 'so-1', 'Sở', 'Dept', :level_id, :active)"),
            {"province_id": province, "level_id": level, "active": True},
        )
        agency = connection.execute(text("SELECT id FROM agencies")).scalar_one()
        row = {"province_id": province, "agency_id": agency, "channel": "paper", "day": 2400, "month": 78}
        row |= {"instrument": "2640", "instrument_version": 1, "service_group": 0, "reasons": 0}
        marks = ", ".join(f":{name}" for name in row)
        connection.execute(
            text(f"INSERT INTO ratings ({', '.join(row)}, flag) VALUES ({marks}, :flag)"),
            [{**row, "flag": 3 * (number % 2)} for number in range(500)],
        )


def kill_often(folder: Path, engine: Engine, new_database: _NEW_DATABASE, kills: int, reading: bool) -> str:
    """Kill until `kills` signals met a running task; what came of it, in a line. `reading`: scoring and reports too."""
    seed = int(os.environ.get("HAILONG_KILL_SEED", time.time_ns() % 2**32))
    print(f"seed {seed}")
    with write(engine) as connection:
        province = make_province(connection, "p1", Text.named(vi="p1"))
        level = connection.execute(select(levels.c.id).order_by(levels.c.id)).scalars().first()
        names = {"province_id": province.province_id, "code": "so-1", "name": Text.named(vi="Sở Một", en="One")}
        agency = connection.execute(
            insert(agencies).values(**names, level_id=level).returning(agencies.c.id)
        ).scalar_one()
        # what is received today is in no figure yet: older sheets, to be scored and reported
        answers = {f"a{slot:02d}": 4 for slot in range(6)}
        day = today() - DAYS_BACK
        row = {"province_id": province.province_id, "agency_id": agency, "channel": "online", "day": day, **answers}
        row |= {"month": month_of_day(day), "instrument": "2640", "instrument_version": 1, "received_day": day}
        connection.execute(insert(ratings), [row] * EARLIER)
    work = Work(folder, engine, new_database, random.Random(seed), imported=EARLIER)
    tasks: tuple[Callable[..., None], ...] = (work.import_, work.backup, work.restore, work.upgrade)
    tasks += (work.score, work.report) if reading else ()
    for task in tasks:  # once whole: how long it takes
        task(kill=False)
    begun = time.monotonic()
    told = 0
    while work.killed.total() < kills:
        work.rng.choice(tasks)(kill=True)
        if work.killed.total() >= told + 10:
            told = work.killed.total()
            print(f"{engine.dialect.name}: {told} kills, {time.monotonic() - begun:.0f} s", flush=True)
    work.import_(kill=False)
    assert work.verdict().holds
    work.restore(kill=False)
    return (
        f"{engine.dialect.name}: {work.killed.total()} kills in {time.monotonic() - begun:.0f} s "
        f"({dict(sorted(work.killed.items()))}), {work.files} files of {SHEETS} sheets imported, "
        f"{work.sheets()} sheets stored, digest of the restored copy equal"
    )


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path, any_store: Engine) -> _NEW_DATABASE:
    """URLs of fresh stores: of both kinds in turn, so that backups cross from one to the other."""
    from tests.conftest import new_database

    cluster = request.getfixturevalue("postgres_cluster")
    numbers = iter(range(10_000))

    def make() -> str:
        number = next(numbers)
        return f"sqlite:///{tmp_path / f'fresh-{number}.sqlite'}" if number % 2 else new_database(cluster)

    return make


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize(
    ("kills", "reading"), [(3, False), pytest.param(100, True, marks=[pytest.mark.soak, pytest.mark.timeout(3_600)])]
)
def test_a_server_that_is_killed_keeps_its_promises(
    tmp_path: Path, any_store: Engine, new_database: _NEW_DATABASE, kills: int, reading: bool
) -> None:
    print(kill_often(tmp_path, any_store, new_database, kills, reading))


def test_a_backup_that_is_cut_off_has_no_name(store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, a killed backup left half an archive under its final name, and the next one was refused for it."""
    from server.store import archive

    path, seen, rows_of = tmp_path / "b.zip", [], archive.rows_of

    def watched(connection: Connection, table: Table) -> Iterator[bytes]:
        seen.append(path.exists())
        return rows_of(connection, table)

    monkeypatch.setattr(archive, "rows_of", watched)
    archive.backup(store, path)
    monkeypatch.undo()
    assert seen
    assert not any(seen)
    assert path.exists()
    assert [found.name for found in tmp_path.iterdir() if found.name.startswith("b.zip") or "part" in found.name] == [
        "b.zip"
    ]
    fresh = connect(f"sqlite:///{tmp_path / 'fresh.sqlite'}")
    restore(fresh, path)
    assert verify_store(fresh).digest == verify_store(store).digest
    fresh.dispose()
