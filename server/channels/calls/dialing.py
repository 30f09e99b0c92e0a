"""Calls that the 1022 centre begins: a call file for each number, at times at which one may call.

Asterisk takes a file that is moved into its spool folder, calls, and deletes it ("Asterisk Call Files",
docs.asterisk.org); what was cut off, or never taken, is deleted by the next run (`delete_left`). Of ours the number
stands nowhere else; Asterisk's own records are switched off as docs/survey.md says. The file is of mode 600, so this
program runs as the user that Asterisk runs as, whose the spool folder is. Nobody is called before 8 or after
17 (the hours that Decree 91/2020/ND-CP leaves to calls of advertisement), nor on a Sunday or a public holiday.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import time as clock
from contextlib import suppress
from datetime import datetime, time
from pathlib import Path

from pipeline.calendar import office_days
from pipeline.errors import ConfigError, ConflictError, StoreError
from pipeline.language import Message
from server.channels.calls.client import Server

FIRST, LAST = time(8, 0), time(17, 0)
SUNDAY, SATURDAY = 6, 5
RING_S = 30
MAX_LINES = 200
LEFT_S = 1_200
"""After half a minute of ringing and ten of talking a file is gone: an older one was never taken, or its call broke
off. Asterisk would begin it whenever it is started again, at night, too."""
_MOVED_S = 60
"""Nobody needs so long to write a file and move it."""
_PREFIX = "hailong-"
_CHANNEL = re.compile(r"[A-Za-z0-9_./@:+-]*\{phone\}[A-Za-z0-9_./@:+-]*")
_PHONE = re.compile(r"0\d{9,10}")
_PLACE = re.compile(r"[A-Za-z0-9_-]{1,80}")


def may_call(now: datetime) -> bool:
    """Whether somebody may be called at a local time. In a year whose holidays are not known, from Monday to Friday."""
    if not FIRST <= now.time() < LAST or now.weekday() == SUNDAY:
        return False
    holidays = office_days()
    if now.weekday() == SATURDAY:
        return now.date() not in holidays.off and now.year in holidays.years
    return holidays.is_working(now.date())


def call_file(channel: str, context: str, phone: str) -> str:
    """A call file: one try (who does not pick up is reminded once, days later). Raises `ConfigError`."""
    if not _CHANNEL.fullmatch(channel) or not _PLACE.fullmatch(context) or not _PHONE.fullmatch(phone):
        raise ConfigError(
            Message("A channel names its trunk and {place}, a context has letters and digits.", place="{phone}"),
            Message("Such as {channel} and {context}.", channel="PJSIP/{phone}@trunk", context="hailong"),
        )
    lines = {
        "Channel": channel.replace("{phone}", phone),
        "MaxRetries": "0",
        "WaitTime": str(RING_S),
        "Context": context,
        "Extension": "s",
        "Priority": "1",
        "Setvar": f"HAILONG_PHONE={phone}",
        "Archive": "no",
    }
    return "".join(f"{name}: {value}\n" for name, value in lines.items())


def delete_left(spool: Path) -> int:
    """Delete call files that Asterisk did not take, and those that were cut off before they were moved; how many.
    Whoever was to be called counts as asked, and is reminded once."""
    count = 0
    for folder, pattern, most_s in ((spool, f"{_PREFIX}*.call", LEFT_S), (spool.parent, f".{_PREFIX}*.call", _MOVED_S)):
        for path in folder.glob(pattern):
            with suppress(FileNotFoundError):  # Asterisk was quicker
                if clock.time() - path.lstat().st_mtime > most_s:
                    path.unlink()
                    count += 1
    return count


def _check_spool(spool: Path) -> None:
    """Raises `ConfigError` where Asterisk could not take a file of this program from its spool folder."""
    try:
        owner_uid = spool.stat().st_uid
        if not spool.is_dir():
            raise NotADirectoryError(spool)
    except OSError:
        raise ConfigError(Message("There is no folder {folder}.", folder=spool)) from None
    if owner_uid != os.geteuid():
        owner, user = _named(owner_uid), _named(os.geteuid())
        raise ConfigError(
            Message(
                "{folder} is of the user {owner}, and this runs as {user}: Asterisk could not read the call files, "
                "which hold a telephone number and are for their owner alone.",
                folder=spool,
                owner=owner,
                user=user,
            ),
            Message("Run it as the user that Asterisk runs as: {owner}.", owner=owner),
        )
    for folder in (spool.parent, spool):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigError(
                Message("This program may not write in {folder}.", folder=folder),
                Message("A call file is written in the folder above the spool folder, and then moved into it."),
            )


def _named(uid: int) -> str:
    """A user's name, or its number where nobody has it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def dial(server: Server, spool: Path, *, channel: str, context: str, lines: int, now: datetime) -> int:
    """Begin calls on the lines that are free; how many. Raises `ConflictError` outside the hours, `ConfigError`,
    `NoReplyError`, `StoreError` where a file cannot be written."""
    if not may_call(now):
        raise ConflictError(
            Message("Nobody is called now: only from 8 to 17, not on Sundays and public holidays."),
            Message("Try again in those hours."),
        )
    # what is wrong is told before numbers are taken: those that are taken and not called would be lost
    _check_spool(spool)
    call_file(channel, context, "0900000000")
    under_way = sum(1 for path in spool.iterdir() if path.name.startswith(_PREFIX))
    free = min(lines, MAX_LINES) - under_way
    if free <= 0:
        return 0
    phones = server.to_ask(free)
    for phone in phones:
        name = f"{_PREFIX}{secrets.token_hex(8)}.call"
        waiting = spool.parent / f".{name}"
        try:
            waiting.touch(mode=0o600)
            waiting.write_text(call_file(channel, context, phone), encoding="ascii")
            os.replace(waiting, spool / name)
        except OSError as error:
            waiting.unlink(missing_ok=True)
            raise StoreError(
                Message("No call file can be put into {folder} ({strerror}).", folder=spool, strerror=error.strerror),
                Message("Check the folder's owner and the disk. Who was to be called now is reminded once, later."),
            ) from None
    return len(phones)
