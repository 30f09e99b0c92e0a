"""Fixtures that several folders' tests share."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import hypothesis
import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy import Engine, create_engine

from server.auth import passwords
from server.scores import beside
from server.store.engine import connect, store_url
from server.store.upgrade import upgrade
from tests.postgres import throw_away_cluster

_numbers = itertools.count()

# The same examples in every run, so that a run tells of the commit and not of its luck; `make fuzz` looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


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
