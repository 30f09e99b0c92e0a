"""A folder of recordings and photographs that a stranger has put together: nothing waits for ever, nothing is run."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from models.evaluate import write_table
from models.face_find import read_picture
from models.sound_file import read_sound
from pipeline.errors import SourceError


@pytest.mark.parametrize("read", [read_sound, read_picture])
def test_a_pipe_or_a_device_is_no_recording(read: object, tmp_path: Path) -> None:
    """The run waited for a pipe's other end for ever, and read a device as long as it gave something."""
    os.mkfifo(tmp_path / "a.wav")
    for path in (tmp_path / "a.wav", Path("/dev/zero")):
        with pytest.raises(SourceError, match="a pipe or a device"):
            read(path)  # type: ignore[operator]


@pytest.mark.parametrize("read", [read_sound, read_picture])
def test_links_and_lists_lead_nowhere(read: object, tmp_path: Path) -> None:
    (tmp_path / "l.wav").symlink_to("/etc/passwd")
    (tmp_path / "p.wav").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", encoding="utf-8")
    (tmp_path / "c.wav").write_text("ffconcat version 1.0\nfile /etc/hostname\n", encoding="utf-8")
    for path in (*tmp_path.iterdir(), tmp_path, Path("http://127.0.0.1:9/x.wav"), tmp_path / "a\n=cmd.wav"):
        with pytest.raises(SourceError) as caught:
            read(path)  # type: ignore[operator]
        assert "root:" not in str(caught.value)


def test_no_name_is_a_formula_in_the_table_of_predictions(tmp_path: Path) -> None:
    names = ["=cmd|' /C calc'!A0.wav", "@SUM(1).wav", "+1.wav", " =1.wav", "a.wav"]
    write_table(tmp_path / "out.csv", ("path", "p"), [(name, -0.5) for name in names])
    rows = list(csv.reader((tmp_path / "out.csv").read_text("utf-8").splitlines()))
    assert [row[0].lstrip("'") for row in rows[1:]] == names
    assert [row[0][0] for row in rows[1:]] == ["'", "'", "'", "'", "a"]
    assert {row[1] for row in rows[1:]} == {"-0.500000"}
