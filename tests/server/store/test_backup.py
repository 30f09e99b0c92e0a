"""Backups move between SQLite and PostgreSQL, from the version before, and are refused when damaged."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, inspect, select, text

from hailong.cli import main
from pipeline.errors import StoreError
from pipeline.keys import KEY_FILE_NAME, load_keys, new_keys, save_keys
from server.store.archive import backup, restore
from server.store.engine import connect, read, write
from server.store.schema import metadata
from server.store.tables.provinces import provinces
from server.store.tables.ratings import ratings
from server.store.upgrade import newest_version, store_version, upgrade
from tests.server.province import fill_province


def _content(engine: Engine) -> dict[str, list[Any]]:
    with read(engine) as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in metadata.sorted_tables
        }


@pytest.mark.postgres
def test_a_backup_moves_between_data_bases(any_store: Engine, store: Engine, postgres_url: str, tmp_path: Path) -> None:
    fill_province(any_store, "p1")
    path = tmp_path / "backup.zip"
    counts = backup(any_store, path)
    assert counts["ratings"] == 80
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    expected = _content(any_store)
    for url in (f"sqlite:///{tmp_path / 'other.sqlite'}", postgres_url):
        engine = connect(url)
        assert restore(engine, path) == counts
        assert _content(engine) == expected
        fill_province(engine, "p2")  # new rows get new ids
        engine.dispose()


@pytest.mark.postgres
def test_a_backup_of_the_version_before_is_upgraded(empty_store_url: str, tmp_path: Path) -> None:
    engine = connect(empty_store_url)
    upgrade(engine, "0001")
    with write(engine) as connection:
        names = "id, code, name_vi, name_en, simulated, created_day"
        connection.execute(text(f"INSERT INTO provinces ({names}) VALUES (1, 'p', 'Tỉnh', 'P', true, 1)"))
        connection.execute(text("INSERT INTO levels VALUES (1, 1, 'tinh', 'Tỉnh', 'Province', 1)"))
        columns = "id, province_id, code, name_vi, name_en, level_id, active"
        connection.execute(text(f"INSERT INTO agencies ({columns}) VALUES (7, 1, 'so', 'Sở', 'Dept', 1, true)"))
        columns = "province_id, agency_id, service_group, channel, day, month, instrument, instrument_version"
        for flag in (0, 2):
            row = f"1, 7, 1, 'paper', 2400, 78, '2640', 1, 0, {flag}"
            connection.execute(text(f"INSERT INTO ratings ({columns}, reasons, flag) VALUES ({row})"))
    path = tmp_path / "old.zip"
    backup(engine, path)
    engine.dispose()
    new = connect(f"sqlite:///{tmp_path / 'new.sqlite'}")
    restore(new, path)
    assert store_version(new) == newest_version()
    with read(new) as connection:
        assert connection.execute(select(ratings.c.flag, ratings.c.state)).all() == [(0, 0), (2, 1)]
        assert connection.execute(select(provinces.c.simulated)).scalar_one() is True
    new.dispose()


@pytest.mark.postgres
def test_a_store_goes_back_to_what_it_was_before_an_upgrade(any_store: Engine, tmp_path: Path) -> None:
    """The newer program has added a table and rows, and does not come up: on PostgreSQL, too, there is a way back. What
    another role owns there stays."""
    fill_province(any_store, "p1")
    path = tmp_path / "before.zip"
    counts = backup(any_store, path)
    before = _content(any_store)
    with write(any_store) as connection:
        connection.execute(
            text("CREATE TABLE newer (id INTEGER PRIMARY KEY, province_id INTEGER REFERENCES provinces (id))")
        )
        connection.execute(text("INSERT INTO newer VALUES (1, (SELECT min(id) FROM provinces))"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    fill_province(any_store, "p2")
    damaged = _rewrite(path, "tables/ratings.jsonl", lambda data: data.replace(b'"2640"', b'"1383"', 1))
    with pytest.raises(StoreError, match="the store is as it was"):
        restore(any_store, damaged, replace=True)
    with read(any_store) as connection:
        assert connection.execute(text("SELECT count(*) FROM newer")).scalar_one() == 1
        assert connection.execute(select(func.count()).select_from(provinces)).scalar_one() == 2
    assert restore(any_store, path, replace=True) == counts
    assert (_content(any_store), store_version(any_store)) == (before, newest_version())
    assert not inspect(any_store).has_table("newer")
    fill_province(any_store, "p3")  # new rows get new ids


def test_keys_go_along_when_asked(store: Engine, tmp_path: Path) -> None:
    keys = new_keys("server")
    save_keys(keys, tmp_path / "keys")
    backup(store, tmp_path / "with.zip", tmp_path / "keys")
    backup(store, tmp_path / "without.zip")
    engine = connect(f"sqlite:///{tmp_path / 'a.sqlite'}")
    restore(engine, tmp_path / "with.zip", tmp_path / "restored")
    assert load_keys(tmp_path / "restored" / KEY_FILE_NAME, "server").curve_public == keys.curve_public
    with zipfile.ZipFile(tmp_path / "without.zip") as archive:
        assert not any(name.startswith("keys/") for name in archive.namelist())
    engine.dispose()


def test_nothing_is_written_over(store: Engine, tmp_path: Path) -> None:
    fill_province(store, "p1")
    path = tmp_path / "b.zip"
    backup(store, path)
    with pytest.raises(StoreError, match="never replaces a file"):
        backup(store, path)
    with pytest.raises(StoreError, match="not empty"):
        restore(store, path)


def _rewrite(path: Path, name: str, change: Any) -> Path:
    """A copy of a backup in which one member is changed (or dropped, where `change` gives None)."""
    out = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            data = change(data) if member == name else data
            if data is not None:
                new.writestr(member, data)
    return out


@pytest.mark.parametrize(
    ("member", "change", "problem"),
    [
        ("tables/ratings.jsonl", lambda data: data.replace(b'"2640"', b'"1383"', 1), "damaged"),
        ("tables/ratings.jsonl", lambda data: data[: len(data) // 2], "damaged"),
        ("tables/agencies.jsonl", lambda data: None, "damaged"),
        ("manifest.json", lambda data: None, "no backup"),
        ("manifest.json", lambda data: json.dumps({**json.loads(data), "version": "9999"}).encode(), "newer program"),
    ],
)
def test_a_damaged_backup_leaves_the_store_empty(
    store: Engine, tmp_path: Path, member: str, change: Any, problem: str
) -> None:
    fill_province(store, "p1")
    path = tmp_path / "b.zip"
    backup(store, path)
    engine = connect(f"sqlite:///{tmp_path / 'new.sqlite'}")
    with pytest.raises(StoreError, match=problem):
        restore(engine, _rewrite(path, member, change))
    assert store_version(engine) is None
    assert restore(engine, path)["ratings"] == 80
    engine.dispose()


@pytest.mark.parametrize("content", [b"", b"PK not a zip", b"\x00" * 100])
def test_no_backup_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(content)
    engine = connect(f"sqlite:///{tmp_path / 'new.sqlite'}")
    with pytest.raises(StoreError, match="no backup"):
        restore(engine, path)
    engine.dispose()


def test_a_backup_while_others_write_is_one_state(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "p1")
    path = tmp_path / "b.zip"
    agency = next(iter(province.agencies.values()))

    def write_meanwhile(_table: str, rows_of: int) -> None:
        row = {"province_id": province.province_id, "agency_id": agency, "channel": "paper", "day": 1, "month": 1}
        with write(store) as connection:
            connection.execute(insert(ratings).values(**row, instrument="2640", instrument_version=1))

    from server.store import archive

    rows = archive.rows_of

    def slowrows_of(connection: Any, table: Any) -> Any:
        write_meanwhile(table.name, 0)
        return rows(connection, table)

    archive.rows_of = slowrows_of
    try:
        counts = backup(store, path)
    finally:
        archive.rows_of = rows
    assert counts["ratings"] in (80, 81), "writes after the first read are not seen"


def test_a_backup_is_not_written_into_what_somebody_laid_there(store: Engine, tmp_path: Path) -> None:
    """In a folder that others may write to: a link in the place of the unfinished file, or a file of theirs."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "a.zip.part").symlink_to(victim)
    backup(store, tmp_path / "a.zip")
    assert victim.read_text() == "precious"
    theirs = tmp_path / "b.zip.part"
    theirs.touch(0o666)
    with theirs.open("rb") as held:
        backup(store, tmp_path / "b.zip")
        assert held.read() == b"", "whoever held it open reads nothing"


