"""What `server doctor` finds: a server that lacks nothing, and one that lacks each thing."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from hailong.cli import main
from server.commands import doctor


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    there = tmp_path / "server"
    assert main(["server", "init", "--province", "p", "--name", "Tỉnh", "--data-dir", str(there)]) == 0
    capsys.readouterr()
    return there


def examine(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, Any]]]:
    code = main(["server", "doctor", "--data-dir", str(folder), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] == (code == 0)
    return code, {found["what"]: found for found in told["findings"]}


def test_every_place_is_looked_at(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        address = f"tcp://127.0.0.1:{door.getsockname()[1]}"
        (folder / "server.toml").write_text(
            f'[web]\npublic_url = "https://hailong.example.vn"\nport = 1\n[ingest]\naddress = "{address}"\n', "utf-8"
        )
        code, found = examine(folder, capsys)
    assert code == 0
    assert set(found) == set(doctor._PLACES)
    assert {
        found[what]["state"] for what in ("configuration", "folder", "keys", "store", "address", "boxes' door")
    } == {"ok"}
    assert found["pages"]["state"] == "note", "a server that does not run is no fault"
    assert "SQLite" in found["store"]["text"]
    assert "0" in found["boxes"]["text"]


@pytest.mark.parametrize("what", ["configuration", "folder", "keys", "store", "disk", "address"])
def test_what_is_wrong_is_found_and_has_a_fix(
    folder: Path, what: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "configuration":
        (folder / "server.toml").write_text("[web]\nhosts = 1\n")
    elif what == "folder":
        folder.chmod(0o755)
    elif what == "keys":
        for path in (folder / "keys").iterdir():
            path.unlink()
    elif what == "store":
        (folder / "store.sqlite").unlink()
    elif what == "disk":
        monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 1 << 60)
    else:
        (folder / "server.toml").write_text('[web]\npublic_url = "http://hailong.example.vn"\n')
    code, found = examine(folder, capsys)
    assert code == 1
    assert {name for name, each in found.items() if each["state"] == "wrong"} == {what}
    assert found[what]["fix"]


def test_it_is_told_in_vietnamese(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "vi_VN.UTF-8")
    assert main(["server", "doctor", "--data-dir", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "Không có gì sai." in said
    assert "public_url" in said
