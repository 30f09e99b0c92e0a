# ruff: noqa: E501  (lines of strace as they are)
"""Every file that the box writes and every address that it contacts; a leaking mutant is caught."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edge.audit.canary import make_canary, needles_of
from edge.audit.strace import read_strace
from edge.audit.trace import _contents, audit_trace
from hailong.cli import main

TRACE = """\
10 execve("/usr/bin/python", ["python"], 0x7ffd) = 0
10 openat(AT_FDCWD</srv/box>, "outbox.sqlite3", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 3</srv/box/outbox.sqlite3>
10 openat(AT_FDCWD</srv/box>, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 4</etc/hosts>
10 openat(AT_FDCWD</srv/box>, "/srv/missing", O_WRONLY) = -1 ENOENT (No such file or directory)
11 openat(7</srv/other>, "face.jpg", O_WRONLY|O_CREAT|O_TRUNC, 0666 <unfinished ...>
10 connect(5<socket:[99]>, {sa_family=AF_INET, sin_port=htons(5570), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 EINPROGRESS (x)
11 <... openat resumed>) = 8</srv/other/face.jpg>
10 connect(6<socket:[98]>, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", \
&sin6_addr), sin6_scope_id=0}, 28) = 0
10 connect(6<socket:[98]>, {sa_family=AF_UNIX, sun_path="/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)
10 sendto(6<socket:[98]>, "secret", 6, MSG_NOSIGNAL, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("9.9.9.9")}, 16) = 6
10 bind(9<socket:[97]>, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("0.0.0.0")}, 16) = 0
10 renameat2(AT_FDCWD</srv/box>, "a.part", AT_FDCWD</srv/box>, "t\\303\\252n", 0) = 0
10 memfd_create("jit", MFD_CLOEXEC) = 12
12 execve("/bin/sh", ["sh"], 0x7ffd) = 0
12 +++ exited with 0 +++
"""


def test_strace_is_read(tmp_path: Path) -> None:
    seen = read_strace(TRACE.splitlines(), tmp_path)
    assert seen.written == {"/srv/box/outbox.sqlite3", "/srv/other/face.jpg", "/srv/box/tên"}
    assert seen.contacted == {"127.0.0.1:5570", "2001:db8::1:443", "unix:/run/nscd/socket", "9.9.9.9:53"}
    assert seen.listened == {"0.0.0.0:0"}
    assert seen.started == ["/usr/bin/python", "/bin/sh"]
    assert seen.in_memory == 1


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"....\xff\xd8\xff\xe0\x00\x10JFIF", "JPEG"),
        (b"RIFF\x00\x01\x02\x03WAVEfmt ", "WAVE"),
        (b"\x93NUMPY\x01\x00", "NumPy"),
        ("cán bộ này trả lời rất chậm và khó chịu".encode(), "text"),
        (b"CREATE TABLE IF NOT EXISTS leaf one two three four five", ""),
        (bytes(range(256)) * 4, ""),
    ],
)
def test_contents_are_recognised(data: bytes, problem: str) -> None:
    found = _contents("file", data, needles_of(make_canary()))
    assert (problem in " ".join(found)) if problem else found == []


def test_a_canary_is_recognised_in_a_file() -> None:
    canary = make_canary()
    needles = needles_of(canary)
    for data in (canary.frame.tobytes(), canary.sound.tobytes(), canary.sentence.encode("utf-16-le")):
        assert _contents("file", b"\0" * 7 + data, needles, text=False)


@pytest.mark.slow
def test_the_real_box_writes_and_contacts_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert shutil.which("strace"), "install strace (apt install strace): without it native libraries are not seen"
    assert main(["audit", "trace", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["facts"]
    assert facts["visits"] >= 1
    assert facts["messages_sent"] >= 3
    assert len(facts["addresses_contacted"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("use_strace", [True, False])
def test_a_leaking_box_is_caught(use_strace: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where the mutant's picture goes
    verdict = audit_trace(use_strace, child="tests.privacy.leaky_box")
    said = "\n".join(verdict.problems)
    assert "written outside of the allow-list: " in said
    assert not use_strace or "hailong-leak.jpg" in said  # OpenCV writes it past Python, as the verdict says
    assert use_strace or any("native libraries" in sentence for sentence in verdict.cannot_check)
    assert "release.sqlite3-journal.npy" in said
    assert "holds text" in said
    assert "NumPy array" in said
    assert "contacted outside of the allow-list" in said
    assert "127.0.0.9" in said


@pytest.mark.slow
def test_under_consent_nothing_is_opened_without_a_touch_and_one_touch_is_one_visit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A day of film with a face and a voice in it: neither is so much as opened, by strace's account."""
    assert shutil.which("strace"), "install strace (apt install strace)"
    assert main(["audit", "trace", "--basis", "consent", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["facts"]
    assert facts["without_a_touch"] == {"visits": 0, "opened": []}
    assert facts["with_a_touch"] == {"visits": 1, "opened": ["clip.avi", "clip.wav"]}


@pytest.mark.slow
def test_a_box_that_opens_its_camera_without_a_touch_is_caught() -> None:
    verdict = audit_trace(child="tests.privacy.eager_box", basis="consent", touches=(False,))
    said = "\n".join(verdict.problems)
    assert "without a touch: 0 visits, opened: clip.avi, clip.wav" in said
