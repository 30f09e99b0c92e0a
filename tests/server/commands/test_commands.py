"""The server's commands as a person runs them: a real process, real sockets, exit codes and words."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from hailong.cli import COMMANDS, main
from pipeline.calendar import month_of_date
from server.auth.passwords import password_fits
from server.auth.users import resets
from server.commands.run import door
from server.core.config import make_config
from server.store.engine import connect, read
from server.store.tables.users import users
from server.store.upgrade import upgrade
from tests.children import child
from tests.ports import free_port

_MAIN = "import sys; from hailong.cli import main; sys.exit(main())"


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a command."""
    code = main(words)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of a server with one simulated province."""
    there = tmp_path / "server"
    code, out, _ = call(
        capsys, "server", "init", "--province", "p1", "--name", "Tỉnh Một", "--simulated", "--data-dir", str(there)
    )
    assert code == 0
    assert re.search(r"One-time password: \S{23} ", out)
    return there


@pytest.mark.parametrize("name", [name for name, (module, _) in COMMANDS.items() if module.startswith("server.")])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*name.split(), "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "usage: hailong " + name in out
    assert len(out) > 300, "help teaches"


def test_init_makes_keys_once_and_provinces_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("server", "init", "--name", "Tỉnh Hai", "--data-dir", str(folder), "--json", "--province")
    code, out, _ = call(capsys, *arguments, "p2")
    first = json.loads(out)
    assert (code, first["administrator"]) == (0, "admin.p2")
    _, out, _ = call(capsys, *arguments, "p3")
    assert json.loads(out)["server_key"] == first["server_key"]
    assert (folder / "keys" / "secret.keys").stat().st_mode & 0o077 == 0
    for bad, problem in (("p2", "another code"), ("Có dấu", "no code"), ("", "no code")):
        code, _, err = call(capsys, *arguments, bad)
        assert code == 1
        assert problem in err


SPEAKING = (
    ("server", "verify"),
    ("server", "enroll", "--list"),
    ("server", "alerts"),
    ("server", "upgrade"),
    ("server", "reset-password", "--user", "admin.p1"),
    ("server", "doctor"),
    ("audit", "ratings"),
    ("audit", "retention", "--canary", "0912345678"),
)
"""What is run in both languages, one after the other, on one folder."""


@pytest.mark.parametrize("words", SPEAKING, ids=" ".join)
def test_a_command_says_everything_in_the_users_language(
    folder: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line with two words in a row, the same in Vietnamese and in English, is one that no catalogue was asked for."""
    said = {}
    for lang in ("vi", "en"):
        monkeypatch.setenv("LANGUAGE", lang)
        _code, out, err = call(capsys, *words, "--data-dir", str(folder))
        said[lang] = [line for line in (out + err).splitlines() if re.search(r"[a-z]{2,} [a-z]{2,}", line)]
    assert said["en"], "something is said"
    assert not set(said["en"]) & set(said["vi"])


def test_backup_restore_upgrade(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ("--data-dir", str(folder))
    secret = tmp_path / "passphrase"
    secret.write_text("a long enough passphrase\n")
    opened = ("--passphrase-file", str(secret))
    assert call(capsys, "server", "backup", str(tmp_path / "u.zip"), "--with-keys", "--unencrypted", *at)[0] == 1
    code, out, _ = call(capsys, "server", "backup", str(tmp_path / "b.zip"), "--with-keys", "--json", *opened, *at)
    assert code == 0
    assert json.loads(out)["rows"]["users"] == 1
    other = ("--data-dir", str(tmp_path / "other"))
    assert call(capsys, "server", "restore", str(tmp_path / "b.zip"), *other)[0] == 1
    code, _, _ = call(capsys, "server", "restore", str(tmp_path / "b.zip"), "--with-keys", *opened, *other)
    assert code == 0
    assert (tmp_path / "other" / "keys" / "secret.keys").exists()
    assert call(capsys, "server", "restore", str(tmp_path / "b.zip"), *opened, *other)[0] == 1
    code, out, _ = call(capsys, "server", "upgrade", "--json", *at)
    assert json.loads(out)["before"] == json.loads(out)["after"]


def test_an_old_store_is_not_run_but_upgraded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = connect(str(tmp_path / "store.sqlite"))
    upgrade(engine, "0001")
    engine.dispose()
    at = ("--data-dir", str(tmp_path))
    code, _, err = call(capsys, "server", "run", *at)
    assert code == 1
    assert "hailong server upgrade" in err
    code, out, _ = call(capsys, "server", "upgrade", *at)
    assert (code, out.startswith("Version 0001 -> ")) == (0, True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[web]\nporrt = 1\n", "web.porrt"),
        ("[web]\nport = 99999\n", "web.port"),
        ("web = [", "not TOML"),
        ('data_dir = "x"\n', "folder of this file"),
        ('store = "mysql://x/y"\n', "cannot be on mysql"),
    ],
)
def test_a_wrong_configuration_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str
) -> None:
    (folder / "server.toml").write_text(text, encoding="utf-8")
    code, _, err = call(capsys, "server", "run", "--data-dir", str(folder))
    assert code == 1
    assert problem in err


