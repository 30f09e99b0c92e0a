"""A folder with an uploaded list of telephone numbers does not outlive the process that was reading it."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import server
from server.core.temporary import KINDS, TemporaryFolder, delete_left, temporary_folders

_CHILD = """
import sys, time
from pathlib import Path
from server.core.temporary import TemporaryFolder
with TemporaryFolder("import") as folder:
    (folder / "upload.csv").write_text("phone\\n0912345678\\n")
    print(folder, flush=True)
    time.sleep(600)
"""
MAKERS = {"core/temporary.py", "channels/calls/prompts.py"}
"""The one door, and what makes a prompt beside its file: a text that everybody hears."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr("server.core.temporary.IN_MEMORY", tmp_path)
    return tmp_path


def _aged(folder: Path) -> None:
    before = time.time() - 3_600
    os.utime(folder, (before, before))


def test_a_killed_import_leaves_no_list_of_numbers(place: Path) -> None:
    """A server killed while somebody's list was read left it in the system's folder for temporary files, for good."""
    child = subprocess.Popen([sys.executable, "-c", _CHILD], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        assert (folder / "upload.csv").exists()
        _aged(folder)
        assert delete_left() == 0, "it is being read"
        child.send_signal(signal.SIGKILL)
        child.wait(20)
        assert temporary_folders() == [folder]
        assert delete_left() == 1
        assert list(place.iterdir()) == []
    finally:
        child.kill()
        child.communicate()


def test_what_is_new_or_not_ours_is_left_alone(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "file").write_text("x")
    (place / "hailong-import-new").mkdir()
    (place / "hailong-import-link").symlink_to(elsewhere)
    (place / "hailong-import-file").write_text("x")
    for name in ("hailong-other-1", "import-1"):
        (place / name).mkdir()
        _aged(place / name)
    _aged(elsewhere)
    assert delete_left() == 0
    assert (elsewhere / "file").exists()
    _aged(place / "hailong-import-new")
    assert delete_left() == 1


def test_a_folder_ends_with_its_block(place: Path) -> None:
    with TemporaryFolder("table") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "rows").write_text("x")
    assert list(place.iterdir()) == []
    with pytest.raises(ValueError, match="is none of"):
        TemporaryFolder("other")
    assert len(set(KINDS)) == len(KINDS)


def test_nobody_else_makes_temporary_folders() -> None:
    root = Path(server.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "tempfile"
        and node.attr not in ("gettempdir", "tempdir")
    }
    assert found == MAKERS
