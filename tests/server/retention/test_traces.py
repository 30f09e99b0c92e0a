"""The attack of somebody who holds the disk: numbers that were deleted are looked for in every file."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from hailong.cli import main
from pipeline.calendar import today
from pipeline.errors import InvalidError, StoreError
from pipeline.language import Text
from server.retention.policy import enforce
from server.retention.traces import files_of, forget, forms, search
from server.rounds.rounds import make_round
from server.store.archive import backup, restore
from server.store.engine import connect, write
from server.store.sealing import Opener, Seal, is_sealed
from server.store.tables.contacts import phone_contacts
from tests.server.province import Province, count, fill_province

CANARIES = [f"09{number:08d}" for number in range(31_415_926, 31_415_926 + 12)]


def plant(store: Engine, province: Province, expires_day: int) -> None:
    """Numbers of people in a round, to be deleted on their day."""
    with write(store) as connection:
        made = make_round(
            connection,
            province.province_id,
            code="R",
            name=Text.named(vi="R", en="R"),
            instrument="2640",
            first_day=today() - 10,
            last_day=today() + 10,
            user_id=None,
        )
        place = {"province_id": province.province_id, "round_id": made.id, "expires_day": expires_day}
        agency = next(iter(province.agencies.values()))
        for number in CANARIES:
            connection.execute(insert(phone_contacts).values(**place, agency_id=agency, phone=number))


def test_what_retention_deletes_lies_in_no_file(any_store: Engine, tmp_path: Path) -> None:
    province = fill_province(any_store, "aaa")
    plant(any_store, province, today() - 1)
    paths, unread = files_of(any_store)
    assert not unread
    assert list(search(paths, CANARIES)), "the search finds what is there: without this the test could not fail"
    with write(any_store) as connection:
        enforce(connection)
    assert count(any_store, "phone_contacts") == 0
    assert forget(any_store)
    paths, _ = files_of(any_store)
    left = [trace for trace in search(paths, CANARIES) if "pg_wal" not in trace.path]
    assert left == []


def test_the_log_is_cut_though_others_are_connected(store: Engine) -> None:
    plant(store, fill_province(store, "aaa"), today() - 1)
    with store.connect() as idle:
        idle.exec_driver_sql("SELECT 1")
        idle.rollback()
        with write(store) as connection:
            enforce(connection)
        assert forget(store)
    assert list(search(files_of(store)[0], CANARIES)) == []


def test_files_belong_to_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    assert main(["server", "init", "--data-dir", str(folder), "--province", "aaa", "--name", "A"]) == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir() if path.is_file() and path.stat().st_mode & 0o077] == []
    (folder / "store.sqlite").chmod(0o644)
    engine = connect(f"sqlite:///{folder / 'store.sqlite'}")
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE provinces SET code = 'x'")
    for path in folder.glob("store.sqlite*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    engine.dispose()


def test_a_sealed_backup_tells_nothing_and_comes_back(store: Engine, tmp_path: Path) -> None:
    pyrage = pytest.importorskip("pyrage")
    plant(store, fill_province(store, "aaa"), today() + 10)
    identity = pyrage.x25519.Identity.generate()
    open_path, sealed, worded = tmp_path / "open.zip", tmp_path / "b.age", tmp_path / "p.age"
    backup(store, open_path)
    backup(store, sealed, for_whom=Seal(recipients=(str(identity.to_public()),)))
    backup(store, worded, for_whom=Seal(passphrase="correct horse battery"))
    assert len(list(search([open_path], CANARIES))) >= len(CANARIES)
    assert list(search([sealed, worded], CANARIES)) == []
    assert is_sealed(sealed)
    openers = {sealed: Opener(identities=(str(identity),)), worded: Opener(passphrase="correct horse battery")}
    for path, opener in openers.items():
        engine = connect(f"sqlite:///{tmp_path / path.stem}.sqlite")
        assert restore(engine, path, opener=opener)["phone_contacts"] == len(CANARIES)
        engine.dispose()
        other = connect("sqlite://")
        for wrong in (
            None,
            Opener(identities=(str(pyrage.x25519.Identity.generate()),)),
            Opener(passphrase="not this one"),
        ):
            with pytest.raises(StoreError):
                restore(other, path, opener=wrong)
        damaged = tmp_path / "damaged.age"
        damaged.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(StoreError):
            restore(other, damaged, opener=opener)
        other.dispose()
    with pytest.raises(InvalidError):
        backup(store, tmp_path / "x.age", for_whom=Seal(recipients=("age1nothing",)))
    assert not (tmp_path / "x.age").exists()


def test_the_search_looks_across_chunks_and_into_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import server.retention.traces as traces

    monkeypatch.setattr(traces, "_CHUNK", 64)
    number = "0912345678"
    for place in range(0, 200, 7):
        path = tmp_path / "f"
        path.write_bytes(b"." * place + b"+84912345678" + b"." * 100)
        (found,) = search([path], [number])
        assert found.offset == place + 3
    shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path, "f")
    assert list(search([tmp_path / "a.zip"], [number]))
    assert forms("+84 912 345 678")[0] == forms(number)[0] == b"912345678"


def test_the_command_tells_traces_and_never_the_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "s"
    assert main(["server", "init", "--data-dir", str(folder), "--province", "aaa", "--name", "A"]) == 0
    arguments = ["audit", "retention", "--data-dir", str(folder), "--canary", "0912345678", "--json"]
    capsys.readouterr()
    assert main(arguments) == 0
    (tmp_path / "old.csv").write_text("phone\n0912345678\n")
    capsys.readouterr()
    assert main([*arguments, "--files", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "old.csv" in out
    assert "912345678" not in out
