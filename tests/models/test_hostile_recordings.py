"""A folder of recordings and photographs that a stranger has put together: nothing waits for ever, nothing is run."""

from __future__ import annotations

import csv
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.evaluate import write_table
from models.face_find import read_picture
from models.picture_size import picture_size
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


def _bomb(kind: str) -> bytes:
    """The head of a picture of 30,000 x 30,000 px in a few bytes."""
    side = 30_000
    if kind == "png":
        head = struct.pack(">II5B", side, side, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", len(head)) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
        data = zlib.compress(bytes(1_000_000))
        body = struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", zlib.crc32(b"IDAT" + data))
        return b"\x89PNG\r\n\x1a\n" + chunk + body
    if kind == "jpeg":
        frame = struct.pack(">BHHB", 8, side, side, 3) + bytes((1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1))
        return b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc0" + struct.pack(">H", 2 + len(frame)) + frame + bytes(200)
    if kind == "bmp":
        return b"BM" + bytes(8) + struct.pack("<IIiiHH", 54, 40, side, -side, 1, 24) + bytes(24)
    if kind == "gif":
        return b"GIF89a" + struct.pack("<HH", side, side) + bytes(20)
    if kind == "webp":
        return b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + 2 * (side - 1).to_bytes(3, "little")
    tags = struct.pack("<HHHII", 2, 256, 4, 1, side) + struct.pack("<HHII", 257, 4, 1, side)
    return b"II*\0" + struct.pack("<I", 8) + tags + bytes(4)


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "gif", "webp", "tiff"])
def test_a_picture_says_its_size_before_it_takes_memory(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.png").write_bytes(_bomb(kind))
    assert picture_size(_bomb(kind)) == (30_000, 30_000)
    with pytest.raises(SourceError, match="30000 x 30000 px"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("kind", [".png", ".jpg", ".bmp", ".webp", ".tiff", ".gif"])
def test_sizes_of_pictures_as_they_are_written(tmp_path: Path, kind: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (40, 70, 3), np.uint8)
    done, coded = cv2.imencode(kind, pixels)
    assert done
    assert picture_size(coded.tobytes()) == (70, 40)
    (tmp_path / f"a{kind}").write_bytes(coded.tobytes())
    assert read_picture(tmp_path / f"a{kind}").shape == (40, 70, 3)
    for cut in range(min(len(coded), 80)):
        picture_size(coded.tobytes()[:cut])


@pytest.mark.parametrize("head", [b"P6\n30000 30000\n255\n", b"#?RADIANCE\n\n-Y 30000 +X 30000\n", b"\x59\xa6\x6a\x95"])
def test_other_formats_are_not_decoded(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "a.png").write_bytes(head + bytes(100))
    with pytest.raises(SourceError, match="no picture"):
        read_picture(tmp_path / "a.png")
