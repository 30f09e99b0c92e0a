"""A command ends with a sentence and a code, whatever the store does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hailong.cli import main
from pipeline.language import PACKAGED
from server.store import engine as store_engine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    arguments = ["--data-dir", str(tmp_path / "s"), "--province", "aaa", "--name", "A"]
    assert main(["server", "init", *arguments]) == 0
    return tmp_path / "s"


def _import(folder: Path) -> int:
    path = folder.parent / "levels.csv"
    path.write_text("code,name_vi,rank\nq,Quận,4\n", encoding="utf-8")
    return main(["server", "import", "--data-dir", str(folder), "levels", str(path)])


def test_a_busy_store_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_engine, "BUSY_TIMEOUT_MS", 50)
    other = sqlite3.connect(folder / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    capsys.readouterr()
    assert _import(folder) == 1
    told = capsys.readouterr().err
    assert "busy" in told
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1
    other.close()
    assert _import(folder) == 0


def test_a_store_that_is_none_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("store.sqlite", "store.sqlite-wal", "store.sqlite-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "store.sqlite").write_bytes(b"not a data base at all, but long enough to be read as one" * 100)
    capsys.readouterr()
    assert _import(folder) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_an_unexpected_fault_is_told_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import server.commands.import_files as command

    def fails(_: object) -> int:
        raise KeyError("0912345678")

    monkeypatch.setattr(command, "run", fails)
    capsys.readouterr()
    assert _import(folder) == 1
    told = capsys.readouterr().err
    assert "KeyError" in told
    assert "0912345678" not in told
    monkeypatch.setenv("HAILONG_DEBUG", "1")
    with pytest.raises(KeyError):
        _import(folder)


def test_a_packaged_server_says_where_it_may_write(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command runs as the server's own user, who may write neither where root is nor in /srv."""
    import server.commands.import_files as command

    def fails(_: object) -> int:
        raise PermissionError(13, "Permission denied", "/srv/papers")

    monkeypatch.setattr(command, "run", fails)
    monkeypatch.setenv("HAILONG_SERVER_DIR", PACKAGED)
    capsys.readouterr()
    assert _import(folder) == 1
    told = capsys.readouterr().err
    assert told.startswith("hailong-server import: ")
    assert "Permission denied (/srv/papers)" in told
    assert f"writes in {PACKAGED} alone" in told


def test_a_package_that_is_missing_is_named_with_the_extra_that_brings_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an environment with the distribution alone: its base has no data base."""

    def lacks(_name: str) -> None:
        raise ModuleNotFoundError("No module named 'sqlalchemy'", name="sqlalchemy.orm")

    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setattr("hailong.cli.importlib.import_module", lacks)
    assert main(["server", "init", "--province", "x"]) == 1
    told = capsys.readouterr().err
    assert "sqlalchemy, which is not installed" in told
    assert "pip install 'hailong[server]'" in told
