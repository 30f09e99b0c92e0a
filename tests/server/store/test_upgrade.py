"""A store of before, filled by the program of before, becomes this program's: nothing is lost, nothing changes unsaid.

The rows are in `store_0016.sql` (see `old_store.py`). For versions before 0016 the same rows are taken back first."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from hailong.cli import main
from pipeline.calendar import today
from server.core.provinces import all_provinces
from server.core.scope import Scope
from server.ratings.audit import audit_ratings
from server.retention.verify import verify_store
from server.store.channels import CHANNELS
from server.store.engine import connect, read, write
from server.store.tables.ratings import ratings
from server.store.tables.rounds import invitations, rounds
from server.store.upgrade import newest_version, store_version, upgrade, versions
from tests.conftest import database
from tests.server.client import Browser
from tests.server.province import application
from tests.server.store import kill_child, old_store
from tests.server.store.test_kill_server import context

MEANT = {
    ("sessions", "*"),  # 0023: they end, and users log in again
    ("feedback", "code"),  # 0018: its hash takes its place
    ("gateways", "secret"),  # 0017: sealed by the command
    ("ratings", "origin"),  # 0035: sealed by the command
}
UNTIL = {("sessions", "*"): "0023", ("feedback", "code"): "0018"}
"""The version from which on it is as it is now."""
CASE = "EG3M6AK82GEE"
LINK = "7f7nvfn9h2wnjwsxh2vfnk"


@pytest.fixture(scope="session")
def old_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old store as a SQLite file, made once: tests copy it."""
    path = tmp_path_factory.mktemp("old") / "old.sqlite"
    engine = connect(f"sqlite:///{path}")
    old_store.make_old_store(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture
def old_sqlite(old_file: Path, tmp_path: Path) -> Iterator[Engine]:
    """An old store on SQLite."""
    shutil.copy(old_file, tmp_path / "store.sqlite")
    engine = connect(f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An old store, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("old_sqlite")
        return
    with database(request.getfixturevalue("postgres_cluster")) as url:
        engine = connect(url)
        old_store.make_old_store(engine)
        yield engine
        engine.dispose()


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def by_command(engine: Engine, *words: str) -> int:
    """`hailong server WORDS` on this store."""
    return main(["server", *words, "--store", url_of(engine)])


@pytest.mark.postgres
def test_a_store_of_before_is_upgraded_whole(
    old: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HAILONG_SERVER_DIR", str(tmp_path))
    before = old_store.as_now(old_store.rows_of(old))
    empty = [name for name, rows in before.items() if not rows]
    assert empty == [], "the fixture has rows of every table of then"
    assert by_command(old, "run") != 0, "this program does not run on it as it is"
    assert "hailong server upgrade" in capsys.readouterr().err
    assert by_command(old, "upgrade", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"before": "0016", "after": newest_version()}
    after = old_store.rows_of(old)
    assert old_store.lost_or_changed(before, after, meant=MEANT) == []
    assert {name for name in before if len(before[name]) != len(after[name])} == {"sessions", "channels"}
    assert {row["code"] for row in after["channels"].values()} == {channel.code for channel in CHANNELS}
    assert all(not rows for name, rows in after.items() if name not in before), "what is new is empty"
    for key, row in before["feedback"].items():
        assert after["feedback"][key]["code_hash"] == hashlib.sha256(row["code"].encode()).hexdigest()
    for key, row in before["gateways"].items():
        assert row["secret"] not in after["gateways"][key]["secret"]
    printed = {f"form:{row['code']}" for row in before["paper_forms"].values()}
    for key, row in before["ratings"].items():
        is_left = row["origin"] is None or row["origin"] in printed
        assert (after["ratings"][key]["origin"] == row["origin"]) == is_left
    assert by_command(old, "verify") == 0
    assert main(["audit", "ratings", "--store", url_of(old)]) == 0, "the sealed chains still hold"
    # the second time there is nothing to do, and it does nothing
    assert by_command(old, "upgrade") == 0
    assert old_store.rows_of(old) == after
    capsys.readouterr()
    assert by_command(old, "verify") == 0
    assert "All holds." in capsys.readouterr().out


@pytest.mark.postgres
def test_chains_and_figures_of_before_hold_after(old: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    upgrade(old)
    checked = 0
    with read(old) as connection:
        for province in all_provinces(connection):
            found = audit_ratings(connection, Scope(province.province_id))
            assert found.differences == ()
            assert found.sealed > 0
            checked += found.ratings
    assert checked == len(old_store.rows_of(old)["ratings"])
    # a row that is not as it was then is found: the chain is held against what the rows say now
    with write(old) as connection:
        first = connection.execute(select(ratings.c.id, ratings.c.province_id).where(ratings.c.source != "")).first()
        assert first is not None
        connection.execute(ratings.update().where(ratings.c.id == first.id).values(a01=1 + ratings.c.a01 % 5))
        assert len(audit_ratings(connection, Scope(first.province_id)).differences) == 1
        connection.rollback()
    shown = {}
    for province_code in old_store.PROVINCES:
        words = ("score", "--province", province_code, "--period", old_store.PERIOD, "--suppress-below", "0", "--json")
        capsys.readouterr()
        assert by_command(old, *words) == 0
        for place in json.loads(capsys.readouterr().out)["places"]:
            for figure in place["figures"]:
                key = (province_code, place["dimension"], place["key"], figure["item"])
                shown[key] = (figure["valid"], figure["satisfied"], figure["index"])
    for key, (valid, satisfied, index) in old_store.expected_figures().items():
        assert shown[key][:2] == (valid, satisfied), key
        assert shown[key][2] == pytest.approx(index, abs=0.001), key


@pytest.mark.postgres
def test_pages_answer_from_an_upgraded_store(old: Engine, tmp_path: Path) -> None:
    upgrade(old)
    with write(old) as connection:  # the rounds of then are over by now: citizens' links answer in one that runs
        connection.execute(rounds.update().values(last_day=today() + 30))
        connection.execute(invitations.update().values(expires_day=today() + 30))
    app = application(old, tmp_path)
    clerk = Browser(app)
    assert clerk.log_in("administrator.nho").status_code == 303
    menu = sorted(set(re.findall(r'href="(/[a-z][a-z0-9/_-]*)"', clerk.get("/").text)))
    assert len(menu) > 8, menu
    for path in ["/agencies/nho-a", *menu]:
        answer = clerk.get(path)
        assert answer.status_code in (200, 303), (path, answer.status_code)
    assert "Hộp Quầy 1" in clerk.get("/health").text
    # what a citizen was given before still opens: a link, and the code of a case
    citizen = Browser(app)
    assert citizen.get(f"/s/{LINK}").status_code == 200
    case = citizen.get(f"/feedback/nho?code={CASE}")
    assert case.status_code == 200
    assert "Chờ" not in case.text  # the state, never the words
    assert case.text != citizen.get("/feedback/nho?code=AAAAAAAAAAAA").text


@pytest.mark.parametrize("version", ["0001", "0008", "0016", "0024"])
def test_former_versions_are_upgraded_with_their_rows(old_sqlite: Engine, version: str) -> None:
    """In one go, as people do it."""
    if version > old_store.OLD:
        upgrade(old_sqlite, version)
    else:
        old_store.take_back(old_sqlite, version)
    _same_after_upgrade(old_sqlite, version, newest_version())


def test_no_step_between_two_versions_loses_or_changes_a_row(old_sqlite: Engine, tmp_path: Path) -> None:
    """So every former version comes to this one with its rows. Each before `OLD` is taken back, then copied."""
    names = versions()
    oldest = names.index(old_store.OLD)
    copied = tmp_path / "copied.sqlite"
    for version, following in reversed(list(pairwise(names[: oldest + 1]))):
        old_store.take_back(old_sqlite, version)
        _copy(old_sqlite, copied)
        engine = connect(f"sqlite:///{copied}")
        _same_after_upgrade(engine, version, following)
        engine.dispose()
        copied.unlink()


def test_no_step_to_this_version_loses_or_changes_a_row(old_sqlite: Engine) -> None:
    names = versions()
    for version, following in pairwise(names[names.index(old_store.OLD) :]):
        _same_after_upgrade(old_sqlite, version, following)
    assert store_version(old_sqlite) == newest_version()


@pytest.mark.postgres
@pytest.mark.parametrize("version", ["0001", "0005", "0010", "0015", "0022", "0027"])
def test_former_versions_on_postgresql(postgres_url: str, version: str) -> None:
    engine = connect(postgres_url)
    old_store.make_old_store(engine)
    if version > old_store.OLD:
        upgrade(engine, version)
    else:
        old_store.take_back(engine, version)
    _same_after_upgrade(engine, version, newest_version())
    engine.dispose()


def _copy(engine: Engine, path: Path) -> None:
    """The store's file as it stands."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(str(engine.url.database), path)


def _same_after_upgrade(engine: Engine, version: str, to: str) -> None:
    assert store_version(engine) == version
    before = old_store.as_now(old_store.rows_of(engine))
    assert len(before["ratings"]) > 200
    meant = {(table, name) for table, name in MEANT if (table, name) not in UNTIL or version < UNTIL[table, name]}
    assert upgrade(engine, to) == to
    assert old_store.lost_or_changed(before, old_store.as_now(old_store.rows_of(engine)), meant=meant) == []


def test_what_is_lost_or_changed_is_seen() -> None:
    before = {"t": {1: {"id": 1, "a": 5}, 2: {"id": 2, "a": 6}, 3: {"id": 3, "a": 7}}, "u": {1: {"b": 1}}}
    after = {"t": {1: {"id": 1, "a": 5, "new": 0}, 3: {"id": 3, "a": 8}}}
    assert old_store.lost_or_changed(before, after, meant={("u", "*")}) == ["t 2: gone", "t 3.a: 7, now 8"]
    assert old_store.lost_or_changed(before, after, meant={("t", "a")}) == ["t 2: gone", "u 1: gone"]


def _child(old: Engine, folder: Path, at: int | str) -> int | None:
    """`hailong server upgrade` in a process that kills itself; its exit code."""
    words = ["upgrade", "--store", url_of(old)]
    child = context().Process(target=kill_child.run_until, args=(words, str(folder / "said.log"), at))
    child.start()
    child.join(120)
    return child.exitcode


@pytest.mark.postgres
def test_an_upgrade_that_is_killed_has_happened_or_not(
    old: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HAILONG_SERVER_DIR", str(tmp_path))
    before = old_store.rows_of(old)
    for at in (30, "commit"):
        assert _child(old, tmp_path, at) == -signal.SIGKILL, (at, (tmp_path / "said.log").read_text())
        assert store_version(old) == old_store.OLD
        assert old_store.rows_of(old) == before, at
    assert by_command(old, "run") != 0
    assert "hailong server upgrade" in capsys.readouterr().err
    # killed when the new schema stands and the gateways' keys are not sealed yet: the command again completes it
    assert _child(old, tmp_path, "seal") == -signal.SIGKILL
    assert store_version(old) == newest_version()
    assert by_command(old, "upgrade") == 0
    after = old_store.rows_of(old)
    assert old_store.lost_or_changed(old_store.as_now(before), after, meant=MEANT) == []
    assert all(row["secret"] != before["gateways"][key]["secret"] for key, row in after["gateways"].items())
    assert verify_store(old).problems == []
