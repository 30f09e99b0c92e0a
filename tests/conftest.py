"""Fixtures that several folders' tests share."""

from __future__ import annotations

import importlib
import itertools
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import hypothesis
import pytest
from anyio.from_thread import start_blocking_portal
from argon2 import PasswordHasher
from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy import Connection, Engine, create_engine, inspect
from starlette.testclient import TestClient

from server.auth import passwords
from server.scores import beside
from server.store import upgrade as store_upgrade
from server.store.engine import connect, store_url
from server.store.upgrade import newest_version, upgrade
from tests.postgres import throw_away_cluster

_numbers = itertools.count()

# The same examples in every run, so that a run tells of the commit and not of its luck; `make fuzz` looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """In a new checkout every worker would compile all modules at the same time: each begins at another place, and
    finds what the others have compiled meanwhile. What fails here fails again where it is collected."""
    worker, workers = (os.environ.get(f"PYTEST_XDIST_WORKER{more}", "") for more in ("", "_COUNT"))
    if not worker or any("::" in each for each in session.config.args):
        return
    root = session.config.rootpath
    places = [session.config.invocation_params.dir / each for each in session.config.args]
    files = sorted({file for place in places for file in (place.rglob("test_*.py") if place.is_dir() else [place])})
    first = len(files) * int(worker.removeprefix("gw")) // int(workers)
    for file in files[first:] + files[:first]:
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(file.relative_to(root).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a slow test first, then by their number of tests: one that takes a minute and begins last would leave
    the other workers without work (`--no-loadscope-reorder`)."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    count = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, -count[item.path], item.path))


@pytest.fixture(scope="session", autouse=True)
def memory_folder() -> Iterator[Path]:
    """Keys of running months that the tests' boxes make: in memory, as in the field, and gone with the run."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="hailong-tests-") as name:
        before = os.environ.get("RUNTIME_DIRECTORY")
        os.environ["RUNTIME_DIRECTORY"] = name
        yield Path(name)
        if before is None:
            del os.environ["RUNTIME_DIRECTORY"]
        else:
            os.environ["RUNTIME_DIRECTORY"] = before


@pytest.fixture(scope="session", autouse=True)
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a server that a test names none for: not the user's."""
    folder = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAILONG_SERVER_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def pages_wait() -> Iterator[None]:
    """A page waits for what it needs, however busy the machine is: what a test sees is not its luck."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beside, "WAIT_S", 600.0)
        patch.setattr(beside, "AGAIN_S", 600.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[PasswordHasher]:
    """Argon2id with the least memory: a log-in takes 0.4 s of a processor by design, and tests log in by the hundred.
    Gives the real one, whose cost `tests/server/auth/test_log_in.py` holds."""
    real = passwords._hasher
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield real


@pytest.fixture(scope="session", autouse=True)
def one_loop() -> Iterator[None]:
    """One event loop for every page that is asked for in this process, as in a server: without it each request begins a
    thread, a loop and a thread of that loop."""
    with start_blocking_portal() as portal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(TestClient, "portal", portal)
        yield


@pytest.fixture(scope="session", autouse=True)
def migrated_once() -> Iterator[None]:
    """All migrations make the first empty SQLite store of a run, in two seconds of a processor; every further one gets
    the statements of which that one consists, in their order. Stores of earlier versions are migrated as ever."""
    real, made, codes = store_upgrade.upgrade_on, list[str](), list[str]()

    def upgrade_on(connection: Connection, version: str = "head") -> None:
        is_new = version in ("head", newest_version()) and not inspect(connection).get_table_names()
        if connection.dialect.name != "sqlite" or not is_new:
            real(connection, version)
        elif not made:
            real(connection, version)
            found = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
            made.extend(connection.exec_driver_sql(found).scalars())
            codes.extend(connection.exec_driver_sql("SELECT code FROM channels ORDER BY rowid").scalars())
        else:
            for statement in made:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (newest_version(),))
            connection.exec_driver_sql("INSERT INTO channels (code) VALUES (?)", [(code,) for code in codes])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_upgrade, "upgrade_on", upgrade_on)
        yield


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless Chromium for the session; never skipped: without it a test says how to get it and fails.

    Two of Playwright's loops cannot run in one process, so that every folder uses this one."""
    path = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if path is None:
        pytest.fail("The browser tests need Chromium: apt install chromium")
    expect.set_options(timeout=60_000)  # what has to come comes, however busy the machine is
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[str]:
    """URL of a running, empty PostgreSQL cluster of this test run."""
    with throw_away_cluster() as url:
        yield url


def new_database(cluster_url: str, template: str = "template1") -> str:
    """URL of a new data base of a cluster, copied from `template`."""
    name = f"test_{next(_numbers)}"
    _of_the_cluster(cluster_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return cluster_url.rsplit("/", 1)[0] + "/" + name


def _of_the_cluster(cluster_url: str, statement: str) -> None:
    admin = create_engine(store_url(cluster_url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(statement)
    admin.dispose()


@contextmanager
def database(cluster_url: str, template: str = "template1") -> Iterator[str]:
    """A new data base of a cluster for one test: hundreds of them, kept to the end, are gigabytes."""
    url = new_database(cluster_url, template)
    yield url
    _of_the_cluster(cluster_url, f"DROP DATABASE {url.rsplit('/', 1)[1]} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres_cluster: str) -> Iterator[str]:
    """URL of a new, empty PostgreSQL data base."""
    with database(postgres_cluster) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a new, empty data base: every test that uses it runs on both."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
    else:
        with database(request.getfixturevalue("postgres_cluster")) as url:
            yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_cluster: str) -> str:
    """Name of a PostgreSQL data base with the newest schema, made once: tests copy it."""
    url = new_database(postgres_cluster)
    engine = connect(url)
    upgrade(engine)
    engine.dispose()
    return url.rsplit("/", 1)[1]


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A store with the newest schema, on SQLite and on PostgreSQL."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path / 'store.sqlite'}"
            shutil.copy(request.getfixturevalue("store_template"), tmp_path / "store.sqlite")
        else:
            cluster, template = (request.getfixturevalue(f"postgres_{each}") for each in ("cluster", "template"))
            url = stack.enter_context(database(cluster, template))
        engine = connect(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema, made once: tests copy it."""
    path = tmp_path_factory.mktemp("template") / "store.sqlite"
    engine = connect(f"sqlite:///{path}")
    upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture
def store(store_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A SQLite store with the newest schema."""
    path = tmp_path / "store.sqlite"
    shutil.copy(store_template, path)
    engine = connect(f"sqlite:///{path}")
    yield engine
    engine.dispose()
