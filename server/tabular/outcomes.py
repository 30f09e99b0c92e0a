"""Which kinds of file failed to be imported when last tried: what `server.alerts` tells of."""

from __future__ import annotations

from sqlalchemy import Engine

from pipeline.calendar import now_s
from server.core.scope import Scope
from server.store.engine import read, upsert, write
from server.store.tables.letters import failed_imports


def note_failure(engine: Engine, scope: Scope, kind: str) -> None:
    """An import of a kind was refused, or could not be carried out. The first of a row of them stays."""
    row = {"province_id": scope.province_id, "kind": kind, "failed_s": now_s()}
    with write(engine) as connection:
        upsert(connection, failed_imports, [row], ("province_id", "kind"))


def note_success(engine: Engine, scope: Scope, kind: str) -> None:
    """An import of a kind succeeded: nothing of it is open any more."""
    mine = failed_imports.c.kind == kind
    with read(engine) as connection:
        is_open = connection.execute(scope.province.select(failed_imports).where(mine)).first() is not None
    if is_open:
        with write(engine) as connection:
            connection.execute(scope.province.delete(failed_imports).where(mine))
