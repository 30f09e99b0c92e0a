"""Reading strace's output: files opened for writing, made, renamed; addresses contacted; programs started."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

CALLS = (
    "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,mknod,mknodat,truncate,"
    "memfd_create,connect,sendto,sendmsg,sendmmsg,bind,execve"
)
_LINE = re.compile(r"^(\d+)\s+(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\)\s*=\s*(-?\d+|\?)(.*)$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FOLDER = re.compile(r"^(?:AT_FDCWD|\d+)<([^>]*)>")
_INET = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")')
_LOCAL = re.compile(r'sa_family=AF_UNIX, sun_path=(@?)"((?:[^"\\]|\\.)*)"')


@dataclass(slots=True)
class Seen:
    """What a process did. Addresses read `host:port` or `unix:path`."""

    opened: set[str] = field(default_factory=set)
    """Files opened at all, for reading too."""
    written: set[str] = field(default_factory=set)
    contacted: set[str] = field(default_factory=set)
    listened: set[str] = field(default_factory=set)
    started: list[str] = field(default_factory=list)
    in_memory: int = 0
    """Anonymous files in memory (memfd)."""
    calls: int = 0


def read_strace(lines: Iterable[str], folder: Path) -> Seen:
    """The output of `strace -f -y -o FILE`. `folder`: where the process was started, for relative names without a
    folder."""
    seen, waiting = Seen(), dict[str, str]()
    for line in lines:
        match = _LINE.match(line.rstrip("\n"))
        if match is None:
            continue
        process, text = match.groups()
        if text.endswith("<unfinished ...>"):
            waiting[process] = text.removesuffix("<unfinished ...>").rstrip()
            continue
        resumed = _RESUMED.match(text)
        if resumed is not None:
            text = waiting.pop(process, resumed[1] + "(") + resumed[2]
        call = _CALL.match(text)
        if call is not None:
            seen.calls += 1
            _note(seen, call[1], call[2], call[3], folder)
    return seen


def _note(seen: Seen, name: str, arguments: str, result: str, folder: Path) -> None:
    failed = result.startswith("-") or result == "?"
    if name in ("connect", "sendto", "sendmsg", "sendmmsg", "bind"):
        for address in _addresses(arguments):  # a contact that failed was tried all the same
            (seen.listened if name == "bind" else seen.contacted).add(address)
    elif failed:
        return
    elif name == "memfd_create":
        seen.in_memory += 1
    elif name == "execve":
        seen.started.append(_paths(arguments, folder)[0])
    elif name in ("open", "openat", "openat2"):
        seen.opened.add(_paths(arguments, folder)[0])
        if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND", arguments):
            seen.written.add(_paths(arguments, folder)[0])
    else:
        seen.written.add(_paths(arguments, folder)[-1])


def _paths(arguments: str, folder: Path) -> list[str]:
    """The paths among the arguments, made absolute by the folder that stands before each."""
    found = []
    base = str(folder)
    position = 0
    for match in _STRING.finditer(arguments):
        before = arguments[position : match.start()]
        place = _FOLDER.match(before.strip(" ,"))
        here = place[1] if place is not None else base
        path = (
            match[1]
            .encode("latin-1", "backslashreplace")
            .decode("unicode_escape")
            .encode("latin-1", "replace")
            .decode("utf-8", "replace")
        )
        found.append(path if path.startswith("/") else f"{here}/{path}")
        position = match.end()
    return found or ["?"]


def _addresses(arguments: str) -> list[str]:
    found = [f"{four or six}:{port}" for port, four, six in _INET.findall(arguments)]
    return found + [f"unix:{mark}{path}" for mark, path in _LOCAL.findall(arguments)]
