"""What `hailong audit trace` says of the tables in a box's stores."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge.audit.trace import _columns
from edge.delivery.outbox import Outbox
from pipeline.language import Sentence
from tests.privacy.bench import Bench


def _change(path: Path, statement: str) -> list[Sentence]:
    database = sqlite3.connect(path)
    database.execute(statement)
    database.commit()
    database.close()
    return _columns(path)


def test_a_box_has_the_listed_columns_and_no_other(tmp_path: Path) -> None:
    Outbox(tmp_path / "outbox.sqlite3", 1).close()
    bench = Bench(tmp_path)
    bench.curator.close()
    for name in ("outbox.sqlite3", "release.sqlite3"):
        assert _columns(tmp_path / name) == []
    outbox = tmp_path / "outbox.sqlite3"
    assert _change(outbox, "ALTER TABLE sheet ADD COLUMN at_s") == [
        "outbox.sqlite3 has a column of its own: sheet.at_s"
    ]
    assert len(_change(tmp_path / "release.sqlite3", "CREATE TABLE visit (at_s, level)")) == 2
    outbox.write_bytes(b"this is no data base" * 300)
    assert _columns(outbox) == ["outbox.sqlite3 cannot be read (DatabaseError)"]