def test_audit_retention(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "audit", "retention", "--json", "--data-dir", str(folder))
    answer = json.loads(out)
    assert (code, answer["holds"]) == (0, True)
    assert answer["provinces"]["p1"]["changes"] == 1
    engine = connect(str(folder / "store.sqlite"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE changes SET detail = '{}'")
    engine.dispose()
    code, out, _ = call(capsys, "audit", "retention", "--data-dir", str(folder))
    assert code == 1
    assert "altered at entry 1" in out


@pytest.mark.slow
def test_analyze_a_sample_province(
    tmp_path: Path, server_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ("--store", f"sqlite:///{tmp_path / 's.sqlite'}")
    assert (
        call(capsys, "server", "sample-province", "--quarters", "2", "--sheets", "2000", "--communes", "12", *at)[0]
        == 0
    )
    assert (server_folder / "keys" / "secret.keys").exists(), "what is said to run next can run"
    code, out, _ = call(capsys, "analyze", "--period", "2026-Q3", "--json", *at)
    answer = json.loads(out)
    assert (code, answer["simulated"]) == (0, True)
    query = "SELECT count(*) FROM ratings WHERE month BETWEEN ? AND ? AND a00 > 0 GROUP BY agency_id"
    with contextlib.closing(sqlite3.connect(tmp_path / "s.sqlite")) as connection:
        quarter = [month_of_date(date(2026, month, 1)) for month in (7, 9)]
        sheets = [int(row[0]) for row in connection.execute(query, quarter)]
        weighted = connection.execute("SELECT first_month, known FROM kept_margins ORDER BY first_month").fetchall()
    assert [row[0] for row in weighted] == [quarter[0] - 3, quarter[0]], "/survey/raked has figures"
    assert set(json.loads(weighted[0][1])) == {"field", "level"}
    assert len(sheets) == 26
    assert 0 < len(answer["ranks"]) == sum(count >= 30 for count in sheets) < 26, "fewer sheets are not shown"
    assert {row["method"] for row in answer["estimates"]} >= {"explicit", "efficiency"}
    for lang, words in (("vi", "Số liệu mô phỏng."), ("en", "Simulated figures.")):
        monkeypatch.setenv("LANGUAGE", lang)
        code, out, _ = call(capsys, "analyze", "--period", "2026-Q3", *at)
        assert (code, out.startswith(words)) == (0, True)
    code, out, _ = call(capsys, "analyze", "--drift", "--period", "2026-Q3", "--json", *at)
    drift = json.loads(out)
    assert (code, drift["month"], drift["tests"] > 0) == (1 if drift["alarms"] else 0, "2026-09", True)
    assert drift["alarms"] == [row for row in answer["drift"] if row["alarm"]]
    code, _, err = call(capsys, "analyze", *at)
    assert (code, "Which period" in err) == (1, True)
    code, _, err = call(capsys, "analyze", "--period", "2026-Q9", *at)
    assert code == 1
    assert "no period" in err


@pytest.fixture
def running(folder: Path) -> Iterator[dict[str, Any]]:
    """`hailong server run` as a process of its own; its pages' address."""
    (folder / "server.toml").write_text(
        f'[ingest]\naddress = "tcp://127.0.0.1:{free_port()}"\nenrol_address = "tcp://127.0.0.1:{free_port()}"\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-c", _MAIN, "server", "run", "--demo", "--port", "0", "--data-dir", str(folder)]
    with child(command, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, f"{line} {process.stderr.read() if process.stderr else ''}"
        yield {"url": found[0], "process": process}


@pytest.mark.slow
def test_the_server_runs_and_stops(running: dict[str, Any]) -> None:
    answer = httpx.get(running["url"] + "/", timeout=60)
    assert answer.status_code == 200
    assert "Số liệu mô phỏng" in answer.text
    assert httpx.get(running["url"] + "/api/v1/alive", timeout=60).json() == {"status": "ok"}
    running["process"].send_signal(signal.SIGTERM)
    assert running["process"].wait(120) == 0


@pytest.mark.slow
def test_a_port_that_is_taken_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, err = call(capsys, "server", "run", "--port", port, "--data-dir", str(folder))
    assert code == 1
    assert f"127.0.0.1:{port} cannot be opened" in err


def test_a_lost_password_is_reset_on_the_server_and_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A province whose only administrator has lost the password is not locked out; who resets it cannot hide it."""
    where = ["--data-dir", str(folder)]
    code, out, _ = call(capsys, "server", "reset-password", "--user", "admin.p1", "--json", *where)
    assert code == 0
    password = json.loads(out)["password"]
    with read(connect(str(folder / "store.sqlite"))) as connection:
        row = connection.execute(select(users).where(users.c.name == "admin.p1")).one()
        assert password_fits(row.password_hash, password)
        assert row.must_change_password
        assert [by for _, by, _ in resets(connection, row.province_id, row.id)] == [None]
    code, _, err = call(capsys, "server", "reset-password", "--user", "nobody", *where)
    assert (code, "no such user" in err) == (1, True)


@pytest.mark.parametrize(
    ("said", "demo", "expected"),
    [
        ({}, False, ("tcp://*:5870", "tcp://*:5871")),
        ({}, True, ("tcp://127.0.0.1:5870", "tcp://127.0.0.1:5871")),
        ({"address": "tcp://*:9000"}, True, ("tcp://*:9000", "tcp://127.0.0.1:5871")),
    ],
)
def test_a_demonstration_opens_no_port_to_the_network(
    said: dict[str, str], demo: bool, expected: tuple[str, str], tmp_path: Path
) -> None:
    config = make_config({"data_dir": tmp_path, "ingest": said}, "test")
    found = door(config, demo)
    assert (found.address, found.enrol_address) == expected
