"""Versions of the schema: which one a store has, and how it gets to this program's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, insert, inspect, select

from pipeline.errors import StoreError
from pipeline.language import Message
from server.store.channels import CHANNELS
from server.store.engine import read
from server.store.tables.channels import channels


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


@cache
def newest_version() -> str:
    """The version of the schema that this program works with."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


@cache
def versions() -> tuple[str, ...]:
    """All versions, oldest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())[::-1]


def store_version(engine: Engine) -> str | None:
    """The version of a store's schema, or None where the store is empty."""
    with read(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, version: str = "head") -> str:
    """Bring the store to `version`, in one transaction, and return it. An empty store is made.

    Raises `StoreError` where the store is newer than this program."""
    current = store_version(engine)
    if current is not None and current not in versions():
        raise StoreError(
            Message("The store has version {current}, which this program does not know.", current=current),
            Message("Install the newer program."),
        )
    with rebuilding(engine) as connection:
        upgrade_on(connection, version)
    return store_version(engine) or ""


@contextmanager
def rebuilding(engine: Engine) -> Iterator[Connection]:
    """A connection in one transaction in which tables may be dropped, made and filled. An error undoes all of it.

    Raises `StoreError` where rows would point nowhere in the end."""
    with engine.connect().execution_options(writes=True) as connection:
        if (
            engine.dialect.name == "sqlite"
        ):  # a table that is rewritten is dropped for a moment: check afterwards instead
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            yield connection
            if engine.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise StoreError(
                    Message("The store holds rows that point nowhere; nothing was changed."),
                    Message("Restore a backup."),
                )
        connection.invalidate()  # the next user of the pool gets a connection with foreign keys on


def upgrade_on(connection: Connection, version: str = "head") -> None:
    """Bring the store to `version` within a transaction of `rebuilding`."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, version)
    _fill_channels(connection)


def _fill_channels(connection: Connection) -> None:
    """Add the registry's channels that the store's table lacks; versions before 0006 have no such table."""
    if not inspect(connection).has_table(channels.name):
        return
    held = set(connection.execute(select(channels.c.code)).scalars())
    missing = [{"code": channel.code} for channel in CHANNELS if channel.code not in held]
    if missing:
        connection.execute(insert(channels), missing)


def require_current(engine: Engine) -> None:
    """Raises `StoreError` unless the store's schema is this program's."""
    current = store_version(engine)
    if current is None:
        raise StoreError(Message("The store is empty."), Message("Run `hailong server init`."))
    if current != newest_version():
        raise StoreError(
            Message(
                "The store has version {current}, this program works with {newest_version}.",
                current=current,
                newest_version=newest_version(),
            ),
            Message("Run `hailong server backup`, then `hailong server upgrade`."),
        )