def test_backups_of_a_folder_are_named_by_their_day_and_the_oldest_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the package's timer makes them; a file of another name is nobody's to remove. The newest is rehearsed."""
    where = ["--data-dir", str(tmp_path / "server")]
    assert main(["server", "init", "--province", "p", "--name", "Tỉnh", *where]) == 0
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in ("hailong-2020-01-02.zip.age", "hailong-2020-01-03.zip.age", "notes.txt", "hailong-old.zip"):
        (folder / name).write_text("x")
    (tmp_path / "secret").write_text("correct horse battery")
    sealed = ["--passphrase-file", str(tmp_path / "secret")]
    assert main(["server", "backup", str(folder), "--keep", "2", *sealed, *where, "--json"]) == 0
    [made] = [path for path in folder.glob("hailong-2*.zip.age") if "2020" not in path.name]
    assert {path.name for path in folder.iterdir()} == {
        made.name, "hailong-2020-01-03.zip.age", "notes.txt", "hailong-old.zip",
    }  # fmt: skip
    capsys.readouterr()
    assert main(["server", "drill", str(made), *sealed, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["holds"]
    assert told["rows"] > 0
    assert main(["server", "drill", str(folder / "notes.txt"), *sealed]) == 1
    damaged = tmp_path / "damaged.age"
    damaged.write_bytes(made.read_bytes()[:-9])
    assert main(["server", "drill", str(damaged), *sealed]) == 1
    assert main(["server", "backup", str(tmp_path / "one.zip.age"), "--keep", "2", *sealed, *where]) == 1
