"""`hailong server verify`: what was changed behind the application's back is found; a restored copy is equal."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from hailong.cli import main
from server.core.changes import record_change
from server.retention.verify import verify_store
from server.store.archive import backup, read_manifest, restore
from server.store.engine import connect, write
from tests.server.province import fill_province


@pytest.mark.postgres
def test_a_restored_copy_has_the_same_digest(any_store: Engine, postgres_url: str, tmp_path: Path) -> None:
    fill_province(any_store, "p1")
    backup(any_store, tmp_path / "backup.zip")
    original = verify_store(any_store)
    assert original.holds
    assert original.tables["ratings"]["rows"] == 80
    manifest = read_manifest(tmp_path / "backup.zip")
    for url in (f"sqlite:///{tmp_path / 'copy.sqlite'}", postgres_url):
        copy = connect(url)
        restore(copy, tmp_path / "backup.zip")
        found = verify_store(copy)
        found.compare(manifest)
        assert (found.problems, found.digest) == ([], original.digest)
        with write(copy) as connection:
            connection.execute(text("UPDATE ratings SET a00 = 5 WHERE id = 40"))
        changed = verify_store(copy)
        changed.compare(manifest)
        assert changed.problems == ["ratings: 80 rows here, 80 in the backup, and they differ"]
        copy.dispose()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE changes SET detail = '{}' WHERE position = 1", "log of changes was altered at entry 1"),
        (
            "UPDATE ratings SET agency_id = 99 WHERE id = 1",
            "ratings: 1 rows whose province_id, agency_id lead to no agencies",
        ),
        (
            "UPDATE ratings SET counter_id = 12 WHERE id <= 3",
            "ratings: 3 rows whose province_id, counter_id",
        ),
        ("DELETE FROM boxes WHERE id = 1", "releases: 1 rows whose province_id, box_id lead to no boxes"),
    ],
)
def test_a_hand_in_the_data_base_is_found(
    statement: str, expected: str, tmp_path: Path, store_template: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "store.sqlite"
    shutil.copy(store_template, path)
    engine = connect(f"sqlite:///{path}")
    fill_province(engine, "p1")
    with write(engine) as connection:
        record_change(connection, 1, None, "settings", {"late_days": 3})
    engine.dispose()
    assert main(["server", "verify", "--store", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["holds"] is True
    raw = sqlite3.connect(path)
    raw.execute(statement)
    raw.commit()
    raw.close()
    assert main(["server", "verify", "--store", str(path)]) == 1
    assert expected in capsys.readouterr().out


def test_a_damaged_file_is_found(tmp_path: Path, store_template: Path) -> None:
    path = tmp_path / "store.sqlite"
    content = bytearray(store_template.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    leaves = [at for at in range(size, len(content), size) if content[at] == 0x0D and content[at + 4]]
    assert leaves, "pages that hold rows"
    content[leaves[0] + 8 : leaves[0] + 10] = b"\xff\xff"  # its first row lies beyond the page
    path.write_bytes(content)
    assert main(["server", "verify", "--store", str(path)]) == 1
